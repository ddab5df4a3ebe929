"""Hosts that TLS reports are posted to, on a port each; what they were sent is kept in
posts.jsonl, with the status they answered.

`odd` of a host: port (443); post: redirect (307 to another), slow (the answer comes byte by
byte), never (no answer), told (the number in the file `post-answer` of the state folder, 503
where there is none). Without: 201.
"""
import base64
import contextlib
import json
import os
import threading
import time

from parts import smtp_server

LIMIT = 8 << 20
REDIRECT = "https://good.reports.example/redirected"


class Hangs(Exception):
    pass


class ReportWeb:
    def __init__(self, state, identity):
        self.state, self.identity = state, identity
        self.lock = threading.Lock()

    def serve(self, sock, _, host):
        with contextlib.suppress(OSError, ValueError, Hangs):
            sock.settimeout(20)
            with smtp_server.server_context(self.identity(host)).wrap_socket(sock, server_side=True) as s:
                self.talk(s, host)
        sock.close()

    def talk(self, s, host):
        file = s.makefile("rb")
        request = file.readline(8192).decode("latin-1").strip()
        fields = {}
        while line := file.readline(8192).decode("latin-1").strip():
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        size = min(int(fields.get("content-length", 0)), LIMIT)
        body = file.read(size)
        if len(body) < size:
            raise Hangs  # who posted it is gone
        status, more = self.answer(host.odd.get("post"))
        self.keep({"host": host.name, "request": request, "fields": fields, "status": status, "sni": s.lab_sni,
                   "body": base64.b64encode(body).decode()})
        if not status:
            time.sleep(30)
            raise Hangs
        text = f"HTTP/1.1 {status} so be it\r\n{more}Content-Length: 3\r\nConnection: close\r\n\r\nok\n"
        for piece in ([c.encode() for c in text] if host.odd.get("post") == "slow" else [text.encode()]):
            s.sendall(piece)
            time.sleep(0.01)

    def answer(self, how):
        if how == "told":
            try:
                with open(os.path.join(self.state, "post-answer"), encoding="ascii") as f:
                    return int(f.read()), ""
            except FileNotFoundError:
                return 503, "Retry-After: 5\r\n"
        return {"redirect": (307, f"Location: {REDIRECT}\r\n"), "never": (0, "")}.get(how, (201, ""))

    def keep(self, post):
        with self.lock, open(os.path.join(self.state, "posts.jsonl"), "a", encoding="utf-8") as f:
            f.write(json.dumps(post) + "\n")
