"""Reports of others that come by mail to an address of ours: taken in once, or put aside with one
sentence, whatever they are packed in and whatever dies meanwhile."""
import base64
import gzip
import io
import itertools
import json
import os
import smtplib
import zipfile

import pytest

import alone
import lab as lab_
import test_auth as auth
from test_report_files import RECORD, XML
from world import GOOD_CLIENT, OTHER_CLIENT

HERE = "reports.intake.example"  # of nobody's DNS
TO, BY_ALIAS = "tls@" + HERE, "reports@lists.intake.example"
NUMBER = itertools.count(1)
ENTITIES = "".join(f'<!ENTITY l{i} "{"&l%d;" % (i - 1) * 10}">' for i in range(1, 10))
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE feedback [<!ENTITY l0 "lol">{ENTITIES}]><feedback>&l9;</feedback>'


def options(tmp_path_factory, **more):
    aliases = tmp_path_factory.mktemp("intake") / "aliases"
    aliases.write_text(f"{BY_ALIAS}: {TO}\n")
    return auth.options(**{"report.addresses": [TO, "dmarc@" + HERE], "alias.files": [str(aliases)],
                           "alias.domains": ["lists.intake.example"], "queue.retry_first": "1s",
                           "queue.retry_longest": "2s", **more})


@pytest.fixture(scope="module")
def server(lab, program, tmp_path_factory):
    with lab_.Geleit(lab, program, "intake", options=options(tmp_path_factory)) as s:
        yield s
        assert "ERROR: AddressSanitizer" not in s.log_end(1 << 24)
    print(s.log_end())


def tls(number, good=5):
    return json.dumps({
        "organization-name": "Sender Inc.", "contact-info": "tls@" + auth.GOOD, "report-id": f"tls-{number}",
        "date-range": {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"},
        "policies": [{"policy": {"policy-type": "no-policy-found", "policy-domain": "geleit-lab.example"},
                      "summary": {"total-successful-session-count": good, "total-failure-session-count": 0}}]}).encode()


def dmarc(number, records=1, pad=0):
    text = "".join(RECORD % (i % 250 + 1) + " " * pad for i in range(records))
    return (XML % text).replace("<report_id>7<", f"<report_id>dmarc-{number}<").encode()


def zipped(*files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files:
            z.writestr(name, data)
    return out.getvalue()


def mail(data, kind="application/gzip", name="r", author=auth.GOOD, submitter=None, more=b""):
    """A mail with one attachment."""
    n = next(NUMBER)
    head = (f"From: Reports <reports@{author}>\r\nTo: {TO}\r\nSubject: Report {n}\r\n"
            f"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <intake-{n}@{author}>\r\nMIME-Version: 1.0\r\n")
    if submitter:
        head += f"TLS-Report-Domain: geleit-lab.example\r\nTLS-Report-Submitter: {submitter}\r\n"
    body = base64.encodebytes(data).replace(b"\n", b"\r\n")
    part = (f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n"
            f"--b\r\nContent-Type: {kind}; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    return head.encode() + more + part.encode() + body + b"\r\n--b--\r\n"


def give(server, raw, to=TO, source=GOOD_CLIENT):
    return server.submit(raw, [to] if isinstance(to, str) else to, "reports@" + auth.GOOD, source=source)


def asked(server, *words):
    done = server.command("report", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def taken(server):
    return {r["report"]: r for r in json.loads(asked(server, "list", "--json"))}


def aside(server):
    return json.loads(asked(server, "aside", "--json"))


def is_taken(server, report, patience=30):
    assert lab_.until(lambda: report in taken(server), patience, 0.1), server.log_end()
    return taken(server)[report]


def put_aside(server, raw, source=GOOD_CLIENT):
    """Sends what is put aside, and returns the entry."""
    before = {a["id"] for a in aside(server)}
    give(server, raw, source=source)

    def fresh():
        return [a for a in aside(server) if a["id"] not in before]
    assert lab_.until(fresh, 60, 0.1), server.log_end()
    one, = fresh()
    return one


# ---- TLS reports: who signed --------------------------------------------------
def test_a_signed_tls_report_is_taken_in(lab, server):
    report = gzip.compress(tls("signed"))
    give(server, auth.signed(lab, mail(report, "application/tlsrpt+gzip", submitter=auth.GOOD)))
    one = is_taken(server, "tls-signed")
    assert (one["kind"], one["good"], one["way"], one["remark"]) == ("tlsrpt", 5, "mail", "")
    assert one["from"] == "reports@" + auth.GOOD
    shown = asked(server, "show", str(one["id"]))
    assert "TLS report (RFC 8460, taken in)" in shown and "geleit-lab.example" in shown and "5 good" in shown
    document, = json.loads(asked(server, "show", str(one["id"]), "--json"))
    assert document["report"]["report-id"] == "tls-signed" and document["from"] == "reports@" + auth.GOOD


@pytest.mark.parametrize("what, said", [
    ("none", "It has no valid DKIM signature"),
    ("broken", "It has no valid DKIM signature"),
    ("other", "which is not who reports"),
])
def test_a_tls_report_that_its_sender_did_not_sign_is_put_aside(lab, server, what, said):
    raw = mail(gzip.compress(tls(what)), submitter=auth.GOOD if what != "other" else "sender.example",
               author=auth.GOOD if what != "other" else "sender.example")
    if what == "broken":
        raw = auth.signed(lab, raw).replace(b"A report.", b"A retort.")
    elif what == "other":
        raw = auth.signed(lab, raw)
    one = put_aside(server, raw)
    assert said in one["why"] and one["way"] == "mail" and one["size"] > len(raw)
    kept = server.lab.run([server.program, "report", "-c", server.conf, "aside", str(one["id"])], text=False)
    assert kept.stdout.endswith(raw) and b"Authentication-Results" in kept.stdout[:-len(raw)]
    assert f"tls-{what}" not in taken(server)


def test_a_key_for_tls_reports_alone_is_one(lab, server):
    """RFC 8460 section 3: s=tlsrpt. For mail such a key is none, which is what DMARC counts."""
    author = "reports.example"
    raw = auth.signed(lab, mail(gzip.compress(tls("service")), author=author, submitter=author), author, "tls")
    server.submit(raw, [TO], "reports@" + author, source=GOOD_CLIENT)
    assert is_taken(server, "tls-service")["remark"] == ""
    assert auth.evaluation(server, author)["dkim"][0]["result"] == "policy"


def test_dmarc_does_not_refuse_what_such_a_key_signed(lab, server):
    author = "reports.example"
    raw = auth.signed(lab, mail(gzip.compress(tls("forwarded")), author=author, submitter=author), author, "tls")
    server.submit(raw, [TO], "", source=OTHER_CLIENT)
    assert is_taken(server, "tls-forwarded")["remark"] == ""
    assert auth.evaluation(server, author)["dmarc"] == "fail"
    with pytest.raises(smtplib.SMTPResponseException) as e:  # to anybody else it is no signature
        server.submit(raw, ["bob@" + auth.TO], "", source=OTHER_CLIENT)
    assert e.value.smtp_code == 550 and b"5.7.26" in e.value.smtp_error


def test_a_key_for_mail_alone_is_none(lab, server):
    author = "reports.example"
    raw = auth.signed(lab, mail(gzip.compress(tls("mailkey")), author=author, submitter=author), author, "mail")
    server.submit(raw, [TO], "reports@" + author, source=GOOD_CLIENT)
    assert lab_.until(lambda: "not for TLS reports" in aside(server)[-1]["why"], 20, 0.1), aside(server)[-1]
    assert "tls-mailkey" not in taken(server)


def test_where_nobody_looked_it_is_taken_in_with_a_remark(server):
    give(server, mail(gzip.compress(tls("inside")), submitter=auth.GOOD), source="127.0.0.1")
    assert is_taken(server, "tls-inside")["remark"] == "its signature was not looked at when it came"


# ---- DMARC reports, whatever they are packed in -------------------------------
@pytest.mark.parametrize("form", ["gzip", "zip", "plain", "mislabelled", "twice", "two"])
def test_dmarc_reports_are_taken_in(server, form):
    raw = dmarc(form)
    packed, kind = {
        "gzip": (gzip.compress(raw), "application/gzip"),
        "zip": (zipped(("r.xml", raw)), "application/zip"),
        "plain": (raw, "text/xml"),
        "mislabelled": (gzip.compress(raw), "application/zip"),
        "twice": (gzip.compress(gzip.compress(raw)), "application/gzip"),
        "two": (zipped(("r.xml", raw), ("s.xml", dmarc("second"))), "application/zip"),
    }[form]
    give(server, mail(packed, kind))
    one = is_taken(server, "dmarc-" + form)
    assert one["kind"] == "dmarc" and one["good"] == 2 and one["remark"] == "it is not signed by who sent it"
    if form == "two":
        is_taken(server, "dmarc-second")


def test_an_alias_leads_there_and_twice_is_once(lab, server):
    raw = auth.signed(lab, mail(gzip.compress(dmarc("alias"))))
    give(server, raw, BY_ALIAS.upper().replace("LISTS", "lists"))
    assert is_taken(server, "dmarc-alias")["remark"] == ""
    give(server, raw, [TO.upper(), "dmarc@" + HERE])
    assert alone.emptied(server)
    assert [r["report"] for r in json.loads(asked(server, "list", "--json"))].count("dmarc-alias") == 1


# ---- what is broken, or meant to do harm ---------------------------------------
def bomb():
    return gzip.compress(b" " * (100 << 20))


BROKEN = {
    "bomb": (bomb, "application/gzip", "more than 500 times"),
    "zip in zip": (lambda: zipped(("a.zip", zipped(("r.xml", dmarc(1))))), "application/zip", "archive in a zip archive"),
    "gzip thrice": (lambda: gzip.compress(gzip.compress(gzip.compress(dmarc(1)))), "application/gzip",
                    "archive in an archive"),
    "laughs": (LAUGHS.encode, "text/xml", "document type declaration"),
    "truncated": (lambda: gzip.compress(dmarc(1, 50))[:-40], "application/gzip", "cut short"),
    "no xml": (lambda: b"<feedback><report", "text/xml", "XML"),
    "nothing": (lambda: b"hello", "application/octet-stream", "There is no report in the mail."),
    "labelled": (lambda: b"hello", "application/gzip", "There is no report in the mail."),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_put_aside_and_the_next_is_taken_in(server, what):
    make, kind, said = BROKEN[what]
    one = put_aside(server, mail(make(), kind))
    assert said in one["why"], one
    assert one["why"].endswith(".") and "\n" not in one["why"]
    give(server, mail(gzip.compress(dmarc("after " + what))))
    is_taken(server, "dmarc-after " + what)
    assert one["why"] in asked(server, "aside")


def test_a_hundred_megabytes_of_records(server):
    records = 20_000
    raw = dmarc("large", records, 4900)
    assert len(raw) > 100 << 20
    give(server, mail(gzip.compress(raw)))
    one = is_taken(server, "dmarc-large", 150)
    assert one["good"] == 2 * records
    done = server.command("report", "show", str(one["id"]))
    assert done.returncode == 1 and "too large to be kept whole" in done.stderr


def test_one_broken_part_does_not_spoil_the_other(server):
    give(server, mail(zipped(("good.xml", dmarc("half")), ("bad.xml", b"<feedback><x")), "application/zip"))
    is_taken(server, "dmarc-half")
    assert lab_.until(lambda: "XML" in aside(server)[-1]["why"], 10, 0.1)


# ---- nothing is lost ------------------------------------------------------------
def reporter(server):
    return alone.role_pids(server, "reporter")


def test_a_killed_reporter_loses_nothing(server):
    names = [f"killed-{i}" for i in range(12)]
    for i, name in enumerate(names):
        give(server, mail(gzip.compress(dmarc(name, 3000))))
        if i % 3 == 0:
            alone.kill(reporter(server))
    for name in names:
        is_taken(server, "dmarc-" + name, 60)
    assert alone.emptied(server, 60)
    reports = [r["report"] for r in json.loads(asked(server, "list", "--json"))]
    assert all(reports.count("dmarc-" + n) == 1 for n in names)


def test_a_restart_in_the_middle_loses_nothing(server):
    names = [f"restart-{i}" for i in range(5)]
    for name in names:
        give(server, mail(gzip.compress(dmarc(name, 3000))))
    server.stop()
    server.start()
    for name in names:
        is_taken(server, "dmarc-" + name, 60)
    assert alone.emptied(server, 60)


def test_no_child_is_left(server):
    """A child of the reporter ends with it, and none is left when its work is over."""
    def children():
        own, found = reporter(server), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                    found += [pid] if int(f.read().rsplit(")", 1)[1].split()[1]) in own else []
            except OSError:
                continue
        return found
    give(server, mail(gzip.compress(dmarc("child", 20_000))))
    is_taken(server, "dmarc-child", 60)
    assert lab_.until(lambda: not children(), 5)


# ---- around it --------------------------------------------------------------------
def test_such_mail_is_in_no_report(lab, server, tmp_path_factory):
    """The evaluation is kept; no tally of it is."""
    preview = json.loads(asked(server, "preview", "--json"))
    assert auth.GOOD not in {r["domain"] for r in preview["reports"] if r["kind"] == "dmarc"}
    assert [e for e in server.evaluations() if e["author"] == auth.GOOD]
    auth.give(server, auth.signed(lab, auth.letter("counted")))

    def about():
        return {r["domain"] for r in json.loads(asked(server, "preview", "--json"))["reports"] if r["kind"] == "dmarc"}
    assert lab_.until(lambda: auth.GOOD in about(), 10, 0.1)


def test_a_success_notice_is_that_of_a_mailbox(server, lab):
    with server.lab.smtp(server.address, server.port, source="127.0.0.1") as client:
        client.ehlo()
        assert client.mail("bob@" + auth.TO, ["RET=HDRS"])[0] == 250
        assert client.rcpt(TO, ["NOTIFY=SUCCESS"])[0] == 250
        assert client.data(mail(gzip.compress(dmarc("told"))))[0] == 250
    is_taken(server, "dmarc-told")
    assert lab_.until(lambda: [m for m in lab.captured("mx." + auth.TO) if b"Action: delivered" in m["raw"]], 15)


def test_nobody_has_an_address_in_the_domain_that_stands_for_them(server, lab):
    """Inside clients may send anywhere; this is no domain."""
    before = len(aside(server))
    server.submit(mail(gzip.compress(dmarc("misled"))), ["x@reports.invalid"], "bob@" + auth.TO, source="127.0.0.1")
    assert lab_.until(lambda: [m for m in lab.captured("mx." + auth.TO) if b"no domain reports.invalid" in m["raw"]], 15)
    assert "dmarc-misled" not in taken(server) and len(aside(server)) == before


def test_explain_says_where_it_goes(server):
    done = server.command("explain", TO.upper())
    assert done.returncode == 0 and "taken in by this server" in done.stdout
    assert server.command("explain", "other@" + HERE).returncode != 0


def test_the_addresses_are_checked(server, program):
    for wrong in ("nobody", "a@b@c", "a b@c.example", "a@-.example"):
        done = server.command("serve", "-o", "report.addresses=" + wrong, timeout=20)
        assert done.returncode == 2 and "report.addresses" in done.stderr, done.stderr


def test_a_stranger_may_not_relay_through_it(server):
    with pytest.raises(Exception, match="relaying denied"):
        give(server, mail(b"x"), to="other@" + HERE, source=OTHER_CLIENT)


def test_sizes_and_numbers_are_checked(server):
    assert server.command("report", "aside", "999999").returncode == 1
    assert server.command("report", "show", "999999").returncode == 1
    assert server.command("report", "aside", "x").returncode == 2
