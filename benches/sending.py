#!/usr/bin/env python3
"""What an acknowledgement costs: 64 senders, each with one connection, send rows (NDJSON, 20 columns) and wait for the answer before
they send the next. Agents with `durability = "os"`, `"fsync"` and `"memory"`, and with TLS, in turn, more than once, so that noise is
seen; then half of what `os` took, evenly spaced, for the times of its acknowledgements.

    python3 benches/sending.py [release binary]
    python3 benches/sending.py [release binary] soak [seconds]     # all that 64 senders send, and whether memory stays flat

With TLS it needs openssl, for a certificate.
"""
import http.client, json, os, random, selectors, socket, ssl, subprocess, sys, tempfile, time

binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/plumbline"
soak = float(sys.argv[3]) if len(sys.argv) > 3 else 600.0 if "soak" in sys.argv else 0.0
PORT, SENDERS, ROWS, SECONDS, ROUNDS = 9496, 64, 10, 8, 3
draw = random.Random(0)


def request(number):
    rows = ({"id": f"{number}-{i}", "prediction": draw.randint(0, 1), "score": draw.random()} |
            {f"n{c}": round(draw.gauss(0, 1), 6) for c in range(16)} | {f"c{c}": f"v{draw.randint(0, 5 + c)}" for c in range(4)}
            for i in range(ROWS))
    body = "\n".join(map(json.dumps, rows)).encode()
    return (f"POST /v1/models/m{number % 8}/samples HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


REQUESTS = [request(number) for number in range(SENDERS)]


class Sender:
    """One connection, never with more than one request under way."""

    def __init__(self, number, context):
        self.socket = socket.create_connection(("localhost", PORT))
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request, self.begun, self.text = REQUESTS[number], 0.0, b""

    def send(self):
        self.begun, self.text = time.monotonic(), b""
        self.socket.sendall(self.request)

    def answered(self):
        """Whether the rows were taken; None until that is known."""
        self.text += self.socket.recv(1 << 16)
        while getattr(self.socket, "pending", int)():
            self.text += self.socket.recv(1 << 16)
        if b"\r\n\r\n" not in self.text or not self.text.endswith(b"}"):
            return None
        status = int(self.text[9:12])
        assert status in (202, 429), self.text
        return status == 202


def load(seconds, context=None, pace=None, each_second=lambda: None):
    """Sends for so long; as fast as answers come, or so many requests a second. The times to each answer, and how often it was to wait."""
    senders = [Sender(number, context) for number in range(SENDERS)]
    ready, waiting, took, refused = list(senders), [], [], 0
    select = selectors.DefaultSelector()
    for sender in senders:
        select.register(sender.socket, selectors.EVENT_READ, sender)
    begun = time.monotonic()
    due = begun
    busy, second = 0, 0
    while (now := time.monotonic()) < begun + seconds:
        if now - begun >= second:
            each_second()
            second += 1
        ready += [sender for at, sender in waiting if at <= now]
        waiting = [(at, sender) for at, sender in waiting if at > now]
        while ready and (pace is None or due <= now):
            ready.pop().send()
            busy += 1
            due += 1 / pace if pace else 0
        pause = 0.05 if pace is None else max(0.0, min(0.05, due - time.monotonic()))
        for key, _ in select.select(pause):
            taken = key.data.answered()
            if taken is None:
                continue
            busy -= 1
            if taken:
                took.append(time.monotonic() - key.data.begun)
                ready.append(key.data)
            else:
                refused += 1
                waiting.append((time.monotonic() + 0.05, key.data))
    for sender in senders:
        sender.socket.close()
    return sorted(took), refused


class Agent:
    def __init__(self, settings):
        self.folder = tempfile.TemporaryDirectory()
        config = f"{self.folder.name}/plumbline.toml"
        tls = "certificate" in settings
        if tls:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{self.folder.name}/key",
                            "-out", f"{self.folder.name}/certificate"], check=True, capture_output=True)
        open(config, "w").write(settings.replace("FOLDER", self.folder.name))
        self.context = ssl.create_default_context(cafile=f"{self.folder.name}/certificate") if tls else None
        self.process = subprocess.Popen([binary, "agent", "--listen", f"127.0.0.1:{PORT}", "--data", f"{self.folder.name}/data",
                                         "--config", config], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                connection = (http.client.HTTPSConnection("localhost", PORT, context=self.context) if tls
                              else http.client.HTTPConnection("localhost", PORT))
                connection.request("POST", "/v1/models/ready/labels", b"", {"Content-Type": "application/x-ndjson"})
                if connection.getresponse().status == 422:
                    break
            except OSError:
                pass
            time.sleep(0.1)

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmRSS:"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.folder.cleanup()


def at(took, share):
    return took[min(len(took) - 1, int(len(took) * share))] * 1e3


def told(name, took, refused, seconds, cpu):
    print(f"{name}: {len(took) / seconds:,.0f} requests/s of {ROWS} rows; answered within {at(took, .5):.1f} ms (half), {at(took, .99):.1f} ms "
          f"(99 %); {cpu / len(took) * 1e6:.0f} us of CPU each; {refused} told to wait", flush=True)


def measure():
    ways = {name: f'[samples]\ndurability = "{name}"\n' for name in ("os", "fsync", "memory")}
    ways["os, TLS"] = ways["os"] + '[access]\ncertificate = "FOLDER/certificate"\nkey = "FOLDER/key"\n'
    rates = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, settings in ways.items():
            with Agent(settings) as agent:
                load(1, agent.context)
                used = agent.cpu()
                took, refused = load(SECONDS, agent.context)
                told(name, took, refused, SECONDS, agent.cpu() - used)
                rates[name].append(len(took) / SECONDS)
    middle = {name: sorted(all)[ROUNDS // 2] for name, all in rates.items()}
    for name in ways:
        print(f"{name}: {middle[name]:,.0f} requests/s in the middle round, {middle[name] / middle['os']:.2f} of os")
    for name in ("os", "fsync"):
        with Agent(ways[name]) as agent:
            used = agent.cpu()
            took, refused = load(2 * SECONDS, pace=middle[name] / 2)
            told(f"{name} at half load", took, refused, 2 * SECONDS, agent.cpu() - used)


def flat(seconds):
    resident = []
    # Windows that close: memory is to stay where it is once the first of them have.
    models = "".join(f'[[model]]\nname = "m{n}"\nwindow = "1m"\nlateness = "5s"\nlabel_horizon = "1m"\n' for n in range(8))
    with Agent(f'[samples]\ndurability = "os"\n{models}') as agent:
        def look():
            resident.append(agent.resident())
            if len(resident) % 60 == 0:
                print(f"  {len(resident)} s: resident {resident[-1]:.0f} MiB", flush=True)
        took, refused = load(seconds, each_second=look)
    told("soak", took, refused, seconds, 0.0)
    middle, last = resident[len(resident) // 3: len(resident) * 2 // 3], resident[len(resident) * 2 // 3:]
    mean = lambda values: sum(values) / len(values)
    growth = mean(last) / mean(middle) - 1
    print(f"soak: {len(took) * ROWS:,} rows in {seconds:.0f} s; resident {mean(middle):.0f} MiB in the second third, {mean(last):.0f} in the "
          f"last ({growth:+.1%})")
    assert growth < 0.1, "memory is not flat"


print(f"{os.cpu_count()} cores, shared by agent and senders")
flat(soak) if soak else measure()
