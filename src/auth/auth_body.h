// Body hashes of several signatures in one pass: those of the same canonical
// form and length share one, those of the same form share its canonicalization.
#pragma once
#include "auth_canon.h"
#include "crypto_digest.h"

enum { AUTH_BODY_HASHES_MAX = 10 };
#define AUTH_BODY_WHOLE UINT64_MAX

struct auth_body_hash {
    enum auth_canon how;
    uint64_t length; // hashed at most (l=), or AUTH_BODY_WHOLE
    uint64_t taken;
    struct crypto_hash *hash;
    struct crypto_digest digest; // after auth_body_end
};

struct auth_body {
    size_t count;
    struct auth_body_hash hashes[AUTH_BODY_HASHES_MAX];
    struct auth_canon_body canon[AUTH_CANONS];
};

// Which hash will be that; before the first byte. Not more than the maximum.
size_t auth_body_want(struct auth_body *b, enum auth_canon how, uint64_t length);
void auth_body_feed(struct auth_body *b, struct span chunk);
void auth_body_end(struct auth_body *b);
uint64_t auth_body_len(const struct auth_body *b, size_t hash); // of the whole canonical body
void auth_body_free(struct auth_body *b);
