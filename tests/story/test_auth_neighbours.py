"""DKIM beside others: opendkim and rspamd from Debian (unpacked, in the lab's
namespace, asking its resolver) verify what Geleit signs, and Geleit verifies what
they sign. python3-dkim does both in test_auth.py.
"""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import lab as lab_
import world
from parts import packages
from test_auth import (GOOD, OTHER_CLIENT, TO, arrived, evaluation, give, key, letter, options, refused, results,
                       seed, signing)

RSPAMD = ("127.0.0.71", 11333)
STRANGER = "192.0.2.9"  # it believes what comes from loopback
SIZES = (0, 400, 300_000)
ALGORITHMS = {"rsa-sha256": "r1", "ed25519-sha256": "e1"}


def program_of(name):
    try:
        return packages.find(name)
    except packages.Missing as e:
        pytest.skip(str(e))


@pytest.fixture(scope="module", autouse=True)
def resolver(lab):
    ask = f"import socket; socket.create_connection(('{world.RESOLVER}', 53), 2)"
    if lab.run([lab_.PYTHON, "-c", ask]).returncode:
        pytest.skip("the lab has no resolver for others: unbound is missing")


@pytest.fixture(scope="module")
def signer(lab, program):
    with lab_.Geleit(lab, program, "neighbour-signer", options=options(**{"dkim.sign": signing(lab)})) as s:
        yield s
    print(s.log_end())


@pytest.fixture(scope="module")
def verifier(lab, program):
    with lab_.Geleit(lab, program, "neighbour-verifier", options=options()) as s:
        yield s
    print(s.log_end())


def signed_by_geleit(lab, signer, name, size=400):
    signer.submit(letter(name, size=size), ["bob@" + TO], "ann@" + GOOD)
    got = arrived(lab, name)
    assert got.count(b"DKIM-Signature:") == 2
    return got[got.index(b"DKIM-Signature:"):]


def only(raw, algorithm):
    """The message with but this one of the signatures on its top."""
    fields = re.findall(rb"DKIM-Signature:(?:.|\r\n[ \t])*\r\n", raw)
    rest = raw[len(b"".join(fields)):]
    return b"".join(f for f in fields if b"a=" + algorithm in f) + rest


def believed(lab, verifier, name, raw, algorithm):
    """Geleit's word on it, from a client that SPF does not permit; then of a changed one."""
    give(verifier, raw, OTHER_CLIENT)
    said = results(arrived(lab, name))
    assert "dkim=pass" in said and "dmarc=pass" in said and "spf=fail" in said, said
    assert [d["algorithm"] for d in evaluation(verifier, GOOD)["dkim"] if d["result"] == "pass"] == [algorithm]
    assert refused(verifier, raw.replace(b"To: Bob", b"To: Rob"), OTHER_CLIENT)[0] == 550


# ---- opendkim ---------------------------------------------------------------
class Opendkim:
    """The filter itself, handed one message in a file (its -t)."""

    def __init__(self, lab, folder):
        self.lab, self.folder, self.program = lab, folder, program_of("opendkim")
        (folder / "unbound.conf").write_text(
            f'server:\n  do-not-query-localhost: no\n  root-hints: "{lab.state}/root.hints"\n'
            f'  trust-anchor-file: "{lab.state}/anchor"\n')

    def run(self, conf, raw):
        (self.folder / "message").write_bytes(raw)
        (self.folder / "conf").write_text(conf + f"\nSyslog no\nRequireSafeKeys no\nTemporaryDirectory {self.folder}\n")
        r = self.lab.run([self.program.path, "-x", str(self.folder / "conf"), "-v", "-v", "-t", str(self.folder / "message")],
                         env=self.program.env())
        assert r.returncode == 0, r.stderr
        return r.stdout + r.stderr

    def verifies(self, raw):
        said = self.run(f"Mode v\nResolverConfiguration {self.folder}/unbound.conf", raw)
        found = re.findall(r": verification \((.*?)\) (\S+)", said)
        assert len(found) == 1, said
        return found[0][1].startswith("succeeded"), said

    def sign(self, raw, selector, algorithm, form):
        said = self.run(f"Mode s\nDomain {GOOD}\nSelector {selector}\nKeyFile {key(self.lab, selector)}\n"
                        f"SignatureAlgorithm {algorithm}\nCanonicalization {form}\nOversignHeaders From,Reply-To", raw)
        field = re.search(r"hname='DKIM-Signature' hvalue='([^']*)'", said)
        assert field, said
        return b"DKIM-Signature: " + field[1].encode().replace(b"\n", b"\r\n") + b"\r\n" + raw


@pytest.fixture(scope="module")
def opendkim(lab, tmp_path_factory):
    return Opendkim(lab, tmp_path_factory.mktemp("opendkim"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_opendkim_verifies_ours(lab, signer, opendkim, algorithm, size):
    raw = only(signed_by_geleit(lab, signer, f"to-opendkim-{algorithm}-{size}", size), algorithm.encode())
    fine, said = opendkim.verifies(raw)
    assert fine, said
    fine, said = opendkim.verifies(raw.replace(b"Subject: ", b"Subject: x", 1))
    assert not fine, said


# Its Ed25519 signatures over a simple header verify nowhere, dkimpy included.
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm, form", [("rsa-sha256", "simple/simple"), ("rsa-sha256", "relaxed/simple"),
                                             ("rsa-sha256", "relaxed/relaxed"), ("ed25519-sha256", "relaxed/simple"),
                                             ("ed25519-sha256", "relaxed/relaxed")])
def test_we_verify_opendkims(lab, verifier, opendkim, algorithm, size, form):
    name = f"from-opendkim-{algorithm}-{size}-{form.replace('/', '-')}"
    raw = opendkim.sign(letter(name, size=size), ALGORITHMS[algorithm], algorithm, form)
    believed(lab, verifier, name, raw, algorithm)


# ---- rspamd -----------------------------------------------------------------
RSPAMD_CONF = """
options {{ filters = "dkim"; pidfile = "{folder}/pid"; dns {{ nameserver = ["{resolver}"]; timeout = 2s; }}
  url_tld = "{folder}/suffixes"; tempdir = "{folder}"; disable_hyperscan = true; }}
logging {{ type = "console"; level = "notice"; }}
lua = "{share}/rules/rspamd.lua"
modules {{ path = "{share}/plugins/dkim_signing.lua"; }}
worker "normal" {{ bind_socket = "{address}:{port}"; count = 1; }}
actions {{ reject = 1000; }}
dkim {{ dkim_cache_size = 0; }}
dkim_signing {{ enabled = true; allow_username_mismatch = true; use_domain = "header"; use_esld = false;
  sign_authenticated = true; allow_hdrfrom_mismatch = true; check_pubkey = false;
  domain {{ {domain} {{ selectors = [ {{ path = "{folder}/r1"; selector = "r1"; }},
                                      {{ path = "{folder}/e1"; selector = "e1"; }} ]; }} }} }}
"""


@pytest.fixture(scope="module")
def rspamd(lab, tmp_path_factory):
    """Checks a message: the answer as JSON."""
    p = program_of("rspamd")
    folder = tmp_path_factory.mktemp("rspamd")
    share = p.root + "usr/share/rspamd"
    conf = folder / "rspamd.conf"
    conf.write_text(RSPAMD_CONF.format(folder=folder, share=share, resolver=world.RESOLVER, address=RSPAMD[0],
                                       port=RSPAMD[1], domain=GOOD))
    shutil.copy(key(lab, "r1"), folder / "r1")
    (folder / "e1").write_bytes(seed(lab))
    (folder / "suffixes").write_text("com\nexample\n")  # compiling all there are takes a minute
    names = {"CONFDIR": folder, "LOCAL_CONFDIR": folder, "DBDIR": folder, "RUNDIR": folder, "LOGDIR": folder,
             "SHAREDIR": share, "PLUGINSDIR": share + "/plugins", "RULESDIR": share + "/rules",
             "LUALIBDIR": share + "/lualib", "WWWDIR": share + "/www"}
    log = open(folder / "log", "wb")
    with log:
        process = lab.popen([p.path, "-f", "-i", "-c", str(conf), *(f"--var={k}={v}" for k, v in names.items())],
                            env={**p.env(), **{k: str(v) for k, v in names.items()}}, stdout=log, stderr=log,
                            stdin=subprocess.DEVNULL, start_new_session=True)

    def ready():
        try:
            lab.connect(*RSPAMD, timeout=1).close()
            return True
        except OSError:
            return process.poll() is not None

    def check(raw, **headers):
        with lab.connect(*RSPAMD, timeout=20) as s:
            head = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
            s.sendall(f"POST /checkv2 HTTP/1.0\r\nContent-Length: {len(raw)}\r\n{head}\r\n".encode() + raw)
            answer = b"".join(iter(lambda: s.recv(65536), b""))
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])
    lab_.until(ready, 30)
    if process.poll() is not None:
        pytest.fail("rspamd ended:\n" + (folder / "log").read_text()[-3000:])
    yield check
    os.killpg(process.pid, signal.SIGKILL)  # its workers outlive it otherwise
    process.wait(5)
    print((folder / "log").read_text()[-3000:])


def allowed(answer):
    """Selectors whose signatures rspamd lets pass."""
    return {o.split(":s=")[1] for o in answer["symbols"].get("R_DKIM_ALLOW", {}).get("options", ())}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rspamd_verifies_ours(lab, signer, rspamd, algorithm, size):
    both = signed_by_geleit(lab, signer, f"to-rspamd-{algorithm}-{size}", size)
    assert allowed(rspamd(both, Ip=STRANGER)) == {"r1", "e1"}
    raw = only(both, algorithm.encode())
    assert allowed(rspamd(raw, Ip=STRANGER)) == {ALGORITHMS[algorithm]}
    answer = rspamd(raw.replace(b"Subject: ", b"Subject: x", 1), Ip=STRANGER)
    assert not allowed(answer) and "R_DKIM_REJECT" in answer["symbols"]


@pytest.mark.parametrize("size", SIZES)
def test_we_verify_rspamds(lab, verifier, rspamd, size):
    for algorithm, selector in ALGORITHMS.items():
        name = f"from-rspamd-{algorithm}-{size}"
        raw = letter(name, size=size)
        fields = rspamd(raw, Ip=STRANGER, User="ann")["dkim-signature"]
        field, = [f for f in ([fields] if isinstance(fields, str) else fields) if f"s={selector};" in f]
        believed(lab, verifier, name, b"DKIM-Signature: " + field.encode() + b"\r\n" + raw, algorithm)
