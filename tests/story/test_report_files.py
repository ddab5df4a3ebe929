"""geleit report show: reports that lie in files, whatever they are packed in, and
files that are none."""
import gzip
import json
import subprocess

XML = """<?xml version="1.0"?><feedback><report_metadata><org_name>Receiver \u202e</org_name>
<email>dmarc@receiver.example</email><report_id>7</report_id><date_range><begin>1795132800</begin>
<end>1795219199</end></date_range></report_metadata><policy_published><domain>sender.example</domain>
<p>reject</p></policy_published>%s</feedback>"""
RECORD = """<record><row><source_ip>192.0.2.%d</source_ip><count>2</count><policy_evaluated>
<disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers>
<header_from>sender.example</header_from></identifiers><auth_results><dkim>
<domain>sender.example</domain><selector>r1</selector><result>pass</result></dkim><dkim>
<domain>sender.example</domain><selector>e1</selector><result>fail</result></dkim></auth_results>
</record>"""


def show(program, *words, data=None):
    return subprocess.run([program, "report", "show", *map(str, words)], input=data, timeout=120,
                          capture_output=True)


def test_table(program, tmp_path):
    path = tmp_path / "r.xml.gz"
    path.write_bytes(gzip.compress((XML % RECORD % 1).encode()))
    done = show(program, path)
    out = done.stdout.decode()
    assert done.returncode == 0 and not done.stderr
    assert "DMARC aggregate report (RFC 7489, gzip)" in out
    assert "2  192.0.2.1        none        pass  fail  sender.example" in out
    assert "dkim sender.example/r1 pass  dkim sender.example/e1 fail" in out
    assert "\u202e" not in out  # nothing of others turns the terminal's writing round


def test_standard_input_and_json(program):
    done = show(program, "-", "--json", data=(XML % (RECORD % 1 + RECORD % 2)).encode())
    (document,) = json.loads(done.stdout)
    assert done.returncode == 0
    assert document["kind"] == "dmarc" and document["report"]["messages"] == 4
    assert [r["source_ip"] for r in document["report"]["records"]] == ["192.0.2.1", "192.0.2.2"]


def test_one_bad_file_does_not_stop_the_next(program, tmp_path):
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_bytes(b"<!DOCTYPE x [<!ENTITY a 'b'>]><feedback>&a;</feedback>")
    good.write_bytes((XML % RECORD % 1).encode())
    done = show(program, bad, good)
    assert done.returncode == 1
    assert done.stderr.decode().strip().endswith("bad: It has a document type declaration.")
    assert b"192.0.2.1" in done.stdout


def test_bomb(program, tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb") as f:
        for _ in range(100):
            f.write(b" " * (1 << 20))
    done = show(program, path)
    assert done.returncode == 1 and b"more than 500 times" in done.stderr


def test_usage(program):
    assert subprocess.run([program, "report", "show"], capture_output=True, timeout=30).returncode == 2
    assert show(program, "/nonexistent").returncode == 2
