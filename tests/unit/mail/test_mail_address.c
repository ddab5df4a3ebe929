// Paths and addresses: what RFC 5321 §4.1.2 says and what hostile clients say.
#include "base_buf.h"
#include "mail_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct path_case {
    const char *name, *in;
    bool utf8;
    int kind;         // -1: refused
    const char *text; // what is to be sent
    const char *left; // behind the path
};

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define D63 A60 "aaa"

static const struct path_case paths[] = {
    {"plain", "<a@example.org>", false, MAIL_DOMAIN, "a@example.org", ""},
    {"domain in lower case", "<A.b@Example.ORG>", false, MAIL_DOMAIN, "A.b@example.org", ""},
    {"parameters stay", "<a@b.c> SIZE=1", false, MAIL_DOMAIN, "a@b.c", " SIZE=1"},
    {"rubbish behind stays", "<a@b.c>x>", false, MAIL_DOMAIN, "a@b.c", "x>"},
    {"every atom character", "<!#$%&'*+-/=?^_`{|}~@b.c>", false, MAIL_DOMAIN,
     "!#$%&'*+-/=?^_`{|}~@b.c", ""},
    {"null path", "<> BODY=8BITMIME", false, MAIL_NULL, "", " BODY=8BITMIME"},
    {"quoted", "<\"a b\"@b.c>", false, MAIL_DOMAIN, "\"a b\"@b.c", ""},
    {"quoted bracket and at", "<\"a>@b\"@b.c>", false, MAIL_DOMAIN, "\"a>@b\"@b.c", ""},
    {"quoted pair", "<\"a\\\"\\\\\"@b.c>", false, MAIL_DOMAIN, "\"a\\\"\\\\\"@b.c", ""},
    {"empty quoted", "<\"\"@b.c>", false, MAIL_DOMAIN, "\"\"@b.c", ""},
    {"source route dropped", "<@one.example,@two.example:a@b.c>", false, MAIL_DOMAIN, "a@b.c", ""},
    {"source route of one", "<@one.example:a@[1.2.3.4]>", false, MAIL_LITERAL, "a@[1.2.3.4]", ""},
    {"one label", "<a@org>", false, MAIL_DOMAIN, "a@org", ""},
    {"IPv4 literal", "<a@[192.0.2.1]>", false, MAIL_LITERAL, "a@[192.0.2.1]", ""},
    {"IPv6 literal", "<a@[IPv6:2001:db8::1]>", false, MAIL_LITERAL, "a@[IPv6:2001:db8::1]", ""},
    {"IPv6 tag without case", "<a@[ipv6:::1]>", false, MAIL_LITERAL, "a@[ipv6:::1]", ""},
    {"IPv6 with IPv4", "<a@[IPv6:::ffff:1.2.3.4]>", false, MAIL_LITERAL, "a@[IPv6:::ffff:1.2.3.4]",
     ""},
    {"IPv6 all zero", "<a@[IPv6:::]>", false, MAIL_LITERAL, "a@[IPv6:::]", ""},
    {"IPv6 ends in colons", "<a@[IPv6:2001:db8::]>", false, MAIL_LITERAL, "a@[IPv6:2001:db8::]",
     ""},
    {"postmaster", "<Postmaster>", false, MAIL_BARE, "Postmaster", ""},
    {"postmaster shouting", "<POSTMASTER>x", false, MAIL_BARE, "POSTMASTER", "x"},
    {"local part of 64", "<" A60 "aaaa@b.c>", false, MAIL_DOMAIN, A60 "aaaa@b.c", ""},
    {"path of 256", "<" A60 "aaaa@" D63 "." D63 "." A60 "a>", false, MAIL_DOMAIN,
     A60 "aaaa@" D63 "." D63 "." A60 "a", ""},
    {"UTF-8 local part", "<\xc3\xa9@b.c>", true, MAIL_DOMAIN, "\xc3\xa9@b.c", ""},
    {"UTF-8 in quotes", "<\"\xc3\xa9 \xf0\x9f\x98\x80\"@b.c>", true, MAIL_DOMAIN,
     "\"\xc3\xa9 \xf0\x9f\x98\x80\"@b.c", ""},
    {"U-label",
     "<a@b\xc3\xbc"
     "cher.example>",
     true, MAIL_DOMAIN, "a@xn--bcher-kva.example", ""},

    {"nothing", "", false, -1, NULL, NULL},
    {"open bracket only", "<", false, -1, NULL, NULL},
    {"no brackets", "a@b.c", false, -1, NULL, NULL},
    {"blank before", " <a@b.c>", false, -1, NULL, NULL},
    {"blank inside", "< a@b.c>", false, -1, NULL, NULL},
    {"blank before end", "<a@b.c >", false, -1, NULL, NULL},
    {"not closed", "<a@b.c", false, -1, NULL, NULL},
    {"no local part", "<@b.c>", false, -1, NULL, NULL},
    {"no domain", "<a@>", false, -1, NULL, NULL},
    {"no at", "<someone>", false, -1, NULL, NULL},
    {"postmaster in quotes", "<\"postmaster\">", false, -1, NULL, NULL},
    {"two at", "<a@b@c>", false, -1, NULL, NULL},
    {"two dots", "<a..b@b.c>", false, -1, NULL, NULL},
    {"dot first", "<.a@b.c>", false, -1, NULL, NULL},
    {"dot last", "<a.@b.c>", false, -1, NULL, NULL},
    {"quotes in the middle", "<a\"b\"@b.c>", false, -1, NULL, NULL},
    {"word behind quotes", "<\"a\"b@b.c>", false, -1, NULL, NULL},
    {"quotes not closed", "<\"a@b.c>", false, -1, NULL, NULL},
    {"backslash last", "<\"a\\", false, -1, NULL, NULL},
    {"backslash hides quote", "<\"a\\\"@b.c>", false, -1, NULL, NULL},
    {"tab in quotes", "<\"a\tb\"@b.c>", false, -1, NULL, NULL},
    {"line feed in quotes", "<\"a\nb\"@b.c>", false, -1, NULL, NULL},
    {"carriage return as pair", "<\"a\\\rb\"@b.c>", false, -1, NULL, NULL},
    {"delete in quotes", "<\"a\x7f\"@b.c>", false, -1, NULL, NULL},
    {"shell characters", "<a;b@b.c>", false, -1, NULL, NULL},
    {"comment", "<a(c)@b.c>", false, -1, NULL, NULL},
    {"dot behind domain", "<a@b.c.>", false, -1, NULL, NULL},
    {"dot as domain", "<a@.>", false, -1, NULL, NULL},
    {"dot before domain", "<a@.b.c>", false, -1, NULL, NULL},
    {"two dots in domain", "<a@b..c>", false, -1, NULL, NULL},
    {"hyphen first", "<a@-b.c>", false, -1, NULL, NULL},
    {"hyphen last", "<a@b-.c>", false, -1, NULL, NULL},
    {"underscore", "<a@b_b.c>", false, -1, NULL, NULL},
    {"label of 64", "<a@" D63 "a.c>", false, -1, NULL, NULL},
    {"local part of 65", "<" A60 "aaaaa@b.c>", false, -1, NULL, NULL},
    {"path of 257", "<" A60 "aaaa@" D63 "." D63 "." A60 "aa>", false, -1, NULL, NULL},
    {"route makes it too long", "<@" D63 ".x:" A60 "@" D63 "." D63 "." A10 ">", false, -1, NULL,
     NULL},
    {"route without colon", "<@b.c,a@b.c>", false, -1, NULL, NULL},
    {"route ends", "<@b.c", false, -1, NULL, NULL},
    {"route without names", "<@:a@b.c>", false, -1, NULL, NULL},
    {"route only", "<@b.c:>", false, -1, NULL, NULL},
    {"route with a literal", "<@[1.2.3.4]:a@b.c>", false, -1, NULL, NULL},
    {"IPv4 of three", "<a@[1.2.3]>", false, -1, NULL, NULL},
    {"IPv4 of five", "<a@[1.2.3.4.5]>", false, -1, NULL, NULL},
    {"IPv4 over 255", "<a@[1.2.3.256]>", false, -1, NULL, NULL},
    {"IPv4 of four digits", "<a@[1.2.3.0004]>", false, -1, NULL, NULL},
    {"IPv4 with a sign", "<a@[1.2.3.+4]>", false, -1, NULL, NULL},
    {"literal empty", "<a@[]>", false, -1, NULL, NULL},
    {"literal not closed", "<a@[1.2.3.4>", false, -1, NULL, NULL},
    {"literal and more", "<a@[1.2.3.4]b>", false, -1, NULL, NULL},
    {"IPv6 without tag", "<a@[2001:db8::1]>", false, -1, NULL, NULL},
    {"IPv6 empty", "<a@[IPv6:]>", false, -1, NULL, NULL},
    {"IPv6 of seven", "<a@[IPv6:1:2:3:4:5:6:7]>", false, -1, NULL, NULL},
    {"IPv6 of nine", "<a@[IPv6:1:2:3:4:5:6:7:8:9]>", false, -1, NULL, NULL},
    {"IPv6 five digits", "<a@[IPv6:12345::1]>", false, -1, NULL, NULL},
    {"IPv6 twice shortened", "<a@[IPv6:1::2::3]>", false, -1, NULL, NULL},
    {"IPv6 three colons", "<a@[IPv6:1:::2]>", false, -1, NULL, NULL},
    {"IPv6 colon last", "<a@[IPv6:1::2:]>", false, -1, NULL, NULL},
    {"IPv6 with a zone", "<a@[IPv6:fe80::1%eth0]>", false, -1, NULL, NULL},
    {"IPv6 with IPv4 first", "<a@[IPv6:1.2.3.4::1]>", false, -1, NULL, NULL},
    {"other tag", "<a@[X-tag:value]>", false, -1, NULL, NULL},
    {"UTF-8 not offered", "<\xc3\xa9@b.c>", false, -1, NULL, NULL},
    {"U-label not offered",
     "<a@b\xc3\xbc"
     "cher.example>",
     false, -1, NULL, NULL},
    {"UTF-8 cut off", "<\xc3@b.c>", true, -1, NULL, NULL},
    {"UTF-8 overlong", "<\xc0\xaf@b.c>", true, -1, NULL, NULL},
    {"UTF-8 surrogate", "<\xed\xa0\x80@b.c>", true, -1, NULL, NULL},
    {"UTF-8 as quoted pair", "<\"\\\xc3\xa9\"@b.c>", true, -1, NULL, NULL},
    {"UTF-8 domain not valid", "<a@\xff.c>", true, -1, NULL, NULL},
    {"U-label mapping to a slash", "<a@\xe2\x84\x80.c>", true, -1, NULL, NULL},
};

static void assert_span(struct span s, const char *want)
{
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.at ? s.at : "", want, s.len);
}

static void path_run(void **state)
{
    const struct path_case *c = *state;
    struct arena a = ARENA(1024);
    struct mail_address m;
    struct span in = span_str(c->in);
    bool ok = mail_path_parse(&m, &in, c->utf8, &a);
    assert_int_equal(ok, c->kind >= 0);
    assert_span(in, ok ? c->left : c->in);
    if (ok) {
        assert_int_equal(m.kind, (enum mail_domain_kind)c->kind);
        assert_span(m.text, c->text);
        struct mail_address again; // and the way back
        assert_true(mail_address_parse(&again, m.text, c->utf8, &a));
        assert_int_equal(again.kind, m.kind);
        assert_span(again.text, c->text);
    }
    arena_free(&a);
}

static void parts_are_told_apart(void **state)
{
    (void)state;
    struct arena a = ARENA(1024);
    struct mail_address m;
    assert_true(mail_address_parse(&m, SPAN("a.b@EXAMPLE.org"), false, &a));
    assert_span(m.local, "a.b");
    assert_span(dns_name_span(&m.domain), "example.org");
    assert_int_equal(m.literal.len, 0);
    assert_true(mail_address_parse(&m, SPAN("a@[IPv6:::1]"), false, &a));
    assert_span(m.local, "a");
    assert_span(m.literal, "IPv6:::1");
    assert_int_equal(m.domain.len, 0);
    arena_free(&a);
}

static void an_address_alone_has_no_brackets_and_no_rest(void **state)
{
    (void)state;
    struct arena a = ARENA(4096);
    struct mail_address m;
    const char *bad[] = {"<a@b.c>", "a@b.c ", "a@b.c>", " a@b.c", "a@b.c,d@b.c", "@x:a@b.c", "a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(mail_address_parse(&m, span_str(bad[i]), false, &a));
    assert_false(mail_address_parse(&m, (struct span){"a\0@b.c", 6}, false, &a));
    assert_false(mail_address_parse(&m, (struct span){"a@b\0.c", 6}, false, &a));
    assert_false(mail_address_parse(&m, (struct span){"\"\0\"@b.c", 7}, false, &a));
    arena_free(&a);
}

static void a_full_arena_is_no_address(void **state)
{
    (void)state;
    struct arena a = ARENA(8);
    struct mail_address m;
    struct span in = SPAN("<abcdef@example.org>");
    assert_false(mail_path_parse(&m, &in, false, &a));
    assert_int_equal(in.len, 20);
    in = SPAN("<postmaster>");
    assert_false(mail_path_parse(&m, &in, false, &a));
    arena_free(&a);
}

static void spans_live_in_the_arena(void **state)
{
    (void)state;
    struct arena a = ARENA(1024);
    struct mail_address m;
    char text[] = "abc@b.c";
    assert_true(mail_address_parse(&m, span_str(text), false, &a));
    text[0] = 'x';
    assert_span(m.text, "abc@b.c");
    arena_free(&a);
}

// address-isemail: its categories up to RFC5321 are what the envelope may hold;
// those above it (comments, folding, obsolete forms, RFC 5322 only) are not.
static bool vector_wanted(const char *category)
{
    return strcmp(category, "ISEMAIL_VALID_CATEGORY") == 0 ||
           strcmp(category, "ISEMAIL_DNSWARN") == 0 || strcmp(category, "ISEMAIL_RFC5321") == 0;
}

// The text of an element within one test; entities and U+2400 + n undone.
static bool element(const char *from, const char *to, const char *name, struct buf *out)
{
    static const char *const entities[][2] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&quot;", "\""}};
    char tag[64];
    snprintf(tag, sizeof tag, "<%s>", name);
    const char *p = strstr(from, tag);
    buf_clear(out);
    if (!p || p > to)
        return false;
    for (p += strlen(tag); *p && *p != '<';) {
        unsigned n = 0;
        int used = 0;
        if (sscanf(p, "&#x%x;%n", &n, &used) == 1 && used) {
            if (n >= 0x2400)
                buf_putc(out, (char)(n - 0x2400));
            else
                buf_printf(out, "%c%c", 0xc0 | (int)(n >> 6), 0x80 | (int)(n & 0x3f));
            p += used;
            continue;
        }
        bool entity = false;
        for (size_t i = 0; i < 3 && !entity; i++)
            if (strncmp(p, entities[i][0], strlen(entities[i][0])) == 0) {
                buf_put(out, span_str(entities[i][1]));
                p += strlen(entities[i][0]);
                entity = true;
            }
        if (!entity)
            buf_putc(out, *p++);
    }
    return true;
}

static char *vectors_read(void)
{
    const char *folder = getenv("GELEIT_VECTORS");
    char path[4096];
    snprintf(path, sizeof path, "%s/address-isemail/tests.xml", folder ? folder : "");
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *text = calloc(1, 1 << 20);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void isemail_agrees(void **state)
{
    (void)state;
    char *text = vectors_read();
    if (!text)
        skip();
    unsigned tests = 0, agreed = 0;
    CLEANUP(buf_free) struct buf address = BUF(4096);
    CLEANUP(buf_free) struct buf category = BUF(256);
    for (char *p = strstr(text, "<test id="), *end; p; p = strstr(end, "<test id=")) {
        end = strstr(p, "</test>");
        element(p, end, "address", &address);
        assert_true(element(p, end, "category", &category));
        struct arena a = ARENA(1024);
        struct mail_address m;
        // Its first address is empty: not one to this test, the null path to us.
        bool ok = address.len && mail_address_parse(&m, buf_span(&address), false, &a);
        tests++;
        agreed += ok == vector_wanted(buf_str(&category));
        if (ok != vector_wanted(buf_str(&category)))
            print_message("# isemail: %.*s is %s\n", SPAN_FMT(buf_span(&address)),
                          buf_str(&category));
        arena_free(&a);
    }
    free(text);
    print_message("# isemail: %u of %u agree\n", agreed, tests);
    assert_int_equal(tests, 164);
    assert_int_equal(agreed, tests);
}

int main(void)
{
    enum { ROWS = sizeof paths / sizeof *paths };
    const struct CMUnitTest single[] = {
        cmocka_unit_test(parts_are_told_apart),
        cmocka_unit_test(an_address_alone_has_no_brackets_and_no_rest),
        cmocka_unit_test(a_full_arena_is_no_address),
        cmocka_unit_test(spans_live_in_the_arena),
        cmocka_unit_test(isemail_agrees),
    };
    enum { SINGLE = sizeof single / sizeof *single };
    struct CMUnitTest tests[ROWS + SINGLE];
    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){paths[i].name, path_run, NULL, NULL, (void *)&paths[i]};
    for (size_t i = 0; i < SINGLE; i++)
        tests[ROWS + i] = single[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
