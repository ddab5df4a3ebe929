// Passwords as a server keeps them: hashes in crypt(5)'s form, new ones by
// yescrypt, and what both sides of SCRAM (RFC 5802) need. Passwords come here
// prepared (sasl_prep.h); none is kept, working copies are wiped.
#pragma once
#include "base_buf.h"
#include "crypto_digest.h"

enum {
    CRYPTO_PASSWORD_MAX = 255, // bytes; longer ones belong to nobody
    CRYPTO_SALT_BYTES = 16,
    CRYPTO_SALT_MAX = 64,
    // RFC 7677 §4: at least 4096; about 15,000 as a rule of thumb.
    CRYPTO_SCRAM_ITERATIONS = 20000,
    CRYPTO_SCRAM_ITERATIONS_LEAST = 4096,
    CRYPTO_SCRAM_ITERATIONS_MOST = 1000000,
};

// Appends "$y$…". `random`: CRYPTO_SALT_BYTES that were never used before.
// FULL: too long a password; UNAVAILABLE: libcrypt has no yescrypt.
struct rc crypto_password_hash(struct buf *out, struct span password, struct span random);
// A hash that can be checked, and by no method that is broken (DES, MD5).
bool crypto_password_readable(struct span hash);
// False for another password, and for whatever is no hash: after the same work.
bool crypto_password_check(struct span hash, struct span password);

// What SCRAM-SHA-256 needs of a user: no password can be had from it but by trying.
struct crypto_scram {
    uint32_t iterations;
    unsigned char salt[CRYPTO_SALT_MAX];
    size_t salt_len;
    struct crypto_digest stored, server; // StoredKey, ServerKey
};
// Hi() of RFC 5802 §2.2.
struct crypto_digest crypto_pbkdf2(struct span password, struct span salt, uint32_t iterations);
void crypto_scram_make(struct crypto_scram *out, struct span password, struct span salt,
                       uint32_t iterations);
// "SCRAM-SHA-256$20000:SALT$STOREDKEY:SERVERKEY" (the form of RFC 5803 §3).
void crypto_scram_put(struct buf *b, const struct crypto_scram *s);
bool crypto_scram_parse(struct crypto_scram *out, struct span text);
// Of a client that holds the password; ServerSignature is for it to see that we do.
bool crypto_scram_proves(const struct crypto_scram *s, struct span auth_message, struct span proof);
struct crypto_digest crypto_scram_signature(const struct crypto_scram *s, struct span auth_message);
bool crypto_scram_password(const struct crypto_scram *s, struct span password);
