"""SIGTERM ends what is under way in order; SIGHUP changes what a running server
does, or nothing at all."""
import os
import signal
import ssl
import time

import pytest

import alone
import lab as lab_
from alone import Talk, letter, stuffed
from parts import geleit as conf_


@pytest.fixture
def start(serve):
    def make(odd=None, **more):
        sink = alone.Sink(**(odd or {}))
        return serve(alone.options(sink, **more), sink), sink
    return make


def terminate(server):
    server.process.send_signal(signal.SIGTERM)


def ends_well(server, patience=4):
    roles = alone.role_pids(server)
    assert server.process.wait(patience) == 0
    assert alone.gone(roles, 1)
    assert not alone.log_lines(server, "role-killed") and not alone.log_lines(server, "role-died")


# ---- SIGTERM ----------------------------------------------------------------
def test_nothing_to_do_ends_at_once(start):
    server, _ = start()
    terminate(server)
    ends_well(server)


def test_a_message_under_way_is_finished_and_the_idle_are_sent_away(start):
    server, sink = start()
    silent, idle, busy = (Talk(server) for _ in range(3))
    assert silent.reply().startswith("220")
    idle.greeted().ask("MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>")
    raw = letter("under-way", 400_000)
    busy.in_data().say(stuffed(raw)[:200_000])
    terminate(server)
    for talk in (silent, idle):
        assert talk.reply().startswith("421 4.3.2") and talk.ended()
    with pytest.raises(OSError):
        assert Talk(server).reply() != "", "nobody new is let in"
        raise AssertionError("greeted while draining")
    assert server.process.poll() is None
    busy.say(stuffed(raw)[200_000:])
    assert busy.reply().startswith("250 2.0.0")
    assert busy.reply().startswith("421 4.3.2") and busy.ended()
    ends_well(server)
    server.start()
    assert lab_.until(lambda: sink.named("under-way"), 10)
    assert lab_.difference(sink.named("under-way")[0][0], raw) is None
    assert alone.emptied(server) and sink.count() == {"under-way": 1}


def test_a_delivery_under_way_is_finished(start):
    server, sink = start(odd={"dribble": 0.02})  # each reply takes a while
    server.submit(letter("slow"), ["bob@b.example"])
    time.sleep(0.3)
    terminate(server)
    ends_well(server, 15)
    assert sink.count() == {"slow": 1}
    assert alone.queued(server) == 0, "it was delivered, and the store knows"


def test_under_load_nothing_is_lost_and_nothing_doubled(start):
    server, sink = start(**{"smtp.receivers": 2, "send.processes": 2})
    load = alone.Load(server, limit=10_000)
    for _ in range(3):
        n = len(load.accepted)
        assert load.sent(n + 40)
        terminate(server)
        ends_well(server, 10)
        server.start()
    load.stop()
    assert not alone.check(load, sink)
    assert alone.emptied(server)


def test_sigint_is_as_good(start):
    server, _ = start()
    server.process.send_signal(signal.SIGINT)
    ends_well(server)


# ---- SIGHUP -----------------------------------------------------------------
def write(server, text=None, **changed):
    if text is None:
        server.options.update({k.replace("__", "."): v for k, v in changed.items()})
        text = conf_.text(server.options)
    with open(server.conf, "w", encoding="utf-8") as f:
        f.write(text)


def reload(server, event):
    before = len(alone.log_lines(server, event))
    server.process.send_signal(signal.SIGHUP)
    assert lab_.until(lambda: len(alone.log_lines(server, event)) == before + 1, 5), server.log_end()
    return alone.log_lines(server, event)[-1]


def ehlo_lines(server):
    with Talk(server) as talk:
        talk.reply()
        talk.say("EHLO c.a.example")
        out = [talk.line()]
        while out[-1][3:4] == "-":
            out.append(talk.line())
        return out


BAD = {
    "no syntax": "this is = no configuration {", "unknown option": 'smtp = { frobnicate = 1; };',
    "out of bounds": 'smtp = { max_hops = 1; };', "no such certificate": None, "store elsewhere": None,
}


def bad_text(server, what):
    options = dict(server.options)
    if what == "no such certificate":
        options["tls.certificate"] = server.folder + "/nowhere.pem"
    elif what == "store elsewhere":
        options["store.path"] = server.folder + "/other"
    else:
        return BAD[what]
    return conf_.text(options)


def test_a_bad_configuration_changes_nothing_and_is_said_in_one_line(start):
    server, sink = start(**{"smtp.max_size": "1M"})
    assert lab_.until(lambda: alone.log_lines(server, " serving "), 5)
    good, pids = conf_.text(server.options), sorted(alone.role_pids(server))
    for what in BAD:
        write(server, bad_text(server, what))
        size = os.path.getsize(server.log)
        line = reload(server, "reload-refused")
        with open(server.log, "rb") as f:
            f.seek(size)
            assert f.read().count(b"\n") == 1, f"{what}: {line}"
        assert "why=" in line and "error" in line, what
    assert "250-SIZE 1048576" in ehlo_lines(server)
    assert sorted(alone.role_pids(server)) == pids
    server.submit(letter("after-bad"), ["bob@b.example"])
    assert lab_.until(lambda: sink.named("after-bad"), 10)
    write(server, good)
    reload(server, "reloaded")


def test_a_good_one_is_put_into_force_without_dropping_anybody(start):
    server, sink = start(**{"smtp.max_size": "1M"})
    pids = sorted(alone.role_pids(server))
    idle, busy = Talk(server).greeted(), Talk(server).in_data()
    busy.say(stuffed(letter("across"))[:100])
    other = alone.Sink()
    write(server, smtp__max_size="2M", hostname="new.geleit-lab.example", send__routes=[f"* [127.0.0.1]:{other.port}"])
    reload(server, "reloaded")
    assert lab_.until(lambda: "250-SIZE 2097152" in ehlo_lines(server), 3)
    assert ehlo_lines(server)[0] == "250-new.geleit-lab.example"
    busy.say(stuffed(letter("across"))[100:])
    assert busy.reply().startswith("250 2.0.0")
    assert idle.ask("NOOP").startswith("250")
    assert lab_.until(lambda: other.named("across"), 10), "the new route counts"
    assert sorted(alone.role_pids(server)) == pids, "no role was restarted"
    assert not sink.got
    other.close()


def handshake(talk):
    assert talk.ask("STARTTLS").startswith("220")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    talk.sock = context.wrap_socket(talk.sock)
    talk.file = talk.sock.makefile("rb")
    assert talk.ask("EHLO c.a.example").startswith("250")
    return talk.sock.getpeercert(binary_form=True)


def test_a_new_certificate_is_used_and_old_sessions_go_on(start, here):
    server, sink = start()
    stem = f"{server.folder}/own"
    here.ca.issue((lab_.world.SENDER_HOST,)).write(stem)
    write(server, tls__certificate=stem + ".pem", tls__key=stem + ".key")
    reload(server, "reloaded")
    old, clear = Talk(server).greeted(), Talk(server).greeted()
    first = handshake(old)
    here.ca.issue((lab_.world.SENDER_HOST,)).write(stem)  # renewed in place
    reload(server, "reloaded")

    def renewed():
        with Talk(server) as talk:
            return handshake(talk.greeted()) != first
    assert lab_.until(renewed, 3)
    assert handshake(clear) != first
    for name, talk in (("old", old), ("clear", clear)):
        assert talk.ask("MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA").startswith("354")
        assert talk.ask(stuffed(letter(name))).startswith("250")
    with open(stem + ".key", "w", encoding="ascii") as f:
        f.write("no key")
    assert "why=" in reload(server, "reload-refused")
    with Talk(server) as talk:
        assert handshake(talk.greeted())
    assert lab_.until(lambda: sink.named("old") and sink.named("clear"), 10)


def test_many_reloads_under_load(start):
    server, sink = start(**{"smtp.receivers": 2, "send.processes": 2})
    load = alone.Load(server, limit=10_000)
    for n in range(10):
        assert load.sent(12 * n)
        server.process.send_signal(signal.SIGHUP)
    load.stop()
    assert not load.refused and not load.unknown
    assert not alone.check(load, sink)
    assert not alone.log_lines(server, "role-died")
    assert alone.emptied(server)
