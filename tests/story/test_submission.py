"""Users and their mail: who gets in, by which mechanism, what they may send, and
what becomes of it; clients that people have, and Dovecot's sockets."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import time

import pytest

import alone
import lab as lab_
from parts import dovecot, packages

PASSWORD = "correct hörse"
HOST = lab_.world.SENDER_HOST


class Submission:
    def __init__(self, here, program, sink, name, **more):
        self.ports = [alone.free_port() for _ in range(2)]
        conf = {"submission.listen": [f"127.0.0.1:{self.ports[0]}"],
                "submissions.listen": [f"127.0.0.1:{self.ports[1]}"],
                "relay.networks": ["192.0.2.0/24"], "relay.domains": ["here.example"],
                "tls.certificate": f"{here.state}/certs/{HOST}.pem", "tls.key": f"{here.state}/certs/{HOST}.key",
                "smtp.receivers": 2, **more}
        self.here = here
        self.server = lab_.Geleit(here, program, name, options=alone.options(sink, **conf))
        self.context = ssl.create_default_context(cafile=f"{here.state}/ca.pem")
        os.makedirs(self.server.store, exist_ok=True)

    def user(self, *words, typed=None, timeout=20):
        """geleit user, before or while the server runs."""
        if not os.path.exists(self.server.conf):
            os.makedirs(self.server.folder, exist_ok=True)
            with open(self.server.conf, "w", encoding="utf-8") as f:
                f.write(lab_.geleit.text(self.server.options))
        command = [self.server.program, "user", "-c", self.server.conf, *words]
        return subprocess.run(command, input=typed, text=True, capture_output=True, timeout=timeout)

    def add(self, name, password=PASSWORD, *more):
        done = self.user("add", name, *more, typed=password + "\n")
        assert done.returncode == 0, done.stderr
        return done

    def connect(self, implicit=False):
        if implicit:
            return smtplib.SMTP_SSL("127.0.0.1", self.ports[1], local_hostname="laptop", timeout=20,
                                    context=_Named(self.context))
        client = smtplib.SMTP("127.0.0.1", self.ports[0], local_hostname="laptop", timeout=20)
        client._host = HOST
        client.ehlo()
        client.starttls(context=self.context)
        client.ehlo()
        return client

    def login(self, name, password=PASSWORD, implicit=False):
        client = self.connect(implicit)
        client.ehlo_or_helo_if_needed()
        plain(client, name, password)
        return client


def plain(client, name, password=PASSWORD):
    """AUTH PLAIN; smtplib's own login takes no password but ASCII."""
    code, text = client.docmd("AUTH PLAIN " + base64.b64encode(f"\0{name}\0{password}".encode()).decode())
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, text)


class _Named:
    """A context that checks the certificate for the server's own name."""
    def __init__(self, context):
        self.context = context

    def wrap_socket(self, sock, server_hostname=None, **kw):
        return self.context.wrap_socket(sock, server_hostname=HOST, **kw)


@pytest.fixture(scope="module")
def submission(here, program, sink):
    s = Submission(here, program, sink, "submission", **{"users.failures": 1000, "users.failures_each": 6})
    s.add("alice@a.example", PASSWORD, "--senders", "*@lists.a.example,alice+*@a.example")
    s.add("bob@a.example", "bob's")
    s.add("many@a.example", "many's")
    with s.server:
        yield s
    print(s.server.log_end())


def letter(name, sender="alice@a.example", head=b""):
    return (b"From: Alice <%s>\r\nTo: Carol <carol@elsewhere.example>\r\nSubject: %s\r\n%s\r\nHello.\r\n"
            % (sender.encode(), name.encode(), head))


def arrived(sink, name):
    assert lab_.until(lambda: sink.named(name), 15), f"{name} did not come"
    return sink.named(name)[0][0]


# ---- the command ------------------------------------------------------------
def test_the_file_of_users(here, program, sink):
    s = Submission(here, program, sink, "users")
    assert s.user("list").returncode == 0
    s.add("Ann@B\xfccher.example", "x", "--senders", "ann@other.example")
    s.add("scanner", "y")
    path = s.server.store + "/users"
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert "x" not in text.split("\n")[2].split() and "$y$" in text and "SCRAM-SHA-256$" in text
    users = json.loads(s.user("list", "--json").stdout)
    assert [u["name"] for u in users] == ["ann@xn--bcher-kva.example", "scanner"]
    assert users[0]["senders"] == ["ann@other.example"] and users[0]["scram_sha_256"]
    assert "changed" in s.add("ann@xn--bcher-kva.example", "z").stdout  # keeps the senders
    assert json.loads(s.user("list", "--json").stdout)[0]["senders"] == ["ann@other.example"]
    assert s.user("remove", "nobody").returncode == 1
    assert s.user("remove", "scanner", "ann@b\xfccher.example").returncode == 0
    assert "no users" in s.user("list").stdout
    for words, typed, says in ((("add", "a@b@"), "x\n", "neither"), (("add", "a@b.example"), "", "no password"),
                               (("add", "a@b.example"), "a\x07\n", "control"), (("add",), "x\n", "one NAME"),
                               (("add", "-o", "store.path=/nowhere/at/all"), "x\n", "one NAME"),
                               (("list", "ann"), "", "no argument"), (("remove",), "", "a NAME"),
                               (("add", "a@b.example", "--senders", "nonsense"), "x\n", "no address"),
                               (("frobnicate",), "", "not known")):
        done = s.user(*words, typed=typed)
        assert done.returncode == 2 and says in done.stderr, (words, done)
    with open(path, "a", encoding="utf-8") as f:
        f.write("x@y.example plaintext\n")
    done = s.user("list")
    assert done.returncode == 2 and f"{path}:3:" in done.stderr, done.stderr


# ---- mechanisms -------------------------------------------------------------
@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit TLS"])
def test_what_is_offered(submission, implicit):
    def offered():  # plain ones only, until the authenticator has said that all have verifiers
        with submission.connect(implicit) as client:
            client.ehlo_or_helo_if_needed()
            return "SCRAM" in client.esmtp_features["auth"]
    assert lab_.until(offered, 10)
    with submission.connect(implicit) as client:
        client.ehlo_or_helo_if_needed()
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]
        assert client.docmd("MAIL FROM:<alice@a.example>")[0] == 530


def test_nothing_in_clear_text(submission):
    with smtplib.SMTP("127.0.0.1", submission.ports[0], timeout=20) as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features
        code, text = client.docmd("AUTH PLAIN " + base64.b64encode(b"\0alice@a.example\0x").decode())
        assert code in (503, 530, 538), text


@pytest.mark.parametrize("how", ["plain", "login", "plain without initial", "login with initial"])
def test_password_mechanisms(submission, how):
    def b64(s):
        return base64.b64encode(s.encode()).decode()
    with submission.connect() as c:
        plain = b64(f"\0alice@a.example\0{PASSWORD}")
        if how == "plain":
            assert c.docmd("AUTH PLAIN " + plain)[0] == 235
        elif how == "plain without initial":
            assert c.docmd("AUTH PLAIN") == (334, b"")
            assert c.docmd(plain)[0] == 235
        else:
            code, text = c.docmd("AUTH LOGIN" + (" " + b64("alice@a.example") if "initial" in how else ""))
            if "initial" not in how:
                assert (code, base64.b64decode(text)) == (334, b"Username:")
                code, text = c.docmd(b64("Alice@A.example"))
            assert (code, base64.b64decode(text)) == (334, b"Password:")
            assert c.docmd(b64(PASSWORD))[0] == 235
        assert c.docmd("AUTH PLAIN " + plain)[0] == 503  # RFC 4954 section 4: once


class Scram:
    """A client's side of SCRAM-SHA-256 (RFC 5802, 7677)."""
    def __init__(self, name, password, header=b"n,,", bound=b""):
        self.bare = b"n=" + name.encode().replace(b"=", b"=3D").replace(b",", b"=2C") + b",r=" + base64.b64encode(os.urandom(15))
        self.password, self.header, self.bound = password.encode(), header, bound

    def first(self):
        return self.header + self.bare

    def final(self, server):
        f = dict(p.split(b"=", 1) for p in server.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(f[b"s"]), int(f[b"i"]))
        without = b"c=" + base64.b64encode(self.header + self.bound) + b",r=" + f[b"r"]
        message = self.bare + b"," + server + b"," + without
        key = hmac.digest(salted, b"Client Key", "sha256")
        mask = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        self.signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return without + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(key, mask)))

    def run(self, client, mechanism="SCRAM-SHA-256"):
        code, text = client.docmd(f"AUTH {mechanism} " + base64.b64encode(self.first()).decode())
        if code != 334:
            return code
        self.server_first = base64.b64decode(text)
        code, text = client.docmd(base64.b64encode(self.final(self.server_first)).decode())
        if code != 334:
            return code
        assert base64.b64decode(text) == b"v=" + base64.b64encode(self.signature)
        return client.docmd("")[0]


def end_point(client):
    return hashlib.sha256(client.sock.getpeercert(True)).digest()


def test_scram(submission):
    with submission.connect() as c:
        assert Scram("alice@a.example", PASSWORD).run(c) == 235
    with submission.connect() as c:
        assert Scram("alice@a.example", "wrong").run(c) == 535
        assert Scram("alice@a.example", PASSWORD, b"y,,").run(c) == 535  # we can, and said so
        assert Scram("alice@a.example", PASSWORD, b"n,,").run(c) == 235


def test_scram_plus(submission):
    kind = b"p=tls-server-end-point,,"
    with submission.connect(implicit=True) as c:
        c.ehlo()
        assert Scram("alice@a.example", PASSWORD, kind, b"x" * 32).run(c, "SCRAM-SHA-256-PLUS") == 535
        assert Scram("alice@a.example", PASSWORD).run(c, "SCRAM-SHA-256-PLUS") == 535
        assert Scram("alice@a.example", PASSWORD, kind, end_point(c)).run(c, "SCRAM-SHA-256-PLUS") == 235


def test_nobody_can_be_told_from_somebody(submission):
    """The same salt each time, the same number of rounds, the same refusal."""
    seen = []
    for _ in range(2):
        with submission.connect() as c:
            scram = Scram("nobody@a.example", "x")
            assert scram.run(c) == 535
            seen.append(scram.server_first.split(b",")[1:])
    with submission.connect() as c:
        scram = Scram("bob@a.example", "x")
        assert scram.run(c) == 535
    assert seen[0] == seen[1] and seen[0][1] == scram.server_first.split(b",")[2]
    with submission.connect() as c:
        plain = [c.docmd("AUTH PLAIN " + base64.b64encode(f"\0{n}\0x".encode()).decode())
                 for n in ("bob@a.example", "nobody@a.example")]
    assert plain[0] == plain[1] and plain[0][0] == 535


def test_cancelled_and_malformed(submission):
    with submission.connect() as c:
        assert c.docmd("AUTH PLAIN")[0] == 334
        assert c.docmd("*")[0] == 501
        assert c.docmd("AUTH LOGIN")[0] == 334
        assert c.docmd("no base64!")[0] == 501
        assert c.docmd("AUTH CRAM-MD5")[0] == 504
        assert c.docmd("AUTH SCRAM-SHA-256 =")[0] == 535
        assert c.docmd("AUTH PLAIN " + base64.b64encode(f"\0alice@a.example\0{PASSWORD}".encode()).decode())[0] == 235


def test_failures_are_slow_and_limited(submission):
    """Of one user; from an address that he logged in from he still gets in."""
    submission.add("guessed@a.example", "right")
    begun = time.monotonic()
    codes = []
    with submission.connect() as c:
        for _ in range(7):
            codes.append(c.docmd("AUTH PLAIN " + base64.b64encode(b"\0guessed@a.example\0x").decode())[0])
    assert codes == [535] * 6 + [454] and time.monotonic() - begun > 6
    with submission.connect() as c:
        with pytest.raises(smtplib.SMTPAuthenticationError, match="too many"):
            plain(c, "guessed@a.example", "right")
    submission.login("alice@a.example").quit()  # nobody else is kept out


def test_users_change_while_the_server_runs(submission):
    submission.add("new@a.example", "one")
    submission.login("new@a.example", "one").quit()
    submission.add("new@a.example", "two")
    with submission.connect() as c, pytest.raises(smtplib.SMTPAuthenticationError):
        plain(c, "new@a.example", "one")
    submission.login("new@a.example", "two").quit()
    assert submission.user("remove", "new@a.example").returncode == 0
    with submission.connect() as c, pytest.raises(smtplib.SMTPAuthenticationError):
        plain(c, "new@a.example", "two")


def test_a_broken_file_leaves_the_users_that_were_known(submission):
    path = submission.server.store + "/users"
    shutil.copy(path, path + ".good")
    with open(path, "a", encoding="utf-8") as f:
        f.write("somebody@a.example nonsense\n")
    submission.login("alice@a.example").quit()
    assert any(path in line and "line=" in line for line in alone.log_lines(submission.server, "users-unreadable"))
    os.replace(path + ".good", path)
    submission.login("alice@a.example").quit()


def memory_of(pid):
    """All that a process can read and write, piece by piece."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            area, rights = line.split()[:2]
            begin, end = (int(x, 16) for x in area.split("-"))
            if rights[:2] != "rw" or end - begin > 1 << 28:
                continue
            try:
                mem.seek(begin)
                yield mem.read(end - begin)
            except (OSError, ValueError):
                continue


SECRET = "Vergissmeinnicht-and-Forget-me-not"


def forgotten(server):
    """Nobody has a part of SECRET, in clear or as a client or Dovecot is given it."""
    traces = [b"Vergissmeinnicht-and", b"orget-me-not"]
    traces += [base64.b64encode(b"\0" * n + b"Vergissmeinnicht-and")[4:20] for n in range(3)]
    for role in ("receiver", "authenticator", "store", "master"):
        for pid in [server.process.pid] if role == "master" else alone.role_pids(server, role):
            for piece in memory_of(pid):
                for t in traces:
                    at = piece.find(t)
                    assert at < 0, f"{role} remembers: {piece[max(0, at - 60):at + 60]}"


def test_passwords_do_not_stay_in_memory(here, program, sink):
    """Not where they came in, nor where they are checked, whatever became of the login:
    a crash writes memory to a disk, and an over-read shows it to the world."""
    s = Submission(here, program, sink, "forgets", **{"smtp.receivers": 1, "users.failures": 100})
    s.add("alice@a.example", SECRET)
    with s.server:
        server = s.server
        s.login("alice@a.example", SECRET).quit()
        client = s.connect(True)
        client.ehlo()
        for line in ("AUTH LOGIN " + base64.b64encode(b"alice@a.example").decode(),
                     base64.b64encode(SECRET.encode()).decode()):
            client.docmd(line)
        plain_ = base64.b64encode(f"\0alice@a.example\0{SECRET}".encode())
        client.docmd("AUTH PLAIN " + plain_.decode())  # too late: 503
        with s.connect() as other:
            assert other.docmd("AUTH PLAIN " + plain_.decode()[:-4] + "AA==")[0] == 535
            other.send(b"NOOP\r\nAUTH PLAIN\r\n" + plain_ + b"\r\nNOOP\r\n")  # not alone in what is read
            assert [other.getreply()[0] for _ in range(4)] == [250, 334, 235, 250]
        forgotten(server)
        client.close()


# ---- what a user sends ------------------------------------------------------
def test_a_message_is_completed(submission, sink):
    with submission.login("alice@a.example") as c:
        c.sendmail("alice@a.example", ["carol@elsewhere.example"], letter("completed"))
    raw = arrived(sink, "completed")
    head = raw.split(b"\r\n\r\n")[0].decode()
    received = head[:head.index("\r\nDate:")].replace("\r\n\t", " ").replace("\r\n ", " ")
    assert "with ESMTPSA" in received, head
    assert head.count("\r\nDate: ") == 1 and head.count("\r\nMessage-ID: <") == 1 and HOST in head
    assert "Authentication-Results" not in head


def test_what_is_there_stays(submission, sink):
    own = b"Date: Mon, 2 Jan 2006 15:04:05 +0000\r\nmessage-id: <x@laptop>\r\nSender: alice@a.example\r\n" \
          b"Authentication-Results: " + HOST.encode() + b"; dmarc=pass\r\n"
    with submission.login("alice@a.example", implicit=True) as c:
        c.sendmail("alice@a.example", ["carol@elsewhere.example"], letter("stays", head=own))
    head = arrived(sink, "stays").split(b"\r\n\r\n")[0]
    assert head.lower().count(b"\r\ndate:") == 1 and head.lower().count(b"\r\nmessage-id:") == 1
    assert b"dmarc=pass" not in head


@pytest.mark.parametrize("sender", ["alice@a.example", "Alice@A.EXAMPLE", "alice+x@a.example", "any@lists.a.example", ""])
def test_own_senders(submission, sender):
    with submission.login("alice@a.example") as c:
        assert c.mail(sender)[0] == 250
        assert c.rcpt("carol@elsewhere.example")[0] == 250


@pytest.mark.parametrize("sender", ["bob@a.example", "alice@b.example", "x@sub.lists.a.example", "alicex@a.example"])
def test_others_senders(submission, sender):
    with submission.login("alice@a.example") as c:
        code, text = c.mail(sender)
        assert code == 553 and text.startswith(b"5.7.1"), text


@pytest.mark.parametrize("name,head", [
    ("other", b"From: bob@a.example\r\n"), ("two", b"From: alice@a.example, bob@a.example\r\n"),
    ("none", b""), ("several", b"From: alice@a.example\r\nFrom: alice@a.example\r\n"),
    ("name", b"From: alice\r\n"), ("sender", b"From: alice@a.example\r\nSender: bob@a.example\r\n"),
    ("literal", b"From: alice@[192.0.2.1]\r\n"), ("group", b"From: all:;\r\n"),
    ("resent", b"From: alice@a.example\r\nResent-From: bob@a.example\r\n"), ("no field", b"From alice\r\n")])
def test_others_authors(submission, sink, name, head):
    with submission.login("alice@a.example") as c:
        c.mail("alice@a.example")
        c.rcpt("carol@elsewhere.example")
        code, text = c.data(head + b"Subject: author " + name.encode() + b"\r\n\r\nx\r\n")
        assert code == 550 and text.startswith(b"5.7.1"), text
        c.sendmail("alice@a.example", ["carol@elsewhere.example"], letter("behind " + name))
    arrived(sink, "behind " + name)
    assert not sink.named("author " + name)


def test_rates_of_a_user(here, program, sink):
    s = Submission(here, program, sink, "rates", **{"submission.messages": 3, "submission.recipients": 5})
    s.add("alice@a.example")
    s.add("bob@a.example")
    with s.server:
        with s.login("alice@a.example") as c, s.login("alice@a.example") as other:  # perhaps two receivers
            for client in (c, other, c):
                assert client.mail("alice@a.example")[0] == 250
                assert client.rcpt("carol@elsewhere.example")[0] == 250
                assert client.rset()[0] == 250
            code, text = other.mail("alice@a.example")
            assert code == 450 and b"try again in" in text, text
        with s.login("bob@a.example") as c:
            assert c.mail("bob@a.example")[0] == 250
            codes = [c.rcpt(f"r{i}@elsewhere.example")[0] for i in range(7)]
        assert codes == [250] * 5 + [450] * 2


def test_without_an_authenticator(submission):
    """It dies: those who are logged in wait a moment, and a new one answers."""
    with submission.login("alice@a.example") as c:
        alone.kill(alone.role_pids(submission.server, "authenticator"))
        assert c.mail("alice@a.example")[0] in (250, 451)
    assert lab_.until(lambda: alone.role_pids(submission.server, "authenticator"), 10)
    submission.login("alice@a.example").quit()


# ---- clients that people have -----------------------------------------------
def need(program):
    return shutil.which(program) or pytest.skip(f"{program} is not here")


def unpacked(name):
    try:
        return packages.find(name)
    except packages.Missing as e:
        pytest.skip(str(e))


@pytest.mark.parametrize("how", ["PLAIN", "LOGIN", "implicit"])
def test_swaks(submission, sink, how):
    name = "swaks " + how
    port = ["-tlsc", "-p", str(submission.ports[1])] if how == "implicit" else ["-tls", "-p", str(submission.ports[0])]
    try:
        env = {**os.environ, **packages.perl_modules("libnet-ssleay-perl")}
    except packages.Missing as e:
        pytest.skip(str(e))
    done = subprocess.run([need("swaks"), "-s", "127.0.0.1", *port, "--auth", "PLAIN" if how == "implicit" else how,
                           "--auth-user", "bob@a.example", "--auth-password", "bob's", "-f", "bob@a.example",
                           "-t", "carol@elsewhere.example", "--h-From", "bob@a.example", "--h-Subject", name],
                          capture_output=True, text=True, timeout=30, env=env)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    arrived(sink, name)


@pytest.mark.parametrize("how", ["PLAIN", "LOGIN"])
def test_curl(submission, sink, how, tmp_path):
    mail = tmp_path / "mail"
    mail.write_bytes(letter("curl " + how))
    done = subprocess.run([need("curl"), "-sS", "--url", f"smtps://{HOST}:{submission.ports[1]}",
                           "--resolve", f"{HOST}:{submission.ports[1]}:127.0.0.1",
                           "--cacert", f"{submission.here.state}/ca.pem", "--login-options", f"AUTH={how}",
                           "-u", f"alice@a.example:{PASSWORD}", "--mail-from", "alice@a.example",
                           "--mail-rcpt", "carol@elsewhere.example", "-T", str(mail)],
                          capture_output=True, text=True, timeout=30, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    arrived(sink, "curl " + how)


# With scram-sha-256 it binds the channel where it can (-PLUS).
@pytest.mark.parametrize("mechanism,tls", [("plain", "on"), ("login", "on"), ("scram-sha-256", "on"),
                                           ("scram-sha-256", "implicit")])
def test_msmtp(submission, sink, mechanism, tls):
    program = unpacked("msmtp")
    name = f"msmtp {mechanism} {tls}"
    port = submission.ports[tls == "implicit"]
    done = subprocess.run([program.path, "-C", "/dev/null", "--host=127.0.0.1", f"--port={port}", "--tls=on",
                           f"--tls-starttls={'off' if tls == 'implicit' else 'on'}", "--tls-certcheck=off",
                           f"--auth={mechanism}", "--user=bob@a.example", "--passwordeval=printf \"bob's\"",
                           "--from=bob@a.example", "carol@elsewhere.example"],
                          input=letter(name, "bob@a.example"), capture_output=True, timeout=30, env=program.env())
    assert done.returncode == 0, done.stderr
    arrived(sink, name)


def test_openssl_s_client(submission):
    """Implicit TLS: the greeting comes inside, not before."""
    done = subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{submission.ports[1]}",
                           "-servername", HOST, "-CAfile", f"{submission.here.state}/ca.pem", "-verify_return_error",
                           "-verify_hostname", HOST, "-crlf", "-ign_eof"],
                          input=b"EHLO laptop\nQUIT\n", capture_output=True, timeout=30)
    assert done.stdout.startswith(b"220 ") and b"AUTH SCRAM-SHA-256-PLUS" in done.stdout
    assert done.stdout.rstrip().split(b"\n")[-1].startswith(b"221 ")
    with socket.create_connection(("127.0.0.1", submission.ports[1]), 20) as s:
        s.settimeout(1)
        with pytest.raises(TimeoutError):
            s.recv(1)


def test_as_thunderbird_does(submission, sink):
    """EHLO with an address literal, AUTH PLAIN with an initial response, SIZE and BODY."""
    with submission.connect() as c:
        c.ehlo("[192.168.1.7]")
        assert c.docmd("AUTH PLAIN " + base64.b64encode(f"\0alice@a.example\0{PASSWORD}".encode()).decode())[0] == 235
        raw = letter("thunderbird").replace(b"Hello.", "Grüße".encode())
        assert c.docmd(f"MAIL FROM:<alice@a.example> BODY=8BITMIME SIZE={len(raw)}")[0] == 250
        assert c.docmd("RCPT TO:<carol@elsewhere.example>")[0] == 250
        assert c.docmd("DATA")[0] == 354
        c.send(raw + b".\r\n")
        assert c.getreply()[0] == 250
        assert c.docmd("QUIT")[0] == 221
    arrived(sink, "thunderbird")


# ---- Dovecot ----------------------------------------------------------------
@pytest.fixture(scope="module")
def with_dovecot(here, program, sink, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("Dovecot, unpacked, runs as root only")
    try:
        packages.find("dovecot")
    except packages.Missing as e:
        pytest.skip(str(e))
    d = dovecot.Dovecot(tmp_path_factory.mktemp("dovecot"),
                        {"dora@a.example": "dora's", "alice@a.example": "other", "erin@a.example": SECRET})
    s = Submission(here, program, sink, "dovecot", **{"users.dovecot": d.auth, "users.dovecot_userdb": d.userdb,
                                                      "users.timeout": "2s"})
    s.add("alice@a.example")
    done = s.user("add", "dora@a.example", "--no-password", "--senders", "d@a.example")
    assert done.returncode == 0, done.stderr
    s.dovecot = d
    with d, s.server:
        assert lab_.until(lambda: len(alone.log_lines(s.server, "dovecot-up")) == 2, 20), s.server.log_end()
        yield s
    print(s.server.log_end())


def test_dovecot_knows_the_others(with_dovecot, sink):
    with with_dovecot.connect() as c:
        # no -PLUS: Dovecot cannot see our channel
        assert c.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
        with pytest.raises(smtplib.SMTPAuthenticationError):
            plain(c, "dora@a.example", "wrong")
        plain(c, "dora@a.example", "dora's")
        c.sendmail("d@a.example", ["carol@elsewhere.example"], letter("dora", "dora@a.example"))
        assert c.mail("alice@a.example")[0] == 553
    arrived(sink, "dora")
    with_dovecot.login("alice@a.example").quit()  # the file comes first
    with with_dovecot.connect() as c, pytest.raises(smtplib.SMTPAuthenticationError):
        plain(c, "alice@a.example", "other")


def test_dovecot_by_scram(with_dovecot):
    for name, password, code in (("dora@a.example", "dora's", 235), ("dora@a.example", "x", 535),
                                 ("nobody@a.example", "x", 535), ("alice@a.example", PASSWORD, 235)):
        with with_dovecot.connect() as c:
            assert Scram(name, password).run(c) == code, name
    with with_dovecot.connect() as c:  # given up half-way
        assert c.docmd("AUTH SCRAM-SHA-256 " + base64.b64encode(b"n,,n=dora@a.example,r=x").decode())[0] == 334
        assert c.docmd("*")[0] == 501
        plain(c, "dora@a.example", "dora's")


def test_passwords_for_dovecot_do_not_stay_in_memory(with_dovecot):
    with_dovecot.login("erin@a.example", SECRET).quit()
    with with_dovecot.connect() as c, pytest.raises(smtplib.SMTPAuthenticationError):
        plain(c, "erin@a.example", SECRET + "?")
    forgotten(with_dovecot.server)


def test_a_dovecot_that_is_down_is_no_refusal(with_dovecot):
    with with_dovecot.connect() as c:
        with_dovecot.dovecot.stop()
        with pytest.raises(smtplib.SMTPAuthenticationError) as e:
            plain(c, "dora@a.example", "dora's")
        assert e.value.smtp_code == 454
    down = alone.log_lines(with_dovecot.server, "dovecot-down")
    assert any(with_dovecot.dovecot.auth in line for line in down), down
    with_dovecot.login("alice@a.example").quit()
    with_dovecot.dovecot.start()
    assert lab_.until(lambda: len(alone.log_lines(with_dovecot.server, "dovecot-up")) >= 4, 20)
    with_dovecot.login("dora@a.example", "dora's").quit()


def test_one_slow_login_holds_up_nobody(with_dovecot, here, program, sink, tmp_path):
    """A socket that says nothing: 454 after users.timeout, others meanwhile."""
    path = str(tmp_path / "silent")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen(5)
        s = Submission(here, program, sink, "silent", **{"users.dovecot": path, "users.timeout": "2s"})
        s.add("alice@a.example")
        with s.server, s.connect() as slow:
            slow.putcmd("AUTH PLAIN " + base64.b64encode(b"\0dora@a.example\0x").decode())
            begun = time.monotonic()
            s.login("alice@a.example").quit()
            assert time.monotonic() - begun < 1.5
            assert slow.getreply()[0] == 454
        assert any(path in line for line in alone.log_lines(s.server, "dovecot-silent"))


# ---- REQUIRETLS (RFC 8689), asked while the user writes ---------------------
NEVER = (550, b"5.7.10")
FORESEEN = {"dane.example": (250, b""), "sts-enforce.example": (250, b""), "dane-mismatch.example": (250, b""),
            "plain.example": NEVER, "sts-testing.example": NEVER, "nullmx.example": (550, b"5.1.10"),
            "bogus.example": (250, b""), "silent.example": (250, b"")}  # not known now: the delivery finds out


def test_requiretls_that_cannot_be(lab, program, request):
    """RCPT is refused where the plan says never; where it says not now, accepted."""
    ports = [alone.free_port()]
    conf = {"submission.listen": [f"{lab_.Geleit.ADDRESS}:{ports[0]}"],
            "tls.certificate": f"{lab.state}/certs/{HOST}.pem", "tls.key": f"{lab.state}/certs/{HOST}.key"}
    server = lab_.Geleit(lab, program, "foresee", options=conf)
    os.makedirs(server.store, exist_ok=True)
    os.makedirs(server.folder, exist_ok=True)
    with open(server.conf, "w", encoding="utf-8") as f:
        f.write(lab_.geleit.text(server.options))
    done = subprocess.run([program, "user", "add", "-c", server.conf, "alice@a.example"], input="x\n", text=True,
                          capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    request.addfinalizer(lambda: print(server.log_end(20000)))
    with server, lab.smtp(lab_.Geleit.ADDRESS, ports[0]) as c:
        context = ssl.create_default_context(cafile=f"{lab.state}/ca.pem")
        context.check_hostname = False
        c.ehlo()
        c.starttls(context=context)
        c.ehlo()
        plain(c, "alice@a.example", "x")
        assert "requiretls" in c.esmtp_features
        for domain, codes in FORESEEN.items():
            assert c.mail("alice@a.example", ["REQUIRETLS"])[0] == 250
            code, text = c.rcpt(f"bob@{domain}")
            assert (code, text.split()[0] if code != 250 else b"") == codes, (domain, code, text)
            assert c.rset()[0] == 250
            assert c.mail("alice@a.example")[0] == 250  # without it anything goes
            assert c.rcpt(f"bob@{domain}")[0] == 250
            assert c.rset()[0] == 250
