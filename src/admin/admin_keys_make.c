// A new DKIM key: the only place where Geleit makes private keys.
#include "admin_keys.h"

#include "base_code.h"
#include "crypto_sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

enum { SAME_DAY = 1000, DAY = 10 }; // DAY: "2026-11-22"

static void key_free(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void bio_free(BIO **b)
{
    BIO_free_all(*b);
}

// Reserved at once: no copies of a key are left behind by growing.
static bool make_pem(const struct auth_key *wish, struct buf *pem)
{
    CLEANUP(key_free)
    EVP_PKEY *key = wish->algorithm == CRYPTO_RSA_SHA256
                        ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)wish->bits)
                        : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    CLEANUP(bio_free) BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    if (!key || !bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return false;
    long len = BIO_get_mem_data(bio, &text);
    if (len <= 0 || !rc_ok(buf_reserve(pem, (size_t)len)))
        return false;
    buf_put(pem, (struct span){text, (size_t)len});
    return true;
}

// What is written down of a key is read from the private one.
static bool describe(struct auth_key *key, struct span pem)
{
    CLEANUP(buf_free) struct buf raw = BUF(AUTH_KEY_PUBLIC_MAX), text = BUF(AUTH_KEY_PUBLIC_MAX);
    struct crypto_private *private = NULL;
    if (!rc_ok(crypto_private_read(&private, pem)))
        return false;
    key->algorithm = crypto_private_algorithm(private);
    key->bits = crypto_private_bits(private);
    crypto_private_put_public(private, &raw);
    crypto_private_free(private);
    code_put_base64(&text, buf_span(&raw));
    return span_copy(key->public_key, sizeof key->public_key, buf_span(&text));
}

// "r20261122", "r20261122-2"…: when a record was made can be seen in DNS.
static bool name_by_date(const struct admin_keys *k, struct auth_key *wish)
{
    CLEANUP(buf_free) struct buf date = BUF(64), name = BUF(64);
    time_put_iso(&date, k->now);
    for (int n = 1; n < SAME_DAY; n++) {
        buf_clear(&name);
        buf_putc(&name, *auth_key_algorithm_text(wish->algorithm));
        for (size_t i = 0; i < DAY; i++)
            if (date.at[i] != '-')
                buf_putc(&name, date.at[i]);
        if (n > 1)
            buf_printf(&name, "-%d", n);
        if (!dns_name_parse_host(&wish->selector, buf_span(&name)) || !auth_key_owner(wish).len)
            return false;
        if (!proc_keys_taken(&k->folder, wish))
            return true;
    }
    return false;
}

int admin_keys_make(struct admin_keys *k, struct auth_key *wish, size_t *at)
{
    CLEANUP(buf_wipe) struct buf pem = BUF(64 << 10);
    struct conf_fault fault;
    if (wish->selector.len == 0 && !name_by_date(k, wish))
        return admin_complain("no selector can be made of the date for %s; give one with "
                              "--selector",
                              wish->domain.text);
    wish->created = k->now;
    if (!make_pem(wish, &pem) || !describe(wish, buf_span(&pem))) {
        ERR_clear_error();
        admin_complain("the key could not be made");
        return ADMIN_LATER;
    }
    struct rc rc = proc_keys_make(&k->folder, wish, buf_span(&pem), &fault);
    if (!rc_ok(rc))
        return admin_keys_fault(rc, &fault);
    *at = auth_keys_find(&k->folder.keys, &wish->domain, &wish->selector);
    return ADMIN_DONE;
}
