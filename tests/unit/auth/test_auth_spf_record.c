// SPF records: what is one, what is an error, and what a term says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "auth_spf_record.h"
#include "base_rc.h"

static bool parses(struct span text, const char **why)
{
    struct auth_spf_record r;
    struct span term;
    return auth_spf_record_parse(&r, text, &term, why);
}

static void look_at(const char *const *terms, size_t n, bool want)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(buf_free) struct buf b = BUF(4096);
        const char *why;
        buf_printf(&b, "v=spf1 ?all %s -all", terms[i]);
        bool got = parses(buf_span(&b), &why);
        if (got != want)
            print_message("%s: %s\n", terms[i], got ? "taken" : why);
        assert_int_equal(got, want);
    }
}

static void test_is(void **state)
{
    (void)state;
    static const char *const yes[] = {"v=spf1", "v=spf1 ", "V=SPF1 -all", "v=spf1 \200"};
    static const char *const no[] = {"", "v=spf", "v=spf10", "v=spf1\t", " v=spf1", "v=spf1-all"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(auth_spf_record_is(span_str(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(auth_spf_record_is(span_str(no[i])));
}

static void test_good_terms(void **state)
{
    (void)state;
    static const char *const terms[] = {"",
                                        "  ",
                                        "a",
                                        "+a",
                                        "A/24",
                                        "a//64",
                                        "a/0//0",
                                        "a/24//64",
                                        "a:x.example",
                                        "a:x.example./24",
                                        "a:%{d}",
                                        "a:%{d}/24",
                                        "a:%{l/}.x.example/24",
                                        "a:foo:8080.example.com",
                                        "a:b/c.example.com",
                                        "a:x.%{d}.e-x",
                                        "a:_x.a1",
                                        "a:x..example",
                                        "mx",
                                        "mx:x.example//32",
                                        "ptr",
                                        "PTR:x.example",
                                        "ip4:192.0.2.1",
                                        "ip4:192.0.2.1/0",
                                        "ip6:::",
                                        "ip6:2001:db8::1/128",
                                        "ip6:::ffff:192.0.2.1",
                                        "exists:%{ir}.x.example",
                                        "exists:%%%_%-",
                                        "include:x.example",
                                        "redirect=x.example",
                                        "exp=x.example",
                                        "unknown=",
                                        "unknown=a:b/c",
                                        "un-kn_o.wn=%{d}",
                                        "unknown=1 unknown=2",
                                        "A=b",
                                        "a:%{dr-.+,/_=}.example",
                                        "a:%{D127R}.example"};
    look_at(terms, sizeof terms / sizeof *terms, true);
}

static void test_bad_terms(void **state)
{
    (void)state;
    static const char *const terms[] = {"x",

                                        "all:x",
                                        "all/8",
                                        "all.",
                                        "a:",
                                        "a/",
                                        "a//",
                                        "a/33",
                                        "a//129",
                                        "a/024",
                                        "a/24/64",
                                        "a/24//",
                                        "a//64/24",
                                        "a:x",
                                        "a:1.2.3.4",
                                        "a:x.example..",
                                        "a:x.123",
                                        "a:x.-a",
                                        "a:x.a-",
                                        "a:x.exa mple",
                                        "a:x.example\t",
                                        "a:x\200.example",
                                        "a:%",
                                        "a:%{",
                                        "a:%{}",
                                        "a:%{d",
                                        "a:%{x}.a",
                                        "a:%{c}.a",
                                        "a:%{r}.a",
                                        "a:%{t}.a",
                                        "a:%{d0}.a",
                                        "a:%{dr2}.a",
                                        "a:%{d}x",
                                        "a:%d.a",
                                        "a:%{d!}.a",
                                        "mx:",
                                        "mx:x",
                                        "ptr:",
                                        "ptr/24",
                                        "ip4",
                                        "ip4:",
                                        "ip4:192.0.2",
                                        "ip4:192.0.2.1/",
                                        "ip4:192.0.2.1/33",
                                        "ip4:192.0.2.01",
                                        "ip4:192.0.2.1//32",
                                        "ip4:::1",
                                        "ip4/24",
                                        "ip6",
                                        "ip6:192.0.2.1",
                                        "ip6:1",
                                        "ip6:::1/129",
                                        "ip6:::1//33",
                                        "ip6:::1%eth0",
                                        "exists",
                                        "exists:",
                                        "exists:x.example/24",
                                        "include",
                                        "include:",
                                        "include:x.example/24",
                                        "redirect:x.example",
                                        "redirect=",
                                        "redirect",
                                        "exp=",
                                        "exp=x",
                                        "redirect=x.example redirect=x.example",
                                        "exp=x.example EXP=y.example",
                                        "=x",
                                        "1x=y",
                                        "x y=%{",
                                        "u=%",
                                        "u=%{q}",
                                        "--all",
                                        "!all",
                                        "a,",
                                        "-",
                                        "+",
                                        "?"};
    look_at(terms, sizeof terms / sizeof *terms, false);
}

static void test_nul(void **state)
{
    (void)state;
    const char *why;
    assert_false(parses(SPAN("v=spf1 a:x.example\0 -all"), &why));
    assert_false(parses(SPAN("v=spf1 \0"), &why));
}

static void test_values(void **state)
{
    (void)state;
    struct auth_spf_record r;
    struct auth_spf_term t;
    struct span term, rest = {0};
    const char *why;
    assert_true(auth_spf_record_parse(
        &r,
        SPAN("v=spf1 ~mx:x.example/24//64  -IP6:2001:db8::/32 redirect=%{d}.r.example exp=%{o}"),
        &term, &why));
    assert_int_equal(r.terms, 4);
    assert_false(r.all);
    assert_true(span_eq(r.redirect, SPAN("%{d}.r.example")));
    assert_true(span_eq(r.redirect_text, SPAN("redirect=%{d}.r.example")));
    assert_true(span_eq(r.exp, SPAN("%{o}")));
    assert_true(auth_spf_record_next(&r, &rest, &t));
    assert_int_equal(t.kind, AUTH_SPF_MX);
    assert_int_equal(t.qualifier, '~');
    assert_int_equal(t.prefix4, 24);
    assert_int_equal(t.prefix6, 64);
    assert_true(span_eq(t.domain, SPAN("x.example")));
    assert_true(auth_spf_record_next(&r, &rest, &t));
    assert_int_equal(t.kind, AUTH_SPF_IP6);
    assert_true(t.network.v6);
    assert_int_equal(t.prefix6, 32);
    assert_true(auth_spf_record_next(&r, &rest, &t));
    assert_true(auth_spf_record_next(&r, &rest, &t));
    assert_int_equal(t.kind, AUTH_SPF_EXP);
    assert_false(auth_spf_record_next(&r, &rest, &t));
    assert_false(auth_spf_record_next(&r, &rest, &t));
}

static void test_fault(void **state)
{
    (void)state;
    struct auth_spf_record r;
    struct span term;
    const char *why;
    assert_false(auth_spf_record_parse(&r, SPAN("v=spf1 a mx:% -all"), &term, &why));
    assert_true(span_eq(term, SPAN("mx:%")));
    assert_string_equal(why, "the domain is not well-formed");
}

static void test_too_long(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20), c = BUF(1 << 20);
    const char *why;
    buf_put(&b, SPAN("v=spf1"));
    while (b.len <= AUTH_SPF_TEXT_MAX)
        buf_put(&b, SPAN(" a"));
    assert_false(parses(buf_span(&b), &why));
    assert_true(parses(span_first(buf_span(&b), AUTH_SPF_TEXT_MAX), &why));
    buf_put(&c, SPAN("v=spf1 u="));
    while (c.len < 7 + AUTH_SPF_TERM_MAX)
        buf_putc(&c, 'x');
    assert_true(parses(buf_span(&c), &why));
    buf_putc(&c, 'x');
    assert_false(parses(buf_span(&c), &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is),        cmocka_unit_test(test_good_terms),
        cmocka_unit_test(test_bad_terms), cmocka_unit_test(test_nul),
        cmocka_unit_test(test_values),    cmocka_unit_test(test_fault),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
