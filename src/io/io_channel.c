#include "io_channel.h"

#include "io_frame.h"
#include "io_loop_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FDS_PER_CALL = 64,     // descriptors in one sendmsg, and no other until its frames have left
    FDS_WAITING_MAX = 256, // of a peer: come, but not their frames
    OUT_MAX = 256 << 20,   // a peer that does not read for so long is as good as dead
};

// Descriptors on their way, first in, first out. `mark` is the end of the frame
// that one belongs to, in bytes since the channel began.
struct waiting {
    int fd;
    uint64_t mark;
};
struct fds {
    struct waiting *at;
    size_t first, len, cap;
};

struct io_channel {
    struct io_loop *loop;
    struct io_watch *watch;
    struct io_work work;
    bool (*got)(void *arg, struct io_message *m);
    void (*closed)(void *arg);
    void *arg;
    struct buf in, out;
    size_t sent;        // of `out`, with the kernel
    uint64_t out_start; // where out.at[0] stands in all that was ever sent
    uint64_t barrier;   // the frames whose descriptors were handed over end here
    struct fds in_fds, out_fds;
    int fd;
    bool broken;
};

static void fds_close_up(struct fds *f)
{
    for (size_t i = f->first; i < f->len; i++)
        f->at[i - f->first] = f->at[i];
    f->len -= f->first;
    f->first = 0;
}

static void fds_push(struct fds *f, int fd, uint64_t mark)
{
    if (f->len == f->cap && f->first)
        fds_close_up(f);
    if (f->len == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 8;
        f->at = mem_resize(f->at, f->cap * sizeof *f->at);
    }
    f->at[f->len++] = (struct waiting){fd, mark};
}

static size_t fds_count(const struct fds *f)
{
    return f->len - f->first;
}

static void fds_free(struct fds *f)
{
    while (f->first < f->len)
        close(f->at[f->first++].fd);
    free(f->at);
    *f = (struct fds){0};
}

static void forget(struct io_channel *c)
{
    io_watch_free(c->watch);
    c->watch = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    fds_free(&c->in_fds);
    fds_free(&c->out_fds);
    buf_free(&c->in);
    buf_free(&c->out);
    c->sent = 0;
}

// Last thing its caller does: the owner may free the channel in `closed`.
static void fail(struct io_channel *c)
{
    io_work_cancel(c->loop, &c->work);
    forget(c);
    c->closed(c->arg);
}

// The descriptor of a frame came with its first byte or before: senders hand it
// over with the call that starts it.
static bool message_take(struct io_channel *c, const struct io_frame *f)
{
    struct io_message m = {f->kind, f->ticket, f->payload, -1};
    if (f->descriptors) {
        if (!fds_count(&c->in_fds))
            return false;
        m.fd = c->in_fds.at[c->in_fds.first++].fd;
    }
    bool good = c->got(c->arg, &m);
    if (m.fd >= 0)
        close(m.fd); // a receiver that keeps it says so by -1
    return good;
}

// Takes whole frames from the front; false: the channel cannot go on.
static bool frames_take(struct io_channel *c, struct span *bytes, size_t *need)
{
    struct io_frame f;
    enum io_frame_is is;
    while ((is = io_frame_read(&f, *bytes)) == IO_FRAME_WHOLE) {
        if (!message_take(c, &f))
            return false;
        *bytes = span_skip(*bytes, f.size);
    }
    *need = f.size;
    return is == IO_FRAME_PART;
}

// What a read brought. Frames that came whole are read where they lie; only a
// frame that is still coming is kept.
static bool bytes_take(struct io_channel *c, struct span bytes)
{
    size_t need = 0;
    if (c->in.len == 0) {
        if (!frames_take(c, &bytes, &need))
            return false;
        if (bytes.len == 0)
            return true;
        if (!rc_ok(buf_reserve(&c->in, need)))
            return false;
        buf_put(&c->in, bytes);
        return rc_ok(buf_state(&c->in));
    }
    buf_put(&c->in, bytes);
    struct span all = buf_span(&c->in);
    if (!rc_ok(buf_state(&c->in)) || !frames_take(c, &all, &need))
        return false;
    buf_consume(&c->in, c->in.len - all.len);
    if (c->in.len == 0)
        buf_free(&c->in);
    return true;
}

// Every descriptor the kernel gave us is ours now, wanted or not.
static bool descriptors_take(struct io_channel *c, struct msghdr *m)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        struct span raw = {(const char *)CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0)};
        for (; raw.len >= sizeof(int); raw = span_skip(raw, sizeof(int))) {
            int fd;
            span_bytes(&fd, sizeof fd, span_first(raw, sizeof fd));
            fds_push(&c->in_fds, fd, 0);
        }
    }
    return !(m->msg_flags & MSG_CTRUNC) && fds_count(&c->in_fds) <= FDS_WAITING_MAX;
}

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(FDS_PER_CALL * sizeof(int))];
};

static void readable(struct io_channel *c)
{
    union control control;
    char *scratch = io_loop_scratch(c->loop);
    struct iovec v = {scratch, IO_SCRATCH};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    struct span bytes = {scratch, n > 0 ? (size_t)n : 0};
    bool good = bytes.len && descriptors_take(c, &m) && bytes_take(c, bytes);
    if (c->in.secret)
        mem_wipe(scratch, bytes.len);
    if (!good)
        fail(c);
}

// How many bytes the next call may hand over, and with how many descriptors: whole
// frames up to the last descriptor it takes along; before more descriptors
// follow, those frames have to be out.
static size_t batch(const struct io_channel *c, size_t *fds)
{
    uint64_t from = c->out_start + c->sent;
    *fds = 0;
    if (c->barrier > from)
        return (size_t)(c->barrier - from);
    size_t waiting = fds_count(&c->out_fds);
    *fds = waiting < FDS_PER_CALL ? waiting : FDS_PER_CALL;
    if (waiting <= FDS_PER_CALL)
        return c->out.len - c->sent;
    return (size_t)(c->out_fds.at[c->out_fds.first + *fds - 1].mark - from);
}

static void control_fill(struct msghdr *m, union control *control, const struct fds *f, size_t n)
{
    if (!n)
        return;
    m->msg_control = control;
    m->msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(n * sizeof(int));
    int *to = (int *)(void *)CMSG_DATA(h);
    for (size_t i = 0; i < n; i++)
        to[i] = f->at[f->first + i].fd;
}

static void handed_over(struct io_channel *c, size_t n, size_t fds)
{
    c->sent += n;
    for (; fds; fds--) {
        struct waiting *w = &c->out_fds.at[c->out_fds.first++];
        c->barrier = w->mark;
        close(w->fd);
    }
    if (c->sent < c->out.len)
        return;
    c->out_start += c->sent;
    c->sent = 0;
    buf_free(&c->out);
}

// False: errno says why.
static bool send_batch(struct io_channel *c)
{
    union control control = {0};
    size_t fds, len = batch(c, &fds);
    struct iovec v = {c->out.at + c->sent, len};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    control_fill(&m, &control, &c->out_fds, fds);
    ssize_t n = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EINTR;
    handed_over(c, (size_t)n, fds);
    return true;
}

static void flush(void *arg)
{
    struct io_channel *c = arg;
    while (!c->broken && c->out.len > c->sent)
        if (!send_batch(c)) {
            c->broken = errno != EAGAIN;
            break;
        }
    if (c->broken)
        fail(c);
    else
        io_watch_want(c->watch, c->out.len > c->sent ? IO_READ | IO_WRITE : IO_READ);
}

static void ready(void *arg, int what)
{
    if (what & IO_WRITE)
        flush(arg);
    else
        readable(arg);
}

struct io_channel *io_channel_new(struct io_loop *l, int fd,
                                  bool (*got)(void *arg, struct io_message *m),
                                  void (*closed)(void *arg), void *arg)
{
    struct io_channel *c = mem_new(sizeof *c);
    *c = (struct io_channel){.loop = l, .fd = fd, .got = got, .closed = closed, .arg = arg};
    c->in = BUF(IO_FRAME_HEAD + IO_MESSAGE_MAX + IO_SCRATCH);
    c->out = BUF(OUT_MAX);
    c->work = (struct io_work){.run = flush, .arg = c};
    c->watch = io_watch_new(l, fd, IO_READ, ready, c);
    return c;
}

void io_channel_free(struct io_channel *c)
{
    if (!c)
        return;
    io_work_cancel(c->loop, &c->work);
    forget(c);
    free(c);
}

// What was handed over makes room before the buffer would grow.
static void compact(struct io_channel *c, size_t more)
{
    if (!c->sent || c->out.len + more <= c->out.cap)
        return;
    buf_consume(&c->out, c->sent);
    c->out_start += c->sent;
    c->sent = 0;
}

void io_channel_send(struct io_channel *c, uint16_t kind, uint32_t ticket, struct span payload,
                     int fd)
{
    if (c->fd < 0)
        return; // closed, and the owner was told
    compact(c, IO_FRAME_HEAD + payload.len);
    io_frame_put(&c->out,
                 &(struct io_frame){
                     .kind = kind, .descriptors = fd >= 0, .ticket = ticket, .payload = payload});
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy >= 0)
        fds_push(&c->out_fds, copy, c->out_start + c->out.len);
    // A message that cannot be queued whole would leave the peer waiting for ever.
    c->broken = c->broken || (fd >= 0 && copy < 0) || !rc_ok(buf_state(&c->out));
    io_work_set(c->loop, &c->work);
}

void io_channel_secret(struct io_channel *c)
{
    c->in.secret = c->out.secret = true;
}

size_t io_channel_pending(const struct io_channel *c)
{
    return c->out.len - c->sent;
}

struct rc io_channel_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
        return rc_errno(errno);
    return RC(OK);
}
