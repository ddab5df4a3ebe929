"""A scriptable SMTP (and LMTP) server: correct unless told to be odd.

Keys of `odd` in the table:
  starttls    yes, no, refused (454), garbage, close, stall, inject (replies in
              the clear behind the 220)
  max_tls     "1.0" … "1.2": the highest version, at security level 0
  extensions  what EHLO offers instead of the usual
  size        SIZE limit, kept
  reply       {stage: reply}; stage is greeting, ehlo, mail, rcpt, data, end
  stall       stage at which it falls silent (also: body)
  close       stage at which it closes the connection (also: body)
  grey        451 to the first RCPT of each sender and recipient
  dribble     seconds between the bytes of a reply
  long_ehlo   lines of nonsense in the EHLO reply
  babble      does not speak SMTP
  ipv6        refuse: nobody listens at the IPv6 address
A recipient whose local part begins with never- gets 550, with later- 451.
"""
import re
import socket
import ssl
import time

PATIENCE = 120  # seconds; a session ends then, whatever happens
USUAL = ("PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8")
TLS_VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2}
BODY_BEFORE_ODD = 4096  # bytes of a message read before close or stall at "body"


class Close(Exception):
    """The session ends; the reason is for the record."""


def server_context(stem, max_tls=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if max_tls:
        context.maximum_version = TLS_VERSIONS[max_tls]
    context.load_cert_chain(stem + ".pem", stem + ".key")
    context.sni_callback = lambda sock, name, _: setattr(sock, "lab_sni", name)
    return context


def tls_facts(sock):
    if not isinstance(sock, ssl.SSLSocket):
        return None
    name, _, bits = sock.cipher()
    return {"version": sock.version(), "cipher": name, "bits": bits, "sni": getattr(sock, "lab_sni", None)}


class Session:
    """One connection. Blocking, in a thread of its own: it reads as a script."""

    def __init__(self, sock, peer, host, server):
        self.sock, self.host, self.server = sock, host, server
        self.odd = host.odd
        self.file = sock.makefile("rb")
        self.deadline = time.monotonic() + PATIENCE
        self.helo = self.sender = None
        self.recipients, self.parameters = [], {}
        self.facts = {"host": host.name, "peer": peer[0], "time": time.time(), "tls": None, "lines": [],
                      "captured": 0, "end": ""}

    # ---- bytes ----
    def send(self, text):
        self.facts["lines"].append("S " + text[:200])
        data = text.encode("utf-8") + b"\r\n"
        for piece in [bytes([b]) for b in data] if self.odd.get("dribble") else [data]:
            self.sock.sendall(piece)
            time.sleep(self.odd.get("dribble", 0))

    def line(self):
        self.sock.settimeout(max(0.1, self.deadline - time.monotonic()))
        data = self.file.readline(65536)
        if not data.endswith(b"\r\n"):
            raise Close("the client closed" if not data else "a line did not end with CRLF")
        text = data[:-2].decode("utf-8", "replace")
        if len(self.facts["lines"]) < 400:
            self.facts["lines"].append("C " + text[:200])
        return text

    def stall(self):
        """Silent until the client gives up."""
        while time.monotonic() < self.deadline:
            self.sock.settimeout(max(0.1, self.deadline - time.monotonic()))
            if not self.sock.recv(65536):
                break
        raise Close("stalled until the client left")

    def odd_at(self, stage):
        """True if the table answers for this stage."""
        if self.odd.get("stall") == stage:
            self.stall()
        if self.odd.get("close") == stage:
            raise Close("closed at " + stage)
        reply = self.odd.get("reply", {}).get(stage)
        if reply:
            self.send(reply)
        return bool(reply)

    # ---- commands ----
    def extensions(self):
        out = list(self.odd.get("extensions", USUAL))
        if "size" in self.odd:
            out = [f"SIZE {self.odd['size']}" if e.startswith("SIZE") else e for e in out]
        if self.server.identity(self.host) and not self.facts["tls"] and self.odd.get("starttls") != "no":
            if "extensions" not in self.odd or out:
                out.append("STARTTLS")
        if self.facts["tls"] and "extensions" not in self.odd:
            out.append("REQUIRETLS")
        return out + [f"X-LAB-{i} nonsense" for i in range(self.odd.get("long_ehlo", 0))]

    def do_ehlo(self, rest):
        self.reset()
        self.helo = rest
        if self.odd_at("ehlo"):
            return
        lines = [self.host.name] + self.extensions()
        for i, text in enumerate(lines):
            self.send(("250 " if i == len(lines) - 1 else "250-") + text)

    do_lhlo = do_ehlo

    def do_helo(self, rest):
        self.reset()
        self.helo = rest
        if not self.odd.get("reply", {}).get("ehlo", "5").startswith("5") and self.odd_at("ehlo"):
            return
        self.send("250 " + self.host.name)

    def do_starttls(self, _):
        if "STARTTLS" not in self.extensions():
            return self.send("502 5.5.1 not implemented")
        how = self.odd.get("starttls", "yes")
        if how == "refused":
            return self.send("454 4.7.0 TLS not available")
        self.send("220 2.0.0 ready")
        if how == "garbage":
            self.sock.sendall(b"this is not a TLS record, whatever you think of it\r\n" * 4)
            self.stall()
        if how == "close":
            raise Close("closed after STARTTLS")
        if how == "stall":
            self.stall()
        if how == "inject":
            self.sock.sendall(b"250-injected.example\r\n250-SIZE 1\r\n250 X-INJECTED\r\n")
        self.handshake()

    def handshake(self):
        context = self.server.context(self.host)
        self.facts["lines"].append("- handshake")
        self.sock.settimeout(20)
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True)
        except (OSError, ValueError) as e:
            raise Close(f"handshake failed: {e}") from None
        self.file = self.sock.makefile("rb")
        self.facts["tls"] = tls_facts(self.sock)
        self.helo = None
        self.reset()

    def reset(self):
        self.sender, self.recipients, self.parameters = None, [], {}

    def do_mail(self, rest):
        m = re.match(r"(?i)FROM:\s*<([^>]*)>\s*(.*)$", rest)
        if not m:
            return self.send("501 5.5.4 syntax: MAIL FROM:<address>")
        if self.odd_at("mail"):
            return None
        size = re.search(r"(?i)\bSIZE=(\d+)", m[2])
        if size and int(size[1]) > self.odd.get("size", 52428800):
            return self.send("552 5.3.4 too big")
        self.sender, self.parameters = m[1], {"mail": m[2], "rcpt": []}
        return self.send("250 2.1.0 ok")

    def do_rcpt(self, rest):
        m = re.match(r"(?i)TO:\s*<([^>]*)>\s*(.*)$", rest)
        if self.sender is None or not m:
            return self.send("503 5.5.1 MAIL first" if m else "501 5.5.4 syntax: RCPT TO:<address>")
        if self.odd_at("rcpt"):
            return None
        if m[1].startswith("never-"):
            return self.send("550 5.1.1 no such user here")
        if m[1].startswith("later-"):
            return self.send("451 4.2.1 not now")
        if self.odd.get("grey") and self.server.first_seen((self.sender, m[1])):
            return self.send("451 4.7.1 greylisted, come back")
        self.recipients.append(m[1])
        self.parameters["rcpt"].append(m[2])
        return self.send("250 2.1.5 ok")

    def do_data(self, _):
        if not self.recipients:
            return self.send("503 5.5.1 RCPT first")
        if self.odd_at("data"):
            return None
        self.send("354 go ahead")
        raw = self.body()
        if len(raw) > self.odd.get("size", 52428800):
            self.send("552 5.3.4 too big")
        elif not self.odd_at("end"):
            # The message is kept before it is acknowledged, as it should be.
            self.server.capture.message(self.host.name, raw, self.envelope())
            self.facts["captured"] += 1
            for _ in self.recipients if self.server.lmtp else [0]:
                self.send("250 2.0.0 kept")
        return self.reset()

    def envelope(self):
        return {"address": self.sock.getsockname()[0], "peer": self.facts["peer"], "helo": self.helo,
                "mail_from": self.sender, "rcpt_to": self.recipients, "parameters": self.parameters,
                "tls": self.facts["tls"]}

    def body(self):
        out, length = [], 0
        while True:
            self.sock.settimeout(max(0.1, self.deadline - time.monotonic()))
            line = self.file.readline(1 << 20)
            if not line.endswith(b"\n"):
                raise Close("the connection ended inside the message")
            if line == b".\r\n":
                break
            out.append(line[1:] if line.startswith(b".") else line)
            length += len(line)
            if length > BODY_BEFORE_ODD or self.odd.get("close") == "body":
                if self.odd.get("close") == "body":
                    raise Close("closed inside the message")
                if self.odd.get("stall") == "body":
                    time.sleep(max(0.0, self.deadline - time.monotonic()))
                    raise Close("stalled inside the message")
        if self.odd.get("stall") == "body":
            self.stall()
        return b"".join(out)

    def do_rset(self, _):
        self.reset()
        self.send("250 2.0.0 ok")

    def do_noop(self, _):
        self.send("250 2.0.0 ok")

    def do_quit(self, _):
        self.send("221 2.0.0 bye")
        raise Close("QUIT")

    def run(self):
        try:
            if self.odd.get("babble"):
                self.send("Welcome to the wrong port")
                self.stall()
            if not self.odd_at("greeting"):
                self.send(f"220 {self.host.name} {'LMTP' if self.server.lmtp else 'ESMTP'} lab")
            while True:
                verb, _, rest = self.line().partition(" ")
                method = getattr(self, "do_" + verb.lower(), None) if verb.isalpha() else None
                if method:
                    method(rest.strip())
                else:
                    self.send("500 5.5.2 unknown command")
        except Close as e:
            self.facts["end"] = str(e)
        except (OSError, ValueError) as e:
            self.facts["end"] = f"{type(e).__name__}: {e}"
        finally:
            self.finish()

    def finish(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.file.close()
        self.sock.close()
        self.server.capture.session(self.facts)


class Server:
    """What sessions share: certificates, the capture, what was seen before."""

    def __init__(self, capture, identity, lmtp=False):
        self.capture, self.identity_of, self.lmtp = capture, identity, lmtp
        self.contexts, self.seen = {}, set()

    def identity(self, host):
        return self.identity_of(host)

    def context(self, host):
        if host.name not in self.contexts:
            self.contexts[host.name] = server_context(self.identity(host), host.odd.get("max_tls"))
        return self.contexts[host.name]

    def first_seen(self, what):
        new = what not in self.seen
        self.seen.add(what)
        return new

    def serve(self, sock, peer, host):
        Session(sock, peer, host, self).run()
