"""Every row of lab/world.py against Geleit: the right decision, the right
host, the right protection, and nothing where nothing may go."""
import pytest

import lab as lab_
import world

SENDER = "alice@" + world.SENDER_DOMAIN
LETTER = (f"From: {SENDER}\r\nTo: dave@example\r\nSubject: to every domain\r\n"
          "Message-ID: <world@geleit-lab.example>\r\n\r\n" + ("0123456789" * 7 + "\r\n") * 100).encode()
ROWS = [d for d in world.DOMAINS.values() if not d.requires]
DECISIONS = {"deliver": "delivered", "defer": "deferred", "fail": "failed"}
VERIFIED = {"dane": "dane", "sts": "pkix"}


@pytest.fixture(scope="module")
def sent(lab, program):
    options = {"send.command_timeout": "4s", "send.end_timeout": "4s", "queue.retry_first": "3s",
               "queue.retry_longest": "5s"}
    with lab_.Geleit(lab, program, "world", options=options) as server:
        for d in ROWS:
            server.submit(LETTER, ["dave@" + d.name], SENDER)
        yield server
    print(server.log_end())


def arrived(lab, d):
    return [m for m in lab.captured() if "dave@" + d.name in m["rcpt_to"]]


@pytest.mark.parametrize("d", ROWS, ids=lambda d: d.name)
def test_row(lab, sent, d):
    duty = DECISIONS[d.expect]
    attempts = []

    def there():
        attempts[:] = [a for a in sent.history() if a["domain"] == d.name]
        return any(a["decision"] == duty for a in attempts) if d.expect == "deliver" else attempts
    lab_.until(there, 40, 0.2)
    assert attempts, "no attempt was recorded"
    last = attempts[-1] if d.expect == "deliver" else attempts[0]
    assert last["decision"] == duty, f"{last['reason']} (duty: {d.why})"
    assert last["reason"]
    if d.requirement:
        assert tuple(h["requirement"] for h in last["plan"]["hosts"]) == d.requirement
    if d.expect != "deliver":
        assert not arrived(lab, d)
        return
    lab_.until(lambda: arrived(lab, d), 10)
    got = arrived(lab, d)
    assert len(got) == 1
    assert got[0]["host"] == (d.via or (d.mx[0][1] if d.mx else d.name))
    assert lab_.difference(got[0]["raw"], LETTER) is None
    if d.transport != "any":
        assert bool(got[0]["tls"]) == (d.transport != "clear")
    if d.transport in VERIFIED:
        assert last["sessions"][-1]["peer_verified"] == VERIFIED[d.transport]


def test_readme_has_the_table():
    with open(f"{lab_.HERE}/README.md", encoding="utf-8") as f:
        assert f.read().endswith(lab_.domain_table(markdown=True)), "run: lab/run domains --markdown"
