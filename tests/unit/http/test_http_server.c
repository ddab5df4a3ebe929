#include "http_test.h"

#include <errno.h>

struct world {
    struct handler h;
    struct http_server *server;
    int fd;
    struct buf got;
    bool ended;
};

static int connection_from(struct world *w, const char *from)
{
    int fds[2];
    struct io_endpoint peer;
    io_test_pair(fds);
    assert_true(io_endpoint_parse(&peer, span_str(from), 0));
    assert_true(rc_ok(http_server_take(w->server, fds[1], &peer)));
    return fds[0];
}

static int connection(struct world *w)
{
    return connection_from(w, "192.0.2.7:4711");
}

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);
    const char *why = "";
    w->h.loop = io_loop_new();
    struct http_conf c = handler_conf(&w->h);
    assert_true(rc_ok(http_server_new(&w->server, w->h.loop, -1, &c, &why)));
    w->fd = connection(w);
    w->got = BUF(1 << 20);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_server_free(w->server);
    io_loop_free(w->h.loop);
    if (w->fd >= 0)
        close(w->fd);
    buf_free(&w->got);
    free(w);
    return 0;
}

static void hear(struct world *w)
{
    char piece[4096];
    ssize_t n;
    while ((n = read(w->fd, piece, sizeof piece)) > 0)
        buf_put(&w->got, (struct span){piece, (size_t)n});
    w->ended |= n == 0 || (n < 0 && errno != EAGAIN);
}

static void turns(struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        io_loop_turn(w->h.loop, false);
        hear(w);
    }
}

// In pieces of so many bytes; who does not listen any more is no fault of the test.
static void say(struct world *w, struct span bytes, size_t chunk)
{
    for (int tries = 0; bytes.len && tries < 100000; tries++) {
        struct span piece = span_first(bytes, chunk);
        ssize_t n = send(w->fd, piece.at, piece.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        bytes = span_skip(bytes, n > 0 ? (size_t)n : 0);
        turns(w, 2);
    }
    turns(w, 10);
}

static void has(struct world *w, const char *text)
{
    if (!strstr(buf_str(&w->got), text))
        fail_msg("no \"%s\" in: %s", text, buf_str(&w->got));
}

static void again(struct world *w)
{
    buf_free(&w->got);
    w->got = BUF(1 << 20);
    w->ended = false;
}

static char body[TEST_BODY_MAX + 5000];
static void body_fill(void)
{
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7 + i / 251);
}

// ---- what is answered to what

static const struct row {
    const char *name, *said, *answers[3];
    bool ends, taken;
} rows[] = {
    {"a page", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", {"200 OK", "got 0"}, false, false},
    {"a post",
     "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
     {"201 Created", "posted 5 "},
     false,
     true},
    {"an empty post",
     "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
     {"201 Created", "posted 0 0"},
     false,
     true},
    {"in chunks",
     "POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nX: y\r\n\r\n",
     {"201 Created", "posted 5 "},
     false,
     true},
    {"HTTP/1.0",
     "POST /post HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
     {"201 Created", "posted 5 "},
     true,
     true},
    {"100-continue",
     "POST /post HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
     {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created", "posted 5 "},
     false,
     true},
    {"two at once",
     "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
     "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nyou",
     {"posted 5 ", "posted 3 "},
     false,
     true},
    {"a head of GET",
     "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
     {"200 OK", "Content-Length: 8"},
     false,
     false},
    {"too much",
     "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\nhello",
     {"413 "},
     true,
     false},
    {"too much, asked first",
     "POST /post HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n",
     {"HTTP/1.1 413 "},
     true,
     false},
    {"much too much",
     "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
     {"HTTP/1.1 4"},
     true,
     false},
    {"no length", "POST /post HTTP/1.1\r\nHost: x\r\n\r\n", {"HTTP/1.1 411 "}, false, false},
    {"another encoding of the transfer",
     "POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
     {"HTTP/1.1 501 "},
     true,
     false},
    {"the handler does not like the head",
     "POST /post HTTP/1.1\r\nHost: x\r\nContent-Encoding: br\r\nExpect: 100-continue\r\n"
     "Content-Length: 5\r\n\r\n",
     {"HTTP/1.1 415 ", "not that"},
     true,
     false},
    {"nothing there",
     "POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
     {"HTTP/1.1 404 ", "nothing here"},
     true,
     false},
    {"nothing to get",
     "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n",
     {"HTTP/1.1 404 "},
     false,
     false},
    {"a page is not posted to",
     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
     {"HTTP/1.1 405 ", "Allow: GET, HEAD\r\n"},
     true,
     false},
    {"a post is not got",
     "GET /post HTTP/1.1\r\nHost: x\r\n\r\n",
     {"HTTP/1.1 405 ", "Allow: POST\r\n"},
     false,
     false},
    {"neither is it put",
     "PUT /both HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
     {"HTTP/1.1 405 ", "Allow: GET, HEAD, POST\r\n"},
     true,
     false},
    {"nonsense", "\1\2\3\r\n\r\n", {""}, true, false},
};

static void answers(void **state)
{
    static const size_t chunks[] = {1 << 20, 1, 7};
    const struct row *row = *state;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        void *s = NULL;
        setup(&s);
        struct world *w = s;
        say(w, span_str(row->said), chunks[i]);
        for (size_t k = 0; k < 3 && row->answers[k]; k++)
            has(w, row->answers[k]);
        assert_int_equal(w->h.posts > 0, row->taken);
        assert_true(w->ended || !row->ends);
        if (row->taken)
            assert_string_equal(w->h.peer, "192.0.2.7:4711");
        if (row->taken && strstr(row->answers[1], "posted 5")) {
            char whole[32];
            snprintf(whole, sizeof whole, "posted 5 %u\n", handler_sum("hello", 5));
            has(w, whole);
        }
        teardown(&s);
    }
}

// ---- bodies

static void post(struct world *w, size_t size, size_t chunk)
{
    char head[200];
    snprintf(head, sizeof head, "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             size);
    say(w, span_str(head), SIZE_MAX);
    say(w, (struct span){body, size}, chunk);
}

static void large_bodies(void **state)
{
    static const size_t sizes[] = {1, 4096, 32768, 65537, TEST_BODY_MAX};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char wanted[64];
        post(w, sizes[i], 5000);
        snprintf(wanted, sizeof wanted, "posted %zu %u\n", sizes[i], handler_sum(body, sizes[i]));
        has(w, wanted);
        again(w);
    }
}

static void chunks_that_are_too_much(void **state)
{
    struct world *w = *state;
    char head[32];
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"), SIZE_MAX);
    snprintf(head, sizeof head, "%zx\r\n", sizeof body);
    say(w, span_str(head), SIZE_MAX);
    say(w, SPAN_OF(body), 8192);
    say(w, SPAN("\r\n0\r\n\r\n"), SIZE_MAX);
    has(w, "HTTP/1.1 413 ");
    assert_int_equal(w->h.posts, 0);
}

static void chunks_without_end(void **state)
{
    struct world *w = *state;
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"),
        SIZE_MAX);
    for (int i = 0; i < 10 && !w->ended; i++)
        say(w, SPAN_OF(body), 8192);
    assert_true(w->ended);
    assert_int_equal(w->h.posts, 0);
}

// 250000 bytes of all, 150000 of a client.
static void all_bodies_have_a_limit(void **state)
{
    struct world *w = *state;
    int first = w->fd;
    post(w, TEST_BODY_MAX - 1, 8192); // answered: its place is free again
    has(w, "201 ");
    again(w);
    w->h.later = true;
    post(w, TEST_BODY_MAX, 8192);
    w->fd = connection_from(w, "192.0.2.8:4711");
    post(w, TEST_BODY_MAX, 8192);
    assert_int_equal(w->h.kept_count, 2);
    int second = w->fd;
    w->fd = connection_from(w, "192.0.2.9:4711");
    post(w, TEST_BODY_MAX, 8192);
    has(w, "HTTP/1.1 503 ");
    has(w, "Retry-After: 60\r\n");
    close(w->fd);
    again(w);
    w->fd = second;
    w->h.later = false;
    handler_say(&w->h, w->h.kept[0]);
    handler_say(&w->h, w->h.kept[1]);
    turns(w, 10);
    has(w, "201 ");
    again(w);
    post(w, TEST_BODY_MAX, 8192);
    has(w, "201 ");
    close(first);
}

static void a_client_has_his_share(void **state)
{
    static const struct {
        const char *first, *second;
        bool fits;
    } pairs[] = {
        {"192.0.2.7:1", "192.0.2.7:2", false},
        {"192.0.2.7:1", "192.0.2.6:2", true},
        {"[2001:db8::1]:1", "[2001:db8::9:2]:2", false},
        {"[2001:db8::1]:1", "[2001:db8:0:1::1]:2", true},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        close(w->fd);
        w->h.later = true;
        w->h.kept_count = 0;
        w->fd = connection_from(w, pairs[i].first);
        post(w, TEST_BODY_MAX, 8192);
        assert_int_equal(w->h.kept_count, 1);
        int first = w->fd;
        w->h.later = false;
        w->fd = connection_from(w, pairs[i].second);
        post(w, TEST_BODY_MAX, 8192);
        has(w, pairs[i].fits ? "HTTP/1.1 201 " : "HTTP/1.1 503 ");
        again(w);
        handler_say(&w->h, w->h.kept[0]);
        turns(w, 10);
        close(first);
    }
}

static void cut_in_the_middle(void **state)
{
    struct world *w = *state;
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel"), SIZE_MAX);
    close(w->fd);
    w->fd = -1;
    for (int i = 0; i < 10; i++)
        io_loop_turn(w->h.loop, false);
    assert_int_equal(w->h.posts, 0);
}

static void half_closed(void **state)
{
    struct world *w = *state;
    w->h.later = true;
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"), SIZE_MAX);
    shutdown(w->fd, SHUT_WR);
    turns(w, 10);
    assert_int_equal(w->h.kept_count, 1);
    handler_say(&w->h, w->h.kept[0]);
    turns(w, 10);
    has(w, "posted 5 ");
    assert_true(w->ended);
}

static void gone_while_it_waits(void **state)
{
    struct world *w = *state;
    w->h.later = true;
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"), SIZE_MAX);
    close(w->fd);
    w->fd = -1;
    for (int i = 0; i < 10; i++)
        io_loop_turn(w->h.loop, false);
    handler_say(&w->h, w->h.kept[0]);
    for (int i = 0; i < 10; i++)
        io_loop_turn(w->h.loop, false);
}

static void freed_while_it_waits(void **state)
{
    struct world *w = *state;
    w->h.later = true;
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"), SIZE_MAX);
    http_server_free(w->server);
    w->server = NULL;
    hear(w);
    has(w, "HTTP/1.1 503 ");
    has(w, "\r\n\r\nending\n");
}

// ---- slow ones

static void pass(struct world *w, int seconds)
{
    io_loop_shift(w->h.loop, SECONDS(seconds));
    turns(w, 10);
}

static void a_head_that_drips(void **state)
{
    struct world *w = *state;
    say(w, SPAN("POST /post HTTP/1.1\r\n"), SIZE_MAX);
    for (int i = 0; i < 4; i++) {
        assert_false(w->ended);
        pass(w, 3);
        say(w, SPAN("X-Y: z\r\n"), SIZE_MAX);
    }
    assert_true(w->ended);
}

static void a_body_that_drips(void **state)
{
    struct world *w = *state;
    post(w, 0, 1); // the connection has been good before
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n"), SIZE_MAX);
    for (int i = 0; i < 3; i++) { // enough
        pass(w, 9);
        say(w, span_first(SPAN_OF(body), 1100), SIZE_MAX);
        assert_false(w->ended);
    }
    for (int i = 0; i < 3; i++) { // not enough
        pass(w, 9);
        say(w, span_first(SPAN_OF(body), 400), SIZE_MAX);
    }
    assert_true(w->ended);
    assert_int_equal(w->h.posts, 1);
}

static void a_body_that_takes_too_long(void **state)
{
    struct world *w = *state;
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n"), SIZE_MAX);
    for (int i = 0; i < 6; i++) {
        assert_false(w->ended);
        say(w, span_first(SPAN_OF(body), 4000), SIZE_MAX);
        pass(w, 9);
    }
    pass(w, 9);
    assert_true(w->ended);
}

static void an_answer_may_take_its_time(void **state)
{
    struct world *w = *state;
    w->h.later = true;
    say(w, SPAN("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"), SIZE_MAX);
    pass(w, 100);
    assert_false(w->ended);
    handler_say(&w->h, w->h.kept[0]);
    turns(w, 10);
    has(w, "posted 5 ");
    pass(w, 9);
    assert_false(w->ended);
    pass(w, 9); // nothing more is said
    assert_true(w->ended);
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof *rows };
#define CASE(f)                                                                                    \
    {                                                                                              \
#f, f, setup, teardown, NULL                                                               \
    }
    const struct CMUnitTest more[] = {
        CASE(large_bodies),
        CASE(chunks_that_are_too_much),
        CASE(chunks_without_end),
        CASE(all_bodies_have_a_limit),
        CASE(a_client_has_his_share),
        CASE(cut_in_the_middle),
        CASE(half_closed),
        CASE(gone_while_it_waits),
        CASE(freed_while_it_waits),
        CASE(a_head_that_drips),
        CASE(a_body_that_drips),
        CASE(a_body_that_takes_too_long),
        CASE(an_answer_may_take_its_time),
    };
    enum { MORE = sizeof more / sizeof *more };
    struct CMUnitTest cases[ROWS + MORE];
    body_fill();
    for (size_t i = 0; i < ROWS; i++)
        cases[i] =
            (struct CMUnitTest){rows[i].name, answers, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < MORE; i++)
        cases[ROWS + i] = more[i];
    return _cmocka_run_group_tests("http_server", cases, ROWS + MORE, NULL, NULL);
}
