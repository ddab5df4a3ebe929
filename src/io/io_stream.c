// What an owner can ask of a stream. What becomes of it: io_stream_state.c.
#include "io_address.h"
#include "io_stream_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct io_stream *stream_new(struct io_loop *l, const struct io_stream_owner *owner,
                                    void *arg)
{
    struct io_stream *s = mem_new(sizeof *s);
    *s = (struct io_stream){.loop = l, .owner = owner, .arg = arg, .fd = -1};
    s->in = BUF(IO_STREAM_HOLD + IO_SCRATCH);
    s->out = BUF(IO_STREAM_WRITE_MAX);
    s->work = (struct io_work){.run = io_stream_turn_end, .arg = s};
    s->limit = (struct io_timer){.fire = io_stream_limit, .arg = s};
    return s;
}

struct io_stream *io_stream_new(struct io_loop *l, int fd, const struct io_stream_owner *owner,
                                void *arg)
{
    struct io_stream *s = stream_new(l, owner, arg);
    int on = 1;
    (void)ioctl(fd, FIONBIO, &on);
    s->fd = fd;
    s->state = IO_STREAM_OPEN;
    s->watch = io_watch_new(l, fd, IO_READ, io_stream_ready, s);
    return s;
}

static int connect_begin(struct io_stream *s, const struct io_endpoint *to,
                         const struct io_endpoint *from)
{
    s->fd = io_socket_new(to);
    if (s->fd < 0)
        return errno;
    if (!to->local)
        io_socket_nodelay(s->fd);
    struct io_address a = io_address_of(to);
    struct io_address here = from ? io_address_of(from) : (struct io_address){0};
    if (from && bind(s->fd, &here.any, here.len))
        return errno;
    return connect(s->fd, &a.any, a.len) && errno != EINPROGRESS ? errno : 0;
}

struct io_stream *io_stream_connect(struct io_loop *l, const struct io_endpoint *to,
                                    const struct io_endpoint *from,
                                    const struct io_stream_owner *owner, void *arg)
{
    struct io_stream *s = stream_new(l, owner, arg);
    s->state = IO_STREAM_CONNECTING;
    s->fail = rc_errno(connect_begin(s, to, from));
    if (rc_ok(s->fail))
        s->watch = io_watch_new(l, s->fd, IO_WRITE, io_stream_ready, s);
    else
        io_stream_poke(s);
    return s;
}

void io_stream_free(struct io_stream *s)
{
    if (!s)
        return;
    io_stream_over(s);
    SSL_free(s->ssl);
    SSL_free(s->next);
    io_tls_server_release(s->server);
    s->server = NULL;
    io_tls_check_free(s->check);
    if (s->fd >= 0)
        close(s->fd);
    buf_free(&s->in);
    buf_free(&s->out);
    free(s->facts);
    s->facts = NULL;
    s->freed = true;
    if (s->depth == 0)
        free(s);
}

static bool takes_output(const struct io_stream *s)
{
    return s->state < IO_STREAM_NOTIFYING && !s->closing && rc_ok(s->broken);
}

struct buf *io_stream_out(struct io_stream *s)
{
    if (s->sent) {
        buf_consume(&s->out, s->sent);
        s->sent = 0;
    }
    return &s->out;
}

void io_stream_wake(struct io_stream *s)
{
    if (takes_output(s)) {
        io_stream_poke(s);
    } else if (!s->closing) {
        s->sent = 0;
        buf_free(&s->out);
    }
}

struct rc io_stream_write(struct io_stream *s, struct span bytes)
{
    if (!takes_output(s))
        return RC(OK);
    if (bytes.len > IO_STREAM_WRITE_MAX - io_stream_pending(s))
        return RC(FULL);
    if (s->out.len + bytes.len > IO_STREAM_WRITE_MAX)
        (void)io_stream_out(s);
    buf_put(&s->out, bytes);
    io_stream_poke(s);
    return buf_state(&s->out);
}

void io_stream_flush(struct io_stream *s)
{
    io_stream_try(s);
    io_stream_poke(s);
}

size_t io_stream_pending(const struct io_stream *s)
{
    return s->out.len - s->sent;
}

struct span io_stream_unread(const struct io_stream *s)
{
    return s->shown.len ? s->shown : buf_span(&s->in);
}

void io_stream_again(struct io_stream *s)
{
    s->again = true;
    io_stream_poke(s);
}

void io_stream_pause(struct io_stream *s, bool paused)
{
    if (s->paused && !paused)
        io_stream_again(s);
    s->paused = paused;
}

void io_stream_linger(struct io_stream *s, int64_t us)
{
    s->linger_us = us;
}

void io_stream_sip(struct io_stream *s, size_t most)
{
    s->sip = most;
    io_stream_poke(s);
}

void io_stream_secret(struct io_stream *s)
{
    s->in.secret = s->out.secret = true;
    if (s->ssl)
        SSL_set_options(s->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

void io_stream_close(struct io_stream *s)
{
    s->closing = true;
    io_stream_poke(s);
}

static void ask_tls(struct io_stream *s, SSL *ssl, bool client)
{
    if (s->ssl || s->next)
        panic("a second handshake on one stream");
    s->next = ssl;
    s->client = client;
    s->tls_asked = true;
    io_stream_poke(s);
}

void io_stream_accept_tls(struct io_stream *s, struct io_tls_server *t,
                          const struct io_tls_accept *how)
{
    SSL *ssl = io_tls_server_session(t, how);
    ask_tls(s, ssl, false);
    s->server = ssl ? t : NULL;
    s->clear = how ? how->clear : SPAN("");
}

void io_stream_connect_tls(struct io_stream *s, struct io_tls_client *t,
                           const struct io_tls_want *want)
{
    ask_tls(s, io_tls_client_session(t, want, io_wall(s->loop), &s->check), true);
}

const struct io_tls_facts *io_stream_tls(const struct io_stream *s)
{
    return s->facts;
}

size_t io_stream_tls_names(const struct io_stream *s, void (*each)(void *arg, struct span name),
                           void *arg)
{
    X509 *x = s->ssl ? SSL_get0_peer_certificate(s->ssl) : NULL;
    return x ? io_tls_names(x, false, each, arg) : 0;
}

bool io_stream_own(const struct io_stream *s, struct io_endpoint *out)
{
    struct io_address a = {.len = sizeof a.local};
    return s->fd >= 0 && getsockname(s->fd, &a.any, &a.len) == 0 && io_endpoint_of(out, &a);
}

bool io_stream_peer(const struct io_stream *s, struct io_endpoint *out)
{
    struct io_address a = {.len = sizeof a.local};
    return s->fd >= 0 && getpeername(s->fd, &a.any, &a.len) == 0 && io_endpoint_of(out, &a);
}
