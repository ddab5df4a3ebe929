#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dns_answer.h"

static void good_addresses(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"2001:DB8::1", "2001:db8::1"},
        {"::", "::"},
        {"2001:db8:0:0:0:0:0:1", "2001:db8::1"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(buf_free) struct buf b = BUF(100);
        struct dns_address a;
        assert_true(dns_address_parse(&a, span_str(cases[i][0])));
        dns_address_put(&b, &a);
        assert_string_equal(buf_str(&b), cases[i][1]);
        struct dns_address again;
        assert_true(dns_address_parse(&again, buf_span(&b)));
        assert_true(dns_address_eq(&a, &again));
    }
}

static void bad_addresses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.01",
        " 192.0.2.1",
        "192.0.2.1 ",
        "1",
        "0x7f.1",
        "[::1]",
        ":::",
        "fe80::1%lo",
        "::1/128",
        "example",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999",
    };
    struct dns_address a;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (dns_address_parse(&a, span_str(cases[i])))
            fail_msg("%s is taken for an address", cases[i]);
    }
    assert_false(dns_address_parse(&a, SPAN("192.0.2.1\0")));
}

static void families_differ(void **state)
{
    (void)state;
    struct dns_address a = {.v6 = false}, b = {.v6 = true};
    assert_false(dns_address_eq(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(families_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
