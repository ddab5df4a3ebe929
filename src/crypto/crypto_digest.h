// SHA-256, whole and in pieces: a thin, typed face of libcrypto.
#pragma once
#include "base_span.h"

struct crypto_digest {
    unsigned char at[32];
};

struct crypto_digest crypto_sha256(struct span bytes);

struct crypto_hash; // a digest under way
struct crypto_hash *crypto_hash_new(void);
void crypto_hash_feed(struct crypto_hash *h, struct span bytes);
struct crypto_digest crypto_hash_done(struct crypto_hash *h); // and starts anew
void crypto_hash_free(struct crypto_hash *h);
