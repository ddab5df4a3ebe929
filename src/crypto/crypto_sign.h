// Private keys and signing with them, as counterpart of crypto_verify.h. Only
// the process that keeps the keys has one; DKIM's machines never see it.
#pragma once
#include "crypto_verify.h"

struct crypto_private;

// From PEM: PKCS#8, or the traditional form of an RSA key; never encrypted (no
// passphrase is ever asked for). CONFIG: no key that we can sign with.
struct rc crypto_private_read(struct crypto_private **out, struct span pem);
void crypto_private_free(struct crypto_private *k); // NULL is fine
enum crypto_algorithm crypto_private_algorithm(const struct crypto_private *k);
unsigned crypto_private_bits(const struct crypto_private *k);
// What crypto_public_read takes, in the form DKIM publishes: SubjectPublicKeyInfo
// for RSA, the 32 bytes for Ed25519 (RFC 8463 §4.2).
void crypto_private_put_public(const struct crypto_private *k, struct buf *b);

// Appends the signature of the digest, as crypto_verify() reads it.
struct rc crypto_sign(const struct crypto_private *k, const struct crypto_digest *d,
                      struct buf *signature);
