"""Where mail for an address goes: mailboxes and aliases, who is refused at once, senders
of what is sent on elsewhere, and how notices find back."""
import re
import time

import pytest

import alone
import lab as lab_
from alone import Talk, letter, stuffed

TABLE = """\
postmaster: alice
info@home.example: alice, bob@far.example
news: alice, reader@far.example
owner-news: carol
old@home.example: :fail: We moved to far.example
@twin.example: @home.example
@all.example: alice@home.example
"""
USERS = "".join(f"{name}@home.example - - -\n" for name in ("alice", "bob", "carol"))
OUTSIDE = {"relay.networks": ["192.0.2.0/24"]}


@pytest.fixture
def start(here, program, request, tmp_path):
    made = []

    def make(table=TABLE, users=USERS, **more):
        sink = alone.Sink()
        (tmp_path / "aliases").write_text(table)
        (tmp_path / "users").write_text(users)
        options = alone.options(sink, **{
            "local.domains": ["home.example"], "alias.domains": ["twin.example", "all.example"],
            "alias.files": [str(tmp_path / "aliases")], "users.file": str(tmp_path / "users"),
            **OUTSIDE, **more})
        server = lab_.Geleit(here, program, request.node.name, options=options)
        made.append((server, sink))
        return server.start(), sink
    yield make
    for server, sink in made:
        server.stop()
        sink.close()
        print(server.log_end())


def answers(server, *recipients, sender="ann@a.example"):
    with Talk(server) as talk:
        talk.greeted()
        talk.ask(f"MAIL FROM:<{sender}>")
        return [talk.ask(f"RCPT TO:<{to}>") for to in recipients]


def send(server, *recipients, sender="ann@a.example", name="one"):
    with Talk(server) as talk:
        talk.greeted()
        assert talk.ask(f"MAIL FROM:<{sender}>").startswith("250")
        for to in recipients:
            assert talk.ask(f"RCPT TO:<{to}>").startswith("250"), to
        assert talk.ask("DATA").startswith("354")
        talk.say(stuffed(letter(name)))
        assert talk.reply().startswith("250")


def got(sink, name, count, patience=20):
    """(recipient, sender) of what arrived."""
    end = time.monotonic() + patience
    while True:
        pairs = sorted((to, facts["mail_from"]) for _, facts in sink.named(name) for to in facts["rcpt_to"])
        if len(pairs) >= count or time.monotonic() > end:
            return pairs
        time.sleep(0.05)


def test_who_is_refused(start):
    server, _ = start()
    seen = answers(server, "alice@home.example", "Alice+x@HOME.example", "nobody@home.example",
                   "nobody@twin.example", "old@home.example", "x@elsewhere.example",
                   "postmaster", "postmaster@twin.example", "anything@all.example")
    assert [s[:9] for s in seen] == ["250 2.1.5", "250 2.1.5", "550 5.1.1", "550 5.1.1", "550 5.1.6",
                                     "550 5.7.1", "250 2.1.5", "250 2.1.5", "250 2.1.5"]
    assert "We moved to far.example" in seen[4]


def test_ways_and_senders(start):
    server, sink = start()
    send(server, "info@home.example", "alice+news@home.example", "alice@twin.example", name="ways")
    pairs = got(sink, "ways", 3)
    to = dict(pairs)
    assert set(to) == {"alice@home.example", "alice+news@home.example", "bob@far.example"}
    assert to["alice@home.example"] == to["alice+news@home.example"] == "ann@a.example"
    assert re.fullmatch(r"SRS0=\w+=\w+=a\.example=ann@home\.example", to["bob@far.example"])
    assert len(pairs) == 3  # alice is told once, though two addresses lead to her


def test_owners(start):
    server, sink = start()
    send(server, "news@home.example", name="owners")
    assert got(sink, "owners", 2) == [("alice@home.example", "owner-news@home.example"),
                                      ("reader@far.example", "owner-news@home.example")]


def test_notices_find_back_and_forged_ones_do_not(start):
    server, sink = start()
    send(server, "info@home.example", name="out")
    srs = dict(got(sink, "out", 2))["bob@far.example"]
    send(server, srs, sender="", name="back")
    assert got(sink, "back", 1) == [("ann@a.example", "")]
    forged = srs.replace("=ann@", "=victim@")
    seen = answers(server, forged, srs.replace("SRS0=", "SRS0=x"), sender="")
    assert [s[:9] for s in seen] == ["550 5.1.1", "550 5.1.1"]


def test_what_fits_into_no_commit_is_refused_at_rcpt(start):
    members = ", ".join(f"{'m' * 50}{i:04}@{'d' * 60}.{'e' * 60}.far.example" for i in range(4900))
    server, sink = start(TABLE + f"crowd: {members}\n", **{"alias.most": 5000})
    send(server, "info@home.example", name="out")
    srs = dict(got(sink, "out", 2))["bob@far.example"]
    with Talk(server) as talk:
        talk.greeted()
        talk.ask("MAIL FROM:<ann@a.example>")
        crowd = talk.ask(f"RCPT TO:<crowd@home.example> ORCPT=rfc822;{'o' * 493}")
        assert crowd.startswith("452 4.5.3"), crowd
        # Nobody of those who were refused gets what goes to somebody else.
        assert talk.ask(f"RCPT TO:<{srs}>").startswith("250")
        assert talk.ask("DATA").startswith("354")
        talk.say(stuffed(letter("back")))
        assert talk.reply().startswith("250")
    assert [to for to, _ in got(sink, "back", 1)] == ["ann@a.example"]
    time.sleep(0.5)
    assert len(got(sink, "back", 1)) == 1


def test_null_sender_stays_null(start):
    server, sink = start()
    send(server, "news@home.example", "info@home.example", sender="", name="null")
    assert {sender for _, sender in got(sink, "null", 3)} == {""}


def test_a_changed_file_is_taken_and_a_broken_one_is_not(start, tmp_path):
    server, _ = start()
    assert answers(server, "new@home.example")[0].startswith("550")
    (tmp_path / "aliases").write_text(TABLE + "new@home.example: bob\n")
    end = time.monotonic() + 15
    while not answers(server, "new@home.example")[0].startswith("250"):
        assert time.monotonic() < end
        time.sleep(0.3)
    (tmp_path / "aliases").write_text("new@home.example: |/bin/sh\n")
    while not alone.log_lines(server, "aliases-not-loaded"):
        assert time.monotonic() < end
        time.sleep(0.3)
    assert answers(server, "new@home.example")[0].startswith("250")


def test_not_known_is_not_unknown(start, tmp_path):
    """The user database cannot be asked: nobody is turned away for good."""
    server, _ = start(users="", **{"users.dovecot_userdb": str(tmp_path / "nobody-listens")})
    assert answers(server, "alice@home.example")[0].startswith("451")


def test_mailboxes_unchecked(start):
    server, _ = start(**{"local.check_mailboxes": False})
    assert answers(server, "whoever@home.example")[0].startswith("250")


@pytest.mark.parametrize("text,said", [("a: b\nb: a\n", "leads back to itself"), ("a |x\n", "there is no"),
                                       ("a: /tmp/x\n", "mail is not written to files")])
def test_what_is_wrong_is_told_before_the_start(here, program, tmp_path, text, said):
    (tmp_path / "aliases").write_text(text)
    out = here.run([program, "config", "-o", f"alias.files={tmp_path}/aliases", "-o", "local.domains=home.example",
                    "-o", "local.lmtp=unix:/nowhere",
                    "-o", f"store.path={tmp_path}/store"])
    assert out.returncode == 2 and said in out.stderr and "aliases:" in out.stderr
