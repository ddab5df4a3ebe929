// What dkim_bench measures, done by libopendkim: as its own filter uses it, with
// relaxed/relaxed and the key record at hand.
//
//   opendkim_bench [SECONDS_EACH]
#include "base_code.h"
#include "base_rc.h"
#include "dkim_letter.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/types.h> // dkim.h wants it before
#include <opendkim/dkim.h>

static double seconds_each = 1;
static struct buf record = {.max = 4096}; // of the key at hand

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static DKIM_CBSTAT key_lookup(DKIM *d, DKIM_SIGINFO *sig, unsigned char *room, size_t size)
{
    (void)d, (void)sig;
    if (!span_copy((char *)room, size, buf_span(&record)))
        panic("a record that is too large");
    return DKIM_CBSTAT_CONTINUE;
}

static void must(DKIM_STAT s, const char *what)
{
    if (s != DKIM_STAT_OK)
        panic("%s: %s", what, dkim_getresultstr(s));
}

// libopendkim takes a field at a time, without the CRLF at its end.
static void feed(DKIM *d, struct span message)
{
    const char *end = memmem(message.at, message.len, "\r\n\r\n", 4);
    struct span header = span_first(message, (size_t)(end - message.at) + 2);
    struct span body = span_skip(message, header.len + 2);
    while (header.len) {
        size_t n = 0;
        do
            n += (size_t)((const char *)memmem(header.at + n, header.len - n, "\r\n", 2) -
                          (header.at + n)) +
                 2;
        while (n < header.len && (header.at[n] == ' ' || header.at[n] == '\t'));
        must(dkim_header(d, (unsigned char *)(uintptr_t)header.at, n - 2), "dkim_header");
        header = span_skip(header, n);
    }
    must(dkim_eoh(d), "dkim_eoh");
    for (; body.len; body = span_skip(body, 64 << 10)) {
        struct span chunk = span_first(body, 64 << 10);
        must(dkim_body(d, (unsigned char *)(uintptr_t)chunk.at, chunk.len), "dkim_body");
    }
    must(dkim_eom(d, NULL), "dkim_eom");
}

static void sign_message(DKIM_LIB *lib, const char *pem, dkim_alg_t algorithm, struct span message,
                         struct buf *field)
{
    DKIM_STAT s;
    unsigned char *text;
    size_t size;
    DKIM *d = dkim_sign(lib, (const unsigned char *)"1", NULL, (unsigned char *)(uintptr_t)pem,
                        (const unsigned char *)"s", (const unsigned char *)"example.org",
                        DKIM_CANON_RELAXED, DKIM_CANON_RELAXED, algorithm, -1, &s);
    must(s, "dkim_sign");
    feed(d, message);
    must(dkim_getsighdr_d(d, 16, &text, &size), "dkim_getsighdr_d");
    buf_printf(field, "DKIM-Signature: ");
    for (size_t i = 0; i < size; i++)
        if (text[i] != '\r')
            buf_put(field, text[i] == '\n' ? SPAN("\r\n") : (struct span){(char *)&text[i], 1});
    buf_put(field, SPAN("\r\n"));
    dkim_free(d);
}

static void verify_message(DKIM_LIB *lib, struct span message)
{
    DKIM_STAT s;
    DKIM *d = dkim_verify(lib, (const unsigned char *)"1", NULL, &s);
    must(s, "dkim_verify");
    feed(d, message);
    DKIM_SIGINFO *sig = dkim_getsignature(d);
    if (!sig || !(dkim_sig_getflags(sig) & DKIM_SIGFLAG_PASSED) ||
        dkim_sig_getbh(sig) != DKIM_SIGBH_MATCH)
        panic("not verified");
    dkim_free(d);
}

static void tell(const char *what, const char *name, size_t size, double count, double taken)
{
    printf("%-7s %-15s %8zu bytes %10.0f/s %8.0f MB/s\n", what, name, size, count / taken,
           count * (double)size / taken / 1e6);
}

static void bench(DKIM_LIB *lib, const char *pem, dkim_alg_t algorithm, const char *name,
                  size_t size)
{
    CLEANUP(buf_free) struct buf message = BUF(4 << 20), b = BUF(8 << 20);
    double begin = clock_now(), count = 0;
    dkim_letter(&message, size);
    for (; clock_now() - begin < seconds_each; count++) {
        buf_clear(&b);
        sign_message(lib, pem, algorithm, buf_span(&message), &b);
    }
    tell("sign", name, size, count, clock_now() - begin);
    buf_put(&b, buf_span(&message));
    begin = clock_now();
    for (count = 0; clock_now() - begin < seconds_each; count++)
        verify_message(lib, buf_span(&b));
    tell("verify", name, size, count, clock_now() - begin);
}

static void put_record(EVP_PKEY *key, bool rsa)
{
    unsigned char *der = NULL, raw[32];
    size_t size = sizeof raw;
    buf_clear(&record);
    buf_printf(&record, "v=DKIM1; k=%s; p=", rsa ? "rsa" : "ed25519");
    if (rsa)
        size = (size_t)i2d_PUBKEY(key, &der);
    else if (EVP_PKEY_get_raw_public_key(key, raw, &size) != 1)
        panic("no key");
    code_put_base64(&record, (struct span){rsa ? (char *)der : (char *)raw, size});
    OPENSSL_free(der);
}

static void with_key(DKIM_LIB *lib, EVP_PKEY *key, bool rsa, const char *name)
{
    char pem[4096] = "", *at = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (!key || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        panic("no key");
    long n = BIO_get_mem_data(bio, &at);
    if (!span_copy(pem, sizeof pem, (struct span){at, (size_t)n}))
        panic("a key that is too large");
    BIO_free(bio);
    put_record(key, rsa);
    EVP_PKEY_free(key);
    dkim_alg_t algorithm = rsa ? DKIM_SIGN_RSASHA256 : DKIM_SIGN_ED25519SHA256;
    bench(lib, pem, algorithm, name, 10 << 10);
    bench(lib, pem, algorithm, name, 1 << 20);
}

int main(int argc, char **argv)
{
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    seconds_each = argc > 1 ? strtod(argv[1], NULL) : 1;
    if (!lib)
        panic("no libopendkim");
    dkim_set_key_lookup(lib, key_lookup);
    with_key(lib, EVP_RSA_gen(2048), true, "rsa-2048");
    with_key(lib, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), false, "ed25519");
    dkim_close(lib);
    buf_free(&record);
    return 0;
}
