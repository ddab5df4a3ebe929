"""TLS as a server: who is shown which certificate, what is resumed, what is told to
whom speaks the wrong language, and thousands who do nothing."""
import os
import re
import socket
import ssl
import subprocess
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import alone
import lab as lab_
import virtual
from alone import letter
from parts import certs


# ---- many at once -----------------------------------------------------------
def idle_session(server, context):
    """A client that has said EHLO inside TLS."""
    raw = server.lab.connect(server.address, server.port, 60)
    for said in (None, b"EHLO idle.a.example\r\n", b"STARTTLS\r\n"):
        if said:
            raw.sendall(said)
        assert raw.recv(4096)[:1] == b"2"
    tls = context.wrap_socket(raw)
    tls.sendall(b"EHLO idle.a.example\r\n")
    assert tls.recv(4096).startswith(b"250")
    return tls


def unchecked():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def sanitized(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        return any("libasan" in line or "libclang_rt" in line for line in f)


def hold(server, count, ceiling):
    pid, = alone.role_pids(server, "receiver")
    context = unchecked()
    idle_session(server, context).close()
    before = pss(pid)
    held = [idle_session(server, context) for _ in range(count)]
    try:
        each = (pss(pid) - before) / count
        print(f"{each:.1f} KiB a session")
        if not sanitized(pid):
            assert each < ceiling
        for tls in held[:: count // 50]:
            tls.sendall(b"NOOP\r\n")
            assert tls.recv(100).startswith(b"250")
    finally:
        for tls in held:
            tls.close()


def test_500_idle_sessions(here, program, sink):
    conf = {"smtp.receivers": 1}
    with lab_.Geleit(here, program, "idle", options=alone.options(sink, **conf)) as server:
        hold(server, 500, 24)


@pytest.mark.soak
def test_10000_idle_sessions(here, program, sink):
    import resource
    need = 10500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < need:
        pytest.skip(f"only {hard} open files, {need} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    conf = {"smtp.receivers": 1, "smtp.max_sessions": 12000}
    try:
        with lab_.Geleit(here, program, "idle-many", options=alone.options(sink, **conf)) as server:
            hold(server, 10000, 24)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_too_few_open_files_are_said(here, program, sink, tmp_path):
    """The limit is raised as far as it goes; what is then too little is said, and the
    clients beyond it are turned away with words."""
    few = tmp_path / "few"
    drop = "setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource" if os.geteuid() == 0 else ""
    few.write_text(f'#!/bin/sh\nulimit -n 400 && exec {drop} {program} "$@"\n', encoding="ascii")
    few.chmod(0o755)
    with lab_.Geleit(here, str(few), "few", options=alone.options(sink, **{"smtp.receivers": 1})) as server:
        line, = alone.log_lines(server, " descriptors ")
        assert "max_sessions=10000" in line and "open_files=400" in line and "LimitNOFILE" in line
        talks = [alone.Talk(server) for _ in range(220)]
        words = [t.reply() for t in talks]
        assert words[0].startswith("220") and words[-1].startswith("421 4.3.2")
        for t in talks:
            t.__exit__()


# ---- openssl s_client -------------------------------------------------------
NAMES = {"ec": "mx.example.org", "rsa": "mx.example.org", "wild": "*.example.net", "other": "other.example"}


@pytest.fixture(scope="module")
def files(here, tmp_path_factory):
    """Certificates by name: PATH.pem and PATH.key."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, host in NAMES.items():
        key = rsa.generate_private_key(65537, 2048) if name == "rsa" else None
        here.ca.issue((host,), key=key).write(str(folder / name))
    here.ca.issue(("out.partner.example",)).write(str(folder / "partner"))
    here.ca.issue(("mail.stranger.example",)).write(str(folder / "stranger"))
    here.ca.issue(("out.partner.example",), days=(-9, -1)).write(str(folder / "old"))
    certs.Authority("Nobody's").issue(("out.partner.example",)).write(str(folder / "unknown"))
    return folder


def tls_options(sink, files, *more, **options):
    pairs = [f"{files}/{n}.pem {files}/{n}.key" for n in ("rsa", "wild", "other", *more)]
    return alone.options(sink, **{"tls.certificate": f"{files}/ec.pem", "tls.key": f"{files}/ec.key",
                                  "tls.certificates": pairs, **options})


@pytest.fixture(scope="module")
def tls(here, program, sink, files):
    """Two receivers, several certificates."""
    with lab_.Geleit(here, program, "tls", options=tls_options(sink, files, **{"smtp.receivers": 2})) as s:
        yield s
    print(s.log_end())


@pytest.fixture(scope="module")
def strict(here, program, sink, files):
    """Partners must show their certificates."""
    conf = {"smtp.receivers": 1, "tls.client_ca_file": f"{here.state}/ca.pem",
            "tls.require": ["closed.example encrypt", "partner.example verify",
                            ".hosted.example verify out.partner.example"]}
    with lab_.Geleit(here, program, "strict", options=tls_options(sink, files, **conf)) as s:
        yield s
    print(s.log_end())


def s_client(server, *args, said=b"QUIT\n", port=None, patience=20):
    """What openssl s_client printed."""
    command = ["openssl", "s_client", "-connect", f"{server.address}:{port or server.port}", "-starttls", "smtp",
               "-name", "client.example", "-crlf", "-ign_eof", *args]
    done = subprocess.run(command, input=said, capture_output=True, timeout=patience)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


LEGACY = ("-cipher", "DEFAULT@SECLEVEL=0")
SHOWN = [
    # arguments, the certificate's subject, its key
    (("-noservername",), "mx.example.org", "EC"),
    (("-servername", "mx.example.org"), "mx.example.org", "EC"),
    (("-servername", "mx.example.org", "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"), "mx.example.org", "RSA"),
    (("-servername", "mx.example.org", "-tls1_2", "-cipher", "aRSA"), "mx.example.org", "RSA"),
    (("-servername", "mx.example.org", "-tls1_2", "-cipher", "aECDSA"), "mx.example.org", "EC"),
    (("-noservername", "-tls1_2", "-cipher", "aRSA"), "mx.example.org", "RSA"),
    (("-servername", "any.example.net"), "*.example.net", "EC"),
    (("-servername", "OTHER.example"), "other.example", "EC"),
    (("-servername", "unknown.example"), "mx.example.org", "EC"),
]


@pytest.mark.parametrize("args, subject, key", SHOWN, ids=[" ".join(a) for a, _, _ in SHOWN])
def test_each_name_its_certificate(tls, args, subject, key):
    out = s_client(tls, *args)
    assert f"subject=CN = {subject}" in out
    assert re.search("a:PKEY: (.*?),", out)[1] == {"EC": "id-ecPublicKey", "RSA": "rsaEncryption"}[key]
    assert "221 2.0.0" in out


def test_old_versions(tls, here, program, sink, files):
    assert "alert protocol version" in s_client(tls, "-tls1_1", *LEGACY)
    conf = {"tls.min_version": "1.0", "smtp.receivers": 1}
    with lab_.Geleit(here, program, "tls-old", options=tls_options(sink, files, **conf)) as server:
        for version in ("1", "1_1", "1_2", "1_3"):
            assert "221 2.0.0" in s_client(server, "-tls" + version, *LEGACY), version


# ---- tickets ----------------------------------------------------------------
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_ticket_is_good_at_every_receiver(tls, tmp_path, version):
    session = str(tmp_path / "session")
    assert "New, " in s_client(tls, version, "-sess_out", session)
    reused = [s_client(tls, version, "-sess_in", session, *(("-sess_out", session) if version == "-tls1_3" else ()))
              for _ in range(8)]
    assert all("Reused, " in out for out in reused)


def test_ticket_keys_rotate(here, program, sink, files, tmp_path, monkeypatch):
    """The key before is good for one period more, and then no longer."""
    clock = virtual.Clock(tmp_path / "clock", monkeypatch)
    session = str(tmp_path / "session")
    conf = {"smtp.receivers": 1, "tls.ticket_rotation": "1h"}
    with lab_.Geleit(here, program, "rotates", options=tls_options(sink, files, **conf)) as server:
        assert "New, " in s_client(server, "-tls1_2", "-sess_out", session)
        clock.move(3700 - 300)
        time.sleep(6)
        assert "Reused, " in s_client(server, "-tls1_2", "-sess_in", session)
        clock.move(2 * 3600)
        time.sleep(6)
        clock.move(3600)
        time.sleep(6)
        assert "New, " in s_client(server, "-tls1_2", "-sess_in", session)


# ---- files that change ------------------------------------------------------
def shown(server, name="mx.example.org"):
    return re.search(r"serial=(\w+)", subprocess.run(
        ["openssl", "x509", "-noout", "-serial"], input=s_client(server, "-servername", name), text=True,
        capture_output=True, timeout=10).stdout)[1]


def changed(server, before, patience=25):
    return lab_.until(lambda: shown(server) != before, patience, 0.5)


def test_new_files_are_read_while_sessions_go_on(here, program, sink, tmp_path):
    stem = str(tmp_path / "mx")
    here.ca.issue(("mx.example.org",)).write(stem)
    conf = {"smtp.receivers": 1, "tls.certificate": stem + ".pem", "tls.key": stem + ".key"}
    with lab_.Geleit(here, program, "renews", options=alone.options(sink, **conf)) as server:
        held = idle_session(server, unchecked())
        before = shown(server)
        # A broken one changes nothing, and is said once.
        with open(stem + ".pem", "r+b") as f:
            good = f.read()
            f.seek(0)
            f.write(b"-----BEGIN NONSENSE")
        assert lab_.until(lambda: alone.log_lines(server, " certificate-not-loaded "), 25)
        assert shown(server) == before
        time.sleep(6)
        assert len(alone.log_lines(server, " certificate-not-loaded ")) == 1
        # A renewal in two steps is one.
        new = here.ca.issue(("mx.example.org",), days=(-1, 3))
        new.write(str(tmp_path / "new"))
        os.replace(tmp_path / "new.pem", stem + ".pem")
        time.sleep(1)
        os.replace(tmp_path / "new.key", stem + ".key")
        assert good and changed(server, before)
        assert len(alone.log_lines(server, " certificate-not-loaded ")) == 1
        line, = alone.log_lines(server, " certificate-expires ")
        assert "name=mx.example.org" in line and "days=2" in line
        held.sendall(b"NOOP\r\n")
        assert held.recv(100).startswith(b"250")
        held.close()


def test_an_expired_certificate_is_said_every_day(here, program, sink, tmp_path, monkeypatch):
    stem = str(tmp_path / "mx")
    here.ca.issue(("mx.example.org",), days=(-9, -1)).write(stem)
    clock = virtual.Clock(tmp_path / "clock", monkeypatch)
    conf = {"smtp.receivers": 1, "tls.certificate": stem + ".pem", "tls.key": stem + ".key"}
    with lab_.Geleit(here, program, "expired", options=alone.options(sink, **conf)) as server:
        line, = alone.log_lines(server, " certificate-expired ")
        assert stem + ".pem" in line and "renew it" in line
        assert "subject=CN = mx.example.org" in s_client(server)  # served all the same
        clock.move(25 * 3600)
        assert lab_.until(lambda: len(alone.log_lines(server, " certificate-expired ")) == 2, 15)


# ---- the wrong language -----------------------------------------------------
def test_tls_where_clear_text_begins(tls):
    with alone.Talk(tls) as talk:
        talk.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40))
        assert talk.reply().startswith("220")
        assert talk.reply().startswith("502 5.5.1 ")
    assert lab_.until(lambda: any("service=mx" in line and "STARTTLS first" in line
                                  for line in alone.log_lines(tls, " tls-failed ")), 5)


@pytest.fixture(scope="module")
def users(here, program, sink, files):
    """Ports 587 and 465, as (server, port, port)."""
    ports = [alone.free_port() for _ in range(2)]
    conf = {"smtp.receivers": 1, "submission.listen": [f"127.0.0.1:{ports[0]}"],
            "submissions.listen": [f"127.0.0.1:{ports[1]}"], "tls.min_version": "1.0"}
    with lab_.Geleit(here, program, "users", options=tls_options(sink, files, **conf)) as s:
        yield s, *ports
    print(s.log_end())


@pytest.mark.parametrize("first", [b"EHLO laptop.example\r\n", b""], ids=["speaks", "waits"])
def test_clear_text_where_tls_begins(users, first):
    server, _, port = users
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(first)
        text = s.recv(1000)
        assert text.startswith(b"554 5.7.0 ") and b"TLS from the first byte" in text and text.endswith(b"\r\n")
        assert s.recv(1) == b""
    assert lab_.until(lambda: any("service=submissions" in line for line in alone.log_lines(server, " tls-failed ")), 5)


def test_users_tls(users):
    server, clear, implicit = users
    assert "221 2.0.0" in s_client(server, port=clear)
    assert "alert protocol version" in s_client(server, "-tls1_1", *LEGACY, port=clear)
    assert "221 2.0.0" in s_client(server, "-tls1_1", *LEGACY)  # on the MX port it was configured
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{implicit}", "-crlf", "-ign_eof"]
    done = subprocess.run([*command, "-servername", "other.example"], input=b"QUIT\n", capture_output=True, timeout=20)
    assert b"subject=CN = other.example" in done.stdout and b"221 2.0.0" in done.stdout
    with socket.create_connection(("127.0.0.1", clear), 10) as s:  # and TLS where clear text begins
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40))
        assert b"502 5.5.1 This port begins in clear text" in s.makefile("rb").read()


# ---- what is required -------------------------------------------------------
def mail_from(strict, sender, name=None, helo=b"client.example"):
    """The reply to MAIL inside TLS, with the certificate of that name."""
    context = unchecked()
    if name:
        context.load_cert_chain(name + ".pem", name + ".key")
    with alone.Talk(strict) as talk:
        talk.greeted()
        assert talk.ask("STARTTLS").startswith("220")
        talk.sock = context.wrap_socket(talk.sock)
        talk.file = talk.sock.makefile("rb")
        assert talk.ask(b"EHLO " + helo + b"\r\n").startswith("250")
        return talk.ask(f"MAIL FROM:<{sender}>")


def test_tls_is_required_of_some(strict):
    with alone.Talk(strict) as talk:
        talk.greeted()
        assert talk.ask("MAIL FROM:<a@open.example>").startswith("250")
        talk.ask("RSET")
        reply = talk.ask("MAIL FROM:<a@closed.example>")
        assert reply.startswith("530 5.7.10 ") and "STARTTLS" in reply
        assert talk.ask("MAIL FROM:<a@partner.example>").startswith("530 5.7.10 ")
    assert mail_from(strict, "a@closed.example").startswith("250")
    assert alone.log_lines(strict, " tls-required ")


CERTIFICATES = [
    ("a@partner.example", None, "550 5.7.1", "none was sent"),
    ("a@partner.example", "partner", "250", ""),
    ("a@partner.example", "stranger", "550 5.7.1", "other names"),
    ("a@partner.example", "old", "550 5.7.1", "expired"),
    ("a@partner.example", "unknown", "550 5.7.1", "certificate"),
    ("a@x.hosted.example", "partner", "250", ""),
    ("a@x.hosted.example", "stranger", "550 5.7.1", "other names"),
    ("a@open.example", "unknown", "250", ""),
]


@pytest.mark.parametrize("sender, name, code, word", CERTIFICATES)
def test_clients_certificates(strict, files, sender, name, code, word):
    reply = mail_from(strict, sender, name and f"{files}/{name}")
    assert reply.startswith(code) and word in reply


def test_the_certificate_is_written_down(strict, sink, files):
    context = unchecked()
    context.load_cert_chain(f"{files}/partner.pem", f"{files}/partner.key")
    with strict.lab.smtp(strict.address, strict.port) as client:
        client.starttls(context=context)
        client.sendmail("a@partner.example", ["bob@b.example"], letter("written down"))
    assert lab_.until(lambda: sink.named("written down"), 10)
    raw, _ = sink.named("written down")[0]
    received = b" ".join(raw.split(b"\r\nSubject")[0].split())
    assert b"client certificate verified out.partner.example" in received
    assert any("out.partner.example" in line for line in alone.log_lines(strict, " message-accepted "))


def test_a_network_must(here, program, sink, files):
    conf = {"smtp.receivers": 1, "tls.client_ca_file": f"{here.state}/ca.pem",
            "tls.require": ["127.0.0.0/8 verify", "10.0.0.0/8 verify"]}
    with lab_.Geleit(here, program, "network", options=tls_options(sink, files, **conf)) as server:
        with alone.Talk(server) as talk:
            assert talk.greeted().ask("MAIL FROM:<a@b.example>").startswith("530 5.7.0 ")
        partner = f"{files}/partner"
        assert mail_from(server, "a@b.example", partner, b"out.partner.example").startswith("250")
        assert mail_from(server, "", partner, b"another.example").startswith("550 5.7.1")
