"""Clients that stall, that speak badly, that attack: each gets the answer it is
due, none harms another, and nothing reaches the next server that was not
accepted as it stands."""
import socket
import ssl
import struct
import time

import pytest

import alone
import lab as lab_
from alone import Talk, letter, stuffed


@pytest.fixture(scope="module")
def server(here, program, sink):
    conf = {"smtp.max_size": "1M", "smtp.max_errors": 5, "smtp.receivers": 1}
    with lab_.Geleit(here, program, "receiver", options=alone.options(sink, **conf)) as s:
        yield s
    print(s.log_end())


@pytest.fixture(scope="module")
def hasty(here, program):
    """It has no patience; its mail goes nowhere."""
    conf = {"smtp.command_timeout": "1s", "smtp.data_timeout": "2s", "smtp.session_timeout": "4s",
            "smtp.max_sessions": 12, "send.routes": ["* [127.0.0.1]:1"], "smtp.receivers": 1}
    with lab_.Geleit(here, program, "hasty", options=alone.options(**conf)) as s:
        yield s
    print(s.log_end())


def still_serves(server, sink, name):
    """Whatever was done to it, the next client is served."""
    server.submit(letter(name), ["bob@b.example"])
    assert lab_.until(lambda: sink.named(name), 10)


# ---- stalls -----------------------------------------------------------------
STALLS = {
    "connected": (),
    "half a command": (b"EH",),
    "after EHLO": ("EHLO c.a.example",),
    "after MAIL": ("EHLO c.a.example", "MAIL FROM:<a@a.example>"),
    "after RCPT": ("EHLO c.a.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>"),
    "after DATA": ("EHLO c.a.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA"),
    "inside a line": ("EHLO c.a.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA", b"Subj"),
    "before the dot": ("EHLO c.a.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA", b"S: x\r\n\r\n"),
    "in an endless line": ("EHLO c.a.example", b"NOOP " + b"x" * 3000),
}


def test_who_stalls_gets_421_and_is_closed(hasty):
    talks = {name: Talk(hasty) for name in STALLS}
    for name, commands in STALLS.items():
        assert talks[name].reply().startswith("220")
        for c in commands:
            talks[name].say(c)
            if isinstance(c, str):
                assert talks[name].reply()[0] in "23", name
    began = time.monotonic()
    for name, talk in talks.items():
        with talk:
            assert talk.reply().startswith("421 4.4.2"), name
            assert talk.ended(), name
    assert time.monotonic() - began < 4


def test_a_session_does_not_last_for_ever(hasty):
    with Talk(hasty) as talk:
        began = time.monotonic()
        talk.greeted()
        reply = ""
        while not reply.startswith("421"):
            time.sleep(0.3)
            reply = talk.ask("NOOP")
            assert time.monotonic() - began < 6
        assert reply.startswith("421 4.4.2") and talk.ended()
        assert time.monotonic() - began > 3.5


def test_a_handshake_that_never_comes_is_given_up(hasty):
    with Talk(hasty) as talk:
        assert talk.greeted().ask("STARTTLS").startswith("220")
        began = time.monotonic()
        assert talk.ended()
        assert 0.5 < time.monotonic() - began < 3


def test_too_many_sessions_are_told_so(hasty):
    talks = [Talk(hasty) for _ in range(12)]
    assert all(t.reply().startswith("220") for t in talks)
    with Talk(hasty) as late:
        assert late.reply().startswith("421 4.3.2") and late.ended()
    talks.pop().__exit__()
    assert lab_.until(lambda: hasty._greets(), 3), "a place that became free is given again"
    for t in talks:
        t.__exit__()


# ---- bad commands -----------------------------------------------------------
REFUSED = {
    "unknown": ("FROBNICATE", "500"), "empty": (b"\r\n", "500"), "a word of nonsense": ("MAILFROM:<a@a.example>", "500"),
    "MAIL before EHLO is out of order": ("RCPT TO:<a@b.example>", "503"), "DATA alone": ("DATA", "503"),
    "no path": ("MAIL FROM:", "501"), "half a path": ("MAIL FROM:<a@a.example", "501"),
    "an unknown parameter": ("MAIL FROM:<a@a.example> FOO=BAR", "555"),
    "8-bit address": (b"MAIL FROM:<\xc3\xa4@a.example>\r\n", "5"), "8-bit verb": (b"\xff\xfe\r\n", "500"),
    "NUL": (b"NOOP \0\r\n", "5"), "size of nonsense": ("MAIL FROM:<a@a.example> SIZE=x", "501"),
    "too big by its own word": ("MAIL FROM:<a@a.example> SIZE=2000000", "552"), "EXPN": ("EXPN list", "502"),
    "a long line": (b"NOOP " + b"x" * 2000 + b"\r\n", "500"),
    "a path too long": ("MAIL FROM:<" + "a" * 70 + "@a.example>", "5"),
    "a route that is none": ("MAIL FROM:<@a,b:a@a.example>", "501"),
    "arguments where none may be": ("DATA now", "501"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_bad_command_is_refused_and_the_session_goes_on(server, sink, what):
    command, code = REFUSED[what]
    name = "after-" + what.replace(" ", "-")
    with Talk(server) as talk:
        assert talk.greeted().ask(command).startswith(code), what
        assert talk.ask("MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA").startswith("354")
        assert talk.ask(stuffed(letter(name))).startswith("250")
        assert talk.ask("QUIT").startswith("221") and talk.ended()
    assert lab_.until(lambda: sink.named(name), 10)


def test_enough_errors_end_the_session(server):
    with Talk(server) as talk:
        talk.greeted()
        replies = [talk.ask("NONSENSE") for _ in range(5)]
        assert all(r.startswith("500") for r in replies)
        assert talk.reply().startswith("421 4.7.0") and talk.ended()


def test_an_endless_line_ends_the_session(server):
    with Talk(server) as talk:
        talk.greeted()
        with pytest.raises((ConnectionError, AssertionError)):
            for _ in range(400):
                talk.say(b"x" * 16384)
            assert not talk.reply().startswith("500")
        try:  # the refusal may still lie there, when the connection broke while we wrote
            rest = talk.file.read()
        except ConnectionError:
            rest = b""
        assert not rest or rest.startswith(b"500"), rest


@pytest.mark.parametrize("bare", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"NOOP\r\r\n", b"EHLO a\nMAIL FROM:<a@a.example>\n"])
def test_a_bare_line_end_in_a_command_ends_the_session(server, bare):
    with Talk(server) as talk:
        assert talk.greeted().ask(bare).startswith("521 5.5.2")
        assert talk.ended()


ENDS = [b"\n.\n", b"\r.\r", b"\r\n.\n", b"\n.\r\n", b"\r\n.\r", b"\r.\r\n", b"\r\n.\r\r\n", b"\r\n\0.\r\n\n.\r\n", b"\n\r\n.\r\n"]


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_nothing_is_smuggled(server, sink, end):
    """Behind an end of data that is none stands a second message (CVE-2023-51764)."""
    inner = (b"MAIL FROM:<root@b.example>\r\nRCPT TO:<victim@b.example>\r\nDATA\r\n" + letter("smuggled") + b".\r\n")
    with Talk(server) as talk:
        talk.in_data()
        talk.say(letter("outer") + b"last words" + end + inner)
        seen = []
        while reply := talk.reply():
            seen.append(reply)
        assert seen and seen[0][0] == "5", "the message as a whole is refused"
        assert not any(r.startswith(("250", "354")) for r in seen), seen
    still_serves(server, sink, "honest-" + end.hex())
    assert not sink.named("smuggled") and not sink.named("outer")
    assert not [f for _, f in sink.got if "victim@b.example" in f["rcpt_to"]]


def test_lone_dots_and_stuffing_come_through(server, sink):
    raw = letter("dots") + b"..\r\n.\r\n..x\r\n. \r\n"
    with Talk(server) as talk:
        assert talk.in_data().ask(stuffed(raw)).startswith("250")
    assert lab_.until(lambda: sink.named("dots"), 10)
    assert lab_.difference(sink.named("dots")[0][0], raw) is None


def test_too_big_is_refused_at_the_end_and_the_session_goes_on(server, sink):
    with Talk(server) as talk:
        assert talk.in_data().ask(stuffed(letter("too-big", 1_200_000))).startswith("552 5.3.4")
        assert talk.ask("MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA").startswith("354")
        assert talk.ask(stuffed(letter("behind-too-big"))).startswith("250")
    assert lab_.until(lambda: sink.named("behind-too-big"), 10)
    assert not sink.named("too-big")


def test_large_messages_that_come_to_nothing_are_in_nobodys_way(server, sink):
    for _ in range(4):
        with Talk(server) as talk:
            talk.in_data()
            talk.say(letter("never-ended", 600_000))
    with Talk(server) as talk:
        assert talk.in_data().ask(stuffed(letter("large", 400_000))).startswith("250")
    assert lab_.until(lambda: sink.named("large"), 10)


def test_a_message_in_circles_is_refused(server, sink):
    received = b"Received: from a.example by b.example; Sun, 01 Nov 2026 10:08:00 +0000\r\n"
    with Talk(server) as talk:
        assert talk.in_data().ask(stuffed(received * 101 + letter("circles"))).startswith("554 5.4.6")
        assert talk.ask("MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA").startswith("354")
        assert talk.ask(stuffed(received * 100 + letter("hundred"))).startswith("250")
    assert lab_.until(lambda: sink.named("hundred"), 10)
    assert not sink.named("circles")


# ---- STARTTLS ---------------------------------------------------------------
def insecure():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_starttls_begins_anew(server):
    with Talk(server) as talk:
        talk.greeted()
        assert talk.ask("MAIL FROM:<a@a.example>", "STARTTLS").startswith("220")
        talk.sock = insecure().wrap_socket(talk.sock)
        talk.file = talk.sock.makefile("rb")
        assert talk.ask("MAIL FROM:<a@a.example>").startswith("503"), "what was said in the clear is forgotten"
        talk.say("EHLO c.a.example")
        lines = [talk.line()]
        while lines[-1][3] == "-":
            lines.append(talk.line())
        assert not any("STARTTLS" in line for line in lines)
        assert talk.ask("STARTTLS").startswith("503")


@pytest.mark.parametrize("behind", [b"NOOP\r\n", b"EHLO evil.example\r\nMAIL FROM:<e@evil.example>\r\n", b"\x16"])
def test_what_was_said_before_the_handshake_ends_the_session(server, behind):
    with Talk(server) as talk:
        talk.greeted()
        talk.say(b"STARTTLS\r\n" + behind)
        assert talk.reply()[:3] in ("220", "")
        assert talk.ended()


def test_clear_text_instead_of_the_handshake_ends_the_session(server):
    with Talk(server) as talk:
        assert talk.greeted().ask("STARTTLS").startswith("220")
        talk.say("MAIL FROM:<a@a.example>")
        assert b"250" not in (talk.file.read(100) or b"")


# ---- pipelining and odd ends -------------------------------------------------
def test_everything_in_one_piece(server, sink):
    out = b"EHLO c.a.example\r\n"
    for n in ("one", "two", "three"):
        out += b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n"
        out += stuffed(letter("piped-" + n))
    with Talk(server) as talk:
        talk.say(out + b"NOOP\r\nQUIT\r\n")
        codes = []
        while reply := talk.reply():
            codes.append(reply[:3])
    per_message = ["250", "250", "501", "250", "354", "250"]
    assert codes == ["220", "250"] + per_message * 3 + ["250", "221"]
    assert lab_.until(lambda: all(sink.named("piped-" + n) for n in ("one", "two", "three")), 10)


def test_one_byte_at_a_time(server, sink):
    out = (b"EHLO c.a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n"
           + stuffed(letter("bytes")) + b"QUIT\r\n")
    with Talk(server) as talk:
        talk.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(out)):
            talk.say(out[i:i + 1])
        assert talk.file.read().decode().split("\r\n")[-2].startswith("221")
    assert lab_.until(lambda: sink.named("bytes"), 10)
    assert lab_.difference(sink.named("bytes")[0][0], letter("bytes")) is None


@pytest.mark.parametrize("size", [300, 300_000])
def test_who_closes_his_half_behind_the_dot_still_hears_250(server, sink, size):
    name = f"half-{size}"
    with Talk(server) as talk:
        talk.in_data()
        talk.say(stuffed(letter(name, size)))
        talk.sock.shutdown(socket.SHUT_WR)
        assert talk.reply().startswith("250 2.0.0")
        assert talk.ended()
    assert lab_.until(lambda: sink.named(name), 10)


def test_who_says_all_and_closes_his_half_hears_all(server, sink):
    out = (b"EHLO c.a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n"
           + stuffed(letter("half-all")) + b"QUIT\r\n")
    with Talk(server) as talk:
        talk.say(out)
        talk.sock.shutdown(socket.SHUT_WR)
        lines = talk.file.read().decode().split("\r\n")
        assert lines[-3].startswith("250 2.0.0") and lines[-2].startswith("221")


@pytest.mark.parametrize("size", [300, 300_000])
def test_half_a_message_is_no_message(server, sink, size):
    with Talk(server) as talk:
        talk.in_data()
        talk.say(letter("half-a-message", size))
    with Talk(server) as talk:  # and with a reset
        talk.in_data()
        talk.say(letter("half-a-message", size))
        talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    still_serves(server, sink, f"whole-{size}")
    assert not sink.named("half-a-message")


def test_a_crowd_that_leaves_at_once(server, sink):
    for _ in range(200):
        s = server.lab.connect(server.address, server.port)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.sendall(b"EHLO x\r\n")
        s.close()
    still_serves(server, sink, "behind-a-crowd")


def test_nobody_died_of_it(server, hasty, sink):
    still_serves(server, sink, "the-last")
    for s in (server, hasty):
        assert not alone.log_lines(s, "role-died")
