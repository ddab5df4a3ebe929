"""Who takes too much, talks too early or too slowly, has no name or a bad one: each is
refused in words that say why, and nobody else is. Clients come from where they like,
by way of a balancer that speaks the PROXY protocol."""
import contextlib
import ipaddress
import os
import re
import socket
import ssl
import struct
import threading
import time

import pytest

import alone
import lab as lab_
from alone import Talk, letter, stuffed
from test_signals import reload, write
from test_submission import Submission, plain
from virtual import Clock

BALANCER = "127.0.0.2"
TO = "bob@b.example"
# The test's own greeting comes from 127.0.0.1.
OUTSIDE = {"relay.networks": ["127.0.0.1/32", "10.9.0.0/16"], "relay.domains": ["b.example"], "auth.evaluate": False,
           "limits.proxies": [BALANCER + "/32"]}


def header(client, command=1, more=b""):
    """PROXY, version 2; `client` None: as a health check has it."""
    if client is None:
        return b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
    a = ipaddress.ip_address(client)
    body = a.packed * 2 + struct.pack("!HH", 40000, 25) + more
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x20 | command, 0x11 if a.version == 4 else 0x21,
                                                 len(body)) + body


class Client(Talk):
    """Comes from `client` by way of the balancer; None: from `source` itself."""

    def __init__(self, server, client=None, source=BALANCER, port=None, first=b"", timeout=15):
        self.sock = socket.create_connection((server.address, port or server.port), timeout, (source, 0))
        self.file = self.sock.makefile("rb")
        if client:
            self.say(header(client) + first)

    def rcpt(self, to=TO, sender="alice@a.example"):
        self.ask("RSET")
        return self.ask(f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>")


def from_network(server, address):
    """Straight from an address of this machine."""
    return Client(server, source=address)


def hello(talk):
    with talk:
        return talk.reply()


@pytest.fixture
def start(here, program, request, sink):
    made = []

    def make(**more):
        name = re.sub(r"\W", "-", request.node.name) + f"-{len(made)}"
        server = lab_.Geleit(here, program, name, options=alone.options(sink, **{**OUTSIDE, **more}))
        made.append(server)
        return server.start()
    yield make
    for server in made:
        server.stop()
        print(server.log_end())


def said(server, why):
    return lab_.until(lambda: [l for l in alone.log_lines(server, "client-refused") if why in l], 5)


# ---- how much ---------------------------------------------------------------
FULL = "421 4.7.0 too many connections from your address at once"


def test_sessions_at_once(start):
    server = start(**{"limits.per_client": 2, "limits.network": 2})
    mine = [Client(server, "5.6.7.8") for _ in range(2)]
    assert all(t.reply().startswith("220") for t in mine)
    for _ in range(6):  # who is refused counts no more, not for his neighbours either
        with Client(server, "5.6.7.8") as t:
            assert t.reply() == FULL and t.ended()
    assert said(server, "at once") and "5.6.7.8" in said_line(server)
    others = [Client(server, a) for a in ("5.6.7.9", "5.6.7.10")]
    assert all(t.reply().startswith("220") for t in others)
    assert hello(Client(server, "5.6.7.11")) == FULL  # the network has what it may
    assert hello(Client(server, "5.6.8.11")).startswith("220")
    for t in mine:
        t.__exit__()
    assert lab_.until(lambda: hello(Client(server, "5.6.7.11")).startswith("220"), 5)
    for t in others:
        t.__exit__()


def said_line(server):
    return alone.log_lines(server, "client-refused")[-1]


def test_a_64_is_one_client(start):
    server = start(**{"limits.per_client": 1, "limits.network": 3})
    with Client(server, "2001:db8:1:2::1") as t:
        assert t.reply().startswith("220")
        assert hello(Client(server, "2001:db8:1:2:ffff::2")) == FULL
        assert hello(Client(server, "2001:db8:1:3::1")).startswith("220")
        with Client(server, "::ffff:5.6.7.8") as mapped:
            assert mapped.reply().startswith("220")
            assert hello(Client(server, "5.6.7.8")) == FULL


def test_connections_an_hour(start):
    server = start(**{"limits.connects": 3, "limits.network": 2})
    for _ in range(3):
        assert hello(Client(server, "5.6.7.8")).startswith("220")
    for _ in range(9):
        assert re.fullmatch(r"421 4\.7\.0 too many connections from your address, try again in 1[12]\d\d seconds",
                            hello(Client(server, "5.6.7.8")))
    for _ in range(3):  # the network's six are not used up by who was refused
        assert hello(Client(server, "5.6.7.9")).startswith("220")
    assert hello(Client(server, "5.6.7.10")).startswith("421 4.7.0 too many connections from your address, try")
    for _ in range(10):
        assert hello(from_network(server, "127.0.0.1")).startswith("220")


def send(talk, name, *to):
    """The last reply."""
    for c in ("MAIL FROM:<alice@a.example>", *(f"RCPT TO:<{t}>" for t in to or (TO,)), "DATA"):
        reply = talk.ask(c)
        if reply[0] not in "23":
            return reply
    return talk.ask(stuffed(letter(name)))


def test_messages_and_recipients_an_hour(start, sink):
    server = start(**{"limits.messages": 2, "limits.recipients": 3})
    with Client(server, "5.6.7.8") as t:
        t.greeted()
        assert send(t, "rate-1").startswith("250") and send(t, "rate-2").startswith("250")
        no = r"450 4\.7\.1 too many messages from your address, try again in 1[678]\d\d seconds"
        assert re.fullmatch(no, t.ask("MAIL FROM:<alice@a.example>"))
        assert t.ask("RCPT TO:<bob@b.example>").startswith("503")
    with Client(server, "5.6.8.8") as t:
        t.greeted().ask("MAIL FROM:<alice@a.example>")
        assert all(t.ask("RCPT TO:<bob@b.example>").startswith("250") for _ in range(3))
        no = r"450 4\.7\.1 too many recipients from your address, try again in 1[12]\d\d seconds"
        assert re.fullmatch(no, t.ask("RCPT TO:<bob@b.example>"))
        assert re.fullmatch(no, t.ask("RCPT TO:<bob@b.example>"))
        assert t.ask("DATA").startswith("354") and t.ask(stuffed(letter("rate-3"))).startswith("250")
    assert len(alone.log_lines(server, "too many recipients")) == 1  # once a session
    with Client(server, "10.9.8.7") as t:  # ours
        t.greeted()
        assert all(send(t, f"ours-{i}", *[TO] * 4).startswith("250") for i in range(4))
    assert lab_.until(lambda: all(sink.named(n) for n in ("rate-1", "rate-3", "ours-3")), 15)


def test_users_are_not_limited(here, program, sink):
    conf = {"limits.messages": 1, "limits.recipients": 1, "limits.per_client": 1, "limits.network": 1,
            "limits.dnsbl": ["never.asked.example refuse"], "limits.fcrdns": "refuse", "smtp.receivers": 1}
    s = Submission(here, program, sink, "users-unlimited", **conf)
    s.add("ann@a.example", "pass")
    with s.server:
        # Until it has logged in it is a client as any.
        first = s.connect()
        with contextlib.closing(socket.create_connection(("127.0.0.1", s.ports[0]), 10)) as second:
            assert second.recv(200).startswith(b"421 4.7.0 too many connections from your address at once")
        plain(first, "ann@a.example", "pass")
        others = [s.login("ann@a.example", "pass", implicit=True) for _ in range(3)]
        for c in (first, *others):
            for i in range(2):
                assert c.sendmail("ann@a.example", ["x@b.example", "y@b.example"], letter(f"user-{i}").replace(b"alice@", b"ann@")) == {}
            c.quit()


def test_stress(start):
    server = start(**{"smtp.max_sessions": 8, "limits.stress_timeout": "1s", "smtp.command_timeout": "60s"})
    talks = [Client(server, "5.6.7.8") for _ in range(5)]
    assert all(t.reply().startswith("220") for t in talks)
    late = Client(server, "5.6.7.8")
    assert late.reply().startswith("220") and late.reply().startswith("421 4.4.2") and late.ended()
    assert talks[0].ask("NOOP").startswith("250")  # who was there before has the time he was given
    for t in (*talks, late):
        t.__exit__()


def test_who_is_greeted_late_has_all_his_time(start):
    """The pause before the greeting is ours."""
    server = start(**{"smtp.max_sessions": 5, "limits.stress_timeout": "1s", "limits.greet_pause": "2s"})
    with contextlib.ExitStack() as all_:
        for _ in range(4):
            t = all_.enter_context(Client(server, "5.6.7.8"))
        assert t.reply().startswith("220") and t.ask("NOOP").startswith("250")
        assert t.reply().startswith("421 4.4.2")


# ---- too early, too slow ----------------------------------------------------
def test_early_talkers(start, sink):
    server = start(**{"limits.greet_pause": "1s"})
    with Client(server, source="127.0.0.3") as t:
        began = time.monotonic()
        t.say("EHLO early.example")
        assert t.reply() == "554 5.5.1 you talked before you were greeted" and t.ended()
        assert time.monotonic() - began < 0.9
    assert said(server, "before you were greeted")
    with Client(server, "5.6.7.8", first=b"EHLO early.example\r\n") as t:  # in one segment with the header
        assert t.reply().startswith("554 5.5.1") and t.ended()
    with Client(server, "5.6.7.8") as t:
        began = time.monotonic()
        assert t.reply().startswith("220") and time.monotonic() - began > 0.8
        assert t.ask("EHLO patient.example").startswith("250") and send(t, "patient").startswith("250")
    began = time.monotonic()
    assert hello(from_network(server, "127.0.0.1")).startswith("220") and time.monotonic() - began < 0.8
    gone = Client(server, "5.6.7.8")  # before it is greeted
    gone.__exit__()
    assert lab_.until(lambda: sink.named("patient"), 15)
    assert not alone.log_lines(server, "role-died")


@pytest.fixture
def clock(tmp_path, monkeypatch):
    return Clock(tmp_path / "clock", monkeypatch)


@pytest.mark.parametrize("way", ["data", "bdat"])
def test_slow_loris(clock, start, way):
    server = start(**{"limits.data_rate": 10})
    with Client(server, "5.6.7.8") as t:
        t.greeted()
        t.ask("MAIL FROM:<alice@a.example>", "RCPT TO:<bob@b.example>")
        if way == "data":
            assert t.ask("DATA").startswith("354")
        reply = ""
        for i in range(12):
            with contextlib.suppress(ConnectionError):
                t.say(b"x\r\n" if way == "data" else b"BDAT 1\r\nx")
            if way == "bdat":
                reply = t.reply()
                if reply.startswith("421"):
                    break
            time.sleep(0.1)
            clock.move(20)
        assert 2 <= i
        if way == "data":
            reply = t.reply()
        assert reply == "421 4.4.2 The message comes too slowly"
    with Client(server, "5.6.7.9") as t:
        t.greeted()
        assert send(t, "quick").startswith("250")


# ---- balancers --------------------------------------------------------------
def test_who_the_client_is(start, sink):
    server = start()
    for name, client in (("v4", "5.6.7.8"), ("v6", "2001:db8::77")):
        with Client(server, client, first=b"EHLO x.example\r\n") as t:
            assert t.reply().startswith("220") and t.reply().startswith("250")
            assert t.rcpt("eve@elsewhere.example").startswith("550")
            assert send(t, "proxy-" + name).startswith("503")
            t.ask("RSET")
            assert send(t, "proxy-" + name).startswith("250")
        assert lab_.until(lambda: sink.named("proxy-" + name), 15)
        raw = sink.named("proxy-" + name)[0][0]
        assert client.encode() in raw.split(b"\r\nFrom:")[0] and BALANCER.encode() not in raw
    with Client(server, "10.9.1.2") as t:  # of relay.networks
        assert t.greeted().rcpt("eve@elsewhere.example").startswith("250")


def test_headers_in_pieces_and_checks(start):
    server = start()
    with Client(server) as t:
        for b in header("5.6.7.8", more=b"\x04\x00\x02ok"):
            t.say(bytes([b]))
        assert t.greeted().rcpt().startswith("250")
    with Client(server) as t:  # the balancer looks whether we are there
        t.say(header(None))
        assert t.greeted().ask("QUIT").startswith("221")
    for bad in (b"PROXY TCP4 5.6.7.8 5.6.7.9 1 25\r\n", b"EHLO x.example\r\n", header("5.6.7.8", command=2),
                header("5.6.7.8", more=bytes(4000))):
        with Client(server) as t:
            t.say(bad)
            assert t.reply() == "421 4.3.5 no PROXY header, version 2" and t.ended()
    assert said(server, "no PROXY header")
    for cut in (0, 5, 16, 27):
        with Client(server) as t:
            if cut:
                t.say(header("5.6.7.8")[:cut])
            t.sock.shutdown(socket.SHUT_WR)
            assert t.ended()
    assert hello(from_network(server, "127.0.0.1")).startswith("220")
    assert not alone.log_lines(server, "role-died")


def test_a_header_that_does_not_come(clock, start):
    server = start()
    with Client(server) as t:
        t.say(header("5.6.7.8")[:20])
        time.sleep(0.2)
        clock.move(11)
        assert t.ended()


def test_a_stranger_is_no_balancer(start):
    server = start()
    with Client(server, "10.9.1.2", source="127.0.0.3") as t:
        assert t.reply().startswith("220")
        reply = t.reply()
        while reply.startswith("500"):
            reply = t.reply()
        assert reply.startswith("521 5.5.2") and t.ended()


def test_tls_behind_a_header(here, program, sink):
    s = Submission(here, program, sink, "proxied", **{"limits.proxies": [BALANCER + "/32"], "smtp.receivers": 1})
    s.add("ann@a.example", "pass")
    with s.server:
        for together in (True, False):
            with Client(s.server, port=s.ports[1]) as t:
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = s.context.wrap_bio(incoming, outgoing, server_hostname=lab_.world.SENDER_HOST)
                with pytest.raises(ssl.SSLWantReadError):
                    tls.do_handshake()
                first = outgoing.read()  # a ClientHello
                t.say(header("5.6.7.8") + (first if together else b""))
                if not together:
                    time.sleep(0.3)
                    t.say(first)
                greeting = over_tls(t.sock, tls, incoming, outgoing)
                assert greeting.startswith(b"220"), greeting
        with Client(s.server, port=s.ports[0]) as t:
            t.say(header("5.6.7.8"))
            assert t.greeted().ask("STARTTLS").startswith("220")
            client = s.context.wrap_socket(t.sock, server_hostname=lab_.world.SENDER_HOST)
            client.sendall(b"EHLO laptop\r\n")
            assert client.recv(4000).startswith(b"250")
            client.close()
    assert not alone.log_lines(s.server, "role-died")


def over_tls(sock, tls, incoming, outgoing):
    done = False
    for _ in range(20):
        with contextlib.suppress(ssl.SSLWantReadError):
            if not done:
                tls.do_handshake()
                done = True
            return tls.read(1000)
        sock.sendall(outgoing.read())
        data = sock.recv(16384)
        if not data:
            return b"closed"
        incoming.write(data)
    return b""


# ---- the DNS ----------------------------------------------------------------
def labels(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.rstrip(".").split(".")) + b"\0"


class Names:
    """A name server that knows `records`, {(name, type): [text]}, and is silent below
    `.silent.example`; `asked` has what it was asked."""
    TYPES = {1: "A", 12: "PTR", 28: "AAAA"}

    def __init__(self, records):
        self.records, self.asked = records, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            name, at = [], 12
            while packet[at]:
                name.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
                at += 1 + packet[at]
            question, name = packet[12:at + 5], ".".join(name)
            kind = self.TYPES.get(struct.unpack("!H", packet[at + 1:at + 3])[0])
            self.asked.append((name, kind))
            if not name.endswith(".silent.example"):
                self.socket.sendto(self._answer(packet[:2], question, name, kind), peer)

    def _answer(self, number, question, name, kind):
        values = self.records.get((name, kind), [])
        known = values or any(n == name or n.endswith("." + name) for n, _ in self.records)
        rest = b""
        for v in values:
            data = labels(v) if kind == "PTR" else ipaddress.ip_address(v).packed
            rest += b"\xc0\x0c" + question[-4:] + struct.pack("!IH", 60, len(data)) + data
        return number + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, len(values), 0, 0) + question + rest

    def close(self):
        self.socket.close()


def back(address, zone):
    a = ipaddress.ip_address(address)
    parts = address.split(".") if a.version == 4 else a.exploded.replace(":", "")
    return ".".join(reversed(parts)) + "." + zone


def ptr(address):
    return back(address, "in-addr.arpa" if ":" not in address else "ip6.arpa")


GOOD, LISTED, NOTED, NAMELESS, LYING, GOOD6 = "5.6.7.1", "5.6.7.2", "5.6.7.3", "5.6.7.4", "5.6.7.5", "2a00:5::1"
LISTED6, CODED, UNKNOWN = "2a00:5::2", "5.6.7.6", "5.6.7.7"
RECORDS = {(ptr(GOOD), "PTR"): ["other.good.example", "mx.good.example"], (ptr(GOOD6), "PTR"): ["mx.good.example"],
           ("mx.good.example", "A"): [GOOD], ("mx.good.example", "AAAA"): [GOOD6],
           (back(LISTED, "bl.example"), "A"): ["127.0.0.4"], (back(LISTED6, "bl.example"), "A"): ["127.0.0.2"],
           (back(NOTED, "soft.example"), "A"): ["127.0.0.10"], (back(CODED, "bl.example"), "A"): ["127.255.255.254"],
           (ptr(LYING), "PTR"): ["mx.good.example"], (ptr(UNKNOWN), "PTR"): ["mail.silent.example"]}


@pytest.fixture(scope="module")
def names():
    n = Names(RECORDS)
    yield n
    n.close()


@pytest.fixture
def dns(here, names, start):
    anchor = os.path.join(here.state, "other-anchor")  # all else is unsigned
    with open(anchor, "w", encoding="ascii") as f:
        f.write("signed.invalid. 3600 IN DS 20326 8 2 " + "E0" * 32 + "\n")

    def make(**more):
        return start(**{"dns.trust_anchor": anchor, "dns.forward": [f"127.0.0.1@{names.port}"], "limits.timeout": "2s",
                        **more})
    return make


def refusals(server, *clients):
    out = {}
    for c in clients:
        with Client(server, c) as t:
            out[c] = t.greeted().rcpt()
    return out


def test_block_lists(dns, sink, names):
    server = dns(**{"limits.dnsbl": ["bl.example refuse", "soft.example note", "x.silent.example refuse"]})
    began = time.monotonic()
    got = refusals(server, LISTED, LISTED6)
    assert time.monotonic() - began < 1.8  # a listing that refuses is enough
    began = time.monotonic()
    got |= refusals(server, GOOD, NOTED, CODED)
    assert got[LISTED] == "550 5.7.1 5.6.7.2 is listed at bl.example (127.0.0.4)"
    assert got[LISTED6] == "550 5.7.1 2a00:5::2 is listed at bl.example (127.0.0.2)"
    assert all(got[c].startswith("250") for c in (GOOD, NOTED, CODED)), got
    assert 1.5 < time.monotonic() - began < 25  # one list is silent: it is waited for, not believed
    assert (back(LISTED6, "bl.example"), "A") in names.asked
    noted = alone.log_lines(server, "client-noted")
    assert len(noted) == 1 and "soft.example" in noted[0] and NOTED in noted[0]
    assert len(alone.log_lines(server, "client-refused")) == 2
    with Client(server, LISTED) as t:
        t.greeted()
        assert all(t.rcpt(to).startswith("250") for to in ("postmaster@b.example", "PostMaster@b.example"))
        assert "listed" not in t.rcpt("postmaster")  # RFC 5321 §4.5.1: without a domain, too
        assert t.rcpt().startswith("550 5.7.1") and t.rcpt().startswith("550 5.7.1")
    with Client(server, "10.9.8.7") as t:
        assert t.greeted().rcpt().startswith("250")
    assert (back("10.9.8.7", "bl.example"), "A") not in names.asked


def test_names_that_lead_back(dns, names):
    server = dns(**{"limits.fcrdns": "refuse"})
    got = refusals(server, GOOD, GOOD6, NAMELESS, LYING, UNKNOWN)
    for c in (NAMELESS, LYING):
        assert got[c] == f"550 5.7.25 {c} has no host name in the DNS that leads back to it"
    assert all(got[c].startswith("250") for c in (GOOD, GOOD6, UNKNOWN)), got
    with Client(server, NAMELESS) as t:
        assert t.greeted().rcpt("postmaster@b.example").startswith("250")


def test_names_are_noted(dns):
    server = dns(**{"limits.fcrdns": "note"})
    with Client(server, NAMELESS) as t:
        assert t.greeted().rcpt().startswith("250") and t.rcpt().startswith("250")
    noted = alone.log_lines(server, "client-noted")
    assert len(noted) == 1 and "nameless" in noted[0] and NAMELESS in noted[0]
    assert refusals(server, GOOD)[GOOD].startswith("250") and len(alone.log_lines(server, "client-noted")) == 1


def test_who_leaves_while_the_dns_is_asked(dns):
    server = dns(**{"limits.dnsbl": ["x.silent.example refuse"], "limits.fcrdns": "refuse"})
    for step in range(3):
        for _ in range(5):
            with Client(server, UNKNOWN) as t:
                if step:
                    t.greeted()
                if step == 2:
                    t.say(b"MAIL FROM:<alice@a.example>\r\nRCPT TO:<bob@b.example>\r\n")
                    t.reply()
                t.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", step % 2, 0))
    assert refusals(server, UNKNOWN)[UNKNOWN].startswith("250")
    assert not alone.log_lines(server, "role-died")


def test_lists_that_a_reload_takes_away(dns):
    server = dns(**{"limits.dnsbl": ["bl.example refuse", "x.silent.example refuse"], "limits.timeout": "4s"})
    with Client(server, UNKNOWN) as waits, Client(server, LISTED) as listed:
        waits.greeted(), listed.greeted()
        waits.ask("MAIL FROM:<alice@a.example>")
        waits.say("RCPT TO:<bob@b.example>")
        write(server, limits__dnsbl=[])
        reload(server, "reloaded")
        assert lab_.until(lambda: refusals(server, LISTED)[LISTED].startswith("250"), 10, 0.1)
        assert listed.rcpt().startswith("550 5.7.1")  # it came before
        assert waits.reply().startswith("250")
    assert not alone.log_lines(server, "role-died")
