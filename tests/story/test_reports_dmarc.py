"""DMARC aggregate reports out: what arrives at the owner's address is complete and valid, and
goes nowhere it is not wanted (RFC 9990)."""
import contextlib
import email
import gzip
import os
import re
import shutil
import smtplib
import sqlite3
import subprocess
import time
import xml.etree.ElementTree as tree
from urllib.parse import quote

import pytest

import alone
import lab as lab_
import test_auth as auth
import world
from test_keys import Published
from test_reports import FROM, OPTIONS, clock  # noqa: F401 (a fixture)
from virtual import DAY, HOUR

HOME = "rua-home.example"
SCHEMA = os.path.join(os.environ.get("GELEIT_VECTORS", "none"), "dmarcbis-rfc-examples", "dmarc-xml-0.2.xsd")
# What a name server has to say about a name, asked inside the lab: the bytes of its answer.
TXT_OF = """
import socket, sys
q = b"\\0\\7\\0\\0\\0\\1" + bytes(6) + b"".join(bytes([len(n)]) + n for n in sys.argv[2].encode().split(b"."))
with socket.socket(type=socket.SOCK_DGRAM) as s:
    s.settimeout(2)
    s.sendto(q + b"\\0\\0\\x10\\0\\1", (sys.argv[1], 53))
    sys.stdout.buffer.write(s.recv(4096))
"""
NAMESPACE = "{urn:ietf:params:xml:ns:dmarc-2.0}"


@pytest.fixture
def server(clock, lab, program, request):  # noqa: F811 (the clock is there before the server)
    with lab_.Geleit(lab, program, request.node.name[:40], options=auth.options(**OPTIONS, **{"dns.timeout": "2s"})) as s:
        yield s
    print(s.log_end())


def forge(server, author, name="forged", sender=None):
    """What the author's policy refuses."""
    with contextlib.suppress(smtplib.SMTPException):
        auth.give(server, auth.letter(name, author), auth.OTHER_CLIENT, sender or "x@" + author)


def evaluated(server, number):
    assert lab_.until(lambda: len(server.evaluations()) == number, 10)


def mails(lab, about):
    """Reports about the domain that arrived: (envelope recipients, mail)."""
    out = []
    for m in lab.captured():
        if m["mail_from"] != FROM:
            continue
        mail = email.message_from_bytes(m["raw"])
        if re.search(rf"Report Domain: {re.escape(about)}\s", mail["Subject"]):
            out.append((m["rcpt_to"], mail))
    return out


def arrived(lab, about, number=1, patience=15):
    assert lab_.until(lambda: len(mails(lab, about)) >= number, patience), about
    return mails(lab, about)


def document(mail, tmp_path):
    """The XML, which is valid; with the namespace taken off its names."""
    part, = (p for p in mail.walk() if p.get_content_type() == "application/gzip")
    raw = gzip.decompress(part.get_payload(decode=True))
    if os.path.exists(SCHEMA) and shutil.which("xmllint"):
        path = tmp_path / "report.xml"
        path.write_bytes(raw)
        done = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", SCHEMA, path], capture_output=True, text=True,
                              timeout=30)
        assert done.returncode == 0, done.stderr
    root = tree.fromstring(raw)
    assert root.tag == NAMESPACE + "feedback"
    for e in root.iter():
        e.tag = e.tag.replace(NAMESPACE, "")
    return part.get_filename(), root


def facts(element):
    """An element with children that hold text alone, as a dictionary."""
    return {e.tag: e.text or "" for e in element}


def sent(server, about):
    """What became of the reports about a domain: {uri: (state, why)}."""
    path = os.path.join(server.store, "history.db")
    with contextlib.closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=5)) as db:
        return {u: (("later", "sent", "never")[s], w)
                for u, s, w in db.execute("SELECT uri, state, why FROM sent WHERE domain = ?", (about,))}


def test_a_day_as_its_owner_gets_it(server, clock, lab, tmp_path):  # noqa: F811
    for i in range(3):
        auth.give(server, auth.signed(lab, auth.letter(f"ours-{i}", HOME), HOME), sender=f"ann@{HOME}")
    for i in range(2):
        forge(server, HOME, f"forged-{i}")
    auth.give(server, auth.signed(lab, auth.letter("below", "sub." + HOME), HOME), auth.OTHER_CLIENT, "")
    evaluated(server, 6)
    began = int(time.time() + clock.ahead()) // DAY * DAY
    clock.move(700)
    got = arrived(lab, HOME, 2)
    assert sorted(map(sorted, (to for to, _ in got))) == [["a@sub." + HOME, "b@sub." + HOME], ["dmarc@" + HOME]]
    mail, = (m for to, m in got if to == ["dmarc@" + HOME])
    assert mail["From"].endswith(f"<{FROM}>") and mail["To"] == f"<dmarc@{HOME}>"
    assert mail["MIME-Version"] == "1.0" and "TLS-Report-Domain" not in mail
    name, root = document(mail, tmp_path)
    whole = re.fullmatch(rf"geleit-lab\.example!{HOME}!{began}!{began + DAY - 1}!([0-9a-zA-Z]+)\.xml\.gz", name)
    assert whole, name
    subject = re.sub(r"\s+", " ", mail["Subject"])
    assert subject == f"Report Domain: {HOME} Submitter: geleit-lab.example Report-ID: <{whole[1]}>"

    assert [e.tag for e in root][:3] == ["version", "report_metadata", "policy_published"]
    assert root.find("version").text == "1.0"
    told = facts(root.find("report_metadata"))
    assert (told["org_name"], told["email"], told["report_id"]) == ("Geleit Lab", FROM, whole[1])
    assert re.fullmatch(r"Geleit [0-9.]+", told["generator"]) and "error" not in told
    assert facts(root.find("report_metadata/date_range")) == {"begin": str(began), "end": str(began + DAY - 1)}
    assert facts(root.find("policy_published")) == {
        "domain": HOME, "discovery_method": "treewalk", "p": "reject", "sp": "quarantine", "np": "quarantine", "fo": "0",
        "adkim": "r", "aspf": "r", "testing": "n"}

    records = {(r.find("row/source_ip").text, r.find("identifiers/header_from").text): r for r in root.iter("record")}
    assert len(records) == len(list(root.iter("record"))) == 3
    ours, forged, below = (records[k] for k in ((auth.GOOD_CLIENT, HOME), (auth.OTHER_CLIENT, HOME),
                                                (auth.OTHER_CLIENT, "sub." + HOME)))
    assert [r.find("row/count").text for r in (ours, forged, below)] == ["3", "2", "1"]
    assert facts(ours.find("row/policy_evaluated")) == {"disposition": "pass", "dkim": "pass", "spf": "pass"}
    assert facts(forged.find("row/policy_evaluated")) == {"disposition": "reject", "dkim": "fail", "spf": "fail"}
    assert facts(below.find("row/policy_evaluated")) == {"disposition": "pass", "dkim": "pass", "spf": "fail"}
    assert facts(ours.find("identifiers")) == {"header_from": HOME, "envelope_from": HOME, "envelope_to": auth.TO}
    assert facts(forged.find("identifiers")) == {"header_from": HOME, "envelope_from": HOME, "envelope_to": auth.TO}
    assert facts(below.find("identifiers")) == {"header_from": "sub." + HOME, "envelope_from": "", "envelope_to": auth.TO}
    assert facts(ours.find("auth_results/spf")) == {"domain": HOME, "scope": "mfrom", "result": "pass"}
    signature = facts(ours.find("auth_results/dkim"))
    assert {k: signature[k] for k in ("domain", "selector", "result")} == {"domain": HOME, "selector": "r1",
                                                                          "result": "pass"}
    assert forged.find("auth_results/dkim") is None
    assert facts(forged.find("auth_results/spf"))["result"] == "fail"
    assert below.find("auth_results/spf/domain").text == "client.geleit-lab.example"


def test_the_same_mail_names_all_of_a_list(server, clock, lab):  # noqa: F811
    before = len(mails(lab, HOME))  # of the test before
    auth.give(server, auth.letter("one", HOME), sender=f"ann@{HOME}")
    evaluated(server, 1)
    clock.move(700)
    mail, = (m for to, m in arrived(lab, HOME, before + 2)[before:] if len(to) == 2)
    assert re.sub(r"\s+", " ", mail["To"]) == f"<a@sub.{HOME}>, <b@sub.{HOME}>"


# ---- destinations of others -------------------------------------------------------
def test_other_organizations_get_what_they_agreed_to(server, clock, lab):  # noqa: F811
    who = ("rua-agreed", "rua-unasked", "rua-moved", "rua-lured", "rua-small")
    for name in who:
        forge(server, name + ".example")
    evaluated(server, len(who))
    clock.move(700)
    for name, to in (("rua-agreed", "dmarc@rua-host.example"), ("rua-moved", "new@rua-host.example"),
                     ("rua-unasked", "dmarc@rua-unasked.example")):  # one bad address does not stop the next
        got = arrived(lab, name + ".example")
        assert [t for t, _ in got] == [[to]], name
        assert got[0][1]["To"] == f"<{to}>"

    def why(name, uri):
        assert lab_.until(lambda: uri in sent(server, name + ".example"), 15, 0.1), (name, sent(server, name + ".example"))
        state, said = sent(server, name + ".example")[uri]
        assert state == "never"
        return said
    assert "has not agreed" in why("rua-unasked", "mailto:dmarc@rua-host.example")
    assert "another host" in why("rua-lured", "mailto:dmarc@rua-host.example")
    assert "larger than" in why("rua-small", "mailto:dmarc@rua-small.example!1024")
    assert "already" in why("rua-moved", "mailto:older@rua-host.example")  # both names became one address
    assert len(mails(lab, "rua-moved.example")) == 1
    assert not mails(lab, "rua-lured.example") and not mails(lab, "rua-small.example")


def publish(lab, zone):
    """Until the name server has read it."""
    mark = zone.serial + 1
    zone.records["mark"] = f'mark 1 IN TXT "serial {mark}"\n'
    zone.write()
    assert lab_.until(lambda: f"serial {mark}".encode() in lab.run(
        [lab_.PYTHON, "-c", TXT_OF, world.ZONE_SERVER, "mark.keys.example"], text=False).stdout, 10, 0.2)


def test_no_answer_is_no_refusal(server, clock, lab):  # noqa: F811
    """Whether keys.example agrees cannot be found out, then it can."""
    zone = Published(lab)
    zone.records["mx"] = "@ IN MX 10 mx.plain.example.\n"
    zone.records["nobody"] = f"_report._dmarc 1 IN NS ns.silent.{world.SENDER_DOMAIN}.\n"
    publish(lab, zone)
    forge(server, "rua-unknown.example")
    evaluated(server, 1)
    clock.move(700)
    uri = "mailto:dmarc@keys.example"
    assert lab_.until(lambda: uri in sent(server, "rua-unknown.example"), 30, 0.1), server.log_end()
    state, why = sent(server, "rua-unknown.example")[uri]
    assert state == "later" and "could not be found out" in why
    assert not mails(lab, "rua-unknown.example")
    zone.records["nobody"] = 'rua-unknown.example._report._dmarc 1 IN TXT "v=DMARC1;"\n'
    publish(lab, zone)

    def again():
        clock.move(HOUR)
        return lab_.until(lambda: mails(lab, "rua-unknown.example"), 3)
    assert lab_.until(again, 60), (sent(server, "rua-unknown.example"), server.log_end())
    assert sent(server, "rua-unknown.example")[uri][0] == "sent"
    assert len(mails(lab, "rua-unknown.example")) == 1
    zone.records.clear()
    zone.write()


# ---- more than is told apart ----------------------------------------------------
def test_what_is_beyond_the_entries_is_told_coarsely(clock, lab, program, tmp_path):  # noqa: F811
    few = auth.options(**OPTIONS, **{"report.entries": 10})
    with lab_.Geleit(lab, program, "dmarc-beyond", options=few) as s:
        for i in range(14):  # ten of their own, and four as one
            forge(s, HOME, f"beyond-{i}", f"x@s{i}.{HOME}")
        for i in range(12):  # one coarse record a source, as long as there is room
            with contextlib.suppress(smtplib.SMTPException):
                auth.give(s, auth.letter(f"source-{i}", HOME), f"127.0.26.{100 + i}", f"x@t{i}.{HOME}")
        evaluated(s, 26)
        before = len(mails(lab, HOME))
        clock.move(700)
        mail = arrived(lab, HOME, before + 2)[-1][1]
        assert alone.log_lines(s, "report-incomplete")
    _, root = document(mail, tmp_path)
    records = list(root.iter("record"))
    coarse = [r for r in records if r.find("identifiers/envelope_from") is None]
    assert [r.find("row/count").text for r in records].count("4") == 1
    assert (len(records), len(coarse)) == (20, 10)
    assert sum(int(r.find("row/count").text) for r in records) == 23
    for r in coarse:  # what is said is true of each of its messages
        assert facts(r.find("identifiers")) == {"header_from": HOME} and not list(r.find("auth_results"))
        assert facts(r.find("row/policy_evaluated")) == {"disposition": "reject", "dkim": "fail", "spf": "fail"}
    assert root.find("report_metadata/error").text == (
        "There were more different messages than are told apart: 13 are reported by source and result alone, "
        "3 not at all.")
