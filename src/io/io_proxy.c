#include "io_proxy.h"

enum { FIXED = 16, VERSION_LOCAL = 0x20, VERSION_PROXY = 0x21, TCP4 = 0x11, TCP6 = 0x21 };

static const struct span signature = {"\r\n\r\n\0\r\nQUIT\n", 12};

static unsigned byte(struct span s, size_t i)
{
    return (unsigned char)s.at[i];
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
    return true;
}

enum io_proxy io_proxy_read(struct span *in, struct io_endpoint *client)
{
    if (!span_starts(*in, span_first(signature, in->len)))
        return IO_PROXY_BAD;
    if (in->len < FIXED)
        return IO_PROXY_MORE;
    size_t len = byte(*in, 14) << 8 | byte(*in, 15);
    unsigned command = byte(*in, 12), family = byte(*in, 13);
    if (FIXED + len > IO_PROXY_MAX || (command != VERSION_LOCAL && command != VERSION_PROXY))
        return IO_PROXY_BAD;
    if (in->len < FIXED + len)
        return IO_PROXY_MORE;
    struct span body = span_first(span_skip(*in, FIXED), len);
    if (command == VERSION_PROXY &&
        ((family != TCP4 && family != TCP6) || !take_address(body, family == TCP6, client)))
        return IO_PROXY_BAD;
    *in = span_skip(*in, FIXED + len);
    return command == VERSION_LOCAL ? IO_PROXY_LOCAL : IO_PROXY_CLIENT;
}
