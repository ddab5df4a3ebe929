"""Local delivery by LMTP: to Dovecot at a Unix socket and at a port, and to servers
that say odd things. Each recipient has an outcome of its own."""
import json
import os
import re
import tempfile
import threading

import pytest

import alone
import lab as lab_
from alone import letter
from parts import dovecot_lmtp as dovecot, packages, smtp_server

BOB, CAROL, FULL, NOBODY = "bob@home.example", "carol@home.example", "full@home.example", "nobody@home.example"


@pytest.fixture
def mailboxes():
    """Dovecot with the mailboxes of home.example; not started. Its user is nobody, who
    may not look into pytest's folders."""
    with tempfile.TemporaryDirectory(prefix="geleit-dovecot-") as folder:
        os.chmod(folder, 0o755)
        try:
            server = dovecot.Dovecot(folder, [BOB, CAROL, (FULL, "*:bytes=400")])
        except packages.Missing as e:
            pytest.skip(str(e))
        yield server
        server.stop()
        print(server.log_end())


@pytest.fixture
def sink():
    s = alone.Sink()
    yield s
    s.close()


@pytest.fixture
def start(here, program, sink, request):
    made = []

    def make(endpoint, **more):
        options = {"local.domains": ["home.example"], "local.lmtp": endpoint, "local.check_mailboxes": False, **more}
        server = lab_.Geleit(here, program, f"{request.node.name}-{len(made)}"[:60],
                             options=alone.options(sink, **options))
        made.append(server)
        return server.start()
    yield make
    for server in made:
        server.stop()
        log = server.log_end()
        print(log)
        assert "ERROR: AddressSanitizer" not in log and "runtime error" not in log
        assert "role-died" not in log


def lmtp_sink(cls=smtp_server.Session, **odd):
    s = alone.Sink(**odd)
    s.server.lmtp = True
    s.server.serve = lambda sock, peer, host: cls(sock, peer, host, s.server).run()
    return s


def outcomes(server):
    """What the attempts made of each recipient, the last one counts."""
    return {r["address"]: r for a in server.history() for r in a["recipients"]}


@pytest.mark.parametrize("where", ["socket", "port"])
def test_to_dovecot(mailboxes, start, sink, where):
    """Two have it, one is full, one does not exist; the sender hears of the two."""
    mailboxes.start()
    endpoint = f"unix:{mailboxes.socket}" if where == "socket" else f"127.0.0.1:{mailboxes.port}"
    server = start(endpoint)
    raw = letter("to-all", 900)
    server.submit(raw, [BOB, CAROL, FULL, NOBODY])
    assert lab_.until(lambda: mailboxes.mail(BOB) and mailboxes.mail(CAROL), 20, 0.1)
    assert alone.emptied(server, 20)
    assert not mailboxes.mail(FULL)
    for who in (BOB, CAROL):
        (got,) = mailboxes.mail(who)
        assert len(re.findall(rb"^Return-Path: <alice@geleit-lab.example>\r?$", got, re.M)) == 1
        assert raw.replace(b"\r\n", b"\n") in got.replace(b"\r\n", b"\n")
    told = outcomes(server)
    assert {w: told[w]["outcome"] for w in told if w.endswith("home.example")} == {
        BOB: "delivered", CAROL: "delivered", FULL: "failed", NOBODY: "failed"}
    assert told[BOB]["taken_by"] == "mailbox"
    assert told[BOB]["reason"].startswith("local delivery by LMTP to ")
    assert told[FULL]["status"] == "5.2.2" and told[NOBODY]["status"] == "5.1.1"
    assert lab_.until(lambda: any(b"5.2.2" in raw and b"5.1.1" in raw for raw, _ in sink.got), 20, 0.1)
    notice = next(raw for raw, _ in sink.got if b"5.1.1" in raw)
    assert str(mailboxes.folder).encode() not in notice  # where mailboxes are is our concern
    plan = server.history()[0]["plan"]
    plan = json.loads(plan) if isinstance(plan, str) else plan
    assert plan["mx_dnssec"] == "not-asked" and plan["hosts"][0]["lmtp"] is True
    assert "local delivery by LMTP" in plan["reason"].replace("Local", "local")


def test_dovecot_down_and_up(mailboxes, start):
    server = start(f"unix:{mailboxes.socket}")
    server.submit(letter("waits"), [BOB])
    assert lab_.until(lambda: alone.log_lines(server, "mailbox-server-down"), 15, 0.1)
    assert f"unix:{mailboxes.socket}" in alone.log_lines(server, "mailbox-server-down")[0]
    assert alone.queued(server) == 1
    mailboxes.start()
    assert lab_.until(lambda: mailboxes.mail(BOB), 25, 0.1)
    assert alone.emptied(server, 15)
    assert len(mailboxes.mail(BOB)) == 1
    assert alone.log_lines(server, "mailbox-server-up")
    assert {a["decision"] for a in server.history()} == {"deferred", "delivered"}


def test_many_over_one_connection(mailboxes, start):
    mailboxes.start()
    server = start(f"unix:{mailboxes.socket}", **{"send.processes": 1})
    for i in range(30):
        server.submit(letter(f"m{i}"), [BOB, CAROL])
    assert alone.emptied(server, 30)
    for who in (BOB, CAROL):
        assert sorted(alone.subject(m.replace(b"\n", b"\r\n")) for m in mailboxes.mail(who)) == sorted(
            f"m{i}" for i in range(30))


def test_explain_says_where(mailboxes, start):
    server = start(f"unix:{mailboxes.socket}")
    done = server.command("explain", "home.example")
    assert done.returncode == 0 and "ocal delivery by LMTP" in done.stdout and mailboxes.socket in done.stdout
    shown = json.loads(server.command("explain", "--json", "home.example").stdout)
    assert shown["hosts"][0]["lmtp"] is True and shown["hosts"][0]["addresses"] == []
    assert shown["mta_sts"]["state"] == "absent" and shown["mx_dnssec"] == "not-asked"
    probed = json.loads(server.command("explain", "--json", "--probe", "home.example").stdout)
    assert probed["decision"] == "defer" and not probed["hosts"][0]["probe"]["connected"]
    mailboxes.start()
    done = server.command("explain", "--probe", "home.example")
    assert done.returncode == 0 and "would take the message" in done.stdout


def test_return_path_for_a_server_that_writes_none(start):
    box = lmtp_sink()
    server = start(f"127.0.0.1:{box.port}", **{"local.return_path": True})
    server.submit(letter("with"), [BOB])
    server.submit(letter("null"), [BOB], sender="")
    assert lab_.until(lambda: len(box.got) == 2, 15, 0.1)
    first = {alone.subject(raw): raw.split(b"\r\n")[0] for raw, _ in box.got}
    assert first == {"with": b"Return-Path: <alice@geleit-lab.example>", "null": b"Return-Path: <>"}
    assert all(raw.count(b"Return-Path") == 1 for raw, _ in box.got)
    box.close()


class Half(smtp_server.Session):
    """Takes the message for the first recipient, then its connection breaks: once."""
    broken = threading.Event()

    def do_data(self, rest):
        if Half.broken.is_set():
            return super().do_data(rest)
        Half.broken.set()
        self.send("354 go ahead")
        raw = self.body()
        self.server.capture.message(self.host.name, raw, {**self.envelope(), "rcpt_to": self.recipients[:1]})
        self.send("250 2.0.0 kept")
        raise smtp_server.Close("broken between two replies")


def test_broken_between_two_replies(start):
    """Who has it does not get it twice; who may have it gets it again."""
    Half.broken.clear()
    box = lmtp_sink(Half)
    server = start(f"127.0.0.1:{box.port}")
    server.submit(letter("half"), [BOB, CAROL])
    assert alone.emptied(server, 20)
    assert sorted(w for _, facts in box.got for w in facts["rcpt_to"]) == [BOB, CAROL]
    assert [a["decision"] for a in server.history()] == ["deferred", "delivered"]
    box.close()


def test_a_route_names_another_mailbox_server(start, sink):
    here, there = lmtp_sink(), lmtp_sink()
    server = start(f"127.0.0.1:{here.port}", **{
        "local.domains": ["home.example", "far.example"],
        "send.routes": [f"* [127.0.0.1]:{sink.port}", f"far.example lmtp:127.0.0.1:{there.port}"]})
    server.submit(letter("both"), [BOB, "dave@far.example", "eve@b.example"])
    assert alone.emptied(server, 20)
    assert [facts["rcpt_to"] for _, facts in here.got] == [[BOB]]
    assert [facts["rcpt_to"] for _, facts in there.got] == [["dave@far.example"]]
    assert [facts["rcpt_to"] for _, facts in sink.got] == [["eve@b.example"]]
    here.close()
    there.close()


def test_anyone_may_send_to_local_domains_only(start):
    box = lmtp_sink()
    server = start(f"127.0.0.1:{box.port}", **{"relay.networks": ["192.0.2.0/24"]})
    with alone.Talk(server) as talk:
        talk.greeted()
        assert talk.ask("MAIL FROM:<alice@a.example>").startswith("250")
        assert talk.ask(f"RCPT TO:<{BOB}>").startswith("250")
        assert talk.ask("RCPT TO:<eve@b.example>").startswith("550")
    box.close()


@pytest.mark.parametrize("bad", ["unix:relative/path", "127.0.0.1", "unix:/" + "x" * 120, "smtp:127.0.0.1:24"])
def test_what_is_no_mailbox_server_is_said(here, program, bad):
    done = here.run([program, "config", "-o", "local.domains=home.example", "-o", f"local.lmtp={bad}"])
    assert done.returncode == 2 and "local.lmtp" in done.stderr and "is no mailbox server" in done.stderr


def test_local_domains_without_a_mailbox_server(here, program):
    done = here.run([program, "config", "-o", "local.domains=home.example"])
    assert done.returncode == 2 and "set local.lmtp" in done.stderr
