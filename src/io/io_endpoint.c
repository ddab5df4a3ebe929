#include "io_address.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>

void io_endpoint_put(struct buf *b, const struct io_endpoint *e)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (e->local) {
        buf_printf(b, "unix:%s", e->path);
        return;
    }
    inet_ntop(e->v6 ? AF_INET6 : AF_INET, e->address, text, sizeof text);
    buf_printf(b, e->v6 ? "[%s]:%u" : "%s:%u", text, e->port);
}

static bool address_parse(struct io_endpoint *out, struct span text)
{
    char z[INET6_ADDRSTRLEN];
    return span_copy(z, sizeof z, text) &&
           inet_pton(out->v6 ? AF_INET6 : AF_INET, z, out->address) == 1;
}

static bool port_parse(struct io_endpoint *out, struct span text)
{
    uint64_t n;
    if (!span_number(text, UINT16_MAX, &n))
        return false;
    out->port = (uint16_t)n;
    return true;
}

// What stands behind the address: nothing, or a colon and the port.
static bool port_behind(struct io_endpoint *out, struct span rest)
{
    return rest.len == 0 || (rest.at[0] == ':' && port_parse(out, span_skip(rest, 1)));
}

static bool bracket_parse(struct io_endpoint *out, struct span text)
{
    out->v6 = true;
    text = span_skip(text, 1);
    size_t end = span_index(text, ']');
    return end < text.len && address_parse(out, span_first(text, end)) &&
           port_behind(out, span_skip(text, end + 1));
}

static bool bare_parse(struct io_endpoint *out, struct span text)
{
    size_t colon = span_index(text, ':');
    struct span rest = span_skip(text, colon);
    out->v6 = span_index(span_skip(rest, 1), ':') < span_skip(rest, 1).len;
    if (out->v6) // two colons: an address without brackets has no place for a port
        return address_parse(out, text);
    return address_parse(out, span_first(text, colon)) && port_behind(out, rest);
}

static bool parse(struct io_endpoint *out, struct span text)
{
    if (span_starts(text, SPAN("unix:"))) {
        out->local = true;
        return span_copy(out->path, sizeof out->path, span_skip(text, 5)) && out->path[0] == '/';
    }
    return span_starts(text, SPAN("[")) ? bracket_parse(out, text) : bare_parse(out, text);
}

bool io_endpoint_parse(struct io_endpoint *out, struct span text, uint16_t default_port)
{
    *out = (struct io_endpoint){.port = default_port};
    if (parse(out, text))
        return true;
    *out = (struct io_endpoint){0};
    return false;
}

static struct io_address local_address(const struct io_endpoint *e)
{
    struct io_address a = {.len = sizeof a.local};
    a.local.sun_family = AF_UNIX;
    if (!span_copy(a.local.sun_path, sizeof a.local.sun_path, span_str(e->path)))
        panic("socket path of %zu bytes", strlen(e->path));
    return a;
}

struct io_address io_address_of(const struct io_endpoint *e)
{
    if (e->local)
        return local_address(e);
    struct io_address a = {0};
    if (e->v6) {
        a.len = sizeof a.v6;
        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_port = htons(e->port);
        span_bytes(&a.v6.sin6_addr, 16, (struct span){(const char *)e->address, 16});
        return a;
    }
    a.len = sizeof a.v4;
    a.v4.sin_family = AF_INET;
    a.v4.sin_port = htons(e->port);
    span_bytes(&a.v4.sin_addr, 4, (struct span){(const char *)e->address, 4});
    return a;
}

bool io_endpoint_of(struct io_endpoint *out, const struct io_address *a)
{
    *out = (struct io_endpoint){0};
    if (a->any.sa_family == AF_INET) {
        out->port = ntohs(a->v4.sin_port);
        span_bytes(out->address, 4, (struct span){(const char *)&a->v4.sin_addr, 4});
        return true;
    }
    if (a->any.sa_family == AF_INET6) {
        out->v6 = true;
        out->port = ntohs(a->v6.sin6_port);
        span_bytes(out->address, 16, (struct span){(const char *)&a->v6.sin6_addr, 16});
        return true;
    }
    out->local = a->any.sa_family == AF_UNIX;
    // A client's Unix socket has no path, and its address ends before one.
    size_t fixed = offsetof(struct sockaddr_un, sun_path);
    size_t len = out->local && a->len > fixed ? a->len - fixed : 0;
    struct span path = {a->local.sun_path, len};
    path = span_first(path, span_index(path, '\0'));
    return out->local && span_copy(out->path, sizeof out->path, path);
}

int io_socket_new(const struct io_endpoint *e)
{
    int family = e->local ? AF_UNIX : e->v6 ? AF_INET6 : AF_INET;
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void io_socket_nodelay(int fd)
{
    int on = 1; // what a turn gathered is one write: nothing to wait for (RFC 1122 §4.2.3.4)
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
