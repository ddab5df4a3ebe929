"""Servers that end a connection at the wrong moment, or say too much: the message
goes on, the record is whole, and nobody else's outcome is lost."""
import socket
import ssl
import threading
import time

import pytest

import alone
import lab as lab_
from alone import Talk, letter

LONG = "x" * 900


class Script:
    """A server whose conversations are given: `each(session, number)`."""

    def __init__(self, each, stem=None):
        self.each, self.number, self.context = each, 0, None
        if stem:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(stem + ".pem", stem + ".key")
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            self.number += 1
            threading.Thread(target=self._one, args=(s, self.number), daemon=True).start()

    def _one(self, s, number):
        try:
            s.settimeout(60)
            self.each(Session(s, self.context), number)
        except (OSError, ValueError):
            pass
        finally:
            s.close()

    def close(self):
        self.socket.close()


class Session:
    def __init__(self, sock, context):
        self.sock, self.context = sock, context
        self.file = sock.makefile("rb")

    def say(self, *lines):
        self.sock.sendall("".join(line + "\r\n" for line in lines).encode())

    def hear(self):
        line = self.file.readline().decode("utf-8", "replace")
        if not line:
            raise OSError("gone")
        return line.strip().upper()

    def greet(self):
        self.say("220 script.example")
        self.hear()
        if self.context:
            self.say("250-script.example", "250 STARTTLS")
            self.hear()
            self.say("220 go")
            self.sock = self.context.wrap_socket(self.sock, server_side=True)
            self.file = self.sock.makefile("rb")
            self.hear()
        self.say("250-script.example", "250 PIPELINING")
        return self

    def take(self, rcpt="250 ok"):
        """Transactions, until the end or None is said; yields after each command."""
        while True:
            line = self.hear()
            if line.startswith("DATA"):
                self.say("354 go")
                while self.hear() != ".":
                    pass
                self.say("250 kept")
                yield "END"
            elif line.startswith("QUIT"):
                self.say("221 bye")
                return
            else:
                yield line.split()[0]
                self.say(rcpt if line.startswith("RCPT") else "250 ok")


@pytest.fixture
def start(serve):
    def make(script, **more):
        return serve(alone.options(script, **{"send.processes": 1, **more}), script)
    return make


def stem(here):
    out = f"{here.state}/certs/script.example"
    here.ca.issue(("script.example",)).write(out)
    return out


def test_closed_in_a_transaction_over_tls(here, start):
    """The record of a session that is gone still has its certificate."""
    def each(session, number):
        session.greet()
        for said in session.take():
            if number == 1 and said == "RCPT":
                return
    script = Script(each, stem(here))
    server = start(script)
    server.submit(letter("cut"), ["bob@b.example"])
    assert alone.emptied(server, 20)
    first = [a for a in server.history() if a["decision"] == "deferred"][0]
    session = first["sessions"][0]
    assert session["tls_version"] and len(session["certificate"]) == 64


def test_a_connection_that_closed_in_the_meantime(start):
    """Used again, it says 421: a fresh one serves, and nothing is deferred."""
    def each(session, number):
        session.greet()
        taken = 0
        for said in session.take():
            taken += said == "END"
            if taken and said == "MAIL":
                session.say("421 4.4.2 idle for too long")
                return
    script = Script(each)
    server = start(script, **{"send.idle": "30s"})
    for i in range(4):
        server.submit(letter(f"m{i}"), ["bob@b.example"])
        assert alone.emptied(server, 10)
    assert {(a["decision"], a["recipients"][0]["status"]) for a in server.history()} == {("delivered", "2.0.0")}
    assert script.number == 4


@pytest.mark.parametrize("last", ["silence", "nonsense", "end"])
def test_who_may_have_it_is_not_sent_it_again_at_once(start, last):
    """The final dot was sent on a connection used again, and no reply came that says
    anything: the server may have the message, so it has to wait (RFC 1047)."""
    dots = []

    def each(session, number):
        session.greet()
        for said in session.take():
            if said == "END":
                break
        while not session.hear().startswith("DATA"):
            session.say("250 ok")
        session.say("354 go")
        while session.hear() != ".":
            pass
        dots.append(number)
        if last == "nonsense":
            session.say("what?")
        if last != "end":
            session.hear()
    script = Script(each)
    server = start(script, **{"send.idle": "30s", "send.end_timeout": "1s", "queue.retry_first": "60s",
                              "queue.retry_longest": "60s"})
    server.submit(letter("first"), ["bob@b.example"])
    assert alone.emptied(server, 10)
    server.submit(letter("second"), ["bob@b.example"])
    assert lab_.until(lambda: len(server.history()) == 2, 10)
    time.sleep(1)
    assert dots == [1] and script.number == 1
    attempt = server.history()[-1]
    assert attempt["decision"] == "deferred" and attempt["recipients"][0]["status"] == "4.4.2"
    assert "may have had the message already" in attempt["reason"]


def test_long_replies_to_a_thousand(start):
    def each(session, _):
        session.greet()
        for _ in session.take(rcpt=f"550 5.1.1 \x01{LONG}"):
            pass
    server = start(Script(each))
    to = [f"user{i}@b.example" for i in range(1000)]
    server.submit(letter("many"), to, sender="")
    assert alone.emptied(server, 30)
    attempts = server.history()
    assert [a["decision"] for a in attempts] == ["failed"]
    assert len(attempts[0]["recipients"]) == 1000


def test_a_sender_that_could_not_be_answered(start):
    server = start(Script(lambda session, _: session.greet()))
    with Talk(server) as talk:
        talk.greeted()
        assert talk.ask("MAIL FROM:<alice@[192.0.2.1]>").startswith("550 5.1.7")
        assert talk.ask("MAIL FROM:<alice@a.example>").startswith("250")


def test_a_crowded_host_gets_no_more_than_its_connections(start):
    """Who waits too long for a place gives way, and the place comes back."""
    open_now, most, lock, hold = [0], [0], threading.Lock(), threading.Event()

    def each(session, _):
        with lock:
            open_now[0] += 1
            most[0] = max(most[0], open_now[0])
        try:
            session.greet()
            for _ in session.take():
                hold.wait(50)
        finally:
            with lock:
                open_now[0] -= 1
    server = start(Script(each), **{"queue.per_host": 2, "send.idle": "0s", "send.command_timeout": "90s"})
    for i in range(6):
        server.submit(letter(f"c{i}"), [f"bob@b{i}.example"])
    time.sleep(34)
    hold.set()
    assert alone.emptied(server, 25)
    assert most[0] == 2
    assert {a["decision"] for a in server.history()} == {"delivered"}
