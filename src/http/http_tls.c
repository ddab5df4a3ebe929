#include "http_tls.h"

#include "base_log.h"
#include "http_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// HELD: bytes of answers that may wait for one client.
enum { PIECE = 16384, HELD = 65536 };
#define HANDSHAKE_PATIENCE SECONDS(15) // who says nothing hears from the stream before
#define LINGER             SECONDS(20) // who sends too large a body hears of it at its end

#define LOOK  (20 * US_PER_MS)
#define WORDS "This port speaks HTTPS.\n"
static const char clear_text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 24\r\nConnection: close\r\n\r\n" WORDS;
_Static_assert(sizeof WORDS - 1 == 24, "as its Content-Length says");

// One connection: the client's stream, and our end of the pair.
struct tunnel {
    struct tunnel *next, **at;
    struct http_tls *server;
    struct io_stream *stream;
    struct io_endpoint peer;
    struct io_watch *watch;
    int fd;                // -1: before the handshake, or the server has hung up
    struct io_timer limit; // of the handshake; then of an end that is to be passed on
    struct mono since;     // waits for a request, or for the rest of one
    bool ended;            // the client will say no more
    bool deaf;             // nor would anybody hear it
};

struct http_tls {
    struct io_loop *loop;
    struct http_server *http;
    struct io_tls_server *tls;
    struct io_listener **listeners;
    size_t listener_count, count, most;
    struct tunnel *tunnels;
};

static void tunnel_free(struct tunnel *t)
{
    *t->at = t->next;
    if (t->next)
        t->next->at = t->at;
    t->server->count--;
    io_timer_cancel(t->server->loop, &t->limit);
    io_watch_free(t->watch);
    if (t->fd >= 0)
        close(t->fd);
    io_stream_free(t->stream);
    free(t);
}

// ---- from the server to the client

static void hung_up(struct tunnel *t)
{
    io_watch_free(t->watch);
    t->watch = NULL;
    close(t->fd);
    t->fd = -1;
    t->deaf = true;
    io_stream_close(t->stream);
}

static int wants(const struct tunnel *t)
{
    bool room = io_stream_pending(t->stream) < HELD;
    bool unread = io_stream_unread(t->stream).len && !t->deaf;
    return (room ? IO_READ : 0) | (unread ? IO_WRITE : 0);
}

static void carry_back(struct tunnel *t)
{
    char piece[PIECE];
    while (io_stream_pending(t->stream) < HELD) {
        ssize_t n = recv(t->fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0 || !rc_ok(io_stream_write(t->stream, (struct span){piece, (size_t)n}))) {
            hung_up(t);
            return;
        }
        t->since = io_now(t->server->loop);
    }
}

static void drained(void *arg)
{
    struct tunnel *t = arg;
    if (t->watch)
        io_watch_want(t->watch, wants(t));
}

// ---- from the client to the server

// How many bytes the pair of sockets took; all, where nobody would hear them.
static size_t carry(struct tunnel *t, struct span bytes)
{
    if (t->deaf)
        return bytes.len;
    ssize_t n = send(t->fd, bytes.at, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
        return (size_t)n;
    t->deaf = errno != EAGAIN && errno != EINTR;
    return t->deaf ? bytes.len : 0;
}

// libmicrohttpd (0.9.75) takes a short read for all there is, and its epoll tells each
// change once: an end that stands right behind bytes would never be seen. It is passed on
// when all of them have been read.
static void pass_end(void *arg)
{
    struct tunnel *t = arg;
    int unread = 0;
    if (!t->ended || t->deaf || t->fd < 0)
        return;
    if (ioctl(t->fd, SIOCOUTQ, &unread) == 0 && unread > 0) {
        t->limit.fire = pass_end;
        io_timer_set(t->server->loop, &t->limit, (struct mono){io_now(t->server->loop).us + LOOK});
        return;
    }
    t->deaf = true;
    (void)shutdown(t->fd, SHUT_WR);
}

static size_t input(void *arg, struct span bytes)
{
    struct tunnel *t = arg;
    size_t n = carry(t, bytes);
    if (t->watch)
        io_watch_want(t->watch, (wants(t) & IO_READ) | (n < bytes.len ? IO_WRITE : 0));
    if (n == bytes.len)
        pass_end(t);
    return n;
}

static void ended(void *arg)
{
    struct tunnel *t = arg;
    t->ended = true;
    if (io_stream_unread(t->stream).len == 0)
        pass_end(t);
}

static void ready(void *arg, int what)
{
    struct tunnel *t = arg;
    if (what & IO_WRITE)
        io_stream_again(t->stream);
    if (what & IO_READ)
        carry_back(t);
    if (t->watch)
        io_watch_want(t->watch, (wants(t) & IO_READ) | (what & IO_WRITE ? 0 : wants(t) & IO_WRITE));
}

// ---- a connection comes and goes

static bool connect_server(struct tunnel *t)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
        return false;
    t->fd = fds[0];
    t->watch = io_watch_new(t->server->loop, t->fd, IO_READ, ready, t);
    return rc_ok(http_server_take(t->server->http, fds[1], &t->peer));
}

static void note_failure(const struct tunnel *t, struct span why)
{
    CLEANUP(buf_free) struct buf client = BUF(256);
    io_endpoint_put(&client, &t->peer);
    LOG(LOG_DEBUG, "https-failed", LOG_S("client", buf_span(&client)), LOG_S("why", why));
}

static void secured(void *arg, struct rc how)
{
    struct tunnel *t = arg;
    io_timer_cancel(t->server->loop, &t->limit);
    io_stream_linger(t->stream, LINGER);
    if (rc_ok(how) && connect_server(t))
        return;
    note_failure(t, rc_ok(how) ? SPAN("no descriptor is left")
                               : span_str(io_stream_tls(t->stream)->error));
    tunnel_free(t);
}

static void closed(void *arg, struct rc why)
{
    struct tunnel *t = arg;
    (void)why;
    tunnel_free(t);
}

static void too_late(void *arg)
{
    struct tunnel *t = arg;
    note_failure(t, SPAN("the handshake took too long"));
    tunnel_free(t);
}

// ---- who has to go

static size_t connections_of(const struct http_tls *s, const struct io_endpoint *client)
{
    size_t n = 0;
    for (const struct tunnel *t = s->tunnels; t; t = t->next)
        n += http_same_client(&t->peer, client);
    return n;
}

static void make_room(struct http_tls *s)
{
    struct tunnel *worst = NULL;
    size_t most = 0;
    for (struct tunnel *t = s->tunnels; t; t = t->next) {
        size_t n = connections_of(s, &t->peer);
        if (n > most || (n == most && t->since.us < worst->since.us))
            worst = t;
        most = n > most ? n : most;
    }
    note_failure(worst, SPAN("others want its place"));
    tunnel_free(worst);
}

static void accepted(void *arg, int fd, const struct io_endpoint *peer)
{
    static const struct io_stream_owner owner = {
        .input = input, .drained = drained, .ended = ended, .secured = secured, .closed = closed};
    struct http_tls *s = arg;
    if (!s->tls) {
        close(fd);
        return;
    }
    if (s->count >= s->most)
        make_room(s);
    struct tunnel *t = mem_new(sizeof *t);
    *t = (struct tunnel){.next = s->tunnels, .at = &s->tunnels, .server = s, .fd = -1};
    t->peer = *peer;
    t->since = io_now(s->loop);
    t->limit = (struct io_timer){.fire = too_late, .arg = t};
    if (t->next)
        t->next->at = &t->next;
    s->tunnels = t;
    s->count++;
    t->stream = io_stream_new(s->loop, fd, &owner, t);
    io_timer_set(s->loop, &t->limit, (struct mono){t->since.us + HANDSHAKE_PATIENCE});
    io_stream_accept_tls(
        t->stream, s->tls,
        &(struct io_tls_accept){.least = IO_TLS_FROM_1_2, .clear = span_str(clear_text)});
}

// ---- life

struct rc http_tls_new(struct http_tls **out, struct io_loop *loop, const struct http_conf *conf,
                       const char **why)
{
    struct http_tls *s = mem_new(sizeof *s);
    *s = (struct http_tls){.loop = loop, .most = conf->connections};
    struct http_conf c = *conf;
    c.connections *= 2; // one that we have left is its own for a moment longer
    struct rc rc = http_server_new(&s->http, loop, -1, &c, why);
    *out = rc_ok(rc) ? s : NULL;
    if (!rc_ok(rc))
        free(s);
    return rc;
}

void http_tls_listen(struct http_tls *s, const int *fds, size_t count)
{
    for (size_t i = 0; i < s->listener_count; i++)
        io_listener_free(s->listeners[i]);
    s->listeners = mem_resize(s->listeners, (count + 1) * sizeof(struct io_listener *));
    for (size_t i = 0; i < count; i++)
        s->listeners[i] = io_listener_new(s->loop, fds[i], accepted, s);
    s->listener_count = count;
}

void http_tls_use(struct http_tls *s, struct io_tls_server *tls)
{
    io_tls_server_free(s->tls);
    s->tls = tls;
}

size_t http_tls_connections(const struct http_tls *s)
{
    return s->count;
}

void http_tls_free(struct http_tls *s)
{
    if (!s)
        return;
    http_tls_listen(s, NULL, 0);
    free(s->listeners);
    http_server_free(s->http); // its last words lie in the pairs
    while (s->tunnels) {
        struct tunnel *t = s->tunnels;
        if (t->watch)
            carry_back(t);
        io_stream_flush(t->stream);
        tunnel_free(t);
    }
    io_tls_server_free(s->tls);
    free(s);
}
