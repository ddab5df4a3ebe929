"""The man in the middle: sits at the address that DNS gives for a host and
passes everything on to the real one behind it.

  strip      takes STARTTLS out of the EHLO reply and answers the command 502;
             what then goes by in the clear he reads and keeps
  terminate  ends TLS himself with a certificate of his own, and speaks TLS to
             the server behind

mitm.jsonl: one line for each connection, with what he could read.
"""
import json
import re
import socket
import ssl
import threading
import time

from parts.smtp_server import PATIENCE, server_context

READ_KEPT = 20000  # bytes of each direction that he writes down


class Log:
    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()

    def add(self, row):
        with self.lock, open(self.path, "a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")


class Middle:
    def __init__(self, log, identity, world_hosts):
        self.log, self.identity, self.hosts = log, identity, world_hosts

    def serve(self, sock, peer, host):
        facts = {"host": host.name, "behind": host.behind, "how": host.odd["mitm"], "peer": peer[0],
                 "time": time.time(), "read_from_client": "", "read_from_server": "", "end": ""}
        back = socket.create_connection((self.hosts[host.behind].address, 25), 10)
        try:
            for s in (sock, back):
                s.settimeout(PATIENCE)
            if host.odd["mitm"] == "terminate":
                sock, back = self._terminate(sock, back, host, facts)
            self._pass_on(sock, back, facts)
        except (OSError, ValueError) as e:
            facts["end"] = f"{type(e).__name__}: {e}"
        finally:
            sock.close()
            back.close()
            self.log.add(facts)

    def _terminate(self, sock, back, host, facts):
        """Clear-text SMTP up to STARTTLS on both sides, then TLS with each."""
        client, server = sock.makefile("rb"), back.makefile("rb")
        sock.sendall(_reply(server))
        while True:
            line = client.readline(4096)
            if not line:
                raise OSError("the client left before STARTTLS")
            back.sendall(line)
            answer = _reply(server)
            sock.sendall(answer)
            if line.upper().strip() == b"STARTTLS" and answer.startswith(b"220"):
                break
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        back = trusting.wrap_socket(back)
        try:
            sock = server_context(self.identity(host)).wrap_socket(sock, server_side=True)
        except OSError as e:
            raise OSError(f"the client broke the handshake off: {e}") from None
        facts["handshake"] = sock.version()
        return sock, back

    def _pass_on(self, sock, back, facts):
        def pump(source, sink, change, name):
            try:
                while True:
                    data = source.recv(65536)
                    if not data:
                        break
                    facts[name] = (facts[name] + data.decode("utf-8", "replace"))[:READ_KEPT]
                    sink.sendall(change(data))
            except OSError:
                pass
            for s in (source, sink):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        strip = _strip if facts["how"] == "strip" else bytes
        other = threading.Thread(target=pump, args=(back, sock, strip, "read_from_server"), daemon=True)
        other.start()
        pump(sock, back, bytes, "read_from_client")
        other.join(5)
        facts["end"] = "closed"


def _reply(stream):
    out = b""
    while True:
        line = stream.readline(4096)
        out += line
        if len(line) < 4 or line[3:4] != b"-":
            return out


def _strip(data):
    """An EHLO reply without STARTTLS; its last line must stay a last line."""
    if b"STARTTLS" not in data:
        return data
    lines = [ln for ln in data.split(b"\r\n") if not re.fullmatch(rb"250[- ]STARTTLS", ln)]
    last = max(i for i, ln in enumerate(lines) if ln.startswith(b"250"))
    lines[last] = b"250 " + lines[last][4:]
    return b"\r\n".join(lines)
