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

static void check_global(const char *text, bool global)
{
    struct dns_address a;
    assert_true(dns_address_parse(&a, span_str(text)));
    if (dns_address_is_global(&a) != global)
        fail_msg("%s is taken for %s", text, global ? "none of the Internet" : "global");
}

// The ends of each network, and what lies beside it.
static void global_addresses(void **state)
{
    (void)state;
    static const char *const global[] = {"1.0.0.0",          "9.255.255.255",   "11.0.0.0",
                                         "100.63.255.255",   "100.128.0.0",     "126.255.255.255",
                                         "128.0.0.0",        "169.253.255.255", "169.255.0.0",
                                         "172.15.255.255",   "172.32.0.0",      "192.0.1.0",
                                         "192.0.3.0",        "192.88.98.255",   "192.167.255.255",
                                         "192.169.0.0",      "198.17.255.255",  "198.20.0.0",
                                         "223.255.255.255",  "2000::",          "2001:200::1",
                                         "2001:470::1",      "2001:db7::1",     "2001:db9::1",
                                         "2a00:1450::1",     "3ffe:ffff::1",    "3fff:1000::1",
                                         "64:ff9b::8.8.8.8", "2002:808:808::1"};
    static const char *const inside[] = {"0.0.0.0",
                                         "0.255.255.255",
                                         "10.0.0.0",
                                         "10.255.255.255",
                                         "100.64.0.0",
                                         "100.127.255.255",
                                         "127.0.0.1",
                                         "127.255.255.255",
                                         "169.254.0.0",
                                         "169.254.169.254",
                                         "172.16.0.0",
                                         "172.31.255.255",
                                         "192.0.0.0",
                                         "192.0.0.255",
                                         "192.0.2.1",
                                         "192.88.99.1",
                                         "192.168.0.0",
                                         "192.168.255.255",
                                         "198.18.0.0",
                                         "198.19.255.255",
                                         "198.51.100.1",
                                         "203.0.113.1",
                                         "224.0.0.0",
                                         "239.255.255.255",
                                         "240.0.0.0",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "::8.8.8.8",
                                         "::ffff:8.8.8.8",
                                         "::ffff:127.0.0.1",
                                         "::ffff:0:8.8.8.8",
                                         "64:ff9b::10.0.0.1",
                                         "64:ff9b::127.0.0.1",
                                         "64:ff9b:1::8.8.8.8",
                                         "100::1",
                                         "1fff::1",
                                         "2001::1",
                                         "2001:2::1",
                                         "2001:10::1",
                                         "2001:1ff::1",
                                         "2001:db8::1",
                                         "2002:a00:1::1",
                                         "2002:7f00:1::1",
                                         "3fff::1",
                                         "3fff:fff::1",
                                         "4000::1",
                                         "5f00::1",
                                         "fc00::1",
                                         "fd00:25::1",
                                         "fe80::1",
                                         "fec0::1",
                                         "ff02::1",
                                         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
    for (size_t i = 0; i < sizeof global / sizeof *global; i++)
        check_global(global[i], true);
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        check_global(inside[i], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(families_differ),
        cmocka_unit_test(global_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
