// How many messages a second one core verifies and signs, and how much of that
// is the bare key operation. Compare with `openssl speed rsa2048 ed25519 sha256`.
//
//   dkim_bench [SECONDS_EACH]
#include "auth_dkim.h"
#include "auth_dkim_sign.h"
#include "base_code.h"
#include "crypto_sign.h"
#include "dkim_letter.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds_each = 1;

// CPU time: what else the machine does is not counted.
static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct crypto_private *new_key(EVP_PKEY *generated)
{
    struct crypto_private *k = NULL;
    char *at = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (!generated || PEM_write_bio_PrivateKey(bio, generated, NULL, NULL, 0, NULL, NULL) != 1)
        panic("no key");
    long n = BIO_get_mem_data(bio, &at);
    if (!rc_ok(crypto_private_read(&k, (struct span){at, (size_t)n})))
        panic("the key does not read");
    BIO_free(bio);
    EVP_PKEY_free(generated);
    return k;
}

static struct rc sign(void *context, unsigned key, const struct crypto_digest *d,
                      struct buf *signature)
{
    (void)key;
    return crypto_sign(context, d, signature);
}

static void sign_message(struct buf *fields, const struct crypto_private *k, struct span message)
{
    struct auth_sign_key key = {crypto_private_algorithm(k), {11, "example.org"}, {1, "s"}, NULL};
    struct auth_sign_options o = {.now = {SECONDS(1800000000)}, .keys = &key, .count = 1};
    struct auth_signer *s = auth_signer_new(&o);
    auth_signer_feed(s, message);
    auth_signer_end(s);
    auth_signer_run(s, sign, (void *)(uintptr_t)k);
    if (!rc_ok(auth_signer_put(s, fields)))
        panic("not signed");
    auth_signer_free(s);
}

static void verify_message(struct span record, struct span message)
{
    struct dns_record r = {.data = record};
    struct dns_answer a = {.standing = DNS_SECURE, .presence = DNS_DATA, .count = 1, .records = &r};
    struct auth_dkim_options o = {.now = {SECONDS(1800000000)}};
    struct auth_dkim *d = auth_dkim_new(&o);
    for (; message.len; message = span_skip(message, 64 << 10))
        auth_dkim_feed(d, span_first(message, 64 << 10));
    auth_dkim_end(d);
    struct auth_step step = auth_dkim_next(d);
    for (; step.kind == AUTH_ASK_DNS; step = auth_dkim_next(d))
        auth_dkim_answer(d, step.ticket, &a);
    if (auth_dkim_overall(d) != AUTH_PASS)
        panic("not verified");
    auth_dkim_free(d);
}

static void tell(const char *what, const char *algorithm, size_t size, double count, double taken)
{
    printf("%-7s %-15s %8zu bytes %10.0f/s %8.0f MB/s\n", what, algorithm, size, count / taken,
           count * (double)size / taken / 1e6);
}

static void bench_message(const struct crypto_private *k, const char *name, size_t size)
{
    CLEANUP(buf_free) struct buf message = BUF(4 << 20), b = BUF(8 << 20), der = BUF(4096);
    CLEANUP(buf_free) struct buf record = BUF(4096);
    bool rsa = crypto_private_algorithm(k) == CRYPTO_RSA_SHA256;
    double begin = clock_now(), count = 0;
    dkim_letter(&message, size);
    for (; clock_now() - begin < seconds_each; count++) {
        buf_clear(&b);
        sign_message(&b, k, buf_span(&message));
    }
    tell("sign", name, size, count, clock_now() - begin);
    buf_put(&b, buf_span(&message));
    crypto_private_put_public(k, &der);
    buf_printf(&record, "v=DKIM1; k=%s; p=", rsa ? "rsa" : "ed25519");
    code_put_base64(&record, buf_span(&der));
    begin = clock_now();
    for (count = 0; clock_now() - begin < seconds_each; count++)
        verify_message(buf_span(&record), buf_span(&b));
    tell("verify", name, size, count, clock_now() - begin);
}

static void bench_bare(const struct crypto_private *k, const char *name)
{
    CLEANUP(buf_free) struct buf der = BUF(4096), signature = BUF(CRYPTO_SIGNATURE_MAX);
    struct crypto_digest d = crypto_sha256(SPAN("x"));
    crypto_private_put_public(k, &der);
    struct crypto_public *p = crypto_public_read(crypto_private_algorithm(k), buf_span(&der));
    double begin = clock_now(), count = 0;
    for (; clock_now() - begin < seconds_each; count++) {
        buf_clear(&signature);
        if (!rc_ok(crypto_sign(k, &d, &signature)))
            panic("not signed");
    }
    tell("bare s.", name, 32, count, clock_now() - begin);
    begin = clock_now();
    for (count = 0; clock_now() - begin < seconds_each; count++)
        if (!crypto_verify(p, &d, buf_span(&signature)))
            panic("not verified");
    tell("bare v.", name, 32, count, clock_now() - begin);
    crypto_public_free(p);
}

int main(int argc, char **argv)
{
    seconds_each = argc > 1 ? strtod(argv[1], NULL) : 1;
    struct crypto_private *keys[] = {new_key(EVP_RSA_gen(2048)),
                                     new_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"))};
    static const char *const names[] = {"rsa-2048", "ed25519"};
    for (size_t i = 0; i < 2; i++) {
        bench_bare(keys[i], names[i]);
        bench_message(keys[i], names[i], 10 << 10);
        bench_message(keys[i], names[i], 1 << 20);
        crypto_private_free(keys[i]);
    }
    return 0;
}
