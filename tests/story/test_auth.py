"""Who sent it: what comes in from strangers is evaluated, and what goes out for
our own is signed. The verdict is reached on the message as it came."""
import itertools
import json
import os
import re
import smtplib
import time

import dkim
import pytest

import lab as lab_
import world
from world import GOOD_CLIENT, OTHER_CLIENT

TO, BACK = "plain.example", world.SENDER_DOMAIN
ID = "mx.auth-test.example"
GOOD = "auth-good.example"


def letter(name, author=GOOD, size=400, more=b""):
    head = (f"From: Ann <ann@{author}>\r\nTo: Bob <bob@{TO}>\r\nSubject: {name}\r\n"
            f"Date: Sun, 01 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{name}@{author}>\r\n").encode()
    return head + more + b"\r\n" + (name.encode() + b" 0123456789\r\n") * (size // 20)


def key(lab, selector, author=GOOD):
    return os.path.join(lab.state, "dkim", f"{author}.{selector}.pem")


def signed(lab, raw, author=GOOD, selector="r1"):
    with open(key(lab, selector, author), "rb") as f:
        field = dkim.sign(raw, selector.encode(), author.encode(), f.read(), canonicalize=(b"relaxed", b"relaxed"),
                          include_headers=[b"from", b"to", b"subject", b"date", b"message-id"])
    return field + raw


PORTS = itertools.count(2601)


def options(**more):
    return {"hostname": ID, "smtp.listen": [f"127.0.0.2:{next(PORTS)}"], "relay.domains": [TO], "relay.networks": ["127.0.0.1/32"], "auth.timeout": "5s", **more}


@pytest.fixture(scope="module")
def server(lab, program):
    with lab_.Geleit(lab, program, "auth", options=options()) as s:
        yield s
    print(s.log_end())


def give(server, raw, source=GOOD_CLIENT, sender="ann@" + GOOD):
    return server.submit(raw, ["bob@" + TO], sender, source=source)


def arrived(lab, name):
    """The message with this subject, once it is there."""
    wanted = f"\r\nSubject: {name}\r\n".encode()
    found = []

    def look():
        found[:] = [m["raw"] for m in lab.captured("mx." + TO) if wanted in m["raw"]]
        return bool(found)
    lab_.until(look, 15)
    assert len(found) == 1, name
    return found[0]


def results(raw, who=ID):
    """Our Authentication-Results, unfolded: the first field of the message but for the next server's."""
    fields = re.findall(rb"(?im)^Authentication-Results:((?:.|\r\n[ \t])*)\r\n", raw.split(b"\r\n\r\n")[0] + b"\r\n")
    ours = [f for f in (re.sub(r"\s+", " ", f.decode()).strip() for f in fields) if f.startswith(who)]
    assert len(ours) == 1, fields
    return ours[0]


def evaluation(server, author, which=-1):
    rows = []

    def look():
        rows[:] = [e for e in server.evaluations() if e["author"] == author]
        return bool(rows)
    assert lab_.until(look, 5)
    return rows[which]


def refused(server, *args, **more):
    with pytest.raises(smtplib.SMTPResponseException) as e:
        give(server, *args, **more)
    return e.value.smtp_code, e.value.smtp_error.decode()


# ---- verdicts ---------------------------------------------------------------
def test_all_pass(lab, server):
    raw = signed(lab, letter("all-pass"))
    give(server, raw)
    got = arrived(lab, "all-pass")
    assert got.endswith(raw)
    said = results(got)
    assert "spf=pass" in said and "dkim=pass" in said and "dmarc=pass" in said
    assert f"header.d={GOOD}" in said and f"header.from={GOOD}" in said
    names = [line.split(b":")[0] for line in re.split(rb"\r\n(?![ \t])", got[:got.index(raw)])[:-1]]
    assert names[-2:] == [b"Authentication-Results", b"Received"]  # above them the next server's
    row = evaluation(server, GOOD)
    assert (row["spf"], row["dmarc"], row["disposition"], row["accepted"]) == ("pass", "pass", "none", 1)
    assert row["client"] == GOOD_CLIENT and row["spf_aligned"] and row["dkim_aligned"]
    assert row["dkim"] == [{"domain": GOOD, "selector": "r1", "algorithm": "rsa-sha256", "result": "pass",
                            "reason": row["dkim"][0]["reason"]}]
    assert row["policy_domain"] == GOOD and "p=reject" in row["policy"]


@pytest.mark.parametrize("selector", ["r1", "e1"])
def test_dkim_alone_carries_a_forwarded_message(lab, server, selector):
    name = "forwarded-" + selector
    if selector == "e1":  # dkimpy wants the bare seed; our own signer is tried below
        pytest.importorskip("nacl")
    raw = letter(name)
    raw = signed(lab, raw) if selector == "r1" else ed25519_signed(lab, raw)
    give(server, raw, OTHER_CLIENT)
    said = results(arrived(lab, name))
    assert "spf=fail" in said and "dkim=pass" in said and "dmarc=pass" in said


def seed(lab):
    """The Ed25519 key as others want it: 32 bytes in base64."""
    import base64
    from cryptography.hazmat.primitives import serialization as form
    with open(key(lab, "e1"), "rb") as f:
        return base64.b64encode(form.load_pem_private_key(f.read(), None).private_bytes(
            form.Encoding.Raw, form.PrivateFormat.Raw, form.NoEncryption()))


def ed25519_signed(lab, raw):
    return dkim.sign(raw, b"e1", GOOD.encode(), seed(lab), signature_algorithm=b"ed25519-sha256",
                     include_headers=[b"from", b"subject"]) + raw


def test_what_the_owner_wants_rejected_is_refused(lab, server):
    code, said = refused(server, letter("forged", "auth-reject.example"), OTHER_CLIENT, "x@auth-reject.example")
    assert code == 550 and said.startswith("5.7.26 ") and "auth-reject.example" in said
    row = evaluation(server, "auth-reject.example")
    assert (row["dmarc"], row["wish"], row["disposition"], row["accepted"]) == ("fail", "reject", "reject", 0)
    give(server, letter("behind-forged"))
    arrived(lab, "behind-forged")
    assert not [m for m in lab.captured("mx." + TO) if b"Subject: forged\r\n" in m["raw"]]


def test_one_changed_byte_of_the_body_is_seen(lab, server):
    raw = signed(lab, letter("changed"))
    code, _ = refused(server, raw[:-3] + b"!\r\n", OTHER_CLIENT)
    assert code == 550
    assert evaluation(server, GOOD)["dkim"][0]["result"] == "fail"


def test_quarantine_is_a_header(lab, server):
    give(server, letter("quarantined", "auth-quarantine.example"), OTHER_CLIENT, "x@auth-quarantine.example")
    got = arrived(lab, "quarantined")
    assert b"\r\nX-Geleit-Quarantine: DMARC policy of auth-quarantine.example\r\n" in b"\r\n" + got
    assert "dmarc=fail" in results(got)
    assert evaluation(server, "auth-quarantine.example")["disposition"] == "quarantine"


def test_who_only_watches_gets_his_mail_through(lab, server):
    give(server, letter("watched", "auth-watch.example"), OTHER_CLIENT, "x@auth-watch.example")
    got = arrived(lab, "watched")
    assert "dmarc=fail" in results(got) and b"X-Geleit-Quarantine" not in got


def test_who_publishes_nothing_gets_his_mail_through(lab, server):
    give(server, letter("unknown", "auth-bare.example"), OTHER_CLIENT, "x@auth-bare.example")
    said = results(arrived(lab, "unknown"))
    assert "spf=none" in said and "dkim=none" in said and "dmarc=none" in said


def test_no_answer_is_no_reason_to_refuse(lab, program):
    with lab_.Geleit(lab, program, "auth-late", options=options(**{"auth.timeout": "1s", "dns.timeout": "20s",
                                                                   "auth.spf": "reject"})) as late:
        began = time.monotonic()
        give(late, letter("silent", "auth-silent.example"), OTHER_CLIENT, "x@auth-silent.example")
        assert 0.5 < time.monotonic() - began < 8
        said = results(arrived(lab, "silent"))
        assert "spf=temperror" in said and "dmarc=temperror" in said
        assert evaluation(late, "auth-silent.example")["accepted"] == 1
        print(late.log_end())


# Answers every question as the lab's resolver does, DELAY later; says what was asked, and when.
SLOW_DNS = r"""
import socket, sys, threading, time
here, there, delay = socket.socket(type=socket.SOCK_DGRAM), (sys.argv[2], 53), float(sys.argv[3])
here.bind((sys.argv[1], 5300))
def name(q):
    at, labels = 12, []
    while q[at]:
        labels.append(q[at + 1:at + 1 + q[at]].decode("ascii", "replace"))
        at += 1 + q[at]
    return ".".join(labels) or ".", int.from_bytes(q[at + 1:at + 3], "big")
def relay(q, who):
    time.sleep(delay)
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(q, there)
        here.sendto(s.recv(65535), who)
while True:
    q, who = here.recvfrom(4096)
    print(time.monotonic(), *name(q), flush=True)
    threading.Thread(target=relay, args=(q, who), daemon=True).start()
"""
DELAY = 0.2


@pytest.fixture
def slow_dns(lab, tmp_path):
    path = tmp_path / "asked"
    with open(path, "wb") as f:
        p = lab.popen([lab_.PYTHON, "-c", SLOW_DNS, "127.0.0.54", world.RESOLVER, str(DELAY)], stdout=f)
    yield lambda: [(float(t), n, int(k)) for t, n, k in map(str.split, path.read_text().splitlines())]
    p.kill()
    p.wait(5)


def test_questions_are_asked_together(lab, program, slow_dns):
    """What a message waits for is the longest way, not the number of questions."""
    if lab.run([lab_.PYTHON, "-c", f"import socket; socket.create_connection(('{world.RESOLVER}', 53), 2)"]).returncode:
        pytest.skip("no unbound to forward to")
    conf = {"dns.forward": ["127.0.0.54@5300"], "dns.timeout": "20s", "auth.timeout": "20s"}
    with lab_.Geleit(lab, program, "auth-slow-dns", options=options(**conf)) as s:
        give(s, letter("slow-warm", "auth-watch.example"), sender="x@auth-watch.example")  # the keys of the zones above are known now
        before = len(slow_dns())
        began = time.monotonic()
        give(s, ed25519_signed(lab, signed(lab, letter("slow"))))
        took = time.monotonic() - began
        row = evaluation(s, GOOD)
        assert [d["result"] for d in row["dkim"]] == ["pass", "pass"] and row["spf"] == row["dmarc"] == "pass"
        asked = {n: t for t, n, _ in slow_dns()[before:] if n.endswith(GOOD)}
        late = ["r1._domainkey." + GOOD, "e1._domainkey." + GOOD, "_dmarc." + GOOD]
        assert set(late) <= set(asked) and GOOD in asked
        assert max(asked[n] for n in late) - min(asked[n] for n in late) < DELAY / 2
        every = len([n for _, n, _ in slow_dns()[before:] if n.endswith(GOOD)])
        print(f"{every} questions of {DELAY} s each took {took:.2f} s")
        assert took < every * DELAY * 0.9
        print(s.log_end())


def test_a_null_sender_is_judged_by_its_helo(lab, server):
    give(server, letter("null-sender", "auth-bare.example"), sender="")
    said = results(arrived(lab, "null-sender"))
    assert "smtp.helo=client.geleit-lab.example" in said


# ---- forged results ---------------------------------------------------------
def test_forged_results_are_removed_and_others_stay(lab, server):
    forged = (f"Authentication-Results: {ID}; dmarc=pass header.from=bank.example\r\n"
              f"authentication-results:\r\n {ID.upper()} 1;\r\n\tspf=pass\r\n"
              "Authentication-Results: elsewhere.example; spf=pass\r\n").encode()
    raw = letter("results", more=forged)
    give(server, raw)
    got = arrived(lab, "results")
    assert "bank.example" not in results(got) and b"bank.example" not in got
    assert got.endswith(letter("results", more=forged.splitlines(True)[-1]))


def test_a_signature_over_what_is_removed_counts(lab, server):
    """The evaluator sees the message as it came."""
    raw = letter("before-removal", more=f"Authentication-Results: {ID}; spf=fail\r\n".encode())
    with open(key(lab, "r1"), "rb") as f:
        raw = dkim.sign(raw, b"r1", GOOD.encode(), f.read(),
                        include_headers=[b"from", b"authentication-results"]) + raw
    give(server, raw, OTHER_CLIENT)
    assert "dkim=pass" in results(arrived(lab, "before-removal"))


# ---- large, many, other rules -------------------------------------------------
def test_three_megabytes(lab, server):
    raw = signed(lab, letter("large", size=3_000_000, more=f"Authentication-Results: {ID}; spf=fail\r\n".encode()))
    give(server, raw)
    got = arrived(lab, "large")
    assert "dkim=pass" in results(got)
    assert got.endswith(raw[raw.index(b"From: "):].replace(f"Authentication-Results: {ID}; spf=fail\r\n".encode(), b""))


def test_own_clients_are_not_evaluated(lab, server):
    server.submit(letter("inside", "auth-reject.example"), ["bob@" + TO], "x@auth-reject.example")
    assert b"Authentication-Results" not in arrived(lab, "inside")


@pytest.mark.parametrize("rule, how", [({"auth.dmarc": "note"}, "noted"), ({"auth.evaluate": False}, "off"),
                                       ({"auth.trusted_forwarders": [OTHER_CLIENT + "/32"]}, "trusted")])
def test_the_operator_decides(lab, program, rule, how):
    with lab_.Geleit(lab, program, "auth-" + how, options=options(**rule)) as s:
        give(s, letter(how, "auth-reject.example"), OTHER_CLIENT, "x@auth-reject.example")
        got = arrived(lab, how)
        if how == "off":
            assert b"Authentication-Results" not in got
            return
        assert "dmarc=fail" in results(got)
        row = evaluation(s, "auth-reject.example")
        assert (row["wish"], row["disposition"]) == ("reject", "none")
        assert row["override"] == {"noted": "local_policy", "trusted": "trusted_forwarder"}[how]


def test_spf_alone_refuses_where_wanted(lab, program):
    with lab_.Geleit(lab, program, "auth-spf", options=options(**{"auth.spf": "reject"})) as s:
        code, said = refused(s, letter("spf-reject", "auth-watch.example"), OTHER_CLIENT, "x@auth-watch.example")
        assert code == 550 and said.startswith("5.7.23 ") and OTHER_CLIENT in said and "auth-watch.example" in said
        row = evaluation(s, "auth-watch.example")
        assert (row["disposition"], row["override"], row["accepted"]) == ("reject", "local_policy", 0)


def test_spf_alone_does_not_refuse_what_dmarc_passes(lab, program):
    with lab_.Geleit(lab, program, "auth-spared", options=options(**{"auth.spf": "reject"})) as s:
        give(s, signed(lab, letter("spared")), OTHER_CLIENT)
        said = results(arrived(lab, "spared"))
        assert "spf=fail" in said and "dmarc=pass" in said


def test_what_is_quarantined_can_be_held(lab, program):
    with lab_.Geleit(lab, program, "auth-hold", options=options(**{"auth.quarantine": "hold"})) as s:
        give(s, letter("held", "auth-quarantine.example"), OTHER_CLIENT, "x@auth-quarantine.example")
        give(s, letter("not-held"))
        arrived(lab, "not-held")
        held, = json.loads(s.command("queue", "--json", "list").stdout)
        assert (held["held"], held["pending"]) == (1, 0) and held["due"] is None
        assert held["reason"] == "quarantined by the DMARC policy of auth-quarantine.example"
        assert "until it is released" in s.command("queue", "list").stdout
        assert not [m for m in lab.captured("mx." + TO) if b"Subject: held\r\n" in m["raw"]]
        s.kill()  # it is still held when the server comes again
        s.start()
        assert s.command("queue", "release", held["id"]).returncode == 0
        assert b"\r\nX-Geleit-Quarantine: " in b"\r\n" + arrived(lab, "held")
        assert evaluation(s, "auth-quarantine.example")["disposition"] == "quarantine"


TWO_AUTHORS = f"From: Ann <ann@{GOOD}>, Eve <eve@auth-bare.example>\r\n".encode()


def authored(name, field):
    return re.sub(rb"^From: .*\r\n", field, letter(name))


@pytest.mark.parametrize("name, raw", [
    ("two-fields", letter("two-fields", more=b"From: eve@auth-bare.example\r\n")),
    ("two-authors", authored("two-authors", TWO_AUTHORS)),
    ("broken-author", authored("broken-author", f"From: <ann@{GOOD}> <eve@auth-bare.example>\r\n".encode()))])
def test_it_must_be_clear_who_the_author_is(lab, server, name, raw):
    code, said = refused(server, raw)
    assert code == 550 and said.startswith("5.7.1 it must be clear who the author is: "), said
    row = evaluation(server, "")
    assert (row["dmarc"], row["accepted"], row["override"]) == ("permerror", 0, "local_policy")


def test_no_author_is_refused_only_where_wanted(lab, server, program):
    give(server, authored("no-author", b""))
    assert "dmarc=permerror" in results(arrived(lab, "no-author"))
    with lab_.Geleit(lab, program, "auth-strict", options=options(**{"auth.from": "strict"})) as s:
        code, said = refused(s, authored("no-author-at-all", b""))
        assert code == 550 and "From" in said
    with lab_.Geleit(lab, program, "auth-lax", options=options(**{"auth.from": "note"})) as s:
        give(s, authored("two-noted", TWO_AUTHORS))
        assert "dmarc=permerror" in results(arrived(lab, "two-noted"))


# ---- what the operator knows ------------------------------------------------
REJECT = "auth-reject.example"


def overridden(lab, server, name, raw, sender, source):
    give(server, raw, source, sender)
    assert "dmarc=fail" in results(arrived(lab, name))
    row = evaluation(server, REJECT)
    assert (row["wish"], row["disposition"], row["accepted"]) == ("reject", "none", 1)
    return row["override"], row["comment"]


@pytest.fixture(scope="module")
def knowing(lab, program):
    conf = {"auth.mailing_lists": [GOOD], "auth.exempt": ["auth-quarantine.example"],
            "auth.trusted_sealers": ["auth-good.example"], "auth.trusted_results": [f"gw.example {OTHER_CLIENT}/32"]}
    with lab_.Geleit(lab, program, "auth-knowing", options=options(**conf)) as s:
        yield s
    print(s.log_end())


def test_a_mailing_list_is_known_by_spf_or_dkim(lab, knowing):
    told = overridden(lab, knowing, "list-spf", letter("list-spf", REJECT), "list-bounces@" + GOOD, GOOD_CLIENT)
    assert told == ("mailing_list", f"came by a mailing list: {GOOD}")
    told = overridden(lab, knowing, "list-dkim", signed(lab, letter("list-dkim", REJECT)), "x@" + REJECT, OTHER_CLIENT)
    assert told == ("mailing_list", f"came by a mailing list: {GOOD}")
    code, _ = refused(knowing, letter("no-list", REJECT, more=f"List-Id: <l.{GOOD}>\r\n".encode()), OTHER_CLIENT,
                      "list-bounces@" + GOOD)
    assert code == 550


def test_an_exempt_author_is_a_local_policy(lab, knowing):
    give(knowing, letter("exempt", "auth-quarantine.example"), OTHER_CLIENT, "x@auth-quarantine.example")
    assert b"X-Geleit-Quarantine" not in arrived(lab, "exempt")
    assert evaluation(knowing, "auth-quarantine.example")["override"] == "local_policy"


def arc_sealed(lab, raw, said, author=GOOD):
    """As a forwarder would that had found it to be so."""
    with open(key(lab, "r1"), "rb") as f:
        head = b"Authentication-Results: " + said.encode() + b"\r\n"
        return b"".join(dkim.ARC(head + raw).sign(b"r1", author.encode(), f.read(), said.split(";")[0].encode(),
                                                 include_headers=[b"from", b"subject"])) + raw


def test_a_chain_of_a_trusted_sealer_is_a_forwarder(lab, knowing, server):
    raw = arc_sealed(lab, letter("sealed", REJECT), f"fwd.example; dmarc=pass header.from={REJECT}; spf=pass")
    told = overridden(lab, knowing, "sealed", raw, "x@" + REJECT, GOOD_CLIENT)
    assert told == ("trusted_forwarder", f"forwarded by one we trust: {GOOD}")
    assert "arc=pass" in results(arrived(lab, "sealed"))
    assert refused(server, raw, OTHER_CLIENT, "x@" + REJECT)[0] == 550, "who does not trust the sealer"
    assert refused(knowing, raw.replace(b"0123456789", b"012345678X", 1), GOOD_CLIENT, "x@" + REJECT)[0] == 550
    failed = arc_sealed(lab, letter("sealed-fail", REJECT), f"fwd.example; dmarc=fail header.from={REJECT}; spf=fail")
    assert refused(knowing, failed, GOOD_CLIENT, "x@" + REJECT)[0] == 550


def test_results_of_a_server_of_ours_are_believed(lab, knowing):
    def by(name, who, author=REJECT):
        more = f"Authentication-Results: {who}; spf=pass; dmarc=pass header.from={author}\r\n".encode()
        return more + letter(name, REJECT)
    told = overridden(lab, knowing, "gateway", by("gateway", "gw.example"), "x@" + REJECT, OTHER_CLIENT)
    assert told == ("trusted_forwarder", "forwarded by one we trust: gw.example")
    for raw, source in ((by("g1", "gw.example"), GOOD_CLIENT), (by("g2", "other.example"), OTHER_CLIENT),
                        (by("g3", "gw.example", GOOD), OTHER_CLIENT)):
        assert refused(knowing, raw, source, "x@" + REJECT)[0] == 550


# ---- signing ------------------------------------------------------------------
def signing(lab, author=GOOD):
    return [f"{author} {s} {key(lab, s, author)}" for s in world.AUTHORS[author].keys]


def dns_of(lab):
    """dkimpy's questions, answered from the zone's file."""
    def ask(name, **_):
        name = (name if isinstance(name, str) else name.decode()).rstrip(".")
        selector, _, zone = name.partition("._domainkey.")
        with open(os.path.join(lab.state, "zones", zone + ".signed"), encoding="ascii") as f:
            for line in f:
                if line.startswith(f"{selector}._domainkey "):
                    return "".join(re.findall(r'"([^"]*)"', line)).encode()
        return None
    return ask


@pytest.fixture(scope="module")
def signer(lab, program):
    with lab_.Geleit(lab, program, "auth-signer", options=options(**{"dkim.sign": signing(lab)})) as s:
        yield s
    print(s.log_end())


@pytest.mark.parametrize("size", [0, 400, 3_000_000])
def test_both_keys_sign_what_our_clients_send(lab, signer, size):
    name = f"signed-{size}"
    signer.submit(letter(name, size=size), ["bob@" + TO], "ann@" + GOOD)
    got = arrived(lab, name)
    assert got.count(b"DKIM-Signature:") == 2
    got = got[got.index(b"DKIM-Signature:"):]
    for i in range(2):
        assert dkim.DKIM(got).verify(idx=i, dnsfunc=dns_of(lab)), i
    assert not dkim.DKIM(got.replace(b"Subject: ", b"Subject: x", 1)).verify(dnsfunc=dns_of(lab))


def test_another_geleit_believes_our_signatures(lab, program):
    second = lab_.Geleit(lab, program, "auth-second", options=options(**{
        "smtp.listen": ["127.0.0.6:2525"], "relay.networks": ["127.0.0.99/32"]}))
    first = lab_.Geleit(lab, program, "auth-first", options=options(**{
        "hostname": "first.example", "dkim.sign": signing(lab), "send.routes": [f"{TO} [127.0.0.6]:2525"],
        "send.policy": [f"{TO} clear"]}))
    with second, first:
        first.submit(letter("two-hops"), ["bob@" + TO], "ann@" + GOOD)
        said = results(arrived(lab, "two-hops"))
        assert said.count("dkim=pass") == 2 and "dmarc=pass" in said and "spf=fail" in said
        row = evaluation(second, GOOD)
        assert {d["algorithm"] for d in row["dkim"]} == {"rsa-sha256", "ed25519-sha256"}


def test_what_others_claim_to_be_is_not_signed(lab, signer):
    signer.submit(letter("not-ours", "auth-bare.example"), ["bob@" + TO], "x@auth-bare.example")
    assert b"DKIM-Signature" not in arrived(lab, "not-ours")
    give(signer, letter("stranger"))
    assert b"DKIM-Signature" not in arrived(lab, "stranger")


def test_a_domain_below_is_signed_by_the_keys_above(lab, signer):
    signer.submit(letter("below", "sub." + GOOD), ["bob@" + TO], "ann@sub." + GOOD)
    got = arrived(lab, "below")
    got = got[got.index(b"DKIM-Signature:"):]
    assert b"d=" + GOOD.encode() in got and dkim.DKIM(got).verify(dnsfunc=dns_of(lab))


def test_our_notices_are_signed(lab, program):
    conf = {"hostname": "mx." + GOOD, "dkim.sign": signing(lab)}
    with lab_.Geleit(lab, program, "auth-bounce", options=options(**conf)) as s:
        before = len(lab.captured("mx." + BACK))
        s.submit(letter("to-nobody"), ["bob@nullmx.example"], "alice@" + BACK)
        notices = []

        def look():
            notices[:] = [m["raw"] for m in lab.captured("mx." + BACK)[before:] if b"to-nobody" in m["raw"]]
            return bool(notices)
        assert lab_.until(look, 20)
        raw = notices[0][notices[0].index(b"DKIM-Signature:"):]
        assert b"From: Mail Delivery System <MAILER-DAEMON@mx." in raw
        assert all(dkim.DKIM(raw).verify(idx=i, dnsfunc=dns_of(lab)) for i in range(2))


def test_a_reload_changes_the_keys(lab, program):
    with lab_.Geleit(lab, program, "auth-reload", options=options()) as s:
        s.submit(letter("before-reload"), ["bob@" + TO], "ann@" + GOOD)
        assert b"DKIM-Signature" not in arrived(lab, "before-reload")
        with open(s.conf, "a", encoding="utf-8") as f:
            f.write("dkim.sign = [ " + ", ".join(f'"{k}"' for k in signing(lab)) + " ];\n")
        os.kill(s.process.pid, 1)
        assert lab_.until(lambda: "reloaded" in s.log_end(), 5)
        s.submit(letter("after-reload"), ["bob@" + TO], "ann@" + GOOD)
        assert arrived(lab, "after-reload").count(b"DKIM-Signature:") == 2


def test_a_key_of_the_folder_signs_once_it_is_active(lab, program):
    """Nobody sends a signal; a key that waits for its record signs nothing."""
    with lab_.Geleit(lab, program, "auth-folder", options=options()) as s:
        folder = os.path.join(s.store, "keys")
        os.mkdir(folder, 0o700)

        def state(*moments):
            put(f"r1._domainkey.{GOOD}.state", "".join(f"{line}\n" for line in (
                f"domain {GOOD}", "selector r1", "algorithm rsa-sha256", "bits 2048", "public AAAA", *moments)).encode())

        def put(name, data):
            with open(os.open(os.path.join(folder, name + ".new"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
                f.write(data)
            os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))
        with open(key(lab, "r1"), "rb") as f:
            put(f"r1._domainkey.{GOOD}.key", f.read())
        state("created 2026-11-01T00:00:00.000Z")
        assert lab_.until(lambda: "keys-loaded keys=0" in s.log_end(), 10), s.log_end()
        s.submit(letter("waiting-key"), ["bob@" + TO], "ann@" + GOOD)
        assert b"DKIM-Signature" not in arrived(lab, "waiting-key")
        state("created 2026-11-01T00:00:00.000Z", "seen 2026-11-02T00:00:00.000Z", "active 2026-11-02T00:00:00.000Z")
        assert lab_.until(lambda: "keys-loaded keys=1" in s.log_end(), 10), s.log_end()
        s.submit(letter("active-key"), ["bob@" + TO], "ann@" + GOOD)
        got = arrived(lab, "active-key")
        assert dkim.DKIM(got[got.index(b"DKIM-Signature:"):]).verify(dnsfunc=dns_of(lab))
