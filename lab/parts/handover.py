"""The LMTP server behind Postfix and Geleit: keeps what they hand over. Which
host it was is told by the port; the TLS facts by the Received field on top.
"""
import re

from parts.smtp_server import Server, Session

POSTFIX = re.compile(rb"\(using (\S+) with cipher (\S+) \((\d+)/\d+ bits\)")


def tls_from_received(raw):
    end = re.search(rb"\r\n(?![ \t])", raw)
    field = raw[:end.start()] if end else raw
    m = POSTFIX.search(field)
    if m:
        return {"version": m[1].decode(), "cipher": m[2].decode(), "bits": int(m[3]), "sni": None}
    m = re.search(rb"(TLSv1(?:\.\d)?)[\s:/_]+([A-Z0-9_-]+)", field)
    if m:
        return {"version": m[1].decode(), "cipher": m[2].decode(), "bits": None, "sni": None}
    return None


class _Keep:
    def __init__(self, capture):
        self.capture = capture

    def message(self, host, raw, facts):
        self.capture.message(host, raw, {**facts, "tls": tls_from_received(raw), "handed_over": True})

    def session(self, facts):
        pass  # the sessions of interest are those with the sender under test


class Handover(Server):
    def __init__(self, capture, lmtp):
        super().__init__(_Keep(capture), lambda host: None, lmtp)

    def serve(self, sock, peer, host):
        Session(sock, peer, type(host)(host.name, odd={}), self).run()
