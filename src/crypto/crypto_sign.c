#include "crypto_sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { PEM_MAX = 64 << 10, ED25519_BYTES = 32, RSA_BITS_MIN = 1024 };

struct crypto_private {
    EVP_PKEY *key;
    enum crypto_algorithm algorithm;
};

static void bio_free(BIO **b)
{
    BIO_free_all(*b);
}

static void context_free(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}

static void md_context_free(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

// Without a callback libcrypto would ask the terminal.
static int no_passphrase(char *room, int size, int writing, void *context)
{
    (void)room, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *read_pem(struct span pem)
{
    if (pem.len == 0 || pem.len > PEM_MAX)
        return NULL;
    CLEANUP(bio_free) BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    ERR_clear_error();
    return key;
}

// RFC 8301 §3.2: signers use at least 1024 bits.
static bool fits(EVP_PKEY *key, enum crypto_algorithm *a)
{
    int kind = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);
    *a = kind == EVP_PKEY_RSA ? CRYPTO_RSA_SHA256 : CRYPTO_ED25519_SHA256;
    return kind == EVP_PKEY_ED25519 ||
           (kind == EVP_PKEY_RSA && bits >= RSA_BITS_MIN && bits <= CRYPTO_RSA_BITS_MAX);
}

struct rc crypto_private_read(struct crypto_private **out, struct span pem)
{
    enum crypto_algorithm a = CRYPTO_RSA_SHA256;
    EVP_PKEY *key = read_pem(pem);
    *out = NULL;
    if (!key || !fits(key, &a)) {
        EVP_PKEY_free(key);
        return RC(CONFIG);
    }
    *out = mem_new(sizeof **out);
    **out = (struct crypto_private){key, a};
    return RC(OK);
}

void crypto_private_free(struct crypto_private *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    free(k);
}

enum crypto_algorithm crypto_private_algorithm(const struct crypto_private *k)
{
    return k->algorithm;
}

unsigned crypto_private_bits(const struct crypto_private *k)
{
    return k->algorithm == CRYPTO_RSA_SHA256 ? (unsigned)EVP_PKEY_get_bits(k->key) : 256;
}

void crypto_private_put_public(const struct crypto_private *k, struct buf *b)
{
    unsigned char raw[ED25519_BYTES], *der = NULL;
    size_t len = sizeof raw;
    if (k->algorithm == CRYPTO_ED25519_SHA256) {
        if (EVP_PKEY_get_raw_public_key(k->key, raw, &len) != 1)
            panic("a private key without its public half");
        buf_put(b, SPAN_OF(raw));
        return;
    }
    int n = i2d_PUBKEY(k->key, &der);
    if (n <= 0)
        panic("a private key without its public half");
    buf_put(b, (struct span){(const char *)der, (size_t)n});
    OPENSSL_free(der);
}

static bool rsa_sign(const struct crypto_private *k, const struct crypto_digest *d,
                     unsigned char *room, size_t *len)
{
    CLEANUP(context_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->key, NULL);
    return ctx && EVP_PKEY_sign_init(ctx) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_sign(ctx, room, len, d->at, sizeof d->at) == 1;
}

static bool ed25519_sign(const struct crypto_private *k, const struct crypto_digest *d,
                         unsigned char *room, size_t *len)
{
    CLEANUP(md_context_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    return ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key) == 1 &&
           EVP_DigestSign(ctx, room, len, d->at, sizeof d->at) == 1;
}

struct rc crypto_sign(const struct crypto_private *k, const struct crypto_digest *d,
                      struct buf *signature)
{
    unsigned char room[CRYPTO_SIGNATURE_MAX];
    size_t len = sizeof room;
    bool done = k->algorithm == CRYPTO_RSA_SHA256 ? rsa_sign(k, d, room, &len)
                                                  : ed25519_sign(k, d, room, &len);
    ERR_clear_error();
    if (!done)
        return RC(UNAVAILABLE);
    buf_put(signature, (struct span){(const char *)room, len});
    return buf_state(signature);
}
