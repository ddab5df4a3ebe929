"""DKIM signing and verification, beside libopendkim and python3-dkim in one run,
and as a share of what the bare RSA, Ed25519 and SHA-256 work would allow.

  bench/auth.py BUILD [SECONDS_EACH]     a Markdown table
"""
import base64
import os
import re
import subprocess
import sys
import time

SIZES = (10240, 1048576)
LINE = re.compile(r"(sign|verify)\s+(\S+)\s+(\d+) bytes\s+(\d+)/s")


def measured(program, seconds):
    """{(what, algorithm, size): a second}; empty where it is not built."""
    if not os.access(program, os.X_OK):
        print(f"bench: there is no {program}; libopendkim-dev is missing?", file=sys.stderr)
        return {}
    out = subprocess.run([program, str(seconds)], check=True, capture_output=True, text=True).stdout
    return {(w, a, int(s)): float(n) for w, a, s, n in LINE.findall(out)}


def letter(size):
    head = (b"Received: from a.example.net by mx.example.org with ESMTPS id 1;\r\n\tSun, 22 Nov 2026 01:58:26 +0000\r\n"
            b"From: Somebody <somebody@example.org>\r\nTo: else@example.net\r\nSubject: A message of some length\r\n"
            b"Date: Sun, 22 Nov 2026 01:58:26 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: text/plain\r\n\r\n")
    line = b"The quick brown fox jumps over the lazy dog, and does it again.\r\n"
    return head + line * ((size - len(head)) // len(line) + 1)


def rate(work, seconds):
    count, begin = 0, time.process_time()
    while time.process_time() - begin < seconds:
        work()
        count += 1
    return count / (time.process_time() - begin)


def dkimpy(seconds):
    try:
        import dkim
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    except ImportError as e:
        print(f"bench: no python3-dkim: {e}", file=sys.stderr)
        return {}
    key = rsa.generate_private_key(65537, 2048)
    ed = ed25519.Ed25519PrivateKey.generate()
    raw = (form.Encoding.Raw, form.PublicFormat.Raw)
    keys = {
        "rsa-2048": (key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()),
                     b"rsa-sha256", b"rsa", key.public_key().public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)),
        "ed25519": (base64.b64encode(ed.private_bytes(form.Encoding.Raw, form.PrivateFormat.Raw, form.NoEncryption())),
                    b"ed25519-sha256", b"ed25519", ed.public_key().public_bytes(*raw))}
    out = {}
    for name, (private, algorithm, kind, public) in keys.items():
        record = b"v=DKIM1; k=" + kind + b"; p=" + base64.b64encode(public)
        for size in SIZES:
            m = letter(size)

            def sign():
                return dkim.sign(m, b"s", b"example.org", private, canonicalize=(b"relaxed", b"relaxed"),
                                 signature_algorithm=algorithm)
            signed = sign() + m
            assert dkim.verify(signed, dnsfunc=lambda *_, **__: record)
            out["sign", name, size] = rate(sign, seconds)
            out["verify", name, size] = rate(lambda: dkim.verify(signed, dnsfunc=lambda *_, **__: record), seconds)
    return out


def bare():
    """What openssl speed says: {(what, algorithm): a second}, and bytes a second of SHA-256."""
    out = subprocess.run(["openssl", "speed", "-mr", "-seconds", "1", "rsa2048", "ed25519", "sha256"], check=True,
                         capture_output=True, text=True).stdout
    rsa = re.search(r"^\+F2:\d+:2048:([\d.]+):([\d.]+)", out, re.M)
    ed = re.search(r"^\+F6:\d+:253:Ed25519:([\d.]+):([\d.]+)", out, re.M)
    sha = re.search(r"^\+F:\d+:sha256:.*:([\d.]+)$", out, re.M)
    rates = {("sign", "rsa-2048"): float(rsa[1]), ("verify", "rsa-2048"): float(rsa[2]),
             ("sign", "ed25519"): float(ed[1]), ("verify", "ed25519"): float(ed[2])}
    return rates, float(sha[1])


def number(n):
    return "–" if n is None else f"{n:,.0f}" if n >= 10 else f"{n:.1f}"


def main():
    build, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 2
    rates, sha = bare()
    ours = measured(f"{build}/bench/dkim_bench", seconds)
    theirs, python = measured(f"{build}/bench/opendkim_bench", seconds), dkimpy(seconds)
    print(f"SHA-256 alone: {sha / 1e6:,.0f} MB/s; {', '.join(f'{w} {a} {r:,.0f}/s' for (w, a), r in rates.items())}\n")
    print("| | Geleit /s | of the bare work | libopendkim /s | python3-dkim /s |\n| --- | --- | --- | --- | --- |")
    for (what, name, size), n in ours.items():
        ideal = 1 / (1 / rates[what, name] + size / sha)
        print(f"| {what} {size // 1024} KiB, {name} | {number(n)} | {100 * n / ideal:.0f} % "
              f"| {number(theirs.get((what, name, size)))} | {number(python.get((what, name, size)))} |")


if __name__ == "__main__":
    main()
