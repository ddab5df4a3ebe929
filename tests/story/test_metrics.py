"""/metrics: the counters move with the mail, whoever dies; and nothing about them
can keep mail from flowing."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import alone
import lab as lab_
from parts import packages

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture
def start(serve):
    def make(sink=None, **more):
        sink = sink or alone.Sink()
        port = alone.free_port()
        server = serve(alone.options(sink, **{"web.listen": [f"127.0.0.1:{port}"], "auth.evaluate": False, **more}), sink)
        server.web = port
        return server, sink
    return make


def fetch(server, path="/metrics", timeout=10):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.web}{path}", timeout=timeout) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.read().decode()


def numbers(text):
    """What /metrics says, {'geleit_up{role="web"}': 1.0}."""
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")}


def read(server):
    return numbers(fetch(server))


def moved(server, wanted, patience=15):
    """Waits until all of them are there; returns all numbers."""
    seen = {}

    def there():
        seen.update(read(server))
        return all(seen["geleit_" + k] == v for k, v in wanted.items())
    assert lab_.until(there, patience, 0.1), {k: (v, seen.get("geleit_" + k)) for k, v in wanted.items()
                                              if seen.get("geleit_" + k) != v}
    return seen


def send(server, name, to="bob@b.example", size=300):
    with alone.Talk(server) as talk:
        talk.greeted()
        reply = talk.ask("MAIL FROM:<alice@a.example>", f"RCPT TO:<{to}>")
        if reply.startswith("250"):
            assert talk.ask("DATA").startswith("354")
            talk.say(alone.stuffed(alone.letter(name, size)))
            reply = talk.reply()
        return reply


def test_counters_move_with_the_mail(start):
    server, sink = start(**{
        "relay.networks": ["127.0.0.9/32"], "relay.domains": ["b.example"]})
    before = read(server)
    assert before["geleit_messages_received_total"] == 0 and before["geleit_store_open"] == 1
    for k in range(3):
        assert send(server, f"good{k}").startswith("250")
    assert send(server, "bad", "carol@c.example").startswith("550")
    seen = moved(server, {"messages_received_total": 3, 'recipients_total{result="delivered"}': 3,
                          'attempts_total{result="delivered"}': 3, "queue_messages": 0})
    assert seen['geleit_refused_total{reason="relay"}'] == 1
    assert seen['geleit_sessions_total{service="mx"}'] >= 4
    assert seen["geleit_received_bytes_total"] > 900
    assert seen["geleit_delivered_bytes_total"] > seen["geleit_received_bytes_total"], "with Received"
    assert seen['geleit_delivered_total{protection="clear"}'] + seen['geleit_delivered_total{protection="encrypted"}'] == 3
    assert seen["geleit_delivery_duration_seconds_count"] == 3 == seen["geleit_first_attempt_delay_seconds_count"]
    assert seen['geleit_delivery_duration_seconds_bucket{le="+Inf"}'] == 3
    assert 0 < seen["geleit_delivery_duration_seconds_sum"] < 60
    assert seen["geleit_commit_duration_seconds_count"] == seen['geleit_commits_total{result="ok"}'] >= 2
    assert seen["geleit_commit_members_total"] >= 6
    assert seen["geleit_sessions_sent_total"] >= 1 and seen["geleit_queue_oldest_timestamp_seconds"] == 0
    assert len(sink.got) == 3


def test_what_is_put_off_and_given_up(start):
    server, _ = start(alone.Sink(reply={"rcpt": "450 4.2.2 full"}), **{"queue.retry_first": "1h", "queue.retry_longest": "2h"})
    began = time.time()
    assert send(server, "later").startswith("250")
    seen = moved(server, {'recipients_total{result="deferred"}': 1, 'deferred_total{reason="mailbox"}': 1,
                          "queue_messages": 1, "jobs": 0})
    assert abs(seen["geleit_queue_oldest_timestamp_seconds"] - began) < 30
    server, _ = start(alone.Sink(reply={"rcpt": "550 5.7.1 never"}))
    assert send(server, "never").startswith("250")
    moved(server, {'recipients_total{result="failed"}': 1, 'failed_total{reason="policy"}': 1})


@pytest.mark.parametrize("role", [r for r in alone.ROLES if r != "web"])
def test_a_role_dies_and_the_counters_stay(start, role):
    server, _ = start()
    assert send(server, "one").startswith("250")
    before = moved(server, {'recipients_total{result="delivered"}': 1, "messages_received_total": 1})
    victim = alone.role_pids(server, role)
    os.kill(victim[0], signal.SIGKILL)
    up = f'up{{role="{role}",index="0"}}'
    assert lab_.until(lambda: alone.role_pids(server, role) not in ([], victim), 10)
    after = moved(server, {up: 1})
    assert after[f'geleit_start_time_seconds{{role="{role}",index="0"}}'] > \
        before[f'geleit_start_time_seconds{{role="{role}",index="0"}}']
    for name, value in before.items():
        if re.search(r"_(total|count|bucket|sum)\b", name) and "cpu_seconds" not in name:
            assert after[name] >= value, name
    assert lab_.until(lambda: server._greets(), 10)
    assert send(server, "two").startswith("250")
    moved(server, {'recipients_total{result="delivered"}': 2, "messages_received_total": 2})


def test_a_role_that_does_not_answer_holds_up_nobody(start):
    server, _ = start()
    assert send(server, "one").startswith("250")
    moved(server, {'recipients_total{result="delivered"}': 1})
    victim = alone.role_pids(server, "sender")[0]
    os.kill(victim, signal.SIGSTOP)
    try:
        began = time.monotonic()
        seen = read(server)
        assert time.monotonic() - began < 8
    finally:
        os.kill(victim, signal.SIGCONT)
    assert seen['geleit_up{role="sender",index="0"}'] == 0
    assert seen['geleit_up{role="store",index="0"}'] == 1
    assert seen['geleit_recipients_total{result="delivered"}'] == 1, "as it stood"
    moved(server, {'up{role="sender",index="0"}': 1})


def test_the_web_role_dies_and_comes_again(start):
    server, _ = start()
    assert send(server, "one").startswith("250")
    moved(server, {"messages_received_total": 1})
    victim = alone.role_pids(server, "web")
    os.kill(victim[0], signal.SIGKILL)
    assert lab_.until(lambda: alone.role_pids(server, "web") not in ([], victim), 10)
    moved(server, {"messages_received_total": 1})


def test_a_port_in_use_is_said_and_mail_flows(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server, sink = start(**{"web.listen": [f"127.0.0.1:{port}"]})
        assert alone.log_lines(server, "web-not-listening")
        assert send(server, "one").startswith("250")
        assert lab_.until(lambda: len(sink.got) == 1, 15)
    server.web = port
    server.process.send_signal(signal.SIGHUP)
    assert lab_.until(lambda: alone.log_lines(server, "reloaded"), 10)
    assert lab_.until(lambda: answers(server), 10), "a reload tries again"


def answers(server):
    try:
        return "geleit_up" in fetch(server)
    except OSError:
        return False


def test_none_where_none_is_wanted(start):
    server, _ = start(**{"web.listen": []})
    assert not alone.role_pids(server, "web")
    assert send(server, "one").startswith("250")


def test_what_is_no_scrape(start):
    server, _ = start()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(server, "/")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.web}/metrics", data=b"x" * 100000, timeout=10)
    for nonsense in (b"\0" * 5000, b"GET /metrics HTTP/1.1\r\n\r\n", b"GET " + b"/" * 100000, b"EHLO x\r\n"):
        with socket.create_connection(("127.0.0.1", server.web), 10) as s:
            with contextlib.suppress(OSError):
                s.sendall(nonsense)
                s.shutdown(socket.SHUT_WR)
                s.settimeout(20)
                while s.recv(65536):
                    pass
    hangers = [socket.create_connection(("127.0.0.1", server.web), 10) for _ in range(20)]
    gone = socket.create_connection(("127.0.0.1", server.web), 10)
    gone.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    gone.close()
    assert read(server)["geleit_store_open"] == 1
    assert not alone.log_lines(server, "role-died")
    for s in hangers:
        s.close()


def test_many_at_once(start):
    server, _ = start()
    sockets = [socket.create_connection(("127.0.0.1", server.web), 10) for _ in range(30)]
    for s in sockets:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    for s in sockets:
        with s, s.makefile("rb") as f:
            assert b"geleit_store_open 1" in f.read()


def promtool():
    try:
        return packages.find("promtool").path
    except packages.Missing as e:
        pytest.skip(str(e))


def test_promtool_likes_the_metrics(start):
    tool = promtool()
    server, _ = start()
    assert send(server, "one").startswith("250")
    text = fetch(server)
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_promtool_likes_the_rules():
    folder = os.path.join(ROOT, "contrib", "monitoring")
    for command in (["check", "rules", "geleit-alerts.yml"], ["test", "rules", "geleit-alerts-test.yml"]):
        done = subprocess.run([promtool(), *command], cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_an_evaluation_says_is_counted(start):
    """With a DNS that does not answer: nothing is known, nothing refused."""
    server, _ = start(**{"auth.evaluate": True, "auth.timeout": "1s", "relay.networks": ["127.0.0.9/32"],
                         "relay.domains": ["b.example"]})
    assert send(server, "one").startswith("250")
    seen = moved(server, {'spf_total{result="temperror"}': 1, 'evaluated_total{disposition="none"}': 1})
    assert sum(v for k, v in seen.items() if k.startswith("geleit_dkim_total")) == 1
    assert sum(v for k, v in seen.items() if k.startswith("geleit_dmarc_total")) == 1


def in_lab(lab, port):
    with lab.connect("127.0.0.1", port, 15) as s, s.makefile("rb") as f:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return numbers(f.read().decode().split("\r\n\r\n", 1)[1])


def test_protection_of_deliveries_is_counted(lab, geleit):
    server = geleit(options={"web.listen": ["127.0.0.1:9899"]})
    raw = next(v for k, v in lab_.messages().items() if not k.startswith("8"))
    wanted = {"dane": "dane.example", "pkix": "sts-enforce.example", "encrypted": "plain.example", "clear": "clear.example"}
    server.submit(raw, ["metrics@" + d for d in (*wanted.values(), "dane-mismatch.example", "mitm.example")], "alice@a.example")
    seen = {}

    def there():
        seen.update(in_lab(lab, 9899))
        return all(seen[f'geleit_delivered_total{{protection="{p}"}}'] == 1 for p in wanted) and \
            seen['geleit_recipients_total{result="deferred"}'] == 2
    assert lab_.until(there, 40, 0.2), {k: v for k, v in seen.items() if v}
    assert seen['geleit_verified_total{outcome="dane"}'] >= 1 and seen['geleit_verified_total{outcome="pkix"}'] >= 1
    assert seen['geleit_verified_total{outcome="failed"}'] >= 1
    assert seen["geleit_sessions_sent_failed_total"] >= 2 and seen['geleit_deferred_total{reason="policy"}'] == 2
    assert seen['geleit_tls_sent_total{version="TLSv1.3"}'] >= 3
    assert sum(v for k, v in seen.items() if k.startswith("geleit_tls_sent_groups")) >= 3
    assert seen['geleit_policy_fetches_total{result="ok"}'] >= 1 and seen["geleit_policies"] >= 1
    assert seen['geleit_dns_answers_total{result="secure"}'] > 0
    assert seen['geleit_dnssec_self_test{state="validating"}'] == 1
    assert seen["geleit_dns_answer_duration_seconds_count"] > 0
