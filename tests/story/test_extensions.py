"""The extensions of SMTP as clients use them: chunks, addresses in UTF-8, DSN
requests, REQUIRETLS. What was asked for stands in the queue as it was asked, and
what arrives is what was sent."""
import json
import re
import shutil
import smtplib
import subprocess

import pytest

import alone
import lab as lab_
from alone import Talk, letter


@pytest.fixture(scope="module")
def server(here, program, sink):
    conf = {"smtp.max_size": "2M", "smtp.receivers": 1, "smtp.max_errors": 20}
    with lab_.Geleit(here, program, "extensions", options=alone.options(sink, **conf)) as s:
        yield s
    print(s.log_end())


@pytest.fixture(scope="module")
def keeper(here, program):
    """Its mail goes nowhere, so that the queue can be looked at."""
    conf = {"send.routes": ["* [127.0.0.1]:1"], "smtp.receivers": 1, "queue.retry_first": "1h",
            "queue.retry_longest": "1h"}
    with lab_.Geleit(here, program, "keeper", options=alone.options(**conf)) as s:
        yield s
    print(s.log_end())


def shown(server, reply):
    """The message that a 250 tells of, as `queue show` has it."""
    id_ = re.search(r"message (\S+) is queued", reply)[1]
    done = server.command("queue", "show", "--json", id_)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def offered(talk):
    talk.say("EHLO c.a.example")
    lines = [talk.line()]
    while lines[-1][3] == "-":
        lines.append(talk.line())
    return {line[4:].split()[0] for line in lines[1:]}


# ---- what is offered ---------------------------------------------------------
def test_what_is_offered(server):
    usual = {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES"}
    with Talk(server) as talk:
        assert talk.reply().startswith("220")
        assert offered(talk) == usual | {"STARTTLS"}
    with Talk(server) as talk:
        assert offered(talk.greeted().secured()) == usual | {"REQUIRETLS"}


# ---- BDAT --------------------------------------------------------------------
def chunked(raw, sizes):
    """As BDAT commands, pipelined; the sizes over and over."""
    out, at, i = b"", 0, 0
    while at < len(raw):
        piece = raw[at:at + sizes[i % len(sizes)]]
        at, i = at + len(piece), i + 1
        out += b"BDAT %d%s\r\n" % (len(piece), b" LAST" if at == len(raw) else b"") + piece
    return out, i


@pytest.mark.parametrize("sizes", [[1], [7, 1, 13], [1000], [1 << 20]], ids=str)
@pytest.mark.parametrize("size", [300, 300_000])
def test_chunks_arrive_as_they_were_sent(server, sink, sizes, size):
    if size == 300_000 and sizes[0] < 100:
        sizes = [65536 * s for s in sizes]
    name = f"chunks-{size}-{len(sizes)}-{sizes[0]}"
    raw = letter(name, size) + b"\r\n.\r\n..\r\nQUIT\r\n"
    data, count = chunked(raw, sizes)
    with Talk(server) as talk:
        talk.greeted().ask("MAIL FROM:<alice@a.example>", "RCPT TO:<bob@b.example>")
        talk.say(data + b"NOOP\r\n")
        replies = [talk.reply() for _ in range(count + 1)]
        assert all(r.startswith("250") for r in replies), replies
        assert "is queued" in replies[-2]
    assert lab_.until(lambda: sink.named(name), 10)
    assert lab_.difference(sink.named(name)[0][0], raw) is None


def test_the_last_line_gets_its_end(server, sink):
    raw = letter("no-end") + b"the last line"
    with Talk(server) as talk:
        talk.greeted().ask("MAIL FROM:<alice@a.example>", "RCPT TO:<bob@b.example>")
        assert talk.ask(b"BDAT %d LAST\r\n" % len(raw) + raw).startswith("250")
    assert lab_.until(lambda: sink.named("no-end"), 10)
    assert lab_.difference(sink.named("no-end")[0][0], raw + b"\r\n") is None


ENDS = [b"\n.\n", b"\r.\r", b"\r\n.\n", b"\n.\r\n", b"\r\n.\r", b"\r.\r\n", b"\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n"]


@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_nothing_is_smuggled_in_chunks(server, sink, end, cut):
    """Who gets the message from us by DATA may read its end where none is."""
    inner = b"MAIL FROM:<root@b.example>\r\nRCPT TO:<victim@b.example>\r\nDATA\r\n" + letter("smuggled") + b".\r\n"
    raw = letter("outer") + b"last words" + end + inner
    at = len(letter("outer") + b"last words") + cut
    name = f"honest-{end.hex()}-{cut}"
    with Talk(server) as talk:
        talk.greeted().ask("MAIL FROM:<alice@a.example>", "RCPT TO:<bob@b.example>")
        talk.say(b"BDAT %d\r\n" % at + raw[:at] + b"BDAT %d LAST\r\n" % (len(raw) - at) + raw[at:])
        seen = [talk.reply(), talk.reply()]
        assert seen[1][0] == "5", seen
        talk.ask("MAIL FROM:<alice@a.example>", "RCPT TO:<bob@b.example>")
        honest = letter(name)
        assert talk.ask(b"BDAT %d LAST\r\n" % len(honest) + honest).startswith("250"), "the session is in step"
    assert lab_.until(lambda: sink.named(name), 10)
    assert not sink.named("smuggled") and not sink.named("outer")


def test_a_message_that_chunks_make_too_big(server, sink):
    with Talk(server) as talk:
        talk.greeted().ask("MAIL FROM:<alice@a.example>", "RCPT TO:<bob@b.example>")
        half = letter("big", 1_200_000)
        assert talk.ask(b"BDAT %d\r\n" % len(half) + half).startswith("250")
        assert talk.ask(b"BDAT %d LAST\r\n" % len(half) + half).startswith("552 5.3.4")
        assert talk.ask("RCPT TO:<bob@b.example>").startswith("503"), "nothing is left of it"
    assert not sink.named("big")


# ---- SMTPUTF8 ----------------------------------------------------------------
def test_addresses_in_utf8_arrive(server, sink):
    message = "From: Müller <müller@bücher.example>\r\nTo: 用户 <用户@例子.广告>\r\nSubject: utf8\r\n\r\nGrüße\r\n".encode()
    with smtplib.SMTP(server.address, server.port, local_hostname="c.a.example", timeout=20) as client:
        client.sendmail("müller@bücher.example", ["用户@例子.广告", "bob@bücher.example"], message,
                        ["SMTPUTF8", "BODY=8BITMIME"])
    assert lab_.until(lambda: len(sink.named("utf8")) >= 1, 10)
    raw, facts = sink.named("utf8")[0]
    assert raw.endswith(message)
    assert b"with UTF8SMTP " in re.sub(rb"\s+", b" ", raw)
    seen = [f for _, f in sink.named("utf8")]
    assert all("SMTPUTF8" in f["parameters"]["mail"] and "müller@" in f["mail_from"] for f in seen), facts


def test_without_the_parameter_utf8_is_refused(server):
    with Talk(server) as talk:
        talk.greeted()
        assert talk.ask("MAIL FROM:<müller@a.example>").startswith("550 5.6.7")
        assert talk.ask("MAIL FROM:<a@a.example>", "RCPT TO:<b@bücher.example>").startswith("553 5.6.7")
        assert talk.ask("RCPT TO:<b@xn--bcher-kva.example>").startswith("250")


@pytest.mark.parametrize("raw, needed", [
    ("Subject: plain\r\n\r\nplain\r\n", False), ("Subject: plain\r\n\r\nGrüße\r\n", False),
    ("Subject: Grüße\r\n\r\nplain\r\n", True)])
def test_who_says_smtputf8_for_nothing_gets_no_less(keeper, raw, needed):
    with Talk(keeper) as talk:
        talk.greeted().ask("MAIL FROM:<alice@a.example> SMTPUTF8 BODY=8BITMIME", "RCPT TO:<bob@bücher.example>", "DATA")
        message = shown(keeper, talk.ask(raw.encode() + b".\r\n"))
    assert message["smtputf8"] is needed
    assert message["recipients"][0]["domain"] == "xn--bcher-kva.example"


# ---- DSN ---------------------------------------------------------------------
def test_what_dsn_asks_is_kept(keeper):
    with smtplib.SMTP(keeper.address, keeper.port, local_hostname="c.a.example", timeout=20) as client:
        client.ehlo()
        assert client.has_extn("dsn")
        client.mail("alice@a.example", ["RET=HDRS", "ENVID=QQ314159+3D"])
        assert client.rcpt("bob@b.example", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Bob+2Bx@b.example"])[0] == 250
        assert client.rcpt("carol@b.example", ["NOTIFY=NEVER"])[0] == 250
        assert client.rcpt("dave@b.example")[0] == 250
        assert client.rcpt("eve@b.example", ["NOTIFY=NEVER,DELAY"])[0] == 501
        code, text = client.data(letter("dsn").decode())
    message = shown(keeper, text.decode())
    assert code == 250 and (message["envid"], message["ret"]) == ("QQ314159+3D", "HDRS")
    people = {p["address"]: (p["notify"], p["orcpt"]) for p in message["recipients"]}
    assert people == {"bob@b.example": ("SUCCESS,DELAY", "rfc822;Bob+2Bx@b.example"),
                      "carol@b.example": ("NEVER", ""), "dave@b.example": ("", "")}


def test_swaks_asks_for_a_report(keeper):
    """It puts brackets round what it is given: the last one falls to ORCPT, as xtext."""
    if not shutil.which("swaks"):
        pytest.skip("no swaks")
    done = subprocess.run(["swaks", "--server", f"{keeper.address}:{keeper.port}", "--helo", "c.a.example", "--from",
                           "alice@a.example> RET=FULL ENVID=swaks", "--to",
                           "bob@b.example> NOTIFY=SUCCESS ORCPT=rfc822;bob@b.example"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout
    message = shown(keeper, [line for line in done.stdout.splitlines() if "is queued" in line][0])
    assert (message["ret"], message["envid"]) == ("FULL", "swaks>")
    to = message["recipients"][0]
    assert (to["notify"], to["orcpt"]) == ("SUCCESS", "rfc822;bob@b.example>")


# ---- REQUIRETLS ----------------------------------------------------------------
def test_requiretls_needs_tls_and_is_kept(keeper):
    raw = b"TLS-Required: No\r\n" + letter("requiretls")
    with Talk(keeper) as talk:
        assert talk.greeted().ask("MAIL FROM:<alice@a.example> REQUIRETLS").startswith("530 5.7.10")
    seen = {}
    for word in ("", " REQUIRETLS"):
        with Talk(keeper) as talk:
            talk.greeted().secured().ask("MAIL FROM:<alice@a.example>" + word, "RCPT TO:<bob@b.example>", "DATA")
            message = shown(keeper, talk.ask(raw + b".\r\n"))
            seen[word] = message["requiretls"], message["tls_required_no"], message["came_over_tls"]
    assert seen == {"": (False, True, True), " REQUIRETLS": (True, False, True)}, "the parameter counts, not the field"
