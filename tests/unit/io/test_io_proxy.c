// PROXY headers, whole and cut everywhere.
#include "io_test.h"

#include "io_proxy.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define SIG    "\r\n\r\n\0\r\nQUIT\n"
#define V4     "\xc0\x00\x02\x07\xc0\x00\x02\x19\x30\x39\x00\x19" // 192.0.2.7, port 12345
#define V6_ONE "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x07"
#define PORTS  "\x30\x39\x00\x19"
#define TLV    "\x03\x00\x04\x01\x02\x03\x04"

static const struct row {
    const char *what;
    struct span in;
    enum io_proxy is;
    const char *client; // CLIENT
    size_t rest;        // bytes behind the header
} rows[] = {
    {"IPv4", BYTES(SIG "\x21\x11\0\x0c" V4), IO_PROXY_CLIENT, "192.0.2.7:12345", 0},
    {"IPv4 and a command", BYTES(SIG "\x21\x11\0\x0c" V4 "EHLO x\r\n"), IO_PROXY_CLIENT,
     "192.0.2.7:12345", 8},
    {"IPv6", BYTES(SIG "\x21\x21\0\x24" V6_ONE V6_ONE PORTS), IO_PROXY_CLIENT,
     "[2001:db8::7]:12345", 0},
    {"IPv4 mapped to IPv6", BYTES(SIG "\x21\x21\0\x24" MAPPED MAPPED PORTS), IO_PROXY_CLIENT,
     "192.0.2.7:12345", 0},
    {"extensions", BYTES(SIG "\x21\x11\0\x13" V4 TLV "QUIT"), IO_PROXY_CLIENT, "192.0.2.7:12345",
     4},
    {"the balancer itself", BYTES(SIG "\x20\x00\0\0x"), IO_PROXY_LOCAL, NULL, 1},
    {"the balancer itself, with addresses", BYTES(SIG "\x20\x11\0\x0c" V4 "x"), IO_PROXY_LOCAL,
     NULL, 1},
    {"too short for IPv4", BYTES(SIG "\x21\x11\0\x0b" V4), IO_PROXY_BAD, NULL, 0},
    {"too short for IPv6", BYTES(SIG "\x21\x21\0\x0c" V4), IO_PROXY_BAD, NULL, 0},
    {"an unknown family", BYTES(SIG "\x21\x00\0\0"), IO_PROXY_BAD, NULL, 0},
    {"datagrams", BYTES(SIG "\x21\x12\0\x0c" V4), IO_PROXY_BAD, NULL, 0},
    {"Unix sockets", BYTES(SIG "\x21\x31\0\0"), IO_PROXY_BAD, NULL, 0},
    {"another version", BYTES(SIG "\x31\x11\0\x0c" V4), IO_PROXY_BAD, NULL, 0},
    {"another command", BYTES(SIG "\x22\x11\0\x0c" V4), IO_PROXY_BAD, NULL, 0},
    {"too long", BYTES(SIG "\x21\x11\x08\x01" V4), IO_PROXY_BAD, NULL, 0},
    {"much too long", BYTES(SIG "\x21\x11\xff\xff" V4), IO_PROXY_BAD, NULL, 0},
    {"version 1", BYTES("PROXY TCP4 192.0.2.7 192.0.2.25 12345 25\r\n"), IO_PROXY_BAD, NULL, 0},
    {"a client", BYTES("EHLO client.example\r\n"), IO_PROXY_BAD, NULL, 0},
    {"TLS", BYTES("\x16\x03\x01\x02\0\x01"), IO_PROXY_BAD, NULL, 0},
};

static void each(void **state)
{
    const struct row *row = *state;
    CLEANUP(buf_free) struct buf b = BUF(256);
    struct io_endpoint client = {0};
    struct span in = row->in;
    assert_int_equal(io_proxy_read(&in, &client), row->is);
    bool taken = row->is != IO_PROXY_BAD;
    assert_int_equal(in.len, taken ? row->rest : row->in.len);
    if (row->is == IO_PROXY_CLIENT) {
        io_endpoint_put(&b, &client);
        assert_string_equal(buf_str(&b), row->client);
    }
    if (row->is == IO_PROXY_LOCAL)
        assert_true(!client.port && !client.v6);
}

// Nothing of a header is taken, and nobody's address set, before all of it is there; then
// a read of as many bytes as are asked for brings not one too many.
static void cut(void **state)
{
    const struct row *row = *state;
    size_t whole = row->in.len - row->rest, bytes = 0;
    for (size_t n = 0; n < whole; n++) {
        struct io_endpoint client = {0};
        struct span in = span_first(row->in, n);
        enum io_proxy is = io_proxy_read(&in, &client);
        assert_true(is == IO_PROXY_MORE || (row->is == IO_PROXY_BAD && is == IO_PROXY_BAD));
        assert_true(in.len == n && !client.port && !client.v6);
        if (is == IO_PROXY_MORE)
            assert_true(io_proxy_size(in) > n && io_proxy_size(in) <= IO_PROXY_MAX);
    }
    if (row->is == IO_PROXY_BAD)
        return;
    while (bytes < io_proxy_size(span_first(row->in, bytes)))
        bytes = io_proxy_size(span_first(row->in, bytes));
    assert_int_equal(bytes, whole);
}

int main(void)
{
    enum { N = sizeof rows / sizeof *rows };
    struct CMUnitTest tests[2 * N];
    for (size_t i = 0; i < 2 * N; i++)
        tests[i] = (struct CMUnitTest){rows[i / 2].what, i % 2 ? cut : each, NULL, NULL,
                                       (void *)(uintptr_t)&rows[i / 2]};
    return _cmocka_run_group_tests("proxy", tests, 2 * N, NULL, NULL);
}
