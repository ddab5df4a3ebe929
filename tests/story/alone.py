"""Geleit without the lab: on this machine's loopback, with a sink that takes
what it sends. For what needs no DNS and no namespaces.
"""
import contextlib
import inspect
import os
import re
import signal
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import lab as lab_
from parts import certs, namespace, smtp_server

LETTER = (b"From: Alice <alice@a.example>\r\nTo: Bob <bob@b.example>\r\nSubject: %s\r\n"
          b"Message-ID: <%s@a.example>\r\n\r\n")
ROLES = ("receiver", "store", "queue", "sender", "resolver", "fetcher", "control",
         "authenticator", "web", "reporter")


def letter(name, size=300):
    """A message that says its name and is about `size` bytes, no two alike."""
    name = name.encode()
    line = (name + b" " + b"0123456789abcdef" * 4)[:70] + b"\r\n"
    return LETTER % (name, name) + line * (size // len(line) + 1) + b".a line that begins with a dot\r\n"


class Sink:
    """A mail server that keeps what it is given: `got` as (raw, facts)."""

    def __init__(self, **odd):
        self.host = type("Host", (), {"name": "sink.example", "odd": odd})()
        self.got, self.ended, self.lock = [], [], threading.Lock()
        self.connections = 0
        self.server = smtp_server.Server(self, lambda _: None)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, peer = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.server.serve, args=(s, peer, self.host), daemon=True).start()

    def message(self, _, raw, facts):
        with self.lock:
            self.got.append((raw, facts))

    def session(self, facts):
        with self.lock:
            self.ended.append(facts)

    def named(self, name):
        """The messages whose subject is `name`."""
        with self.lock:
            return [(raw, facts) for raw, facts in self.got if subject(raw) == name]

    def count(self):
        with self.lock:
            out = {}
            for raw, _ in self.got:
                out[subject(raw)] = out.get(subject(raw), 0) + 1
            return out

    def close(self):
        self.socket.close()


def subject(raw):
    m = re.search(rb"^Subject: (.*?)\r$", raw, re.M)
    return m[1].decode() if m else None


class Here:
    """What lab.Geleit wants of a lab, outside of any."""
    LABELS = ". 3600 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"

    def __init__(self, state):
        self.state = str(state)
        os.makedirs(self.state + "/certs", exist_ok=True)
        self.ca = certs.Authority()
        with open(self.state + "/ca.pem", "wb") as f:
            f.write(self.ca.pem())
        with open(self.state + "/anchor", "w", encoding="ascii") as f:
            f.write(self.LABELS)
        with open(self.state + "/root.hints", "w", encoding="ascii") as f:  # port 53 of nobody
            f.write(". 3600 IN NS a.root.test.\na.root.test. 3600 IN A 127.0.0.99\n")
        self.ca.issue((lab_.world.SENDER_HOST,)).write(f"{self.state}/certs/{lab_.world.SENDER_HOST}")

    def popen(self, command, **kw):
        return subprocess.Popen(command, preexec_fn=namespace.die_with_parent, **kw)

    def run(self, command, timeout=60, **kw):
        kw = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, **kw}
        return subprocess.run(command, timeout=timeout, **kw)

    def connect(self, address, port, timeout=10):
        return socket.create_connection((address, port), timeout)

    def smtp(self, address, port, timeout=20):
        return smtplib.SMTP(address, port, local_hostname="client.a.example", timeout=timeout)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def options(sink=None, **more):
    """Of a Geleit that hands everything to the sink."""
    out = {"smtp.listen": [f"127.0.0.1:{free_port()}"], "queue.retry_first": "1s", "queue.retry_longest": "2s"}
    if sink:
        out["send.routes"] = [f"* [127.0.0.1]:{sink.port}"]
    return {**out, **more}


class Talk:
    """A client that says exactly what it is told to."""

    def __init__(self, server, timeout=15):
        self.sock = server.lab.connect(server.address, server.port, timeout)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def say(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode() + b"\r\n")

    def line(self):
        return self.file.readline().decode("utf-8", "replace").rstrip("\r\n")

    def reply(self):
        """The last line of the next reply; empty at the end of the connection."""
        while True:
            line = self.line()
            if line[3:4] != "-":
                return line

    def ask(self, *commands):
        """Says each, returns the reply to the last."""
        out = ""
        for c in commands:
            self.say(c)
            out = self.reply()
        return out

    def greeted(self):
        assert self.reply().startswith("220")
        assert self.ask("EHLO client.a.example").startswith("250")
        return self

    def secured(self):
        """STARTTLS, with whatever certificate, and EHLO."""
        assert self.ask("STARTTLS").startswith("220")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")
        assert self.ask("EHLO client.a.example").startswith("250")
        return self

    def in_data(self, to="bob@b.example"):
        self.greeted()
        assert self.ask("MAIL FROM:<alice@a.example>", f"RCPT TO:<{to}>", "DATA").startswith("354")
        return self

    def ended(self):
        """True if the server closes, with nothing more to say."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return True


def stuffed(raw):
    return (b"." if raw[:1] == b"." else b"") + raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"


# ---- processes --------------------------------------------------------------
def role_pids(server, role=None):
    """Process ids of the roles of a server, by what they call themselves.
    (/proc/PID/task/PID/children would be simpler, and may leave some out.)"""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                state, parent = f.read().rsplit(")", 1)[1].split()[:2]
            if int(parent) != server.process.pid or state in "ZX":
                continue
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                title = f.read().split(b"\0")[0].decode()
            if title.startswith("geleit: ") and role in (None, title.split()[1]):
                out.append(int(pid))
    return out


def kill(pids, number=signal.SIGKILL):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def gone(pids, patience=5):
    return lab_.until(lambda: not any(lab_.alive(p) for p in pids), patience, 0.02)


def queued(server):
    """Recipients the store still has, failed ones included; None: no answer."""
    around = getattr(server.lab, "around", None)
    if around:
        done = subprocess.run([*around(server), lab_.PYTHON, "-c", COUNT, server.store], timeout=20, capture_output=True)
        return int(done.stdout) if done.returncode == 0 else None
    try:
        return count_recipients(server.store)
    except sqlite3.Error:
        return None


def count_recipients(store):
    with contextlib.closing(sqlite3.connect(f"file:{store}/queue.db?mode=ro", uri=True, timeout=5)) as db:
        return db.execute("SELECT count(*) FROM recipient").fetchone()[0]


COUNT = "import contextlib, sqlite3, sys\n" + inspect.getsource(count_recipients) + "print(count_recipients(sys.argv[1]))"


def emptied(server, patience=30):
    return lab_.until(lambda: queued(server) == 0, patience, 0.1)


def log_lines(server, event):
    with open(server.log, "rb") as f:
        return [line for line in f.read().decode("utf-8", "replace").split("\n") if event in line]


# ---- load -------------------------------------------------------------------
class Load:
    """Threads that send messages until told to stop, and remember what became
    of each: accepted (250), refused (4xx, 5xx), unknown (the connection ended
    before the answer to the final dot)."""

    def __init__(self, server, threads=4, sizes=(300, 300, 300, 9000, 300_000), limit=400, per_session=20,
                 pause=0.0):
        self.server, self.sizes, self.limit, self.per_session, self.pause = server, sizes, limit, per_session, pause
        self.accepted, self.unknown, self.refused = {}, {}, {}
        self.lock, self.number, self.over = threading.Lock(), 0, False
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for t in self.threads:
            t.start()

    def _next(self):
        with self.lock:
            if self.over or self.number >= self.limit:
                return None
            self.number += 1
            return f"m{self.number}", letter(f"m{self.number}", self.sizes[self.number % len(self.sizes)])

    def _send(self, talk, name, raw):
        if not talk.ask("MAIL FROM:<alice@a.example>").startswith("250"):
            raise ConnectionError
        if not talk.ask("RCPT TO:<bob@b.example>").startswith("250"):
            raise ConnectionError
        if not talk.ask("DATA").startswith("354"):
            return
        self.unknown[name] = raw
        talk.say(stuffed(raw))
        reply = talk.reply()
        if reply:
            del self.unknown[name]
            (self.accepted if reply.startswith("250") else self.refused)[name] = raw

    def _session(self):
        with Talk(self.server) as talk:
            if not talk.reply().startswith("220"):
                return
            talk.ask("EHLO load.a.example")
            for _ in range(self.per_session):
                one = self._next()
                if not one:
                    return
                self._send(talk, *one)
                time.sleep(self.pause)

    def _run(self):
        while not self.over and self.number < self.limit:
            try:
                self._session()
            except OSError:
                time.sleep(0.05)

    def sent(self, number, patience=20):
        return lab_.until(lambda: len(self.accepted) >= number, patience, 0.01)

    def stop(self, patience=20):
        self.over = True
        for t in self.threads:
            t.join(patience)
            assert not t.is_alive(), "a client hangs"
        return self


def check(load, sink, twice=()):
    """Everything accepted arrived, whole; nothing refused did; nothing twice,
    but for names in `twice`. Returns how many came more than once."""
    lab_.until(lambda: set(load.accepted) <= set(sink.count()), 30, 0.1)
    count = sink.count()
    lost = sorted(set(load.accepted) - set(count))
    assert not lost, f"{len(lost)} of {len(load.accepted)} accepted messages never came: {lost[:5]}"
    known = {**load.accepted, **load.unknown, **load.refused}
    for raw, _ in list(sink.got):
        assert lab_.difference(raw, known[subject(raw)]) is None
    more = {n: c for n, c in count.items() if c > 1}
    return more
