#include "crypto_verify.h"

#include "crypto_der.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { DER_MAX = 4096, EXPONENT_BITS_MAX = 64, RSA_BITS_MIN = 256 };

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

static void params_free(OSSL_PARAM **p)
{
    OSSL_PARAM_free(*p);
}

static void builder_free(OSSL_PARAM_BLD **b)
{
    OSSL_PARAM_BLD_free(*b);
}

static BIGNUM *number(struct span s)
{
    return BN_bin2bn((const unsigned char *)s.at, (int)s.len, NULL);
}

static EVP_PKEY *make_rsa(const BIGNUM *n, const BIGNUM *e)
{
    CLEANUP(builder_free) OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    CLEANUP(context_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    if (!b || !ctx || OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return NULL;
    CLEANUP(params_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return key;
}

// A large exponent makes verification as slow as the key's owner likes; 1
// makes every number its own signature.
static bool rsa_fits(const BIGNUM *n, const BIGNUM *e)
{
    int bits = BN_num_bits(n);
    return bits >= RSA_BITS_MIN && bits <= CRYPTO_RSA_BITS_MAX && BN_is_odd(n) && BN_is_odd(e) &&
           !BN_is_one(e) && BN_num_bits(e) <= EXPONENT_BITS_MAX;
}

static EVP_PKEY *read_rsa(struct span der)
{
    struct span modulus, exponent;
    if (!crypto_der_rsa(der, &modulus, &exponent))
        return NULL;
    CLEANUP(bignum_free) BIGNUM *n = number(modulus);
    CLEANUP(bignum_free) BIGNUM *e = number(exponent);
    return n && e && rsa_fits(n, e) ? make_rsa(n, e) : NULL;
}

static EVP_PKEY *read_ed25519(struct span bytes)
{
    struct span key;
    if (!crypto_der_ed25519(bytes, &key))
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)key.at,
                                       key.len);
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
