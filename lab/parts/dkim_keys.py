"""DKIM keys of the domains that mail claims to be from, and their records."""
import base64
import os

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

PEM, DER, RAW = serialization.Encoding.PEM, serialization.Encoding.DER, serialization.Encoding.Raw
PUBLIC = serialization.PublicFormat


def _public(key):
    if isinstance(key, rsa.RSAPrivateKey):
        return key.public_key().public_bytes(DER, PUBLIC.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(RAW, PUBLIC.Raw)  # RFC 8463 section 4.2


def _record(kind, service, key):
    text = f"v=DKIM1; k={kind};{f' {service};' if service else ''} p=" + base64.b64encode(_public(key)).decode()
    return " ".join(f'"{text[i:i + 200]}"' for i in range(0, len(text), 200))


def make(folder, author):
    """Writes the private keys; gives lines for the zone."""
    os.makedirs(folder, exist_ok=True)
    out = []
    for selector, kind in author.keys.items():
        kind, _, service = kind.partition(" ")
        key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
        pem = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        with open(os.path.join(folder, f"{author.name}.{selector}.pem"), "wb") as f:
            f.write(pem)
        out.append(f"{selector}._domainkey IN TXT {_record(kind, service, key)}")
    return out
