#include "io_child_inner.h"

#include "base_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 8, STEP = 65536 };

struct io_child {
    pid_t pid;
    int from;
    size_t output_max;
    struct buf got; // u64 length, then the output
    // by the loop only
    struct io_loop *loop;
    struct io_watch *watch;
    struct io_timer late;
    struct io_work never;
    void (*done)(void *arg, enum io_child_end end, struct buf *out);
    void *arg;
};

// ---- the child ----

static bool all_written(int fd, struct span s)
{
    while (s.len) {
        ssize_t n = write(fd, s.at, s.len);
        if (n <= 0)
            return false;
        s = span_skip(s, (size_t)n);
    }
    return true;
}

// One more byte than may be said: the parent hears that it is too much.
static void child(const struct io_child_task *t, int to, pid_t parent)
{
    struct buf out = BUF(t->output_max), head = BUF(HEAD);
    if (!io_child_confine(t, to, parent))
        _exit(1);
    t->run(&out, t->bytes);
    bool fits = rc_ok(buf_state(&out));
    wr_u64(&head, fits ? out.len : t->output_max + 1);
    _exit(all_written(to, buf_span(&head)) && all_written(to, buf_span(&out)) ? 0 : 1);
}

// ---- the parent ----

static bool start(struct io_child *c, const struct io_child_task *t)
{
    int ends[2];
    pid_t parent = getpid();
    c->output_max = t->output_max;
    c->got = BUF(HEAD + t->output_max + STEP);
    if (pipe2(ends, O_CLOEXEC))
        return false;
    if ((c->pid = fork()) == 0)
        child(t, ends[1], parent);
    close(ends[1]);
    c->from = ends[0];
    if (c->pid > 0)
        return true;
    close(c->from);
    return false;
}

// Whether it ended by itself says nothing any more: what it had to say is here or is not.
static void end(struct io_child *c)
{
    kill(c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(c->from);
}

static bool is_whole(const struct io_child *c, enum io_child_end *as)
{
    struct rd r = RD(buf_span(&c->got));
    uint64_t length = rd_u64(&r);
    if (r.bad)
        return false;
    *as = length > c->output_max ? IO_CHILD_TOO_MUCH : IO_CHILD_DONE;
    return *as == IO_CHILD_TOO_MUCH || r.rest.len >= length;
}

// Leaves the output in `got`; nothing unless it is whole.
static void unwrap(struct io_child *c, enum io_child_end as)
{
    struct rd r = RD(buf_span(&c->got));
    uint64_t length = as == IO_CHILD_DONE ? rd_u64(&r) : 0;
    buf_consume(&c->got, as == IO_CHILD_DONE ? HEAD : c->got.len);
    c->got.len = (size_t)length;
}

// Reads once. True: that was all, and *as says how it ended.
static bool read_on(struct io_child *c, enum io_child_end *as)
{
    *as = IO_CHILD_TOO_MUCH;
    if (!rc_ok(buf_reserve(&c->got, STEP)))
        return true;
    ssize_t n = read(c->from, c->got.at + c->got.len, STEP);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    *as = IO_CHILD_DIED;
    if (n <= 0)
        return true;
    c->got.len += (size_t)n;
    return is_whole(c, as);
}

// ---- waiting for it ----

static int64_t now_us(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t))
        panic("the clock cannot be read");
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

static enum io_child_end wait_for(struct io_child *c, int64_t until)
{
    for (enum io_child_end as;;) {
        int64_t left = (until - now_us()) / US_PER_MS;
        struct pollfd p = {.fd = c->from, .events = POLLIN};
        if (left <= 0)
            return IO_CHILD_LATE;
        if (poll(&p, 1, (int)(left < INT32_MAX ? left : INT32_MAX)) > 0 && read_on(c, &as))
            return as;
    }
}

enum io_child_end io_child_run(const struct io_child_task *t, struct buf *out)
{
    struct io_child c = {0};
    if (!start(&c, t))
        return IO_CHILD_NONE;
    enum io_child_end as = wait_for(&c, now_us() + t->patience_us);
    end(&c);
    unwrap(&c, as);
    buf_put(out, buf_span(&c.got));
    buf_free(&c.got);
    return as == IO_CHILD_DONE && !rc_ok(buf_state(out)) ? IO_CHILD_TOO_MUCH : as;
}

// ---- by the loop ----

static void release(struct io_child *c)
{
    io_watch_free(c->watch);
    io_timer_cancel(c->loop, &c->late);
    io_work_cancel(c->loop, &c->never);
    if (c->pid > 0)
        end(c);
}

static void finish(struct io_child *c, enum io_child_end as)
{
    release(c);
    unwrap(c, as);
    c->done(c->arg, as, &c->got);
    buf_free(&c->got);
    free(c);
}

static void readable(void *arg, int what)
{
    struct io_child *c = arg;
    enum io_child_end as;
    (void)what;
    if (read_on(c, &as))
        finish(c, as);
}

static void is_late(void *arg)
{
    finish(arg, IO_CHILD_LATE);
}

static void is_none(void *arg)
{
    finish(arg, IO_CHILD_NONE);
}

struct io_child *io_child_start(struct io_loop *l, const struct io_child_task *t,
                                void (*done)(void *arg, enum io_child_end end, struct buf *out),
                                void *arg)
{
    struct io_child *c = mem_new(sizeof *c);
    *c = (struct io_child){.loop = l,
                           .late = {.fire = is_late, .arg = c},
                           .never = {.run = is_none, .arg = c},
                           .done = done,
                           .arg = arg};
    if (!start(c, t)) {
        c->pid = 0;
        io_work_set(l, &c->never);
        return c;
    }
    c->watch = io_watch_new(l, c->from, IO_READ, readable, c);
    io_timer_set(l, &c->late, (struct mono){io_now(l).us + t->patience_us});
    return c;
}

void io_child_stop(struct io_child *c)
{
    if (!c)
        return;
    release(c);
    buf_free(&c->got);
    free(c);
}
