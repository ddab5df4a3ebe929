#include "io_test.h"

#include "io_stream.h"

static const struct row {
    const char *text, *put; // put NULL: refused
} rows[] = {
    {"192.0.2.1:25", "192.0.2.1:25"},
    {"192.0.2.1", "192.0.2.1:99"},
    {"0.0.0.0:0", "0.0.0.0:0"},
    {"[2001:db8::1]:25", "[2001:db8::1]:25"},
    {"[2001:db8::1]", "[2001:db8::1]:99"},
    {"[2001:DB8:0::1]:65535", "[2001:db8::1]:65535"},
    {"2001:db8::1", "[2001:db8::1]:99"},
    {"::", "[::]:99"},
    {"[::1]:587", "[::1]:587"},
    {"unix:/run/geleit/control", "unix:/run/geleit/control"},
    {"", NULL},
    {":25", NULL},
    {"192.0.2.1:", NULL},
    {"192.0.2.1:65536", NULL},
    {"192.0.2.1:-1", NULL},
    {"192.0.2.1:25 ", NULL},
    {"192.0.2.256:25", NULL},
    {"192.0.2:25", NULL},
    {"mx.example.org:25", NULL},
    {"[2001:db8::1", NULL},
    {"[2001:db8::1]25", NULL},
    {"[2001:db8::1]:", NULL},
    {"[192.0.2.1]:25", NULL},
    {"[]:25", NULL},
    {"[", NULL},
    {"2001:db8::zz", NULL},
    {"unix:", NULL},
    {"unix:relative", NULL},
    {"unix:/far/too/long/for/a/socket/address/of/this/system/which/has/room/for/one/hundred/and/"
     "seven/bytes/and/no/more",
     NULL},
};

static void parse_and_put(void **state)
{
    const struct row *row = *state;
    struct io_endpoint e;
    CLEANUP(buf_free) struct buf b = BUF(256);
    assert_int_equal(io_endpoint_parse(&e, span_str(row->text), 99), row->put != NULL);
    if (!row->put)
        return;
    io_endpoint_put(&b, &e);
    assert_string_equal(buf_str(&b), row->put);
}

int main(void)
{
    enum { N = sizeof rows / sizeof *rows };
    struct CMUnitTest tests[N];
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){rows[i].text[0] ? rows[i].text : "(empty)", parse_and_put,
                                       NULL, NULL, (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("endpoint", tests, N, NULL, NULL);
}
