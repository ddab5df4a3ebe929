"""Zone files from the table, signed by ldns, and the servers that serve them:
a root, a TLD and the rest, each nsd on its own address, with real referrals.
"""
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import world
from parts import certs, dkim_keys

NAMESERVERS = {"zones": ("ns.zones", world.ZONE_SERVER), "servfail": ("ns.zones", world.ZONE_SERVER),
               "silent": ("ns.silent", world.SILENT_SERVER)}
DELEGATED_HERE = world.SENDER_DOMAIN  # the zone that holds the name servers' names
POLICY_ADDRESS = {"stall": world.POLICY_STALL, "refused": world.POLICY_REFUSED, "trickle": world.POLICY_TRICKLE}


def _soa(ns):
    return ["$TTL 300", f"@ IN SOA {ns} hostmaster.{world.SENDER_DOMAIN}. 1 3600 600 864000 60",
            f"@ IN NS {ns}"]


def _server_name(z):
    return f"{NAMESERVERS[z.server][0]}.{DELEGATED_HERE}."


def _host_lines(h, identities):
    out = []
    if not h.dns:
        return out
    if h.ipv4:
        out.append(f"{h.name}. IN A {h.address}")
    if h.ipv6:
        out.append(f"{h.name}. IN AAAA {h.address6}")
    return out + [f"_25._tcp.{h.name}. IN {certs.tlsa(identities, h.name, t)}" for t in h.tlsa]


def _domain_lines(d, identities):
    out = [f"{d.name}. IN MX {p} {'.' if n == '.' else n + '.'}" for p, n in d.mx]
    if d.sts:
        address = POLICY_ADDRESS.get(d.sts.get("web"), world.POLICY_WEB)
        out.append(f"mta-sts.{d.name}. IN A {address}")
        out += [f'_mta-sts.{d.name}. IN TXT "v=STSv1; id=lab{i + 1};"' for i in range(d.sts.get("txt", 1))]
        rua = d.sts.get("rua", f"mailto:tlsrpt@{world.SENDER_DOMAIN}")
        out.append(f'_smtp._tls.{d.name}. IN TXT "v=TLSRPTv1; rua={rua}"')
    for line in d.records:
        line = re.sub(r"TLSA @TLSA:([^:@]+):([^@]+)@",
                      lambda m: certs.tlsa(identities, m[2], m[1]), line)
        label, rest = line.split(" ", 1)
        out.append(f"{label}.{d.name}. {rest}" if not label.endswith(".") else line)
    return out


# What is changed in a zone after it was signed.
FORGERIES = {
    "bogus": lambda t: re.sub(r"(?m)^(mx\.\S+\s.*\sA\s+)127\.\S+", r"\g<1>127.0.66.6", t),
    "bogus-mx": lambda t: re.sub(r"(\sMX\s+)10(\s)", r"\g<1>11\2", t),
    "bogus-tlsa": lambda t: re.sub(r"(\sTLSA\s+3 1 1\s+)([0-9a-fA-F]{4})", r"\g<1>dead", t),
}
# ldns writes a TLSA record of three bytes in a form that nsd does not read.
SHORT_TLSA = re.compile(r"(?m)(\s)TLSA\s+3 1 1\s*$")
SIGNER_FLAGS = {"nsec3": ["-n", "-t", "1", "-s", "abcd"], "expired": ["-i", "20200101000000", "-e", "20200201000000"]}


class Zones:
    def __init__(self, folder, identities, keygen, signzone):
        self.folder, self.identities = folder, identities
        self.keygen, self.signzone = keygen, signzone
        os.makedirs(folder, exist_ok=True)

    def _run(self, program, *args):
        done = subprocess.run([program.path, *args], cwd=self.folder, env=program.env(), timeout=30,
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{os.path.basename(program.path)} {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _sign(self, apex, stem, signing):
        """Signs STEM.zone into STEM.signed; gives the DS lines."""
        key = self._run(self.keygen, "-a", "ECDSAP256SHA256", "-k", "-r", "/dev/urandom", apex)
        self._run(self.signzone, *SIGNER_FLAGS.get(signing, []), "-o", apex, "-f", stem + ".signed",
                  stem + ".zone", key)
        self._alter(stem + ".signed", lambda t: SHORT_TLSA.sub(r"\1TYPE52\t\\# 3 030101", t))
        if signing in FORGERIES:
            assert self._alter(stem + ".signed", FORGERIES[signing]), f"nothing to forge in {stem}"
        with open(self._path(key + ".ds"), encoding="ascii") as f:
            return f.read().split("\n")[:1], key

    def _alter(self, stem, change):
        with open(self._path(stem), encoding="ascii") as f:
            before = f.read()
        after = change(before)
        if after != before:
            with open(self._path(stem), "w", encoding="ascii") as f:
                f.write(after)
        return after != before

    def _write(self, stem, lines):
        with open(self._path(stem), "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")

    def _leaf_lines(self, name):
        z = world.ZONES[name]
        out = _soa(_server_name(z))
        if name == DELEGATED_HERE:
            out += sorted({f"{ns}.{name}. IN A {a}" for ns, a in NAMESERVERS.values()})
        for d in world.DOMAINS.values():
            if world.zone_of(d.name) == name:
                out += _domain_lines(d, self.identities)
        if name in world.AUTHORS:
            keys = os.path.join(os.path.dirname(self.folder), "dkim")
            out += [*world.AUTHORS[name].records, *dkim_keys.make(keys, world.AUTHORS[name])]
        for h in world.HOSTS.values():
            if world.zone_of(h.name) == name:
                out += _host_lines(h, self.identities)
        return out

    def build(self):
        """Writes and signs all; gives what nsd is to serve, by server address."""
        leaves = [n for n, z in world.ZONES.items() if z.server == "zones"]
        for n in leaves:
            signed = world.ZONES[n].signing != "none"
            self._write(n + (".zone" if signed else ".signed"), self._leaf_lines(n))
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(self._sign, n + ".", n, world.ZONES[n].signing) for n in leaves
                    if world.ZONES[n].signing != "none"]
            ds = [line for j in jobs for line in j.result()[0]]
        self._tld(world.ZONES, ds)
        failing = [n for n, z in world.ZONES.items() if z.server == "servfail"]
        return {world.ROOT_SERVER: {".": "root.signed"}, world.TLD_SERVER: {"example": "example.signed"},
                world.ZONE_SERVER: {**{n: n + ".signed" for n in leaves},
                                    **{n: "no-such-file" for n in failing}}}

    def _tld(self, names, ds):
        lines = _soa("ns.example.") + [f"ns.example. IN A {world.TLD_SERVER}"]
        for n in names:
            if n.count(".") == 1:
                lines.append(f"{n}. IN NS {_server_name(world.ZONES[n])}")
        lines += sorted({f"{ns}.{DELEGATED_HERE}. IN A {a}" for ns, a in NAMESERVERS.values()})  # glue
        self._write("example.zone", lines + ds)
        tld_ds, _ = self._sign("example.", "example", "nsec")
        self._write("root.zone", _soa("a.root-servers.lab.")
                    + [f"a.root-servers.lab. IN A {world.ROOT_SERVER}", "example. IN NS ns.example.",
                       f"ns.example. IN A {world.TLD_SERVER}"] + tld_ds)
        anchor, key = self._sign(".", "root", "nsec")
        with open(self._path(key + ".key"), encoding="ascii") as f:
            self.anchor = anchor + [f.read().split("\n")[0]]

    def write_hints(self, anchor, hints):
        """The trust anchor (as DS) and root hints, as resolvers read them."""
        with open(anchor, "w", encoding="ascii") as f:
            f.write(self.anchor[0] + "\n")
        with open(hints, "w", encoding="ascii") as f:
            f.write(f". 3600 IN NS a.root-servers.lab.\na.root-servers.lab. 3600 IN A {world.ROOT_SERVER}\n")


NSD_CONF = """server:
  ip-address: {address}
  port: 53
  username: ""
  zonesdir: "{folder}"
  database: ""
  zonelistfile: "{own}/zone.list"
  xfrdfile: ""
  pidfile: "{own}/nsd.pid"
  xfrdir: "{own}"
  server-count: 1
  hide-version: yes
  reuseport: no
remote-control:
  control-enable: no
"""


def nsd_config(folder, address, served):
    own = os.path.join(folder, "nsd-" + address)
    os.makedirs(own, exist_ok=True)
    text = NSD_CONF.format(address=address, folder=folder, own=own)
    for name, path in served.items():
        text += f'zone:\n  name: "{name}"\n  zonefile: "{path}"\n'
    with open(os.path.join(own, "nsd.conf"), "w", encoding="ascii") as f:
        f.write(text)
    return os.path.join(own, "nsd.conf")
