#include "io_proxy.h"

enum { FIXED = 16, VERSION_LOCAL = 0x20, VERSION_PROXY = 0x21, TCP4 = 0x11, TCP6 = 0x21 };

static const struct span signature = {"\r\n\r\n\0\r\nQUIT\n", 12};

static unsigned byte(struct span s, size_t i)
{
    return (unsigned char)s.at[i];
}

// An IPv4 client in IPv6's clothes (RFC 4291 §2.5.5.2) is one: a list of networks and a
// block list mean the same host by both.
static void unmap(struct io_endpoint *e)
{
    static const struct span mapped = {"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};
    if (!e->v6 || !span_starts(SPAN_OF(e->address), mapped))
        return;
    struct io_endpoint v4 = {.port = e->port};
    for (size_t i = 0; i < 4; i++)
        v4.address[i] = e->address[mapped.len + i];
    *e = v4;
}

// Source address, destination address, source port, destination port.
static bool take_address(struct span body, bool v6, struct io_endpoint *client)
{
    size_t each = v6 ? 16 : 4;
    if (body.len < 2 * each + 4)
        return false;
    *client = (struct io_endpoint){.v6 = v6};
    for (size_t i = 0; i < each; i++)
        client->address[i] = (unsigned char)body.at[i];
    client->port = (uint16_t)(byte(body, 2 * each) << 8 | byte(body, 2 * each + 1));
    unmap(client);
    return true;
}

size_t io_proxy_size(struct span in)
{
    return in.len < FIXED ? FIXED : FIXED + (byte(in, 14) << 8 | byte(in, 15));
}

enum io_proxy io_proxy_read(struct span *in, struct io_endpoint *client)
{
    if (!span_starts(*in, span_first(signature, in->len)))
        return IO_PROXY_BAD;
    if (in->len < FIXED)
        return IO_PROXY_MORE;
    size_t size = io_proxy_size(*in);
    unsigned command = byte(*in, 12), family = byte(*in, 13);
    if (size > IO_PROXY_MAX || (command != VERSION_LOCAL && command != VERSION_PROXY))
        return IO_PROXY_BAD;
    if (in->len < size)
        return IO_PROXY_MORE;
    struct span body = span_skip(span_first(*in, size), FIXED);
    if (command == VERSION_PROXY &&
        ((family != TCP4 && family != TCP6) || !take_address(body, family == TCP6, client)))
        return IO_PROXY_BAD;
    *in = span_skip(*in, size);
    return command == VERSION_LOCAL ? IO_PROXY_LOCAL : IO_PROXY_CLIENT;
}
