#include "io_test.h"

#include "io_channel.h"
#include "io_frame.h"

#include <fcntl.h>
#include <sys/stat.h>

struct end {
    struct io_channel *c;
    struct buf log; // kind/ticket/length; of each message
    size_t bytes;
    int messages, fds, closed, keep;
    bool refuse, done, echo, in_order;
    int want, kept[4];
    ino_t inodes[600];
};
struct pair {
    struct io_loop *loop;
    struct end a, b;
    int raw; // the far end, where no channel sits on it
};

static bool got(void *arg, struct io_message *m)
{
    struct end *e = arg;
    buf_printf(&e->log, "%u/%u/%zu;", m->kind, m->ticket, m->payload.len);
    e->bytes += m->payload.len;
    if (m->fd >= 0) {
        struct stat st;
        assert_int_equal(fstat(m->fd, &st), 0);
        assert_true(fcntl(m->fd, F_GETFD) & FD_CLOEXEC);
        if (e->fds < 600)
            e->inodes[e->fds] = st.st_ino;
        // The payload of such a frame names the file that has to come with it.
        ino_t named = 0;
        if (m->payload.len == sizeof named) {
            span_bytes(&named, sizeof named, m->payload);
            assert_int_equal(named, st.st_ino);
        }
        e->fds++;
        if (e->keep) {
            e->kept[--e->keep] = m->fd;
            m->fd = -1;
        }
    }
    if (e->echo)
        io_channel_send(e->c, (uint16_t)(m->kind + 1), m->ticket, m->payload, -1);
    e->done = ++e->messages == e->want;
    return !e->refuse;
}

static void closed(void *arg)
{
    struct end *e = arg;
    e->closed++;
    e->done = true;
    io_channel_free(e->c);
    e->c = NULL;
}

static void end_open(struct pair *p, struct end *e, int fd)
{
    e->log = BUF(1 << 20);
    e->c = io_channel_new(p->loop, fd, got, closed, e);
}

static int setup(void **state)
{
    struct pair *p = mem_new(sizeof *p);
    int fds[2];
    p->loop = io_loop_new();
    assert_true(rc_ok(io_channel_pair(fds)));
    end_open(p, &p->a, fds[0]);
    end_open(p, &p->b, fds[1]);
    p->raw = -1;
    *state = p;
    return 0;
}

static int setup_raw(void **state)
{
    struct pair *p = mem_new(sizeof *p);
    int fds[2];
    p->loop = io_loop_new();
    assert_true(rc_ok(io_channel_pair(fds)));
    end_open(p, &p->a, fds[0]);
    p->raw = fds[1];
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;
    io_channel_free(p->a.c);
    io_channel_free(p->b.c);
    buf_free(&p->a.log);
    buf_free(&p->b.log);
    if (p->raw >= 0)
        close(p->raw);
    io_loop_free(p->loop);
    free(p);
    return 0;
}

static void messages_arrive_in_order(void **state)
{
    struct pair *p = *state;
    p->b.want = 3;
    io_channel_send(p->a.c, 2, 77, SPAN("hello"), -1);
    io_channel_send(p->a.c, 65535, UINT32_MAX, SPAN(""), -1);
    io_channel_send(p->a.c, 0, 0, SPAN("x"), -1);
    assert_true(io_channel_pending(p->a.c) > 0);
    assert_true(io_test_until(p->loop, &p->b.done, 1000));
    assert_string_equal(buf_str(&p->b.log), "2/77/5;65535/4294967295/0;0/0/1;");
    assert_int_equal(io_channel_pending(p->a.c), 0);
}

static void questions_are_answered(void **state)
{
    struct pair *p = *state;
    p->b.echo = true;
    p->a.want = 100;
    for (uint32_t i = 0; i < 100; i++)
        io_channel_send(p->a.c, 30, i, SPAN("question"), -1);
    assert_true(io_test_until(p->loop, &p->a.done, 1000));
    assert_true(span_starts(buf_span(&p->a.log), SPAN("31/0/8;31/1/8;31/2/8;")));
}

static void the_largest_message_arrives(void **state)
{
    struct pair *p = *state;
    char *large = mem_new(IO_MESSAGE_MAX);
    p->b.want = 2;
    io_channel_send(p->a.c, 1, 1, (struct span){large, IO_MESSAGE_MAX}, -1);
    io_channel_send(p->a.c, 2, 2, SPAN("after"), -1);
    assert_true(io_test_until(p->loop, &p->b.done, 5000));
    assert_string_equal(buf_str(&p->b.log), "1/1/4194304;2/2/5;");
    free(large);
}

static void many_messages_both_ways(void **state)
{
    struct pair *p = *state;
    static char body[3000];
    p->b.echo = true;
    p->a.want = 20000;
    for (uint32_t i = 0; i < 20000; i++)
        io_channel_send(p->a.c, 8, i, (struct span){body, i % sizeof body}, -1);
    assert_true(io_test_until(p->loop, &p->a.done, 20000));
    assert_int_equal(p->a.bytes, p->b.bytes);
}

static int file_new(ino_t *inode)
{
    char path[] = "/tmp/io_channel.XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    unlink(path);
    *inode = st.st_ino;
    return fd;
}

static void a_descriptor_travels(void **state)
{
    struct pair *p = *state;
    ino_t inode;
    int fd = file_new(&inode);
    p->b.want = p->b.keep = 1;
    io_channel_send(p->a.c, 5, 6, SPAN("body"), fd);
    close(fd);
    assert_true(io_test_until(p->loop, &p->b.done, 1000));
    assert_int_equal(p->b.inodes[0], inode);
    assert_int_equal(write(p->b.kept[0], "x", 1), 1);
    close(p->b.kept[0]);
}

// Five hundred of them between messages without one, more than a call carries and
// than the socket holds: each comes with its own frame.
static void descriptors_keep_to_their_frames(void **state)
{
    struct pair *p = *state;
    static char padding[30000];
    p->b.want = 1000;
    for (uint32_t i = 0; i < 500; i++) {
        ino_t inode;
        int fd = file_new(&inode);
        io_channel_send(p->a.c, 1, i, (struct span){(char *)&inode, sizeof inode}, fd);
        close(fd);
        io_channel_send(p->a.c, 2, i, (struct span){padding, (i * 61) % sizeof padding}, -1);
        if (i % 7 == 0)
            io_loop_turn(p->loop, false);
    }
    assert_true(io_test_until(p->loop, &p->b.done, 10000));
    assert_int_equal(p->b.fds, 500);
    assert_int_equal(p->b.closed, 0);
}

static size_t open_descriptors(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void descriptors_nobody_keeps_are_closed(void **state)
{
    struct pair *p = *state;
    size_t before = open_descriptors();
    p->b.want = 50;
    for (uint32_t i = 0; i < 50; i++)
        io_channel_send(p->a.c, 1, i, SPAN(""), 0);
    assert_true(io_test_until(p->loop, &p->b.done, 1000));
    assert_int_equal(open_descriptors(), before);
}

static void a_freed_channel_lets_go_of_descriptors(void **state)
{
    struct pair *p = *state;
    size_t before = open_descriptors();
    io_channel_send(p->a.c, 1, 1, SPAN(""), 0);
    io_channel_free(p->a.c);
    p->a.c = NULL;
    assert_true(io_test_until(p->loop, &p->b.done, 1000));
    assert_int_equal(p->b.closed, 1);
    assert_int_equal(open_descriptors(), before - 2);
}

static void what_was_sent_arrives_before_the_end(void **state)
{
    struct pair *p = *state;
    io_channel_send(p->a.c, 1, 1, SPAN("last words"), -1);
    io_loop_turn(p->loop, false);
    io_channel_free(p->a.c);
    p->a.c = NULL;
    io_test_rest(p->loop, 20);
    assert_string_equal(buf_str(&p->b.log), "1/1/10;");
    assert_int_equal(p->b.closed, 1);
}

static void a_refused_message_closes(void **state)
{
    struct pair *p = *state;
    p->b.refuse = true;
    io_channel_send(p->a.c, 1, 1, SPAN("a"), -1);
    io_channel_send(p->a.c, 1, 2, SPAN("b"), -1);
    io_test_rest(p->loop, 20);
    assert_int_equal(p->b.messages, 1);
    assert_int_equal(p->b.closed, 1);
    assert_int_equal(p->a.closed, 1);
}

static void any_chunks_give_the_same_frames(void **state)
{
    struct pair *p = *state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    io_frame_put(&b, &(struct io_frame){.kind = 3, .ticket = 9, .payload = SPAN("fragments")});
    io_frame_put(&b, &(struct io_frame){.kind = 4, .ticket = 10});
    io_frame_put(&b, &(struct io_frame){.kind = 5, .ticket = 11, .payload = SPAN("!")});
    for (size_t chunk = 1; chunk <= b.len; chunk++) {
        buf_clear(&p->a.log);
        for (size_t at = 0; at < b.len; at += chunk) {
            size_t n = b.len - at < chunk ? b.len - at : chunk;
            assert_int_equal(write(p->raw, b.at + at, n), n);
            io_loop_turn(p->loop, true);
        }
        assert_string_equal(buf_str(&p->a.log), "3/9/9;4/10/0;5/11/1;");
    }
}

static void send_raw(int to, struct span bytes, const int *fds, size_t n)
{
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(253 * sizeof(int))];
    } control = {0};
    struct iovec v = {(void *)(uintptr_t)bytes.at, bytes.len};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    if (n) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        *h = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS,
                              .cmsg_len = CMSG_LEN(n * sizeof(int))};
        span_bytes(CMSG_DATA(h), n * sizeof(int),
                   (struct span){(const char *)fds, n * sizeof(int)});
    }
    assert_int_equal(sendmsg(to, &m, 0), bytes.len);
}

static void a_fragmented_frame_keeps_its_descriptor(void **state)
{
    struct pair *p = *state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    int fd = 0;
    p->a.want = 1;
    io_frame_put(&b, &(struct io_frame){.kind = 3, .descriptors = 1, .payload = SPAN("in pieces")});
    for (size_t i = 0; i < b.len; i++) {
        send_raw(p->raw, (struct span){b.at + i, 1}, &fd, i == 0);
        io_loop_turn(p->loop, true);
    }
    assert_int_equal(p->a.messages, 1);
    assert_int_equal(p->a.fds, 1);
}

#define BYTES(literal) literal, sizeof(literal) - 1
static const struct bad {
    const char *name;
    const char *bytes;
    size_t len;
} bads[] = {
    {"length 0", BYTES("\0\0\0\0")},
    {"length 6", BYTES("\0\0\0\6")},
    {"length one over", BYTES("\0\x40\0\x08")},
    {"length 2^32-1", BYTES("\xff\xff\xff\xff")},
    {"two descriptors announced", BYTES("\0\0\0\7\0\1\2\0\0\0\0")},
    {"a descriptor announced that did not come", BYTES("\0\0\0\7\0\1\1\0\0\0\0")},
    {"text", BYTES("EHLO mx.example.org\r\n")},
    {"a good frame, then nonsense", BYTES("\0\0\0\7\0\1\0\0\0\0\0\x99\x99\x99\x99")},
};

static void bad_frame(void **state)
{
    const struct bad *bad = *state;
    void *raw;
    setup_raw(&raw);
    struct pair *p = raw;
    assert_int_equal(write(p->raw, bad->bytes, bad->len), bad->len);
    assert_true(io_test_until(p->loop, &p->a.done, 1000));
    assert_int_equal(p->a.closed, 1);
    teardown(&raw);
}

static void a_flood_of_descriptors_closes(void **state)
{
    struct pair *p = *state;
    size_t before = open_descriptors();
    int fds[60] = {0};
    for (int i = 0; i < 8 && !p->a.closed; i++) {
        send_raw(p->raw, i ? SPAN("x") : SPAN("\0\0\xff\xff"), fds, 60);
        io_loop_turn(p->loop, true);
    }
    assert_int_equal(p->a.closed, 1);
    assert_int_equal(open_descriptors(), before - 1);
}

static void more_descriptors_than_fit_close(void **state)
{
    struct pair *p = *state;
    size_t before = open_descriptors();
    int fds[250] = {0};
    send_raw(p->raw, SPAN("\0"), fds, 250);
    assert_true(io_test_until(p->loop, &p->a.done, 1000));
    assert_int_equal(open_descriptors(), before - 1);
}

static void a_torn_frame_is_an_end(void **state)
{
    struct pair *p = *state;
    assert_int_equal(write(p->raw, "\0\0\0\x10\0\1", 6), 6);
    close(p->raw);
    p->raw = -1;
    assert_true(io_test_until(p->loop, &p->a.done, 1000));
    assert_int_equal(p->a.closed, 1);
    assert_int_equal(p->a.messages, 0);
}

static void sending_to_one_that_died_is_told_later(void **state)
{
    struct pair *p = *state;
    close(p->raw);
    p->raw = -1;
    io_channel_send(p->a.c, 1, 1, SPAN("x"), -1);
    assert_int_equal(p->a.closed, 0);
    io_test_rest(p->loop, 10);
    assert_int_equal(p->a.closed, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define RAW(f)  cmocka_unit_test_setup_teardown(f, setup_raw, teardown)
int main(void)
{
    enum { BADS = sizeof bads / sizeof *bads };
    struct CMUnitTest bad[BADS];
    for (size_t i = 0; i < BADS; i++)
        bad[i] =
            (struct CMUnitTest){bads[i].name, bad_frame, NULL, NULL, (void *)(uintptr_t)&bads[i]};
    const struct CMUnitTest tests[] = {
        CASE(messages_arrive_in_order),
        CASE(questions_are_answered),
        CASE(the_largest_message_arrives),
        CASE(many_messages_both_ways),
        CASE(a_descriptor_travels),
        CASE(descriptors_keep_to_their_frames),
        CASE(descriptors_nobody_keeps_are_closed),
        CASE(a_freed_channel_lets_go_of_descriptors),
        CASE(what_was_sent_arrives_before_the_end),
        CASE(a_refused_message_closes),
        RAW(any_chunks_give_the_same_frames),
        RAW(a_fragmented_frame_keeps_its_descriptor),
        RAW(a_flood_of_descriptors_closes),
        RAW(more_descriptors_than_fit_close),
        RAW(a_torn_frame_is_an_end),
        RAW(sending_to_one_that_died_is_told_later),
        bad[0],
        bad[1],
        bad[2],
        bad[3],
        bad[4],
        bad[5],
        bad[6],
        bad[7],
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
