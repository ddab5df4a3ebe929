#include "crypto_digest.h"

#include "base_rc.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>

struct crypto_hash {
    EVP_MD_CTX *ctx;
};

struct crypto_digest crypto_sha256(struct span bytes)
{
    struct crypto_digest d;
    SHA256((const unsigned char *)(bytes.at ? bytes.at : ""), bytes.len, d.at);
    return d;
}

static void start(struct crypto_hash *h)
{
    if (EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
        panic("libcrypto has no SHA-256");
}

struct crypto_hash *crypto_hash_new(void)
{
    struct crypto_hash *h = mem_new(sizeof *h);
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx)
        panic("out of memory for a digest");
    start(h);
    return h;
}

void crypto_hash_feed(struct crypto_hash *h, struct span bytes)
{
    if (bytes.len && EVP_DigestUpdate(h->ctx, bytes.at, bytes.len) != 1)
        panic("digest refused its input");
}

struct crypto_digest crypto_hash_done(struct crypto_hash *h)
{
    struct crypto_digest d;
    if (EVP_DigestFinal_ex(h->ctx, d.at, NULL) != 1)
        panic("digest did not end");
    start(h);
    return d;
}

void crypto_hash_free(struct crypto_hash *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}
