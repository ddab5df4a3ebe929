// A header is the same however it is cut, and a reader that takes what is asked for takes
// not a byte of what follows.
#include "io_proxy.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool same(const struct io_endpoint *a, const struct io_endpoint *b)
{
    return a->v6 == b->v6 && a->port == b->port &&
           span_eq(SPAN_OF(a->address), SPAN_OF(b->address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = {(const char *)data, size}, whole = all;
    struct io_endpoint client = {0}, again = {0};
    enum io_proxy is = io_proxy_read(&whole, &client), now = IO_PROXY_MORE;
    size_t have = 0;
    while (now == IO_PROXY_MORE && have < size) {
        struct span in = span_first(all, have);
        size_t wanted = io_proxy_size(in);
        check(wanted > have && wanted <= IO_PROXY_MAX);
        in = span_first(all, have = wanted < size ? wanted : size);
        now = io_proxy_read(&in, &again);
        check(now == IO_PROXY_MORE || now == IO_PROXY_BAD || in.len == 0);
    }
    check(now == is && same(&client, &again));
    check(is == IO_PROXY_CLIENT || (!client.v6 && !client.port));
    check((is != IO_PROXY_CLIENT && is != IO_PROXY_LOCAL) || size - whole.len == have);
    check((is != IO_PROXY_MORE && is != IO_PROXY_BAD) || whole.len == size);
    return 0;
}
