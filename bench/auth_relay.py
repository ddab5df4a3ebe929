"""What evaluation and signing add to each message that is relayed: CPU of all
roles, with the DNS of the lab (signed zones, own validation), 10 KiB a message.

  bench/auth_relay.py GELEIT [MESSAGES]     a Markdown table
"""
import os
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "lab"), os.path.join(ROOT, "tests", "story")]
import dkim  # noqa: E402
import lab as lab_  # noqa: E402
import alone  # noqa: E402
import world  # noqa: E402

AUTHOR, TO, SINK, THREADS, A_SESSION = "auth-good.example", "plain.example", ("127.0.0.72", 2600), 8, 50
SINK_CODE = """
import asyncio
async def serve(r, w):
    w.write(b"220 sink\\r\\n")
    body = False
    while line := await r.readline():
        if body:
            body = line != b".\\r\\n"
            w.write(b"" if body else b"250 ok\\r\\n")
        elif line[:4].upper() == b"DATA":
            body = True
            w.write(b"354 go\\r\\n")
        else:
            w.write({b"EHLO": b"250-sink\\r\\n250 PIPELINING\\r\\n", b"QUIT": b"221 bye\\r\\n"}.get(line[:4].upper(), b"250 ok\\r\\n"))
async def main():
    await (await asyncio.start_server(serve, "%s", %d, limit=1 << 20)).serve_forever()
asyncio.run(main())
""" % SINK


def letter():
    head = (f"From: Ann <ann@{AUTHOR}>\r\nTo: Bob <bob@{TO}>\r\nSubject: a message of some length\r\n"
            f"Date: Sun, 22 Nov 2026 01:58:26 +0000\r\nMessage-ID: <1@{AUTHOR}>\r\nMIME-Version: 1.0\r\n\r\n").encode()
    line = b"The quick brown fox jumps over the lazy dog, and does it again.\r\n"
    return head + line * ((10240 - len(head)) // len(line))


def signed(lab, raw, selectors):
    from test_auth import ed25519_signed, signed as rsa_signed
    for s in selectors:
        raw = rsa_signed(lab, raw) if s == "r1" else ed25519_signed(lab, raw)
    return raw


def session(server, source, raw, count):
    with server.lab.connect(server.address, server.port, 60, source) as s:
        f = s.makefile("rb")

        def reply(code):
            line = f.readline()
            while line[3:4] == b"-":
                line = f.readline()
            assert line[:3] == code, line
        reply(b"220")
        s.sendall(b"EHLO client.geleit-lab.example\r\n")
        reply(b"250")
        for _ in range(count):
            s.sendall(f"MAIL FROM:<ann@{AUTHOR}>\r\nRCPT TO:<bob@{TO}>\r\nDATA\r\n".encode())
            for code in (b"250", b"250", b"354"):
                reply(code)
            s.sendall(raw + b".\r\n")
            reply(b"250")


def load(server, source, raw, count):
    each = count // THREADS
    def run():
        for begin in range(0, each, A_SESSION):
            session(server, source, raw, min(A_SESSION, each - begin))
    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return each * THREADS


def cpu(server):
    """Seconds of all roles and the master, by role."""
    out = {}
    for pid in [server.process.pid, *alone.role_pids(server)]:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            role = (f.read().split(b"\0")[0].decode().split() + ["master"])[1]
        out[role] = out.get(role, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return out


def measure(lab, program, name, source, raw, count, conf, number):
    options = {"smtp.listen": [f"127.0.0.2:{2700 + number}"], "relay.domains": [TO], "relay.networks": ["127.0.0.1/32"],
               "send.routes": [f"{TO} [{SINK[0]}]:{SINK[1]}"], "send.policy": [f"{TO} clear"], "log.level": "warn",
               "smtp.max_messages": 100000, **conf}
    with lab_.Geleit(lab, program, f"bench-{number}", options=options) as s:
        load(s, source, raw, 80)  # what is asked of the DNS once is asked now
        alone.emptied(s)
        before, began = cpu(s), time.monotonic()
        sent = load(s, source, raw, count)
        taken = time.monotonic() - began
        assert alone.emptied(s, 60)
        roles = {r: 1000 * (c - before.get(r, 0)) / sent for r, c in cpu(s).items()}
        return name, sum(roles.values()), roles, sent / taken


def main():
    program, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    folder = lab_.tempfile.mkdtemp(prefix="geleit-bench-")
    with lab_.Lab(folder).start() as lab:
        keys = {s: f"{AUTHOR} {s} {lab.state}/dkim/{AUTHOR}.{s}.pem" for s in ("r1", "e1")}
        plain, out = letter(), world.GOOD_CLIENT
        rows = (
            ("nothing evaluated", out, plain, {"auth.evaluate": False}),
            ("all evaluated, not signed", out, plain, {}),
            ("one RSA-2048 signature", out, signed(lab, plain, ["r1"]), {}),
            ("RSA-2048 and Ed25519", out, signed(lab, plain, ["r1", "e1"]), {}),
            ("own client, not signed", None, plain, {}),
            ("signed with RSA-2048", None, plain, {"dkim.sign": [keys["r1"]]}),
            ("signed with RSA-2048 and Ed25519", None, plain, {"dkim.sign": list(keys.values())}),
        )
        sink = lab.popen([lab_.PYTHON, "-c", SINK_CODE], stderr=lab_.subprocess.DEVNULL)
        try:
            print("| message | CPU-ms | more than without | receiver | resolver | store | accepted /s |\n"
                  "| --- | --- | --- | --- | --- | --- | --- |")
            base = 0
            for i, (name, source, raw, conf) in enumerate(rows):
                name, ms, roles, rate = measure(lab, program, name, source, raw, count, conf, i)
                base = ms if i in (0, 4) else base
                print(f"| {name} | {ms:.2f} | {ms - base:.2f} | {roles.get('receiver', 0):.2f} "
                      f"| {roles.get('resolver', 0):.2f} | {roles.get('store', 0):.2f} | {rate:.0f} |", flush=True)
        finally:
            sink.kill()
            sink.wait(5)


if __name__ == "__main__":
    main()
