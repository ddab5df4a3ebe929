"""TLS reports out: signed as RFC 8460 wants them, complete, and there in spite of what they say."""
import contextlib
import json
import os
import re
import smtplib
import time
import types

import dkim
import pytest

import lab as lab_
import test_auth as auth
import world
from test_reports import FROM, OPTIONS, clock, command, document, letter, queued  # noqa: F401 (a fixture)
from virtual import DAY

AUTHOR = "reports.example"
START = f"reports@{AUTHOR}"


@pytest.fixture
def server(clock, geleit, request):  # noqa: F811 (the clock is there before the server)
    return geleit(re.sub(r"\W+", "-", request.node.name), options=OPTIONS)


def arrived(lab, about, sender, patience=15):
    """Reports about a domain: (host, raw)."""
    found = []

    def look():
        found[:] = [(m["host"], m["raw"]) for m in lab.captured() if m["mail_from"] == sender
                    and f"\r\nTLS-Report-Domain: {about}\r\n".encode() in m["raw"]]
        return bool(found)
    lab_.until(look, patience)
    return found


# ---- signatures -----------------------------------------------------------------
KEYS = {"mail": "email", "tls": "tlsrpt"}


@pytest.fixture
def signing(lab, clock, geleit, monkeypatch):  # noqa: F811
    """signing(selectors): a server with these keys of reports.example in its folder, active."""
    monkeypatch.setattr(dkim, "time", types.SimpleNamespace(time=lambda: time.time() + clock.ahead()))

    def make(name, *selectors, **more):
        server = geleit(name, options={**more, **OPTIONS, "report.from": START, "hostname": "mx." + AUTHOR})
        folder = os.path.join(server.store, "keys")
        os.makedirs(folder, 0o700, exist_ok=True)

        def put(name, data):
            with open(os.open(os.path.join(folder, name + ".new"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
                f.write(data)
            os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))
        for s in selectors:
            with open(auth.key(lab, s, AUTHOR), "rb") as f:
                put(f"{s}._domainkey.{AUTHOR}.key", f.read())
            put(f"{s}._domainkey.{AUTHOR}.state", "".join(f"{line}\n" for line in (
                f"domain {AUTHOR}", f"selector {s}", "algorithm rsa-sha256", "bits 2048", "public AAAA",
                f"services {KEYS[s]}", "created 2026-01-01T00:00:00.000Z", "seen 2026-01-02T00:00:00.000Z",
                "active 2026-01-02T00:00:00.000Z")).encode())
        assert lab_.until(lambda: f"keys-loaded keys={len(selectors)}" in server.log_end(), 10), server.log_end()
        return server
    return make


def signatures(lab, raw, report):
    """Selectors of the signatures, each of which is good for what the mail is."""
    raw = raw[raw.index(b"DKIM-Signature:"):]
    fields = [re.sub(rb"\s+", b"", f) for f in re.findall(rb"(?im)^DKIM-Signature:((?:.|\r\n[ \t])*)\r\n", raw)]
    selectors = [re.search(rb";s=([^;]+)", f)[1].decode() for f in fields]
    for i, s in enumerate(selectors):
        assert b"d=" + AUTHOR.encode() in fields[i] and b";l=" not in fields[i]  # RFC 8460 section 3
        if report:
            signed = re.search(rb";h=([^;]+)", fields[i])[1].lower().split(b":")
            assert {b"tls-report-domain", b"tls-report-submitter"} <= set(signed)  # section 5.3
        kind = "strict" if s == "tls" else report
        assert dkim.DKIM(raw, tlsrpt=kind).verify(idx=i, dnsfunc=auth.dns_of(lab)), s
    return set(selectors)


@pytest.mark.parametrize("keys, of_report, of_mail", [(("mail", "tls"), {"mail", "tls"}, {"mail"}),
                                                      (("tls",), {"tls"}, set()), (("mail",), {"mail"}, {"mail"})])
def test_a_key_signs_for_its_service(signing, clock, lab, keys, of_report, of_mail):  # noqa: F811
    server = signing("sign-" + "-".join(keys), *keys)
    before = len(lab.captured("mx.sts-enforce.example"))
    server.submit(auth.letter("ordinary", AUTHOR), ["bob@sts-enforce.example"], f"ann@{AUTHOR}")
    assert lab_.until(lambda: len(lab.captured("mx.sts-enforce.example")) > before, 20), server.log_end()
    mail = lab.captured("mx.sts-enforce.example")[-1]["raw"]
    assert (signatures(lab, mail, False) if of_mail else b"DKIM-Signature" in mail) == (of_mail or False)
    seen = len(arrived(lab, "sts-enforce.example", START, 0))
    clock.move(700)
    assert lab_.until(lambda: len(arrived(lab, "sts-enforce.example", START, 0)) > seen, 15), server.log_end()
    raw = arrived(lab, "sts-enforce.example", START)[-1][1]
    assert signatures(lab, raw, True) == of_report
    assert document(raw)[1]["contact-info"] == START
    complete(document(raw)[1])


def test_a_dmarc_report_is_mail(signing, clock, lab):  # noqa: F811
    """Its readers look at its own DMARC result (RFC 9990 section 3.5.2)."""
    author = "rua-agreed.example"
    server = signing("sign-dmarc", "mail", "tls", **auth.options())
    with contextlib.suppress(smtplib.SMTPException):
        auth.give(server, auth.letter("forged", author), auth.OTHER_CLIENT, "x@" + author)
    clock.move(700)
    found = []

    def look():
        found[:] = [m["raw"] for m in lab.captured() if m["mail_from"] == START
                    and f"Report Domain: {author}".encode() in m["raw"]]
        return bool(found)
    assert lab_.until(look, 15), server.log_end()
    assert signatures(lab, found[0], False) == {"mail"}
    assert f"From: \"Geleit Lab\" <{START}>\r\n".encode() in found[0]


# ---- what RFC 8460 section 4.4 has, and nothing else ------------------------------
TEXTS = {"result-type", "sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip",
         "failure-reason-code"}


def complete(told):
    """Every field that must be there is, in its form, and no other."""
    assert set(told) == {"organization-name", "date-range", "contact-info", "report-id", "policies"}
    assert set(told["date-range"]) == {"start-datetime", "end-datetime"}
    day = told["date-range"]["start-datetime"][:10]
    assert told["date-range"] == {"start-datetime": day + "T00:00:00Z", "end-datetime": day + "T23:59:59Z"}
    assert told["report-id"].count("@") == 1
    for p in told["policies"]:
        assert set(p) - {"failure-details"} == {"policy", "summary"}
        policy, summary = p["policy"], p["summary"]
        assert set(policy) <= {"policy-type", "policy-string", "policy-domain", "mx-host"}
        assert policy["policy-type"] in ("tlsa", "sts", "no-policy-found")
        if policy["policy-type"] != "no-policy-found":
            assert policy["policy-string"] and all(isinstance(s, str) for s in policy["policy-string"])
        assert isinstance(policy["mx-host"], list) and policy["policy-domain"] == policy["policy-domain"].lower()
        assert set(summary) == {"total-successful-session-count", "total-failure-session-count"}
        assert all(isinstance(n, int) for n in summary.values())
        details = p.get("failure-details", [])
        assert bool(details) == bool(summary["total-failure-session-count"])
        for d in details:
            assert set(d) - {"failure-reason-code"} == TEXTS - {"failure-reason-code"} | {"failed-session-count"}
            assert isinstance(d["failed-session-count"], int) and all(isinstance(d[t], str) for t in TEXTS & set(d))


# ---- in spite of what they say --------------------------------------------------
@pytest.mark.parametrize("domain, kind, result", [("tlsrpt-dane.example", "tlsa", "validation-failure"),
                                                  ("tlsrpt-sts.example", "sts", "certificate-not-trusted")])
def test_the_report_arrives_where_mail_does_not(server, clock, lab, domain, kind, result):  # noqa: F811
    host = f"mx.{domain}"
    server.submit(letter("waits"), [f"bob@{domain}"])
    assert server.wait_attempt(domain, 20)["decision"] != "deliver"
    waiting, = json.loads(server.command("queue", "--json", "list").stdout)
    assert server.command("queue", "delete", "--yes", waiting["id"]).returncode == 0
    clock.move(700)
    assert lab_.until(lambda: ("tlsrpt", domain) in queued(server), 20, 0.1), server.log_end()
    got = arrived(lab, domain, FROM)
    assert [h for h, _ in got] == [host], server.log_end()
    assert not [m for m in lab.captured(host) if b"Subject: waits" in m["raw"]]
    mail, told = document(got[0][1])
    complete(told)
    assert mail["TLS-Required"] == "No" and mail["To"] == f"<tls@{domain}>"
    policy, = told["policies"]
    assert policy["policy"]["policy-type"] == kind
    tried = policy["summary"]["total-failure-session-count"]
    assert tried >= 1 and policy["summary"]["total-successful-session-count"] == 0
    detail, = policy["failure-details"]
    assert detail["result-type"] == result and detail["failed-session-count"] == tried
    assert detail["receiving-mx-hostname"] == host == detail["receiving-mx-helo"]
    assert detail["receiving-ip"] == world.HOSTS[host].address and detail["sending-mta-ip"].startswith("127.")
    # The session that brought the report is in none (section 3).
    assert lab_.until(lambda: any(a["sender"] == FROM and a["domain"] == domain for a in server.history()), 10)
    left = json.loads(command(server, "preview", "--json"))["reports"]
    assert domain not in [r["domain"] for r in left], left
    before = len(queued(server))
    clock.move(DAY)
    time.sleep(2)
    assert len(queued(server)) == before
