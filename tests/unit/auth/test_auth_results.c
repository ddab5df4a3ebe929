// Authentication-Results: written, read, and taken out where forged.
#include "auth_results.h"
#include "dkim_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S(literal)                                                                                 \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

static void nothing_was_done(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct auth_results_writer w = auth_results_open(&b, SPAN("mx.example.org"), false);
    auth_results_close(&w);
    assert_string_equal(buf_str(&b), "Authentication-Results: mx.example.org; none\r\n");
}

static void every_method(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(4000);
    struct auth_results_writer w = auth_results_open(&b, SPAN("mx.example.org"), false);
    auth_results_iprev(&w, &(struct auth_results_iprev){AUTH_PASS, SPAN("2001:db8::1"), SPAN("")});
    auth_results_spf(&w, &(struct auth_results_spf){AUTH_SOFTFAIL, SPAN("a b@example.net"),
                                                    SPAN("mail.example.net"),
                                                    SPAN("not (really) \\ permitted")});
    auth_results_dmarc(&w, &(struct auth_results_dmarc){AUTH_FAIL, SPAN("example.net"),
                                                        SPAN("quarantine"), SPAN("")});
    auth_results_arc(&w, &(struct auth_results_arc){AUTH_NONE, SPAN(""), SPAN(""), SPAN("")});
    auth_results_close(&w);
    assert_string_equal(
        buf_str(&b),
        "Authentication-Results: mx.example.org;\r\n"
        "\tiprev=pass policy.iprev=\"2001:db8::1\";\r\n"
        "\tspf=softfail (not \\(really\\) \\\\ permitted) smtp.mailfrom=\"a b@example.net\"\r\n"
        "\tsmtp.helo=mail.example.net;\r\n"
        "\tdmarc=fail header.from=example.net policy.dmarc=quarantine;\r\n"
        "\tarc=none\r\n");
}

static const struct {
    struct span value, written, written_utf8;
} values[] = {
    {S("abc"), S("abc"), S("abc")},
    {S("a.b@c.d"), S("a.b@c.d"), S("a.b@c.d")},
    {S("@c.d"), S("@c.d"), S("@c.d")},
    {S("a@"), S("\"a@\""), S("\"a@\"")},
    {S("a@b@c"), S("\"a@b@c\""), S("\"a@b@c\"")},
    {S("a/b+c="), S("\"a/b+c=\""), S("\"a/b+c=\"")},
    {S("a\"b\\c"), S("\"a\\\"b\\\\c\""), S("\"a\\\"b\\\\c\"")},
    {S("a\r\nX: y"), S("\"a  X: y\""), S("\"a  X: y\"")},
    {S("a;b=c"), S("\"a;b=c\""), S("\"a;b=c\"")},
    {S("a(b"), S("\"a(b\""), S("\"a(b\"")},
    {S("\0"), S("\" \""), S("\" \"")},
    {S("\xc3\xbc@b.c"), S("?@b.c"), S("\xc3\xbc@b.c")},
    {S("\xff"), S("\"?\""), S("\"?\"")},
};

static void value_is(struct span value, bool utf8, struct span written)
{
    CLEANUP(buf_free) struct buf b = BUF(1000), expected = BUF(1000);
    struct auth_results_writer w = auth_results_open(&b, SPAN("x"), utf8);
    buf_clear(&b);
    auth_results_property(&w, "a.b", value);
    buf_printf(&expected, " a.b=%.*s", SPAN_FMT(written));
    assert_string_equal(buf_str(&b), buf_str(&expected));
}

static void values_are_quoted_where_needed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        value_is(values[i].value, false, values[i].written);
        value_is(values[i].value, true, values[i].written_utf8);
    }
}

static void dkim_results(void **state)
{
    (void)state;
    static const char *const two[] = {help_rsa_1024, help_ed25519};
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = help_zone(1, two); // the second has no key
    CLEANUP(buf_free) struct buf b = BUF(8000);
    struct auth_sign_options o = {.now = {SECONDS(1000)}};
    struct span s = help_sign(&o, SPAN("From: a@example.org\r\n\r\nx\r\n"), &a, 2, two);
    CLEANUP(help_dkim_free)
    struct auth_dkim *d = help_verify(z, &(struct auth_dkim_options){0}, s, 0, 0);
    struct auth_results_writer w = auth_results_open(&b, SPAN("mx.example.org"), false);
    auth_results_dkim(&w, d);
    auth_results_close(&w);
    const char *text = buf_str(&b);
    assert_non_null(strstr(text, "\tdkim=pass (1024-bit key) header.d=example.org "
                                 "header.i=@example.org\r\n\theader.s=s0 header.a=rsa-sha256 "
                                 "header.b="));
    assert_non_null(strstr(text, "\tdkim=permerror reason=\"there is no key\" "
                                 "header.d=example.org\r\n\theader.i=@example.org header.s=s1 "));
    struct auth_results r;
    struct span value = buf_span(&b);
    (void)span_cut(&value, ':');
    assert_true(auth_results_parse(&r, span_trim(value), &a));
    assert_int_equal(r.count, 2);
    assert_true(span_eq(r.infos[0].comment, SPAN("1024-bit key")));
    assert_int_equal(r.infos[0].properties[4].value.len, 8);
}

// "example.org" of a signature for all; "+": for mail alone; "t": for TLS reports alone.
static const struct {
    struct span value;
    const char *signers;
} signed_by[] = {
    {S("mx; none"), ""},
    {S("mx; dkim=none; spf=pass"), "judged"},
    {S("mx; dkim=pass (2048-bit key) header.d=Example.ORG; dkim=pass header.d=b.example"),
     "judged example.org b.example"},
    {S("mx; dkim=fail header.d=a.example; dkim=temperror header.d=b.example"), "judged open"},
    {S("mx; dkim=policy reason=\"the key is for TLS reports only\" header.d=a.example"),
     "judged a.examplet"},
    {S("mx; dkim=policy reason=\"the key is too short\" header.d=a.example"), "judged"},
    {S("mx; dkim=pass (256-bit key, not for TLS reports) header.d=a.example"), "judged a.example+"},
    {S("mx; dkim=pass header.i=@a.example"), "judged"},
    {S("mx; dkim=pass header.d=\"not a name\""), "judged"},
};

static void signers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof signed_by / sizeof *signed_by; i++) {
        CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
        CLEANUP(buf_free) struct buf b = BUF(8000);
        struct auth_results r;
        struct auth_signers s;
        assert_true(auth_results_parse(&r, signed_by[i].value, &a));
        auth_results_signers(&s, &r);
        buf_printf(&b, "%s%s", s.judged ? "judged" : "", s.open ? " open" : "");
        for (size_t k = 0; k < s.count; k++)
            buf_printf(&b, " %s%s", s.at[k].domain.text,
                       !s.at[k].tlsrpt ? "+"
                       : s.at[k].mail  ? ""
                                       : "t");
        assert_string_equal(buf_str(&b), signed_by[i].signers);
    }
}

static void relations(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool related;
    } pairs[] = {
        {"example.org", "example.org", true},
        {"mx.example.org", "example.org", true},
        {"example.org", "a.b.example.org", true},
        {"org", "example.org", false},
        {"notexample.org", "example.org", false},
        {"a.example.org", "b.example.org", false},
        {"org", "org", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct dns_name a, b;
        assert_true(dns_name_parse(&a, span_str(pairs[i].a)));
        assert_true(dns_name_parse(&b, span_str(pairs[i].b)));
        assert_int_equal(auth_domains_related(&a, &b), pairs[i].related);
    }
}

// Foreign fields: NULL is "does not parse", else what was understood.
static const struct {
    struct span value;
    const char *understood;
} foreign[] = {
    {S("example.org; none"), "example.org/1 none"},
    {S(" example.org 1 ; none"), "example.org/1 none"},
    {S("example.org 2; none"), "example.org/2 none"},
    {S("\"a b\" ; none (no (auth))"), "a b/1 none"},
    {S("example.com; spf=pass smtp.mailfrom=example.net"),
     "example.com/1 spf:pass smtp.mailfrom=example.net"},
    // RFC 8601 appendix B.7
    {S("foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) =\r\n"
       " (wait for it) fail\r\n policy (A dot can go here) . (like that) expired\r\n"
       " (this surprised me) = (as I wasn't expecting it) 1362471462"),
     "foo.example.net/1 dkim:fail policy.expired=1362471462"},
    {S("x; auth=pass (cram-md5) smtp.auth=\"a@b\" ; spf=fail"),
     "x/1 auth:pass smtp.auth=a@b spf:fail"},
    {S("x; dkim=pass reason=\"good; \\\"fine\\\"\" header.i=@b.c"),
     "x/1 dkim:pass !good; \"fine\" header.i=@b.c"},
    {S("x; dkim=pass header.i=\"a b\"@c.d"), "x/1 dkim:pass header.i=a b@c.d"},
    {S("x; dkim=pass reason.x=y"), "x/1 dkim:pass reason.x=y"},
    {S("x; none=pass"), "x/1 none:pass"},
    {S("x; spf=pass;"), "x/1 spf:pass loose"},
    {S("x; spf=pass smtp.mailfrom=a=b@c"), "x/1 spf:pass smtp.mailfrom=a=b@c"},
    {S(""), NULL},
    {S("x"), NULL},
    {S("x;"), NULL},
    {S("; none"), NULL},
    {S("x y; none"), NULL},
    {S("x 1 2; none"), NULL},
    {S("x; spf"), NULL},
    {S("x; spf="), NULL},
    {S("x; =pass"), NULL},
    {S("x; spf=pass smtp"), NULL},
    {S("x; spf=pass smtp.="), NULL},
    {S("x; spf=pass smtp.a="), NULL},
    {S("x; spf=pass smtp.a=b/c"), NULL},
    {S("x; spf=pass reason="), NULL},
    {S("x; spf=pass (unclosed"), NULL},
    {S("x; spf=pass reason=\"unclosed"), NULL},
    {S("x; spf/a=pass"), NULL},
    {S("x; none; none"), NULL},
    {S("x; ; spf=pass"), NULL},
    {S("x; spf=pass a.b=c@"), NULL},
};

static void show(struct buf *b, const struct auth_results *r)
{
    buf_printf(b, "%.*s/%u%s", SPAN_FMT(r->id), r->version, r->none ? " none" : "");
    for (size_t i = 0; i < r->count; i++) {
        const struct auth_results_info *info = &r->infos[i];
        buf_printf(b, " %.*s:%.*s", SPAN_FMT(info->method), SPAN_FMT(info->result));
        if (info->reason.len)
            buf_printf(b, " !%.*s", SPAN_FMT(info->reason));
        for (size_t p = 0; p < info->count; p++)
            buf_printf(b, " %.*s.%.*s=%.*s", SPAN_FMT(info->properties[p].type),
                       SPAN_FMT(info->properties[p].name), SPAN_FMT(info->properties[p].value));
    }
    buf_put(b, r->loose ? SPAN(" loose") : SPAN(""));
}

static void foreign_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
        CLEANUP(buf_free) struct buf b = BUF(4000);
        struct auth_results r;
        if (auth_results_parse(&r, foreign[i].value, &a))
            show(&b, &r);
        if (!foreign[i].understood && b.len)
            fail_msg("%s is read as %s", foreign[i].value.at, buf_str(&b));
        if (foreign[i].understood)
            assert_string_equal(buf_str(&b), foreign[i].understood);
    }
}

static const struct {
    struct span value, id;
    enum auth_claim claim;
} claims[] = {
    {S(" mx.example.org; none"), S("mx.example.org"), AUTH_CLAIM_OURS},
    {S(" MX.Example.ORG 1; none"), S("mx.example.org"), AUTH_CLAIM_OURS},
    {S("(a) \"mx.example.org\" (b);"), S("mx.example.org"), AUTH_CLAIM_OURS},
    {S("mx.example.org."), S("mx.example.org"), AUTH_CLAIM_OURS},
    {S("b\xc3\xbc"
       "cher.example; none"),
     S("xn--bcher-kva.example"), AUTH_CLAIM_OURS},
    {S("XN--bcher-KVA.example; none"),
     S("b\xc3\xbc"
       "cher.example"),
     AUTH_CLAIM_OURS},
    {S("mx.example.org spf=pass"), S("mx.example.org"), AUTH_CLAIM_UNCLEAR},
    {S("our id; none"), S("our"), AUTH_CLAIM_UNCLEAR},
    {S("\"our id\"; none"), S("Our ID"), AUTH_CLAIM_OURS},
    {S("example.org; none"), S("mx.example.org"), AUTH_CLAIM_FOREIGN},
    {S("x.mx.example.org; none"), S("mx.example.org"), AUTH_CLAIM_FOREIGN},
    {S(" dkim=pass header.d=x"), S("mx.example.org"), AUTH_CLAIM_UNCLEAR},
    {S(""), S("mx.example.org"), AUTH_CLAIM_UNCLEAR},
    {S("; none"), S("mx.example.org"), AUTH_CLAIM_UNCLEAR},
    {S("(mx.example.org"), S("mx.example.org"), AUTH_CLAIM_UNCLEAR},
    {S("mx.example.org/x; none"), S("mx.example.org"), AUTH_CLAIM_UNCLEAR},
};

static void whose_it_claims_to_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++)
        if (auth_results_claim(claims[i].value, claims[i].id) != claims[i].claim)
            fail_msg("%s", claims[i].value.at);
}

static void collect(void *context, struct span s)
{
    buf_put(context, s);
}

static const struct {
    const char *name;
    struct span in, out;
    unsigned removed;
} strips[] = {
    {"ours", S("A: b\r\nAuthentication-Results: me; none\r\nC: d\r\n\r\nx"),
     S("A: b\r\nC: d\r\n\r\nx"), 1},
    {"foreign", S("Authentication-Results: you; none\r\n\r\n"),
     S("Authentication-Results: you; none\r\n\r\n"), 0},
    {"folded and odd", S("AUTHENTICATION-results \t:\r\n (x)\r\n\tME\r\n ; none\r\nB: c\r\n\r\n"),
     S("B: c\r\n\r\n"), 1},
    {"two, and unclear",
     S("Authentication-Results: me; a=b\r\nAuthentication-Results: a=b\r\nX: y\r\n\r\n"),
     S("X: y\r\n\r\n"), 2},
    {"others of that name", S("Authentication-Results-X: me; none\r\n\r\n"),
     S("Authentication-Results-X: me; none\r\n\r\n"), 0},
    {"ARC's", S("ARC-Authentication-Results: i=1; me; none\r\n\r\n"),
     S("ARC-Authentication-Results: i=1; me; none\r\n\r\n"), 0},
    {"the body's", S("A: b\r\n\r\nAuthentication-Results: me; none\r\n"),
     S("A: b\r\n\r\nAuthentication-Results: me; none\r\n"), 0},
    {"no body", S("Authentication-Results: me; none"), S(""), 1},
    {"no colon", S("Authentication-Results\r\n\r\n"), S("Authentication-Results\r\n\r\n"), 0},
    {"behind a bare LF", S("A: b\nAuthentication-Results: me; none\r\n\r\n"), S("A: b\n\r\n"), 1},
    {"behind a bare CR line", S("A: b\r\n\rx\r\nAuthentication-Results: me; none\r\n\r\n"),
     S("A: b\r\n\rx\r\n\r\n"), 1},
    {"empty", S(""), S(""), 0},
    {"only a body", S("\r\nAuthentication-Results: me; none"),
     S("\r\nAuthentication-Results: me; none"), 0},
    {"a prefix of the name", S("Auth: me; none\r\n\r\n"), S("Auth: me; none\r\n\r\n"), 0},
};

static void strip(struct buf *out, struct span in, size_t step, unsigned removed)
{
    struct auth_strip s = {
        .ids = {SPAN("other.example"), SPAN("me")}, .count = 2, .put = collect, .context = out};
    buf_clear(out);
    auth_strip_open(&s);
    for (; in.len; in = span_skip(in, step))
        auth_strip_feed(&s, span_first(in, step));
    auth_strip_end(&s);
    assert_int_equal(s.removed, removed);
}

static void forged_ones_are_taken_out(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    for (size_t i = 0; i < sizeof strips / sizeof strips[0]; i++)
        for (size_t step = 1; step <= 64; step++) {
            strip(&b, strips[i].in, step, strips[i].removed);
            if (!span_eq(buf_span(&b), strips[i].out))
                fail_msg("%s: %s", strips[i].name, buf_str(&b));
        }
}

// Nobody hides the name behind more than is held.
static void endless_fields_are_taken_out(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(100000), in = BUF(100000);
    buf_put(&in, SPAN("Authentication-Results:"));
    while (in.len < 20000)
        buf_put(&in, SPAN(" (;)\r\n"));
    buf_put(&in, SPAN(" me; none\r\nX: y\r\n\r\n"));
    strip(&b, buf_span(&in), 1000, 1);
    assert_string_equal(buf_str(&b), "X: y\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_was_done),
        cmocka_unit_test(every_method),
        cmocka_unit_test(values_are_quoted_where_needed),
        cmocka_unit_test(dkim_results),
        cmocka_unit_test(signers),
        cmocka_unit_test(relations),
        cmocka_unit_test(foreign_fields),
        cmocka_unit_test(whose_it_claims_to_be),
        cmocka_unit_test(forged_ones_are_taken_out),
        cmocka_unit_test(endless_fields_are_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
