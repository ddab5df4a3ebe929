#include "io_test.h"

#include "io_pki.h"
#include "io_stream.h"
#include "io_tls_inner.h"

// ---- the certificates of all cases

enum who { MX_EC, MX_RSA, WILD_EC, OTHER_RSA, WILD_RSA, CLIENT, CLIENT_OLD, CLIENT_STRANGE, COUNT };
static struct {
    struct pki ca, other_ca, is[COUNT];
    char *chain[COUNT], *key[COUNT], *ca_pem;
} world;

static int world_new(void **state)
{
    (void)state;
    struct pki *ca = &world.ca;
    world.ca = pki_new("CA", NULL, -10, 100, true, NULL, 0);
    world.other_ca = pki_new("Other CA", NULL, -10, 100, true, NULL, 0);
    world.is[MX_EC] = pki_new("x", "DNS:mx.example.org,DNS:MX2.example.org", -1, 9, false, ca, 0);
    world.is[MX_RSA] = pki_new("x", "DNS:mx.example.org", -1, 9, false, ca, 2048);
    world.is[WILD_EC] = pki_new("x", "DNS:*.example.net", -1, 9, false, ca, 0);
    world.is[OTHER_RSA] = pki_new("x", "DNS:mx.example.net", -1, 9, false, ca, 2048);
    world.is[WILD_RSA] = pki_new("x", "DNS:*.example.net", -1, 9, false, ca, 2048);
    world.is[CLIENT] = pki_new("x", "DNS:out.example.com", -1, 9, false, ca, 0);
    world.is[CLIENT_OLD] = pki_new("x", "DNS:out.example.com", -9, -1, false, ca, 0);
    world.is[CLIENT_STRANGE] =
        pki_new("x", "DNS:out.example.com", -1, 9, false, &world.other_ca, 0);
    for (int i = 0; i < COUNT; i++) {
        world.chain[i] = pki_chain_pem(world.is[i].cert, NULL);
        world.key[i] = pki_key_pem(world.is[i].key);
    }
    world.ca_pem = pki_chain_pem(ca->cert, NULL);
    return 0;
}

static int world_free(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        pki_free(&world.is[i]);
        free(world.chain[i]);
        free(world.key[i]);
    }
    pki_free(&world.ca);
    pki_free(&world.other_ca);
    free(world.ca_pem);
    return 0;
}

static struct io_tls_server *server_of(const enum who *who, size_t count, struct span tickets,
                                       bool clients)
{
    struct io_tls_pair pairs[COUNT];
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct io_tls_pair){span_str(world.chain[who[i]]), span_str(world.key[who[i]])};
    struct io_tls_server_conf c = {.pairs = pairs,
                                   .pair_count = count,
                                   .tickets = tickets,
                                   .ticket_us = SECONDS(3600),
                                   .clients = clients,
                                   .client_ca = span_str(world.ca_pem)};
    struct io_tls_server *s;
    const char *why;
    if (!rc_ok(io_tls_server_make(&s, &c, &why, NULL)))
        panic("%s", why);
    return s;
}

// ---- a client of plain OpenSSL against a stream

struct talk {
    struct io_loop *loop;
    struct io_stream *stream;
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    struct rc how, why;
    bool secured, closed;
    struct io_tls_facts facts;
};

static void secured(void *arg, struct rc how)
{
    struct talk *t = arg;
    t->secured = true;
    t->how = how;
    t->facts = *io_stream_tls(t->stream);
}

static void closed(void *arg, struct rc why)
{
    struct talk *t = arg;
    t->closed = true;
    t->why = why;
    t->facts = *io_stream_tls(t->stream);
}

static const struct io_stream_owner owner = {.secured = secured, .closed = closed};

static SSL_SESSION *kept;
static int keep(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

static void talk_begin(struct talk *t)
{
    int fds[2];
    *t = (struct talk){.loop = io_loop_new(), .ctx = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_security_level(t->ctx, 0);
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_VERSION);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, keep);
    io_test_pair(fds);
    t->fd = fds[0];
    t->stream = io_stream_new(t->loop, fds[1], &owner, t);
    t->ssl = SSL_new(t->ctx);
    SSL_set_fd(t->ssl, t->fd);
}

static void talk_end(struct talk *t)
{
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN); // else its session counts as broken
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    io_stream_free(t->stream);
    io_loop_free(t->loop);
    close(t->fd);
}

static bool shake(struct talk *t, struct io_tls_server *s, const struct io_tls_accept *how)
{
    int ret = -1;
    io_stream_accept_tls(t->stream, s, how);
    for (int i = 0; i < 200 && !(t->secured && (ret == 1 || !rc_ok(t->how))); i++) {
        ret = SSL_connect(t->ssl);
        io_loop_turn(t->loop, false);
    }
    char none;
    if (ret == 1)
        (void)SSL_read(t->ssl, &none, 1); // tickets
    ERR_clear_error();
    return ret == 1 && t->secured && rc_ok(t->how);
}

// ---- which certificate

enum can { ANY, RSA_12, EC_12, RSA_13, EC_13 };
static const struct name_row {
    const char *name, *sni;
    enum can can;
    int shown; // COUNT: none
} names[] = {
    {"no name", NULL, ANY, MX_EC},
    {"no name, RSA alone", NULL, RSA_12, MX_RSA},
    {"no name, RSA alone in TLS 1.3", NULL, RSA_13, MX_RSA},
    {"the name, ECDSA", "mx.example.org", EC_12, MX_EC},
    {"the name, RSA", "mx.example.org", RSA_13, MX_RSA},
    {"the other name in capitals", "mx2.example.org", ANY, MX_EC},
    {"capitals", "MX.EXAMPLE.ORG", EC_13, MX_EC},
    {"a dot at the end", "mx.example.org.", EC_13, MX_EC},
    {"unknown", "nobody.example.com", ANY, MX_EC},
    {"unknown, RSA", "nobody.example.com", RSA_12, MX_RSA},
    {"by wildcard", "a.example.net", EC_13, WILD_EC},
    {"by wildcard, RSA", "a.example.net", RSA_12, WILD_RSA},
    {"two labels are none of the wildcard's", "a.b.example.net", EC_13, MX_EC},
    {"nor is no label", "example.net", EC_13, MX_EC},
    {"exactly before by wildcard", "mx.example.net", RSA_13, OTHER_RSA},
    {"the wildcard beside it, for its key", "mx.example.net", EC_13, WILD_EC},
    {"a star is no name", "*.example.net", EC_13, WILD_EC},
    {"dots", "..", ANY, MX_EC},
};

static void able(SSL_CTX *ctx, enum can can)
{
    bool rsa = can == RSA_12 || can == RSA_13;
    if (can == ANY)
        return;
    if (can == RSA_12 || can == EC_12)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, rsa ? "aRSA" : "aECDSA");
    SSL_CTX_set1_sigalgs_list(ctx, rsa ? "RSA-PSS+SHA256:RSA+SHA256" : "ECDSA+SHA256");
}

static void shows(void **state)
{
    static const enum who all[] = {MX_EC, MX_RSA, WILD_EC, OTHER_RSA, WILD_RSA};
    const struct name_row *row = *state;
    struct io_tls_server *s = server_of(all, 5, SPAN(""), false);
    struct talk t;
    talk_begin(&t);
    able(t.ctx, row->can);
    SSL_free(t.ssl); // lists are copied when a session is made
    t.ssl = SSL_new(t.ctx);
    SSL_set_fd(t.ssl, t.fd);
    if (row->sni)
        SSL_set_tlsext_host_name(t.ssl, row->sni);
    assert_true(shake(&t, s, NULL));
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(t.ssl), world.is[row->shown].cert), 0);
    talk_end(&t);
    io_tls_server_free(s);
}

// ---- versions

static void versions(void **state)
{
    (void)state;
    static const struct {
        int most;
        enum io_tls_least least;
        bool ok;
    } rows[] = {
        {TLS1_VERSION, IO_TLS_FROM_1_2, false},  {TLS1_1_VERSION, IO_TLS_FROM_1_2, false},
        {TLS1_2_VERSION, IO_TLS_FROM_1_2, true}, {TLS1_3_VERSION, IO_TLS_FROM_1_2, true},
        {TLS1_VERSION, IO_TLS_FROM_1_0, true},   {TLS1_1_VERSION, IO_TLS_FROM_1_1, true},
        {TLS1_VERSION, IO_TLS_FROM_1_1, false},  {TLS1_2_VERSION, IO_TLS_FROM_1_3, false},
        {TLS1_3_VERSION, IO_TLS_FROM_1_3, true},
    };
    enum who who[] = {MX_RSA};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct io_tls_server *s = server_of(who, 1, SPAN(""), false);
        struct talk t;
        talk_begin(&t);
        SSL_set_max_proto_version(t.ssl, rows[i].most);
        bool ok = shake(&t, s, &(struct io_tls_accept){.least = rows[i].least});
        assert_int_equal(ok, rows[i].ok);
        if (!ok)
            assert_true(t.facts.error[0]);
        talk_end(&t);
        io_tls_server_free(s);
    }
}

// ---- tickets

static bool resumes(const struct io_tls_ticket_key *keys, size_t count, int version)
{
    enum who who[] = {MX_EC};
    struct io_tls_server *s =
        server_of(who, 1, (struct span){(const char *)keys, count * sizeof *keys}, false);
    struct talk t;
    talk_begin(&t);
    SSL_set_max_proto_version(t.ssl, version);
    if (kept)
        SSL_set_session(t.ssl, kept);
    assert_true(shake(&t, s, NULL));
    bool reused = SSL_session_reused(t.ssl);
    if (reused && version == TLS1_2_VERSION) // OpenSSL does not tell of a renewed ticket there
        keep(t.ssl, SSL_get1_session(t.ssl));
    talk_end(&t);
    io_tls_server_free(s);
    return reused;
}

static void tickets(void **state)
{
    (void)state;
    static const int both[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct io_tls_ticket_key a = {{1}, {2}, {3}}, b = {{4}, {5}, {6}}, c = {{7}, {8}, {9}};
    for (size_t i = 0; i < 2; i++) {
        int v = both[i];
        kept = NULL;
        assert_false(resumes(&a, 1, v));
        assert_non_null(kept);
        assert_true(resumes(&a, 1, v)); // another server with the same key
        assert_true(resumes((struct io_tls_ticket_key[]){b, a}, 2, v)); // rotated; renewed
        assert_true(resumes((struct io_tls_ticket_key[]){b, a}, 2, v));
        assert_true(resumes(&b, 1, v));  // it was renewed with the new key
        assert_false(resumes(&c, 1, v)); // nobody's
        SSL_SESSION_free(kept);
        kept = NULL;
        assert_false(resumes(NULL, 0, v));
        assert_null(kept); // none is given
    }
}

// ---- clients' certificates

static void count_name(void *arg, struct span name)
{
    assert_true(span_eq(name, SPAN("out.example.com")));
    ++*(int *)arg;
}

static void clients(void **state)
{
    (void)state;
    static const struct {
        int who; // COUNT: none
        bool ask, pkix;
        enum io_tls_fault fault;
    } rows[] = {
        {COUNT, true, false, IO_TLS_FINE},
        {CLIENT, false, false, IO_TLS_FINE},
        {CLIENT, true, true, IO_TLS_FINE},
        {CLIENT_OLD, true, false, IO_TLS_EXPIRED},
        {CLIENT_STRANGE, true, false, IO_TLS_UNTRUSTED},
    };
    struct io_tls_ticket_key key = {{1}, {2}, {3}};
    enum who who[] = {MX_EC};
    struct io_tls_server *s =
        server_of(who, 1, ((struct span){(const char *)&key, sizeof key}), true);
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        struct talk t;
        int row = (int)i / 2, found = 0;
        talk_begin(&t);
        SSL_set_max_proto_version(t.ssl, i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
        if (rows[row].who < COUNT) {
            SSL_use_certificate(t.ssl, world.is[rows[row].who].cert);
            SSL_use_PrivateKey(t.ssl, world.is[rows[row].who].key);
        }
        kept = NULL;
        assert_true(shake(&t, s, &(struct io_tls_accept){.ask = rows[row].ask}));
        assert_int_equal(t.facts.pkix, rows[row].pkix);
        assert_int_equal(t.facts.fault, rows[row].fault);
        bool shown = rows[row].ask && rows[row].who < COUNT;
        assert_int_equal(io_stream_tls_names(t.stream, count_name, &found), shown);
        assert_int_equal(found, shown);
        assert_string_equal(t.facts.matched, rows[row].pkix ? "out.example.com" : "");
        assert_int_equal(kept == NULL, rows[row].ask); // nothing to resume where one was asked
        SSL_SESSION_free(kept);
        talk_end(&t);
    }
    io_tls_server_free(s);
}

// ---- clear text where TLS begins

static void hears_words(struct talk *t, struct io_tls_server *s, const char *first, size_t len)
{
    char got[100] = "";
    io_stream_accept_tls(t->stream, s, &(struct io_tls_accept){.clear = SPAN("554 TLS here\r\n")});
    for (int i = 0; i < 5; i++)
        io_loop_turn(t->loop, false);
    if (len)
        assert_int_equal(write(t->fd, first, len), len);
    else
        io_loop_shift(t->loop, SECONDS(11));
    for (int i = 0; i < 5; i++)
        io_loop_turn(t->loop, false);
    ssize_t n = recv(t->fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_string_equal(n > 0 ? got : "", "554 TLS here\r\n");
    shutdown(t->fd, SHUT_WR);
    assert_true(io_test_until(t->loop, &t->closed, 3000));
    assert_true(rc_ok(t->why) && !t->secured);
    assert_true(strstr(t->facts.error, "client"));
}

static void clear_text(void **state)
{
    (void)state;
    static const char *const first[] = {"EHLO a.example\r\n", "Q", "GET / HTTP/1.1\r\n\r\n", ""};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        struct io_tls_server *s = server_of((enum who[]){MX_EC}, 1, SPAN(""), false);
        struct talk t;
        talk_begin(&t);
        hears_words(&t, s, first[i], strlen(first[i]));
        assert_int_equal(s->users, 0); // it was given back
        talk_end(&t);
        io_tls_server_free(s);
    }
}

static void tls_is_no_clear_text(void **state)
{
    (void)state;
    struct io_tls_server *s = server_of((enum who[]){MX_EC}, 1, SPAN(""), false);
    struct talk t;
    talk_begin(&t);
    assert_true(shake(&t, s, &(struct io_tls_accept){.clear = SPAN("554 TLS here\r\n")}));
    io_loop_shift(t.loop, SECONDS(60));
    io_loop_turn(t.loop, false);
    assert_false(t.closed);
    talk_end(&t);
    io_tls_server_free(s);
}

// ---- and the rest

static void freed_during_the_handshake(void **state)
{
    (void)state;
    struct io_tls_server *s = server_of((enum who[]){MX_EC, OTHER_RSA}, 2, SPAN(""), false);
    struct talk t;
    talk_begin(&t);
    io_stream_accept_tls(t.stream, s, NULL);
    io_loop_turn(t.loop, false);
    io_tls_server_free(s); // a reload
    SSL_set_tlsext_host_name(t.ssl, "mx.example.net");
    for (int i = 0; i < 50 && !t.secured; i++) {
        (void)SSL_connect(t.ssl);
        io_loop_turn(t.loop, false);
    }
    assert_true(rc_ok(t.how));
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(t.ssl), world.is[OTHER_RSA].cert), 0);
    talk_end(&t);
}

static void about(void **state)
{
    (void)state;
    struct io_tls_about a;
    const char *why;
    struct io_tls_pair pair = {span_str(world.chain[CLIENT_OLD]), span_str(world.key[CLIENT_OLD])};
    assert_true(rc_ok(io_tls_pair_about(&a, &pair, &why)));
    assert_string_equal(a.name, "out.example.com");
    assert_int_equal(a.until - a.from, 8 * 86400);
    pair.key = span_str(world.key[CLIENT]);
    assert_false(rc_ok(io_tls_pair_about(&a, &pair, &why)));
    assert_non_null(strstr(why, "not belong"));
}

static void wrong_pair_is_named(void **state)
{
    (void)state;
    struct io_tls_pair pairs[] = {{span_str(world.chain[MX_EC]), span_str(world.key[MX_EC])},
                                  {span_str(world.chain[MX_RSA]), span_str(world.key[MX_EC])}};
    struct io_tls_server_conf c = {.pairs = pairs, .pair_count = 2};
    struct io_tls_server *s;
    const char *why;
    size_t which = 9;
    assert_false(rc_ok(io_tls_server_make(&s, &c, &why, &which)));
    assert_int_equal(which, 1);
    c = (struct io_tls_server_conf){
        .pairs = pairs, .pair_count = 1, .clients = true, .client_ca = SPAN("no PEM")};
    assert_false(rc_ok(io_tls_server_make(&s, &c, &why, &which)));
    assert_non_null(strstr(why, "anchors"));
}

static void protocols(void **state)
{
    (void)state;
    static const struct {
        const char *offered;
        bool ok;
        const char *chosen;
    } rows[] = {
        {NULL, true, ""},
        {"\10http/1.1", true, "http/1.1"},
        {"\2h2\10http/1.1", true, "http/1.1"},
        {"\2h2", false, ""},
    };
    struct io_tls_pair pair = {span_str(world.chain[MX_EC]), span_str(world.key[MX_EC])};
    struct io_tls_server_conf c = {.pairs = &pair, .pair_count = 1, .protocol = SPAN("http/1.1")};
    struct io_tls_server *s;
    const char *why;
    assert_true(rc_ok(io_tls_server_make(&s, &c, &why, NULL)));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const unsigned char *name = NULL;
        unsigned len = 0;
        struct talk t;
        talk_begin(&t);
        if (rows[i].offered)
            SSL_set_alpn_protos(t.ssl, (const unsigned char *)rows[i].offered,
                                (unsigned)strlen(rows[i].offered));
        assert_int_equal(shake(&t, s, NULL), rows[i].ok);
        SSL_get0_alpn_selected(t.ssl, &name, &len);
        assert_true(span_eq((struct span){(const char *)name, len}, span_str(rows[i].chosen)));
        talk_end(&t);
    }
    io_tls_server_free(s);
}

int main(void)
{
    enum { NAMES = sizeof names / sizeof *names };
    struct CMUnitTest cases[NAMES + 9];
    size_t n = 0;
    for (size_t i = 0; i < NAMES; i++)
        cases[n++] = (struct CMUnitTest){names[i].name, shows, NULL, NULL, (void *)&names[i]};
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(versions);
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(tickets);
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(clients);
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(protocols);
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(clear_text);
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(tls_is_no_clear_text);
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(freed_during_the_handshake);
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(about);
    cases[n++] = (struct CMUnitTest)cmocka_unit_test(wrong_pair_is_named);
    return _cmocka_run_group_tests("io_tls_server", cases, n, world_new, world_free);
}
