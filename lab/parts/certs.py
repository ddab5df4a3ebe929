"""Certificates, good and bad, and the TLSA records that belong to them.

`cert` of a host: ca, ca:NAME (valid for NAME), self, short (for ten days), expired,
wrong-name, cn-only, rsa1024 (self-signed), ta (chain with its own trust anchor),
ta-unsent (the anchor is left out of the chain), ta-wrong-name.
"""
import datetime
import hashlib
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def _name(cn):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn[:64])])


def _build(subject, names, key, issuer, issuer_key, days=(-2, 60), ca=False):
    now = datetime.datetime.utcnow()
    b = (x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(issuer)
         .public_key(key.public_key()).serial_number(x509.random_serial_number())
         .not_valid_before(now + datetime.timedelta(days=days[0]))
         .not_valid_after(now + datetime.timedelta(days=days[1]))
         .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
    if names:
        b = b.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return b.sign(issuer_key, hashes.SHA256())


class Identity:
    """A key with its chain; `ta` is the trust anchor where there is one of its own."""

    def __init__(self, key, chain, ta):
        self.key, self.chain, self.ta = key, chain, ta

    def write(self, stem):
        with open(stem + ".pem", "wb") as f:
            f.write(b"".join(c.public_bytes(PEM) for c in self.chain))
        with open(os.open(stem + ".key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
            f.write(self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))


class Authority:
    def __init__(self, cn="Geleit lab CA"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = _build(cn, (), self.key, _name(cn), self.key, ca=True)

    def pem(self):
        return self.cert.public_bytes(PEM)

    def issue(self, names, cn=None, days=(-2, 60), key=None):
        key = key or ec.generate_private_key(ec.SECP256R1())
        cert = _build(cn or names[0], names, key, self.cert.subject, self.key, days)
        return Identity(key, [cert], self.cert)


def _self_signed(name, key=None):
    key = key or ec.generate_private_key(ec.SECP256R1())
    cert = _build(name, (name,), key, _name(name), key)
    return Identity(key, [cert], cert)


def _own_anchor(name, sent):
    ta = Authority("Private anchor of " + name)
    identity = ta.issue((name,))
    if sent:
        identity.chain.append(ta.cert)
    return identity


KINDS = {
    "ca": lambda ca, name: ca.issue((name,)),
    "self": lambda ca, name: _self_signed(name),
    "short": lambda ca, name: ca.issue((name,), days=(-2, 10)),
    "expired": lambda ca, name: ca.issue((name,), days=(-400, -35)),
    "wrong-name": lambda ca, name: ca.issue(("somebody-else.example",)),
    "cn-only": lambda ca, name: ca.issue((), cn=name),
    "rsa1024": lambda ca, name: _self_signed(name, rsa.generate_private_key(65537, 1024)),
    "ta": lambda ca, name: _own_anchor(name, True),
    "ta-unsent": lambda ca, name: _own_anchor(name, False),
    "ta-wrong-name": lambda ca, name: _own_anchor("somebody-else.example", True),
}


def make(ca, kind, name):
    if kind.startswith("ca:"):
        return ca.issue((kind[3:],))
    return KINDS[kind](ca, name)


def tlsa(identities, host, text):
    """The rdata of "USAGE SELECTOR MATCHING leaf|ta|bad[:HOST]" or "raw HEX"."""
    if text.startswith("raw"):
        data = text[4:]
        return f"TYPE52 \\# {len(data) // 2} {data}"
    usage, selector, matching, whose = text.split()
    whose, _, other = whose.partition(":")
    identity = identities[other or host]
    cert = identity.ta if whose == "ta" else identity.chain[0]
    der = cert.public_bytes(DER) if selector == "0" else cert.public_key().public_bytes(DER, SPKI)
    data = {"0": der, "2": hashlib.sha512(der).digest()}.get(matching, hashlib.sha256(der).digest())
    if whose == "bad":
        data = bytes([data[0] ^ 0xFF]) + data[1:]
    return f"TLSA {usage} {selector} {matching} {data.hex()}"
