#include "io_stream_inner.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>

// Every way in (a ready descriptor, end of turn, a timer) goes the same way: do
// what can be done, tell the owner, then settle() decides what comes next and
// what to wait for. `depth` keeps the memory while an owner that freed the
// stream in a callback returns through us.

static const int64_t leave_us = SECONDS(30); // for queued bytes, after an own close
static const int64_t linger_us = SECONDS(2);
static const int64_t silence_us = SECONDS(10); // of a client that is to begin with TLS

void io_stream_poke(struct io_stream *s)
{
    if (s->state != IO_STREAM_OVER)
        io_work_set(s->loop, &s->work);
}

void io_stream_over(struct io_stream *s)
{
    s->state = IO_STREAM_OVER;
    io_timer_cancel(s->loop, &s->limit);
    io_work_cancel(s->loop, &s->work);
    io_watch_free(s->watch);
    io_watch_free(s->async);
    s->watch = s->async = NULL;
}

static void tell_closed(struct io_stream *s, struct rc why)
{
    io_stream_over(s);
    if (s->owner->closed)
        s->owner->closed(s->arg, why);
}

// ---- reading

static bool held(const struct io_stream *s)
{
    return s->in.len > IO_STREAM_HOLD || (s->sip && s->in.len >= s->sip);
}

static bool may_read(const struct io_stream *s)
{
    return s->state == IO_STREAM_OPEN && !s->eof && !s->tls_asked && !s->closing && !s->async &&
           rc_ok(s->fail) && !held(s);
}

// How many bytes the owner took; after it `freed` has to be looked at.
static size_t input(struct io_stream *s, struct span bytes)
{
    size_t took = s->owner->input ? s->owner->input(s->arg, bytes) : 0;
    if (took > bytes.len)
        panic("%zu of %zu bytes taken", took, bytes.len);
    return took;
}

static void offer(struct io_stream *s)
{
    s->again = false;
    if (s->in.len == 0 || s->paused || s->closing)
        return;
    size_t took = input(s, buf_span(&s->in));
    if (s->freed)
        return;
    buf_consume(&s->in, took);
    if (s->in.len == 0)
        buf_free(&s->in);
}

// Straight from the scratch where nothing lies before it; only what the owner
// leaves is copied.
static void deliver(struct io_stream *s, struct span bytes)
{
    if (s->in.len || s->paused) {
        buf_put(&s->in, bytes);
        offer(s);
        return;
    }
    s->again = false;
    s->shown = bytes;
    size_t took = input(s, bytes);
    if (s->freed)
        return;
    s->shown = (struct span){0};
    buf_put(&s->in, span_skip(bytes, took));
}

static void async_ready(void *arg, int what);

static void wait_async(struct io_stream *s)
{
    int fd = io_wire_async(s);
    if (fd >= 0 && !s->async)
        s->async = io_watch_new(s->loop, fd, IO_READ, async_ready, s);
    if (fd < 0)
        io_stream_poke(s); // a job without a descriptor, or no place for a job: ask again
}

static void take(struct io_stream *s)
{
    if (!may_read(s))
        return;
    char *scratch = io_loop_scratch(s->loop);
    bool sips = s->sip && s->sip - s->in.len < IO_SCRATCH;
    struct io_wire w = io_wire_read(s, scratch, sips ? s->sip - s->in.len : IO_SCRATCH);
    s->more = (w.is == IO_WIRE_DONE && io_wire_more(s)) || w.is == IO_WIRE_ASYNC;
    s->stalled = w.is == IO_WIRE_WRITE;
    s->eof = w.is == IO_WIRE_EOF;
    if (w.is == IO_WIRE_FAIL)
        s->fail = w.why;
    if (w.is == IO_WIRE_ASYNC)
        wait_async(s);
    if (w.n)
        deliver(s, (struct span){scratch, w.n});
    if (s->in.secret)
        mem_wipe(scratch, w.n);
}

// ---- writing

static void sent(struct io_stream *s, size_t n)
{
    s->sent += n;
    if (s->sent < s->out.len)
        return;
    s->sent = 0;
    buf_free(&s->out);
}

// Calls nobody back: what came of it is settled later.
void io_stream_try(struct io_stream *s)
{
    if (s->state != IO_STREAM_OPEN || !io_stream_pending(s) || s->async)
        return;
    struct io_wire w = io_wire_write(s, span_skip(buf_span(&s->out), s->sent));
    sent(s, w.n);
    s->blocked = w.is == IO_WIRE_WRITE || w.is == IO_WIRE_READ;
    s->wrote = true;
    if (w.is == IO_WIRE_ASYNC)
        wait_async(s);
    if (w.is != IO_WIRE_FAIL && w.is != IO_WIRE_EOF)
        return;
    s->broken = w.is == IO_WIRE_EOF ? RC(CLOSED) : w.why;
    s->sent = 0;
    buf_free(&s->out);
}

// ---- connecting and shaking hands

static void tell_connected(struct io_stream *s, struct rc how)
{
    if (rc_ok(how))
        s->state = IO_STREAM_OPEN;
    else
        io_stream_over(s);
    if (s->owner->connected)
        s->owner->connected(s->arg, how);
}

static void connect_end(struct io_stream *s)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len))
        error = errno;
    tell_connected(s, rc_errno(error));
}

static void tell_secured(struct io_stream *s, struct rc how)
{
    if (!s->facts)
        s->facts = mem_new(sizeof *s->facts);
    if (rc_ok(how))
        io_tls_facts_read(s->ssl, s->check, s->facts);
    else
        io_tls_facts_failed(s->facts, how);
    if (s->ssl)
        SSL_set_app_data(s->ssl, NULL);
    io_tls_check_free(s->check);
    s->check = NULL;
    io_tls_server_release(s->server);
    s->server = NULL;
    if (rc_ok(how))
        s->state = IO_STREAM_OPEN;
    else
        io_stream_over(s);
    if (s->owner->secured)
        s->owner->secured(s->arg, how);
}

// OpenSSL is not let near the socket before the first byte was seen: it might take
// the hello behind our back, and what follows one begins with another byte.
static bool silent_yet(struct io_stream *s)
{
    char first;
    return s->clear.len && recv(s->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static bool begins_clear(struct io_stream *s)
{
    enum { HANDSHAKE = 22 }; // RFC 8446 §5.1; a hello in SSL 2's form has its high bit set
    unsigned char first;
    if (s->clear.len == 0 || recv(s->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return false;
    if (first < 0x80 && first != HANDSHAKE)
        return true;
    s->clear = (struct span){0};
    io_timer_cancel(s->loop, &s->limit);
    return false;
}

// No TLS will come of it: the stream says so, in words that can be read, and closes.
static void shake_clear(struct io_stream *s, const char *what)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    io_tls_server_release(s->server);
    s->server = NULL;
    io_timer_cancel(s->loop, &s->limit);
    if (!s->facts)
        s->facts = mem_new(sizeof *s->facts);
    *s->facts =
        (struct io_tls_facts){.version = "", .cipher = "", .group = "", .fault = IO_TLS_HANDSHAKE};
    (void)span_copy(s->facts->error, sizeof s->facts->error, span_str(what));
    s->state = IO_STREAM_OPEN;
    s->blocked = false;
    buf_put(&s->out, s->clear);
    s->closing = true;
    io_stream_poke(s);
}

static void shake(struct io_stream *s)
{
    if (s->async)
        return;
    if (silent_yet(s)) {
        s->blocked = false;
        return;
    }
    if (begins_clear(s)) {
        shake_clear(s, "handshake: the client speaks clear text where TLS is to begin");
        return;
    }
    struct io_wire w = io_wire_shake(s);
    s->blocked = w.is == IO_WIRE_WRITE;
    if (w.is == IO_WIRE_ASYNC)
        wait_async(s);
    else if (w.is == IO_WIRE_DONE) {
        s->more = io_wire_more(s);
        tell_secured(s, RC(OK));
    } else if (w.is == IO_WIRE_EOF || w.is == IO_WIRE_FAIL)
        tell_secured(s, w.is == IO_WIRE_EOF ? RC(CLOSED) : w.why);
}

// Before a word of the handshake was said.
static void shake_not(struct io_stream *s, struct rc why)
{
    s->tls_asked = false;
    ERR_clear_error();
    tell_secured(s, why);
}

static void shake_begin(struct io_stream *s)
{
    // A client's commands in clear text would be taken for protected ones; a
    // server's replies are forgotten (RFC 3207 §4.2).
    bool injected = !s->client && s->in.len;
    buf_free(&s->in);
    if (injected || s->eof) {
        shake_not(s, injected ? RC(MALFORMED) : RC(CLOSED));
        return;
    }
    if (!s->next || SSL_set_fd(s->next, s->fd) != 1) {
        shake_not(s, RC(UNAVAILABLE));
        return;
    }
    s->ssl = s->next;
    s->next = NULL;
    if (s->in.secret)
        io_stream_secret(s);
    s->tls_asked = s->wrote = false;
    s->state = IO_STREAM_SHAKING;
    if (s->clear.len)
        io_timer_set(s->loop, &s->limit, (struct mono){io_now(s->loop).us + silence_us});
    shake(s);
}

// ---- own close

// Throws away what the peer sent; false: it has ended. Bounded: who sends faster than that is not
// waited for.
static bool discard(struct io_stream *s, bool *any)
{
    for (int i = 0; i < 16; i++) {
        ssize_t n = recv(s->fd, io_loop_scratch(s->loop), IO_SCRATCH, MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        *any = true;
    }
    return true;
}

static void linger(struct io_stream *s)
{
    bool begun = s->state == IO_STREAM_LINGERING, any = begun || s->linger_us > 0;
    if (!discard(s, &any) || !any) {
        tell_closed(s, RC(OK));
        return;
    }
    if (begun)
        return;
    s->state = IO_STREAM_LINGERING;
    (void)shutdown(s->fd, SHUT_WR);
    io_timer_set(s->loop, &s->limit,
                 (struct mono){io_now(s->loop).us + (s->linger_us ? s->linger_us : linger_us)});
}

static void notify(struct io_stream *s)
{
    s->state = IO_STREAM_NOTIFYING;
    struct io_wire w = io_wire_notify(s);
    s->blocked = w.is == IO_WIRE_WRITE;
    if (!s->blocked)
        linger(s);
}

static void settle(struct io_stream *s);
static void leave(struct io_stream *s);

void io_stream_limit(void *arg)
{
    struct io_stream *s = arg;
    if (s->state != IO_STREAM_SHAKING) {
        tell_closed(s, s->state == IO_STREAM_LINGERING ? RC(OK) : RC(TIMEOUT));
        return;
    }
    s->depth++;
    shake_clear(s, "handshake: the client says nothing, where TLS is to begin with its first word");
    settle(s);
    leave(s);
}

// ---- what comes next

static int interest(const struct io_stream *s)
{
    switch (s->state) {
    case IO_STREAM_CONNECTING:
        return IO_WRITE;
    case IO_STREAM_SHAKING:
        return s->async ? 0 : s->blocked ? IO_WRITE : IO_READ;
    case IO_STREAM_OPEN:
        return (may_read(s) ? IO_READ : 0) | (s->blocked || s->stalled ? IO_WRITE : 0);
    case IO_STREAM_NOTIFYING:
        return IO_WRITE;
    case IO_STREAM_LINGERING:
        return IO_READ;
    case IO_STREAM_OVER:
        break;
    }
    return 0;
}

static void settle_close(struct io_stream *s)
{
    buf_free(&s->in);
    if (s->state != IO_STREAM_OPEN || s->tls_asked)
        tell_closed(s, RC(OK)); // there was nothing yet to close in order
    else if (!rc_ok(s->fail) || !rc_ok(s->broken))
        tell_closed(s, rc_ok(s->fail) ? s->broken : s->fail);
    else if (!io_stream_pending(s))
        notify(s);
    else if (!s->limit.node.place)
        io_timer_set(s->loop, &s->limit, (struct mono){io_now(s->loop).us + leave_us});
}

// What it still listens to is the owner's to know.
static void tell_ended(struct io_stream *s)
{
    if (s->ended || s->paused || s->again || s->closing)
        return;
    s->ended = true;
    s->owner->ended(s->arg);
}

// The peer ended the stream, or the network did.
static void settle_end(struct io_stream *s)
{
    if (!rc_ok(s->broken) && rc_ok(s->fail)) {
        take(s); // a server that refuses says why before it resets
        if (s->freed)
            return;
        if (rc_ok(s->fail))
            s->fail = s->broken;
    }
    if (!rc_ok(s->fail))
        tell_closed(s, s->fail);
    else if (s->eof && s->owner->ended)
        tell_ended(s);
    else if (s->eof && !s->paused && !s->again && !io_stream_pending(s) && !s->closing)
        tell_closed(s, RC(CLOSED));
}

static void settle_open(struct io_stream *s)
{
    if (s->tls_asked) {
        if (!io_stream_pending(s) && rc_ok(s->broken))
            shake_begin(s);
        else if (!rc_ok(s->broken))
            shake_not(s, s->broken);
        return;
    }
    if (s->wrote && !io_stream_pending(s) && rc_ok(s->broken)) {
        s->wrote = false;
        if (s->owner->drained)
            s->owner->drained(s->arg);
        if (s->freed || s->closing)
            return;
    }
    settle_end(s);
}

static bool has_work(const struct io_stream *s)
{
    if (s->closing && s->state < IO_STREAM_NOTIFYING)
        return !s->limit.node.place;
    if (s->state != IO_STREAM_OPEN || s->async)
        return false;
    return s->again || (s->tls_asked && !io_stream_pending(s)) || (s->more && may_read(s)) ||
           (io_stream_pending(s) && !s->blocked) || (s->wrote && !io_stream_pending(s));
}

static void settle(struct io_stream *s)
{
    if (s->freed)
        return;
    if (s->state == IO_STREAM_OPEN && !s->closing)
        settle_open(s);
    if (s->freed)
        return;
    if (s->closing && s->state < IO_STREAM_NOTIFYING)
        settle_close(s);
    if (s->freed || s->state == IO_STREAM_OVER)
        return;
    if (has_work(s))
        io_stream_poke(s);
    io_watch_want(s->watch, interest(s));
}

static void leave(struct io_stream *s)
{
    s->depth--;
    if (s->freed && s->depth == 0)
        free(s);
}

static void open_ready(struct io_stream *s, int what)
{
    if ((what & IO_READ) || s->stalled)
        take(s);
    if (!s->freed && (what & IO_WRITE))
        io_stream_try(s);
}

void io_stream_ready(void *arg, int what)
{
    struct io_stream *s = arg;
    s->depth++;
    switch (s->state) {
    case IO_STREAM_CONNECTING:
        connect_end(s);
        break;
    case IO_STREAM_OPEN:
        open_ready(s, what);
        break;
    case IO_STREAM_SHAKING:
        shake(s);
        break;
    case IO_STREAM_NOTIFYING:
        notify(s);
        break;
    case IO_STREAM_LINGERING:
        linger(s);
        break;
    case IO_STREAM_OVER:
        break;
    }
    settle(s);
    leave(s);
}

void io_stream_turn_end(void *arg)
{
    struct io_stream *s = arg;
    s->depth++;
    if (s->state == IO_STREAM_CONNECTING && !rc_ok(s->fail))
        tell_connected(s, s->fail);
    if (!s->freed && s->state == IO_STREAM_SHAKING)
        shake(s);
    if (!s->freed && s->state == IO_STREAM_OPEN) {
        io_stream_try(s);
        if (s->again)
            offer(s);
        if (!s->freed && s->more)
            take(s);
    }
    settle(s);
    leave(s);
}

static void async_ready(void *arg, int what)
{
    (void)what;
    struct io_stream *s = arg;
    io_watch_free(s->async);
    s->async = NULL;
    io_stream_turn_end(s);
}
