// Certificates made on the spot for the TLS tests.
#pragma once
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base_rc.h"
#include "base_span.h"

struct pki {
    EVP_PKEY *key;
    X509 *cert;
};

static inline EVP_PKEY *pki_key(unsigned rsa_bits)
{
    EVP_PKEY *key = rsa_bits ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256");
    if (!key)
        panic("no key");
    return key;
}

static inline void pki_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!e || !X509_add_ext(x, e, -1))
        panic("no extension %s", value);
    X509_EXTENSION_free(e);
}

// `san`: "DNS:a,DNS:b" or NULL; days: validity from now; issuer NULL: self-signed.
static inline struct pki pki_new(const char *cn, const char *san, int from_days, int to_days,
                                 bool ca, const struct pki *issuer, unsigned rsa_bits)
{
    static long serial;
    struct pki p = {pki_key(rsa_bits), X509_new()};
    X509 *x = p.cert;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), from_days * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(x), to_days * 86400L);
    X509_set_pubkey(x, p.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer->cert : x));
    pki_extension(x, NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (san)
        pki_extension(x, NID_subject_alt_name, san);
    if (!X509_sign(x, issuer ? issuer->key : p.key, EVP_sha256()))
        panic("no signature");
    return p;
}

static inline void pki_free(struct pki *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    *p = (struct pki){0};
}

// The text is the caller's to free.
static inline char *pki_text(BIO *bio)
{
    char *at;
    long n = BIO_get_mem_data(bio, &at);
    char *text = mem_new((size_t)n + 1);
    span_bytes(text, (size_t)n, (struct span){at, (size_t)n});
    BIO_free(bio);
    return text;
}

static inline char *pki_chain_pem(X509 *leaf, X509 *next)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, leaf);
    if (next)
        PEM_write_bio_X509(bio, next);
    return pki_text(bio);
}

static inline char *pki_key_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return pki_text(bio);
}

static inline void pki_spki_sha256(X509 *x, unsigned char out[32])
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
}
