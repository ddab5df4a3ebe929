"""Reports about others: what was delivered before midnight UTC is told after it, once,
whatever restarts in between."""
import base64
import email
import gzip
import json
import re
import time

import pytest

import alone
import lab as lab_
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


def reports(lab, domain):
    """Of those that arrived, the ones about the domain."""
    return [m for m in lab.captured() if f"Report Domain: {domain}".encode() in re.sub(rb"\r\n[ \t]", b" ", m)]


def test_a_day_is_reported_after_midnight_and_once(reporting, clock):
    server = reporting
    deliver(server, "dane.example", "one")
    deliver(server, "plain.example", "two")
    time.sleep(0.5)
    assert not queued(server)
    clock.move(700)
    assert lab_.until(lambda: ("tlsrpt", "dane.example") in queued(server), 20, 0.1), server.log_end()
    assert lab_.until(lambda: ("tlsrpt", "plain.example") in queued(server), 10, 0.1)
    before = len(queued(server))
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
    deliver(server, "dane.example", "over")
    server.stop()
    clock.move(HOUR)
    server.start()
    assert lab_.until(lambda: ("tlsrpt", "dane.example") in queued(server), 20, 0.1), server.log_end()
