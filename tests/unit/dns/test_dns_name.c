#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "dns_name.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct text_case {
    const char *in;
    const char *out;  // NULL: no name
    const char *host; // NULL: no host name
};

static void expect(bool ok, const struct dns_name *n, const char *in, const char *want)
{
    if (ok != (want != NULL) || (ok && strcmp(n->text, want) != 0))
        fail_msg("\"%s\" gives \"%s\", not \"%s\"", in, ok ? n->text : "(no)",
                 want ? want : "(no)");
    if (ok)
        assert_int_equal(n->len, strlen(n->text));
}

static void run_cases(const struct text_case *cases, size_t count)
{
    struct dns_name n;
    for (size_t i = 0; i < count; i++) {
        bool ok = dns_name_parse(&n, span_str(cases[i].in));
        expect(ok, &n, cases[i].in, cases[i].out);
        ok = dns_name_parse_host(&n, span_str(cases[i].in));
        expect(ok, &n, cases[i].in, cases[i].host);
    }
}
#define RUN(cases) run_cases(cases, sizeof cases / sizeof cases[0])

static void ascii_names(void **state)
{
    (void)state;
    static const struct text_case cases[] = {
        {"example.com", "example.com", "example.com"},
        {"Example.COM.", "example.com", "example.com"},
        {"com", "com", "com"},
        {".", "", NULL},
        {"_25._tcp.mx.example", "_25._tcp.mx.example", NULL},
        {"a_b.example", "a_b.example", NULL},
        {"-a.example", "-a.example", NULL},
        {"a-.example", "a-.example", NULL},
        {"a--b.example", "a--b.example", "a--b.example"},
        {"1.2", "1.2", "1.2"},
        {"*.example", "*.example", NULL},
        {L63 ".de", L63 ".de", L63 ".de"},
    };
    RUN(cases);
}

static void ascii_nonsense(void **state)
{
    (void)state;
    static const struct text_case cases[] = {
        {"", NULL, NULL},      {"..", NULL, NULL},       {"a..b", NULL, NULL},
        {".a", NULL, NULL},    {"a..", NULL, NULL},      {"a b", NULL, NULL},
        {"a\tb", NULL, NULL},  {"a\nb", NULL, NULL},     {" a", NULL, NULL},
        {"a\x7f", NULL, NULL}, {L63 "a.de", NULL, NULL}, {L63 "." L63 "." L63 "." L63, NULL, NULL},
    };
    RUN(cases);
    struct dns_name n;
    assert_false(dns_name_parse(&n, SPAN("a\0b")));
    assert_false(dns_name_parse(&n, (struct span){NULL, 0}));
}

static void longest_name(void **state)
{
    (void)state;
    struct dns_name n;
    static const char text[] = L63 "." L63 "." L63 "."
                                   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
                                   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcc";
    assert_true(dns_name_parse(&n, (struct span){text, 253}));
    assert_int_equal(n.len, 253);
    assert_true(dns_name_parse(&n, (struct span){text, 252}));
    assert_false(dns_name_parse(&n, (struct span){text, 254}));
    assert_false(dns_name_prepend(&n, SPAN("x"), &n));
}

static void international_names(void **state)
{
    (void)state;
    static const struct text_case cases[] = {
        {"münchen.de", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
        {"MÜNCHEN.DE", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
        {"mu\xcc\x88nchen.de", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"}, // NFD
        {"faß.de", "xn--fa-hia.de", "xn--fa-hia.de"},                     // non-transitional
        {"bücher。example", "xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"_25._tcp.bücher.example", "_25._tcp.xn--bcher-kva.example", NULL},
        {"XN--MNCHEN-3YA.de", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
    };
    RUN(cases);
}

static void international_nonsense(void **state)
{
    (void)state;
    static const struct text_case cases[] = {
        {"。", NULL, NULL},       {"☃.net", NULL, NULL},   {"℀.com", NULL, NULL},
        {"a\xff.de", NULL, NULL}, {"\xc3.de", NULL, NULL}, {"ü..de", NULL, NULL},
        {"\xc2\xad", NULL, NULL}, {"ü b.de", NULL, NULL},
    };
    RUN(cases);
    struct dns_name n;
    char flood[3000];
    for (size_t i = 0; i < sizeof flood; i += 2) {
        flood[i] = '\xc3';
        flood[i + 1] = '\xbc';
    }
    assert_false(dns_name_parse(&n, (struct span){flood, sizeof flood}));
}

struct wire_case {
    const char *what;
    struct span message;
    size_t at;
    const char *out; // NULL: refused
    size_t behind;
};

static void wire_names(void **state)
{
    (void)state;
    const struct wire_case wire_cases[] = {
        {"plain", SPAN("\3WwW\2de\0zz"), 0, "www.de", 8},
        {"root", SPAN("\0"), 0, "", 1},
        {"pointer", SPAN("\2de\0\3www\xc0\0!"), 4, "www.de", 10},
        {"pointer to pointer", SPAN("\2de\0\1b\xc0\0\1a\xc0\4"), 8, "a.b.de", 12},
        {"pointer to root", SPAN("\0\xc0\0"), 1, "", 3},
        {"itself", SPAN("\xc0\0"), 0, NULL, 0},
        {"two in a ring", SPAN("\xc0\2\xc0\0"), 0, NULL, 0},
        {"two in a ring, from behind", SPAN("\xc0\2\xc0\0"), 2, NULL, 0},
        {"into its own labels", SPAN("\1a\xc0\0"), 0, NULL, 0},
        {"forward", SPAN("\xc0\2\1a\0"), 0, NULL, 0},
        {"half a pointer", SPAN("\1a\xc0"), 0, NULL, 0},
        {"pointer outside", SPAN("\1a\xcf\xff"), 0, NULL, 0},
        {"no end", SPAN("\1a\1b"), 0, NULL, 0},
        {"label cut", SPAN("\5abc"), 0, NULL, 0},
        {"label type 01",
         SPAN("\x41"
              "a\0"),
         0, NULL, 0},
        {"label type 10",
         SPAN("\x81"
              "a\0"),
         0, NULL, 0},
        {"empty message", SPAN(""), 0, NULL, 0},
        {"offset outside", SPAN("\0"), 7, NULL, 0},
        {"dot in a label", SPAN("\3a.b\0"), 0, NULL, 0},
        {"NUL in a label", SPAN("\3a\0b\0"), 0, NULL, 0},
        {"blank in a label", SPAN("\3a b\0"), 0, NULL, 0},
        {"byte over 127", SPAN("\1\xfc\0"), 0, NULL, 0},
    };
    for (size_t i = 0; i < sizeof wire_cases / sizeof wire_cases[0]; i++) {
        const struct wire_case *c = &wire_cases[i];
        size_t at = c->at;
        struct dns_name n;
        bool ok = dns_name_from_wire(&n, c->message, &at);
        expect(ok, &n, c->what, c->out);
        assert_int_equal(at, ok ? c->behind : c->at);
        size_t skipped = c->at;
        if (ok)
            assert_true(dns_name_skip_wire(c->message, &skipped));
        if (ok)
            assert_int_equal(skipped, at);
    }
}

static void wire_too_long(void **state)
{
    (void)state;
    char message[2 * 130 + 1] = {0};
    struct dns_name n;
    for (size_t i = 0; i < 260; i += 2) {
        message[i] = 1;
        message[i + 1] = 'x';
    }
    size_t at = 0;
    assert_false(dns_name_from_wire(&n, SPAN_OF(message), &at));
    assert_false(dns_name_skip_wire(SPAN_OF(message), &at));
    at = 260 - 254; // 127 labels: 253 characters
    assert_true(dns_name_from_wire(&n, SPAN_OF(message), &at));
    assert_int_equal(n.len, 253);
}

static void wire_pointer_chain(void **state)
{
    (void)state;
    char message[1 + 2 * 200] = {0};
    for (size_t i = 0; i < 200; i++) {
        size_t to = i ? 1 + 2 * (i - 1) : 0;
        message[1 + 2 * i] = (char)(0xc0 | to >> 8);
        message[2 + 2 * i] = (char)to;
    }
    struct dns_name n;
    size_t at = 1 + 2 * 10;
    assert_true(dns_name_from_wire(&n, SPAN_OF(message), &at));
    at = 1 + 2 * 199;
    assert_false(dns_name_from_wire(&n, SPAN_OF(message), &at));
}

static struct dns_name name(const char *text)
{
    struct dns_name n;
    assert_true(dns_name_parse(&n, span_str(text)));
    return n;
}

static void prepending(void **state)
{
    (void)state;
    static const struct {
        const char *labels, *to, *out;
    } cases[] = {
        {"_25._tcp.", "mx.example", "_25._tcp.mx.example"},
        {"_25._tcp", "mx.example", "_25._tcp.mx.example"},
        {"_MTA-STS", "example", "_mta-sts.example"},
        {"a", ".", "a"},
        {"", "example", "example"},
        {"a..b", "example", NULL},
        {"..", "example", NULL},
        {"a b", "example", NULL},
        {"ü", "example", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_name n = name(cases[i].to);
        bool ok = dns_name_prepend(&n, span_str(cases[i].labels), &n);
        expect(ok, &n, cases[i].labels, cases[i].out);
    }
}

static void parents(void **state)
{
    (void)state;
    struct dns_name n = name("a.b.c");
    assert_true(dns_name_parent(&n, &n));
    assert_string_equal(n.text, "b.c");
    assert_true(dns_name_parent(&n, &n));
    assert_string_equal(n.text, "c");
    assert_true(dns_name_parent(&n, &n));
    assert_true(dns_name_is_root(&n));
    assert_false(dns_name_parent(&n, &n));
}

static void equality(void **state)
{
    (void)state;
    struct dns_name a = name("Example.ORG."), b = name("example.org"), c = name("example.orh");
    assert_true(dns_name_eq(&a, &b));
    assert_false(dns_name_eq(&a, &c));
    assert_false(dns_name_is_root(&a));
}

static void shown_to_people(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"xn--mnchen-3ya.de", "münchen.de"},
        {"mx.xn--mnchen-3ya.xn--bcher-kva", "mx.münchen.bücher"},
        {"example.com", "example.com"},
        {"xn--abc.de", "xn--abc.de"}, // decodes to what may not stand in a name
        {"xn--a.xn--mnchen-3ya", "xn--a.xn--mnchen-3ya"},
        {"a/b.xn--mnchen-3ya", "a/b.xn--mnchen-3ya"},
        {".", "."},
    };
    char room[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_name n = name(cases[i][0]);
        struct span s = dns_name_shown(&n, room);
        if (!span_eq(s, span_str(cases[i][1])))
            fail_msg("%s is shown as %.*s", cases[i][0], SPAN_FMT(s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascii_names),
        cmocka_unit_test(ascii_nonsense),
        cmocka_unit_test(longest_name),
        cmocka_unit_test(international_names),
        cmocka_unit_test(international_nonsense),
        cmocka_unit_test(wire_names),
        cmocka_unit_test(wire_too_long),
        cmocka_unit_test(wire_pointer_chain),
        cmocka_unit_test(prepending),
        cmocka_unit_test(parents),
        cmocka_unit_test(equality),
        cmocka_unit_test(shown_to_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
