"""One process for all servers that are written in Python: SMTP hosts, men in
the middle, the silent name server, the silent policy host, and the LMTP server
behind Postfix. A thread for each connection.

  neighbours.py STATE    prints "ready" when everything listens
"""
import os
import selectors
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import world  # noqa: E402
from parts import capture, handover, mitm, report_web, smtp_server  # noqa: E402


def listener(address, port, backlog=128, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM:
        s.listen(backlog)
    return s


class Trickle:
    """A policy host that never gets to the end: a byte now and then."""

    def __init__(self, state):
        self.stem = os.path.join(state, "nginx", "mta-sts.sts-web-trickle.example")

    def serve(self, sock, _, __):
        try:
            with smtp_server.server_context(self.stem).wrap_socket(sock, server_side=True) as s:
                s.recv(65536)
                s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6000\r\n\r\nversion: STSv1\r\n")
                for _ in range(6000):
                    s.sendall(b"x")
                    time.sleep(0.2)
        except OSError:
            pass


class Neighbours:
    def __init__(self, state, geleit):
        self.selector = selectors.DefaultSelector()
        self.held = []  # sockets that only need to stay open
        def identity(host):
            return os.path.join(state, "certs", host.name)
        kept = capture.Capture(os.path.join(state, "capture"), os.path.join(state, "sessions.jsonl"))
        self.smtp = smtp_server.Server(kept, identity)
        self.lmtp = handover.Handover(kept, lmtp=True)
        self.relay = handover.Handover(kept, lmtp=False)
        self.reports = report_web.ReportWeb(state, identity)
        self.middle = mitm.Middle(mitm.Log(os.path.join(state, "mitm.jsonl")), identity, world.HOSTS)
        for number, host in enumerate(world.hosts_present(geleit)):
            getattr(self, "add_" + host.is_a)(host, number)
        self.add_silence()
        self.accept(world.POLICY_TRICKLE, 443, Trickle(state).serve, None)

    def accept(self, address, port, serve, host):
        s = listener(address, port)
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, (serve, host))

    def add_python(self, host, _):
        if host.ipv4:
            self.accept(host.address, 25, self.smtp.serve, host)
        if host.ipv6 and host.odd.get("ipv6") != "refuse":
            try:
                self.accept(host.address6, 25, self.smtp.serve, host)
            except OSError as e:  # a machine without IPv6: the keeper has said so
                print(f"{host.name}: {e}", file=sys.stderr)

    def add_mitm(self, host, _):
        self.accept(host.address, 25, self.middle.serve, host)

    def add_report(self, host, _):
        self.accept(host.address, host.odd.get("port", 443), self.reports.serve, host)

    def add_postfix(self, host, number):
        self.accept(world.CAPTURE, 2000 + number, self.lmtp.serve, host)

    def add_geleit(self, host, number):
        self.accept(world.CAPTURE, 2000 + number, self.relay.serve, host)

    def add_refuse(self, *_):
        pass

    def add_blackhole(self, host, _):
        """A full backlog: the kernel drops every further SYN."""
        full = listener(host.address, 25, backlog=0)
        self.held.append(full)
        for _ in range(3):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((host.address, 25))
            self.held.append(s)

    def add_silence(self):
        self.held.append(listener(world.SILENT_SERVER, 53, kind=socket.SOCK_DGRAM))
        self.held.append(listener(world.SILENT_SERVER, 53))
        self.held.append(listener(world.POLICY_STALL, 443))

    def run(self):
        while True:
            for key, _ in self.selector.select():
                serve, host = key.data
                try:
                    sock, peer = key.fileobj.accept()
                except OSError:
                    continue
                sock.setblocking(True)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=serve, args=(sock, peer, host), daemon=True).start()


def handover_port(name):
    """The port where `name`'s mail is kept; the same count as above."""
    return 2000 + [h.name for h in world.hosts_present(True)].index(name)


if __name__ == "__main__":
    there = Neighbours(sys.argv[1], "--geleit" in sys.argv)
    print("ready", flush=True)
    there.run()
