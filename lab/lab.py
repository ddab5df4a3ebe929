"""The lab from Python: start it, look into it, run a Geleit in it, submit mail,
wait for what happens. Used by lab/run, lab/demo and tests/story/.
"""
import base64
import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import world  # noqa: E402
from parts import capture, geleit, namespace, packages  # noqa: E402

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
START_LIMIT = 60  # seconds; the first start may fetch packages
MADE = ("log", "certs", "capture", "zones", "dkim", "nginx", "unbound", "sessions.jsonl", "mitm.jsonl", "posts.jsonl",
        "post-answer", "anchor", "root.hints", "ca.pem", "world.json", "ready.json", "keeper.log")


def default_state():
    beside = os.path.join(HERE, ".state")
    return beside if os.access(HERE, os.W_OK) else os.path.join(tempfile.gettempdir(), f"geleit-lab-{os.getuid()}")


def alive(pid):
    """A zombie counts as dead: not every PID 1 reaps."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def find_geleit():
    """$GELEIT, or the one that was built here; None if there is none."""
    built = os.path.join(os.path.dirname(HERE), "build", "geleit")
    for path in (os.environ.get("GELEIT"), built):
        if path and os.access(path, os.X_OK):
            return os.path.abspath(path)
    return None


class Lab:
    """A lab in a state folder; `attach` finds one that runs, `start` makes one."""

    def __init__(self, state):
        self.state = os.path.abspath(state)
        self.process = None

    # ---- life ----
    def info(self):
        """The keeper's ready.json if it lives, else None."""
        try:
            with open(os.path.join(self.state, "ready.json"), encoding="utf-8") as f:
                info = json.load(f)
        except (OSError, ValueError):
            return None
        return info if alive(info["pid"]) else None

    def start(self, geleit_path=None, lifeline=True):
        """With a lifeline the lab ends with this process, whatever becomes of it."""
        if self.info():
            raise RuntimeError(f"a lab runs already in {self.state}: lab/run stop")
        command = namespace.unshare_command()
        packages.fetch()
        self.clean()
        os.makedirs(self.state, exist_ok=True)
        os.chmod(self.state, 0o755)
        command += [PYTHON, os.path.join(HERE, "parts", "keeper.py"), self.state]
        command += (["--geleit", os.path.abspath(geleit_path)] if geleit_path else [])
        command += ["--lifeline"] if lifeline else []
        log = os.path.join(self.state, "keeper.log")
        with open(log, "wb") as f:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE if lifeline else subprocess.DEVNULL,
                                            stdout=f, stderr=f, start_new_session=True)
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            if self.info():
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.stop(keep=True)
        with open(log, encoding="utf-8", errors="replace") as f:
            raise RuntimeError("the lab did not start: " + (f.read().strip() or f"no answer in {START_LIMIT} s"))

    def stop(self, keep=False):
        """Ends everything and waits for it; removes what start made unless `keep`."""
        info = self.info()
        if info:
            with contextlib.suppress(ProcessLookupError):
                os.kill(info["pid"], signal.SIGTERM)
        if self.process:
            if self.process.stdin:
                self.process.stdin.close()
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()  # unshare --kill-child takes the namespace with it
                self.process.wait(5)
        elif info and not until(lambda: not alive(info["pid"]), 8):
            os.kill(info["pid"], signal.SIGKILL)  # the first process of its namespace
            until(lambda: not alive(info["pid"]), 5)
        self.process = None
        if not keep:
            self.clean()

    def clean(self):
        for name in MADE:
            path = os.path.join(self.state, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.remove(path)
        for path in glob.glob(os.path.join(glob.escape(self.state), "geleit-*")):
            shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(self.state)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- inside ----
    def pid(self):
        info = self.info()
        if not info:
            raise RuntimeError("the lab does not run: lab/run start")
        return info["pid"]

    def popen(self, command, **kw):
        """A process of ours in the namespace; dies with us."""
        pid = self.pid()

        def into():
            namespace.die_with_parent()
            namespace.enter(pid)
        return subprocess.Popen(command, preexec_fn=into, **kw)

    def run(self, command, timeout=60, **kw):
        kw = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, **kw}
        pid = self.pid()
        return subprocess.run(command, timeout=timeout, preexec_fn=lambda: namespace.enter(pid), **kw)

    def connect(self, address, port, timeout=10, source=None):
        """A socket that was made inside the namespace, usable out here; `source`: its own address."""
        here, there = socket.socketpair()
        child = os.fork()
        if child == 0:
            try:
                namespace.enter(self.pid())
                s = socket.create_connection((address, port), timeout, (source, 0) if source else None)
                socket.send_fds(there, [b"ok"], [s.fileno()])
            except Exception as e:  # pylint: disable=broad-except
                there.sendall(str(e).encode()[:500] or b"failed")
            finally:
                os._exit(0)
        there.close()
        with here:
            here.settimeout(timeout + 5)
            word, fds, _, _ = socket.recv_fds(here, 600, 1)
        os.waitpid(child, 0)
        if not fds:
            raise ConnectionError(f"{address} port {port}: {word.decode()}")
        s = socket.socket(fileno=fds[0])
        s.settimeout(timeout)
        return s

    def smtp(self, address, port, timeout=20, source=None):
        lab = self

        class Client(smtplib.SMTP):
            def _get_socket(self, host, port_, timeout_):
                return lab.connect(host, port_, timeout_, source)
        return Client(address, port, local_hostname="client.geleit-lab.example", timeout=timeout)

    # ---- what it saw ----
    def world(self):
        with open(os.path.join(self.state, "world.json"), encoding="utf-8") as f:
            return json.load(f)

    def captured(self, host=None):
        return capture.messages(os.path.join(self.state, "capture"), host)

    def sessions(self, host=None):
        return [s for s in _json_lines(os.path.join(self.state, "sessions.jsonl")) if host in (None, s["host"])]

    def middle(self, host=None):
        """What the men in the middle saw."""
        return [s for s in _json_lines(os.path.join(self.state, "mitm.jsonl")) if host in (None, s["host"])]

    def posts(self, host=None):
        """What was posted to the hosts of report_web.py."""
        return [p for p in _json_lines(os.path.join(self.state, "posts.jsonl")) if host in (None, p["host"])]


def _json_lines(path):
    try:
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]
    except FileNotFoundError:
        return []


def until(true, patience, step=0.05):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(step)
    return bool(true())


class Geleit:
    """A Geleit server in the lab, with a store of its own."""
    ADDRESS, PORT = "127.0.0.2", 2525

    def __init__(self, lab, program, name="sender", **options):
        """`options`: configuration by name, dots written as double underscores
        or given as {"smtp.listen": [...]} through `options=`."""
        more = dict(options.pop("options", {}))
        more.update({k.replace("__", "."): v for k, v in options.items()})
        self.lab, self.program = lab, program
        self.folder = os.path.join(lab.state, "geleit-" + name)
        self.store = os.path.join(self.folder, "store")
        self.conf = os.path.join(self.folder, "geleit.conf")
        self.log = os.path.join(self.folder, "log")
        self.options = geleit.sender_options(lab.state, self.store, **more)
        host, _, port = self.options["smtp.listen"][0].rpartition(":")
        self.address, self.port = host, int(port)
        self.process = None

    def start(self, patience=15):
        os.makedirs(self.store, exist_ok=True)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(geleit.text(self.options))
        env = {k: v for k, v in os.environ.items() if not k.startswith("SSL_CERT") and not k.endswith("_proxy")}
        with open(self.log, "ab") as log:
            self.process = self.lab.popen([self.program, "serve", "-c", self.conf], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, env=env, start_new_session=True)
        if not until(lambda: self.process.poll() is not None or self._greets(), patience):
            self.stop()
            raise RuntimeError("geleit does not greet; its log ends:\n" + self.log_end())
        if self.process.poll() is not None:
            raise RuntimeError(f"geleit ended with {self.process.returncode}:\n" + self.log_end())
        return self

    def _greets(self):
        try:
            with self.lab.connect(self.address, self.port, 2) as s:
                return s.recv(3) == b"220"
        except OSError:
            return False

    def log_end(self, size=3000):
        with open(self.log, "rb") as f:
            return f.read().decode("utf-8", "replace")[-size:]

    def stop(self, patience=10):
        """SIGTERM, then SIGKILL for its whole process group."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait(5)
        self.process = None
        return code

    def kill(self):
        """As a crash would: no time to tidy up."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def command(self, *args, timeout=60):
        """Another geleit command inside the namespace, with the same configuration."""
        return self.lab.run([self.program, *args[:1], "-c", self.conf, *args[1:]], timeout=timeout)

    # ---- mail ----
    def submit(self, raw, recipients, sender="alice@" + world.SENDER_DOMAIN, mail_options=(), source=None):
        """Sends bytes by SMTP, exactly (only dots are stuffed); `source`: the client's address."""
        raw.isascii() or "BODY=8BITMIME" in mail_options or (mail_options := (*mail_options, "BODY=8BITMIME"))
        with self.lab.smtp(self.address, self.port, **({"source": source} if source else {})) as client:
            client.ehlo()
            _expect(client.mail(sender, mail_options), 250)
            for r in recipients:
                _expect(client.rcpt(r), 250)
            _expect(client.docmd("DATA"), 354)
            client.send(raw.replace(b"\r\n.", b"\r\n..") if raw[:1] != b"." else b"." + raw.replace(b"\r\n.", b"\r\n.."))
            client.send(b".\r\n" if raw.endswith(b"\r\n") or not raw else b"\r\n.\r\n")
            return _expect(client.getreply(), 250)

    def history(self, since=0):
        """The attempts of history.db after row `since`, oldest first."""
        return read_history(os.path.join(self.store, "history.db"), since)

    def evaluations(self):
        """Those of history.db, oldest first."""
        path = os.path.join(self.store, "history.db")
        with contextlib.closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=5)) as db:
            db.row_factory = sqlite3.Row
            return [dict(r) | {"dkim": _loads(r["dkim"])} for r in db.execute("SELECT * FROM evaluation ORDER BY id")]

    def wait_attempt(self, domain, patience=30, good=None):
        """The first attempt for `domain` (that `good` accepts), or None."""
        found = []

        def look():
            found[:] = [a for a in self.history() if a["domain"] == domain and (good is None or good(a))]
            return bool(found)
        return found[0] if until(look, patience, 0.1) else None


def _expect(reply, code):
    if reply[0] != code:
        raise smtplib.SMTPResponseException(*reply)
    return reply


def read_history(path, since=0):
    """Read-only, in a short transaction; an empty list where nothing is yet."""
    if not os.path.exists(path):
        return []
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=5)) as db:
            db.row_factory = sqlite3.Row
            columns = [r[1] for r in db.execute("PRAGMA table_info(attempt)")]
            if not columns:
                return []
            rows = [dict(r) for r in db.execute(
                f"SELECT rowid AS row, {', '.join('attempt.' + c for c in columns)} FROM attempt "
                "WHERE rowid > ? ORDER BY rowid", (since,))]
            plans = {}
            for r in rows:
                if r.get("plan") not in plans:
                    got = db.execute("SELECT json FROM plan WHERE id = ?", (r["plan"],)).fetchone()
                    plans[r["plan"]] = _loads(got[0]) if got else None
    except sqlite3.OperationalError:
        return []
    for r in rows:
        r["plan"] = plans[r.get("plan")]
        for name in ("sessions", "recipients"):
            r[name] = _loads(r.get(name))
        for name in ("domain", "decision", "reason", "sender"):
            if isinstance(r.get(name), bytes):
                r[name] = r[name].decode("utf-8", "replace")
    return rows


def _loads(text):
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def domain_table(markdown=False):
    """The world's table for people."""
    out = ["| domain | duty | why | says |", "| --- | --- | --- | --- |"] if markdown else []
    for d in world.DOMAINS.values():
        duty = d.expect + (f" ({d.transport})" if d.transport else "")
        row = (d.name, duty, d.why, ", ".join(d.rfc))
        out.append("| " + " | ".join(row) + " |" if markdown else f"{row[0]:30} {duty:15} {d.why} [{row[3]}]")
    return "\n".join(out) + "\n"


# ---- messages ---------------------------------------------------------------
TRACE_FIELDS = {b"received", b"return-path", b"delivered-to", b"x-original-to", b"authentication-results"}


def messages():
    """{name: bytes with CRLF}: lab/messages/*.eml and one that is made here, large."""
    out = {}
    for path in sorted(glob.glob(os.path.join(HERE, "messages", "*.eml"))):
        with open(path, "rb") as f:
            out[os.path.basename(path)[:-4]] = f.read().replace(b"\n", b"\r\n")
    out["8-attachment"] = attachment(3_000_000)
    return out


def attachment(size):
    """A message with `size` bytes attached, the same each time."""
    noise, block = b"", b"geleit"
    parts = []
    while len(noise) < size:
        block = hashlib.sha512(block).digest()
        parts.append(block)
        if len(parts) == 4096 or len(noise) + 64 * len(parts) >= size:
            noise += b"".join(parts)
            parts = []
    lines = base64.encodebytes(noise[:size]).replace(b"\n", b"\r\n")
    return (b"From: Alice <alice@geleit-lab.example>\r\nTo: everyone@example\r\n"
            b"Subject: Three megabytes\r\nDate: Sun, 01 Nov 2026 10:08:00 +0000\r\n"
            b"Message-ID: <8.attachment@geleit-lab.example>\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: application/octet-stream; name="noise"\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\n" + lines)


def difference(arrived, sent):
    """None if `arrived` is `sent` behind trace fields only; else what is wrong."""
    if not arrived.endswith(sent):
        at = next((i for i in range(1, min(len(arrived), len(sent)) + 1) if arrived[-i] != sent[-i]), 0)
        return f"the bytes differ, {at} before the end" if at else "the message was cut short"
    added = arrived[:len(arrived) - len(sent)]
    if added and not added.endswith(b"\r\n"):
        return "what was put in front is no whole field"
    for line in re.split(rb"\r\n(?![ \t])", added)[:-1]:
        name = line.split(b":")[0].lower()
        if name not in TRACE_FIELDS:
            return f"a field that is no trace was put in front: {name.decode('ascii', 'replace')}"
    return None
