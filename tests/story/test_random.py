"""Sessions from a grammar, valid and not, pipelined and cut into any pieces, beside a
model that knows what must be answered to each command, and what state is left.

RANDOM_SECONDS: how long (soak: ten minutes); RANDOM_SEED: which sessions."""
import base64
import os
import random
import re
import ssl
import threading
import time

import pytest

import alone
import lab as lab_

HOST = lab_.world.SENDER_HOST
ERRORS, MESSAGES, SIZE, IDLE = 20, 12, 65536, 200
LETTER = b"Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n" + alone.LETTER
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
RIGHT = base64.b64encode(b"\0alice@a.example\0secret").decode()
WRONG = base64.b64encode(b"\0alice@a.example\0wrong").decode()

HELOS = [("client.example", 250), ("x" * 255, 250), ("", 501), ("a b", 501), ("x" * 256, 501)]
# (path, code; None: 550 without SMTPUTF8), (parameter, code)
SENDERS = [("<alice@a.example>", 250)] * 6 + [
    ("<>", 250), ("<a@", 501), ("<a b@a.example>", 501), ("", 501), ("<alice@a.example", 501), ("<a@b@c>", 501),
    ("<a@-.example>", 501), ("<j\xf6rg@a.example>", None)]
MAIL_WORDS = [("SIZE=1000", 250), ("BODY=8BITMIME", 250), ("BODY=7BIT", 250), ("SMTPUTF8", 250), ("RET=FULL", 250),
              ("ENVID=abc+41", 250), ("AUTH=<>", 250), ("REQUIRETLS", 250), ("SIZE=70000", 552), ("SIZE=x", 501),
              ("BODY=BINARYMIME", 501), ("ENVID=a+4", 501), ("SMTPUTF8=1", 501), ("FOO=1", 555)]
RECIPIENTS = [("<bob@b.example>", 250)] * 7 + [
    ("bob@b.example", 250), ("<@x.example:bob@b.example>", 250), ("<bob@elsewhere.example>", 550), ("<bob@", 501),
    ("<>", 501), ("<b\xf6b@b.example>", None)]
RCPT_WORDS = [("", 250)] * 6 + [(" NOTIFY=NEVER", 250), (" NOTIFY=SUCCESS,FAILURE", 250), (" ORCPT=rfc822;x@y", 250),
                                (" NOTIFY=NEVER,DELAY", 501), (" FOO", 555), (" ORCPT=x", 501)]
PLAIN_COMMANDS = [("NOOP", 250), ("NOOP x y", 250), ("VRFY bob", 252), ("VRFY", 501), ("EXPN x", 502), ("HELP", 214),
                  ("RSET x", 501), ("FOO", 500), ("", 500), ("  NOOP", 500), ("noop  ", 250), ("LHLO x", 502)]
TRICKS = [b"\n", b"\r", b"\n.\n", b"\r.\r", b"\n.\r\nMAIL FROM:<evil@a.example>\r\n", b"\r\r\n"]
# Lines that are none: they do not even count as a command.
NOISE = [(b"NOOP " + b"x" * 600, 500), (b"NOOP " + b"x" * 5000, 500), (b"NOOP \xff\xfe", 500), (b"NOOP a\x01", 500)]
LOGINS = [("PLAIN " + RIGHT, [], 235), ("PLAIN", [RIGHT], 235), ("PLAIN", ["*"], 501), ("LOGIN", ["!!"], 501),
          ("PLAIN ====", [], 501), ("CRAM-MD5", [], 504), ("SCRAM-SHA-256", ["eA=="], 535), ("PLAIN " + WRONG, [], 535)]


class Wrong(Exception):
    """The server did not say what the model says."""


class Session:
    """The model and its client. What is to be said gathers in `out`, the codes that must
    come in `due`, until flush()."""

    def __init__(self, chance, server, port, service):
        self.r, self.service, self.tls = chance, service, False
        self.sock = server.lab.connect("127.0.0.1", port, 20)
        if service == "submissions":
            self.secure()
        self.helo, self.authenticated, self.over = None, False, False
        self.errors = self.messages = self.idle = 0
        self.out, self.due, self.unread, self.log = b"", [], b"", []
        self.maybe, self.accepted = [], {}
        self.reset()

    def reset(self):
        self.open, self.recipients, self.refused, self.flags, self.domains = False, 0, 0, {}, set()
        self.body, self.whole, self.name = None, None, None  # body: of the chunks so far

    def secure(self):
        self.sock = CONTEXT.wrap_socket(self.sock)
        self.tls = True

    # ---- saying and hearing ----
    def say(self, line):
        data = line if isinstance(line, bytes) else line.encode() + b"\r\n"
        self.out += data
        self.log.append("C " + repr(data[:100]))

    def want(self, code):
        self.due.append(code)
        self.over |= code == 421

    def reply(self, code):
        self.want(code)
        self.errors += code >= 500
        if self.errors >= ERRORS and code >= 500:
            self.want(421)

    def last(self, code):
        self.want(code)
        self.over = True

    def command(self, line):
        """False: it was one too many that brings no message nearer."""
        self.say(line)
        self.idle += 1
        if self.idle > IDLE:
            self.want(421)
        return self.idle <= IDLE

    def flush(self):
        data, self.out = self.out, b""
        while data:
            n = self.r.choice([1, 2, 3, 7, 50, 500, 5000, 100_000]) if self.r.random() < 0.9 else len(data)
            self.sock.sendall(data[:n])
            data = data[n:]
        for code in self.due:
            self.hear(code)
        self.due.clear()
        if self.over:
            self.hear_end()
        self.accepted.update(self.maybe)
        self.maybe.clear()

    def hear(self, code):
        while True:
            while b"\r\n" not in self.unread:
                piece = self.sock.recv(65536)
                if not piece:
                    raise Wrong(f"closed, {code} wanted")
                self.unread += piece
            line, self.unread = self.unread.split(b"\r\n", 1)
            self.log.append("S " + repr(line[:100]))
            if line[3:4] == b" ":
                break
        if int(line[:3]) != code or (code >= 400 and not re.match(rb"^([45])\d\d \1\.\d+\.\d+ \S", line)):
            raise Wrong(f"{line!r}, {code} wanted")

    def hear_end(self):
        try:
            more = self.unread + self.sock.recv(1000)
        except OSError:
            more = self.unread
        if more:
            raise Wrong(f"{more!r} after the end")

    # ---- commands ----
    def ehlo(self):
        name, code = self.r.choice(HELOS)
        verb = self.r.choice(["EHLO", "ehlo", "EHLO", "HELO"])
        if not self.command(f"{verb} {name}"):
            return
        if code == 250:
            self.throw_away()
            self.helo = verb.upper()
        self.reply(code)

    def throw_away(self):
        self.messages += self.body is not None
        self.reset()

    def mail_code(self, path_code, words):
        if path_code == 501:
            return 501
        if words and self.helo != "EHLO":
            return 555
        seen = set()
        for word, code in words:
            key = word.split("=")[0]
            if key in seen or code in (501, 555):
                return 555 if key == "FOO" else 501
            seen.add(key)
        if path_code is None and "SMTPUTF8" not in seen:
            return 550
        if "SIZE=70000" in [w for w, _ in words]:
            return 552
        if "REQUIRETLS" in seen and not self.tls:
            return 530
        self.flags = seen
        return 553 if path_code is None and self.service != "mx" else 250

    def mail(self):
        path, path_code = self.r.choice(SENDERS)
        words = self.r.sample(MAIL_WORDS, self.r.choice([0, 0, 0, 1, 2]))
        self.say(f"MAIL FROM:{path}" + "".join(" " + w for w, _ in words))
        if self.helo is None or self.open:
            self.reply(503)
        elif self.service != "mx" and not self.authenticated:
            self.reply(530)
        elif self.messages >= MESSAGES:
            self.want(421)
        else:
            self.reset()
            code = self.mail_code(path_code, words)
            self.open = code == 250
            self.reply(code)

    def rcpt_code(self, code, word_code, word):
        if code == 501:
            return 501
        if code is None and "SMTPUTF8" not in self.flags:
            return 553
        if word and self.helo != "EHLO":
            return 555
        return word_code if word_code != 250 else 550 if code == 550 and self.service == "mx" else 250

    def rcpt(self):
        (path, code), (word, word_code) = self.r.choice(RECIPIENTS), self.r.choice(RCPT_WORDS)
        self.say(f"RCPT TO:{path}{word}")
        if not self.open or self.body is not None:
            self.reply(503)
            return
        code = self.rcpt_code(code, word_code, word)
        self.recipients += code == 250
        self.refused += code != 250
        if code == 250:
            self.domains.add("elsewhere" in path)  # each gets a copy
        self.reply(code)

    def letter(self):
        with names_lock:
            names.append(f"random-{len(names)}")
            self.name = names[-1]
        line = bytes(self.r.choice(b"abc .xyz") for _ in range(self.r.randint(0, 77))) + b"\r\n"
        end = self.r.choice([b"", b".\r\n", b"..\r\n", b".x\r\n", b"...\r\nQUIT\r\n"])
        return LETTER % (self.name.encode(), self.name.encode()) + line * self.r.choice([0, 1, 9, 300]) + end

    def no_body(self):
        """The code that a message meets here before it begins; 0: none."""
        if not self.open:
            return 503
        return 0 if self.recipients else 554 if self.refused else 503

    def data(self):
        self.say("DATA")
        code = 503 if self.body is not None else self.no_body()
        if code:
            if self.open and (code == 554 or self.body is not None):
                self.throw_away()
            self.reply(code)
            return
        self.want(354)
        if self.r.random() < 0.5:
            self.flush()
        self.message(self.letter())

    def message(self, raw):
        head, k = raw.find(b"\r\n\r\n") + 4, self.r.random()
        if k < 0.06:
            code, raw = 554, raw[:head] + b"a\0b\r\n" + raw[head:]
        elif k < 0.12:
            trick = self.r.choice(TRICKS)
            code, raw = 521, raw[:head] + b"a" + trick + b"b\r\n" + raw[head:]
        elif k < 0.16:
            code, raw = 552, raw + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 1000
        else:
            code = 250
        self.say(alone.stuffed(raw))
        if code == 521:
            self.last(521)
        else:
            self.done(code, raw)

    def done(self, code, raw):
        self.messages += 1
        if code == 250:
            self.idle = 0
            if "REQUIRETLS" not in self.flags:  # the sink has no TLS
                self.maybe.append((self.name, (raw, len(self.domains))))
        self.reset()
        self.reply(code)

    def chunk(self):
        """A chunk, whether it is the last, and what must come of what is in it."""
        last, k = self.r.random() < 0.5, self.r.random()
        if self.body is None:
            self.whole = self.letter()
        rest = self.whole[len(self.body or b""):]
        piece = rest if last else rest[:self.r.choice([0, 1, 2, 10, 1000, len(rest)])]
        for limit, code, more in ((0.05, 554, b"\0"), (0.1, 554, b"a\nb"), (0.13, 552, b"x" * 70_000)):
            if k < limit:
                return piece + more, last, code
        return piece, last, 250

    def bdat(self):
        if self.r.random() < 0.03:
            self.say(self.r.choice(["BDAT", "BDAT x", "BDAT -1 LAST", "BDAT 99999999999999999999999", "BDAT  5"]))
            self.last(501)
            return
        piece, last, code = self.chunk()
        odd = self.r.random() < 0.04
        self.say(b"BDAT %d%s\r\n" % (len(piece), b" FOO" if odd else b" LAST" if last else b"") + piece)
        self.idle += not piece and (odd or not last)
        code = 501 if odd else self.no_body() or (552 if len(self.body or b"") + len(piece) > SIZE else code)
        if code != 250:
            self.messages += self.recipients > 0
            self.reset()
            self.reply(code)
            return
        self.body = (self.body or b"") + piece
        if last:
            self.done(250, self.body)
        else:
            self.want(250)

    def rset(self):
        if self.command("RSET"):
            self.throw_away()
            self.want(250)

    def other(self):
        line, code = self.r.choice(PLAIN_COMMANDS)
        if self.command(line):
            self.reply(code)

    def noise(self):
        line, code = self.r.choice(NOISE)
        self.say(line + b"\r\n")
        self.reply(code)

    def bare(self):
        if self.r.random() < 0.1:
            self.say(self.r.choice([b"NOOP\n", b"NOOP\rRSET\r\n", b"RSET\n.\n"]))
            self.last(521)

    def starttls(self):
        if not self.command("STARTTLS"):
            return
        if self.tls:
            self.reply(503)
            return
        self.want(220)
        if self.r.random() < 0.03:  # injected: nothing of it is answered
            self.say("EHLO evil")
            self.over = True
            return
        self.flush()
        self.secure()
        self.throw_away()
        self.helo = None

    def auth(self):
        first, more, code = self.r.choice(LOGINS)
        if not self.command("AUTH " + first):
            return
        if self.service == "mx":
            self.reply(502)
        elif not self.tls:
            self.reply(538)
        elif self.helo != "EHLO" or self.authenticated or self.open:
            self.reply(503)
        else:
            for line in more:
                self.want(334)
                self.flush()
                self.say(line)
            self.authenticated = code == 235
            self.reply(code)

    def quit(self):
        self.command("QUIT")
        self.last(221)

    # ---- a session ----
    def begin(self):
        self.want(220)
        if self.r.random() < 0.9:
            self.command("EHLO client.example")
            self.want(250)
            self.helo = "EHLO"
        if self.service == "submission" and self.r.random() < 0.9:
            self.command("STARTTLS")
            self.want(220)
            self.flush()
            self.secure()
            self.helo = None
        if self.tls and self.r.random() < 0.9:
            self.command("EHLO client.example")
            self.command("AUTH PLAIN " + RIGHT)
            self.due += [250, 235]
            self.helo, self.authenticated = "EHLO", True

    def run(self):
        weights = {self.mail: self.r.choice([2, 8]), self.rcpt: 8, self.data: self.r.choice([0, 3, 6]),
                   self.bdat: self.r.choice([0, 4, 8]), self.rset: 1, self.other: 1, self.noise: 0.5, self.bare: 0.2,
                   self.starttls: 0.5, self.auth: 0.6, self.ehlo: 0.6, self.quit: 0.15}
        self.begin()
        for _ in range(self.r.randint(1, 60)):
            self.r.choices(list(weights), list(weights.values()))[0]()
            if self.over:
                break
            if self.r.random() < 0.5 or len(self.out) > 100_000:
                self.flush()
            if self.r.random() < 0.003:
                return  # cut off, in the middle of anything
        self.flush()


names, names_lock = [], threading.Lock()


def run_some(server, ports, seed, until, accepted, wrong):
    number = 0
    while time.monotonic() < until and not wrong:
        number += 1
        chance = random.Random(f"{seed}-{number}")
        service = chance.choice(["mx", "mx", "submission", "submissions"])
        session = Session(chance, server, ports[service], service)
        try:
            session.run()
        except (Wrong, OSError) as e:
            wrong.append(f"{seed}-{number} {service}: {e!r}\n" + "\n".join(session.log[-16:]))
        session.sock.close()
        accepted.update(session.accepted)


def used(server):
    """Descriptors of every process."""
    return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in alone.role_pids(server)}


@pytest.fixture
def crowd(here, program):
    sink = alone.Sink()
    ports = {"submission": alone.free_port(), "submissions": alone.free_port()}
    stem = f"{here.state}/certs/{HOST}"
    conf = {"submission.listen": [f"127.0.0.1:{ports['submission']}"],
            "submissions.listen": [f"127.0.0.1:{ports['submissions']}"], "tls.certificate": stem + ".pem",
            "tls.key": stem + ".key", "relay.networks": ["192.0.2.0/24"], "relay.domains": ["b.example"],
            "auth.evaluate": False, "smtp.receivers": 2, "smtp.max_errors": ERRORS, "smtp.max_messages": MESSAGES,
            "smtp.max_size": SIZE, "limits.connects": 0, "limits.messages": 0, "limits.recipients": 0,
            "limits.per_client": 0, "submission.messages": 1_000_000, "submission.recipients": 1_000_000,
            "users.failures": 100_000, "users.failures_each": 100_000, "web.listen": []}
    server = lab_.Geleit(here, program, "crowd", options=alone.options(sink, **conf))
    os.makedirs(server.store, exist_ok=True)
    with open(server.conf, "w", encoding="utf-8") as f:
        f.write(lab_.geleit.text(server.options))
    command = [server.program, "user", "add", "-c", server.conf, "alice@a.example"]
    added = here.run(command, input="secret\n", stdin=None)
    assert added.returncode == 0, added.stderr
    with server:
        ports["mx"] = server.port
        yield server, sink, ports
    sink.close()


def check_sessions(crowd, seconds):
    server, sink, ports = crowd
    seed = os.environ.get("RANDOM_SEED") or str(random.randrange(10**9))
    accepted, wrong, until = {}, [], time.monotonic() + seconds
    before = used(server)
    threads = [threading.Thread(target=run_some, args=(server, ports, f"{seed}-{i}", until, accepted, wrong))
               for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(seconds + 60)
        assert not t.is_alive(), "a session hangs"
    assert not wrong, wrong[0]
    assert alone.emptied(server, 60)
    count = sink.count()
    odd = {n: count.get(n) for n, (_, copies) in accepted.items() if count.get(n) != copies}
    assert not odd, f"{odd}\n{server.log_end(10**5)}"
    for raw, _ in list(sink.got):
        if alone.subject(raw) in accepted:
            assert lab_.difference(raw, accepted[alone.subject(raw)][0]) is None
    assert lab_.until(lambda: all(n <= before[pid] + 12 for pid, n in used(server).items()), 40), "descriptors leak"
    assert not alone.log_lines(server, "role-died")
    print(f"seed {seed}: {len(accepted)} messages accepted")


def test_random_sessions(crowd):
    check_sessions(crowd, int(os.environ.get("RANDOM_SECONDS", "10")))


@pytest.mark.soak
def test_random_sessions_for_long(crowd):
    check_sessions(crowd, int(os.environ.get("RANDOM_SECONDS", "600")))
