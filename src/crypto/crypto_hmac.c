#include "crypto_hmac.h"

#include "base_rc.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

struct crypto_digest crypto_hmac_sha256(struct span key, struct span bytes)
{
    struct crypto_digest d;
    unsigned len = 0;
    if (key.len > INT_MAX ||
        !HMAC(EVP_sha256(), key.len ? key.at : "", (int)key.len,
              (const unsigned char *)(bytes.len ? bytes.at : ""), bytes.len, d.at, &len) ||
        len != sizeof d.at)
        panic("libcrypto has no HMAC-SHA-256");
    return d;
}

bool crypto_same(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.at, b.at, a.len) == 0);
}
