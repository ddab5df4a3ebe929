"""Reports about others: what was delivered before midnight UTC is told after it, once,
whatever restarts in between."""
import contextlib
import email
import gzip
import json
import os
import re
import smtplib
import sqlite3
import time

import pytest

import alone
import lab as lab_
import test_auth as auth
from alone import letter
from virtual import DAY, HOUR, Clock

FROM = "reports@geleit-lab.example"
OPTIONS = {"report.from": FROM, "report.delay": "0s", "report.organization": "Geleit Lab"}


@pytest.fixture
def clock(tmp_path, monkeypatch):
    c = Clock(tmp_path / "clock", monkeypatch)
    c.move(DAY - time.time() % DAY - 600)  # ten minutes to midnight
    return c


@pytest.fixture
def reporting(clock, geleit):  # noqa: F811 (the clock is there before the server)
    return geleit(options=OPTIONS)


def deliver(server, domain, name):
    server.submit(letter(name), [f"bob@{domain}"])
    assert server.wait_attempt(domain, 20)


def queued(server):
    """(kind, about) of the reports that were put into the queue."""
    return [(re.search(r"kind=(\S+)", line)[1], re.search(r"about=(\S+)", line)[1])
            for line in alone.log_lines(server, "report-queued")]


def document(raw):
    """The mail and the JSON in it."""
    mail = email.message_from_bytes(raw)
    for part in mail.walk():
        if part.get_content_type() == "application/tlsrpt+gzip":
            return mail, json.loads(gzip.decompress(part.get_payload(decode=True)))
    raise AssertionError(f"no report in {mail}")


def command(server, *words):
    done = server.command("report", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def reports(lab, domain):
    """Of those that arrived, the ones about the domain."""
    out = []
    for m in lab.captured():
        if m["mail_from"] != FROM:
            continue
        with open(m["file"], "rb") as f:
            raw = f.read()
        if email.message_from_bytes(raw)["TLS-Report-Domain"] == domain:
            out.append(raw)
    return out


def test_a_day_is_reported_after_midnight_and_once(reporting, clock, lab):
    server = reporting
    deliver(server, "sts-enforce.example", "one")
    deliver(server, "sts-testing.example", "two")
    time.sleep(0.5)
    assert not queued(server)
    clock.move(700)
    assert lab_.until(lambda: ("tlsrpt", "sts-enforce.example") in queued(server), 20, 0.1), server.log_end()
    assert lab_.until(lambda: ("tlsrpt", "sts-testing.example") in queued(server), 10, 0.1)
    assert len(alone.log_lines(server, "report-not-signed")) == 1  # there is no key here; said once
    before = len(queued(server))
    assert lab_.until(lambda: reports(lab, "sts-enforce.example"), 10)
    mail, told = document(reports(lab, "sts-enforce.example")[-1])
    assert mail.get_content_type() == "multipart/report" and mail["TLS-Required"] == "No"
    assert mail["TLS-Report-Submitter"] == "geleit-lab.example"
    assert told["organization-name"] == "Geleit Lab" and told["contact-info"] == FROM
    policy, = told["policies"]
    assert policy["policy"]["policy-type"] == "sts"
    assert policy["policy"]["policy-domain"] == "sts-enforce.example"
    assert policy["summary"]["total-successful-session-count"] == 1
    assert told["date-range"]["start-datetime"].endswith("T00:00:00Z")
    server.stop()
    server.start()
    clock.move(2 * HOUR)
    time.sleep(2)
    assert len(queued(server)) <= before, "a report went out twice"
    # Mail about reports is in no report.
    clock.move(DAY)
    time.sleep(2)
    assert len(queued(server)) <= before, queued(server)


def test_a_restart_over_midnight_loses_nothing(reporting, clock):
    server = reporting
    deliver(server, "sts-enforce.example", "over")
    server.stop()
    clock.move(HOUR)
    server.start()
    assert lab_.until(lambda: ("tlsrpt", "sts-enforce.example") in queued(server), 20, 0.1), server.log_end()


def test_restarts_in_the_middle_send_each_report_once(reporting, clock, lab):
    server, number = reporting, 200
    deliver(server, "sts-enforce.example", "each")
    server.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(server.store, "history.db"))) as db:
        db.execute("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) INSERT INTO subject"
                   " (day, kind, domain, about, keys, lost, done) SELECT day, kind, printf('each-%d.example', n), about,"
                   " keys, lost, done FROM n, subject WHERE domain = 'sts-enforce.example'", (number,))
        db.execute("INSERT INTO tally (day, kind, domain, policy, detail, sessions, times) SELECT s.day, s.kind, s.domain,"
                   " t.policy, t.detail, 1, 0 FROM subject s, tally t WHERE s.domain LIKE 'each-%'"
                   " AND t.domain = 'sts-enforce.example'")
        db.commit()
    clock.move(700)
    server.start()

    def told():
        return [about for _, about in queued(server) if about.startswith("each-")]
    for i in range(6):
        before = len(told())
        enough = min(number - 1, before + 7 * (i + 1) % 23)  # all may be told before the sixth restart
        assert lab_.until(lambda: len(told()) > enough, 20, 0.01), server.log_end()
        server.stop()
        server.start()
    assert lab_.until(lambda: len(set(told())) == number, 40), server.log_end()
    assert not alone.log_lines(server, "report-put-off")

    def about():
        mails = (email.message_from_bytes(m["raw"]) for m in lab.captured() if m["mail_from"] == FROM)
        return sorted(d for d in (m["TLS-Report-Domain"] for m in mails) if d.startswith("each-"))
    assert lab_.until(lambda: len(set(about())) == number, 30), len(about())
    assert len(about()) == number, "a report went out twice"


def test_commands_show_send_and_take_in(reporting, clock, lab, tmp_path):
    server = reporting
    deliver(server, "sts-enforce.example", "shown")
    server.submit(letter("refused"), ["bob@sts-mismatch.example"])
    assert server.wait_attempt("sts-mismatch.example", 20)
    seen = json.loads(command(server, "preview", "--json"))
    about = {r["domain"]: r for r in seen["reports"]}
    assert seen["from"] == FROM and about["sts-enforce.example"]["sessions"] == 1
    assert about["sts-mismatch.example"]["rua"] == ["mailto:tlsrpt@geleit-lab.example"]
    shown = command(server, "preview").splitlines()
    assert any(re.match(r"\S+  tlsrpt  sts-enforce.example +1 sessions$", line) for line in shown), shown
    week = json.loads(command(server, "week", "--json"))
    assert [w["deliveries"] for w in week if w["domain"] == "sts-enforce.example"] == [{"sts": 1}]
    clock.move(700)
    command(server, "send")
    assert lab_.until(lambda: ("tlsrpt", "sts-mismatch.example") in queued(server), 20, 0.1), server.log_end()
    assert lab_.until(lambda: reports(lab, "sts-mismatch.example"), 10)
    raw = reports(lab, "sts-mismatch.example")[-1]
    policy = document(raw)[1]["policies"][0]
    assert policy["summary"]["total-failure-session-count"] >= 1, policy
    # What one Geleit sends another takes in, once.
    path = tmp_path / "report.eml"
    path.write_bytes(raw)
    assert json.loads(command(server, "import", str(path), "--json"))[0]["new"] is True
    assert json.loads(command(server, "import", str(path), "--json"))[0]["new"] is False
    assert command(server, "import", str(path)).endswith("0 new, 1 known already, 0 broken.\n")
    taken, = json.loads(command(server, "list", "--json"))
    assert taken["kind"] == "tlsrpt" and taken["organization"] == "Geleit Lab" and taken["bad"] >= 1
    assert command(server, "list").endswith(" by Geleit Lab\n") and "?" not in command(server, "list")
    assert json.loads(command(server, "list", "Sts-Mismatch.example", "--json")) == [taken]
    assert json.loads(command(server, "list", "other.example", "--json")) == []
    assert json.loads(command(server, "week", "sts-mismatch.example", "--json")) == [
        {"domain": "sts-mismatch.example", "day": taken["day"], "deliveries": {}, "dmarc": [],
         "tlsrpt": [{"organization": "Geleit Lab", "reports": 1, "good": 0, "failed": taken["bad"]}]}]
    shown = command(server, "week").splitlines()
    assert "sts-enforce.example" in shown and any(re.match(r"  \S+  delivered  1 sts$", line) for line in shown), shown
    assert any(re.match(rf"  \S+  TLS        0 good, {taken['bad']} failed  says Geleit Lab$", line) for line in shown)
    assert server.command("report", "week", "a b").returncode == 2
    assert server.command("report", "list", "a.example", "b.example").returncode == 2
    path.write_bytes(b"nothing of the kind")
    assert server.command("report", "import", str(path)).returncode == 1


def test_the_owner_of_a_domain_hears_who_sent_in_its_name(clock, lab, program):
    """DMARC: one message that passes, one that does not, one report."""
    with lab_.Geleit(lab, program, "dmarc-out", options=auth.options(**OPTIONS)) as server:
        auth.give(server, auth.signed(lab, auth.letter("ours")))
        with contextlib.suppress(smtplib.SMTPException):
            auth.give(server, auth.letter("forged"), source=auth.OTHER_CLIENT)
        assert lab_.until(lambda: len(server.evaluations()) == 2, 10)
        clock.move(700)
        assert lab_.until(lambda: ("dmarc", auth.GOOD) in queued(server), 20, 0.1), server.log_end()


def test_lists_of_many_pages_are_whole(reporting):
    server = reporting
    deliver(server, "sts-enforce.example", "many")
    server.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(server.store, "history.db"))) as db:
        db.execute("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40000) INSERT INTO subject"
                   " (day, kind, domain, about, keys, lost, done) SELECT day, kind, printf('many-%d.example', n), about,"
                   " keys, lost, done FROM n, subject WHERE domain = 'sts-enforce.example'")
        db.execute("INSERT INTO delivery (day, domain, protection, count) SELECT day, domain, 3, 7 FROM subject"
                   " WHERE domain LIKE 'many-%'")
        db.commit()
    server.start()
    seen = json.loads(command(server, "preview", "--json"))
    names = [r["domain"] for r in seen["reports"]]
    assert len(names) == len(set(names)) == 40001 and "more" not in seen
    assert command(server, "preview").count("many-") == 40000
    week = {w["domain"]: w["deliveries"] for w in json.loads(command(server, "week", "--json"))}
    assert len(week) == 40001 and week["many-40000.example"] == {"pkix": 7}
    assert list(json.loads(command(server, "week", "many-7.example", "--json"))[0]["deliveries"]) == ["pkix"]
