"""What cannot be delivered comes back: once, to the one who sent it, with the
reason in its first line and the parts that RFC 3464 asks for."""
import email
import email.policy
import time

import pytest

import alone
import lab as lab_
import world
from alone import letter

ALICE = "alice@a.example"


@pytest.fixture
def start(serve):
    def make(odd=None, **more):
        sink = alone.Sink(**(odd or {}))
        return serve(alone.options(sink, **more), sink), sink
    return make


def notices(sink, to=ALICE):
    """Messages from the null sender, parsed; each must be one that RFC 3464 knows."""
    out = []
    for raw, facts in list(sink.got):
        if facts["mail_from"] == "" and facts["rcpt_to"] == [to]:
            out.append(Notice(raw))
    return out


class Notice:
    def __init__(self, raw):
        assert raw.isascii()
        self.message = m = email.message_from_bytes(raw, policy=email.policy.default)
        assert not m.defects and m.get_content_type() == "multipart/report", m
        assert m.get_param("report-type") == "delivery-status"
        assert m["Auto-Submitted"] and m["Message-ID"] and m["Date"] and m["From"] and m["To"]
        text, status, original = list(m.iter_parts())
        assert not any(p.defects for p in m.walk())
        assert text.get_content_type() == "text/plain" and status.get_content_type() == "message/delivery-status"
        assert original.get_content_type() in ("text/rfc822-headers", "message/rfc822")
        self.first_line = text.get_content().split("\n")[0]
        groups = status.get_payload()
        assert groups[0]["Reporting-MTA"] == "dns; " + world.SENDER_HOST
        self.recipients = {g["Final-Recipient"].split(";")[1].strip(): g for g in groups[1:]}
        assert all(g["Action"] == "failed" and g["Status"] for g in groups[1:])
        self.original = original.get_content() if original.get_content_type().startswith("text") else str(original)


def one_notice(server, sink, patience=15):
    """Exactly one, and nothing left to do."""
    assert lab_.until(lambda: notices(sink), patience), "no notice came"
    assert alone.emptied(server, 10)
    assert len(notices(sink)) == 1
    return notices(sink)[0]


def test_one_of_several_is_refused(start):
    server, sink = start()
    raw = letter("mixed")
    server.submit(raw, ["good@b.example", "never-x@b.example", "fine@b.example"], ALICE)
    n = one_notice(server, sink)
    assert list(n.recipients) == ["never-x@b.example"]
    got = n.recipients["never-x@b.example"]
    assert got["Status"] == "5.1.1" and "550 5.1.1 no such user here" in got["Diagnostic-Code"]
    assert "550 5.1.1 no such user here" in n.first_line and "never-x@b.example" in str(n.message)
    assert "Subject: mixed" in n.original and "0123456789" not in n.original, "the head comes back, not the body"
    (copy, facts), = sink.named("mixed")
    assert facts["rcpt_to"] == ["good@b.example", "fine@b.example"]
    assert lab_.difference(copy, raw) is None


def test_several_of_one_server_come_back_in_one_notice(start):
    server, sink = start()
    to = [f"never-{i}@b.example" for i in range(30)] + ["good@b.example"]
    server.submit(letter("many"), to, ALICE)
    n = one_notice(server, sink)
    assert sorted(n.recipients) == sorted(to[:-1])
    assert len(sink.named("many")) == 1


def test_each_of_many_messages_comes_back_once_whoever_is_killed(start):
    server, sink = start(**{"smtp.receivers": 2})
    for i in range(40):
        server.submit(letter(f"dead-{i}"), ["never-x@b.example"], f"alice-{i}@a.example")
        if i % 10 == 5:
            alone.kill(alone.role_pids(server, ("receiver", "queue")[i // 10 % 2]))
            assert lab_.until(server._greets, 10)
    assert alone.emptied(server, 60)
    for i in range(40):
        assert len(notices(sink, f"alice-{i}@a.example")) == 1, i


def test_the_null_sender_is_told_nothing(start):
    server, sink = start()
    server.submit(letter("notice-of-another"), ["never-x@b.example"], "")
    server.submit(letter("sentinel"), ["good@b.example"], ALICE)
    assert alone.emptied(server, 10)
    assert sink.count() == {"sentinel": 1}
    assert alone.log_lines(server, " failed ")


def test_a_notice_that_cannot_be_delivered_is_dropped(start):
    server, sink = start()
    server.submit(letter("to-nobody"), ["never-x@b.example"], "never-alice@a.example")
    assert lab_.until(lambda: len(alone.log_lines(server, " failed ")) == 2, 10)
    assert alone.emptied(server, 10)
    assert not sink.got


def test_age_ends_the_patience(start):
    server, sink = start(**{"queue.lifetime": "3s"})
    server.submit(letter("aged"), ["later-x@b.example", "good@b.example"], ALICE)
    began = time.monotonic()
    n = one_notice(server, sink)
    assert time.monotonic() - began > 2
    got = n.recipients["later-x@b.example"]
    assert got["Status"][0] == "4" or got["Status"] == "5.4.7", got["Status"]
    assert "451 4.2.1 not now" in got["Diagnostic-Code"]
    assert "451 4.2.1 not now" in n.first_line
    assert len(sink.named("aged")) == 1


def test_a_server_that_is_never_there(start):
    server, sink = start(**{"queue.lifetime": "3s"})
    sink_route = server.options["send.routes"][0]
    server.stop()
    server.options["send.routes"] = ["b.example [127.0.0.1]:1", sink_route]
    server.start()
    server.submit(letter("nobody-home"), ["bob@b.example"], ALICE)
    n = one_notice(server, sink)
    assert n.recipients["bob@b.example"]["Status"].startswith("4.4.")
    assert "127.0.0.1" in n.first_line


EIGHT = letter("umlaut") + "Grüße\r\n".encode()


def test_eight_bit_mail_does_not_go_where_it_would_be_mangled(start):
    server, sink = start(odd={"extensions": ("PIPELINING", "SIZE 52428800", "ENHANCEDSTATUSCODES")})
    server.submit(EIGHT, ["bob@b.example"], ALICE)
    n = one_notice(server, sink)
    assert n.recipients["bob@b.example"]["Status"] == "5.6.3"
    assert "8BITMIME" in n.first_line and "answered" not in n.first_line
    assert "Diagnostic-Code" not in n.recipients["bob@b.example"], "no server said it"
    assert not sink.named("umlaut")
    server.submit(letter("seven"), ["bob@b.example"], ALICE)
    assert lab_.until(lambda: sink.named("seven"), 10), "7-bit mail goes"


def test_eight_bit_mail_goes_unaltered_where_it_may(start):
    server, sink = start()
    server.submit(EIGHT, ["bob@b.example"], ALICE)
    assert lab_.until(lambda: sink.named("umlaut"), 10)
    raw, facts = sink.named("umlaut")[0]
    assert lab_.difference(raw, EIGHT) is None and "BODY=8BITMIME" in facts["parameters"]["mail"]


def test_too_large_for_the_next_server(start):
    server, sink = start(odd={"size": 5000})
    server.submit(letter("large", 20000), ["bob@b.example"], ALICE)
    n = one_notice(server, sink)
    assert n.recipients["bob@b.example"]["Status"] == "5.3.4"
    assert "SIZE 5000" in n.first_line and "answered" not in n.first_line
    assert not any("DATA" in line for s in sink.ended for line in s["lines"] if "large" in line)
    assert not sink.named("large")


@pytest.mark.parametrize("stage", ["mail", "data", "end"])
def test_refused_at(start, stage):
    server, sink = start()
    other = between(server, sink, reply={stage: f"554 5.7.1 never at {stage}"})
    server.submit(letter("refused"), ["bob@b.example", "carol@b.example"], ALICE)
    n = one_notice(server, sink)
    assert sorted(n.recipients) == ["bob@b.example", "carol@b.example"]
    assert all(r["Status"] == "5.7.1" for r in n.recipients.values())
    assert f"554 5.7.1 never at {stage}" in n.first_line
    assert not sink.named("refused") and not other.got
    other.close()


def test_a_host_that_never_takes_mail(start):
    """521 in the greeting (RFC 7504) returns the message, 554 lets it wait."""
    server, sink = start()
    never = between(server, sink, reply={"greeting": "521 5.3.2 no mail here, ever"})
    server.submit(letter("never"), ["bob@b.example"], ALICE)
    n = one_notice(server, sink)
    assert n.recipients["bob@b.example"]["Status"] == "5.3.2"
    assert "521 5.3.2 no mail here, ever" in n.first_line
    never.close()
    listed = between(server, sink, reply={"greeting": "554 5.7.1 you are on a list"})
    server.submit(letter("listed"), ["carol@b.example"], ALICE)
    assert lab_.until(lambda: [a for a in server.history() if "on a list" in a["reason"]], 10)
    assert [a["decision"] for a in server.history() if "on a list" in a["reason"]][0] == "deferred"
    assert alone.queued(server) == 1 and len(notices(sink)) == 1
    listed.close()


def between(server, sink, **odd):
    """b.example gets a server of its own, an odd one."""
    other = alone.Sink(**odd)
    server.stop()
    server.options["send.routes"] = [f"b.example [127.0.0.1]:{other.port}", f"* [127.0.0.1]:{sink.port}"]
    server.start()
    return other


def test_hostile_text_stays_text(start):
    """What a server answers and what a header holds cannot break the notice."""
    server, sink = start()
    evil = between(server, sink, reply={"rcpt": "550-5.1.1 --boundary\r\n550 5.1.1 \x1b[2J\0" + "é" * 150})
    raw = b"Subject: =?x?q?\x07\r\nX-Long: " + b"y" * 900 + b"\r\nX-Raw: \xff\xfe\r\n" + letter("evil")
    server.submit(raw, ["bob@b.example"], ALICE)
    n = one_notice(server, sink)
    assert "5.1.1" in n.first_line and "\x1b" not in n.first_line
    evil.close()


# ---- loops ------------------------------------------------------------------
@pytest.mark.parametrize("domain", ["mx-self.example", "mx-self-first.example"])
def test_an_mx_that_is_ourselves_is_a_loop(geleit, lab, domain):
    server = geleit()
    server.submit(letter("loop"), ["bob@" + domain])
    a = server.wait_attempt(domain)
    assert a and a["decision"] == "failed"
    assert a["recipients"][0]["status"] == "5.4.6", a["recipients"]
