#include "io_test.h"

#include "io_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct side {
    struct io_loop *loop;
    struct io_stream *s;
    struct buf got;
    size_t take; // at most so many bytes a call
    int inputs, drains, closes, connects;
    struct rc why, how;
    bool closed, connected, drained, heard, pause_after, free_in_input, free_in_drained,
        close_after;
    const char *reply;
};

static size_t side_input(void *arg, struct span bytes)
{
    struct side *e = arg;
    assert_true(span_eq(bytes, io_stream_unread(e->s)));
    struct span mine = span_first(bytes, e->take);
    buf_put(&e->got, mine);
    e->inputs++;
    e->heard = true;
    if (e->reply)
        assert_true(rc_ok(io_stream_write(e->s, span_str(e->reply))));
    if (e->pause_after)
        io_stream_pause(e->s, true);
    if (e->close_after)
        io_stream_close(e->s);
    if (e->free_in_input) {
        io_stream_free(e->s);
        e->s = NULL;
    }
    return mine.len;
}

static void side_drained(void *arg)
{
    struct side *e = arg;
    e->drains++;
    e->drained = true;
    if (e->free_in_drained) {
        io_stream_free(e->s);
        e->s = NULL;
    }
}

static void side_connected(void *arg, struct rc how)
{
    struct side *e = arg;
    e->connects++;
    e->how = how;
    e->connected = true;
}

static void side_closed(void *arg, struct rc why)
{
    struct side *e = arg;
    e->closes++;
    e->why = why;
    e->closed = true;
    io_stream_free(e->s);
    e->s = NULL;
}

static const struct io_stream_owner owner = {.input = side_input,
                                             .drained = side_drained,
                                             .connected = side_connected,
                                             .closed = side_closed};

struct world {
    struct io_loop *loop;
    struct side a, b;
    int raw;
};

static void side_open(struct world *w, struct side *e)
{
    e->loop = w->loop;
    e->got = BUF(8 << 20);
    e->take = SIZE_MAX;
}

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);
    int fds[2];
    w->loop = io_loop_new();
    io_test_pair(fds);
    side_open(w, &w->a);
    side_open(w, &w->b);
    w->a.s = io_stream_new(w->loop, fds[0], &owner, &w->a);
    w->raw = fds[1];
    *state = w;
    return 0;
}

static int setup_two(void **state)
{
    setup(state);
    struct world *w = *state;
    w->b.s = io_stream_new(w->loop, w->raw, &owner, &w->b);
    w->raw = -1;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    io_stream_free(w->a.s);
    io_stream_free(w->b.s);
    buf_free(&w->a.got);
    buf_free(&w->b.got);
    if (w->raw >= 0)
        close(w->raw);
    io_loop_free(w->loop);
    free(w);
    return 0;
}

static void say(struct world *w, const char *text)
{
    assert_int_equal(write(w->raw, text, strlen(text)), strlen(text));
}

static void heard(struct world *w, const char *text)
{
    io_test_rest(w->loop, 10);
    assert_string_equal(buf_str(&w->a.got), text);
    assert_int_equal(w->a.closes, 0);
}

static void input_is_handed_on(void **state)
{
    struct world *w = *state;
    say(w, "EHLO a\r\n");
    heard(w, "EHLO a\r\n");
    say(w, "QUIT\r\n");
    heard(w, "EHLO a\r\nQUIT\r\n");
    assert_int_equal(io_stream_unread(w->a.s).len, 0);
}

static void what_is_left_is_offered_with_more(void **state)
{
    struct world *w = *state;
    w->a.take = 0;
    say(w, "EH");
    heard(w, "");
    w->a.take = SIZE_MAX;
    io_test_rest(w->loop, 5);
    assert_int_equal(w->a.inputs, 1); // not again before there is more
    say(w, "LO\r\n");
    heard(w, "EHLO\r\n");
    assert_int_equal(w->a.inputs, 2);
}

// What lies behind a header stays where a handshake finds it.
static void no_more_is_read_than_is_asked_for(void **state)
{
    struct world *w = *state;
    io_stream_sip(w->a.s, 4);
    w->a.take = 0;
    say(w, "abcdefgh");
    heard(w, "");
    assert_int_equal(io_stream_unread(w->a.s).len, 4);
    assert_int_equal(w->a.inputs, 1);
    io_stream_sip(w->a.s, 6);
    io_test_rest(w->loop, 5);
    assert_int_equal(io_stream_unread(w->a.s).len, 6);
    w->a.take = SIZE_MAX;
    io_stream_again(w->a.s);
    heard(w, "abcdefgh"); // what was taken makes room
}

static void any_chunk_is_good(void **state)
{
    struct world *w = *state;
    CLEANUP(buf_free) struct buf all = BUF(4096);
    for (int i = 0; i < 200; i++) {
        char c[2] = {(char)('a' + i % 26), 0};
        w->a.take = (size_t)(i % 3);
        buf_put(&all, span_str(c));
        say(w, c);
        if (i % 5 == 0)
            io_loop_turn(w->loop, false);
    }
    w->a.take = SIZE_MAX;
    io_test_rest(w->loop, 5);
    io_stream_again(w->a.s);
    heard(w, buf_str(&all));
}

static void again_offers_what_is_unread(void **state)
{
    struct world *w = *state;
    w->a.take = 1;
    say(w, "abc");
    heard(w, "a");
    io_stream_again(w->a.s);
    heard(w, "ab");
    w->a.take = 5;
    io_stream_again(w->a.s);
    io_stream_again(w->a.s);
    heard(w, "abc");
    io_stream_again(w->a.s);
    heard(w, "abc");
    assert_int_equal(w->a.inputs, 3);
}

static void a_pause_keeps_input_back(void **state)
{
    struct world *w = *state;
    io_stream_pause(w->a.s, true);
    say(w, "later");
    heard(w, "");
    assert_int_equal(io_stream_unread(w->a.s).len, 5);
    io_stream_pause(w->a.s, false);
    assert_int_equal(w->a.inputs, 0);
    heard(w, "later");
}

static void a_pause_in_input_holds_from_there(void **state)
{
    struct world *w = *state;
    w->a.pause_after = true;
    w->a.take = 2;
    say(w, "abcdef");
    heard(w, "ab");
    say(w, "gh");
    heard(w, "ab");
    io_stream_pause(w->a.s, false);
    heard(w, "abcd");
}

// Input stops at the limit and goes on when there is room.
static void unread_input_is_limited(void **state)
{
    struct world *w = *state;
    static char block[65536];
    size_t put = 0;
    io_stream_pause(w->a.s, true);
    for (int i = 0; i < 100; i++) {
        ssize_t n = write(w->raw, block, sizeof block);
        put += n > 0 ? (size_t)n : 0;
        io_loop_turn(w->loop, false);
    }
    size_t unread = io_stream_unread(w->a.s).len;
    assert_true(unread > IO_STREAM_HOLD && unread <= IO_STREAM_HOLD + 65536);
    assert_true(put > unread);
    io_stream_pause(w->a.s, false);
    io_test_rest(w->loop, 20);
    assert_int_equal(w->a.got.len, put);
}

static void writes_of_a_turn_leave_together(void **state)
{
    struct world *w = *state;
    char got[64];
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("250-a\r\n"))));
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("250 b\r\n"))));
    assert_int_equal(io_stream_pending(w->a.s), 14);
    assert_int_equal(read(w->raw, got, sizeof got), -1);
    io_loop_turn(w->loop, false);
    assert_int_equal(read(w->raw, got, sizeof got), 14);
    assert_int_equal(io_stream_pending(w->a.s), 0);
    assert_int_equal(w->a.drains, 1);
}

static void out_can_be_appended_to(void **state)
{
    struct world *w = *state;
    char got[64];
    buf_printf(io_stream_out(w->a.s), "%d done\r\n", 250);
    io_stream_wake(w->a.s);
    io_loop_turn(w->loop, false);
    assert_int_equal(read(w->raw, got, sizeof got), 10);
}

static void flush_writes_at_once_and_calls_nobody(void **state)
{
    struct world *w = *state;
    char got[64];
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("now"))));
    io_stream_flush(w->a.s);
    assert_int_equal(read(w->raw, got, sizeof got), 3);
    assert_int_equal(w->a.drains, 0);
    io_loop_turn(w->loop, false);
    assert_int_equal(w->a.drains, 1);
}

static void a_full_stream_says_so_and_drains(void **state)
{
    struct world *w = *state;
    static char block[100000], sink[65536];
    size_t put = 0, got = 0;
    while (rc_ok(io_stream_write(w->a.s, SPAN_OF(block))))
        put += sizeof block;
    assert_int_equal(put, IO_STREAM_WRITE_MAX / sizeof block * sizeof block);
    for (int i = 0; i < 2000 && got < put; i++) {
        io_loop_turn(w->loop, false);
        ssize_t n = read(w->raw, sink, sizeof sink);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, put);
    io_test_rest(w->loop, 5);
    assert_int_equal(w->a.drains, 1);
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN_OF(block))));
}

static void bulk_keeps_its_order(void **state)
{
    struct world *w = *state;
    unsigned char next = 0, sink[3001];
    size_t put = 0, got = 0;
    for (int i = 0; i < 4000; i++) {
        char block[777];
        for (size_t k = 0; k < sizeof block; k++)
            block[k] = (char)(unsigned char)((put + k) % 251);
        if (rc_ok(io_stream_write(w->a.s, SPAN_OF(block))))
            put += sizeof block;
        io_loop_turn(w->loop, false);
        ssize_t n = read(w->raw, sink, sizeof sink);
        for (ssize_t k = 0; k < n; k++, next = (unsigned char)((next + 1) % 251))
            assert_int_equal(sink[k], next);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(put, got);
}

static void the_peer_closes(void **state)
{
    struct world *w = *state;
    say(w, "QUIT\r\n");
    close(w->raw);
    w->raw = -1;
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(w->a.why.code, RC_CLOSED);
    assert_string_equal(buf_str(&w->a.got), "QUIT\r\n");
}

static void a_half_closed_peer_gets_its_replies(void **state)
{
    struct world *w = *state;
    char got[64];
    w->a.reply = "221 bye\r\n";
    say(w, "QUIT\r\n");
    shutdown(w->raw, SHUT_WR);
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(read(w->raw, got, sizeof got), 9);
}

static bool ended;
static void note_end(void *arg)
{
    (void)arg;
    assert_false(ended);
    ended = true;
}

static void an_end_that_is_asked_for_closes_nothing(void **state)
{
    struct world *w = *state;
    struct io_stream_owner mine = owner;
    int fds[2];
    char got[64];
    mine.ended = note_end;
    ended = false;
    io_test_pair(fds);
    w->b.s = io_stream_new(w->loop, fds[0], &mine, &w->b);
    w->b.take = 0;
    assert_int_equal(write(fds[1], "QUIT\r\n", 6), 6);
    shutdown(fds[1], SHUT_WR);
    assert_true(io_test_until(w->loop, &ended, 1000)); // offered, though nothing was taken
    assert_int_equal(w->b.inputs, 1);
    io_test_rest(w->loop, 20);
    assert_false(w->b.closed);
    w->b.take = SIZE_MAX;
    io_stream_again(w->b.s);
    assert_true(rc_ok(io_stream_write(w->b.s, SPAN("221 bye\r\n"))));
    io_test_rest(w->loop, 20);
    assert_string_equal(buf_str(&w->b.got), "QUIT\r\n");
    assert_int_equal(read(fds[1], got, sizeof got), 9);
    assert_false(w->b.closed);
    io_stream_close(w->b.s);
    assert_true(io_test_until(w->loop, &w->b.closed, 1000));
    assert_int_equal(read(fds[1], got, sizeof got), 0);
    close(fds[1]);
}

static void an_end_during_a_pause_waits(void **state)
{
    struct world *w = *state;
    w->a.pause_after = true;
    w->a.take = 5;
    say(w, "DATA\nQUIT\n");
    io_test_rest(w->loop, 5);
    shutdown(w->raw, SHUT_WR);
    heard(w, "DATA\n");
    w->a.pause_after = false;
    io_stream_pause(w->a.s, false);
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_string_equal(buf_str(&w->a.got), "DATA\nQUIT\n");
}

static void writing_to_who_left_ends_it(void **state)
{
    struct world *w = *state;
    say(w, "554 go away\r\n");
    close(w->raw);
    w->raw = -1;
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("EHLO\r\n"))));
    io_stream_flush(w->a.s);
    assert_int_equal(w->a.closes, 0);
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(w->a.why.code, RC_CLOSED);
    assert_string_equal(buf_str(&w->a.got), "554 go away\r\n"); // its last words are heard
    assert_int_equal(w->a.closes, 1);
}

static void a_close_lets_queued_bytes_leave(void **state)
{
    struct world *w = *state;
    static char block[600000], sink[65536];
    size_t got = 0;
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN_OF(block))));
    io_stream_close(w->a.s);
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("too late"))));
    assert_int_equal(w->a.closes, 0);
    for (int i = 0; i < 2000 && got < sizeof block; i++) {
        io_loop_turn(w->loop, false);
        ssize_t n = read(w->raw, sink, sizeof sink);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, sizeof block);
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(w->a.why.code, RC_OK);
    assert_int_equal(read(w->raw, sink, sizeof sink), 0);
}

static void a_close_that_nobody_reads_is_given_up(void **state)
{
    struct world *w = *state;
    static char block[900000];
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN_OF(block))));
    io_stream_close(w->a.s);
    io_test_rest(w->loop, 5);
    assert_int_equal(w->a.closes, 0);
    io_loop_shift(w->loop, SECONDS(31));
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(w->a.why.code, RC_TIMEOUT);
}

static void a_close_while_the_peer_talks_lingers(void **state)
{
    struct world *w = *state;
    char got[64];
    w->a.take = 0;
    io_stream_pause(w->a.s, true);
    io_stream_close(w->a.s);
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("never"))));
    say(w, "more and more");
    io_test_rest(w->loop, 5);
    assert_int_equal(w->a.closes, 0);
    assert_int_equal(read(w->raw, got, sizeof got), 0); // its end is told already
    say(w, "and more");
    io_test_rest(w->loop, 5);
    assert_int_equal(w->a.closes, 0);
    close(w->raw);
    w->raw = -1;
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(w->a.why.code, RC_OK);
    assert_int_equal(w->a.inputs, 0);
}

static void lingering_ends(void **state)
{
    struct world *w = *state;
    io_stream_close(w->a.s);
    say(w, "x");
    io_test_rest(w->loop, 5);
    io_loop_shift(w->loop, SECONDS(3));
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(w->a.why.code, RC_OK);
}

static void who_pauses_in_a_long_speech_is_waited_for(void **state)
{
    struct world *w = *state;
    char got[8];
    io_stream_linger(w->a.s, SECONDS(10));
    io_stream_close(w->a.s);
    io_test_rest(w->loop, 5);
    assert_int_equal(w->a.closes, 0);
    assert_int_equal(read(w->raw, got, sizeof got), 0);
    io_loop_shift(w->loop, SECONDS(3));
    say(w, "more");
    io_test_rest(w->loop, 5);
    assert_int_equal(w->a.closes, 0);
    io_loop_shift(w->loop, SECONDS(8));
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(w->a.why.code, RC_OK);
}

static void close_in_input_after_a_reply(void **state)
{
    struct world *w = *state;
    char got[64];
    w->a.reply = "221 bye\r\n";
    w->a.close_after = true;
    say(w, "QUIT\r\n");
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(read(w->raw, got, sizeof got), 9);
    assert_int_equal(read(w->raw, got, sizeof got), 0);
}

static void free_inside_input(void **state)
{
    struct world *w = *state;
    w->a.free_in_input = true;
    w->a.take = 1;
    say(w, "abc");
    heard(w, "a");
    assert_null(w->a.s);
}

static void free_inside_input_of_kept_bytes(void **state)
{
    struct world *w = *state;
    w->a.take = 1;
    say(w, "abc");
    io_test_rest(w->loop, 5);
    w->a.free_in_input = true;
    io_stream_again(w->a.s);
    heard(w, "ab");
    assert_null(w->a.s);
}

static void free_inside_drained(void **state)
{
    struct world *w = *state;
    w->a.free_in_drained = true;
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("x"))));
    io_test_rest(w->loop, 5);
    assert_null(w->a.s);
    assert_int_equal(w->a.closes, 0);
}

static void free_with_everything_queued(void **state)
{
    struct world *w = *state;
    say(w, "abc");
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("x"))));
    io_stream_again(w->a.s);
    io_stream_free(w->a.s);
    w->a.s = NULL;
    heard(w, "");
}

static void two_streams_talk(void **state)
{
    struct world *w = *state;
    w->b.reply = "pong";
    for (int i = 0; i < 100; i++) {
        w->a.heard = false;
        assert_true(rc_ok(io_stream_write(w->a.s, SPAN("ping"))));
        assert_true(io_test_until(w->loop, &w->a.heard, 1000));
    }
    assert_int_equal(w->a.got.len, 400);
    io_stream_close(w->a.s);
    assert_true(io_test_until(w->loop, &w->b.closed, 1000));
    assert_int_equal(w->b.why.code, RC_CLOSED);
}

// ---- over the loopback, with a listener

static void accepted(void *arg, int fd, const struct io_endpoint *peer)
{
    struct world *w = arg;
    int on = 0;
    socklen_t len = sizeof on;
    if (!peer->local) {
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
        assert_true(on); // inherited
    }
    w->b.connects++;
    w->b.s = io_stream_new(w->loop, fd, &owner, &w->b);
    w->b.connected = true;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 sa = {0};
    socklen_t len = sizeof sa;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    return ntohs(sa.sin6_port); // at the same place in both families
}

static void over(struct world *w, const char *at)
{
    struct io_endpoint e, peer;
    int fd;
    assert_true(io_endpoint_parse(&e, span_str(at), 0));
    assert_true(rc_ok(io_bind(&fd, &e)));
    if (!e.local)
        e.port = port_of(fd);
    struct io_listener *li = io_listener_new(w->loop, fd, accepted, w);
    io_stream_free(w->a.s);
    w->a.s = io_stream_connect(w->loop, &e, NULL, &owner, &w->a);
    assert_int_equal(w->a.connects, 0);
    assert_true(io_test_until(w->loop, &w->a.connected, 1000));
    assert_true(rc_ok(w->a.how));
    assert_true(io_test_until(w->loop, &w->b.connected, 1000));
    assert_true(io_stream_peer(w->a.s, &peer));
    CLEANUP(buf_free) struct buf one = BUF(200), two = BUF(200);
    io_endpoint_put(&one, &e);
    io_endpoint_put(&two, &peer);
    assert_string_equal(buf_str(&one), buf_str(&two));
    w->b.reply = "220 hello";
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("x"))));
    assert_true(io_test_until(w->loop, &w->a.heard, 1000));
    io_listener_free(li);
}

static void over_ipv4(void **state)
{
    over(*state, "127.0.0.1:0");
}

static void over_ipv6(void **state)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    bool none = fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa);
    if (fd >= 0)
        close(fd);
    if (!none) // else a machine without IPv6
        over(*state, "[::1]:0");
}

static void over_a_unix_socket(void **state)
{
    over(*state, "unix:/tmp/io_stream_test.sock");
    unlink("/tmp/io_stream_test.sock");
}

static void a_left_socket_file_is_replaced(void **state)
{
    (void)state;
    struct io_endpoint e;
    int one, two;
    assert_true(io_endpoint_parse(&e, SPAN("unix:/tmp/io_stream_left.sock"), 0));
    assert_true(rc_ok(io_bind(&one, &e)));
    assert_false(rc_ok(io_bind(&two, &e))); // somebody listens
    close(one);
    assert_true(rc_ok(io_bind(&two, &e)));
    close(two);
    unlink(e.path);
}

static void nobody_listens(void **state)
{
    struct world *w = *state;
    struct io_endpoint e;
    int fd;
    assert_true(io_endpoint_parse(&e, SPAN("127.0.0.1:0"), 0));
    assert_true(rc_ok(io_bind(&fd, &e)));
    e.port = port_of(fd);
    close(fd);
    io_stream_free(w->a.s);
    w->a.s = io_stream_connect(w->loop, &e, NULL, &owner, &w->a);
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("early"))));
    assert_true(io_test_until(w->loop, &w->a.connected, 1000));
    assert_int_equal(w->a.how.code, RC_REFUSED);
    io_test_rest(w->loop, 5);
    assert_int_equal(w->a.closes, 0);
}

static void a_wrong_source_address_is_told_later(void **state)
{
    struct world *w = *state;
    struct io_endpoint e, from;
    assert_true(io_endpoint_parse(&e, SPAN("127.0.0.1:1"), 0));
    assert_true(io_endpoint_parse(&from, SPAN("192.0.2.1:0"), 0));
    io_stream_free(w->a.s);
    w->a.s = io_stream_connect(w->loop, &e, &from, &owner, &w->a);
    assert_int_equal(w->a.connects, 0);
    assert_true(io_test_until(w->loop, &w->a.connected, 1000));
    assert_false(rc_ok(w->a.how));
}

static void a_source_address_is_used(void **state)
{
    struct world *w = *state;
    struct io_endpoint e, from, peer;
    int fd;
    assert_true(io_endpoint_parse(&e, SPAN("127.0.0.1:0"), 0));
    assert_true(io_endpoint_parse(&from, SPAN("127.0.0.9:0"), 0));
    assert_true(rc_ok(io_bind(&fd, &e)));
    e.port = port_of(fd);
    struct io_listener *li = io_listener_new(w->loop, fd, accepted, w);
    io_stream_free(w->a.s);
    w->a.s = io_stream_connect(w->loop, &e, &from, &owner, &w->a);
    assert_true(io_test_until(w->loop, &w->b.connected, 1000));
    assert_true(io_stream_peer(w->b.s, &peer));
    assert_int_equal(peer.address[3], 9);
    io_listener_free(li);
}

static void a_reset_is_a_failure(void **state)
{
    struct world *w = *state;
    over(w, "127.0.0.1:0");
    w->a.closed = false;
    // A close with input unread and at once is a reset.
    io_stream_pause(w->b.s, true);
    assert_true(rc_ok(io_stream_write(w->a.s, SPAN("unread"))));
    io_loop_turn(w->loop, false);
    io_stream_free(w->b.s);
    w->b.s = NULL;
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_int_equal(w->a.closes, 1);
}

static void count_only(void *arg, int fd, const struct io_endpoint *peer)
{
    (void)peer;
    int *n = arg;
    n[0]++;
    close(fd);
}

static void no_descriptors_left_is_no_spinning(void **state)
{
    struct world *w = *state;
    struct io_endpoint e;
    int fd, n = 0;
    assert_true(io_endpoint_parse(&e, SPAN("127.0.0.1:0"), 0));
    assert_true(rc_ok(io_bind(&fd, &e)));
    e.port = port_of(fd);
    struct io_listener *li = io_listener_new(w->loop, fd, count_only, &n);
    io_stream_free(w->a.s);
    w->a.s = io_stream_connect(w->loop, &e, NULL, &owner, &w->a);
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = (struct rlimit){(rlim_t)fd + 1, old.rlim_max};
    // Fill the holes below the limit.
    int fill[64], k = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (k < 64 && (fill[k] = dup(0)) >= 0)
        k++;
    int turns = 0;
    int64_t end = io_now(w->loop).us + 50 * US_PER_MS;
    struct io_timer wake = {.fire = io_test_too_late};
    io_timer_set(w->loop, &wake, (struct mono){end});
    while (io_now(w->loop).us < end) {
        io_loop_turn(w->loop, true);
        turns++;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    while (k)
        close(fill[--k]);
    assert_true(turns < 20);
    assert_int_equal(n, 0);
    io_test_rest(w->loop, 300);
    assert_int_equal(n, 1);
    io_listener_free(li);
}

static void listener_free_in_accepted(void *arg, int fd, const struct io_endpoint *peer)
{
    (void)peer;
    struct io_listener **li = arg;
    close(fd);
    io_listener_free(*li);
    *li = NULL;
}

static void a_listener_freed_in_its_call(void **state)
{
    struct world *w = *state;
    struct io_endpoint e;
    int fd;
    assert_true(io_endpoint_parse(&e, SPAN("127.0.0.1:0"), 0));
    assert_true(rc_ok(io_bind(&fd, &e)));
    e.port = port_of(fd);
    struct io_listener *li;
    li = io_listener_new(w->loop, fd, listener_free_in_accepted, &li);
    io_stream_free(w->a.s);
    w->a.s = io_stream_connect(w->loop, &e, NULL, &owner, &w->a);
    assert_true(io_test_until(w->loop, &w->a.closed, 1000));
    assert_null(li);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TWO(f)  cmocka_unit_test_setup_teardown(f, setup_two, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(input_is_handed_on),
        CASE(what_is_left_is_offered_with_more),
        CASE(no_more_is_read_than_is_asked_for),
        CASE(any_chunk_is_good),
        CASE(again_offers_what_is_unread),
        CASE(a_pause_keeps_input_back),
        CASE(a_pause_in_input_holds_from_there),
        CASE(unread_input_is_limited),
        CASE(writes_of_a_turn_leave_together),
        CASE(out_can_be_appended_to),
        CASE(flush_writes_at_once_and_calls_nobody),
        CASE(a_full_stream_says_so_and_drains),
        CASE(bulk_keeps_its_order),
        CASE(the_peer_closes),
        CASE(a_half_closed_peer_gets_its_replies),
        CASE(an_end_that_is_asked_for_closes_nothing),
        CASE(an_end_during_a_pause_waits),
        CASE(writing_to_who_left_ends_it),
        CASE(a_close_lets_queued_bytes_leave),
        CASE(a_close_that_nobody_reads_is_given_up),
        CASE(a_close_while_the_peer_talks_lingers),
        CASE(lingering_ends),
        CASE(who_pauses_in_a_long_speech_is_waited_for),
        CASE(close_in_input_after_a_reply),
        CASE(free_inside_input),
        CASE(free_inside_input_of_kept_bytes),
        CASE(free_inside_drained),
        CASE(free_with_everything_queued),
        TWO(two_streams_talk),
        CASE(over_ipv4),
        CASE(over_ipv6),
        CASE(over_a_unix_socket),
        CASE(a_left_socket_file_is_replaced),
        CASE(nobody_listens),
        CASE(a_wrong_source_address_is_told_later),
        CASE(a_source_address_is_used),
        CASE(a_reset_is_a_failure),
        CASE(no_descriptors_left_is_no_spinning),
        CASE(a_listener_freed_in_its_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
