// The DER of public keys, just as much as RSA and Ed25519 need. libcrypto's own
// decoders try every form of every key and take ten times as long as the
// verification that follows; here foreign bytes meet one short reader.
#pragma once
#include "base_span.h"

// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) of RSA (RFC 3279 §2.3.1; parameters NULL
// or left out), or a bare RSAPublicKey (RFC 8017 §A.1.1). Strict DER, positive
// numbers, nothing behind. Big-endian, without leading zeros.
bool crypto_der_rsa(struct span der, struct span *modulus, struct span *exponent);
// The 32 bytes of an Ed25519 SubjectPublicKeyInfo (RFC 8410 §4), or they themselves.
bool crypto_der_ed25519(struct span der, struct span *key);
