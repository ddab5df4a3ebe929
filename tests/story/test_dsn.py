"""Delivery status notifications end to end (RFC 3461, 3464, 6533, 8689): who is told
what, by whom, with which words, once, and what the notice returns."""
import contextlib
import email
import email.policy
import json
import quopri
import re
import signal
import time

import pytest

import alone
import lab as lab_
import world
from alone import Talk, letter, stuffed
from parts import smtp_server
from virtual import HOUR, Clock

ALICE = "alice@a.example"
NO_DSN = ("PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8")
ALL = "NOTIFY=SUCCESS,FAILURE,DELAY"
SUBJECTS = {
    "failed": "Your message could not be delivered",
    "delayed": "Your message has not been delivered yet",
    "delivered": "Your message was delivered",
    "relayed": "Your message was passed on",
    "expanded": "Your message was passed on",
}


class Notice:
    """One that any reader of RFC 3464 knows."""

    def __init__(self, raw, facts):
        self.raw, self.facts = raw, facts
        self.message = m = email.message_from_bytes(raw, policy=email.policy.default)
        assert not m.defects and not any(p.defects for p in m.iter_parts()), m
        assert m.get_content_type() == "multipart/report" and m.get_param("report-type") == "delivery-status"
        assert m["Auto-Submitted"] and m["Message-ID"] and m["Date"] and m["From"] and m["To"]
        self.parts = list(m.iter_parts())
        self.text = self.parts[0].get_content()
        self.first_line = self.text.splitlines()[0]
        self.status_type = self.parts[1].get_content_type()
        assert self.status_type in ("message/delivery-status", "message/global-delivery-status")
        text = self.content(1).decode()
        assert text.isascii() == (self.status_type == "message/delivery-status")
        groups = [email.message_from_string(g, policy=email.policy.SMTPUTF8) for g in text.strip().split("\r\n\r\n")]
        self.about = groups[0]
        assert self.about["Reporting-MTA"] == "dns; " + world.SENDER_HOST and self.about["Arrival-Date"]
        self.recipients = {g["Final-Recipient"].split(";")[1].strip(): g for g in groups[1:]}
        self.action, = {g["Action"] for g in groups[1:]}
        assert m["Subject"] in (SUBJECTS[self.action], "A report whose content is left out")
        self.returned = self.parts[2] if len(self.parts) > 2 else None

    def content(self, number):
        """The bytes of a part. Python looks into messages without undoing their encoding."""
        mark = b"--" + self.message.get_boundary().encode()
        head, _, body = self.raw.split(mark)[number + 1].partition(b"\r\n\r\n")
        return quopri.decodestring(body[:-2]) if b"quoted-printable" in head else body[:-2]


@pytest.fixture
def start(serve):
    """make({domain: sink}) with "*" for the rest, which takes the notices."""
    def make(sinks, **more):
        routes = {"send.routes": [f"{d} [127.0.0.1]:{s.port}" for d, s in sinks.items()]}
        return serve(alone.options(None, **{**routes, "smtp.receivers": 1, **more}), *sinks.values())
    return make


def notices(sink, to=ALICE):
    return [Notice(raw, facts) for raw, facts in list(sink.got)
            if facts["mail_from"] == "" and facts["rcpt_to"] == [to]]


def send(server, raw, to, mail="", sender=ALICE, talk=None):
    """Recipients with their parameters; the reply to the end of data."""
    with contextlib.ExitStack() as stack:
        t = talk or stack.enter_context(Talk(server)).greeted()
        assert t.ask(f"MAIL FROM:<{sender}> {mail}".rstrip()).startswith("250")
        for who in to:
            address, _, parameters = who.partition(" ")
            reply = t.ask(f"RCPT TO:<{address}> {parameters}".rstrip())
            assert reply.startswith("250"), reply
        assert t.ask("DATA").startswith("354")
        t.say(stuffed(raw))
        reply = t.reply()
        assert reply.startswith("250"), reply
        return re.search(r"message (\S+) is queued", reply)[1]


def one(server, sink, to=ALICE):
    """Exactly one notice, and nothing left to do."""
    assert lab_.until(lambda: notices(sink, to), 20, 0.05), "no notice came"
    assert alone.emptied(server, 15)
    notice, = notices(sink, to)
    return notice


def none(server, sink, to=ALICE):
    assert alone.emptied(server, 20)
    time.sleep(0.3)
    assert not notices(sink, to)


# ---- success -------------------------------------------------------------------
def test_passed_on_to_a_server_without_dsn(start):
    plain, back = alone.Sink(extensions=NO_DSN), alone.Sink()
    server = start({"b.example": plain, "*": back})
    send(server, letter("relayed"), [f"bob@b.example {ALL} ORCPT=rfc822;Bob+2Bx@b.example", "carol@b.example",
                                     "dave@b.example NOTIFY=FAILURE,DELAY", "eve@b.example NOTIFY=NEVER",
                                     "frank@b.example NOTIFY=SUCCESS"], "ENVID=QQ+2B314 RET=FULL")
    n = one(server, back)
    assert n.action == "relayed" and sorted(n.recipients) == ["bob@b.example", "frank@b.example"]
    got = n.recipients["bob@b.example"]
    assert got["Original-Recipient"] == "rfc822;Bob+x@b.example" and got["Status"][0] == "2"
    assert "Original-Recipient" not in n.recipients["frank@b.example"]
    assert n.about["Original-Envelope-Id"] == "QQ+314"
    assert got["Last-Attempt-Date"] and not got["Will-Retry-Until"]
    assert "in the clear" in n.first_line, "success says how our hop was protected"
    assert n.returned.get_content_type() == "text/rfc822-headers", "success returns headers only (RFC 3461 6.2)"
    assert "RET" not in n.facts["parameters"]["mail"] and "ENVID" not in n.facts["parameters"]["mail"]
    assert not any("NOTIFY=" in p and "NEVER" not in p for p in n.facts["parameters"]["rcpt"])


def test_a_server_with_dsn_tells_itself(start):
    able, back = alone.Sink(), alone.Sink()
    server = start({"b.example": able, "*": back})
    send(server, letter("theirs"), [f"bob@b.example {ALL} ORCPT=rfc822;bob@b.example", "carol@b.example"],
         "ENVID=e1 RET=HDRS")
    none(server, back)
    (_, facts), = able.named("theirs")
    assert "ENVID=e1" in facts["parameters"]["mail"] and "RET=HDRS" in facts["parameters"]["mail"]
    assert facts["parameters"]["rcpt"] == [f"{ALL} ORCPT=rfc822;bob@b.example", ""]


def test_delivered_by_lmtp(start):
    box, back = alone.Sink(extensions=NO_DSN), alone.Sink()
    box.server.lmtp = True
    server = start({"*": back}, **{"local.domains": ["home.example"], "local.lmtp": f"127.0.0.1:{box.port}",
                                   "local.check_mailboxes": False})
    send(server, letter("home"), ["bob@home.example NOTIFY=SUCCESS", "carol@home.example NOTIFY=FAILURE"])
    n = one(server, back)
    assert n.action == "delivered" and list(n.recipients) == ["bob@home.example"]
    assert n.first_line == "delivered to the mailbox"
    assert f":{box.port}" not in n.text, "where mailboxes are is our concern"
    box.close()


def test_success_of_nobody(start):
    plain, back = alone.Sink(extensions=NO_DSN), alone.Sink()
    server = start({"b.example": plain, "*": back})
    send(server, letter("null"), ["bob@b.example NOTIFY=SUCCESS", "never-x@b.example NOTIFY=FAILURE"], sender="")
    assert alone.emptied(server, 15)
    assert len(plain.got) == 1 and not back.got


def test_each_kind_is_a_notice_of_its_own(start):
    plain, back = alone.Sink(extensions=NO_DSN), alone.Sink()
    server = start({"b.example": plain, "*": back})
    send(server, letter("mixed"), [f"bob@b.example {ALL}", f"never-x@b.example {ALL}", "never-y@b.example NOTIFY=SUCCESS",
                                   "never-z@b.example NOTIFY=NEVER"])
    assert lab_.until(lambda: len(notices(back)) == 2, 15)
    assert alone.emptied(server, 10)
    told = {n.action: sorted(n.recipients) for n in notices(back)}
    assert told == {"relayed": ["bob@b.example"], "failed": ["never-x@b.example"]}


# ---- delay ---------------------------------------------------------------------
@pytest.fixture
def clock(tmp_path, monkeypatch):
    return Clock(tmp_path / "clock", monkeypatch)


def attempts(server, count, patience=10):
    assert lab_.until(lambda: len([a for a in server.history() if a["domain"] == "b.example"]) >= count, patience, 0.05)


def test_delay_is_told_once_to_who_did_not_forbid_it(clock, start):
    later, back = alone.Sink(reply={"rcpt": "451 4.7.1 come back"}), alone.Sink()
    server = start({"b.example": later, "*": back}, **{"queue.retry_first": "5m", "queue.retry_longest": "4h"})
    id_ = send(server, letter("late"), ["bob@b.example ORCPT=rfc822;bob@b.example", f"carol@b.example {ALL}",
                                        "dave@b.example NOTIFY=FAILURE", "eve@b.example NOTIFY=NEVER"], "ENVID=late RET=FULL")
    attempts(server, 1)
    time.sleep(0.3)
    clock.move(3.8 * HOUR)
    attempts(server, 2)
    time.sleep(0.5)
    assert not notices(back), "four hours are not over"
    for count in range(3, 6):
        clock.move(5 * HOUR)
        attempts(server, count)
        time.sleep(0.5)
    n, = notices(back)
    assert n.action == "delayed" and sorted(n.recipients) == ["bob@b.example", "carol@b.example"]
    got = n.recipients["bob@b.example"]
    assert got["Status"] == "4.7.1" and got["Original-Recipient"] == "rfc822;bob@b.example"
    retry = email.utils.parsedate_to_datetime(got["Will-Retry-Until"])
    arrived = email.utils.parsedate_to_datetime(n.about["Arrival-Date"])
    assert abs((retry - arrived).total_seconds() - 5 * 24 * HOUR) < 2
    assert n.about["Original-Envelope-Id"] == "late" and got["Last-Attempt-Date"]
    assert "451 4.7.1 come back" in n.first_line and "need not do anything" in n.text
    assert n.returned.get_content_type() == "text/rfc822-headers"
    shown = json.loads(server.command("queue", "show", "--json", id_).stdout)
    assert shown["pending"] == 4 and shown["owed"] == 0
    later.host.odd.clear()
    clock.move(5 * HOUR)
    assert alone.emptied(server, 15)
    assert len(notices(back)) == 1, "who has it in the end and did not ask hears no more (the next server has DSN)"


def test_no_delay_is_told_where_the_operator_says_so(clock, start):
    later, back = alone.Sink(reply={"rcpt": "451 4.7.1 come back"}), alone.Sink()
    server = start({"b.example": later, "*": back}, **{"queue.retry_first": "5m", "queue.retry_longest": "4h",
                                                       "queue.delay_warning": "0"})
    send(server, letter("late"), ["bob@b.example", f"carol@b.example {ALL}"])
    for count in range(1, 4):
        attempts(server, count)
        time.sleep(0.2)
        clock.move(5 * HOUR)
    time.sleep(0.5)
    assert not notices(back)


# ---- what comes back -----------------------------------------------------------
UTF8_HEAD = ("From: Älice <alice@a.example>\r\nSubject: Grüße\r\nMessage-ID: <u@a.example>\r\n\r\n").encode()


@pytest.mark.parametrize("body", ["Hello.\r\n", "Grüße, größer\r\n"], ids=["ascii", "eight-bit"])
def test_the_whole_message_comes_back(start, body):
    back = alone.Sink()
    server = start({"*": back})
    raw = letter("whole") + body.encode()
    send(server, raw, ["never-x@b.example"], "RET=FULL" + ("" if body.isascii() else " BODY=8BITMIME"))
    n = one(server, back)
    assert n.returned.get_content_type() == "message/rfc822"
    assert raw in n.raw, "byte for byte"
    assert ("8bit" if not body.isascii() else "7bit") == n.returned["Content-Transfer-Encoding"]
    assert ("BODY=8BITMIME" in n.facts["parameters"]["mail"]) == (not body.isascii())


def test_the_whole_message_with_utf8_header(start):
    back = alone.Sink()
    server = start({"*": back})
    raw = UTF8_HEAD + "Grüße\r\n".encode()
    with Talk(server) as talk:
        talk.greeted()
        send(server, raw, ["never-x@b.example"], "RET=FULL BODY=8BITMIME SMTPUTF8", talk=talk)
    n = one(server, back)
    assert n.returned.get_content_type() == "message/global" and n.raw.isascii()
    assert raw in n.content(2)


def test_unasked_the_header_comes_back(start):
    back = alone.Sink()
    server = start({"*": back})
    send(server, letter("head"), ["never-x@b.example"])
    n = one(server, back)
    assert n.returned.get_content_type() == "text/rfc822-headers" and b"0123456789abcdef" not in n.raw


def test_unasked_all_comes_back_where_the_operator_says_so(start):
    back = alone.Sink()
    server = start({"*": back}, **{"notice.whole": True})
    send(server, letter("all"), ["never-x@b.example"])
    assert one(server, back).returned.get_content_type() == "message/rfc822"
    send(server, letter("head"), ["never-x@b.example"], "RET=HDRS")
    assert lab_.until(lambda: len(notices(back)) == 2, 15)
    assert notices(back)[1].returned.get_content_type() == "text/rfc822-headers"


def test_too_large_to_come_back(start):
    back = alone.Sink()
    server = start({"*": back}, **{"notice.largest": "10k"})
    send(server, letter("large", 20_000), ["never-x@b.example"], "RET=FULL")
    n = one(server, back)
    assert n.returned.get_content_type() == "text/rfc822-headers" and "too large" in n.text


def test_eight_bit_comes_back_by_a_server_that_takes_none(start):
    back = alone.Sink(extensions=tuple(e for e in smtp_server.USUAL if e not in ("8BITMIME", "SMTPUTF8")))
    good = alone.Sink()
    server = start({"b.example": good, "*": back})
    send(server, letter("eight") + "Grüße\r\n".encode(), ["never-x@b.example"], "RET=FULL BODY=8BITMIME")
    n = one(server, back)
    assert n.returned is None and n.raw.isascii() and n.action == "failed"
    assert "550 5.1.1 no such user here" in n.first_line and "left out" in n.text


def test_the_internationalised_form(start):
    """For a sender who uses SMTPUTF8; who does not gets forms in ASCII."""
    back = alone.Sink()
    server = start({"*": back})
    to = "never-用户@b.example ORCPT=utf-8;never-\\x{7528}\\x{6237}@b.example"
    with Talk(server) as talk:
        send(server, letter("one"), [to], "SMTPUTF8", sender="älice@a.example", talk=talk.greeted())
    u = one(server, back, "älice@a.example")
    assert u.status_type == "message/global-delivery-status" and u.raw.isascii()
    assert u.recipients["never-用户@b.example"]["Original-Recipient"] == "utf-8;never-用户@b.example"
    send(server, letter("two"), ["never-x@b.example ORCPT=utf-8;never-\\x{7528}\\x{6237}@b.example"])
    a = one(server, back)
    assert a.status_type == "message/delivery-status"
    assert a.recipients["never-x@b.example"]["Original-Recipient"] == "utf-8;never-\\x{7528}\\x{6237}@b.example"


# ---- REQUIRETLS ----------------------------------------------------------------
def test_what_may_only_travel_protected(start):
    """Neither the message nor its notice can: the notice goes without what it returned,
    once, and is not lost (RFC 8689 section 5)."""
    there, back = alone.Sink(), alone.Sink()
    server = start({"b.example": there, "*": back})
    with Talk(server) as talk:
        send(server, letter("secret"), ["bob@b.example NOTIFY=SUCCESS,FAILURE"], "REQUIRETLS RET=FULL ENVID=r1",
             talk=talk.greeted().secured())
    n = one(server, back)
    assert not there.got
    assert n.action == "failed" and n.recipients["bob@b.example"]["Status"] == "5.7.10"
    assert "REQUIRETLS needs TLS" in n.first_line and n.about["Original-Envelope-Id"] == "r1"
    assert n.returned is None and "left out" in n.text
    assert b"secret" not in n.raw and b"Subject: secret" not in n.raw
    assert "REQUIRETLS" not in n.facts["parameters"]["mail"]
    assert len([a for a in server.history() if a["domain"] == "a.example"]) == 2, "it was tried protected first"


def insist(server, raw, to, sender):
    """Sends it until it is taken; what is refused is not there."""
    def taken():
        with contextlib.suppress(AssertionError):
            return send(server, raw, to, sender=sender)
    assert lab_.until(taken, 20, 0.2)


# ---- crashes -------------------------------------------------------------------
def test_each_is_told_once_whoever_is_killed(start):
    plain, back = alone.Sink(extensions=NO_DSN), alone.Sink()
    server = start({"b.example": plain, "*": back}, **{"smtp.receivers": 2})
    for i in range(30):
        insist(server, letter(f"m{i}"), [f"bob@b.example {ALL}", f"never-x@b.example {ALL}"], f"alice-{i}@a.example")
        if i % 10 == 5:
            alone.kill(alone.role_pids(server, ("receiver", "queue", "store")[i // 10]))
            assert lab_.until(server._greets, 10)
    assert alone.emptied(server, 60)
    for i in range(30):
        told = sorted(n.action for n in notices(back, f"alice-{i}@a.example"))
        assert set(told) == {"failed", "relayed"}, (i, told)
        assert len(told) == 2, (i, told)


# ---- aliases and lists ---------------------------------------------------------
TABLE = """\
team@home.example: bob, carol@far.example
news@home.example: bob, reader@far.example
owner-news@home.example: carol
one@home.example: dave@far.example
alice.long@home.example: alice
"""


@pytest.fixture
def home(start, tmp_path):
    """home.example with mailboxes behind LMTP, and everything else without DSN."""
    box, out = alone.Sink(extensions=NO_DSN), alone.Sink(extensions=NO_DSN)
    box.server.lmtp = True
    (tmp_path / "aliases").write_text(TABLE)
    (tmp_path / "users").write_text("".join(f"{name}@home.example - - -\n" for name in ("alice", "bob", "carol")))
    server = start({"*": out}, **{
        "local.domains": ["home.example"], "local.lmtp": f"127.0.0.1:{box.port}",
        "alias.files": [str(tmp_path / "aliases")], "users.file": str(tmp_path / "users")})
    yield server, box, out
    box.close()


def test_an_alias_for_several_says_so(home):
    server, box, out = home
    send(server, letter("team"), [f"team@home.example {ALL}", "bob@home.example NOTIFY=FAILURE"])
    n = one(server, out)
    assert n.action == "expanded" and list(n.recipients) == ["team@home.example"]
    assert "carol" not in n.text, "who is behind an address is not told"
    assert len(box.named("team")) == 1 and len(out.named("team")) == 1


def test_a_list_has_it_and_its_owner_hears_the_rest(home):
    server, box, out = home
    send(server, letter("news"), [f"news@home.example {ALL} ORCPT=rfc822;news@home.example"])
    n = one(server, out)
    assert n.action == "delivered" and list(n.recipients) == ["news@home.example"]
    assert n.recipients["news@home.example"]["Original-Recipient"] == "rfc822;news@home.example"
    assert "list" in n.first_line


def test_an_alias_for_one_is_no_news(home):
    server, box, out = home
    send(server, letter("one"), ["one@home.example NOTIFY=SUCCESS"])
    n = one(server, out)
    assert n.action == "relayed" and list(n.recipients) == ["dave@far.example"]
    assert n.recipients["dave@far.example"]["Original-Recipient"] == "rfc822;one@home.example"


def test_a_notice_finds_its_way_through_aliases(home):
    server, box, out = home
    send(server, letter("mine"), ["never-x@far.example"], sender="alice.long@home.example")
    assert lab_.until(lambda: notices(box, "alice@home.example"), 15)
    assert alone.emptied(server, 15)


def test_a_forwarded_message_comes_back_to_who_sent_it(home):
    server, box, out = home
    """The sender that others see is one of ours (SRS); the notice is for who stands behind it."""
    out.host.odd["reply"] = {"data": "554 5.7.1 not here"}
    send(server, letter("forwarded"), ["one@home.example"], sender="alice@home.example")
    assert one(server, box, "alice@home.example").action == "failed"


def test_what_is_owed_is_shown(start):
    later, back = alone.Sink(reply={"rcpt": "451 4.7.1 come back"}), alone.Sink()
    server = start({"b.example": later, "*": back}, **{"queue.retry_first": "1h", "queue.retry_longest": "4h"})
    id_ = send(server, letter("owed"), ["bob@b.example"])
    attempts(server, 1)
    later.host.odd["reply"] = {"rcpt": "550 5.1.1 nobody"}
    alone.kill(alone.role_pids(server, "receiver"), signal.SIGSTOP)
    assert server.command("queue", "retry", id_).returncode == 0
    attempts(server, 2)
    shown = json.loads(server.command("queue", "show", "--json", id_).stdout)
    assert [(r["state"], r["notice"]) for r in shown["recipients"]] == [("owed", "failed")] and shown["owed"] == 1
    assert "failed, and a notice of that is owed" in server.command("queue", "show", id_).stdout
    assert "its sender is about to be told" in server.command("queue", "list").stdout
    alone.kill(alone.role_pids(server, "receiver"), signal.SIGCONT)
    assert one(server, back).action == "failed"
