// Certificates and keys from PEM texts, and the names in them.
#include "io_tls_inner.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

static const char *chain_rest(struct io_tls_identity *id, BIO *bio)
{
    X509 *x;
    while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)))
        if (!sk_X509_push(id->chain, x)) {
            X509_free(x);
            return "The certificate chain holds a certificate that cannot be used.";
        }
    unsigned long end = ERR_peek_last_error();
    if (ERR_GET_REASON(end) != PEM_R_NO_START_LINE)
        return "The certificate chain holds a certificate that cannot be read.";
    return NULL;
}

static const char *chain_take(struct io_tls_identity *id, BIO *bio)
{
    id->leaf = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    id->chain = sk_X509_new_null();
    if (!id->leaf || !id->chain)
        return "The certificate file holds no PEM certificate.";
    return chain_rest(id, bio);
}

static const char *key_take(struct io_tls_identity *id, BIO *bio)
{
    id->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (!id->key)
        return "The key file holds no PEM private key, or one with a passphrase.";
    id->type = EVP_PKEY_get_base_id(id->key);
    return X509_check_private_key(id->leaf, id->key) == 1
               ? NULL
               : "The private key does not belong to the certificate.";
}

static const char *pem_take(struct io_tls_identity *id, struct span pem,
                            const char *(*take)(struct io_tls_identity *id, BIO *bio))
{
    BIO *bio = pem.len < INT32_MAX ? BIO_new_mem_buf(pem.at ? pem.at : "", (int)pem.len) : NULL;
    if (!bio)
        return "A PEM file is too large.";
    const char *wrong = take(id, bio);
    BIO_free(bio);
    return wrong;
}

const char *io_tls_identity_read(struct io_tls_identity *id, const struct io_tls_pair *pair)
{
    *id = (struct io_tls_identity){0};
    ERR_clear_error();
    const char *wrong = pem_take(id, pair->chain, chain_take);
    if (!wrong)
        wrong = pem_take(id, pair->key, key_take);
    ERR_clear_error();
    if (wrong)
        io_tls_identity_free(id);
    return wrong;
}

void io_tls_identity_free(struct io_tls_identity *id)
{
    X509_free(id->leaf);
    EVP_PKEY_free(id->key);
    sk_X509_pop_free(id->chain, X509_free);
    *id = (struct io_tls_identity){0};
}

// A name with a NUL or a control character in it is somebody's trick, and none.
static bool name_of(const ASN1_STRING *text, struct span *out)
{
    *out =
        (struct span){(const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)};
    for (size_t i = 0; i < out->len; i++)
        if (out->at[i] <= ' ' || out->at[i] > '~')
            return false;
    return out->len > 0 && out->len <= 253;
}

static size_t common_name(X509 *x, void (*each)(void *arg, struct span name), void *arg)
{
    X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    struct span name;
    if (at < 0 || !name_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), &name))
        return 0;
    each(arg, name);
    return 1;
}

size_t io_tls_names(X509 *x, bool common, void (*each)(void *arg, struct span name), void *arg)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    size_t count = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
        struct span name;
        if (one->type != GEN_DNS || !name_of(one->d.dNSName, &name))
            continue;
        each(arg, name);
        count++;
    }
    GENERAL_NAMES_free(all);
    return count || !common ? count : common_name(x, each, arg);
}

static int64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

static void first_name(void *arg, struct span name)
{
    struct io_tls_about *about = arg;
    if (!about->name[0])
        (void)span_copy(about->name, sizeof about->name, name);
}

struct rc io_tls_pair_about(struct io_tls_about *out, const struct io_tls_pair *pair,
                            const char **why)
{
    struct io_tls_identity id;
    *out = (struct io_tls_about){0};
    *why = io_tls_identity_read(&id, pair);
    if (*why)
        return RC(CONFIG);
    *why = "";
    out->from = seconds_of(X509_get0_notBefore(id.leaf));
    out->until = seconds_of(X509_get0_notAfter(id.leaf));
    (void)io_tls_names(id.leaf, true, first_name, out);
    io_tls_identity_free(&id);
    return RC(OK);
}
