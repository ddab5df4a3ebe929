"""`geleit explain` says before what a delivery does after: held against every row
of the lab's table, and against the plans that deliveries left in the history.
"""
import json
import os
import socket
import subprocess
import time

import pytest

import lab as lab_
import world

ROWS = [d for d in world.DOMAINS.values() if not d.requires]
STATUS = {"deliver": 0, "defer": 75, "fail": 1}
# Refused only once there is a message: nothing that a plan or a probe can see.
LATER = {"mail", "rcpt", "data", "end", "body"}


@pytest.fixture(scope="module")
def server(lab, program):
    with lab_.Geleit(lab, program, "explain", send__command_timeout="4s", send__connect_timeout="1s",
                     dns__timeout="2s", mta_sts__timeout="2s") as g:
        yield g
    print(g.log_end())


def explain(server, address, *flags):
    r = server.command("explain", "--json", address, *flags, timeout=90)
    assert r.stdout, r.stderr
    document = json.loads(r.stdout)
    assert r.returncode == STATUS[document["decision"]], r.stderr
    assert document["reason"].endswith("."), document["reason"]
    return document


def needs_a_message(d):
    """The row's trouble begins with MAIL FROM, or is over at the second try."""
    name = d.name.split(".")[0]
    return d.name.endswith(".odd.example") and (name.split("-")[-1] in LATER or name == "grey")


@pytest.mark.parametrize("d", ROWS, ids=lambda d: d.name)
def test_plan_is_as_the_table_says(server, d):
    plan = explain(server, "bob@" + d.name)
    assert plan["recipient_domain"] == d.name
    if d.requirement:
        assert tuple(h["requirement"] for h in plan["hosts"]) == d.requirement
    # The plan alone knows no server: it may hope where a look shows there is none.
    if d.expect == "fail" and not needs_a_message(d):
        assert plan["decision"] == "fail"
    if d.expect == "deliver":
        assert plan["decision"] == "deliver"
    assert all(h["probe"] is None for h in plan["hosts"])
    assert plan["dnssec_self_test"] == "validating"


@pytest.mark.parametrize("d", [d for d in ROWS if not needs_a_message(d)], ids=lambda d: d.name)
def test_probe_decides_as_a_delivery_would(server, d):
    plan = explain(server, "bob@" + d.name, "--probe")
    assert plan["decision"] == d.expect, plan["reason"]
    if d.expect != "deliver" or d.transport == "any":
        return
    via = d.via if d.via in [h["name"] for h in plan["hosts"]] else None
    good = [h for h in plan["hosts"] if h["probe"] and h["probe"]["connected"] and (via is None or h["name"] == via)]
    assert good, plan
    probe = good[-1]["probe"]
    assert (probe["tls_version"] is None) == (d.transport == "clear")
    if d.transport in ("dane", "sts"):
        assert probe["peer_verified"] == {"dane": "dane", "sts": "pkix"}[d.transport]
        assert probe["error"] is None and probe["tlsrpt_result_type"] is None


def without_age(plan):
    """What differs between two looks at the same: a fetched policy is cached later."""
    plan = json.loads(json.dumps(plan))
    plan.pop("dnssec_self_test", None)
    plan["mta_sts"]["source"] = plan["mta_sts"]["source"] and "somewhere"
    return plan


@pytest.mark.parametrize("domain", ["dane.example", "dane-backup.example", "dane-unusable.example", "mitm.example",
                                    "sts-enforce.example", "sts-mismatch.example", "sts-testing.example",
                                    "plain.example", "nullmx.example", "bogus.example", "both.example"])
def test_delivery_and_explain_have_the_same_plan(server, domain):
    server.submit(b"Subject: plan\r\n\r\nhello\r\n", ["bob@" + domain])
    attempt = server.wait_attempt(domain, 40)
    assert attempt, "no attempt"
    assert without_age(explain(server, "bob@" + domain)) == without_age(attempt["plan"])


def test_a_probe_outlives_the_questions_of_others(server):
    """Every explain begins with nothing planned before: what a probe works by stays for it."""
    long = server.lab.popen([server.program, "explain", "-c", server.conf, "--json", "bob@stall-greeting.odd.example",
                             "--probe"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    for _ in range(3):
        assert explain(server, "bob@dane.example")["decision"] == "deliver"
    out, err = long.communicate(timeout=60)
    assert long.returncode == 75 and err == ""
    assert json.loads(out)["hosts"][0]["probe"]["connected"] is True
    log = server.log_end(100000)
    assert "role-died" not in log and "ERROR: AddressSanitizer" not in log


def test_requiretls_asks_for_more(server):
    assert explain(server, "bob@plain.example")["decision"] == "deliver"
    plan = explain(server, "bob@plain.example", "--requiretls")
    assert plan["decision"] == "fail" and plan["requiretls"] is True
    # The lab's servers do not offer the extension.
    plan = explain(server, "bob@dane.example", "--requiretls", "--probe")
    assert plan["decision"] == "fail" and plan["status"] == "5.7.30"


def test_tls_required_no_asks_for_less(server):
    assert explain(server, "bob@sts-mismatch.example")["decision"] == "defer"
    assert explain(server, "bob@sts-mismatch.example", "--tls-required-no")["decision"] == "deliver"


def test_people_can_read_it(server):
    r = server.command("explain", "bob@dane.example", "--probe")
    assert r.returncode == 0 and r.stderr == ""
    for word in ("deliver", "mx.dane.example", "3 1 1", "TLSv1.3", "verified by dane", "RFC 7672"):
        assert word in r.stdout
    assert "\033[" not in r.stdout, "no colour where there is no terminal"


def test_without_a_server_it_asks_itself_and_says_so(lab, program):
    s = lab.state
    r = lab.run([program, "explain", "--json", "bob@sts-enforce.example", "--probe", "-o", "store.path=/no/where",
                 "-o", f"dns.trust_anchor={s}/anchor", "-o", f"dns.root_hints={s}/root.hints",
                 "-o", f"tls.ca_file={s}/ca.pem"])
    assert r.returncode == 0, r.stderr
    plan = json.loads(r.stdout)
    assert plan["mta_sts"]["source"] == "fetched"
    assert plan["hosts"][0]["probe"]["peer_verified"] == "pkix"
    assert plan["dnssec_self_test"] == "validating"
    assert r.stderr.startswith("geleit: no server answers at /no/where/control.sock")
    assert len(r.stderr.splitlines()) == 1
    assert "resolver of its own" in r.stderr or "a resolver and a fetcher of its own" in r.stderr


def test_spf_without_a_server_asks_itself_once(lab, program):
    s = lab.state
    r = lab.run([program, "spf", "192.0.2.1", "a@silent.example", "h.example", "-o", "store.path=/no/where",
                 "-o", f"dns.trust_anchor={s}/anchor", "-o", f"dns.root_hints={s}/root.hints", "-o", "dns.timeout=2s"])
    assert r.returncode == 75, r.stderr
    assert r.stderr == ("geleit: no server answers at /no/where/control.sock (No such file or directory); "
                        "asking with a resolver of its own\n")
    assert "├─ silent.example  error  (a DNS lookup failed)" in r.stdout


def test_other_options_than_the_servers_are_not_the_servers_answer(server):
    r = server.command("explain", "--json", "bob@dane.example", "-o", "send.policy=dane.example clear")
    assert json.loads(r.stdout)["hosts"][0]["requirement"] == "local-clear"
    assert "other options" in r.stderr
    r = server.command("explain", "--json", "bob@dane.example", "-o", "dns.timeout=2s")
    assert json.loads(r.stdout)["hosts"][0]["requirement"] == "dane" and r.stderr == ""


@pytest.mark.parametrize("word", ["", "@", "bob@", "bob@[127.0.0.1]", "no domain at all", "bob@-.example", "a@b@c",
                                  "bob@" + "x" * 300 + ".example", "bob@exa\x1bmple"])
def test_nonsense_gets_one_sentence(server, word):
    r = server.command("explain", "--json", word)
    assert r.returncode == 2 and r.stdout == ""
    assert r.stderr.startswith("geleit: ") and len(r.stderr.splitlines()) == 1


def test_a_trust_anchor_that_is_not_there(lab, program):
    r = lab.run([program, "explain", "bob@dane.example", "-o", "store.path=/no/where",
                 "-o", "dns.trust_anchor=/no/anchor"])
    assert r.returncode == 2 and r.stdout == ""
    assert "the trust anchor's file /no/anchor cannot be read: No such file" in r.stderr
    assert r.stderr.endswith("geleit: a resolver of its own cannot start; the lines above say why\n")


def test_the_door_is_shut_to_others(server):
    path = os.path.join(server.store, "control.sock")
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_garbage_at_the_door_harms_nobody(server):
    path = os.path.join(server.store, "control.sock")
    for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 64, b"\xff" * 4096, b"\0\0\0\x07\0\x5a\0\0\0\0\x01"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(path)
            s.sendall(garbage)
            s.shutdown(socket.SHUT_WR)
            try:
                assert s.recv(10) == b""
            except ConnectionResetError:
                pass
    assert explain(server, "bob@plain.example")["decision"] == "deliver"


def test_too_many_at_the_door_are_told_so(server):
    path, held = os.path.join(server.store, "control.sock"), []
    try:
        for _ in range(64):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(path)
        r = server.command("queue", "list")
        assert (r.returncode, r.stdout) == (75, "")
        assert r.stderr == "geleit: the server has too many commands to answer at once\n"
    finally:
        for s in held:
            s.close()
    assert explain(server, "bob@plain.example")["decision"] == "deliver"


# ---- does DNSSEC work here at all? ------------------------------------------
OTHER = ["127.0.0.2:2526"]  # beside the server of the rows
STRIPPER = """
import socket, sys, dns.message, dns.query
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.54", 53))
print("ready", flush=True)
while True:
    wire, who = s.recvfrom(65535)
    try:
        q = dns.message.from_wire(wire)
        q.use_edns(False)
        r, _ = dns.query.udp_with_fallback(q, "127.0.0.53", timeout=3)
        s.sendto(r.to_wire(), who)
    except Exception as e:
        print(e, flush=True)
"""


@pytest.fixture
def stripper(lab):
    p = lab.popen([lab_.PYTHON, "-c", STRIPPER], stdout=-1, text=True)
    assert p.stdout.readline() == "ready\n"
    yield "127.0.0.54@53"
    p.kill()
    p.wait(5)


def self_test(server):
    """What explain says of it, and that the log says it once and loudly."""
    plan = explain(server, "bob@dane.example")
    with open(server.log, encoding="utf-8") as f:
        lines = [line for line in f if "dnssec-self-test" in line]
    assert len(lines) == 1 and f"is={plan['dnssec_self_test']} " in lines[0]
    assert (" error " in lines[0]) == (plan["dnssec_self_test"] != "validating")
    return plan


def test_a_path_that_strips_signatures_is_named(geleit, stripper):
    plan = self_test(geleit(smtp__listen=OTHER, dns__forward=[stripper], dns__timeout="5s"))
    assert plan["dnssec_self_test"] == "stripped"
    assert plan["decision"] == "defer", "DANE is never switched off for want of DNSSEC"


def test_an_anchor_that_does_not_fit_is_named(geleit, lab):
    path = os.path.join(lab.state, "other-anchor")
    with open(path, "w", encoding="utf-8") as f:
        f.write(". IN DS 12345 13 2 " + "ab" * 32 + "\n")
    server = geleit(smtp__listen=OTHER, dns__trust_anchor=path, dns__timeout="5s")
    plan = self_test(server)
    assert plan["dnssec_self_test"] == "not-validating" and plan["decision"] == "defer"
    assert "NOT VALIDATED" in server.command("explain", "bob@dane.example").stdout


def test_a_root_that_does_not_answer_is_not_known(geleit):
    plan = self_test(geleit(smtp__listen=OTHER, dns__forward=["127.0.0.55@53"], dns__timeout="2s"))
    assert plan["dnssec_self_test"] == "unknown" and plan["decision"] == "defer"


def test_validating_is_said_in_the_log_too(geleit):
    assert self_test(geleit(smtp__listen=OTHER))["dnssec_self_test"] == "validating"
