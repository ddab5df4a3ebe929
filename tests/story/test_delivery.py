"""The demo as tests: one for each of its domains, one sender for all."""
import pytest

import lab as lab_
import world

LETTERS = {k: v for k, v in lab_.messages().items() if not k.startswith("8")}
DOMAINS = ("dane.example", "sts-enforce.example", "plain.example", "clear.example", "mitm.example",
           "sts-mismatch.example", "tlsa-timeout.example", "nullmx.example")
SENDER = "alice@" + world.SENDER_DOMAIN


@pytest.fixture(scope="module")
def sent(lab, program):
    """A Geleit that was handed every letter for every domain."""
    with lab_.Geleit(lab, program, "delivery") as server:
        for raw in LETTERS.values():
            server.submit(raw, ["carol@" + d for d in DOMAINS], SENDER)
        yield server
    print(server.log_end())


def first_attempts(server, domain):
    """The first attempt of each letter, once all have one."""
    def rows():
        out = {}
        for a in server.history():
            if a["domain"] == domain:
                out.setdefault(a["message"], a)
        return list(out.values())
    lab_.until(lambda: len(rows()) == len(LETTERS), 40)
    return rows()


def arrived(lab, domain):
    return [m for m in lab.captured() if "carol@" + domain in m["rcpt_to"]]


def all_are(rows, decision):
    assert len(rows) == len(LETTERS)
    assert {a["decision"] for a in rows} == {decision}, [a["reason"] for a in rows]
    assert all(a["reason"] for a in rows)


def all_arrived_unchanged(lab, domain):
    lab_.until(lambda: len(arrived(lab, domain)) >= len(LETTERS), 10)
    got = arrived(lab, domain)
    assert len(got) == len(LETTERS)
    for name, raw in LETTERS.items():
        assert [m for m in got if lab_.difference(m["raw"], raw) is None], name
    return got


def last_sessions(rows):
    return [a["sessions"][-1] for a in rows]


def test_dane_is_verified(lab, sent):
    rows = first_attempts(sent, "dane.example")
    all_are(rows, "delivered")
    got = all_arrived_unchanged(lab, "dane.example")
    assert {m["tls"]["version"] for m in got} == {"TLSv1.3"}
    assert {s["requirement"] for s in last_sessions(rows)} == {"dane"}
    assert {s["peer_verified"] for s in last_sessions(rows)} == {"dane"}
    assert {a["plan"]["mx_dnssec"] for a in rows} == {"secure"}


def test_mta_sts_enforce_is_verified(lab, sent):
    rows = first_attempts(sent, "sts-enforce.example")
    all_are(rows, "delivered")
    assert all(m["tls"] for m in all_arrived_unchanged(lab, "sts-enforce.example"))
    assert {s["requirement"] for s in last_sessions(rows)} == {"sts"}
    assert {s["peer_verified"] for s in last_sessions(rows)} == {"pkix"}
    assert {a["plan"]["mta_sts"]["state"] for a in rows} == {"enforce"}


def test_plain_is_encrypted_where_offered(lab, sent):
    rows = first_attempts(sent, "plain.example")
    all_are(rows, "delivered")
    assert all(m["tls"] for m in all_arrived_unchanged(lab, "plain.example"))
    assert {s["requirement"] for s in last_sessions(rows)} == {"opportunistic"}


def test_clear_is_delivered_in_the_clear(lab, sent):
    rows = first_attempts(sent, "clear.example")
    all_are(rows, "delivered")
    assert not any(m["tls"] for m in all_arrived_unchanged(lab, "clear.example"))


def test_man_in_the_middle_reads_nothing(lab, sent):
    all_are(first_attempts(sent, "mitm.example"), "deferred")
    assert not arrived(lab, "mitm.example")
    seen = lab.middle("mx.mitm.example")
    assert seen, "Geleit must have tried"
    assert not any("MAIL FROM" in s["read_from_client"].upper() for s in seen)


def test_mx_outside_the_policy_is_not_used(lab, sent):
    rows = first_attempts(sent, "sts-mismatch.example")
    all_are(rows, "deferred")
    assert not lab.sessions("mx.sts-mismatch.example"), "nothing may connect there"
    assert {h["requirement"] for a in rows for h in a["plan"]["hosts"]} == {"unusable"}


def test_unanswered_tlsa_is_not_absent(lab, sent):
    rows = first_attempts(sent, "tlsa-timeout.example")
    all_are(rows, "deferred")
    assert not lab.sessions("mx.tlsa-timeout.example"), "nothing may connect there"
    assert {h["tlsa_dnssec"] for a in rows for h in a["plan"]["hosts"]} == {"indeterminate"}


def test_null_mx_comes_back_at_once(lab, sent):
    all_are(first_attempts(sent, "nullmx.example"), "failed")

    def notices():
        return [m for m in lab.captured("mx." + world.SENDER_DOMAIN)
                if m["mail_from"] == "" and b"carol@nullmx.example" in m["raw"]]
    lab_.until(lambda: len(notices()) >= len(LETTERS), 20)
    got = notices()
    assert len(got) == len(LETTERS)
    assert all(m["rcpt_to"] == [SENDER] and b"report-type=delivery-status" in m["raw"] for m in got)
    assert all(b"5.1.10" in m["raw"] for m in got)
