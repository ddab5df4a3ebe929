"""What next servers offer and what messages ask for: DSN, SMTPUTF8, 8BITMIME, SIZE,
REQUIRETLS. What was asked goes on to who offers it, and nothing is sent that a
server did not offer to take."""
import smtplib

import pytest

import alone
import lab as lab_
from alone import letter

ALL = ("PIPELINING", "SIZE 1000000", "8BITMIME", "DSN", "SMTPUTF8")


@pytest.fixture
def start(serve):
    def make(*extensions, **odd):
        sink = alone.Sink(extensions=extensions, **odd)
        return serve(alone.options(sink), sink), sink
    return make


def send(server, raw, recipients, sender="alice@a.example", options=()):
    """`recipients`: address, or (address, parameters). Says exactly that, in UTF-8."""
    with alone.Talk(server) as talk:
        talk.greeted()
        talk.say(" ".join([f"MAIL FROM:<{sender}>", *options]))
        assert talk.reply().startswith("250")
        for one in recipients:
            address, *more = (one,) if isinstance(one, str) else one
            talk.say(" ".join([f"RCPT TO:<{address}>", *more]))
            assert talk.reply().startswith("250")
        assert talk.ask("DATA").startswith("354")
        talk.say(alone.stuffed(raw))
        assert talk.reply().startswith("250")


def told(server, address, patience=20):
    """The last outcome of a recipient that is not deferred."""
    def look():
        return [r for a in server.history() for r in a["recipients"]
                if r["address"] == address and r["outcome"] != "deferred"]
    assert lab_.until(look, patience, 0.1), "nothing was decided"
    return look()[-1]


def test_dsn_goes_on(start):
    server, sink = start(*ALL)
    send(server, letter("dsn"), [("bob@b.example", "NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;B+2Bx@b.example"),
                                 ("eve@b.example", "NOTIFY=NEVER"), "joe@b.example"],
         options=["RET=HDRS", "ENVID=QQ+2B1"])
    assert alone.emptied(server)
    ((_, facts),) = sink.got
    mail = facts["parameters"]["mail"].split()
    assert "RET=HDRS" in mail and "ENVID=QQ+2B1" in mail
    assert facts["parameters"]["rcpt"] == ["NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+2Bx@b.example", "NOTIFY=NEVER", ""]
    assert told(server, "bob@b.example")["taken_by"] == "server-with-dsn"


def test_dsn_stays_here(start):
    """A server without DSN hears nothing of it (RFC 3461 section 5.2.2)."""
    server, sink = start("PIPELINING", "8BITMIME")
    send(server, letter("plain"), [("bob@b.example", "NOTIFY=FAILURE", "ORCPT=rfc822;bob@b.example")],
         options=["RET=FULL", "ENVID=x"])
    assert alone.emptied(server)
    ((_, facts),) = sink.got
    assert facts["parameters"] == {"mail": "", "rcpt": [""]}
    assert told(server, "bob@b.example")["taken_by"] == "server"


def test_dsn_outlives_a_restart(start):
    """What was asked is in the queue, not in a process."""
    server, sink = start(*ALL, reply={"rcpt": "451 4.2.1 not now"})
    send(server, letter("kept"), [("bob@b.example", "NOTIFY=FAILURE", "ORCPT=rfc822;bob@b.example")],
         options=["RET=FULL", "ENVID=again"])
    assert lab_.until(lambda: server.history(), 15, 0.1)
    server.kill()
    sink.host.odd.pop("reply")
    server.start()
    assert alone.emptied(server)
    ((_, facts),) = sink.got
    assert facts["parameters"]["rcpt"] == ["NOTIFY=FAILURE ORCPT=rfc822;bob@b.example"]
    assert {"RET=FULL", "ENVID=again"} <= set(facts["parameters"]["mail"].split())


def test_utf8_where_it_is_offered(start):
    server, sink = start(*ALL)
    raw = letter("x").replace(b"Subject: x", "Subject: grüße".encode())
    send(server, raw, ["müller@b.example"], sender="ålice@a.example", options=["SMTPUTF8", "BODY=8BITMIME"])
    assert alone.emptied(server)
    ((got, facts),) = sink.got
    assert facts["rcpt_to"] == ["müller@b.example"] and facts["mail_from"] == "ålice@a.example"
    assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(facts["parameters"]["mail"].split())
    assert "grüße".encode() in got


@pytest.mark.parametrize("what", ["recipient", "header"])
def test_utf8_where_it_is_not(start, what):
    server, sink = start("PIPELINING", "8BITMIME")
    to = "müller@b.example" if what == "recipient" else "bob@b.example"
    raw = letter("x").replace(b"Subject: x", "Subject: grüße".encode()) if what == "header" else letter("x")
    send(server, raw, [to], options=["SMTPUTF8", "BODY=8BITMIME"])
    r = told(server, to)
    assert r["outcome"] == "failed" and r["status"] == {"recipient": "5.6.7", "header": "5.6.9"}[what]
    assert "not sent to 127.0.0.1: " in r["reason"] and not r["reply"]
    assert all(facts["mail_from"] == "" for _, facts in sink.got)  # the notice alone


def test_u_labels_need_nothing(start):
    """A domain in U-labels is a domain (RFC 6531 section 3.2)."""
    server, sink = start("PIPELINING")
    send(server, letter("idn"), ["bob@bücher.example"], options=["SMTPUTF8"])
    assert lab_.until(lambda: sink.got, 20, 0.1)
    assert sink.got[0][1]["rcpt_to"] == ["bob@xn--bcher-kva.example"]
    assert "SMTPUTF8" not in sink.got[0][1]["parameters"]["mail"]


def test_eight_bits_where_they_are_not_taken(start):
    server, sink = start("PIPELINING")
    send(server, letter("x") + "grüße\r\n".encode(), ["bob@b.example"], options=["BODY=8BITMIME"])
    r = told(server, "bob@b.example")
    assert r["outcome"] == "failed" and r["status"] == "5.6.3" and "8BITMIME" in r["reason"]
    assert lab_.until(lambda: sink.got, 20, 0.1)
    assert all(raw.isascii() for raw, _ in sink.got)  # the notice


def test_too_big(start):
    server, sink = start("PIPELINING", "SIZE 2000", size=2000)
    send(server, letter("big", 5000), ["bob@b.example"])
    r = told(server, "bob@b.example")
    assert r["outcome"] == "failed" and r["status"] == "5.3.4" and "SIZE 2000" in r["reason"]


def test_smtplib_speaks_dsn_to_us_too(start):
    """A client that reads what we offer, and uses it."""
    server, sink = start(*ALL)
    with smtplib.SMTP(server.address, server.port, timeout=20) as client:
        client.ehlo("client.a.example")
        assert client.has_extn("dsn") and client.has_extn("smtputf8")
        client.sendmail("alice@a.example", ["bob@b.example"], letter("lib"), ["RET=HDRS"], ["NOTIFY=FAILURE"])
    assert alone.emptied(server)
    assert sink.got[0][1]["parameters"]["rcpt"] == ["NOTIFY=FAILURE"]


def test_utf8_of_one_recipient_is_not_that_of_others(start):
    server, sink = start("PIPELINING", "8BITMIME")
    send(server, letter("mixed"), ["müller@b.example", "bob@b.example"], options=["SMTPUTF8"])
    assert told(server, "müller@b.example")["status"] == "5.6.7"
    assert told(server, "bob@b.example")["outcome"] == "delivered"
    assert any(facts["rcpt_to"] == ["bob@b.example"] for _, facts in sink.got)


def test_postfix_takes_over_the_reports(lab, geleit):
    """What a real next hop makes of what we pass on: it takes the parameters, and the
    success report is its own to make (RFC 3461 section 5.2.1)."""
    server = geleit()
    to = "bob@plain.example"
    with server.lab.smtp(server.address, server.port) as client:
        client.ehlo()
        assert client.mail("alice@" + lab_.world.SENDER_DOMAIN, ["RET=HDRS", "ENVID=for-postfix"])[0] == 250
        assert client.rcpt(to, ["NOTIFY=FAILURE", f"ORCPT=rfc822;{to}"])[0] == 250
        assert client.data(letter("postfix"))[0] == 250
    attempt = server.wait_attempt("plain.example", good=lambda a: a["decision"] == "delivered")
    assert attempt and attempt["recipients"][0]["taken_by"] == "server-with-dsn"


def test_eight_bits_go_to_the_host_that_takes_them(lab, geleit):
    """What the first host lacks the second may offer; where nobody has it, it fails."""
    server = geleit()
    raw = letter("eight") + "grüße\r\n".encode()
    server.submit(raw, ["bob@some8bit.example", "bob@no8bit.odd.example"])
    attempt = server.wait_attempt("some8bit.example")
    assert attempt and attempt["decision"] == "delivered"
    assert [s["host"] for s in attempt["sessions"]] == ["mx1.some8bit.example", "mx2.some8bit.example"]
    attempt = server.wait_attempt("no8bit.odd.example")
    assert attempt and attempt["decision"] == "failed" and attempt["recipients"][0]["status"] == "5.6.3"
