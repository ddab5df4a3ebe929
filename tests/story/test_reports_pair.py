"""Two servers that send each other mail, and then, after midnight, reports about it: by mail
and by POST, TLS and DMARC. Each reads what the other says of it."""
import contextlib
import json
import os
import time

import pytest

import alone
import lab as lab_
import world
from virtual import DAY, Clock

ONE, TWO = world.PAIR


def options(lab, name):
    mx, reports = world.HOSTS["mx." + name], world.HOSTS["reports." + name]
    certs = os.path.join(lab.state, "certs")
    keys = os.path.join(lab.state, "dkim", f"{name}.r1.pem")
    return {
        "hostname": mx.name, "smtp.listen": [f"{mx.address}:25"], "relay.networks": ["127.0.0.99/32"],
        "relay.domains": [name], "send.policy": [f"{name} clear"],
        "send.routes": [f"{name} [{world.HOSTS['mx.plain.example'].address}]:25"],
        "tls.certificate": f"{certs}/{mx.name}.pem", "tls.key": f"{certs}/{mx.name}.key",
        "tls.certificates": [f"{certs}/{reports.name}.pem {certs}/{reports.name}.key"],
        "dkim.sign": [f"{name} r1 {keys}"],
        "report.from": "reports@" + name, "report.organization": name, "report.delay": "0s",
        "report.addresses": ["reports@" + name],
        "report.listen": [f"{reports.address}:8443"], "report.post_inside": True, "web.listen": [],
    }


@pytest.fixture(scope="module")
def pair(lab, program, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as running:
        clock = Clock(tmp_path_factory.mktemp("pair") / "clock", patch)
        clock.move(DAY - time.time() % DAY - 600)
        servers = [running.enter_context(lab_.Geleit(lab, program, name, options=options(lab, name)))
                   for name in world.PAIR]
        yield clock, dict(zip(world.PAIR, servers))


def told(server):
    """(kind, who says it, about whom): [good, bad], of what others reported."""
    done = server.command("report", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {(t["kind"], t["organization"], t["domain"]): (t["good"], t["bad"]) for t in json.loads(done.stdout)}


def letter(here, there):
    return (f"From: Ann <ann@{here}>\r\nTo: Bob <bob@{there}>\r\nSubject: over\r\n"
            f"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <over@{here}>\r\n\r\nHello\r\n").encode()


def test_each_reads_what_the_other_says_of_it(pair):
    clock, of = pair
    ways = ((ONE, TWO), (TWO, ONE))
    for here, there in ways:
        of[here].submit(letter(here, there), [f"bob@{there}"], f"ann@{here}", source="127.0.0.99")
        assert of[here].wait_attempt(there, 20), of[here].log_end()
    clock.move(700)
    for here, there in ways:
        wanted = {("tlsrpt", there, "mx." + here): (1, 0), ("dmarc", there, here): (1, 0)}
        assert lab_.until(lambda: told(of[here]) == wanted, 40, 0.5), (told(of[here]), of[there].log_end())
        assert lab_.until(lambda: alone.log_lines(of[there], "report-posted"), 10), of[there].log_end()
    clock.move(DAY)  # mail that brought reports is no subject of others
    time.sleep(4)
    for here, there in ways:
        assert len(told(of[here])) == 2, told(of[here])
        assert not json.loads(of[here].command("report", "preview", "--json").stdout)["reports"]
