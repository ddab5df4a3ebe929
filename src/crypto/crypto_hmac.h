// HMAC-SHA-256 (RFC 2104), and comparing what must not be guessed byte by byte.
#pragma once
#include "crypto_digest.h"

struct crypto_digest crypto_hmac_sha256(struct span key, struct span bytes);
// In a time that depends on the lengths only.
bool crypto_same(struct span a, struct span b);
