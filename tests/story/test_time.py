"""Days in seconds: retries until a message's life ends, policies and certificates
that expire, a clock that somebody sets. The roles share a clock that the test moves."""
import concurrent.futures
import contextlib
import json
import os
import sqlite3
import time

import pytest

import alone
import lab as lab_
from alone import letter
from test_bounces import ALICE, notices
from test_patience import HOST_DOWN, NO_RECORD, Zone, own_lab  # noqa: F401 (a fixture)
from virtual import DAY, HOUR, Clock

SOON = 5  # seconds of real time
REST = 0.15  # until no role waits for another: to it a jump would be a peer that says nothing for hours
DEFAULTS = {"queue.retry_first": "5m", "queue.retry_longest": "4h", "queue.lifetime": "5d",
            "queue.delay_warning": "0"}


@pytest.fixture
def clock(tmp_path, monkeypatch):
    return Clock(tmp_path / "clock", monkeypatch)


@pytest.fixture
def start(here, program, request, clock):  # noqa: F811 (the clock is there before the server)
    made = []

    def make(sinks, **more):
        """`sinks` by domain; "*" is for the rest."""
        conf = alone.options(None, **{"send.routes": [f"{d} [127.0.0.1]:{s.port}" for d, s in sinks.items()],
                                      **DEFAULTS, **more})
        server = lab_.Geleit(here, program, f"{request.node.name}-{len(made)}", options=conf)
        made.append((server, sinks))
        return server.start()
    yield make
    for server, sinks in made:
        server.stop()
        for s in sinks.values():
            s.close()
        print(server.log_end())


def due(server, domain):
    """When (s since 1970) something is tried next for the domain; None: nothing waits."""
    with contextlib.closing(sqlite3.connect(f"file:{server.store}/queue.db?mode=ro", uri=True, timeout=5)) as db:
        us = db.execute("SELECT min(due) FROM recipient WHERE domain = ? AND state = 0", (domain,)).fetchone()[0]
    return us and us / 1e6


def tried(server, domain, more_than, patience=SOON):
    """The attempts for the domain, once there are more than so many."""
    found = []

    def look():
        found[:] = [a for a in server.history() if a["domain"] == domain]
        return len(found) > more_than
    assert lab_.until(look, patience, 0.02), f"no attempt after {more_than}"
    return found


def test_retries_over_days_end_in_a_bounce(start, clock):
    refusing, other = alone.Sink(reply={"rcpt": "451 4.3.0 not now"}), alone.Sink()
    server = start({"b.example": refusing, "*": other})
    began = time.time()
    server.submit(letter("days"), ["bob@b.example"], ALICE)
    tried(server, "b.example", 0)
    while True:
        now = time.time() + clock.ahead()
        if not lab_.until(lambda: (due(server, "b.example") or 0) > now, 1, 0.01):
            break
        time.sleep(REST)
        count = len(tried(server, "b.example", 0))
        at = due(server, "b.example")
        if at is None:
            break
        clock.move(at - time.time() - clock.ahead() - 2)
        time.sleep(0.3 if count < 4 else 0)  # not yet
        clock.move(2.2)
        tried(server, "b.example", count)
        assert count < 100
    assert due(server, "b.example") is None
    assert abs(time.time() + clock.ahead() - began - 5 * DAY) < 300, "the last attempt is at the end of the message's life"
    when = [a["at"] / 1e6 for a in tried(server, "b.example", 0)]
    gaps = [b - a for a, b in zip(when, when[1:])]
    # Up to a quarter is added, so that not all come at once, and taken off where it
    # would be above the longest; the last is cut short by the end.
    for i, gap in enumerate(gaps[:-1]):
        wanted = min(300 * 2 ** i, 4 * HOUR)
        least, most = (wanted, wanted * 1.25) if wanted < 4 * HOUR * 0.8 else (3 * HOUR, 4 * HOUR)
        assert least - 5 <= gap <= most + 5, (i, gaps)
    assert len(gaps) >= 5 * DAY / (4 * HOUR)
    assert lab_.until(lambda: notices(other), SOON)
    notice, = notices(other)
    assert notice.recipients["bob@b.example"]["Status"].startswith("4.")
    assert alone.emptied(server, SOON)
    assert not refusing.got and len(other.got) == 1
    assert time.time() - began < 90
    print(f"{len(when)} attempts in {time.time() - began:.1f} s")


def test_an_hour_of_nothing_is_made_up_for(start, clock):
    """A machine that slept: what came due meanwhile goes at once, each once."""
    sink = alone.Sink(reply={"rcpt": "451 4.3.0 not now"})
    server = start({"*": sink})
    for i in range(30):
        server.submit(letter(f"h{i}", 300 if i % 5 else 300_000), [f"bob@b{i % 3}.example"])
    assert lab_.until(lambda: len(server.history()) >= 30 or all(due(server, f"b{i}.example") for i in range(3)), SOON)
    time.sleep(0.5)
    sink.host.odd.clear()  # for sessions that are open, too
    clock.move(HOUR)
    assert alone.emptied(server, 2 * SOON)
    assert sink.count() == {f"h{i}": 1 for i in range(30)}
    assert not alone.log_lines(server, "role-died")


@pytest.mark.parametrize("by", [HOUR, -DAY], ids=["an-hour-forward", "a-day-back"])
def test_the_clock_is_set_under_load(start, clock, by):
    """Nothing twice, nothing lost, new mail goes; set back, what was on its way is due
    again within the queue's next look at the store."""
    sink = alone.Sink()
    server = start({"*": sink}, **{"smtp.receivers": 2, "send.processes": 2})
    load = alone.Load(server, threads=3)
    assert load.sent(40)
    clock.step(by)
    assert load.sent(120), "no mail is taken after the step"
    load.stop()
    if by < 0 and not lab_.until(lambda: set(load.accepted) <= set(sink.count()), 1):
        clock.move(11 * 60)
    more = alone.check(load, sink)
    assert not more and not load.refused and not load.unknown
    assert alone.emptied(server, 2 * SOON)
    assert not alone.log_lines(server, "role-died")


@pytest.mark.parametrize("by", [HOUR, -DAY], ids=["an-hour-forward", "a-day-back"])
def test_what_waits_survives_a_step(start, clock, by):
    """A deferred message goes when its time has come by the clock that is, and new
    mail to the same domain does not wait for it."""
    sink = alone.Sink(reply={"rcpt": "451 4.3.0 not now"})
    server = start({"*": sink})
    server.submit(letter("old"), ["bob@b.example"])
    tried(server, "b.example", 0)
    assert lab_.until(lambda: due(server, "b.example") > time.time() + 200, SOON)
    sink.host.odd.clear()  # for sessions that are open, too
    clock.step(by)
    time.sleep(0.2)
    server.submit(letter("new"), ["bob@b.example"])
    assert lab_.until(lambda: sink.named("new"), SOON), "new mail is stuck behind the step"
    clock.move(7 * 60)
    if by < 0:
        clock.move(11 * 60)
    assert lab_.until(lambda: sink.named("old"), 2 * SOON), "what was deferred is stuck"
    assert alone.emptied(server, SOON)
    assert sink.count() == {"old": 1, "new": 1}


def test_a_probe_waits_half_a_minute(start, clock):
    """A delivery is patient for minutes; whoever asks is told before."""
    silent = alone.Sink(stall="greeting")
    server = start({"*": silent})
    asked_at = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asking = pool.submit(server.command, "explain", "--json", "bob@b.example", "--probe")
        time.sleep(1)
        assert not asking.done()
        clock.move(28)
        time.sleep(0.5)
        assert not asking.done()
        clock.move(3)
        r = asking.result(20)
    assert r.returncode == 75 and time.monotonic() - asked_at < 20
    probe, = [h["probe"] for h in json.loads(r.stdout)["hosts"]]
    assert probe["error"] == "timed out"


# ---- policies and certificates ----------------------------------------------
def sent(server, domain, name):
    """The attempt that comes of a message."""
    before = len([a for a in server.history() if a["domain"] == domain])
    server.submit(letter(name), [f"{name}@{domain}"])
    return tried(server, domain, before, 20)[before]


def asked(own, domain):
    """How often the policy was fetched."""
    path = own.state + "/log/nginx-access.log"
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as f:
        return len([line for line in f if ".well-known/mta-sts.txt" in line])


def test_a_policy_is_refreshed_and_ends(own_lab, program, clock):  # noqa: F811
    """max_age is a day."""
    domain = "sts-enforce.example"
    zone = Zone(own_lab, domain)
    with lab_.Geleit(own_lab, program, "policy-age") as server:
        try:
            first = sent(server, domain, "first")
            assert first["decision"] == "delivered" and first["plan"]["mta_sts"]["source"] == "fetched"
            fetched = asked(own_lab, domain)
            clock.move(20 * HOUR)  # in the background, with no mail
            assert lab_.until(lambda: asked(own_lab, domain) > fetched, 15), "it is not refreshed before it expires"
            time.sleep(0.5)
            zone.change(HOST_DOWN, NO_RECORD)
            alone.kill(alone.role_pids(server, "resolver"))  # the cache of its library knows real time only
            clock.move(20 * HOUR)  # 40 since the first, 20 since the refresh
            still = sent(server, domain, "still")
            assert still["decision"] == "delivered"
            sts = still["plan"]["mta_sts"]
            assert sts["state"] == "enforce" and sts["source"] in ("cache", "last-good"), sts
            assert still["plan"]["hosts"][0]["requirement"] == "sts"
            clock.move(5 * HOUR)
            over = sent(server, domain, "over")
            sts = over["plan"]["mta_sts"]
            assert sts["state"] != "enforce", sts
            assert over["plan"]["hosts"][0]["requirement"] == "opportunistic"
            assert over["decision"] == "delivered"
            print(sts)
        finally:
            zone.change()
            print(server.log_end())


def test_a_certificate_expires(own_lab, program, clock):  # noqa: F811
    """Under MTA-STS the message waits, and says why."""
    domain = "sts-short.example"
    with lab_.Geleit(own_lab, program, "certificate-age") as server:
        first = sent(server, domain, "valid")
        assert first["decision"] == "delivered", first["reason"]
        clock.move(11 * DAY)
        over = sent(server, domain, "expired")
        assert over["decision"] == "deferred"
        assert over["plan"]["mta_sts"]["state"] == "enforce"
        assert "expired" in str(over["sessions"]) + str(over["reason"]), over
        print(over["reason"], over["sessions"])
        assert not [m for m in own_lab.captured() if f"expired@{domain}" in m["rcpt_to"]]
        clock.move(-11 * DAY)
        print(server.log_end())
