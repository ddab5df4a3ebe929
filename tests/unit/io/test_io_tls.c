#include "io_test.h"

#include "io_pki.h"
#include "io_stream.h"
#include "io_tls_inner.h"

#include <malloc.h>
#include <openssl/async.h>

// ---- the certificates of all cases

enum who { GOOD, EXPIRED, CN_ONLY, WILD, STRANGER, SELF, SMALL, DOTTY, WHO_COUNT };
static struct {
    struct pki ca, other_ca, leaf[WHO_COUNT];
    struct io_tls_client *client;
} world;

static int world_new(void **state)
{
    (void)state;
    world.ca = pki_new("Test CA", NULL, -10, 100, true, NULL, 0);
    world.other_ca = pki_new("Other CA", NULL, -10, 100, true, NULL, 0);
    struct pki *ca = &world.ca, *l = world.leaf;
    l[GOOD] = pki_new("x", "DNS:mx1.example.org", -10, 50, false, ca, 0);
    l[EXPIRED] = pki_new("x", "DNS:mx1.example.org", -10, -1, false, ca, 0);
    l[CN_ONLY] = pki_new("mx1.example.org", NULL, -10, 50, false, ca, 0);
    l[WILD] = pki_new("x", "DNS:*.example.org", -10, 50, false, ca, 0);
    l[STRANGER] = pki_new("x", "DNS:mx1.example.org", -10, 50, false, &world.other_ca, 0);
    l[SELF] = pki_new("mx1.example.org", "DNS:mx1.example.org", -10, 50, false, NULL, 0);
    l[SMALL] = pki_new("x", "DNS:mx1.example.org", -10, 50, false, ca, 1024);
    l[DOTTY] = pki_new("x", "DNS:mx*.example.org", -10, 50, false, ca, 0);

    char path[] = "/tmp/io_tls_ca.XXXXXX";
    int fd = mkstemp(path);
    char *pem = pki_chain_pem(ca->cert, NULL);
    assert_int_equal(write(fd, pem, strlen(pem)), strlen(pem));
    const char *why;
    assert_true(rc_ok(io_tls_client_new(&world.client, span_str(path), &why)));
    close(fd);
    unlink(path);
    free(pem);
    return 0;
}

static int world_free(void **state)
{
    (void)state;
    io_tls_client_free(world.client);
    pki_free(&world.ca);
    pki_free(&world.other_ca);
    for (int i = 0; i < WHO_COUNT; i++)
        pki_free(&world.leaf[i]);
    return 0;
}

static struct io_tls_server *server_of(enum who who, bool send_ca)
{
    struct io_tls_server *s;
    const char *why;
    char *chain = pki_chain_pem(world.leaf[who].cert, send_ca ? world.ca.cert : NULL);
    char *key = pki_key_pem(world.leaf[who].key);
    struct rc rc = io_tls_server_new(&s, span_str(chain), span_str(key), &why);
    if (!rc_ok(rc))
        panic("%s", why);
    free(chain);
    free(key);
    return s;
}

// ---- two streams that shake hands

struct side {
    struct io_stream *s;
    struct buf got;
    struct rc how, why;
    struct io_tls_facts facts;
    bool secured, closed, echo, heard;
    int calls_after;
};
struct talk {
    struct io_loop *loop;
    struct side a, b; // a: client
    int fds[2];
};

static size_t heard(void *arg, struct span bytes)
{
    struct side *e = arg;
    if (e->echo && !rc_ok(io_stream_write(e->s, bytes)))
        return 0; // until there is room
    buf_put(&e->got, bytes);
    e->heard = true;
    return bytes.len;
}

static void drained(void *arg)
{
    struct side *e = arg;
    io_stream_again(e->s);
}

static void secured(void *arg, struct rc how)
{
    struct side *e = arg;
    assert_false(e->secured);
    e->secured = true;
    e->how = how;
    e->facts = *io_stream_tls(e->s);
}

static void closed(void *arg, struct rc why)
{
    struct side *e = arg;
    assert_false(e->closed);
    e->closed = true;
    e->why = why;
}

static const struct io_stream_owner owner = {
    .input = heard, .drained = drained, .secured = secured, .closed = closed};

static void talk_begin(struct talk *t, bool raw_server)
{
    *t = (struct talk){.loop = io_loop_new()};
    io_test_pair(t->fds);
    t->a.got = t->b.got = BUF(8 << 20);
    t->a.s = io_stream_new(t->loop, t->fds[0], &owner, &t->a);
    if (!raw_server)
        t->b.s = io_stream_new(t->loop, t->fds[1], &owner, &t->b);
}

static void talk_end(struct talk *t)
{
    if (!t->b.s)
        close(t->fds[1]);
    io_stream_free(t->a.s);
    io_stream_free(t->b.s);
    buf_free(&t->a.got);
    buf_free(&t->b.got);
    io_loop_free(t->loop);
}

static void shake(struct talk *t, struct io_tls_server *server, const struct io_tls_want *want)
{
    io_stream_accept_tls(t->b.s, server, NULL);
    io_stream_connect_tls(t->a.s, world.client, want);
    assert_false(t->a.secured || t->b.secured);
    assert_true(io_test_until(t->loop, &t->a.secured, 5000));
    assert_true(io_test_until(t->loop, &t->b.secured, 5000));
}

static void works(struct talk *t)
{
    t->b.echo = true;
    assert_true(rc_ok(io_stream_write(t->a.s, SPAN("EHLO\r\n"))));
    assert_true(io_test_until(t->loop, &t->a.heard, 2000));
    assert_string_equal(buf_str(&t->a.got), "EHLO\r\n");
}

// ---- the matrix

enum of { OF_NONE, OF_LEAF, OF_CA, OF_OTHER };
struct record {
    int usage, selector, matching; // matching 9: nobody knows it
    enum of of;
};
static const struct row {
    const char *name;
    enum who who;
    bool no_ca; // the server does not send it
    struct record tlsa[3];
    const char *names[2];
    bool pkix;
    enum of pin;
    enum io_tls_strength strength;
    bool dane, pkix_ok, pinned;
    enum io_tls_fault fault;
    const char *matched;
} rows[] = {
    {"nothing asked", GOOD},
    {"nothing asked of an expired certificate", EXPIRED},
    {"nothing asked of a small key", SMALL},
    {"3 1 1", GOOD, .tlsa = {{3, 1, 1, OF_LEAF}}, .names = {"mx1.example.org"}, .dane = true,
     .matched = "3 1 1"},
    {"3 0 1", GOOD, .tlsa = {{3, 0, 1, OF_LEAF}}, .names = {"mx1.example.org"}, .dane = true,
     .matched = "3 0 1"},
    {"3 1 1 without any name", GOOD, .tlsa = {{3, 1, 1, OF_LEAF}}, .dane = true,
     .matched = "3 1 1"},
    {"3 1 1 mismatch", GOOD, .tlsa = {{3, 1, 1, OF_OTHER}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_TLSA},
    {"3 1 1 of the CA's key", GOOD, .tlsa = {{3, 1, 1, OF_CA}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_TLSA},
    {"3 1 1 another name", GOOD, .tlsa = {{3, 1, 1, OF_LEAF}}, .names = {"mx9.example.net"},
     .dane = true, .matched = "3 1 1"},
    {"3 1 1 expired", EXPIRED, .tlsa = {{3, 1, 1, OF_LEAF}}, .names = {"mx1.example.org"},
     .dane = true, .matched = "3 1 1"},
    {"3 1 1 self-signed", SELF, .no_ca = true, .tlsa = {{3, 1, 1, OF_LEAF}},
     .names = {"mx1.example.org"}, .dane = true, .matched = "3 1 1"},
    {"3 1 1 small key", SMALL, .tlsa = {{3, 1, 1, OF_LEAF}}, .names = {"mx1.example.org"},
     .strength = IO_TLS_DANE, .dane = true, .matched = "3 1 1"},
    {"2 1 1", GOOD, .tlsa = {{2, 1, 1, OF_CA}}, .names = {"mx1.example.org"}, .dane = true,
     .matched = "2 1 1 mx1.example.org"},
    {"2 1 1 of an unknown CA", STRANGER, .no_ca = true, .tlsa = {{2, 1, 1, OF_CA}},
     .names = {"mx1.example.org"}, .fault = IO_TLS_TLSA},
    {"2 1 1 name mismatch", GOOD, .tlsa = {{2, 1, 1, OF_CA}}, .names = {"mx9.example.org"},
     .fault = IO_TLS_NAME},
    {"2 1 1 second name", GOOD, .tlsa = {{2, 1, 1, OF_CA}},
     .names = {"example.org", "mx1.example.org"}, .dane = true, .matched = "2 1 1 mx1.example.org"},
    {"2 1 1 trailing dot", GOOD, .tlsa = {{2, 1, 1, OF_CA}}, .names = {"mx1.example.org."},
     .dane = true, .matched = "2 1 1 mx1.example.org"},
    {"2 1 1 upper case", GOOD, .tlsa = {{2, 1, 1, OF_CA}}, .names = {"MX1.Example.ORG"},
     .dane = true, .matched = "2 1 1 mx1.example.org"},
    {"2 1 1 without any name", GOOD, .tlsa = {{2, 1, 1, OF_CA}}, .fault = IO_TLS_TLSA},
    {"2 1 1 with an empty name", GOOD, .tlsa = {{2, 1, 1, OF_CA}}, .names = {"."},
     .fault = IO_TLS_TLSA},
    {"2 1 1 CA not sent", GOOD, .no_ca = true, .tlsa = {{2, 1, 1, OF_CA}},
     .names = {"mx1.example.org"}, .fault = IO_TLS_TLSA},
    {"2 0 0 CA not sent", GOOD, .no_ca = true, .tlsa = {{2, 0, 0, OF_CA}},
     .names = {"mx1.example.org"}, .dane = true, .matched = "2 0 0 mx1.example.org"},
    {"2 1 1 expired", EXPIRED, .tlsa = {{2, 1, 1, OF_CA}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_EXPIRED},
    {"2 1 1 common name without SAN", CN_ONLY, .tlsa = {{2, 1, 1, OF_CA}},
     .names = {"mx1.example.org"}, .dane = true, .matched = "2 1 1 mx1.example.org"},
    {"2 1 1 wildcard", WILD, .tlsa = {{2, 1, 1, OF_CA}}, .names = {"mx1.example.org"}, .dane = true,
     .matched = "2 1 1 *.example.org"},
    {"2 1 1 part of a label", DOTTY, .tlsa = {{2, 1, 1, OF_CA}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_NAME},
    {"3 1 1 wrong, 2 1 1 right", GOOD, .tlsa = {{3, 1, 1, OF_OTHER}, {2, 1, 1, OF_CA}},
     .names = {"mx1.example.org"}, .dane = true, .matched = "2 1 1 mx1.example.org"},
    {"2 1 1 wrong, 3 1 1 right", GOOD, .tlsa = {{2, 1, 1, OF_OTHER}, {3, 1, 1, OF_LEAF}},
     .names = {"mx9.example.org"}, .dane = true, .matched = "3 1 1"},
    {"usage 0 is left out", GOOD, .tlsa = {{0, 1, 1, OF_CA}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_TLSA},
    {"usage 1 is left out", GOOD, .tlsa = {{1, 1, 1, OF_LEAF}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_TLSA},
    {"usage 1 right, 3 1 1 wrong", GOOD, .tlsa = {{1, 1, 1, OF_LEAF}, {3, 1, 1, OF_OTHER}},
     .names = {"mx1.example.org"}, .fault = IO_TLS_TLSA},
    {"matching type unknown", GOOD, .tlsa = {{3, 1, 9, OF_LEAF}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_TLSA},
    {"usage unknown", GOOD, .tlsa = {{7, 1, 1, OF_LEAF}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_TLSA},
    {"no data", GOOD, .tlsa = {{3, 1, 1, OF_NONE}}, .names = {"mx1.example.org"},
     .fault = IO_TLS_TLSA},
    {"unusable beside usable", GOOD, .tlsa = {{3, 1, 9, OF_LEAF}, {3, 1, 1, OF_LEAF}},
     .names = {"mx1.example.org"}, .dane = true, .matched = "3 1 1"},

    {"PKIX", GOOD, .names = {"mx1.example.org"}, .pkix = true, .strength = IO_TLS_MODERN,
     .pkix_ok = true, .matched = "mx1.example.org"},
    {"PKIX trailing dot", GOOD, .names = {"mx1.example.org."}, .pkix = true, .pkix_ok = true,
     .matched = "mx1.example.org"},
    {"PKIX CA not sent", GOOD, .no_ca = true, .names = {"mx1.example.org"}, .pkix = true,
     .pkix_ok = true, .matched = "mx1.example.org"},
    {"PKIX wrong name", GOOD, .names = {"mx9.example.org"}, .pkix = true, .fault = IO_TLS_NAME},
    {"PKIX suffix of the name", GOOD, .names = {"example.org"}, .pkix = true, .fault = IO_TLS_NAME},
    {"PKIX without a name", GOOD, .pkix = true, .fault = IO_TLS_NAME},
    {"PKIX with an empty name", GOOD, .names = {"."}, .pkix = true, .fault = IO_TLS_NAME},
    {"PKIX with a leading dot", GOOD, .names = {".example.org"}, .pkix = true,
     .fault = IO_TLS_NAME},
    {"2 1 1 with a leading dot", GOOD, .tlsa = {{2, 1, 1, OF_CA}}, .names = {".example.org"},
     .fault = IO_TLS_TLSA},
    {"PKIX second name", GOOD, .names = {"example.org", "mx1.example.org"}, .pkix = true,
     .pkix_ok = true, .matched = "mx1.example.org"},
    {"PKIX common name only", CN_ONLY, .names = {"mx1.example.org"}, .pkix = true,
     .fault = IO_TLS_NAME},
    {"PKIX expired", EXPIRED, .names = {"mx1.example.org"}, .pkix = true, .fault = IO_TLS_EXPIRED},
    {"PKIX unknown CA", STRANGER, .no_ca = true, .names = {"mx1.example.org"}, .pkix = true,
     .fault = IO_TLS_UNTRUSTED},
    {"PKIX self-signed", SELF, .no_ca = true, .names = {"mx1.example.org"}, .pkix = true,
     .fault = IO_TLS_UNTRUSTED},
    {"PKIX wildcard, one label", WILD, .names = {"mx1.example.org"}, .pkix = true, .pkix_ok = true,
     .matched = "*.example.org"},
    {"PKIX wildcard, two labels", WILD, .names = {"a.mx1.example.org"}, .pkix = true,
     .fault = IO_TLS_NAME},
    {"PKIX wildcard, no label", WILD, .names = {"example.org"}, .pkix = true, .fault = IO_TLS_NAME},
    {"PKIX wildcard, part of a label", DOTTY, .names = {"mx1.example.org"}, .pkix = true,
     .fault = IO_TLS_NAME},
    {"PKIX small key, modern", SMALL, .names = {"mx1.example.org"}, .pkix = true,
     .strength = IO_TLS_MODERN, .fault = IO_TLS_OTHER},
    {"PKIX small key, any", SMALL, .names = {"mx1.example.org"}, .pkix = true,
     .strength = IO_TLS_ANY, .pkix_ok = true, .matched = "mx1.example.org"},

    {"both", GOOD, .tlsa = {{3, 1, 1, OF_LEAF}}, .names = {"mx1.example.org"}, .pkix = true,
     .dane = true, .pkix_ok = true, .matched = "3 1 1"},
    {"both, PKIX by name fails", GOOD, .tlsa = {{3, 1, 1, OF_LEAF}}, .names = {"mx9.example.org"},
     .pkix = true, .dane = true, .fault = IO_TLS_NAME, .matched = "3 1 1"},
    {"both, DANE fails", GOOD, .tlsa = {{3, 1, 1, OF_OTHER}}, .names = {"mx1.example.org"},
     .pkix = true, .pkix_ok = true, .fault = IO_TLS_TLSA, .matched = "mx1.example.org"},
    {"both, unknown CA", STRANGER, .no_ca = true, .tlsa = {{3, 1, 1, OF_LEAF}},
     .names = {"mx1.example.org"}, .pkix = true, .dane = true, .fault = IO_TLS_UNTRUSTED,
     .matched = "3 1 1"},
    {"unusable TLSA is not PKIX", GOOD, .tlsa = {{3, 1, 9, OF_LEAF}}, .names = {"mx1.example.org"},
     .pkix = false, .fault = IO_TLS_TLSA},

    {"pin", SELF, .no_ca = true, .pin = OF_LEAF, .pinned = true},
    {"pin of another key", GOOD, .pin = OF_OTHER, .fault = IO_TLS_PIN},
    {"pin of the CA", GOOD, .pin = OF_CA, .fault = IO_TLS_PIN},
    {"pin and PKIX", GOOD, .names = {"mx1.example.org"}, .pkix = true, .pin = OF_LEAF,
     .pkix_ok = true, .pinned = true, .matched = "mx1.example.org"},
};

static X509 *cert_of(const struct row *row, enum of of)
{
    return of == OF_LEAF ? world.leaf[row->who].cert
           : of == OF_CA ? world.ca.cert
                         : world.other_ca.cert;
}

// The data that a record of these fields has for a certificate.
static struct span record_data(const struct row *row, const struct record *r,
                               unsigned char room[2048])
{
    if (r->of == OF_NONE)
        return (struct span){"", 0};
    unsigned char *der = NULL;
    X509 *x = cert_of(row, r->of);
    int n = r->selector ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : i2d_X509(x, &der);
    struct span data = {(char *)room, r->matching ? 32 : (size_t)n};
    if (r->matching)
        EVP_Digest(der, (size_t)n, room, NULL, EVP_sha256(), NULL);
    else
        span_bytes(room, (size_t)n, (struct span){(char *)der, (size_t)n});
    OPENSSL_free(der);
    return data;
}

struct asked {
    struct io_tls_want want;
    struct io_tlsa tlsa[3];
    struct span names[2];
    unsigned char data[3][2048], pin[32];
};

static void ask(struct asked *a, const struct row *row)
{
    *a = (struct asked){.want = {.sni = SPAN("mx1.example.org"),
                                 .strength = row->strength,
                                 .pkix = row->pkix,
                                 .tlsa = a->tlsa,
                                 .names = a->names}};
    for (size_t i = 0; i < 3 && row->tlsa[i].usage + row->tlsa[i].selector; i++) {
        const struct record *r = &row->tlsa[i];
        a->tlsa[a->want.tlsa_count++] =
            (struct io_tlsa){(uint8_t)r->usage, (uint8_t)r->selector, (uint8_t)r->matching,
                             record_data(row, r, a->data[i])};
    }
    for (size_t i = 0; i < 2 && row->names[i]; i++)
        a->names[a->want.name_count++] = span_str(row->names[i]);
    if (row->pin) {
        pki_spki_sha256(cert_of(row, row->pin), a->pin);
        a->want.pin = SPAN_OF(a->pin);
    }
}

static void matrix(void **state)
{
    const struct row *row = *state;
    struct talk t;
    struct asked a;
    talk_begin(&t, false);
    ask(&a, row);
    struct io_tls_server *server = server_of(row->who, !row->no_ca);
    shake(&t, server, &a.want);
    assert_true(rc_ok(t.a.how) && rc_ok(t.b.how));
    const struct io_tls_facts *f = &t.a.facts;
    assert_string_equal(f->version, "TLSv1.3");
    assert_true(f->cipher[0] && f->group[0]);
    assert_int_equal(strlen(f->certificate), 64);
    assert_true(f->until > 1000000000);
    assert_int_equal(f->fault, row->fault);
    assert_int_equal(f->dane, row->dane);
    assert_int_equal(f->pkix, row->pkix_ok);
    assert_int_equal(f->pinned, row->pinned);
    assert_string_equal(f->matched, row->matched ? row->matched : "");
    assert_int_equal(f->error[0] != 0, f->fault != IO_TLS_FINE);
    works(&t);
    io_tls_server_free(server);
    talk_end(&t);
}

// ---- strength

static SSL_CTX *old_server(int version, enum who who)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_use_certificate(ctx, world.leaf[who].cert);
    SSL_CTX_use_PrivateKey(ctx, world.leaf[who].key);
    return ctx;
}

static const struct strong {
    const char *name;
    int version;
    enum who who;
    enum io_tls_strength strength;
    const char *spoken; // NULL: no handshake
} strongs[] = {
    {"TLS 1.0, any", TLS1_VERSION, GOOD, IO_TLS_ANY, "TLSv1"},
    {"TLS 1.1, any", TLS1_1_VERSION, GOOD, IO_TLS_ANY, "TLSv1.1"},
    {"TLS 1.2, any", TLS1_2_VERSION, GOOD, IO_TLS_ANY, "TLSv1.2"},
    {"TLS 1.1, DANE", TLS1_1_VERSION, GOOD, IO_TLS_DANE, NULL},
    {"TLS 1.2, DANE", TLS1_2_VERSION, GOOD, IO_TLS_DANE, "TLSv1.2"},
    {"TLS 1.1, modern", TLS1_1_VERSION, GOOD, IO_TLS_MODERN, NULL},
    {"TLS 1.2, modern", TLS1_2_VERSION, GOOD, IO_TLS_MODERN, "TLSv1.2"},
    {"TLS 1.3, modern", TLS1_3_VERSION, GOOD, IO_TLS_MODERN, "TLSv1.3"},
    {"TLS 1.0 and RSA-1024, any", TLS1_VERSION, SMALL, IO_TLS_ANY, "TLSv1"},
    {"TLS 1.1 and RSA-1024, any", TLS1_1_VERSION, SMALL, IO_TLS_ANY, "TLSv1.1"},
    {"TLS 1.2 and RSA-1024, DANE", TLS1_2_VERSION, SMALL, IO_TLS_DANE, "TLSv1.2"},
    {"TLS 1.3 and RSA-1024, DANE", TLS1_3_VERSION, SMALL, IO_TLS_DANE, "TLSv1.3"},
    {"TLS 1.2 and RSA-1024, modern", TLS1_2_VERSION, SMALL, IO_TLS_MODERN, "TLSv1.2"},
    {"TLS 1.3 and RSA-1024, modern", TLS1_3_VERSION, SMALL, IO_TLS_MODERN, "TLSv1.3"},
};

static void strength(void **state)
{
    const struct strong *row = *state;
    struct talk t;
    talk_begin(&t, false);
    struct io_tls_server server = {old_server(row->version, row->who)};
    shake(&t, &server,
          &(struct io_tls_want){.sni = SPAN("mx1.example.org"), .strength = row->strength});
    assert_int_equal(rc_ok(t.a.how), row->spoken != NULL);
    assert_string_equal(t.a.facts.version, row->spoken ? row->spoken : "");
    if (row->spoken) {
        works(&t);
    } else {
        assert_int_equal(t.a.facts.fault, IO_TLS_HANDSHAKE);
        assert_int_equal(t.a.how.code, RC_MALFORMED);
    }
    SSL_CTX_free(server.ctx);
    talk_end(&t);
}

// A server takes TLS 1.2 from who can no more, and nothing below it.
static void server_versions(void **state)
{
    (void)state;
    static const struct {
        int version;
        bool ok;
    } versions[] = {{TLS1_1_VERSION, false}, {TLS1_2_VERSION, true}, {TLS1_3_VERSION, true}};
    for (size_t i = 0; i < 3; i++) {
        struct talk t;
        talk_begin(&t, false);
        struct io_tls_server *server = server_of(GOOD, true);
        struct io_tls_client old = *world.client;
        old.ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(old.ctx, 0);
        SSL_CTX_set_max_proto_version(old.ctx, versions[i].version);
        io_stream_accept_tls(t.b.s, server, NULL);
        io_stream_connect_tls(t.a.s, &old, &(struct io_tls_want){0});
        assert_true(io_test_until(t.loop, &t.b.secured, 2000));
        assert_int_equal(rc_ok(t.b.how), versions[i].ok);
        if (versions[i].ok) {
            assert_true(t.b.facts.version[0] && t.b.facts.cipher[0] && t.b.facts.group[0]);
            assert_string_equal(t.b.facts.certificate, "");
        }
        SSL_CTX_free(old.ctx);
        io_tls_server_free(server);
        talk_end(&t);
    }
}

static char sni_seen[256];
static int sni_look(SSL *ssl, int *alert, void *arg)
{
    (void)alert, (void)arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(sni_seen, sizeof sni_seen, "%s", name ? name : "(none)");
    return SSL_TLSEXT_ERR_OK;
}

static void the_server_name_is_what_was_asked_for(void **state)
{
    (void)state;
    static const struct row row = {.who = GOOD, .tlsa = {{3, 1, 1, OF_LEAF}}};
    static const char *const cases[][2] = {{"mx1.example.org", "mx1.example.org"},
                                           {"mx1.example.org.", "mx1.example.org"},
                                           {"", "(none)"}};
    for (size_t i = 0; i < 6; i++) {
        struct talk t;
        struct asked a;
        struct io_tls_server *server = server_of(GOOD, true);
        SSL_CTX_set_tlsext_servername_callback(server->ctx, sni_look);
        talk_begin(&t, false);
        ask(&a, &row);
        a.want.sni = span_str(cases[i % 3][0]);
        a.want.tlsa_count = i / 3;
        shake(&t, server, &a.want);
        assert_string_equal(sni_seen, cases[i % 3][1]);
        assert_int_equal(t.a.facts.dane, i / 3);
        io_tls_server_free(server);
        talk_end(&t);
    }
}

// ---- what must not be

// The same context many times, with servers that would love to resume.
static void resumption_never_skips_verification(void **state)
{
    (void)state;
    static const struct row good = {.who = GOOD,
                                    .tlsa = {{3, 1, 1, OF_LEAF}},
                                    .names = {"mx1.example.org"}},
                            bad = {.who = GOOD,
                                   .tlsa = {{3, 1, 1, OF_OTHER}},
                                   .names = {"mx1.example.org"}};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 8; i++) {
        struct io_tls_server server = {old_server(versions[i / 4], GOOD)};
        SSL_CTX_set_session_id_context(server.ctx, (const unsigned char *)"x", 1);
        for (int k = 0; k < 2; k++) {
            struct talk t;
            struct asked a;
            talk_begin(&t, false);
            ask(&a, k ? &bad : &good);
            shake(&t, &server, &a.want);
            assert_true(rc_ok(t.a.how));
            works(&t); // tickets have come by now
            assert_false(SSL_CTX_sess_hits(server.ctx));
            assert_int_equal(t.a.facts.dane, k == 0);
            assert_int_equal(t.a.facts.fault, k ? IO_TLS_TLSA : IO_TLS_FINE);
            talk_end(&t);
        }
        SSL_CTX_free(server.ctx);
    }
}

static void clear_text_before_a_server_handshake_is_refused(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, false);
    struct io_tls_server *server = server_of(GOOD, true);
    io_stream_pause(t.b.s, true);
    assert_true(rc_ok(io_stream_write(t.a.s, SPAN("RSET\r\n"))));
    io_test_rest(t.loop, 5);
    assert_int_equal(io_stream_unread(t.b.s).len, 6);
    assert_true(rc_ok(io_stream_write(t.b.s, SPAN("220 go ahead\r\n"))));
    io_stream_accept_tls(t.b.s, server, NULL);
    assert_true(io_test_until(t.loop, &t.b.secured, 2000));
    assert_int_equal(t.b.how.code, RC_MALFORMED);
    assert_int_equal(t.b.got.len, 0);
    assert_string_equal(t.b.facts.version, "");
    io_test_rest(t.loop, 5);
    assert_string_equal(buf_str(&t.a.got), "220 go ahead\r\n");
    io_tls_server_free(server);
    talk_end(&t);
}

static void a_command_behind_starttls_is_no_handshake(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, true);
    t.b.s = io_stream_new(t.loop, t.fds[1], &owner, &t.b);
    struct io_tls_server *server = server_of(GOOD, true);
    io_stream_accept_tls(t.b.s, server, NULL);
    // Not read yet when the handshake starts, so OpenSSL meets it.
    assert_true(rc_ok(io_stream_write(t.a.s, SPAN("MAIL FROM:<a@example.org>\r\n"))));
    io_stream_flush(t.a.s);
    assert_true(io_test_until(t.loop, &t.b.secured, 2000));
    assert_int_equal(t.b.how.code, RC_MALFORMED);
    assert_int_equal(t.b.got.len, 0);
    io_tls_server_free(server);
    talk_end(&t);
}

static void a_client_forgets_clear_text(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, false);
    struct io_tls_server *server = server_of(GOOD, true);
    io_stream_pause(t.a.s, true);
    assert_true(rc_ok(io_stream_write(t.b.s, SPAN("250 injected\r\n"))));
    io_test_rest(t.loop, 5);
    assert_true(io_stream_unread(t.a.s).len > 0);
    io_stream_pause(t.a.s, false);
    shake(&t, server, &(struct io_tls_want){.sni = SPAN("mx1.example.org")});
    assert_true(rc_ok(t.a.how));
    assert_int_equal(io_stream_unread(t.a.s).len, 0);
    buf_clear(&t.a.got);
    t.a.heard = false;
    works(&t);
    io_tls_server_free(server);
    talk_end(&t);
}

static void garbage_for_a_client(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, true);
    io_stream_connect_tls(t.a.s, world.client, &(struct io_tls_want){0});
    io_loop_turn(t.loop, false);
    assert_int_equal(write(t.fds[1], "220 what is this?\r\n", 19), 19);
    assert_true(io_test_until(t.loop, &t.a.secured, 2000));
    assert_int_equal(t.a.how.code, RC_MALFORMED);
    assert_int_equal(t.a.facts.fault, IO_TLS_HANDSHAKE);
    assert_true(strstr(t.a.facts.error, "version") != NULL);
    io_test_rest(t.loop, 5);
    assert_false(t.a.closed); // `secured` was the last call
    talk_end(&t);
}

static void a_peer_that_leaves_during_the_handshake(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct talk t;
        talk_begin(&t, true);
        struct io_tls_server *server = server_of(GOOD, true);
        if (i)
            io_stream_accept_tls(t.a.s, server, NULL);
        else
            io_stream_connect_tls(t.a.s, world.client, &(struct io_tls_want){0});
        io_loop_turn(t.loop, false);
        shutdown(t.fds[1], SHUT_WR);
        assert_true(io_test_until(t.loop, &t.a.secured, 2000));
        assert_int_equal(t.a.how.code, RC_CLOSED);
        assert_string_equal(t.a.facts.version, "");
        io_test_rest(t.loop, 5);
        assert_false(t.a.closed);
        io_tls_server_free(server);
        talk_end(&t);
    }
}

static void a_close_during_the_handshake(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, true);
    io_stream_connect_tls(t.a.s, world.client, &(struct io_tls_want){0});
    io_loop_turn(t.loop, false);
    io_stream_close(t.a.s);
    assert_true(io_test_until(t.loop, &t.a.closed, 2000));
    assert_true(rc_ok(t.a.why));
    assert_false(t.a.secured);
    talk_end(&t);
}

// ---- the stream under TLS

static void bulk_both_ways(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, false);
    struct io_tls_server *server = server_of(GOOD, true);
    shake(&t, server, &(struct io_tls_want){0});
    static char block[100000];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i % 253);
    t.b.echo = true;
    size_t put = 0;
    for (int i = 0; i < 30; i++) {
        while (!rc_ok(io_stream_write(t.a.s, SPAN_OF(block))))
            io_loop_turn(t.loop, true);
        put += sizeof block;
    }
    for (int i = 0; i < 5000 && t.a.got.len < put; i++)
        io_loop_turn(t.loop, true);
    assert_int_equal(t.a.got.len, put);
    for (size_t i = 0; i < put; i += sizeof block)
        assert_memory_equal(t.a.got.at + i, block, sizeof block);
    io_tls_server_free(server);
    talk_end(&t);
}

static void a_pause_under_tls_loses_nothing(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, false);
    struct io_tls_server *server = server_of(GOOD, true);
    shake(&t, server, &(struct io_tls_want){0});
    static char block[900000];
    io_stream_pause(t.b.s, true);
    assert_true(rc_ok(io_stream_write(t.a.s, SPAN_OF(block))));
    io_test_rest(t.loop, 20);
    assert_int_equal(t.b.got.len, 0);
    assert_true(io_stream_unread(t.b.s).len <= IO_STREAM_HOLD + 65536);
    io_stream_pause(t.b.s, false);
    io_test_rest(t.loop, 200);
    assert_int_equal(t.b.got.len, sizeof block);
    io_tls_server_free(server);
    talk_end(&t);
}

static void a_close_says_close_notify(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, false);
    struct io_tls_server *server = server_of(GOOD, true);
    shake(&t, server, &(struct io_tls_want){0});
    assert_true(rc_ok(io_stream_write(t.b.s, SPAN("221 bye\r\n"))));
    io_stream_close(t.b.s);
    assert_true(io_test_until(t.loop, &t.b.closed, 2000));
    assert_true(rc_ok(t.b.why));
    assert_true(io_test_until(t.loop, &t.a.closed, 2000)); // the socket is still open
    assert_int_equal(t.a.why.code, RC_CLOSED);
    assert_string_equal(buf_str(&t.a.got), "221 bye\r\n");
    io_tls_server_free(server);
    talk_end(&t);
}

static void a_server_context_can_go_before_its_sessions(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, false);
    struct io_tls_server *server = server_of(GOOD, true);
    shake(&t, server, &(struct io_tls_want){0});
    io_tls_server_free(server);
    works(&t);
    talk_end(&t);
}

// A certificate callback stands for a key that is elsewhere: it leaves the
// handshake and comes back when its descriptor is readable.
static int async_fds[2];
static int left_job;
static int wait_in_job(SSL *ssl, void *arg)
{
    (void)ssl, (void)arg;
    ASYNC_JOB *job = ASYNC_get_current_job();
    assert_non_null(job);
    char c;
    ASYNC_WAIT_CTX *ctx = ASYNC_get_wait_ctx(job);
    ASYNC_WAIT_CTX_set_wait_fd(ctx, async_fds, async_fds[0], NULL, NULL);
    while (read(async_fds[0], &c, 1) != 1) {
        left_job++;
        ASYNC_pause_job();
    }
    ASYNC_WAIT_CTX_clear_fd(ctx, async_fds);
    return 1;
}

static void an_asynchronous_key_is_waited_for(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t, false);
    io_test_pair(async_fds);
    struct io_tls_server *server = server_of(GOOD, true);
    SSL_CTX_set_mode(server->ctx, SSL_MODE_ASYNC);
    SSL_CTX_set_cert_cb(server->ctx, wait_in_job, NULL);
    io_stream_accept_tls(t.b.s, server, NULL);
    io_stream_connect_tls(t.a.s, world.client, &(struct io_tls_want){0});
    io_test_rest(t.loop, 20);
    assert_false(t.a.secured || t.b.secured);
    assert_int_equal(left_job, 1); // waiting, not asking again and again
    assert_int_equal(write(async_fds[1], "x", 1), 1);
    assert_true(io_test_until(t.loop, &t.a.secured, 2000));
    assert_true(io_test_until(t.loop, &t.b.secured, 2000));
    assert_true(rc_ok(t.b.how));
    works(&t);
    io_tls_server_free(server);
    talk_end(&t);
    close(async_fds[0]);
    close(async_fds[1]);
    ASYNC_cleanup_thread();
}

// ---- contexts

static void contexts_say_what_is_wrong(void **state)
{
    (void)state;
    char *good = pki_chain_pem(world.leaf[GOOD].cert, world.ca.cert);
    char *good_key = pki_key_pem(world.leaf[GOOD].key);
    char *other_key = pki_key_pem(world.leaf[SELF].key);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, world.leaf[GOOD].key, EVP_aes_128_cbc(), NULL, 0, NULL,
                             (void *)(uintptr_t) "secret");
    char *locked = pki_text(bio);
    const struct {
        const char *chain, *key, *word; // NULL: fine
    } cases[] = {
        {good, good_key, NULL},
        {"", good_key, "certificate"},
        {"nonsense", good_key, "PEM"},
        {good, "", "key"},
        {good, other_key, "not belong"},
        {good, locked, "passphrase"},
        {good_key, good_key, "certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct io_tls_server *s;
        const char *why;
        struct rc rc =
            io_tls_server_new(&s, span_str(cases[i].chain), span_str(cases[i].key), &why);
        assert_int_equal(rc_ok(rc), cases[i].word == NULL);
        assert_int_equal(s != NULL, cases[i].word == NULL);
        if (cases[i].word)
            assert_true(strstr(why, cases[i].word) != NULL);
        io_tls_server_free(s);
    }
    struct io_tls_client *c;
    const char *why;
    assert_false(rc_ok(io_tls_client_new(&c, SPAN("/nonexistent/ca.pem"), &why)));
    assert_null(c);
    assert_true(why[0]);
    free(good);
    free(good_key);
    free(other_key);
    free(locked);
}

static void an_idle_session_is_small(void **state)
{
    (void)state;
    enum { N = 50 };
    static struct talk t[N];
    struct io_tls_server *server = server_of(GOOD, true);
    size_t both = 0;
    for (int i = 0; i < N; i++) {
        talk_begin(&t[i], false);
        size_t before = mallinfo2().uordblks;
        shake(&t[i], server, &(struct io_tls_want){0});
        works(&t[i]);
        if (i >= N / 2)
            both += mallinfo2().uordblks - before;
    }
    // A scratch of 64 KiB a loop is in it, and a client that is not idle yet.
    size_t pair = both / (N / 2) - 65536;
    assert_true(pair < 2 * 24 * 1024);
    for (int i = 0; i < N; i++)
        talk_end(&t[i]);
    io_tls_server_free(server);
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof *rows, STRONGS = sizeof strongs / sizeof *strongs };
    const struct CMUnitTest single[] = {
        cmocka_unit_test(server_versions),
        cmocka_unit_test(the_server_name_is_what_was_asked_for),
        cmocka_unit_test(resumption_never_skips_verification),
        cmocka_unit_test(clear_text_before_a_server_handshake_is_refused),
        cmocka_unit_test(a_command_behind_starttls_is_no_handshake),
        cmocka_unit_test(a_client_forgets_clear_text),
        cmocka_unit_test(garbage_for_a_client),
        cmocka_unit_test(a_peer_that_leaves_during_the_handshake),
        cmocka_unit_test(a_close_during_the_handshake),
        cmocka_unit_test(bulk_both_ways),
        cmocka_unit_test(a_pause_under_tls_loses_nothing),
        cmocka_unit_test(a_close_says_close_notify),
        cmocka_unit_test(a_server_context_can_go_before_its_sessions),
        cmocka_unit_test(contexts_say_what_is_wrong),
        // Not under AddressSanitizer, which other stacks confuse and which counts otherwise:
        cmocka_unit_test(an_asynchronous_key_is_waited_for),
        cmocka_unit_test(an_idle_session_is_small),
    };
    enum { SINGLE = sizeof single / sizeof *single };
    struct CMUnitTest tests[ROWS + STRONGS + SINGLE];
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++)
        tests[n++] =
            (struct CMUnitTest){rows[i].name, matrix, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < STRONGS; i++)
        tests[n++] = (struct CMUnitTest){strongs[i].name, strength, NULL, NULL,
                                         (void *)(uintptr_t)&strongs[i]};
    for (size_t i = 0; i < SINGLE - (IO_TEST_ASAN ? 2 : 0); i++)
        tests[n++] = single[i];
    return _cmocka_run_group_tests("tls", tests, n, world_new, world_free);
}
