// OpenSSL's own DANE cases through our setting up of a session. Where SMTP differs
// from what the suite was written for, RFC 7672 §3.1 decides: usages 0 and 1 do
// not count, and for usage 3 names do not.
#include "io_test.h"

#include "base_code.h"
#include "io_pki.h"
#include "io_tls_inner.h"

enum { ROOM = 1 << 18, RECORDS = 8, CASES = 64 };
static char text[ROOM];

struct block {
    char name[32];
    int no_name_checks, expected, depth;
    struct io_tlsa tlsa[RECORDS];
    struct buf data[RECORDS];
    size_t records;
    STACK_OF(X509) * chain;
};
static struct block blocks[CASES];
static size_t block_count;
static struct io_tls_client *client;

static bool line_next(struct span *rest, struct span *line)
{
    while (rest->at) {
        *line = span_cut(rest, '\n');
        if (line->len && line->at[0] != '#')
            return true;
    }
    return false;
}

static void record_read(struct block *b, struct span line)
{
    struct io_tlsa *t = &b->tlsa[b->records];
    uint64_t field[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_true(span_number(span_cut(&line, ' '), 255, &field[i]));
    b->data[b->records] = BUF(65536);
    assert_true(code_get_hex(&b->data[b->records], line));
    *t = (struct io_tlsa){(uint8_t)field[0], (uint8_t)field[1], (uint8_t)field[2],
                          buf_span(&b->data[b->records])};
    b->records++;
}

// The certificates that follow; the rest of the text stays in *rest.
static void chain_read(struct block *b, struct span *rest, int n)
{
    b->chain = sk_X509_new_null();
    BIO *bio = BIO_new_mem_buf(rest->at, (int)rest->len);
    for (; n > 0; n--) {
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        assert_non_null(x);
        sk_X509_push(b->chain, x);
    }
    *rest = span_skip(*rest, rest->len - (size_t)BIO_pending(bio));
    BIO_free(bio);
}

static void block_read(struct block *b, struct span head, struct span *rest)
{
    uint64_t n[5];
    struct span line;
    for (int i = 0; i < 5; i++) {
        struct span word = span_cut(&head, ' ');
        bool minus = span_starts(word, SPAN("-"));
        assert_true(span_number(span_skip(word, minus), 1000, &n[i]));
        if (i == 4)
            b->depth = minus ? -1 : (int)n[4];
    }
    b->no_name_checks = (int)n[2];
    b->expected = (int)n[3];
    for (uint64_t i = 0; i < n[0] && line_next(rest, &line); i++)
        record_read(b, line);
    chain_read(b, rest, (int)n[1]);
}

static size_t file_read(const char *folder, const char *name, char *to)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/dane-openssl/%s", folder, name);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(to, 1, ROOM, f) : 0;
    if (f)
        fclose(f);
    return n;
}

static bool only_ee(const struct block *b)
{
    for (size_t i = 0; i < b->records; i++)
        if (b->tlsa[i].usage != 3)
            return false;
    return true;
}

static bool for_smtp(const struct block *b)
{
    for (size_t i = 0; i < b->records; i++)
        if (b->tlsa[i].usage < 2)
            return false;
    return true;
}

static int verify(SSL *ssl, struct block *b)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_CTX_init(ctx, client->anchors, sk_X509_value(b->chain, 0), b->chain);
    X509_STORE_CTX_set0_dane(ctx, SSL_get0_dane(ssl));
    X509_STORE_CTX_set_default(ctx, "ssl_server");
    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(ctx), SSL_get0_param(ssl));
    (void)X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    SSL_set_verify_result(ssl, error);
    X509_STORE_CTX_free(ctx);
    return error;
}

static void vector(void **state)
{
    struct block *b = *state;
    struct span names[] = {SPAN("example.com")};
    struct io_tls_want want = {.sni = names[0],
                               .names = names,
                               .name_count = 1,
                               .strength = IO_TLS_DANE,
                               .tlsa = b->tlsa,
                               .tlsa_count = b->records};
    struct io_tls_check *check;
    SSL *ssl = io_tls_client_session(client, &want, (struct wall){time(NULL) * US_PER_S}, &check);
    assert_non_null(ssl);
    if (check->tlsa_usable) {
        int expected = b->expected;
        if (expected == X509_V_ERR_HOSTNAME_MISMATCH && only_ee(b) && !b->no_name_checks)
            expected = X509_V_OK;
        int error = verify(ssl, b);
        if (for_smtp(b))
            assert_int_equal(error, expected);
        else if (error == X509_V_OK) // by a record of the others, if at all
            assert_true(SSL_get0_dane_authority(ssl, NULL, NULL) >= 0);
        if (for_smtp(b) && error == X509_V_OK && b->expected == X509_V_OK)
            assert_int_equal(SSL_get0_dane_authority(ssl, NULL, NULL), b->depth);
    } else {
        assert_true(b->records == 0 || !for_smtp(b) || b->expected != X509_V_OK);
    }
    SSL_free(ssl);
    io_tls_check_free(check);
}

static void blocks_free(void)
{
    for (size_t i = 0; i < block_count; i++) {
        for (size_t k = 0; k < blocks[i].records; k++)
            buf_free(&blocks[i].data[k]);
        sk_X509_pop_free(blocks[i].chain, X509_free);
    }
}

int main(void)
{
    const char *folder = getenv("GELEIT_VECTORS");
    size_t n = file_read(folder ? folder : "", "danetest.in", text);
    if (n == 0) {
        puts("1..0 # SKIP the vectors are not here");
        return 0;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/dane-openssl/danetest.pem", folder);
    const char *why;
    if (!rc_ok(io_tls_client_new(&client, span_str(path), &why)))
        panic("%s", why);
    struct span rest = {text, n}, line;
    struct CMUnitTest tests[CASES];
    while (block_count < CASES && line_next(&rest, &line)) {
        struct block *b = &blocks[block_count];
        block_read(b, line, &rest);
        snprintf(b->name, sizeof b->name, "danetest.in, block %zu", block_count + 1);
        tests[block_count++] = (struct CMUnitTest){b->name, vector, NULL, NULL, b};
    }
    int failed = _cmocka_run_group_tests("dane vectors", tests, block_count, NULL, NULL);
    blocks_free();
    io_tls_client_free(client);
    return failed;
}
