"""TLS as a server: who is shown which certificate, what is resumed, what is told to
whom speaks the wrong language, and thousands who do nothing."""
import os
import socket
import ssl
import time

import pytest

import alone
import lab as lab_


@pytest.fixture(scope="module")
def sink():
    s = alone.Sink()
    yield s
    s.close()


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
