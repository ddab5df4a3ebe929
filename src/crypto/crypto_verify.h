// Public keys as DKIM and ARC publish them, and verification with them: RSA
// PKCS#1 v1.5 over SHA-256 (RFC 8301 §3.1) and pure Ed25519 (RFC 8463 §3). Any
// RSA size up to RSA_BITS_MAX is read, whatever its strength: how many bits are
// enough is the caller's to say. A key never holds another algorithm.
#pragma once
#include "base_buf.h"
#include "crypto_digest.h"

enum crypto_algorithm { CRYPTO_RSA_SHA256, CRYPTO_ED25519_SHA256, CRYPTO_ALGORITHMS };

enum {
    CRYPTO_RSA_BITS_MAX = 8192,
    CRYPTO_SIGNATURE_MAX = CRYPTO_RSA_BITS_MAX / 8,
};

struct crypto_public;

// RSA: DER, a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) or a bare RSAPublicKey
// (RFC 8017 §A.1.1). Ed25519: the 32 bytes, or a SubjectPublicKeyInfo. Nothing
// may follow the key. Otherwise NULL: no such key, or one out of bounds.
struct crypto_public *crypto_public_read(enum crypto_algorithm a, struct span bytes);
void crypto_public_free(struct crypto_public *k); // NULL is fine
enum crypto_algorithm crypto_public_algorithm(const struct crypto_public *k);
unsigned crypto_public_bits(const struct crypto_public *k); // RSA modulus; Ed25519: 256

// Of a digest: for RSA the digest is what PKCS#1 wraps, for Ed25519 it is itself
// the message (RFC 8463 §3). False for whatever is no signature of it by this key.
bool crypto_verify(const struct crypto_public *k, const struct crypto_digest *d,
                   struct span signature);
// Of bytes: RSA over their SHA-256, Ed25519 over the bytes themselves.
bool crypto_verify_bytes(const struct crypto_public *k, struct span bytes, struct span signature);
