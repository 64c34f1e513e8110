"""The client against an agent ($PLUMBLINE_URL) and against servers that misbehave. Run by `cargo test --test real -- python`."""

import datetime
import decimal
import http.server
import json
import multiprocessing
import os
import socket
import threading
import time
import unittest
import urllib.request

from plumbline_client import Client, Counts, rows

AGENT = os.environ["PLUMBLINE_URL"]


def shown(model):
    with urllib.request.urlopen(f"{AGENT}/api/v1/models/{model}") as answer:
        return json.load(answer)


def eventually(what, within=10.0):
    ends = time.monotonic() + within
    while True:
        try:
            return what()
        except Exception:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)


class Server:
    """Answers each request as it is told to."""

    def __init__(self, answers):
        self.answers, self.bodies, self.keys = list(answers), [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.keys.append(self.headers["Idempotency-Key"])
                outer.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                status, body, headers = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode() if not isinstance(body, bytes) else body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


class WithAnAgent(unittest.TestCase):
    def test_rows_and_labels_arrive(self):
        with Client("by-row", url=AGENT, every=0.1) as client:
            ids = [client.sample({"x": at * 0.5, "plan": "basic"}, prediction=at % 2, score=0.5) for at in range(250)]
            for at, id in enumerate(ids):
                client.label(id, at % 2)
            self.assertTrue(client.flush())
            self.assertEqual(client.counts, Counts(accepted=500))

        def seen():
            counts = shown("by-row")["counts"]
            self.assertEqual((counts["samples"], counts["labels"]), (250, 250))

        eventually(seen)

    def test_tables_of_every_kind_arrive(self):
        import numpy
        import pandas
        import pyarrow

        frame = pandas.DataFrame({"x": [0.5, float("nan"), 2.0], "plan": ["a", None, "b"]})
        with Client("by-table", url=AGENT) as client:
            client.samples(frame, predictions=numpy.array([1, 0, 1]), ids=["p1", "p2", "p3"])
            client.samples(pyarrow.table({"x": [1.5], "plan": ["a"]}), predictions=[0], ids=["a1"])
            client.samples(numpy.array([[3.5, 1.0]]), names=["x", "y"], predictions=[1], ids=["n1"])
            client.samples({"x": [4.5, 5.5]}, predictions=[0, 1], ids=["d1", "d2"])
            client.labels(["p1", "a1"], numpy.array([1, 1]))
            self.assertTrue(client.flush())
            self.assertEqual(client.counts, Counts(accepted=9))
        eventually(lambda: self.assertEqual(shown("by-table")["counts"]["samples"], 7))

    def test_wrong_rows_are_counted_and_the_others_go_on(self):
        with Client("in-part", url=AGENT) as client:
            client.sample({"x": 1}, prediction=1)
            self.assertTrue(client.flush())
            client.sample({"x": "a text"}, prediction=1)
            client.sample({"x": 2}, prediction=1)
            self.assertTrue(client.flush())
            self.assertEqual(client.counts, Counts(accepted=2, rejected=1))

    def test_a_fork_begins_anew_and_sends_its_own(self):
        client = Client("forked", url=AGENT, every=60)
        client.sample({"x": 1}, prediction=1, id="parent")

        def child():
            client.sample({"x": 2}, prediction=1, id="child")
            os._exit(0 if client.flush() and client.counts == Counts(accepted=1) else 1)

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join(20)
        self.assertEqual(process.exitcode, 0)
        self.assertTrue(client.flush())
        self.assertEqual(client.counts, Counts(accepted=1))
        eventually(lambda: self.assertEqual(shown("forked")["counts"]["samples"], 2))


class WithoutOne(unittest.TestCase):
    def test_an_agent_that_is_away_holds_nobody_up(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        client = Client("m", url=url, max_rows=100)
        longest = 0.0
        for at in range(5000):
            before = time.perf_counter()
            client.sample({"x": at}, prediction=1)
            longest = max(longest, time.perf_counter() - before)
        counts = client.counts
        self.assertEqual((counts.waiting, counts.dropped), (100, 4900))
        self.assertLess(longest, 1.0, "a sample waits for nobody")
        self.assertFalse(client.close(0.2))
        self.assertEqual(client.counts, Counts(dropped=5000))

    def test_one_that_never_answers_holds_nobody_up(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(1)
            client = Client("m", url=f"http://127.0.0.1:{silent.getsockname()[1]}", every=0.01, timeout=0.2)
            before = time.perf_counter()
            for at in range(1000):
                client.sample({"x": at}, prediction=1)
            self.assertLess(time.perf_counter() - before, 2.0)
            self.assertFalse(client.close(0.5))

    def test_what_is_refused_for_now_is_sent_again_and_the_rest_is_not(self):
        took = (202, {"accepted": 1, "rejected": 0, "errors": []}, {})
        server = Server([(429, {}, {"Retry-After": "0"}), (503, b"<html>", {"Retry-After": "0"}), took])
        client = Client("m", url=server.url, every=0.01)
        client.sample({"x": 1}, prediction=1)
        self.assertTrue(client.flush(10))
        self.assertEqual((client.counts, len(server.bodies)), (Counts(accepted=1), 3))
        self.assertEqual(len(set(server.bodies)), 1, "the same rows, with the same ids")
        self.assertEqual(len(set(server.keys)), 1, "under the same key")
        self.assertTrue(server.keys[0])
        for status in (400, 401, 403, 404, 415, 422):
            server = Server([(status, {"errors": [{"message": "no"}]}, {})])
            client = Client("m", url=server.url, every=0.01)
            client.sample({"x": 1}, prediction=1)
            self.assertTrue(client.flush(10))
            self.assertEqual((client.counts, len(server.bodies)), (Counts(rejected=1), 1), status)

    def test_samples_and_labels_in_turn_are_sent_together(self):
        server = Server([(202, {"accepted": 300, "rejected": 0, "errors": []}, {})])
        client = Client("m", url=server.url, every=60)
        for at in range(300):
            client.label(client.sample({"x": at}, prediction=1), 1)
        self.assertTrue(client.flush(10))
        self.assertEqual((client.counts, len(server.bodies)), (Counts(accepted=600), 2))
        self.assertEqual(len(set(server.keys)), 2, "each batch has its own key")

    def test_what_the_agent_samples_out_it_has_seen(self):
        server = Server([(202, {"accepted": 1, "sampled_out": 2, "rejected": 1, "errors": []}, {})])
        client = Client("m", url=server.url, every=60)
        for at in range(4):
            client.sample({"x": at}, prediction=1)
        self.assertTrue(client.flush(10))
        self.assertEqual(client.counts, Counts(accepted=3, rejected=1))

    def test_a_body_that_is_too_large_is_sent_in_parts(self):
        def part(rows):
            return (202, {"accepted": rows, "rejected": 0, "errors": []}, {})

        server = Server([(413, {}, {}), part(2), part(2)])
        client = Client("m", url=server.url, every=60)
        for at in range(4):
            client.sample({"x": at}, prediction=1)
        self.assertTrue(client.flush(10))
        self.assertEqual(client.counts, Counts(accepted=4))

    def test_whatever_it_is_given_nothing_is_raised(self):
        class Odd:
            def __str__(self):
                raise RuntimeError("no text")

        server = Server([(202, {"accepted": 0, "rejected": 0, "errors": []}, {})])
        client = Client("m", url=server.url)
        odd = [None, float("nan"), float("inf"), b"bytes", Odd(), {1: {2: {3}}}, [Odd()], 10**400, "\ud800", lambda: 0, object()]
        for value in odd:
            client.sample({"x": value}, prediction=value, id=value)
            client.sample(value)
            client.samples(value, predictions=value)
            client.label(value, value)
            client.labels(value, value)
        client.flush(10)
        counts = client.counts
        self.assertEqual(counts.waiting, 0)
        self.assertGreater(counts.dropped, 0)

    def test_values_become_what_json_can_say(self):
        import numpy

        row = {
            "a": numpy.float32(0.5), "b": numpy.int64(7), "c": numpy.bool_(True), "d": numpy.array([1.0, numpy.nan]),
            "e": decimal.Decimal("1.5"), "f": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), "g": float("inf"), "h": b"x",
        }
        expected = {"a": 0.5, "b": 7, "c": True, "d": [1.0, None], "e": 1.5, "f": "2026-01-02T00:00:00+00:00", "g": None, "h": None}
        self.assertEqual(json.loads(rows.line(row)), expected)

    def test_a_token_is_sent_and_never_logged(self):
        server = Server([(401, {"errors": []}, {})])
        client = Client("m", url=server.url, token="sesame-sesame", every=0.01)
        with self.assertLogs("plumbline_client", "WARNING") as logs:
            client.sample({"x": 1}, prediction=1)
            self.assertTrue(client.flush(10))
        self.assertNotIn("sesame", "".join(logs.output))


if __name__ == "__main__":
    unittest.main()
