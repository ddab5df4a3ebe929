"""Whoever is slow or silent (a policy host, a name server, a mail server): each
ends in the right decision within its patience, and holds up nobody else. What
was learnt and accepted survives a restart."""
import os
import re
import signal
import time

import pytest

import alone
import lab as lab_
import world
from alone import letter

# Domains whose other side never gets to the end, with what must come of them.
SLOW = {"sts-web-trickle.example": "delivered", "sts-web-stall.example": "delivered", "tlsa-timeout.example": "deferred",
        "silent.example": "deferred", "stall-greeting.odd.example": "deferred", "stall-end.odd.example": "deferred",
        "tls-stall.example": "delivered", "stall-body.odd.example": "deferred"}
EACH = 12


def test_the_slow_hold_up_nobody(geleit, lab):
    patience = {"dns.timeout": "4s", "mta_sts.timeout": "4s", "send.command_timeout": "5s", "send.end_timeout": "5s",
                "queue.retry_first": "60s", "queue.retry_longest": "60s"}
    server = geleit(options=patience)
    began = time.monotonic()
    for i in range(EACH):
        for d in SLOW:
            server.submit(letter(f"slow-{i}", 9000), [f"slow-{i}@{d}"])
    time.sleep(0.3)  # everything slow is under way
    for d in ("dane.example", "sts-enforce.example", "plain.example", "clear.example"):
        sent = time.monotonic()
        server.submit(letter("good"), ["good@" + d])
        a = server.wait_attempt(d, 10)
        assert a and a["decision"] == "delivered"
        assert time.monotonic() - sent < 2.5, f"{d} had to wait"
    for d, decision in SLOW.items():
        a = server.wait_attempt(d, max(1.0, 25 - (time.monotonic() - began)))
        assert a, f"{d}: no decision"
        assert a["decision"] == decision, (d, a["reason"])
        assert a["reason"]
    unused = {"tlsa-timeout.example", "silent.example"}
    assert not any(s["host"] == f"mx.{d}" for s in lab.sessions() for d in unused)
    assert not alone.log_lines(server, "role-died")


def test_one_host_that_stalls_is_not_the_whole_domain(geleit):
    """backup.example: the first refuses, the second never answers, the third serves."""
    server = geleit()
    sent = time.monotonic()
    for i in range(5):
        server.submit(letter(f"b{i}"), [f"bob-{i}@backup.example"])
    assert lab_.until(lambda: len([a for a in server.history() if a["decision"] == "delivered"]) == 5, 12)
    assert time.monotonic() - sent < 10


# ---- memory -----------------------------------------------------------------
@pytest.fixture(scope="module")
def own_lab(tmp_path_factory):
    """A lab whose zones may be changed."""
    try:
        alone.namespace.check()
        state = lab_.Lab(str(tmp_path_factory.mktemp("own-lab")))
        state.start()
    except (alone.namespace.Impossible, lab_.packages.Missing) as e:
        pytest.skip(str(e))
    with state:
        yield state


QUERY = r"""
import socket, sys
name, kind = sys.argv[1].split("."), int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)
s.sendto(b"\1\2\0\0\0\1\0\0\0\0\0\0" + b"".join(bytes([len(p)]) + p.encode() for p in name) + b"\0" + bytes([0, kind, 0, 1]),
         (sys.argv[3], 53))
print(s.recv(4096).hex())
"""
SOA = 6
SERIAL = r"(SOA \S+ \S+ )(\d+) "


class Zone:
    """An unsigned zone of the lab that changes while it is served."""

    def __init__(self, lab, name):
        self.lab, self.name, self.path = lab, name, f"{lab.state}/zones/{name}.signed"
        with open(self.path, encoding="ascii") as f:
            self.first = f.read()
        self.serial = int(re.search(SERIAL, self.first)[2])

    def change(self, *changes):
        """Of the zone as it was at first; each a pair for re.sub."""
        self.serial += 1
        text = re.sub(SERIAL, rf"\g<1>{self.serial} ", self.first)
        for pattern, new in changes:
            text, n = re.subn(pattern, new, text)
            assert n, f"{pattern} is not in the zone"
        with open(self.path, "w", encoding="ascii") as f:
            f.write(text)
        later = time.time() + self.serial
        os.utime(self.path, (later, later))
        want = self.serial.to_bytes(4, "big").hex()
        assert lab_.until(lambda: self._reload() and want in self._ask(SOA), 10, 0.2), "the name server does not reload"

    def _reload(self):
        conf = f"{self.lab.state}/zones/nsd-{world.ZONE_SERVER}/nsd.conf"
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    ours = conf.encode() in f.read().split(b"\0")
                with open(f"/proc/{pid}/status", encoding="ascii") as f:
                    parent = int(re.search(r"PPid:\t(\d+)", f.read())[1])
            except OSError:
                continue
            if ours and parent == self.lab.pid():
                os.kill(int(pid), signal.SIGHUP)
        time.sleep(0.1)
        return True

    def _ask(self, kind):
        return self.lab.run([lab_.PYTHON, "-c", QUERY, self.name, str(kind), world.ZONE_SERVER]).stdout


def restart(server, how):
    if how == "SIGTERM":
        assert server.stop() == 0
    else:
        server.kill()
    server.start()


NEW_ID = (r"(_mta-sts\S* IN TXT \"v=STSv1; id=)lab1", r"\g<1>new2")
NO_RECORD = (r"_mta-sts\S* IN TXT .*\n", "")
HOST_DOWN = (rf"(mta-sts\S+ IN A ){re.escape(world.POLICY_WEB)}", rf"\g<1>{world.POLICY_REFUSED}")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_policy_that_was_seen_outlives_its_host(own_lab, program, how):
    domain = "sts-enforce.example"
    zone = Zone(own_lab, domain)
    other = (rf"({re.escape(domain)}\. IN MX 10 )mx\S+", r"\g<1>mx.plain.example.")  # outside the policy
    with lab_.Geleit(own_lab, program, "memory-" + how, queue__retry_first="1s", queue__retry_longest="2s") as server:
        server.submit(letter("first"), ["bob@" + domain])
        first = server.wait_attempt(domain)
        assert first["decision"] == "delivered" and first["plan"]["mta_sts"]["source"] == "fetched"
        for changes in ((NEW_ID, HOST_DOWN, other), (NO_RECORD, HOST_DOWN, other)):
            try:
                zone.change(*changes)
                restart(server, how)
                row = server.history()[-1]["row"]
                server.submit(letter("second"), ["never-mind@" + domain])

                def look():
                    return [a for a in server.history(row) if a["domain"] == domain]
                assert lab_.until(look, 15)
                a = look()[0]
                assert a["decision"] == "deferred", a["reason"]
                sts = a["plan"]["mta_sts"]
                assert sts["state"] == "enforce" and sts["source"] in ("last-good", "cache"), sts
                assert [h["requirement"] for h in a["plan"]["hosts"]] == ["unusable"]
                assert not [m for m in own_lab.captured("mx.plain.example") if f"never-mind@{domain}" in m["rcpt_to"]]
            finally:
                zone.change()
        restart(server, how)
        assert lab_.until(lambda: alone.queued(server) == 0, 20), "what waited goes when the domain is sound again"
    print(server.log_end())


def test_the_queue_outlives_restarts(here, program):
    """What could not be delivered yet is still there, with its attempts."""
    sink = alone.Sink(reply={"rcpt": "451 4.3.0 not now"})
    options = alone.options(sink)
    with lab_.Geleit(here, program, "queue-memory", options=options) as server:
        for i in range(20):
            server.submit(letter(f"q{i}", 100 if i % 4 else 300_000), ["bob@b.example"])
        for how in ("SIGTERM", "SIGKILL", "SIGTERM"):
            restart(server, how)
            assert alone.queued(server) == 20
        sink.host.odd = {}
        assert alone.emptied(server, 20)
        assert sink.count() == {f"q{i}": 1 for i in range(20)}
        for i in range(20):
            assert lab_.difference(sink.named(f"q{i}")[0][0], letter(f"q{i}", 100 if i % 4 else 300_000)) is None
    sink.close()
