"""A role that is killed is started again, and no message that was answered 250
is lost or cut short, whoever dies and when."""
import contextlib
import json
import os
import random
import signal
import sqlite3
import time

import pytest

import alone
import lab as lab_

KILLS = 3


@pytest.fixture
def start(serve):
    """A Geleit with a load of messages on it, everything going to a sink."""
    def make(sink=None, load=True, **more):
        sink = sink or alone.Sink()
        server = serve(alone.options(sink, **{"smtp.receivers": 2, "send.processes": 2, **more}), sink)
        return server, sink, alone.Load(server) if load else None
    return make


def kill_one(server, role):
    """Kills a random process of the role; waits for its successor."""
    before = alone.role_pids(server, role)
    victim = random.choice(before)
    alone.kill([victim])

    def back():
        now = alone.role_pids(server, role)
        return len(now) == len(before) and victim not in now
    assert lab_.until(back, 10, 0.02), f"{role} is not started again"


def restart(server, patience=15):
    """All at once, as a power cut does; the port is free when the last of them is gone."""
    roles = alone.role_pids(server)
    server.kill()
    assert alone.gone(roles, 30)
    server.start(patience)


@pytest.mark.parametrize("role", alone.ROLES)
def test_a_role_is_killed_under_load(start, role):
    server, sink, load = start()
    for k in range(KILLS):
        load.sent(20 + 40 * k)
        time.sleep(random.random() * 0.2)
        kill_one(server, role)
    load.sent(170)
    load.stop()
    more = alone.check(load, sink)
    if role not in ("sender", "store"):
        assert not more, f"nobody but sender and store may cause a second copy: {more}"
    assert alone.emptied(server), "the queue does not run empty"
    assert not load.refused or role in ("store", "receiver")
    deaths = alone.log_lines(server, "role-died")
    assert len(deaths) == KILLS, "only the one that was killed died"
    assert lab_.until(lambda: server._greets(), 5)


def test_a_successor_that_comes_late_is_linked_once(start):
    """Its peers ask for a new channel just when it comes: they have got one already."""
    server, _, _ = start(load=False)
    for death in range(4):  # the pauses are 0, 1, 2 and 4 seconds
        victim, = alone.role_pids(server, "resolver")
        alone.kill([victim])
        assert lab_.until(lambda: alone.role_pids(server, "resolver") not in ([], [victim]), 10, 0.02)
    time.sleep(3)
    assert not alone.log_lines(server, "cut-off")
    assert len(alone.log_lines(server, "role-died")) == 4


def test_all_are_killed_at_once(start):
    server, sink, load = start()
    for k in range(2):
        load.sent(60 + 80 * k)
        restart(server)
    load.sent(220)
    load.stop()
    alone.check(load, sink)
    assert alone.emptied(server)


def test_roles_die_with_the_master(start):
    server, _, load = start()
    load.sent(20)
    roles = alone.role_pids(server)
    assert len(roles) == len(alone.ROLES) + 2  # two receivers, two senders
    server.process.kill()
    assert alone.gone(roles, 5), "roles outlive their master"
    load.stop()


def test_all_roles_are_killed_but_the_master(start):
    server, sink, load = start()
    load.sent(30)
    alone.kill(alone.role_pids(server))
    assert lab_.until(lambda: len(alone.role_pids(server)) == len(alone.ROLES) + 2, 10)
    load.sent(120)
    load.stop()
    alone.check(load, sink)
    assert alone.emptied(server)
    assert server.process.poll() is None


def test_more_than_the_window_holds_goes_out_at_once(start):
    """What did not fit is asked for when there is room, not at the next look ahead."""
    sink = alone.Sink(dribble=0.003)
    server, _, _ = start(sink=sink, load=False, **{"queue.window": 100})
    load = alone.Load(server, threads=8, limit=500, sizes=(300,))
    assert load.sent(500, 60)
    load.stop()
    print(f"{len(sink.count())} of 500 had come by then")
    assert lab_.until(lambda: len(sink.count()) == 500, 60), f"{len(sink.count())} came, the rest waits"
    assert not alone.check(load, sink) and alone.emptied(server)


def test_a_message_that_senders_die_of_backs_off(start):
    """Once is chance and is tried again at once; twice is an attempt, with its reason."""
    sink = alone.Sink(stall="greeting")
    server, _, _ = start(sink=sink, load=False, **{"send.processes": 1, "queue.retry_first": "60s",
                                                   "queue.retry_longest": "60s"})
    server.submit(alone.letter("poison"), ["bob@b.example"])
    for death in (1, 2):
        assert lab_.until(lambda: sink.connections >= death, 15), "it is not tried again"
        kill_one(server, "sender")
    assert lab_.until(lambda: server.history(), 5)
    time.sleep(5)
    attempt, = server.history()
    assert attempt["decision"] == "deferred" and "died" in attempt["reason"]
    assert attempt["plan"] is None and attempt["sessions"] == []
    assert len(alone.log_lines(server, "attempt-lost")) == 1 and sink.connections == 2
    shown, = json.loads(server.command("queue", "list", "--json").stdout)
    assert "died" in str(shown)


def test_what_cannot_be_loaded_is_said(start):
    """An envelope that is damaged: each time it is asked for, with its id."""
    sink = alone.Sink(stall="greeting")
    server, _, _ = start(sink=sink, load=False)
    server.submit(alone.letter("damaged"), ["bob@b.example"])
    server.stop()
    with contextlib.closing(sqlite3.connect(f"{server.store}/queue.db")) as db, db:
        db.execute("UPDATE message SET digest = x'00'")
        number = db.execute("SELECT id FROM message").fetchone()[0]
    server.start()
    assert lab_.until(lambda: alone.log_lines(server, "message-not-loaded"), 5)
    line = alone.log_lines(server, "message-not-loaded")[0]
    assert f"id={number:x} " in line and "damaged" in line
    assert "again_in_s=60 " in line and "geleit queue delete" in line
    assert not alone.log_lines(server, "role-died") and alone.queued(server) == 1
    done = server.command("queue", "delete", "--yes", f"{number:x}")
    assert done.returncode == 0, done.stderr
    assert alone.emptied(server, 5)


# ---- one that hangs ---------------------------------------------------------
def wait_for_hang(server, role, patience):
    """Stops a process of the role, as a deadlock would; waits for its successor."""
    victim = alone.role_pids(server, role)[0]
    before = len(alone.role_pids(server, role))
    os.kill(victim, signal.SIGSTOP)
    begun = time.monotonic()
    assert lab_.until(lambda: alone.log_lines(server, "role-hangs"), patience), f"{role} hangs unnoticed"
    took = time.monotonic() - begun
    assert lab_.until(lambda: len(alone.role_pids(server, role)) == before, 10, 0.02)
    assert victim not in alone.role_pids(server, role)
    line, = alone.log_lines(server, "role-hangs")
    assert f" role={role} " in line and f"process={victim}" in line and "killed" in line, line
    assert "role-died" in server.log_end(10**6)
    return took


@pytest.mark.parametrize("role", ["receiver", "sender", "resolver", "queue", "store"])
def test_a_role_that_hangs_is_replaced(start, role):
    server, sink, load = start(**{"roles.patience": "2s"})
    assert load.sent(20)
    took = wait_for_hang(server, role, 25)
    assert took > (8 if role == "store" else 1.4), "no patience: the disk may be slow"
    assert load.sent(120, 40)
    load.stop(40)
    alone.check(load, sink)
    assert alone.emptied(server)
    assert len(alone.log_lines(server, "role-died")) == 1, "only the one that hung"


def test_a_pause_of_everything_kills_nobody(start):
    """A machine that sleeps, a terminal's Ctrl-Z: the time counts for nobody."""
    server, sink, load = start(**{"roles.patience": "1s"})
    assert load.sent(20)
    pids = alone.role_pids(server)
    for number in (signal.SIGSTOP, signal.SIGCONT):
        os.kill(server.process.pid, number)
        alone.kill(pids, number)
        time.sleep(3)
    load.stop()
    assert sorted(alone.role_pids(server)) == sorted(pids)
    assert not alone.log_lines(server, "role-hangs")
    alone.check(load, sink)


def test_nobody_is_killed_where_patience_is_without_end(start):
    server, _, _ = start(load=False, **{"roles.patience": "0"})
    victim, = alone.role_pids(server, "resolver")
    os.kill(victim, signal.SIGSTOP)
    time.sleep(3)
    assert alone.role_pids(server, "resolver") == [victim]
    os.kill(victim, signal.SIGCONT)


# ---- the marathon -----------------------------------------------------------
STRETCH = 50  # kills, then everything is counted
MARATHON_SIZES = (300,) * 9 + (9000,) * 4 + (70_000, 300_000)


def one_role(server):
    """A random process of a random role; None: it pauses after several deaths in a row."""
    role = random.choice(alone.ROLES)
    victims = alone.role_pids(server, role)
    if not victims:
        return None
    alone.kill([random.choice(victims)])
    return role


def every_role(server):
    alone.kill(alone.role_pids(server))
    return "every role"


def everything(server):
    restart(server, 30)
    return "everything"


def stretch(server, sink, kills, tally):
    """Kills under load; then all that was accepted must have come, whole."""
    load = alone.Load(server, limit=10**6, sizes=MARATHON_SIZES, pause=0.05)
    done, copies = {}, 0
    while sum(done.values()) < kills:
        how = random.choices((one_role, every_role, everything), (46, 2, 2))[0]
        killed = how(server)
        if killed:
            done[killed] = done.get(killed, 0) + 1
        time.sleep(random.random() * 0.3)
    load.stop(60)
    copies = alone.check(load, sink)
    assert alone.emptied(server, 120), "the queue does not run empty"
    if not set(done) & {"sender", "store", "every role", "everything"}:
        assert not copies, f"nobody who died may cause a second copy: {copies}"
    for name, n in done.items():
        tally[name] = tally.get(name, 0) + n
    for name, n in (("accepted", len(load.accepted)), ("unanswered", len(load.unknown)),
                    ("refused", len(load.refused)), ("came twice", len(copies))):
        tally[name] = tally.get(name, 0) + n
    with sink.lock:
        sink.got.clear()
        sink.ended.clear()


@pytest.mark.soak
def test_a_marathon_of_kills(start, capsys):
    """SOAK_KILLS times, whoever, whenever; now and then all at once."""
    kills = int(os.environ.get("SOAK_KILLS", "2000"))
    server, sink, _ = start(load=False)
    tally, began, done = {}, time.monotonic(), 0
    while done < kills:
        stretch(server, sink, min(STRETCH, kills - done), tally)
        done += min(STRETCH, kills - done)
        with capsys.disabled():
            print(f"\n{done} kills in {time.monotonic() - began:.0f} s:", ", ".join(f"{k} {v}" for k, v in tally.items()))
