"""The client: a bounded queue, and a thread that empties it."""

import atexit
import collections
import dataclasses
import gzip
import http.client
import json
import logging
import os
import threading
import time
import urllib.parse
import uuid
import weakref

from . import rows

LOG = logging.getLogger("plumbline_client")

# A request has so many rows and bytes at most; it is sent when there are so many, or after `every` seconds.
ROWS, BYTES = 1000, 1 << 20
# Pauses after a failure, in seconds: the first, and the longest.
FIRST, LONGEST = 0.5, 30.0
# A warning of one kind is not repeated within so many seconds.
QUIET = 60.0


@dataclasses.dataclass(frozen=True)
class Counts:
    """Rows since the client was made. All of them: accepted + rejected + dropped + waiting."""

    accepted: int = 0  #: The agent has them, or sampled them out.
    rejected: int = 0  #: The agent refused them for good: wrong values, a token that lacks the right.
    dropped: int = 0  #: There was no room for them, they could not be written as JSON, or the process ended.
    waiting: int = 0  #: They are on their way.


class _Waiting:
    """Something that waits: lines already, or a table that becomes some on the other thread."""

    __slots__ = ("lines", "make", "path", "rows", "size")

    def __init__(self, path, rows, size, lines=None, make=None):
        self.path, self.rows, self.size, self.lines, self.make = path, rows, size, lines, make


class Client:
    """Sends samples and labels of one model to an agent.

    model      its name; namespace: the Kubernetes namespace that it is in, if any
    url        the agent's base address; default $PLUMBLINE_URL, else http://127.0.0.1:9477
    token      with the right to write, where the agent asks for one; token_file: a file with it, read again for each connection;
               default $PLUMBLINE_TOKEN_FILE
    version    of the model; goes with every sample
    max_rows, max_bytes   what may wait; more is dropped, and counted
    every      seconds between two requests at most
    timeout    seconds that one request may take
    """

    def __init__(self, model, *, namespace=None, url=None, token=None, token_file=None, version=None, max_rows=10_000,
                 max_bytes=16 << 20, every=1.0, timeout=10.0, context=None):
        self._base = urllib.parse.urlsplit(url or os.environ.get("PLUMBLINE_URL") or "http://127.0.0.1:9477")
        if self._base.scheme not in ("http", "https") or not self._base.hostname:
            raise ValueError("url: write it as http://127.0.0.1:9477")
        query = f"?namespace={urllib.parse.quote(namespace)}" if namespace else ""
        base = f"{self._base.path.rstrip('/')}/v1/models/{urllib.parse.quote(model, safe='')}"
        self._samples, self._labels = f"{base}/samples{query}", f"{base}/labels{query}"
        self._token, self._token_file = token, token_file or os.environ.get("PLUMBLINE_TOKEN_FILE")
        self._version, self._every, self._timeout, self._context = version, every, timeout, context
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._warned = {}
        self._begin()
        _CLIENTS.add(self)

    def _begin(self):
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._queues = {self._samples: collections.deque(), self._labels: collections.deque()}
        self._rows = self._bytes = 0  # that wait
        self._accepted = self._rejected = self._dropped = 0
        self._closed, self._hurried = False, 0
        self._thread = None

    # -- the serving path: nothing here blocks or raises --

    def sample(self, features=None, *, prediction=None, score=None, id=None, timestamp=None, version=None, **more):
        """One row: what the model was given, and what it said. Returns its id, which its label is sent with."""
        id = id if id is not None else uuid.uuid4().hex
        try:
            row = dict(features or {})
            row.update(more)
            beside = {"id": str(id), "timestamp": timestamp or int(time.time() * 1000), "prediction": prediction,
                      "score": score, "version": version or self._version}
            row.update({name: value for name, value in beside.items() if value is not None})
            self._put_line(self._samples, row)
        except Exception as error:
            self._lost(1, error)
        return id

    def samples(self, features, *, predictions=None, scores=None, ids=None, timestamps=None, versions=None, names=None):
        """Many rows at once: a table of pandas, pyarrow or numpy (`names` of its columns), or a dict of lists.

        It is read by another thread a moment later: do not change it meanwhile. Each row needs an id of `ids` for its label.
        """
        try:
            count = len(features[next(iter(features))]) if isinstance(features, dict) and features else len(features)
            beside = {"id": ids if ids is not None else [uuid.uuid4().hex for _ in range(count)],
                      "timestamp": timestamps if timestamps is not None else int(time.time() * 1000),
                      "prediction": predictions, "score": scores, "version": versions or self._version}
            self._put(_Waiting(self._samples, count, rows.size_of(features), make=lambda: rows.lines(features, names, beside)))
        except Exception as error:
            self._lost(1, error)

    def label(self, id, label, *, timestamp=None):
        """What was true of the row with this id."""
        try:
            row = {"id": str(id), "label": label}
            if timestamp is not None:
                row["timestamp"] = timestamp
            self._put_line(self._labels, row)
        except Exception as error:
            self._lost(1, error)

    def labels(self, ids, labels, *, timestamps=None):
        """The same of many rows."""
        try:
            table = {"id": [str(one) for one in ids], "label": list(labels)}
            count = len(table["id"])
            beside = {"timestamp": timestamps}
            self._put(_Waiting(self._labels, count, 64 * count, make=lambda: rows.lines(table, None, beside)))
        except Exception as error:
            self._lost(1, error)

    @property
    def counts(self):
        """What has become of the rows so far."""
        with self._lock:
            return Counts(self._accepted, self._rejected, self._dropped, self._rows)

    # -- for whoever has time --

    def flush(self, timeout=5.0):
        """Waits until nothing waits, `timeout` seconds at most. Whether that is so."""
        ends = time.monotonic() + timeout
        with self._wake:
            self._hurried += 1
            self._wake.notify_all()
            while self._rows and time.monotonic() < ends:
                self._wake.wait(min(0.1, max(0.0, ends - time.monotonic())))
            self._hurried -= 1
            return self._rows == 0

    def close(self, timeout=5.0):
        """Sends what waits, as long as `timeout`, and ends. What is left is dropped."""
        done = self.flush(timeout)
        with self._wake:
            self._closed = True
            self._dropped += self._rows
            self._rows = self._bytes = 0
            for queue in self._queues.values():
                queue.clear()
            self._wake.notify_all()
        return done

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- the queue --

    def _put_line(self, path, row):
        line = rows.line(row)
        self._put(_Waiting(path, 1, len(line), lines=[line]))

    def _put(self, waiting):
        with self._wake:
            full = self._rows + waiting.rows > self._max_rows or self._bytes + waiting.size > self._max_bytes
            if self._closed or full:
                self._dropped += waiting.rows
                why = "the client is closed" if self._closed else "the queue is full: the agent is slow or away"
            else:
                why = None
                self._queues[waiting.path].append(waiting)
                self._rows += waiting.rows
                self._bytes += waiting.size
                if self._thread is None:
                    self._thread = threading.Thread(target=_run, args=(weakref.ref(self),), name="plumbline-client", daemon=True)
                    self._thread.start()
                if self._rows >= ROWS:
                    self._wake.notify_all()
        if why:
            self._warn(why)

    def _lost(self, count, error):
        with self._lock:
            self._dropped += count
        self._warn(f"a row was dropped: {type(error).__name__}: {error}")

    def _warn(self, message):
        kind = message[:40]
        now = time.monotonic()
        if now - self._warned.get(kind, -QUIET) >= QUIET:
            self._warned[kind] = now
            LOG.warning("%s", message)

    # -- the other thread --

    def _next(self):
        """What is sent next: some for each address; nothing once the client is closed."""
        with self._wake:
            ends = time.monotonic() + self._every
            while not self._closed and not self._hurried and self._rows < ROWS and time.monotonic() < ends:
                self._wake.wait(max(0.0, ends - time.monotonic()))
            return [taken for taken in map(self._some, self._queues.values()) if taken]

    @staticmethod
    def _some(queue):
        """The first that wait for an address, as many as go into a request."""
        taken, count, size = [], 0, 0
        while queue and (not taken or (count + queue[0].rows <= ROWS and size + queue[0].size <= BYTES)):
            taken.append(queue.popleft())
            count, size = count + taken[-1].rows, size + taken[-1].size
        return taken

    def _settle(self, taken, accepted, rejected):
        """Notes what has become of rows that were taken; those that are neither are dropped."""
        with self._wake:
            if self._closed:
                return
            count = sum(one.rows for one in taken)
            self._rows -= count
            self._bytes -= sum(one.size for one in taken)
            self._accepted += accepted
            self._rejected += rejected
            self._dropped += max(0, count - accepted - rejected)
            self._wake.notify_all()

    def _send(self, taken):
        lines = []
        for one in taken:
            try:
                lines.extend(one.lines if one.lines is not None else one.make())
            except Exception as error:
                self._warn(f"a table was dropped: {type(error).__name__}: {error}")
        accepted = rejected = 0
        for at in range(0, len(lines), ROWS):
            came = self._post(taken[0].path, lines[at:at + ROWS])
            accepted, rejected = accepted + came[0], rejected + came[1]
        self._settle(taken, accepted, rejected)

    def _post(self, path, lines):
        """Sends lines until the agent has said what becomes of them: how many it took, and how many it refused."""
        pause, key = FIRST, uuid.uuid4().hex
        while not self._closed:
            try:
                status, answer, after = self._request(path, b"\n".join(lines), key)
            except Exception as error:
                status, answer, after = None, {}, None
                self._warn(f"the agent cannot be reached, rows wait: {type(error).__name__}: {error}")
            if status == 413 and len(lines) > 1:
                half = len(lines) // 2
                one, other = self._post(path, lines[:half]), self._post(path, lines[half:])
                return one[0] + other[0], one[1] + other[1]
            if status is not None and status < 500 and status not in (408, 409, 425, 429):
                if answer.get("errors") or status >= 300:
                    self._warn(f"the agent refused rows ({status}): {str(answer)[:300]}")
                # What the agent samples out it has seen, too.
                accepted = int(answer.get("accepted", 0)) + int(answer.get("sampled_out", 0)) if status < 300 else 0
                return accepted, len(lines) - accepted
            with self._wake:
                self._wake.wait(min(after if after is not None else pause, LONGEST))
            pause = min(pause * 2, LONGEST)
        return 0, 0

    def _request(self, path, body, key):
        # A batch whose answer was lost is sent again under its key, and is there once.
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": "plumbline-client", "Idempotency-Key": key}
        if len(body) > 1024:
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        token = self._token
        if token is None and self._token_file:
            with open(self._token_file, encoding="ascii") as file:
                token = file.read().strip()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        kind = http.client.HTTPSConnection if self._base.scheme == "https" else http.client.HTTPConnection
        more = {"context": self._context} if self._base.scheme == "https" and self._context else {}
        connection = kind(self._base.hostname, self._base.port, timeout=self._timeout, **more)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            text = response.read(1 << 20)
            after = response.headers.get("Retry-After", "")
            try:
                answer = json.loads(text)
            except ValueError:
                answer = {"message": text[:300].decode(errors="replace")}
            return response.status, answer if isinstance(answer, dict) else {}, float(after) if after.isdigit() else None
        finally:
            connection.close()


def _run(reference):
    """Empties the queue for as long as somebody holds the client."""
    while True:
        client = reference()
        if client is None:
            return
        try:
            for taken in client._next():
                client._send(taken)
            if client._closed:
                return
        except Exception as error:  # a bug of ours must not end the thread
            client._warn(f"a bug in plumbline_client: {type(error).__name__}: {error}")
            time.sleep(FIRST)
        del client


_CLIENTS = weakref.WeakSet()


def _after_fork():
    """A child has neither the thread nor what waits, which the parent sends."""
    for client in list(_CLIENTS):
        client._begin()


def _at_exit():
    for client in list(_CLIENTS):
        if client.counts.waiting:
            client.close(2.0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
