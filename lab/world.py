"""The lab's internet as a table: zones, mail domains, their servers, and what
a correct sender must make of each.

Everything else (addresses, keys, zone files, certificates, world.json) is
derived from here. Add a row, restart the lab, done.

A domain's `expect` is the *sender's* duty:
  deliver  the message must arrive, protected as `transport` says:
           dane  verified by TLSA       sts  verified under MTA-STS enforce
           tls   encrypted, unverified  clear  in the clear, nothing forbids it
           any   tls or clear, as the sender likes
  defer    the message must stay queued; nothing of it may reach the server
  fail     the message must be returned at once
"""
from dataclasses import asdict, dataclass, field

ROOT_SERVER, TLD_SERVER, ZONE_SERVER = "127.0.0.1", "127.0.0.3", "127.0.0.4"
SILENT_SERVER, RESOLVER = "127.0.0.5", "127.0.0.53"
POLICY_WEB, POLICY_STALL, POLICY_REFUSED, POLICY_TRICKLE = "127.0.44.1", "127.0.44.2", "127.0.44.3", "127.0.44.4"
CAPTURE = "127.0.24.1"  # Postfix and Geleit hand over here; one port a host
SENDER_DOMAIN = "geleit-lab.example"
SENDER_HOST = "relay.geleit-lab.example"


@dataclass
class Host:
    """A server with an address of its own. `is_a`: postfix, python, mitm
    (in front of `behind`), geleit, refuse (no one listens), blackhole, report
    (parts/report_web.py)."""
    name: str
    is_a: str = "python"
    cert: str = "ca"  # see parts/certs.py
    tlsa: tuple = ()  # "USAGE SELECTOR MATCHING leaf|ta|bad", or "raw HEX"
    odd: dict = field(default_factory=dict)  # see parts/smtp_server.py
    behind: str = ""
    ipv4: bool = True
    ipv6: bool = False
    dns: bool = True  # False: no address records (the server behind a mitm)
    address: str = ""
    address6: str = ""


@dataclass
class Domain:
    name: str
    mx: tuple  # ((preference, host name), ...); () is implicit MX
    expect: str
    transport: str | None
    why: str
    rfc: tuple
    hosts: tuple = ()
    requirement: tuple = ()  # of each MX host in order, as `explain --json` calls it
    via: str = ""  # the host that must get it, when not the first
    records: tuple = ()  # further lines for the zone file
    sts: dict | None = None  # {"mode", "mx", ...}: see parts/policy_web.py
    requires: str = ""  # "geleit": only there when the lab was given one; "pair": when a story starts it


@dataclass
class Zone:
    """`signing`: none, nsec, nsec3, expired, bogus (a signed address was
    altered), bogus-tlsa, bogus-mx. `server`: zones, silent, servfail."""
    name: str
    signing: str = "none"
    server: str = "zones"


@dataclass
class Author:
    """A domain that mail claims to be from: what it publishes about itself.
    `keys`: DKIM selectors, each `rsa` or `ed25519`, or `rsa s=tlsrpt`, whose
    private keys lie in the state folder as dkim/NAME.SELECTOR.pem."""
    name: str
    records: tuple = ()  # lines for the zone file
    keys: dict = field(default_factory=dict)


ZONES, DOMAINS, HOSTS, AUTHORS = {}, {}, {}, {}


def zone(name, signing="none", server="zones"):
    ZONES[name] = Zone(name, signing, server)


def host(name, **kw):
    HOSTS[name] = Host(name, **kw)
    return name


def author(name, *, spf="", dmarc="", keys=None, more=()):
    zone(name)
    records = [f'@ IN TXT "{spf}"'] if spf else []
    records += [f'_dmarc IN TXT "{dmarc}"'] if dmarc else []
    records += more
    AUTHORS[name] = Author(name, tuple(records), keys or {})


def domain(name, *, mx=None, signing=None, expect="deliver", transport=None, why, rfc, host_=None,
           **kw):
    """A domain with one host `mx.NAME` made of `host_`, unless `mx` is given."""
    if signing is not None:
        zone(name, signing)
    if host_ is not None:
        host("mx." + name, **host_)
    if mx is None:
        mx = ((10, "mx." + name),)
    DOMAINS[name] = Domain(name, mx, expect, transport if expect == "deliver" else None, why, rfc,
                           tuple(h for _, h in mx if h in HOSTS), **kw)


EE = ("3 1 1 leaf",)

# ---- the sender's own domain: bounces come back to it ----------------------
domain(SENDER_DOMAIN, signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(cert="self", tlsa=EE), why="Where notices to the sender of the demo arrive.",
       rfc=("RFC 7672 §2.2",),
       records=("relay IN A 127.0.0.2", '_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:tlsrpt@geleit-lab.example"'))

# ---- DANE -----------------------------------------------------------------
domain("dane.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(is_a="postfix", cert="self", tlsa=EE),
       why="A signed zone with TLSA 3 1 1 that matches; the certificate is self-signed, which DANE-EE allows.",
       rfc=("RFC 7672 §3.1.1",))
domain("dane-ta.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(cert="ta", tlsa=("2 1 1 ta",)),
       why="TLSA 2 1 1 names a trust anchor that the server sends in its chain.", rfc=("RFC 7672 §3.1.2",))
domain("dane-ta-full.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(cert="ta-unsent", tlsa=("2 0 0 ta",)),
       why="The trust anchor is a full certificate in the TLSA record; the server does not send it.",
       rfc=("RFC 7671 §5.2.2",))
domain("dane-ta-name.example", signing="nsec", expect="defer", requirement=("dane",),
       host_=dict(cert="ta-wrong-name", tlsa=("2 1 1 ta",)),
       why="With usage 2 the certificate's name counts, and it is another host's.", rfc=("RFC 7672 §3.2.2",))
domain("dane-name.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(cert="wrong-name", tlsa=EE),
       why="With usage 3 the name in the certificate does not count.", rfc=("RFC 7672 §3.1.1",))
domain("dane-expired.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(cert="expired", tlsa=EE),
       why="With usage 3 the dates of the certificate do not count.", rfc=("RFC 7672 §3.1.1",))
domain("dane-mismatch.example", signing="nsec", expect="defer", requirement=("dane",),
       host_=dict(tlsa=("3 1 1 bad",)),
       why="The certificate matches no TLSA record; that a public CA vouches for it does not help.",
       rfc=("RFC 7672 §2.2",))
domain("dane-pair.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(tlsa=("3 1 1 bad", "3 1 1 leaf")),
       why="One matching record is enough: the other is the next key's.", rfc=("RFC 7671 §8.1",))
domain("dane-rsa1024.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(cert="rsa1024", tlsa=EE, odd={"max_tls": "1.2"}),
       why="A weak key that matches its TLSA record is the key its owner published.", rfc=("RFC 7672 §3.1.1",))
domain("dane-nostarttls.example", signing="nsec", expect="defer", requirement=("dane",),
       host_=dict(tlsa=EE, odd={"starttls": "no"}),
       why="Usable TLSA makes TLS mandatory, and the server does not offer it.", rfc=("RFC 7672 §2.2",))
domain("dane-refused.example", signing="nsec", expect="defer", requirement=("dane",),
       host_=dict(tlsa=EE, odd={"starttls": "refused"}),
       why="STARTTLS is offered and then refused with 454; DANE forbids going on in the clear.",
       rfc=("RFC 7672 §2.2", "RFC 3207 §4.1"))
domain("dane-unusable.example", signing="nsec", transport="tls", requirement=("encrypt",),
       host_=dict(cert="self", tlsa=("1 1 1 leaf", "3 1 9 leaf")),
       why="Secure TLSA records, none usable: TLS is mandatory, the certificate is not checked.",
       rfc=("RFC 7672 §2.2",))
domain("dane-unusable-clear.example", signing="nsec", expect="defer", requirement=("encrypt",),
       host_=dict(tlsa=("1 1 1 leaf",), odd={"starttls": "no"}),
       why="Secure TLSA records, none usable: TLS is mandatory, and there is none.", rfc=("RFC 7672 §2.2",))
domain("dane-short.example", signing="nsec", transport="tls", requirement=("encrypt",),
       host_=dict(cert="self", tlsa=("raw 030101",)),
       why="A TLSA record of three bytes is unusable, not a reason to crash or to go without TLS.",
       rfc=("RFC 7672 §2.2", "RFC 6698 §2.1"))
host("mx1.dane-backup.example", tlsa=("3 1 1 bad",))
host("mx2.dane-backup.example", is_a="postfix", cert="self", tlsa=EE)
domain("dane-backup.example", signing="nsec", transport="dane", requirement=("dane", "dane"),
       mx=((10, "mx1.dane-backup.example"), (20, "mx2.dane-backup.example")), via="mx2.dane-backup.example",
       why="The first host fails its TLSA, the second is good: one broken MX never blocks a domain.",
       rfc=("RFC 7672 §2.2",))
host("real.dane-cname.example", cert="self", tlsa=EE)
domain("dane-cname.example", signing="nsec", transport="dane", requirement=("dane",),
       mx=((10, "mx.dane-cname.example"),), records=("mx IN CNAME real",), via="real.dane-cname.example",
       why="The MX host is a secure CNAME; TLSA is at the expanded name, which is also the SNI.",
       rfc=("RFC 7672 §2.2.2", "RFC 7672 §2.2.3"))
host("out.plain-hosts.example", cert="self")
domain("dane-cname-out.example", signing="nsec", transport="dane", requirement=("dane",),
       mx=((10, "mx.dane-cname-out.example"),), via="out.plain-hosts.example",
       records=("mx IN CNAME out.plain-hosts.example.", "_25._tcp.mx IN TLSA @TLSA:3 1 1 leaf:out.plain-hosts.example@"),
       why="A secure CNAME leads into an unsigned zone; TLSA at the original name still binds.",
       rfc=("RFC 7672 §2.2.2",))
host("mx.dane-hosts.example", is_a="postfix", cert="self", tlsa=EE)
zone("dane-hosts.example", "nsec")
domain("insecure-mx.example", signing="none", transport="dane", requirement=("dane",),
       mx=((10, "mx.dane-hosts.example"),),
       why="An unsigned MX that names a host with secure TLSA: DANE is used for that host.",
       rfc=("RFC 7672 §2.2.1",))
domain("implicit-mx.example", signing="nsec3", mx=(), transport="dane", requirement=("dane",),
       why="No MX record, denied securely by NSEC3: the domain itself is the host.",
       rfc=("RFC 5321 §5.1", "RFC 7672 §2.2.1"))
host("implicit-mx.example", cert="self", tlsa=EE)
DOMAINS["implicit-mx.example"].hosts = ("implicit-mx.example",)
domain("nsec3.example", signing="nsec3", transport="tls", requirement=("opportunistic",),
       host_=dict(cert="self"), why="Signed, and TLSA securely denied (NSEC3): opportunistic TLS.",
       rfc=("RFC 7672 §2.2",))

# ---- DNS that fails --------------------------------------------------------
domain("tlsa-timeout.example", signing="nsec", expect="defer", requirement=("unusable",),
       host_=dict(cert="self"), records=("_tcp.mx IN NS ns.silent.geleit-lab.example.",),
       why="Nobody answers for TLSA; no answer is not the answer no.", rfc=("RFC 7672 §2.1.2", "RFC 7672 §2.2"))
zone("_tcp.mx.tlsa-timeout.example", server="silent")
domain("tlsa-servfail.example", signing="nsec", expect="defer", requirement=("unusable",),
       host_=dict(cert="self"), records=("_tcp.mx IN NS ns.zones.geleit-lab.example.",),
       why="The TLSA question is answered SERVFAIL; that is not the answer no.", rfc=("RFC 7672 §2.1.2",))
zone("_tcp.mx.tlsa-servfail.example", server="servfail")
domain("tlsa-bogus.example", signing="bogus-tlsa", expect="defer", requirement=("unusable",),
       host_=dict(cert="self", tlsa=EE), why="The TLSA record was altered after it was signed.",
       rfc=("RFC 7672 §2.1.1",))
domain("bogus.example", signing="bogus-mx", expect="defer",
       host_=dict(cert="self", tlsa=EE), why="The MX record was altered after it was signed.",
       rfc=("RFC 7672 §2.1.1", "RFC 4033 §5"))
domain("bogus-address.example", signing="bogus", expect="defer", requirement=("unusable",),
       host_=dict(cert="self", tlsa=EE), why="The host's address was altered after it was signed.",
       rfc=("RFC 7672 §2.1.1",))
domain("expired.example", signing="expired", expect="defer",
       host_=dict(cert="self", tlsa=EE), why="The zone's signatures expired years ago.", rfc=("RFC 4035 §5.3.1",))
zone("_tcp.mx.unsigned-servfail.example", server="servfail")
domain("unsigned-servfail.example", signing="none", transport="tls", requirement=("opportunistic",),
       host_=dict(cert="self"), records=("_tcp.mx IN NS ns.zones.geleit-lab.example.",),
       why="An unsigned zone that answers TLSA with SERVFAIL: TLSA must not even be asked below insecure names.",
       rfc=("RFC 7672 §2.1.2", "RFC 7672 §2.2.2"))
zone("silent.example", server="silent")
domain("silent.example", expect="defer", host_=dict(dns=False),
       why="Nobody answers for the domain at all.", rfc=("RFC 5321 §5.1",))
domain("nullmx.example", signing="nsec", mx=((0, "."),), expect="fail",
       why="Null MX: the domain says it takes no mail.", rfc=("RFC 7505 §3", "RFC 5321 §5.1"))
domain("gone.example", mx=((10, "mx.gone.example"),), expect="fail",
       why="The domain does not exist (secure NXDOMAIN from the parent).", rfc=("RFC 5321 §5.1",))
DOMAINS["gone.example"].mx = ()

# ---- the man in the middle --------------------------------------------------
host("behind.mitm.example", is_a="postfix", cert="self", dns=False)
domain("mitm.example", signing="nsec", expect="defer", requirement=("dane",),
       host_=dict(is_a="mitm", behind="behind.mitm.example", tlsa=("3 1 1 leaf:behind.mitm.example",),
                  odd={"mitm": "strip"}),
       why="A good DANE host behind a man in the middle who strips STARTTLS from the EHLO reply.",
       rfc=("RFC 7672 §1.3.1", "RFC 7672 §2.2"))
host("behind.mitm-tls.example", is_a="postfix", cert="self", dns=False)
domain("mitm-tls.example", signing="nsec", expect="defer", requirement=("dane",),
       host_=dict(is_a="mitm", behind="behind.mitm-tls.example", cert="ca",
                  tlsa=("3 1 1 leaf:behind.mitm-tls.example",), odd={"mitm": "terminate"}),
       why="A man in the middle with a certificate that a trusted CA gave him, but not the TLSA key.",
       rfc=("RFC 7672 §1.3.4",))
host("behind.mitm-sts.example", is_a="postfix", cert="ca:mx.mitm-sts.example", dns=False)
domain("mitm-sts.example", signing="none", expect="defer", requirement=("sts",),
       host_=dict(is_a="mitm", behind="behind.mitm-sts.example", odd={"mitm": "strip"}),
       sts={"mode": "enforce"},
       why="STARTTLS is stripped from a host whose domain enforces MTA-STS.", rfc=("RFC 8461 §4.2",))
host("behind.mitm-plain.example", is_a="postfix", cert="self", dns=False)
domain("mitm-plain.example", signing="none", transport="clear", requirement=("opportunistic",),
       via="behind.mitm-plain.example",
       host_=dict(is_a="mitm", behind="behind.mitm-plain.example", odd={"mitm": "strip"}),
       why="The same man in the middle before a domain without policies: nothing shows him, mail goes in the clear.",
       rfc=("RFC 3207 §6",))

# ---- MTA-STS ---------------------------------------------------------------
domain("sts-enforce.example", signing="none", transport="sts", requirement=("sts",),
       host_=dict(is_a="postfix"), sts={"mode": "enforce"},
       why="Policy enforce lists the host, and its certificate is valid for its name.", rfc=("RFC 8461 §5",))
domain("sts-short.example", signing="none", transport="sts", requirement=("sts",),
       host_=dict(cert="short"), sts={"mode": "enforce"},
       why="Its certificate is valid for ten days more: what comes later waits.", rfc=("RFC 8461 §4.2",))
domain("sts-mismatch.example", signing="none", expect="defer", requirement=("unusable",),
       host_=dict(), sts={"mode": "enforce", "mx": ("mx.elsewhere.example",)},
       why="The MX host is not in the policy's list.", rfc=("RFC 8461 §4.1", "RFC 8461 §5"))
domain("sts-testing.example", signing="none", transport="tls", requirement=("opportunistic",),
       host_=dict(cert="self"), sts={"mode": "testing", "mx": ("mx.elsewhere.example",)},
       why="The same in mode testing: delivered, and only reported.", rfc=("RFC 8461 §5",))
domain("sts-none.example", signing="none", transport="tls", requirement=("opportunistic",),
       host_=dict(cert="self"), sts={"mode": "none"}, why="Mode none is no policy.", rfc=("RFC 8461 §5",))
domain("sts-lf.example", signing="none", transport="sts", requirement=("sts",), host_=dict(),
       sts={"mode": "enforce", "eol": "\n", "extra": ("unknown_key: is ignored",)},
       why="A policy with LF line ends and an unknown key is valid.", rfc=("RFC 8461 §3.2",))
domain("sts-wildcard.example", signing="none", transport="sts", requirement=("sts",), host_=dict(),
       sts={"mode": "enforce", "mx": ("*.sts-wildcard.example",)},
       why="*. matches exactly one leftmost label.", rfc=("RFC 8461 §4.1",))
host("a.mx.sts-deep.example")
domain("sts-deep.example", signing="none", expect="defer", requirement=("unusable",),
       mx=((10, "a.mx.sts-deep.example"),), sts={"mode": "enforce", "mx": ("*.sts-deep.example",)},
       why="*. does not match two labels.", rfc=("RFC 8461 §4.1",))
host("mx1.sts-second.example", cert="self")
host("mx2.sts-second.example")
domain("sts-second.example", signing="none", transport="sts", requirement=("unusable", "sts"),
       mx=((10, "mx1.sts-second.example"), (20, "mx2.sts-second.example")), via="mx2.sts-second.example",
       sts={"mode": "enforce", "mx": ("mx2.sts-second.example",)},
       why="Only the less preferred host is in the policy: it gets the mail.", rfc=("RFC 8461 §5.1",))
for _word, _odd, _why in (
        ("self", dict(cert="self"), "The server's certificate is self-signed."),
        ("name", dict(cert="wrong-name"), "The server's certificate is valid for another name."),
        ("expired", dict(cert="expired"), "The server's certificate has expired."),
        ("cn", dict(cert="cn-only"), "The host's name is only in the common name, which does not count."),
        ("nostarttls", dict(odd={"starttls": "no"}), "The server does not offer STARTTLS.")):
    domain(f"sts-mx-{_word}.example", signing="none", expect="defer", requirement=("sts",), host_=_odd,
           sts={"mode": "enforce"}, why=_why + " Enforce forbids delivery.", rfc=("RFC 8461 §4.2",))
for _word, _sts, _why in (
        ("404", {"web": "404"}, "The policy host answers 404."),
        ("redirect", {"web": "redirect"}, "The policy host redirects, which must not be followed."),
        ("cert", {"web": "self"}, "The policy host's certificate is self-signed."),
        ("name", {"web": "wrong-name"}, "The policy host's certificate is another's."),
        ("html", {"web": "html"}, "The policy comes as text/html."),
        ("big", {"web": "big"}, "The policy is far larger than anyone must read."),
        ("trickle", {"web": "trickle"}, "The policy host sends its policy byte by byte."),
        ("stall", {"web": "stall"}, "The policy host accepts and says nothing."),
        ("refused", {"web": "refused"}, "Nobody listens at the policy host."),
        ("nomx", {"mx": ("",)}, "The policy enforces and lists no mx: it is invalid."),
        ("two", {"txt": 2}, "Two _mta-sts records count as none.")):
    domain(f"sts-web-{_word}.example", signing="none", transport="tls", requirement=("opportunistic",),
           host_=dict(cert="self"), sts={"mode": "enforce", **_sts},
           why=_why + " Nothing is cached, so there is no policy.", rfc=("RFC 8461 §3.3", "RFC 8461 §3.1"))
domain("dane-over-sts.example", signing="nsec", expect="defer", requirement=("dane",),
       host_=dict(tlsa=("3 1 1 bad",)), sts={"mode": "enforce"},
       why="MTA-STS would be content; a failing DANE host is not rescued by it.", rfc=("RFC 8461 §2",))
domain("dane-and-sts.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(tlsa=EE, cert="self"), sts={"mode": "enforce"},
       why="DANE decides where it is usable; the certificate need not please MTA-STS.", rfc=("RFC 8461 §2",))

# ---- no policy at all: opportunistic ----------------------------------------
domain("plain.example", signing="none", transport="tls", requirement=("opportunistic",),
       host_=dict(is_a="postfix", cert="self"), why="No DNSSEC, no policy: TLS because the server offers it.",
       rfc=("RFC 7435 §3",))
domain("clear.example", signing="none", transport="clear", requirement=("opportunistic",),
       host_=dict(odd={"starttls": "no"}), why="No policy and no STARTTLS: in the clear.", rfc=("RFC 3207 §4",))
for _word, _odd, _transport, _why in (
        ("refused", {"starttls": "refused"}, "clear", "STARTTLS is refused with 454; in the clear, then."),
        ("garbage", {"starttls": "garbage"}, "clear", "After 220 comes no TLS; again in the clear on a new connection."),
        ("close", {"starttls": "close"}, "clear", "After 220 the connection closes; again in the clear."),
        ("stall", {"starttls": "stall"}, "clear", "After 220 silence; in the clear once patience ends."),
        ("inject", {"starttls": "inject"}, "any", "Replies sent in the clear behind 220 must not be believed."),
        ("tls10", {"max_tls": "1.0"}, "tls", "TLS 1.0 is better than nothing when nothing is promised.")):
    domain(f"tls-{_word}.example", signing="none", transport=_transport, requirement=("opportunistic",),
           host_=dict(cert="self", odd=_odd), why=_why, rfc=("RFC 7435 §3", "RFC 3207 §4"))
domain("ipv6.example", signing="nsec", transport="dane", requirement=("dane",),
       host_=dict(cert="self", tlsa=EE, ipv4=False, ipv6=True), why="A host with only an IPv6 address.",
       rfc=("RFC 5321 §5.2",))
domain("both.example", signing="none", transport="tls", requirement=("opportunistic",),
       host_=dict(cert="self", ipv6=True, odd={"ipv6": "refuse"}),
       why="Nobody listens at the host's IPv6 address; its IPv4 address serves.", rfc=("RFC 5321 §5.1",))
host("mx1.backup.example", is_a="refuse")
host("mx2.backup.example", is_a="blackhole")
host("mx3.backup.example", is_a="postfix", cert="self")
domain("backup.example", signing="none", transport="tls", requirement=("opportunistic",) * 3,
       mx=((10, "mx1.backup.example"), (20, "mx2.backup.example"), (30, "mx3.backup.example")),
       via="mx3.backup.example", why="The first host refuses, the second never answers, the third serves.",
       rfc=("RFC 5321 §5.1",))

domain("mx-self.example", signing="none", expect="fail", mx=((10, SENDER_HOST),),
       why="The only MX is the sender itself, which does not take the domain's mail: a loop.", rfc=("RFC 5321 §5.1",))
host("mx2.mx-self-first.example", cert="self")
domain("mx-self-first.example", signing="none", expect="fail",
       mx=((10, SENDER_HOST), (20, "mx2.mx-self-first.example")),
       why="The sender is the best MX; those behind it would only send the mail back.", rfc=("RFC 5321 §5.1",))
host("mx1.mx-self-last.example", cert="self")
domain("mx-self-last.example", signing="none", transport="tls",
       mx=((10, "mx1.mx-self-last.example"), (20, SENDER_HOST)), via="mx1.mx-self-last.example",
       why="The sender is the backup MX; the better one gets the mail.", rfc=("RFC 5321 §5.1",))

# ---- servers that misbehave in SMTP: one unsigned zone -----------------------
zone("odd.example")
_STAGES = ("greeting", "ehlo", "mail", "rcpt", "data", "end")
for _s in _STAGES:
    domain(f"later-{_s}.odd.example", expect="defer", host_=dict(cert="self", odd={"reply": {_s: "451 4.3.0 later"}}),
           why=f"A 4xx at {_s}.", rfc=("RFC 5321 §4.2.1",))
    domain(f"stall-{_s}.odd.example", expect="defer", host_=dict(cert="self", odd={"stall": _s}),
           why=f"Silence at {_s}.", rfc=("RFC 5321 §4.5.3.2",))
    domain(f"close-{_s}.odd.example", expect="defer", host_=dict(cert="self", odd={"close": _s}),
           why=f"The connection closes at {_s}.", rfc=("RFC 5321 §3.8",))
for _s in ("mail", "rcpt", "data", "end"):
    domain(f"never-{_s}.odd.example", expect="fail", host_=dict(cert="self", odd={"reply": {_s: "550 5.7.1 never"}}),
           why=f"A 5xx at {_s}.", rfc=("RFC 5321 §4.2.1",))
domain("close-body.odd.example", expect="defer", host_=dict(cert="self", odd={"close": "body"}),
       why="The connection closes in the middle of the message.", rfc=("RFC 5321 §4.1.1.4",))
domain("stall-body.odd.example", expect="defer", host_=dict(cert="self", odd={"stall": "body"}),
       why="The server stops reading in the middle of a (large) message, and never answers.", rfc=("RFC 5321 §4.5.3.2",))
for _word, _odd, _why, _rfc in (
        ("helo", {"reply": {"ehlo": "502 5.5.1 no EHLO here"}}, "EHLO is refused with 502; HELO works.", "RFC 5321 §3.2"),
        ("grey", {"grey": True}, "Greylisting: the first try gets 451, the next is welcome.", "RFC 6647 §2"),
        ("slow", {"dribble": 0.005}, "Replies come byte by byte.", "RFC 5321 §4.5.3.2"),
        ("bare", {"extensions": ()}, "No extension at all: no PIPELINING, no SIZE, no 8BITMIME.", "RFC 5321 §2.2"),
        ("long", {"long_ehlo": 200}, "An EHLO reply of two hundred lines.", "RFC 5321 §4.5.3.1.5")):
    domain(f"{_word}.odd.example", transport="clear" if _word in ("helo", "bare") else "tls",
           host_=dict(cert="self", odd=_odd), why=_why, rfc=(_rfc,))
domain("no8bit.odd.example", transport="tls",
       host_=dict(cert="self", odd={"extensions": ("PIPELINING", "SIZE 52428800", "DSN", "ENHANCEDSTATUSCODES")}),
       why="No 8BITMIME: 7-bit mail goes through as it is (8-bit mail is converted or returned).",
       rfc=("RFC 6152 §3",))
host("mx1.some8bit.example", cert="self", odd={"extensions": ("PIPELINING", "DSN")})
host("mx2.some8bit.example", cert="self")
domain("some8bit.example", signing="none", transport="tls", requirement=("opportunistic",) * 2,
       mx=((10, "mx1.some8bit.example"), (20, "mx2.some8bit.example")), via="mx1.some8bit.example",
       why="The first host has no 8BITMIME, the second does: 7-bit mail goes to the first, 8-bit mail to the second.",
       rfc=("RFC 6152 §3",))
domain("small.odd.example", transport="tls", host_=dict(cert="self", odd={"size": 20000}),
       why="SIZE 20000: small messages go through, larger ones are returned without being sent.",
       rfc=("RFC 1870 §6",))
domain("babble.odd.example", expect="defer", host_=dict(odd={"babble": True}),
       why="What answers is not SMTP.", rfc=("RFC 5321 §4.2",))

# ---- who reports must reach in spite of what they are about -------------------
domain("tlsrpt-dane.example", signing="nsec", expect="defer", requirement=("dane",),
       host_=dict(tlsa=("3 1 1 bad",)),
       records=('_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:tls@tlsrpt-dane.example"',),
       why="No TLSA record matches: mail waits, but the report about it comes to this very host.",
       rfc=("RFC 8460 §3", "RFC 8460 §5.3"))
domain("tlsrpt-sts.example", signing="none", expect="defer", requirement=("sts",),
       host_=dict(cert="self"), sts={"mode": "enforce", "rua": "mailto:tls@tlsrpt-sts.example"},
       why="The certificate is not of a public CA: mail waits, but the report about it comes to this very host.",
       rfc=("RFC 8460 §3", "RFC 8461 §5"))

# ---- Geleit as the receiver (lab/run start --geleit PATH) --------------------
domain("geleit.example", signing="nsec", transport="dane", requirement=("dane",), requires="geleit",
       host_=dict(is_a="geleit", cert="self", tlsa=EE), why="Geleit itself receives.", rfc=("RFC 7672 §2.2",))

# ---- two that send each other mail and reports: who wants them starts them ----
def pair(name):
    """A domain with all that reports need; no server of the lab's listens there."""
    domain(name, signing="nsec", transport="dane", requirement=("dane",), requires="pair",
           host_=dict(is_a="refuse", cert="self", tlsa=EE), why="One of two servers that report to each other.",
           rfc=("RFC 8460 §3", "RFC 9990 §3"),
           records=(f'_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:reports@{name},https://reports.{name}:8443/tlsrpt"',
                    f'_dmarc IN TXT "v=DMARC1; p=reject; rua=mailto:reports@{name}"',
                    '@ IN TXT "v=spf1 ip4:127.0.0.1 -all"'))
    host("reports." + name, is_a="refuse")
    AUTHORS[name] = Author(name, (), {"r1": "rsa"})


PAIR = ("pair-one.example", "pair-two.example")
pair(PAIR[0])
pair(PAIR[1])

# ---- reports by POST -----------------------------------------------------------
zone("reports.example")
host("good.reports.example", is_a="report")
host("self.reports.example", is_a="report", cert="self", odd={"port": 8443})
for _how in ("redirect", "slow", "never", "told"):
    host(f"{_how}.reports.example", is_a="report", odd={"post": _how})
host("refuse.reports.example", is_a="refuse")


def posting(name, *rua, why="No policy, but it wants to hear of TLS by POST."):
    """A domain that wants its TLS reports there."""
    text = "v=TLSRPTv1; rua=" + ",".join(rua)
    strings = " ".join(f'"{text[i:i + 200]}"' for i in range(0, len(text), 200))
    domain(name, signing="none", transport="tls", requirement=("opportunistic",), host_=dict(cert="self"),
           records=(f"_smtp._tls IN TXT {strings}",), why=why,
           rfc=("RFC 8460 §3",))


posting("post.example", "https://good.reports.example/v1/report?from=lab#part", f"mailto:tlsrpt@{SENDER_DOMAIN}")
posting("post-odd.example", "https://redirect.reports.example/r", "https://never.reports.example/n",
        "https://127.0.0.1/address", "https://refuse.reports.example/", "https://gone.reports.example/",
        "https://self.reports.example:8443/self", "https://slow.reports.example",
        f"mailto:tlsrpt@{SENDER_DOMAIN}", "https://good.reports.example/behind")
posting("post-many.example", *(f"https://slow.reports.example/{i}" for i in range(12)))
posting("post-lost.example", "mailto:tls@never-rcpt.odd.example", "mailto:tls@later-rcpt.odd.example",
        why="No policy, but it wants to hear of TLS where nobody takes mail.")
posting("post-told.example", "https://told.reports.example/t", f"mailto:tlsrpt@{SENDER_DOMAIN}")

# ---- whom mail claims to be from: the receiver's side -------------------------
GOOD_CLIENT, OTHER_CLIENT = "127.0.26.1", "127.0.26.9"  # sources of mail; nobody listens there
BOTH = {"r1": "rsa", "e1": "ed25519"}
author("auth-good.example", spf=f"v=spf1 ip4:{GOOD_CLIENT} -all", keys=BOTH,
       dmarc="v=DMARC1; p=reject; rua=mailto:dmarc@auth-good.example")
author("auth-reject.example", spf="v=spf1 -all", dmarc="v=DMARC1; p=reject", keys={"r1": "rsa"})
author("auth-quarantine.example", spf="v=spf1 -all", dmarc="v=DMARC1; p=quarantine")
author("auth-watch.example", spf="v=spf1 -all", dmarc="v=DMARC1; p=none")
author("auth-bare.example")
author("keys.example")  # its zone is rewritten by tests/story/test_keys.py
author("auth-silent.example", spf="v=spf1 include:_tcp.mx.tlsa-timeout.example -all", dmarc="v=DMARC1; p=reject")

# Who wants DMARC reports, and where: at home, and at another organization, rua-host.example,
# that agreed, did not, moved them, or cannot be asked (RFC 9990 section 4).
_TAKES_MAIL = ("@ IN MX 10 mx.plain.example.",)


def wants_reports(name, rua, more=(), **kw):
    author(name, spf=f"v=spf1 ip4:{GOOD_CLIENT} -all", dmarc=f"v=DMARC1; p=reject; sp=quarantine; rua={rua}", more=more,
           **kw)


wants_reports("rua-home.example", "mailto:dmarc@rua-home.example,mailto:a@sub.rua-home.example%2Cb@sub.rua-home.example",
              more=(*_TAKES_MAIL, "sub IN MX 10 mx.plain.example."), keys={"r1": "rsa", "e1": "ed25519"})
wants_reports("rua-agreed.example", "mailto:dmarc@rua-host.example")
wants_reports("rua-unasked.example", "mailto:dmarc@rua-host.example,mailto:dmarc@rua-unasked.example", more=_TAKES_MAIL)
wants_reports("rua-moved.example", "mailto:old@rua-host.example,mailto:older@rua-host.example")
wants_reports("rua-lured.example", "mailto:dmarc@rua-host.example")
wants_reports("rua-unknown.example", "mailto:dmarc@keys.example")
wants_reports("rua-small.example", "mailto:dmarc@rua-small.example!1k", more=_TAKES_MAIL)
author("rua-host.example", more=(
    *_TAKES_MAIL, 'rua-agreed.example._report._dmarc IN TXT "v=DMARC1"',
    'rua-moved.example._report._dmarc IN TXT "v=DMARC1; rua=mailto:new@rua-host.example"',
    'rua-lured.example._report._dmarc IN TXT "v=DMARC1; rua=mailto:victim@plain.example"'))
# Who sends reports: keys for the service tlsrpt alone, for mail alone, and a domain of its own for each.
author("reports.example", spf=f"v=spf1 ip4:{GOOD_CLIENT} -all", dmarc="v=DMARC1; p=reject",
       keys={"mail": "rsa s=email", "tls": "rsa s=tlsrpt"})

zone("plain-hosts.example")


def _number():
    """Each host its own address: 127.0.25.1 …, fd00:25::1 …."""
    for i, h in enumerate(HOSTS.values(), 1):
        h.address = f"127.0.{25 + i // 250}.{i % 250 + 1}"
        h.address6 = f"fd00:25::{i:x}" if h.ipv6 else ""


_number()


def zone_of(name):
    """The zone that holds a name: the longest that is a suffix of it."""
    labels = name.split(".")
    for i in range(len(labels)):
        if ".".join(labels[i:]) in ZONES:
            return ".".join(labels[i:])
    return "example"


def hosts_present(geleit):
    return [h for h in HOSTS.values() if geleit or h.is_a != "geleit"]


def describe(geleit):
    """What goes into world.json."""
    out = {}
    for d in DOMAINS.values():
        if d.requires == "pair" or (d.requires and not geleit):
            continue
        row = asdict(d)
        row["zone"] = zone_of(d.name)
        row["signing"] = ZONES[row["zone"]].signing if row["zone"] in ZONES else "nsec"
        row["via"] = d.via or (d.mx[0][1] if d.mx else d.name)
        out[d.name] = row
    return {
        "sender_domain": SENDER_DOMAIN, "sender_host": SENDER_HOST,
        "resolver": RESOLVER, "root_server": ROOT_SERVER, "domains": out,
        "hosts": {h.name: asdict(h) for h in hosts_present(geleit)},
    }
