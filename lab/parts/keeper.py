"""The process that is the lab: builds everything, starts the servers as its
children, and takes them with it when it goes. Runs inside the namespace, as
its first process, so nothing can outlive it.

  keeper.py STATE [--geleit PATH] [--lifeline]
"""
import argparse
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import world  # noqa: E402
from parts import certs, geleit, namespace, packages, policy_web, postfix, resolver, zones  # noqa: E402

START_LIMIT = 20  # seconds


class Failed(Exception):
    pass


class Keeper:
    def __init__(self, state, geleit_path):
        self.state, self.geleit_path = state, geleit_path
        self.children = {}  # pid: name
        self.notes = []
        self.memory = namespace.memory(state)
        self.anchored = threading.Event()  # trust anchor and root hints are there

    # ---- children ----
    def spawn(self, name, command, env=None, stdout=None):
        with open(os.path.join(self.state, "log", name + ".log"), "ab") as log:
            p = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log,
                                 cwd=self.state)
        self.children[p.pid] = name
        p.returncode = 0  # reaped by reap(), not by Popen
        return p

    def reap(self):
        """Every dead process, adopted ones too; gives the names of our own."""
        gone = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return gone
            if not pid:
                return gone
            if pid in self.children:
                gone.append((self.children.pop(pid), os.waitstatus_to_exitcode(status)))

    def end_children(self):
        for sig, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
            for pid in self.children:
                os.kill(pid, sig)
            end = time.monotonic() + patience
            while self.children and time.monotonic() < end:
                self.reap()
                time.sleep(0.01)

    def save_maillog(self):
        """Postfix writes into the namespace's memory; while it runs look there."""
        try:
            shutil.copyfile(self.memory + "/postfix/maillog", os.path.join(self.state, "log", "maillog"))
        except OSError:
            pass

    # ---- building ----
    def etc(self):
        texts = {}
        for name, line in (("passwd", f"{postfix.USER}:x:{postfix.UID}:{postfix.UID}::/nonexistent:/bin/false\n"),
                           ("group", f"{postfix.USER}:x:{postfix.UID}:\n{postfix.GROUP}:x:{postfix.GID}:\n")):
            with open("/etc/" + name, encoding="utf-8") as f:
                kept = [row for row in f if row.split(":")[0] not in (postfix.USER, postfix.GROUP)]
            texts[name] = "".join(kept) + line
        texts["resolv.conf"] = f"nameserver {world.RESOLVER}\noptions edns0 trust-ad timeout:5\n"
        texts["nsswitch.conf"] = "passwd: files\ngroup: files\nhosts: files dns\n"
        return texts

    def prepare(self):
        for d in ("log", "certs", "capture", "zones"):
            os.makedirs(os.path.join(self.state, d), exist_ok=True)
        addresses6 = [h.address6 for h in world.HOSTS.values() if h.address6]
        complaint = namespace.furnish(self.memory, self.etc(), addresses6)
        if complaint:
            self.notes.append("IPv6 is not to be had here: " + complaint.split("\n")[0])
        ca = certs.Authority()
        with open(os.path.join(self.state, "ca.pem"), "wb") as f:
            f.write(ca.pem())
        self.identities = {h.name: certs.make(ca, h.cert, h.name) for h in world.HOSTS.values()}
        for name, identity in self.identities.items():
            identity.write(os.path.join(self.state, "certs", name))
        ca.issue((world.SENDER_HOST,)).write(os.path.join(self.state, "certs", world.SENDER_HOST))
        return ca

    def optional(self, name):
        """A program the lab can do without; then some rows of the table are missing."""
        try:
            return packages.find(name)
        except packages.Missing as e:
            self.notes.append(str(e))
            return None

    def start_names(self):
        """DNS; gives the probes that tell when it answers."""
        z = zones.Zones(os.path.join(self.state, "zones"), self.identities, packages.find("ldns-keygen"),
                        packages.find("ldns-signzone"))
        served = z.build()
        z.write_hints(os.path.join(self.state, "anchor"), os.path.join(self.state, "root.hints"))
        self.anchored.set()
        nsd = packages.find("nsd")
        for address, what in served.items():
            conf = zones.nsd_config(z.folder, address, what)
            self.spawn("nsd-" + address, [nsd.path, "-d", "-c", conf], nsd.env())
        unbound = self.optional("unbound")
        if unbound:
            self.spawn("unbound", [unbound.path, "-d", "-c", resolver.build(self.state)], unbound.env())
        return list(served) + ([world.RESOLVER] if unbound else [])

    def start_servers(self, ca):
        """Everything but DNS; gives (address, port) to be tried."""
        here = os.path.dirname(os.path.abspath(__file__))
        extra = ["--geleit"] if self.geleit_path else []
        ready = self.spawn("neighbours", [sys.executable, os.path.join(here, "neighbours.py"), self.state, *extra],
                           stdout=subprocess.PIPE)
        if not select.select([ready.stdout], [], [], START_LIMIT)[0] or ready.stdout.readline() != b"ready\n":
            raise Failed("the Python servers did not start; see log/neighbours.log")
        tries = []
        nginx = self.optional("nginx")
        if nginx:
            self.spawn("nginx", [nginx.path, "-e", self.state + "/log/nginx.log", "-c", policy_web.build(self.state, ca),
                                 "-p", self.state], nginx.env())
            tries.append((world.POLICY_WEB, 443))
        found = self.optional("postfix")
        if found:
            command, env = postfix.receiver(found, self.memory + "/postfix", self.state)
            self.spawn("postfix", command, env)
            tries += [(h.address, 25) for h in world.HOSTS.values() if h.is_a == "postfix"]
        if self.geleit_path:
            if not self.anchored.wait(START_LIMIT):
                raise Failed("the zones were not signed in time")
            for name, command in geleit.receivers(self.geleit_path, self.state):
                self.spawn(name, command)
            tries += [(h.address, 25) for h in world.HOSTS.values() if h.is_a == "geleit"]
        return tries

    # ---- life ----
    def build(self):
        ca = self.prepare()
        with ThreadPoolExecutor(2) as pool:
            names = pool.submit(self.start_names)
            servers = pool.submit(self.start_servers, ca)
            names, servers = names.result(), servers.result()
        end = time.monotonic() + START_LIMIT
        for what in [(a, None) for a in names] + servers:
            self.await_one(*what, end)
        description = world.describe(bool(self.geleit_path))
        description["files"] = {n: os.path.join(self.state, n) for n in (
            "anchor", "root.hints", "ca.pem", "capture", "sessions.jsonl", "mitm.jsonl", "log", "certs")}
        description["notes"] = self.notes
        with open(os.path.join(self.state, "world.json"), "w", encoding="utf-8") as f:
            json.dump(description, f, indent=1)

    def await_one(self, address, port, end):
        while time.monotonic() < end:
            for name, code in self.reap():
                raise Failed(f"{name} ended with {code}; see {self.state}/log/{name}.log")
            if answers_dns(address) if port is None else accepts(address, port):
                return
            time.sleep(0.02)
        raise Failed(f"nobody answers at {address} port {port or 53}")

    def live(self, lifeline):
        """Until a signal, the end of standard input, or the death of a child."""
        watched = [sys.stdin.fileno()] if lifeline else []
        while True:
            if select.select(watched, [], [], 0.25)[0] and not os.read(watched[0], 4096):
                return 0
            for name, code in self.reap():
                print(f"lab: {name} ended with {code}: the lab ends with it", file=sys.stderr)
                return 1


def answers_dns(address):
    query = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"  # . SOA
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        try:
            s.sendto(query, (address, 53))
            return s.recv(512)[:2] == query[:2]
        except OSError:
            return False


def accepts(address, port):
    try:
        with socket.create_connection((address, port), 1) as s:
            return port != 25 or s.recv(4).startswith(b"220")
    except OSError:
        return False


def main():
    p = argparse.ArgumentParser()
    p.add_argument("state")
    p.add_argument("--geleit")
    p.add_argument("--lifeline", action="store_true")
    args = p.parse_args()
    for name in [n for n in os.environ if n.startswith("SSL_CERT") or n.endswith("_proxy")]:
        del os.environ[name]
    keeper = Keeper(args.state, args.geleit)

    def leave(*_):
        raise SystemExit(0)

    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, leave)
    ready = os.path.join(args.state, "ready.json")
    try:
        began = time.monotonic()
        keeper.build()
        # /proc is the machine's, so this is our process id out there.
        with open(ready + ".new", "w", encoding="utf-8") as f:
            json.dump({"pid": int(os.readlink("/proc/self")), "seconds": round(time.monotonic() - began, 2),
                       "notes": keeper.notes, "memory": keeper.memory}, f)
        os.rename(ready + ".new", ready)
        return keeper.live(args.lifeline)
    except (Failed, packages.Missing, OSError, RuntimeError, subprocess.SubprocessError) as e:
        print(f"lab: {e}", file=sys.stderr)
        return 1
    finally:
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, signal.SIG_IGN)
        if os.path.exists(ready):
            os.remove(ready)
        keeper.end_children()
        keeper.save_maillog()


if __name__ == "__main__":
    sys.exit(main())
