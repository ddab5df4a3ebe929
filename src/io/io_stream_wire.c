#include "io_stream_inner.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

static struct io_wire wire_errno(int error, enum io_wire_is wait)
{
    if (error == EAGAIN || error == EINTR)
        return (struct io_wire){.is = wait};
    return (struct io_wire){.is = IO_WIRE_FAIL, .why = rc_errno(error)};
}

// What OpenSSL could not do now, and why.
static struct io_wire wire_ssl(struct io_stream *s, int ret)
{
    int error = errno;
    switch (SSL_get_error(s->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        return (struct io_wire){.is = IO_WIRE_READ};
    case SSL_ERROR_WANT_WRITE:
        return (struct io_wire){.is = IO_WIRE_WRITE};
    case SSL_ERROR_WANT_ASYNC:
    case SSL_ERROR_WANT_ASYNC_JOB:
        return (struct io_wire){.is = IO_WIRE_ASYNC};
    case SSL_ERROR_ZERO_RETURN:
        return (struct io_wire){.is = IO_WIRE_EOF};
    case SSL_ERROR_SYSCALL:
        if (error)
            return (struct io_wire){.is = IO_WIRE_FAIL, .why = rc_errno(error)};
        return (struct io_wire){.is = IO_WIRE_EOF};
    default:
        return (struct io_wire){.is = IO_WIRE_FAIL, .why = RC(MALFORMED)};
    }
}

static void ssl_begin(void)
{
    ERR_clear_error();
    errno = 0;
}

static struct io_wire plain_read(struct io_stream *s, char *to, size_t room)
{
    ssize_t n = recv(s->fd, to, room, MSG_DONTWAIT);
    if (n < 0)
        return wire_errno(errno, IO_WIRE_READ);
    return (struct io_wire){.is = n ? IO_WIRE_DONE : IO_WIRE_EOF, .n = (size_t)n};
}

// A record a call; on as long as OpenSSL has more of what one read brought.
static struct io_wire tls_read(struct io_stream *s, char *to, size_t room)
{
    struct io_wire w = {.is = IO_WIRE_DONE};
    do {
        size_t n = 0;
        ssl_begin();
        int ret = SSL_read_ex(s->ssl, to + w.n, room - w.n, &n);
        w.n += n;
        if (ret == 1)
            continue;
        struct io_wire end = wire_ssl(s, ret);
        end.n = w.n;
        return end;
    } while (w.n < room && SSL_has_pending(s->ssl));
    return w;
}

struct io_wire io_wire_read(struct io_stream *s, char *to, size_t room)
{
    return s->ssl ? tls_read(s, to, room) : plain_read(s, to, room);
}

static struct io_wire plain_write(struct io_stream *s, struct span bytes)
{
    ssize_t n = send(s->fd, bytes.at, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return wire_errno(errno, IO_WIRE_WRITE);
    bool all = (size_t)n == bytes.len;
    return (struct io_wire){.is = all ? IO_WIRE_DONE : IO_WIRE_WRITE, .n = (size_t)n};
}

static struct io_wire tls_write(struct io_stream *s, struct span bytes)
{
    struct io_wire w = {.is = IO_WIRE_DONE};
    while (w.n < bytes.len) {
        size_t n = 0;
        ssl_begin();
        int ret = SSL_write_ex(s->ssl, bytes.at + w.n, bytes.len - w.n, &n);
        w.n += n;
        if (ret == 1)
            continue;
        struct io_wire end = wire_ssl(s, ret);
        end.n = w.n;
        return end;
    }
    return w;
}

struct io_wire io_wire_write(struct io_stream *s, struct span bytes)
{
    return s->ssl ? tls_write(s, bytes) : plain_write(s, bytes);
}

struct io_wire io_wire_shake(struct io_stream *s)
{
    ssl_begin();
    int ret = SSL_do_handshake(s->ssl);
    return ret == 1 ? (struct io_wire){.is = IO_WIRE_DONE} : wire_ssl(s, ret);
}

struct io_wire io_wire_notify(struct io_stream *s)
{
    if (!s->ssl || !SSL_is_init_finished(s->ssl))
        return (struct io_wire){.is = IO_WIRE_DONE};
    ssl_begin();
    int ret = SSL_shutdown(s->ssl); // 0: sent; the peer's own is not waited for
    return ret >= 0 ? (struct io_wire){.is = IO_WIRE_DONE} : wire_ssl(s, ret);
}

bool io_wire_more(struct io_stream *s)
{
    return s->ssl && SSL_has_pending(s->ssl);
}

int io_wire_async(struct io_stream *s)
{
    enum { JOBS = 4 };
    OSSL_ASYNC_FD fds[JOBS];
    size_t n = 0;
    if (!s->ssl || !SSL_get_all_async_fds(s->ssl, NULL, &n) || n == 0 || n > JOBS)
        return -1;
    return SSL_get_all_async_fds(s->ssl, fds, &n) ? fds[0] : -1;
}
