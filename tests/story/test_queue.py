"""`geleit queue` and `geleit policy`: what waits, why, and what is done about it."""
import json
import re

import pytest

import lab as lab_
import world

LETTER = b"From: alice@geleit-lab.example\r\nSubject: queue\r\n\r\nhello\r\n"


@pytest.fixture
def server(geleit):
    return geleit(queue__retry_first="1h", queue__retry_longest="1h")


def ask(server, *args, status=0):
    r = server.command(*args[:1], "--json", *args[1:])
    assert r.returncode == status, (r.returncode, r.stdout, r.stderr)
    if status == 0:
        assert r.stderr == ""
        return json.loads(r.stdout)
    assert r.stderr.startswith("geleit: ") and len(r.stderr.splitlines()) == 1, r.stderr
    return r


def submit(server, *recipients, letter=LETTER):
    """The id that the 250 told."""
    reply = server.submit(letter, recipients)
    return re.search(rb"message ([0-9a-f]+) is queued", reply[1]).group(1).decode()


def deferred(server, domain="sts-mismatch.example", **kw):
    id_ = submit(server, "bob@" + domain, **kw)
    assert server.wait_attempt(domain, 20, lambda a: a["message"] == int(id_, 16))
    assert lab_.until(lambda: "sts" in str(one(server, id_)["reason"]) or one(server, id_)["reason"], 10)
    return id_


def one(server, id_):
    return next(m for m in ask(server, "queue", "list") if m["id"] == id_)


def test_an_empty_queue(server):
    assert ask(server, "queue", "list") == []
    r = server.command("queue", "list")
    assert r.returncode == 0 and r.stdout == "The queue is empty.\n"


def test_one_id_everywhere(server):
    id_ = deferred(server)
    m = one(server, id_)
    assert m["sender"] == "alice@" + world.SENDER_DOMAIN and m["recipients"] == ["bob@sts-mismatch.example"]
    assert (m["pending"], m["owed"], m["held"]) == (1, 0, 0)
    assert m["due"] and 0 <= m["age_s"] < 60 and m["size"] > len(LETTER)
    assert "does not list the host" in m["reason"]
    assert server.history()[-1]["message"] == int(id_, 16)
    with open(server.log, encoding="utf-8") as f:
        log = f.read()
    assert f"message-accepted id={id_} " in log and f"deferred id={id_} " in log


def test_the_received_field_has_the_id_too(lab, server):
    id_ = submit(server, "received@plain.example")
    assert lab_.until(lambda: [m for m in lab.captured() if "received@plain.example" in m["rcpt_to"]], 20)
    got = [m for m in lab.captured() if "received@plain.example" in m["rcpt_to"]][0]
    assert re.search(rb"^\s.*\bid " + id_.encode() + rb"\b", got["raw"].split(b"\r\n\r\n")[0], re.M | re.S)
    shown = ask(server, "queue", "show", id_)  # delivered, and still known
    assert shown["in_queue"] is False and shown["attempts"][0]["decision"] == "delivered"


def test_show_tells_every_attempt(server):
    id_ = deferred(server, "mitm.example")
    m = ask(server, "queue", "show", id_)
    assert m["in_queue"] and m["client"] == "127.0.0.1" or m["client"]
    assert m["recipients"][0]["state"] == "pending" and m["recipients"][0]["attempts"] == 1
    attempt = m["attempts"][0]
    assert attempt["plan"]["recipient_domain"] == "mitm.example"
    assert attempt["sessions"][0]["tlsrpt_result_type"] == "starttls-not-supported"
    r = server.command("queue", "show", id_)
    assert r.returncode == 0
    for words in ("TLS is mandatory and the server does not offer it", "mx.mitm.example", "RFC 7672", "pending"):
        assert words in r.stdout


def test_retry_is_now(server):
    id_ = deferred(server)
    before = len(server.history())
    assert ask(server, "queue", "retry", id_) == [{"id": id_, "recipients": 1}]
    assert lab_.until(lambda: len(server.history()) > before, 10)
    assert lab_.until(lambda: ask(server, "queue", "show", id_)["recipients"][0]["attempts"] == 2, 5)


def test_held_is_not_tried_until_released(server):
    id_ = deferred(server)
    before = len(server.history())
    assert ask(server, "queue", "hold", id_) == [{"id": id_, "recipients": 1}]
    assert one(server, id_)["held"] == 1 and one(server, id_)["due"] is None
    assert ask(server, "queue", "retry", id_) == [{"id": id_, "recipients": 0}]
    assert not lab_.until(lambda: len(server.history()) > before, 2)
    server.kill()  # it is still held when the server comes again
    server.start()
    assert one(server, id_)["held"] == 1
    assert ask(server, "queue", "release", id_) == [{"id": id_, "recipients": 1}]
    assert lab_.until(lambda: len(server.history()) > before, 10)


def test_delete_needs_a_yes(server):
    id_ = deferred(server)
    r = ask(server, "queue", "delete", id_, status=2)
    assert "--yes" in r.stderr
    assert one(server, id_)
    assert ask(server, "queue", "delete", "--yes", id_) == [{"id": id_, "recipients": 1}]
    assert ask(server, "queue", "list") == []
    r = ask(server, "queue", "retry", id_, status=1)
    assert r.stderr == f"geleit: no message {id_} is in the queue\n"
    assert ask(server, "queue", "show", id_)["in_queue"] is False, "its history stays"
    server.stop()
    server.start()
    assert ask(server, "queue", "list") == []


def test_several_at_once_and_one_that_is_not(server):
    a, b = deferred(server), submit(server, "carol@sts-mismatch.example")
    r = server.command("queue", "--json", "hold", a, "7fffffff", b)
    assert r.returncode == 1 and "7fffffff" in r.stderr
    assert [m["id"] for m in json.loads(r.stdout)] == [a, b]


def test_a_long_list_comes_whole(server):
    with server.lab.smtp(server.address, server.port) as client:
        client.ehlo()
        for i in range(450):
            client.sendmail("alice@" + world.SENDER_DOMAIN, [f"u{i}@sts-mismatch.example"], LETTER.decode())
    rows = ask(server, "queue", "list")
    assert len(rows) == 450 and len({m["id"] for m in rows}) == 450
    assert server.command("queue", "list").stdout.endswith("450 messages.\n")


@pytest.mark.parametrize("args", [("queue",), ("queue", "lst"), ("queue", "show"), ("queue", "show", "xyz"),
                                  ("queue", "show", "0"), ("queue", "show", "1", "2"), ("queue", "list", "1"),
                                  ("queue", "retry"), ("queue", "retry", "1" * 17), ("policy", "show"),
                                  ("policy", "show", "no domain"), ("policy", "list", "a.example"),
                                  ("policy", "shw", "a.example"), ("policy", "refresh", "-.example")])
def test_nonsense_gets_one_sentence(server, args):
    r = ask(server, *args, status=2)
    assert r.stdout == ""


def test_an_unknown_id(server):
    for verb in ("show", "retry", "hold", "release"):
        assert "deadbeef" in ask(server, "queue", verb, "deadbeef", status=1).stderr
    ask(server, "queue", "show", "ffffffffffffffff", status=1)


def test_without_a_server(lab, program):
    r = lab.run([program, "queue", "list", "-o", "store.path=/no/where"])
    assert r.returncode == 75 and r.stdout == ""
    assert r.stderr.startswith("geleit: no server answers at /no/where/control.sock")


# ---- policies ----------------------------------------------------------------
def test_policies_are_kept_and_shown(server):
    assert ask(server, "policy", "list") == []
    assert server.command("policy", "list").stdout == "No MTA-STS policy is kept.\n"
    assert server.command("explain", "bob@sts-enforce.example").returncode == 0
    assert server.command("explain", "bob@sts-wildcard.example").returncode == 0
    assert lab_.until(lambda: len(ask(server, "policy", "list")) == 2, 5)
    p = ask(server, "policy", "show", "STS-Enforce.example")
    assert p["mode"] == "enforce" and p["mx"] == ["mx.sts-enforce.example"] and p["id"] == "lab1"
    assert p["source"] == "cache" and not p["expired"] and 0 <= p["age_s"] < 60
    assert 86000 < p["expires_in_s"] <= p["max_age"] == 86400
    assert p["content"].startswith("version: STSv1\r\n")
    shown = server.command("policy", "show", "sts-enforce.example").stdout
    assert "version: STSv1" in shown and "enforce" in shown
    ask(server, "policy", "show", "plain.example", status=1)


def test_refresh_fetches(lab, server):
    p = ask(server, "policy", "refresh", "sts-enforce.example")
    first = p["fetched"]
    assert p["mode"] == "enforce"
    assert ask(server, "policy", "refresh", "sts-enforce.example")["fetched"] > first
    ask(server, "policy", "refresh", "plain.example", status=1)
    r = ask(server, "policy", "refresh", "sts-web-404.example", status=75)
    assert "404" in r.stderr
