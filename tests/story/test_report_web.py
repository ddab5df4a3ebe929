"""Reports of others by HTTPS POST: who posts what, how, how fast and how many at once."""
import concurrent.futures
import contextlib
import gzip
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import alone
import lab as lab_
from parts import geleit

HOST = "reports.example"


@pytest.fixture
def start(here, serve, tmp_path):
    """A Geleit that takes reports; `.reports` is its port, `.web` that of its metrics."""
    def make(**more):
        here.ca.issue((HOST,)).write(str(tmp_path / "cert"))
        web, reports = alone.free_port(), alone.free_port()
        server = serve(alone.options(None, **{
            "web.listen": [f"127.0.0.1:{web}"], "report.listen": [f"127.0.0.1:{reports}"], "auth.evaluate": False,
            "tls.certificate": f"{tmp_path}/cert.pem", "tls.key": f"{tmp_path}/cert.key", **more}))
        server.web, server.reports, server.pair = web, reports, str(tmp_path / "cert")
        return server
    return make


def context(server, **how):
    c = ssl.create_default_context(cafile=f"{server.lab.state}/ca.pem")
    c.set_alpn_protocols(how.get("alpn", ["http/1.1"]))
    return c


def report(name, **more):
    return json.dumps({
        "organization-name": "Sender Inc.", "contact-info": "tls@sender.example", "report-id": name,
        "date-range": {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"},
        "policies": [{"policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: testing"],
                                 "policy-domain": "a.example", "mx-host": ["mx.a.example"]},
                      "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
                      "failure-details": [{"result-type": "certificate-expired", "sending-mta-ip": "2001:db8::1",
                                           "receiving-mx-hostname": "mx.a.example", "failed-session-count": 303}]}],
        **more}).encode()


class Connection(http.client.HTTPSConnection):
    """To the port on the loopback, by its name; from `source`."""

    def __init__(self, server, source="127.0.0.1", timeout=30):
        super().__init__(HOST, server.reports, timeout=timeout, context=context(server))
        self.source = source

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), self.timeout, (self.source, 0))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(raw, server_hostname=HOST)

    def post(self, body, path="/v1/tlsrpt", method="POST", **headers):
        self.request(method, path, body, {"Content-Type": "application/tlsrpt+json",
                                          **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = self.getresponse()
        return answer, answer.read().decode()


def post(server, body, path="/v1/tlsrpt", source="127.0.0.1", **headers):
    with contextlib.closing(Connection(server, source)) as c:
        return c.post(body, path, **headers)


def curl(server, *words, data=None):
    done = subprocess.run(["curl", "-sS", "--max-time", "60", "--cacert", f"{server.lab.state}/ca.pem", "--resolve",
                           f"{HOST}:{server.reports}:127.0.0.1", "-w", "\n%{http_code}", *words],
                          input=data, capture_output=True, timeout=90)
    out, _, code = done.stdout.decode().rpartition("\n")
    return int(code), out


def url(server, path="/v1/tlsrpt"):
    return f"https://{HOST}:{server.reports}{path}"


def taken(server):
    done = server.command("report", "list", "--json")
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def numbers(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.web}/metrics", timeout=15) as answer:
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line and line[0] != "#")}


def posts(server, result):
    return numbers(server)[f'geleit_report_posts_received_total{{result="{result}"}}']


def test_curl(start, tmp_path):
    server = start()
    assert curl(server, "--data-binary", "@-", url(server), data=report("by-curl"))[0] == 201
    (tmp_path / "r.gz").write_bytes(gzip.compress(report("by-curl-gzip")))
    for path, words in (("/tlsrpt", ("-H", "Content-Type: application/tlsrpt+gzip")),
                        ("/v1/tlsrpt/", ("-H", "Content-Encoding: gzip"))):
        assert curl(server, *words, "--data-binary", f"@{tmp_path}/r.gz", url(server, path))[0] == 201
    chunked = report("in-chunks")
    assert curl(server, "-H", "Transfer-Encoding: chunked", "--data-binary", "@-", url(server), data=chunked)[0] == 201
    assert curl(server, "--http1.0", "--no-alpn", "--data-binary", "@-", url(server), data=report("of-old"))[0] == 201
    assert curl(server, "-H", "Expect: 100-continue", "--data-binary", "@-", url(server), data=report("asked"))[0] == 201
    out = taken(server)
    for name in ("by-curl", "by-curl-gzip", "in-chunks", "of-old", "asked"):
        assert out.count(f'"{name}"') == 1, "once, however often it was posted"
    assert posts(server, "taken") == 6
    assert curl(server, url(server, "/"))[1].startswith("TLS reports (RFC 8460) for the mail server ")


def test_what_is_no_report(start):
    server = start()
    answer, text = post(server, b"<html>" * 100)
    assert answer.status == 422 and "kept" in text
    assert post(server, b"")[0].status == 422
    assert post(server, report("broken")[:-20])[0].status == 422
    assert post(server, report("good"))[0].status == 201
    assert '"good"' in taken(server) and '"broken"' not in taken(server)
    seen = numbers(server)
    assert seen['geleit_report_posts_received_total{result="aside"}'] == 2
    assert seen['geleit_report_posts_received_total{result="refused"}'] == 1


def test_numbers_without_sense_spoil_no_table(start):
    server, most = start(), 2**63 - 1
    policies = json.loads(report("x"))["policies"]
    for one, count in zip(policies * 2, (most, 1)):
        policies.append({"policy": one["policy"], "summary": {"total-successful-session-count": count,
                                                              "total-failure-session-count": count}})
    yesterday = time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 86400))
    for name in ("one", "two", "three"):
        dates = {"start-datetime": yesterday + "00:00:00Z", "end-datetime": yesterday + "23:59:59Z"}
        assert post(server, report(name, policies=policies, **{"date-range": dates}))[0].status == 201
    assert [r["good"] for r in json.loads(taken(server))] == [most] * 3
    done = server.command("report", "week")
    assert done.returncode == 0 and "3000000000000 good" in done.stdout, done.stderr


def test_a_report_that_was_guessed_makes_room_for_the_real_one(start, tmp_path):
    server = start()
    lie = json.loads(report("2026-11-20T00:00:00Z_a.example"))
    lie["policies"][0]["summary"]["total-failure-session-count"] = 0
    assert post(server, json.dumps(lie).encode())[0].status == 201
    (tmp_path / "real").write_bytes(report("2026-11-20T00:00:00Z_a.example"))
    for new in ("1 new", "0 new"):
        assert f"{new}, " in server.command("report", "import", str(tmp_path / "real")).stdout
    assert post(server, json.dumps(lie).encode())[0].status == 201
    one, = json.loads(taken(server))
    assert (one["bad"], one["way"]) == (303, "file")


def test_what_is_no_post(start):
    server = start()
    rows = [("GET", "/v1/tlsrpt", 405, "Allow", "POST"), ("PUT", "/v1/tlsrpt", 405, "Allow", "POST"),
            ("POST", "/", 405, "Allow", "GET, HEAD"), ("POST", "/metrics", 404, None, None),
            ("GET", "/metrics", 404, None, None), ("DELETE", "/tlsrpt", 405, "Allow", "POST"),
            ("HEAD", "/", 200, None, None), ("GET", "//v1/tlsrpt", 404, None, None), ("GET", "/?a=b", 200, None, None)]
    for method, path, status, field, value in rows:
        with contextlib.closing(Connection(server)) as c:
            answer, _ = c.post(b"x" * 1000 if method in ("POST", "PUT") else None, path, method)
            assert answer.status == status and (not field or answer.getheader(field) == value), (method, path)
    answer, _ = post(server, report("odd"), Content_Encoding="br")
    assert answer.status == 415 and "gzip" in answer.getheader("Accept-Encoding")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.web}/metrics", data=report("x"), timeout=10)


def test_too_large(start, tmp_path):
    server = start()
    (tmp_path / "large").write_bytes(b"{" + b" " * (11 << 20))
    for words in ((), ("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked")):
        assert curl(server, *words, "--data-binary", f"@{tmp_path}/large", url(server))[0] == 413, words
    with contextlib.closing(Connection(server)) as c:
        answer, _ = c.post(b"x" * (30 << 20))  # who sends all of it before he listens
        assert answer.status == 413
    (tmp_path / "fits").write_bytes(report("fits") + b" " * (9 << 20))
    assert curl(server, "--data-binary", f"@{tmp_path}/fits", url(server))[0] == 201
    pid, = alone.role_pids(server, "web")
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        rows = dict(line.split()[:2] for line in f.readlines()[1:])
    assert int(rows["Pss_Anon:"]) < 200_000, "in KiB; bodies are no memory of its own"


def test_many_over_one_connection(start):
    server = start()
    with contextlib.closing(Connection(server)) as c:
        c.connect()
        sock = c.sock
        for i in range(20):
            assert c.post(report(f"n{i}"))[0].status == 201
            assert c.sock is sock
    assert taken(server).count("Sender Inc.") == 20


def test_a_hundred_at_once_and_the_metrics_meanwhile(start):
    server = start(**{"report.posts": 1000})
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        all_of_them = [pool.submit(post, server, gzip.compress(report(f"p{i}"))) for i in range(100)]
        assert numbers(server)["geleit_store_open"] == 1
        status = [f.result()[0].status for f in all_of_them]
    assert status == [201] * 100
    out = taken(server)
    assert all(f'"p{i}"' in out for i in range(100))


def test_more_than_one_client_may(start):
    server = start(**{"report.posts": 5})
    status = [post(server, report(f"n{i}"))[0].status for i in range(6)]
    assert status == [201] * 5 + [429]
    answer, _ = post(server, report("more"))
    assert answer.status == 429 and 1 <= int(answer.getheader("Retry-After")) <= 13
    assert post(server, report("another"), source="127.0.0.7")[0].status == 201
    assert posts(server, "limited") == 2


def test_two_sources_cannot_be_stalled_by_a_third(start):
    """Hundreds of connections that say nothing, half a handshake or half a request."""
    server = start()
    began = [b"", b"\x16\x03\x01\x01\x00\x01"]
    stalled = []
    try:
        for i in range(600):
            s = socket.create_connection(("127.0.0.1", server.reports), 10, ("127.0.0.66", 0))
            s.sendall(began[i % 2])
            stalled.append(s)
        for i in range(20):
            c = Connection(server, "127.0.0.66")
            c.connect()
            c.sock.sendall(b"POST /v1/tlsrpt HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n{")
            stalled.append(c)
        for i in range(5):
            assert post(server, report(f"n{i}"), source=f"127.0.0.{i + 1}")[0].status == 201
        assert 100 <= numbers(server)["geleit_report_connections"] <= 256
        assert not alone.log_lines(server, "role-died")
    finally:
        for s in stalled:
            s.close()
    assert lab_.until(lambda: numbers(server)["geleit_report_connections"] == 0, 10)


def test_slow_ones_are_cut_off(start):
    server = start()
    with contextlib.closing(Connection(server, timeout=60)) as c:
        c.connect()
        c.sock.sendall(b"POST /v1/tlsrpt HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n")
        began = time.monotonic()
        c.sock.settimeout(1)
        ended = False
        while not ended and time.monotonic() - began < 50:
            try:
                c.sock.sendall(b"x")
                ended = c.sock.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended and 10 < time.monotonic() - began < 45


def test_the_wrong_language(start):
    server = start()
    with socket.create_connection(("127.0.0.1", server.reports), 10) as s:
        s.sendall(b"POST /v1/tlsrpt HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        said = s.makefile("rb").read()
        assert said.startswith(b"HTTP/1.1 400 ") and b"This port speaks HTTPS." in said
    for nonsense in (b"EHLO x\r\n", b"\0" * 5000, b"\x16\x03\x01\xff\xff" + b"\x41" * 70000):
        with socket.create_connection(("127.0.0.1", server.reports), 10) as s:
            with contextlib.suppress(OSError):
                s.sendall(nonsense)
                s.shutdown(socket.SHUT_WR)
                s.settimeout(20)
                while s.recv(65536):
                    pass
    assert post(server, report("good"))[0].status == 201


def s_client(server, *words, data=b""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.reports}", "-servername", HOST, *words],
                          input=data, capture_output=True, timeout=60)


def test_openssl(start):
    """It ends its side when its input has ended, and still gets its answer."""
    server = start()
    body = report("by-s_client")
    head = b"POST /v1/tlsrpt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    for version in ("-tls1_2", "-tls1_3"):
        assert b"HTTP/1.1 201 " in s_client(server, version, "-ign_eof", "-quiet", data=head + body).stdout
    for words in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                  ("-alpn", "h2"), ("-alpn", "smtp")):
        done = s_client(server, *words)
        assert done.returncode != 0 and b"Cipher is (NONE)" in done.stdout, words
    assert b"ALPN protocol: http/1.1" in s_client(server, "-alpn", "h2,http/1.1").stdout
    raw = socket.create_connection(("127.0.0.1", server.reports), 20)
    with context(server).wrap_socket(raw, server_hostname=HOST) as tls:
        assert tls.selected_alpn_protocol() == "http/1.1"
        tls.sendall(head + body)
        socket.socket.shutdown(tls, socket.SHUT_WR)
        assert tls.recv(12) == b"HTTP/1.1 201"
    assert taken(server).count('"by-s_client"') == 1


def test_cut_in_the_middle(start):
    server = start()
    whole = report("cut")
    for cut in (0, 1, 100, len(whole) - 1):
        for rude in (False, True):
            c = Connection(server)
            c.connect()
            c.sock.sendall(b"POST /tlsrpt HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(whole) + whole[:cut])
            if rude:
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            c.close()
    assert lab_.until(lambda: numbers(server)["geleit_report_connections"] == 0, 10)
    assert post(server, report("whole"))[0].status == 201
    assert '"cut"' not in taken(server) and '"whole"' in taken(server)
    seen = numbers(server)
    assert seen['geleit_report_posts_received_total{result="aside"}'] == 0 and not alone.log_lines(server, "role-died")


def shown(server):
    with socket.create_connection(("127.0.0.1", server.reports), 10) as raw, \
            context(server).wrap_socket(raw, server_hostname=HOST) as tls:
        return tls.getpeercert(True)


def test_a_new_certificate_drops_nobody(start):
    server = start()
    before, body = shown(server), report("long")
    with contextlib.closing(Connection(server)) as c:
        c.connect()
        c.sock.sendall(b"POST /tlsrpt HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:100])
        server.lab.ca.issue((HOST,)).write(server.pair)
        assert lab_.until(lambda: shown(server) != before, 20, 0.3), "without a signal"
        middle = shown(server)
        server.lab.ca.issue((HOST,)).write(server.pair)
        server.process.send_signal(signal.SIGHUP)
        assert lab_.until(lambda: shown(server) != middle, 10, 0.3)
        assert lab_.until(lambda: alone.log_lines(server, "reloaded"), 10)
        c.sock.sendall(body[100:])
        assert c.sock.recv(12) == b"HTTP/1.1 201"
    assert post(server, report("after"))[0].status == 201


def test_one_client_does_not_fill_the_queue(start):
    server = start()
    reporter, = alone.role_pids(server, "reporter")
    os.kill(reporter, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        many = [pool.submit(post, server, report(f"n{i}"), source="127.0.0.66") for i in range(30)]
        assert lab_.until(lambda: numbers(server)["geleit_report_connections"] == 30, 10)
        time.sleep(0.5)
        one = pool.submit(post, server, report("one"))
        time.sleep(1)
        os.kill(reporter, signal.SIGCONT)
        assert all(f.result()[0].status == 201 for f in [one, *many])
    order = ["from=127.0.0.1 " in line for line in alone.log_lines(server, "reports-taken-in")]
    assert len(order) == 31 and order.index(True) < 6


def test_the_reporter_is_not_there(start):
    server = start()
    reporter, = alone.role_pids(server, "reporter")
    os.kill(reporter, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waits = pool.submit(post, server, report("meanwhile"))
        time.sleep(1)
        assert not waits.done() and numbers(server)["geleit_store_open"] == 1
        os.kill(reporter, signal.SIGKILL)
        answer, _ = waits.result(60)
    assert answer.status == 503 and int(answer.getheader("Retry-After")) > 0
    assert lab_.until(lambda: post(server, report("again"))[0].status == 201, 20, 0.5)
    assert posts(server, "later") >= 1


def test_the_server_ends_meanwhile(start):
    """Everybody gets an answer, and what is said to be taken is."""
    server = start()
    reporter, = alone.role_pids(server, "reporter")
    os.kill(reporter, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(post, server, report(f"n{i}")) for i in range(40)]
        assert lab_.until(lambda: numbers(server)["geleit_report_connections"] == 40, 10)
        time.sleep(0.5)
        server.process.terminate()
        os.kill(reporter, signal.SIGCONT)
        status = [w.result(25)[0].status for w in waiting]
    assert set(status) <= {201, 503} and 503 in status
    assert server.process.wait(30) == 0
    server.start()
    out = taken(server)
    assert all(f'"n{i}"' in out for i, s in enumerate(status) if s == 201)


def test_ipv6(start):
    port = alone.free_port()
    try:
        socket.create_server(("::1", port), family=socket.AF_INET6).close()
    except OSError as e:
        pytest.skip(f"no IPv6: {e}")
    server = start(**{"report.listen": [f"[::1]:{port}"]})
    with contextlib.closing(Connection(server)) as c:
        raw = socket.create_connection(("::1", port), 10)
        c.sock = c._context.wrap_socket(raw, server_hostname=HOST)
        assert c.post(report("six"))[0].status == 201
    line, = alone.log_lines(server, "reports-taken-in")
    assert "from=::1 " in line


def test_a_reload_begins_and_ends_it(start):
    port = alone.free_port()
    server = start(**{"report.listen": []})

    def reload(listen):
        server.options["report.listen"] = listen
        with open(server.conf, "w", encoding="utf-8") as f:
            f.write(geleit.text(server.options))
        before = len(alone.log_lines(server, "reloaded"))
        server.process.send_signal(signal.SIGHUP)
        assert lab_.until(lambda: len(alone.log_lines(server, "reloaded")) > before, 10)

    def refused():
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            return True
        return False
    assert refused()
    reload([f"127.0.0.1:{port}"])
    server.reports = port
    assert post(server, report("one"))[0].status == 201
    with contextlib.closing(Connection(server)) as c:
        assert c.post(report("two"))[0].status == 201
        reload([])
        assert lab_.until(refused, 10)
        assert c.post(report("three"))[0].status == 201, "who is connected stays"


def test_web_dies_and_comes_again(start):
    server = start()
    assert post(server, report("one"))[0].status == 201
    os.kill(alone.role_pids(server, "web")[0], signal.SIGKILL)

    def again():
        with contextlib.suppress(OSError):
            return post(server, report("two"))[0].status == 201
        return False
    assert lab_.until(again, 20, 0.2)


def test_a_port_in_use_is_said_and_mail_flows(start):
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
        server = start(**{"report.listen": [f"127.0.0.1:{port}"]})
        line, = alone.log_lines(server, "reports-not-listening")
        assert "another program listens there" in line and "report.listen" in line
        assert numbers(server)["geleit_store_open"] == 1
    server.reports = port
    server.process.send_signal(signal.SIGHUP)
    assert lab_.until(lambda: alone.log_lines(server, "reloaded"), 10)
    assert post(server, report("late"))[0].status == 201


def test_no_certificate(program, tmp_path):
    conf = tmp_path / "c.conf"
    conf.write_text('hostname = "a.example";\nreport = { listen = [ "127.0.0.1:8443" ]; };\n', encoding="ascii")
    done = subprocess.run([program, "config", "-c", str(conf)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "report.listen without a certificate" in done.stdout + done.stderr
