#include "crypto_verify.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { ED25519_BYTES = 32, DER_MAX = 4096, EXPONENT_BITS_MAX = 64, RSA_BITS_MIN = 256 };

struct crypto_public {
    EVP_PKEY *key;
    enum crypto_algorithm algorithm;
    unsigned bits;
};

static void bignum_free(BIGNUM **n)
{
    BN_free(*n);
}

static void context_free(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}

static void md_context_free(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

static EVP_PKEY *read_spki(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (key && at != (const unsigned char *)der.at + der.len) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static EVP_PKEY *read_pkcs1(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    EVP_PKEY *key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.len);
    if (key && at != (const unsigned char *)der.at + der.len) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

// A large exponent makes verification as slow as the key's owner likes; 1
// makes every number its own signature.
static bool exponent_fits(EVP_PKEY *key)
{
    CLEANUP(bignum_free) BIGNUM *e = NULL;
    return EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) &&
           !BN_is_one(e) && BN_num_bits(e) <= EXPONENT_BITS_MAX;
}

static bool rsa_fits(EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? EVP_PKEY_get_bits(key) : 0;
    return bits >= RSA_BITS_MIN && bits <= CRYPTO_RSA_BITS_MAX && exponent_fits(key);
}

static EVP_PKEY *read_rsa(struct span der)
{
    EVP_PKEY *key = read_spki(der);
    key = key ? key : read_pkcs1(der);
    if (key && rsa_fits(key))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *read_ed25519(struct span bytes)
{
    if (bytes.len == ED25519_BYTES)
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)bytes.at,
                                           ED25519_BYTES);
    EVP_PKEY *key = read_spki(bytes);
    if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

struct crypto_public *crypto_public_read(enum crypto_algorithm a, struct span bytes)
{
    if (bytes.len == 0 || bytes.len > DER_MAX)
        return NULL;
    EVP_PKEY *key = a == CRYPTO_RSA_SHA256 ? read_rsa(bytes) : read_ed25519(bytes);
    ERR_clear_error(); // what a foreign key is not says nothing to the next caller
    if (!key)
        return NULL;
    struct crypto_public *k = mem_new(sizeof *k);
    unsigned bits = a == CRYPTO_RSA_SHA256 ? (unsigned)EVP_PKEY_get_bits(key) : 256;
    *k = (struct crypto_public){key, a, bits};
    return k;
}

void crypto_public_free(struct crypto_public *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    free(k);
}

enum crypto_algorithm crypto_public_algorithm(const struct crypto_public *k)
{
    return k->algorithm;
}

unsigned crypto_public_bits(const struct crypto_public *k)
{
    return k->bits;
}

static const unsigned char *bytes_of(struct span s)
{
    return (const unsigned char *)(s.at ? s.at : "");
}

static bool rsa_verify(const struct crypto_public *k, const struct crypto_digest *d,
                       struct span signature)
{
    CLEANUP(context_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->key, NULL);
    return ctx && EVP_PKEY_verify_init(ctx) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_verify(ctx, bytes_of(signature), signature.len, d->at, sizeof d->at) == 1;
}

static bool ed25519_verify(const struct crypto_public *k, struct span bytes, struct span signature)
{
    CLEANUP(md_context_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    return ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->key) == 1 &&
           EVP_DigestVerify(ctx, bytes_of(signature), signature.len, bytes_of(bytes), bytes.len) ==
               1;
}

bool crypto_verify(const struct crypto_public *k, const struct crypto_digest *d,
                   struct span signature)
{
    bool good = k->algorithm == CRYPTO_RSA_SHA256 ? rsa_verify(k, d, signature)
                                                  : ed25519_verify(k, SPAN_OF(d->at), signature);
    ERR_clear_error();
    return good;
}

bool crypto_verify_bytes(const struct crypto_public *k, struct span bytes, struct span signature)
{
    struct crypto_digest d;
    if (k->algorithm == CRYPTO_RSA_SHA256) {
        d = crypto_sha256(bytes);
        return crypto_verify(k, &d, signature);
    }
    bool good = ed25519_verify(k, bytes, signature);
    ERR_clear_error();
    return good;
}
