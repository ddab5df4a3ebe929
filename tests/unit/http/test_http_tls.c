#include "http_test.h"

#include "../io/io_pki.h"
#include "http_tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

static struct {
    struct pki ca, is[2];
    char *chain[2], *key[2];
} world;

static int world_new(void **state)
{
    (void)state;
    world.ca = pki_new("CA", NULL, -10, 100, true, NULL, 0);
    for (int i = 0; i < 2; i++) {
        world.is[i] =
            pki_new("x", i ? "DNS:new.example" : "DNS:old.example", -1, 9, false, &world.ca, 0);
        world.chain[i] = pki_chain_pem(world.is[i].cert, NULL);
        world.key[i] = pki_key_pem(world.is[i].key);
    }
    return 0;
}

static int world_free(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pki_free(&world.is[i]);
        free(world.chain[i]);
        free(world.key[i]);
    }
    pki_free(&world.ca);
    return 0;
}

static struct io_tls_server *certificate(int which)
{
    struct io_tls_pair pair = {span_str(world.chain[which]), span_str(world.key[which])};
    struct io_tls_server_conf c = {.pairs = &pair, .pair_count = 1, .protocol = SPAN("http/1.1")};
    struct io_tls_server *s;
    const char *why;
    assert_true(rc_ok(io_tls_server_make(&s, &c, &why, NULL)));
    return s;
}

struct place {
    struct handler h;
    struct http_tls *server;
    struct sockaddr_in at;
};

static int listening(struct place *p)
{
    struct io_endpoint at;
    socklen_t len = sizeof p->at;
    int fd = -1;
    assert_true(io_endpoint_parse(&at, SPAN("127.0.0.1:0"), 0));
    assert_true(rc_ok(io_bind(&fd, &at)));
    assert_int_equal(getsockname(fd, (struct sockaddr *)&p->at, &len), 0);
    return fd;
}

static int setup(void **state)
{
    struct place *p = mem_new(sizeof *p);
    const char *why = "";
    p->h.loop = io_loop_new();
    struct http_conf c = handler_conf(&p->h);
    assert_true(rc_ok(http_tls_new(&p->server, p->h.loop, &c, &why)));
    http_tls_use(p->server, certificate(0));
    http_tls_listen(p->server, &(int){listening(p)}, 1);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    http_tls_free(p->server);
    io_loop_free(p->h.loop);
    free(p);
    return 0;
}

// ---- a client

struct client {
    struct place *place;
    SSL_CTX *ctx;
    SSL *ssl; // NULL: clear text
    int fd;
    struct buf got;
    bool ended, shaken;
};

static void client_connect(struct client *c, struct place *p, const char *from)
{
    struct sockaddr_in me = {.sin_family = AF_INET};
    *c = (struct client){.place = p, .got = BUF(4 << 20)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, from, &me.sin_addr), 1);
    assert_int_equal(bind(c->fd, (struct sockaddr *)&me, sizeof me), 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&p->at, sizeof p->at), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

static void client_end(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
    buf_free(&c->got);
}

// Loopback, too, takes a moment.
static void turns(struct place *p, int n)
{
    for (int i = 0; i < n; i++) {
        usleep(200);
        io_loop_turn(p->h.loop, false);
    }
}

static bool client_shake(struct client *c)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    for (int i = 0; i < 400 && !c->shaken; i++) {
        c->shaken = SSL_connect(c->ssl) == 1;
        turns(c->place, 2);
    }
    return c->shaken;
}

static void client_new(struct client *c, struct place *p)
{
    client_connect(c, p, "127.0.0.1");
    assert_true(client_shake(c));
}

static void hear(struct client *c)
{
    char piece[16384];
    for (;;) {
        size_t n = 0;
        ERR_clear_error();
        int is = SSL_read_ex(c->ssl, piece, sizeof piece, &n);
        if (is == 1)
            buf_put(&c->got, (struct span){piece, n});
        else {
            int error = SSL_get_error(c->ssl, is);
            c->ended |= error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
            return;
        }
    }
}

static void rest(struct client *c, int n)
{
    for (int i = 0; i < n; i++) {
        turns(c->place, 1);
        hear(c);
    }
}

static void say(struct client *c, struct span bytes, size_t chunk)
{
    for (int tries = 0; bytes.len && tries < 100000; tries++) {
        size_t n = 0;
        ERR_clear_error();
        if (SSL_write_ex(c->ssl, bytes.at, span_first(bytes, chunk).len, &n) != 1 &&
            SSL_get_error(c->ssl, 0) != SSL_ERROR_WANT_WRITE)
            break;
        bytes = span_skip(bytes, n);
        rest(c, 1);
    }
    rest(c, 3);
}

static void has(struct client *c, const char *text)
{
    for (int i = 0; i < 5000 && !strstr(buf_str(&c->got), text) && !c->ended; i++)
        rest(c, 1);
    if (!strstr(buf_str(&c->got), text))
        fail_msg("no \"%s\" in: %s", text, buf_str(&c->got));
}

static void ends(struct client *c)
{
    for (int i = 0; i < 3000 && !c->ended; i++) {
        rest(c, 2);
    }
    assert_true(c->ended);
}

#define UNTIL(client, what)                                                                        \
    do {                                                                                           \
        for (int tries = 0; tries < 5000 && !(what); tries++)                                      \
            rest(client, 1);                                                                       \
        if (!(what))                                                                               \
            fail_msg("%s (%u posts)", #what, (client)->place->h.posts);                            \
    } while (0)

static void gone(struct place *p, size_t count)
{
    for (int i = 0; i < 3000 && http_tls_connections(p->server) != count; i++) {
        turns(p, 2);
    }
    assert_int_equal(http_tls_connections(p->server), count);
}

static char body[TEST_BODY_MAX * 3];

#define POST5 "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"

// ---- what it does

static void posts_over_one_connection(void **state)
{
    struct place *p = *state;
    struct client c;
    client_new(&c, p);
    for (unsigned i = 1; i <= 3; i++) {
        say(&c, SPAN(POST5), i * 7);
        has(&c, "posted 5 ");
        assert_int_equal(p->h.posts, i);
        assert_true(strncmp(p->h.peer, "127.0.0.1:", 10) == 0);
        buf_free(&c.got);
    }
    assert_int_equal(http_tls_connections(p->server), 1);
    client_end(&c);
    gone(p, 0);
}

static void large_bodies_in_any_chunk(void **state)
{
    static const size_t chunks[] = {16384, 1000, 65536};
    struct place *p = *state;
    char head[200], wanted[64];
    snprintf(head, sizeof head, "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
             TEST_BODY_MAX);
    snprintf(wanted, sizeof wanted, "posted %d %u\n", TEST_BODY_MAX,
             handler_sum(body, TEST_BODY_MAX));
    for (size_t i = 0; i < 3; i++) {
        struct client c;
        client_new(&c, p);
        say(&c, span_str(head), 4096);
        say(&c, (struct span){body, TEST_BODY_MAX}, chunks[i]);
        has(&c, wanted);
        client_end(&c);
    }
}

// More than all buffers between hold: nothing is lost while the server does not read.
static void a_server_that_waits(void **state)
{
    struct place *p = *state;
    struct client c;
    p->h.later = true;
    client_new(&c, p);
    SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    say(&c, SPAN(POST5), 4096);
    UNTIL(&c, p->h.kept_count == 1);
    static char many[150 * 81000];
    size_t len = 0, sent = 0;
    for (int i = 0; i < 150; i++) {
        len += (size_t)snprintf(many + len, 100,
                                "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 80000\r\n\r\n");
        span_bytes(many + len, 80000, span_first(SPAN_OF(body), 80000));
        len += 80000;
    }
    for (int idle = 0; idle < 2000 && sent < len;) {
        size_t n = 0;
        idle++;
        if (SSL_write_ex(c.ssl, many + sent, len - sent, &n) == 1)
            idle = 0;
        sent += n;
        if (idle == 1000) { // all is full
            assert_true(sent < len);
            p->h.later = false;
            handler_say(&p->h, p->h.kept[0]);
        }
        rest(&c, 1);
    }
    assert_int_equal(sent, len);
    UNTIL(&c, p->h.posts == 151);
    assert_int_equal(p->h.size, 80000);
    client_end(&c);
}

static void an_end_after_the_request(void **state)
{
    struct place *p = *state;
    struct client c;
    p->h.later = true;
    client_new(&c, p);
    say(&c, SPAN(POST5), 4096);
    (void)SSL_shutdown(c.ssl); // close_notify, and FIN
    shutdown(c.fd, SHUT_WR);
    UNTIL(&c, p->h.kept_count == 1);
    handler_say(&p->h, p->h.kept[0]);
    has(&c, "posted 5 ");
    client_end(&c);
    gone(p, 0);
}

static void an_end_inside_the_request(void **state)
{
    struct place *p = *state;
    struct client c;
    client_new(&c, p);
    say(&c, span_first(SPAN(POST5), sizeof POST5 - 3), 4096);
    close(c.fd);
    c.fd = -1;
    gone(p, 0);
    assert_int_equal(p->h.posts, 0);
    client_end(&c);
}

static void gone_while_it_waits(void **state)
{
    struct place *p = *state;
    struct client c;
    p->h.later = true;
    client_new(&c, p);
    say(&c, SPAN(POST5), 4096);
    UNTIL(&c, p->h.kept_count == 1);
    struct linger hard = {.l_onoff = 1};
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    close(c.fd);
    c.fd = -1;
    gone(p, 0);
    handler_say(&p->h, p->h.kept[0]);
    turns(p, 20);
    client_end(&c);
}

// The answer comes before the body is there, and reaches a client that sends all of it.
static void refused_before_its_body(void **state)
{
    struct place *p = *state;
    struct client c;
    client_new(&c, p);
    SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    say(&c, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"), 4096);
    say(&c, SPAN_OF(body), 16384);
    has(&c, "HTTP/1.1 413 ");
    ends(&c);
    client_end(&c);
    gone(p, 0);
}

static void clear_text(void **state)
{
    struct place *p = *state;
    struct client c;
    char got[512] = "";
    client_connect(&c, p, "127.0.0.1");
    assert_int_equal(send(c.fd, POST5, sizeof POST5 - 1, 0), sizeof POST5 - 1);
    ssize_t n = -1;
    for (int i = 0; i < 3000 && n <= 0; i++) {
        turns(p, 1);
        n = recv(c.fd, got, sizeof got - 1, 0);
    }
    assert_true(n > 0);
    assert_non_null(strstr(got, "HTTP/1.1 400 "));
    assert_non_null(strstr(got, "\r\n\r\nThis port speaks HTTPS.\n"));
    client_end(&c);
}

static void old_versions(void **state)
{
    struct place *p = *state;
    struct client c;
    client_connect(&c, p, "127.0.0.1");
    c.ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(c.ctx, 0);
    SSL_CTX_set_max_proto_version(c.ctx, TLS1_1_VERSION);
    SSL_CTX_set_min_proto_version(c.ctx, TLS1_VERSION);
    c.ssl = SSL_new(c.ctx);
    SSL_set_fd(c.ssl, c.fd);
    for (int i = 0; i < 100; i++) {
        assert_int_not_equal(SSL_connect(c.ssl), 1);
        turns(p, 2);
    }
    assert_int_equal(http_tls_connections(p->server), 0);
    client_end(&c);
}

static void a_handshake_that_stalls(void **state)
{
    struct place *p = *state;
    struct client silent, half;
    client_connect(&silent, p, "127.0.0.1");
    client_connect(&half, p, "127.0.0.1");
    assert_int_equal(send(half.fd, "\x16\x03\x01\x01\x00\x01", 6, 0), 6);
    gone(p, 2);
    io_loop_shift(p->h.loop, SECONDS(12));
    gone(p, 1);
    io_loop_shift(p->h.loop, SECONDS(4));
    gone(p, 0);
    client_end(&silent);
    client_end(&half);
}

static void a_new_certificate(void **state)
{
    struct place *p = *state;
    struct client old, mid, new;
    client_new(&old, p);
    say(&old, span_first(SPAN(POST5), 60), 4096);
    client_connect(&mid, p, "127.0.0.1");
    gone(p, 2);
    http_tls_use(p->server, certificate(1));
    http_tls_listen(p->server, &(int){listening(p)}, 1);
    client_new(&new, p);
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(new.ssl), world.is[1].cert), 0);
    assert_true(client_shake(&mid)); // it was accepted before
    say(&old, span_skip(SPAN(POST5), 60), 4096);
    has(&old, "posted 5 ");
    say(&new, SPAN(POST5), 4096);
    has(&new, "posted 5 ");
    client_end(&old);
    client_end(&mid);
    client_end(&new);
}

// 8 are taken at once.
static void who_stalls_many_stalls_himself(void **state)
{
    struct place *p = *state;
    struct client stalled[20], good;
    for (int i = 0; i < 20; i++) {
        client_connect(&stalled[i], p, "127.0.0.9");
        turns(p, 5);
        io_loop_shift(p->h.loop, 1000);
    }
    gone(p, 8);
    client_new(&good, p);
    for (int i = 0; i < 12; i++) {
        struct client more;
        client_connect(&more, p, "127.0.0.9");
        turns(p, 5);
        client_end(&more);
    }
    say(&good, SPAN(POST5), 4096);
    has(&good, "posted 5 ");
    for (int i = 0; i < 20; i++)
        client_end(&stalled[i]);
    client_end(&good);
    gone(p, 0);
}

static void freed_while_it_waits(void **state)
{
    struct place *p = *state;
    struct client c;
    p->h.later = true;
    client_new(&c, p);
    say(&c, SPAN(POST5), 4096);
    UNTIL(&c, p->h.kept_count == 1);
    http_tls_free(p->server);
    p->server = NULL;
    has(&c, "HTTP/1.1 503 ");
    has(&c, "\r\n\r\nending\n");
    client_end(&c);
}

static void nobody_without_a_certificate(void **state)
{
    struct place *p = *state;
    struct client c;
    http_tls_use(p->server, NULL);
    client_connect(&c, p, "127.0.0.1");
    assert_false(client_shake(&c));
    client_end(&c);
}

int main(void)
{
#define CASE(f)                                                                                    \
    {                                                                                              \
#f, f, setup, teardown, NULL                                                               \
    }
    const struct CMUnitTest cases[] = {
        CASE(posts_over_one_connection),
        CASE(large_bodies_in_any_chunk),
        CASE(a_server_that_waits),
        CASE(an_end_after_the_request),
        CASE(an_end_inside_the_request),
        CASE(gone_while_it_waits),
        CASE(refused_before_its_body),
        CASE(clear_text),
        CASE(old_versions),
        CASE(a_handshake_that_stalls),
        CASE(a_new_certificate),
        CASE(who_stalls_many_stalls_himself),
        CASE(freed_while_it_waits),
        CASE(nobody_without_a_certificate),
    };
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7 + i / 251);
    return cmocka_run_group_tests(cases, world_new, world_free);
}
