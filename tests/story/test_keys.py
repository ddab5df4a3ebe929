"""The life of a DKIM key: made, published, signing, followed by another, taken out
of use. The server is never told anything: it looks at the folder and at DNS."""
import itertools
import json
import os
import re
import signal
import stat
import subprocess
import time

import dkim
import pytest

import lab as lab_
import world
from alone import log_lines

ZONE, TO = "keys.example", "plain.example"
NSD = "nsd-" + world.ZONE_SERVER
PORTS = itertools.count(2701)


# ---- the zone -----------------------------------------------------------------
class Published:
    """The zone of this story, as its owner edits it."""

    def __init__(self, lab):
        self.path = os.path.join(lab.state, "zones", ZONE + ".signed")
        self.own = os.path.join(lab.state, "zones", NSD)
        self.records, self.serial = {}, int(time.time())
        self.write()

    def add(self, key, text=None):
        self.records[key["record"]["name"]] = text or key["record"]["zone"]
        self.write()

    def remove(self, key):
        del self.records[key["record"]["name"]]
        self.write()

    def write(self):
        self.serial += 1
        head = ["$TTL 1", f"@ IN SOA ns.zones.{world.SENDER_DOMAIN}. hostmaster.{ZONE}. {self.serial} 3600 600 864000 1",
                f"@ IN NS ns.zones.{world.SENDER_DOMAIN}."]
        with open(self.path + ".new", "w", encoding="ascii") as f:
            f.write("\n".join(head) + "\n" + "".join(self.records.values()))
        os.rename(self.path + ".new", self.path)
        os.utime(self.path, (self.serial, self.serial))  # nsd looks at the seconds
        os.kill(self.nsd(), signal.SIGHUP)

    def nsd(self):
        """Its pid as it is out here: the pid file has the one of the lab's namespace."""
        with open(os.path.join(self.own, "nsd.pid"), encoding="ascii") as f:
            inside = f.read().strip()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    command = f.read()
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                    names = re.search(r"^NSpid:\s*(.*)$", f.read(), re.M)[1].split()
            except (OSError, TypeError):
                continue
            if self.own.encode() in command and names[-1] == inside:
                return int(pid)
        raise RuntimeError("no nsd")

    def dns(self, name, **_):
        """dkimpy's questions."""
        name = (name if isinstance(name, str) else name.decode()).rstrip(".")
        return "".join(re.findall(r'"([^"]*)"', self.records.get(name, ""))).encode() or None


@pytest.fixture(scope="module")
def zone(lab):
    return Published(lab)


def options(**more):
    return {"hostname": "mx." + ZONE, "smtp.listen": [f"127.0.0.2:{next(PORTS)}"], "relay.networks": ["127.0.0.1/32"],
            "dkim.look": "1s", "dkim.settle": "0", "dns.timeout": "2s", **more}


@pytest.fixture(scope="module")
def server(lab, program, zone):
    with lab_.Geleit(lab, program, "keys", options=options()) as s:
        yield s
    print(s.log_end())


# ---- commands -----------------------------------------------------------------
def keys(server, verb, *args, code=0):
    r = server.command("keys", "dkim", verb, "--json", *args)
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    return json.loads(r.stdout) if r.stdout else r.stderr


def words(server, verb, *args, code=0):
    r = server.command("keys", "dkim", verb, *args)
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    if code:
        assert r.stderr.startswith("geleit: ") and len(r.stderr.splitlines()) == 1, r.stderr
    return r.stdout + r.stderr


def one(server, key):
    return next((k for k in keys(server, "list", key["domain"]) if k["selector"] == key["selector"]), None)


def becomes(server, key, state, patience=20):
    return lab_.until(lambda: one(server, key)["state"] == state, patience, 0.3)


NAMES = itertools.count(1)


def signatures(lab, server, author):
    """The selectors that sign a message of this author now, and the message."""
    name = f"keys-{next(NAMES)}"
    raw = (f"From: Ann <{author}>\r\nTo: Bob <bob@{TO}>\r\nSubject: {name}\r\nDate: Sun, 01 Nov 2026 10:00:00 +0000\r\n"
           f"Message-ID: <{name}@{ZONE}>\r\n\r\nhello\r\n").encode()
    server.submit(raw, ["bob@" + TO], author)
    found = []

    def look():
        found[:] = [m["raw"] for m in lab.captured("mx." + TO) if f"\r\nSubject: {name}\r\n".encode() in m["raw"]]
        return bool(found)
    assert lab_.until(look, 15)
    head = re.sub(rb"\r\n[ \t]+", b" ", found[0].split(b"\r\n\r\n")[0])
    selectors = re.findall(rb"(?im)^DKIM-Signature:.*?\bs=([^;]+);", head)
    return {s.decode().strip() for s in selectors}, found[0]


def sign_with(lab, server, author, wanted, patience=25):
    """Until messages of the author are signed with these selectors alone."""
    seen = []

    def look():
        seen[:] = [signatures(lab, server, author)]
        return seen[0][0] == wanted
    assert lab_.until(look, patience, 0.5), (seen[0][0], wanted)
    return seen[0][1]


def valid(raw, zone):
    raw = raw[raw.index(b"DKIM-Signature:"):]
    return [dkim.DKIM(raw).verify(idx=i, dnsfunc=zone.dns) for i in range(raw.count(b"DKIM-Signature:"))]


# ---- the life -----------------------------------------------------------------
def test_from_generate_to_retire(lab, server, zone):
    domain = "life." + ZONE
    made = keys(server, "generate", domain)
    assert [(k["algorithm"], k["bits"], k["state"]) for k in made] == [("rsa", 2048, "waiting"), ("ed25519", 256, "waiting")]
    for k in made:
        assert k["record"]["name"] == f"{k['selector']}._domainkey.{domain}"
        assert all(len(s) <= 255 for s in re.findall(r'"([^"]*)"', k["record"]["zone"]))
        assert "".join(re.findall(r'"([^"]*)"', k["record"]["zone"])) == k["record"]["value"]
        assert "; s=" not in k["record"]["value"]
    rsa, ed = made
    time.sleep(4)  # the master looks every two seconds
    assert signatures(lab, server, "ann@" + domain)[0] == set()
    assert one(server, rsa)["dns"] == "absent"

    zone.add(rsa)
    raw = sign_with(lab, server, "ann@" + domain, {rsa["selector"]})
    assert valid(raw, zone) == [True]
    zone.add(ed)
    raw = sign_with(lab, server, "ann@" + domain, {rsa["selector"], ed["selector"]})
    assert valid(raw, zone) == [True, True]
    assert {k["state"] for k in keys(server, "list", domain)} == {"active"}

    # Before its time nothing is taken out of use.
    assert "signs mail" in words(server, "retire", domain, rsa["selector"], code=1)
    assert "out of use" in words(server, "retire", domain, code=1)

    new = keys(server, "rotate", domain)
    assert [k["algorithm"] for k in new] == ["rsa", "ed25519"]
    assert not {k["selector"] for k in new} & {rsa["selector"], ed["selector"]}
    again = server.command("keys", "dkim", "rotate", domain)
    assert again.returncode == 1 and again.stderr.count("already") == 2
    time.sleep(4)
    assert signatures(lab, server, "ann@" + domain)[0] == {rsa["selector"], ed["selector"]}
    zone.add(new[0])
    sign_with(lab, server, "ann@" + domain, {new[0]["selector"], ed["selector"]})
    zone.add(new[1])
    raw = sign_with(lab, server, "ann@" + domain, {k["selector"] for k in new})
    assert valid(raw, zone) == [True, True]
    old = one(server, rsa)
    assert old["state"] == "retired" and old["keep_record_until"] > old["retired"]
    assert old["keep_record_until"] in words(server, "retire", domain, rsa["selector"], code=1)
    assert set(os.listdir(os.path.join(server.store, "keys"))) >= {f"{rsa['record']['name']}.key"}

    # Everything is as it was after a restart.
    before = keys(server, "list", domain)
    server.stop()
    server.start()
    after = keys(server, "list", domain)
    assert [{**k, "dns": 0, "dns_why": 0, "next": 0, "dns_standing": 0} for k in before] == \
        [{**k, "dns": 0, "dns_why": 0, "next": 0, "dns_standing": 0} for k in after]
    assert signatures(lab, server, "ann@" + domain)[0] == {k["selector"] for k in new}

    # When no mail can be on its way any more.
    late = ["-o", "queue.lifetime=4h", "-o", "dkim.margin=0"]
    said = server.command("keys", "dkim", "retire", domain, rsa["selector"], *late)
    assert said.returncode == 1
    assert "may be deleted" in words(server, "retire", domain, rsa["selector"], "--force")
    zone.remove(rsa)
    assert one(server, rsa) is None
    assert not [f for f in os.listdir(os.path.join(server.store, "keys")) if f.startswith(rsa["record"]["name"])]


def test_a_retired_key_is_removable_in_time_and_then_gone(lab, program, zone):
    domain = "time." + ZONE
    conf = {"queue.lifetime": "4s", "queue.retry_first": "1s", "queue.retry_longest": "2s", "dkim.margin": "3s"}
    with lab_.Geleit(lab, program, "keys-time", options=options(**conf)) as s:
        first = keys(s, "generate", domain, "--algorithm", "ed25519")[0]
        zone.add(first)
        assert becomes(s, first, "active")
        second = keys(s, "rotate", domain)[0]
        zone.add(second)
        assert becomes(s, second, "active")
        assert one(s, first)["state"] == "retired"
        words(s, "retire", domain, code=1)
        assert becomes(s, first, "removable")
        assert "may be deleted" in one(s, first)["next"]
        zone.remove(first)
        assert becomes(s, first, "gone")
        assert keys(s, "retire", domain)[0]["did"] == "removed"
        assert one(s, first) is None and one(s, second)["state"] == "active"


def test_who_waits_to_settle_waits(lab, program, zone):
    """A first key signs at once; its successor when DNS has shown it long enough."""
    domain = "settle." + ZONE
    with lab_.Geleit(lab, program, "keys-settle", options=options(**{"dkim.settle": "6s"})) as s:
        first = keys(s, "generate", domain, "--algorithm", "ed25519", "--selector", "one")[0]
        zone.add(first)
        began = time.monotonic()
        assert becomes(s, first, "active")
        assert time.monotonic() - began < 5
        second = keys(s, "rotate", domain, "--selector", "two")[0]
        zone.add(second)
        assert lab_.until(lambda: one(s, second)["seen"], 10, 0.2)
        began = time.monotonic()
        assert one(s, second)["state"] == "waiting" and "signs from" in one(s, second)["next"]
        assert becomes(s, second, "active")
        assert time.monotonic() - began > 3


@pytest.mark.parametrize("domain, shows", [("expired.example", "bogus"), ("silent.example", "unknown")])
def test_no_answer_is_not_no(server, domain, shows):
    key = keys(server, "generate", domain, "--algorithm", "ed25519")[0]
    seen = one(server, key)
    assert seen["dns"] == shows and seen["state"] == "waiting" and "says nothing" in seen["next"]
    words(server, "retire", domain, key["selector"])


def test_another_record_of_that_name_is_not_the_key(server, zone):
    domain = "other." + ZONE
    key = keys(server, "generate", domain, "--algorithm", "ed25519")[0]
    zone.add(key, f'{key["record"]["name"]}. IN TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="\n')
    assert lab_.until(lambda: one(server, key)["dns"] == "other", 10, 0.3)
    zone.add(key, key["record"]["zone"] + key["record"]["zone"].replace("p=", "n=twice; p="))
    time.sleep(3)
    seen = one(server, key)
    assert seen["dns"] == "other" and seen["state"] == "waiting"
    zone.add(key)
    assert becomes(server, key, "active")
    zone.remove(key)
    assert lab_.until(lambda: "publish it again" in one(server, key)["next"], 10, 0.3)
    assert one(server, key)["state"] == "active"


def test_whose_key_signs(lab, server, zone):
    """A key of one author stands in place of the domain's; what is below has the nearest above."""
    domain = "whose." + ZONE
    all_ = keys(server, "generate", domain, "--algorithm", "ed25519", "--selector", "all")[0]
    news = keys(server, "generate", "news@" + domain, "--algorithm", "ed25519", "--selector", "news")[0]
    reports = keys(server, "generate", domain, "--algorithm", "ed25519", "--selector", "rep", "--service", "tlsrpt")[0]
    assert news["sender"] == "news" and "s=tlsrpt" in reports["record"]["value"]
    for k in (all_, news, reports):
        zone.add(k)
    assert all(becomes(server, k, "active") for k in (all_, news, reports))
    raw = sign_with(lab, server, "ann@" + domain, {"all"})
    assert valid(raw, zone) == [True]
    assert valid(sign_with(lab, server, "News@" + domain, {"news"}), zone) == [True]
    assert valid(sign_with(lab, server, "ann@deep.below." + domain, {"all"}), zone) == [True]
    assert signatures(lab, server, "news@below." + domain)[0] == {"all"}
    assert signatures(lab, server, "ann@" + ZONE)[0] == set()


def test_nothing_below_where_that_is_not_wanted(lab, program, zone):
    domain = "strict." + ZONE
    with lab_.Geleit(lab, program, "keys-strict", options=options(**{"dkim.below": False})) as s:
        key = keys(s, "generate", domain, "--algorithm", "ed25519")[0]
        zone.add(key)
        sign_with(lab, s, "ann@" + domain, {key["selector"]})
        assert signatures(lab, s, "ann@below." + domain)[0] == set()


def test_people_and_zone_files_can_read_it(server, lab, tmp_path):
    domain = "read." + ZONE
    key = keys(server, "generate", domain, "--algorithm", "rsa", "--bits", "3072", "--selector", "s1.paper")[0]
    assert key["bits"] == 3072
    table = words(server, "list", domain)
    for word in ("DOMAIN", "s1.paper", "rsa", "3072", "waiting", "absent", "Publish its record"):
        assert word in table
    zone = tmp_path / "zone"
    zone.write_text(f"$ORIGIN .\n$TTL 60\n{domain} IN SOA a. b. 1 1 1 1 1\n" + words(server, "list", domain, "--records"))
    assert "shown" in words(server, "list", domain, "--zone", str(zone))
    assert words(server, "list", "nobody." + ZONE).startswith("There are no such keys in ")
    words(server, "retire", domain, "s1.paper")


# ---- what does not go ---------------------------------------------------------
def test_modes_of_what_is_made(server):
    folder = os.path.join(server.store, "keys")
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    private = [f for f in os.listdir(folder) if f.endswith(".key")]
    assert private
    for f in private:
        assert stat.S_IMODE(os.stat(os.path.join(folder, f)).st_mode) == 0o600
    assert not [f for f in os.listdir(folder) if f.endswith(".new")]


def test_nothing_is_overwritten(server):
    domain = "twice." + ZONE
    key = keys(server, "generate", domain, "--algorithm", "ed25519", "--selector", "s1")[0]
    path = os.path.join(server.store, "keys", key["record"]["name"] + ".key")
    with open(path, "rb") as f:
        before = f.read()
    assert "s1 already" in words(server, "generate", domain, "--algorithm", "rsa", "--selector", "s1", code=1)
    assert "waits for its record" in words(server, "generate", domain, "--algorithm", "ed25519", code=1)
    os.remove(path[:-4] + ".state")  # a private key without its note is somebody's, too
    assert "s1 already" in words(server, "generate", domain, "--algorithm", "ed25519", "--selector", "s1", code=1)
    with open(path, "rb") as f:
        assert f.read() == before
    os.remove(path)


@pytest.mark.parametrize("code, said, args", [
    (2, "is no domain", ["generate", "not a domain"]),
    (2, "is no domain", ["generate", "under_score.example"]),
    (2, "no user", ["generate", "@" + ZONE]),
    (2, "no user", ["generate", "a b@" + ZONE]),
    (2, "cannot be one", ["generate", ZONE, "--selector", "under_score"]),
    (2, "cannot be one", ["generate", ZONE, "--selector", "../../etc/passwd"]),
    (2, "none of rsa", ["generate", ZONE, "--algorithm", "dsa"]),
    (2, "no number from 2048", ["generate", ZONE, "--bits", "1024"]),
    (2, "256 bits", ["generate", ZONE, "--bits", "2048", "--algorithm", "ed25519"]),
    (2, "none of email", ["generate", ZONE, "--service", "fax"]),
    (2, "needs a domain", ["generate"]),
    (2, "has no option --force", ["generate", ZONE, "--force"]),
    (2, "knows generate, list, rotate and retire", ["destroy", ZONE]),
    (2, "takes fewer", ["rotate", ZONE, "s1"]),
    (2, "is no domain", ["list", "a..b"]),
    (2, "is no selector", ["retire", ZONE, "a..b"]),
    (1, "no key that signs", ["rotate", "nothing." + ZONE]),
    (1, "no key with selector s9", ["retire", ZONE, "s9"]),
    (1, "out of use", ["retire", ZONE]),
])
def test_what_makes_no_sense_is_said(server, code, said, args):
    assert said in words(server, *args, code=code)


def alone(lab, program, store, *args, **kw):
    return lab.run([program, "keys", "dkim", *args, "-o", f"store.path={store}"], **kw)


def test_without_a_server(lab, program, tmp_path):
    r = alone(lab, program, tmp_path, "generate", ZONE, "--selector", "s")
    assert r.returncode == 0 and "s-rsa._domainkey" in r.stdout and "s-ed25519._domainkey" in r.stdout
    r = alone(lab, program, tmp_path, "list", "--records")
    assert r.returncode == 0 and r.stdout.count(" IN TXT ") == 2 and r.stderr == ""


def test_folders_that_cannot_be(lab, program, tmp_path):
    r = alone(lab, program, tmp_path / "nowhere" / "at-all", "generate", ZONE)
    assert r.returncode == 2 and "cannot be made" in r.stderr
    (tmp_path / "keys").write_text("no folder")
    r = alone(lab, program, tmp_path, "list")
    assert r.returncode == 2 and "cannot be read" in r.stderr
    os.remove(tmp_path / "keys")
    os.mkdir(tmp_path / "keys")
    os.chmod(tmp_path / "keys", 0o777)
    r = alone(lab, program, tmp_path, "list")
    assert r.returncode == 2 and "everybody may write" in r.stderr
    os.chmod(tmp_path / "keys", 0o700)
    (tmp_path / "keys" / "s1._domainkey.x.example.state").write_text("domain x.example\nselector s2\n")
    r = alone(lab, program, tmp_path, "list")
    assert r.returncode == 2 and "is no note about a key" in r.stderr


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), reason="no setpriv")
def test_a_folder_of_somebody_else(lab, program, tmp_path):
    os.mkdir(tmp_path / "keys", 0o700)
    if os.geteuid() == 0:
        for p in [tmp_path, *list(tmp_path.parents)[:3]]:
            os.chmod(p, 0o755)
        r = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "keys", "dkim", "list",
                            "-o", f"store.path={tmp_path}"], capture_output=True, text=True, timeout=60)
        if "failed to execute" in r.stderr:
            pytest.skip("the program is not where another user may run it")
        assert r.returncode == 2 and "cannot be read: Permission denied" in r.stderr, r.stderr


def test_a_key_that_everybody_can_read_does_not_sign(lab, program, zone):
    domain = "open." + ZONE
    with lab_.Geleit(lab, program, "keys-open", options=options()) as s:
        key = keys(s, "generate", domain, "--algorithm", "ed25519")[0]
        path = os.path.join(s.store, "keys", key["record"]["name"] + ".key")
        os.chmod(path, 0o644)
        assert "its mode should be 600" in one(s, key)["problem"]
        zone.add(key)
        assert lab_.until(lambda: log_lines(s, "key-not-used"), 20, 0.3)
        assert signatures(lab, s, "ann@" + domain)[0] == set()
        os.chmod(path, 0o600)
        assert one(s, key)["problem"] is None
