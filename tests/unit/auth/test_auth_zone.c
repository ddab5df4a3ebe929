// The zone of the tests answers as a resolver does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base_rc.h"
#include "zone.h"

static const char text[] = "# a comment\n"
                           "example.org TXT v=spf1 -all\n"
                           "example.org TXT \"a \" \"b\\200\"\n"
                           "\n"
                           "example.org MX 10 mx.example.org\n"
                           "a.b.example.org A 192.0.2.1\n"
                           "alias.example.org CNAME a.b.example.org\n"
                           "loop.example.org CNAME loop.example.org\n"
                           "slow.example.org * !timeout\n"
                           "slow.example.org A 192.0.2.9\n"
                           "bad.example.org TXT !bogus\n"
                           "empty.example.org TXT !empty\n"
                           "*.w.example.org A 192.0.2.2\n"
                           "$secure\n"
                           "signed.example.org A 192.0.2.3\n";

static struct dns_answer ask(struct zone *z, struct arena *a, const char *name, enum dns_type type)
{
    struct dns_question q = {.type = type};
    assert_true(dns_name_parse(&q.name, span_str(name)));
    return zone_answer(z, &q, a);
}

static void test_presence(void **state)
{
    (void)state;
    CLEANUP(zone_free) struct zone *z = zone_new(text);
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    static const struct {
        const char *name;
        enum dns_type type;
        enum dns_presence presence;
        enum dns_standing standing;
        size_t count;
    } rows[] = {
        {"example.org", DNS_TXT, DNS_DATA, DNS_INSECURE, 2},
        {"EXAMPLE.org", DNS_MX, DNS_DATA, DNS_INSECURE, 1},
        {"example.org", DNS_A, DNS_NODATA, DNS_SECURE, 0},
        {"b.example.org", DNS_A, DNS_NODATA, DNS_SECURE, 0},
        {"none.example.org", DNS_A, DNS_NXDOMAIN, DNS_SECURE, 0},
        {"alias.example.org", DNS_A, DNS_DATA, DNS_INSECURE, 1},
        {"loop.example.org", DNS_A, DNS_NO_ANSWER, DNS_INDETERMINATE, 0},
        {"slow.example.org", DNS_TXT, DNS_NO_ANSWER, DNS_INDETERMINATE, 0},
        {"slow.example.org", DNS_A, DNS_DATA, DNS_INSECURE, 1},
        {"bad.example.org", DNS_TXT, DNS_NO_ANSWER, DNS_BOGUS, 0},
        {"empty.example.org", DNS_TXT, DNS_DATA, DNS_INSECURE, 0},
        {"x.y.w.example.org", DNS_A, DNS_DATA, DNS_INSECURE, 1},
        {"x.y.w.example.org", DNS_TXT, DNS_NODATA, DNS_SECURE, 0},
        {"signed.example.org", DNS_A, DNS_DATA, DNS_SECURE, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dns_answer got = ask(z, &a, rows[i].name, rows[i].type);
        assert_int_equal(got.presence, rows[i].presence);
        assert_int_equal(got.standing, rows[i].standing);
        assert_int_equal(got.count, rows[i].count);
    }
    assert_int_equal(zone_questions(z), sizeof rows / sizeof *rows);
    assert_string_equal(zone_question(z, 1), "example.org MX");
    assert_null(zone_question(z, 99));
}

static void test_values(void **state)
{
    (void)state;
    CLEANUP(zone_free) struct zone *z = zone_new(text);
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    struct dns_answer got = ask(z, &a, "example.org", DNS_TXT);
    assert_true(span_eq(got.records[0].data, SPAN("v=spf1 -all")));
    assert_true(span_eq(got.records[1].data, SPAN("a b\310")));
    got = ask(z, &a, "alias.example.org", DNS_A);
    assert_true(got.aliased);
    assert_string_equal(got.expanded.text, "a.b.example.org");
    assert_false(zone_add(z, SPAN("a..b"), SPAN("A"), SPAN("192.0.2.1")));
    assert_false(zone_add(z, SPAN("a.b"), SPAN("A"), SPAN("2001:db8::1")));
    assert_false(zone_add(z, SPAN("a.b"), SPAN("WHAT"), SPAN("2001:db8::1")));
}

static void test_pending(void **state)
{
    (void)state;
    struct zone_pending p = {.seed = 3};
    struct auth_step s;
    unsigned seen = 0;
    for (unsigned i = 0; i < 8; i++)
        zone_pending_add(&p, &(struct auth_step){.ticket = i});
    while (zone_pending_take(&p, &s))
        seen |= 1u << s.ticket;
    assert_int_equal(seen, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
