// MTA-STS record, policy file, matching, byte forms, and which policy is in
// force: RFC 8461 and the MTA-STS list of TRAPS. TLS-RPT's record beside it.
#include "trust_zone.h"
#include "trust_tlsrpt.h"

#include <string.h>

static struct dns_answer txt_answer(struct dns_record *records, size_t n)
{
    return (struct dns_answer){
        .standing = DNS_INSECURE, .presence = DNS_DATA, .count = n, .records = records};
}

struct record_case {
    const char *name, *first, *second;
    const char *want; // id; NULL: none
};

static const struct record_case records[] = {
    {"record: the RFC's example", "v=STSv1; id=20160831085700Z;", NULL, "20160831085700Z"},
    {"record: without the last semicolon", "v=STSv1;id=a", NULL, "a"},
    {"record: tabs and spaces", "v=STSv1;\t id=a \t; x=1 ;  ", NULL, "a"},
    {"record: id behind an extension", "v=STSv1; ext=1; id=a;", NULL, "a"},
    {"record: the first id counts", "v=STSv1; id=a; id=b;", NULL, "a"},
    {"record: 32 characters", "v=STSv1; id=12345678901234567890123456789012;", NULL,
     "12345678901234567890123456789012"},
    {"record: 33 characters", "v=STSv1; id=123456789012345678901234567890123;", NULL, NULL},
    {"record: others beside it are ignored", "v=spf1 -all", "v=STSv1; id=a;", "a"},
    {"record: another version beside it", "v=STSv2; id=b;", "v=STSv1; id=a;", "a"},
    {"record: two of them are none", "v=STSv1; id=a;", "v=STSv1; id=a;", NULL},
    {"record: two of them, one malformed, are none", "v=STSv1; id=a;", "v=STSv1; nonsense", NULL},
    {"record: space before the semicolon does not begin v=STSv1;", "v=STSv1 ; id=a;", NULL, NULL},
    {"record: lower-case version", "v=stsv1; id=a;", NULL, NULL},
    {"record: upper-case ID is an extension", "v=STSv1; ID=a;", NULL, NULL},
    {"record: no id", "v=STSv1;", NULL, NULL},
    {"record: empty id", "v=STSv1; id=;", NULL, NULL},
    {"record: id with a hyphen", "v=STSv1; id=a-b;", NULL, NULL},
    {"record: id first, version second", "id=a; v=STSv1;", NULL, NULL},
    {"record: an empty field inside", "v=STSv1;; id=a", NULL, NULL},
    {"record: an extension without a value", "v=STSv1; id=a; x", NULL, NULL},
    {"record: an extension of 33 characters", "v=STSv1; id=a; a12345678901234567890123456789012=1",
     NULL, NULL},
    {"record: empty text", "", NULL, NULL},
    {"record: white space in an extension's value", "v=STSv1; id=a; x=1 2", NULL, NULL},
    {"record: not ASCII", "v=STSv1; id=a; x=\xc3\xa4", NULL, NULL},
};

static void record_case(void **state)
{
    const struct record_case *c = *state;
    struct dns_record r[2] = {{.data = span_str(c->first)}, {.data = span_str(c->second)}};
    struct dns_answer a = txt_answer(r, c->second ? 2 : 1);
    char id[STS_ID_MAX + 1];
    assert_int_equal(trust_sts_record(&a, id), c->want != NULL);
    assert_string_equal(id, c->want ? c->want : "");
}

struct policy_case {
    const char *name, *file;
    const char *want; // "mode max_age pattern …", or "!" and a word of what is wrong
};

#define GOOD                                                                                       \
    "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: "    \
    "604800\r\n"
static const struct policy_case policies[] = {
    {"policy: the RFC's example", GOOD, "enforce 604800 mail.example.com *.example.net"},
    {"policy: LF", "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1\n",
     "testing 1 a.example"},
    {"policy: without the last line end",
     "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1", "testing 1 a.example"},
    {"policy: version need not come first",
     "mode: testing\nmx: a.example\nmax_age: 1\nversion: STSv1\n", "testing 1 a.example"},
    {"policy: no blanks, many blanks, tabs",
     "version:STSv1\nmode:\t enforce \t\nmx:a.example  \nmax_age:1", "enforce 1 a.example"},
    {"policy: blank lines hurt nobody",
     "version: STSv1\r\n\r\nmode: enforce\nmx: a.example\nmax_age: 1\r\n\r\n",
     "enforce 1 a.example"},
    {"policy: unknown keys are ignored",
     "version: STSv1\nmode: enforce\nfuture: a b  c\nmx: a.example\nmax_age: 1\n",
     "enforce 1 a.example"},
    {"policy: UTF-8 in an unknown key",
     "version: STSv1\nmode: enforce\nnote: gr\xc3\xbc\xc3\x9f\nmx: a.example\nmax_age: 1\n",
     "enforce 1 a.example"},
    {"policy: the first of two modes counts",
     "version: STSv1\nmode: enforce\nmode: none\nmx: a.example\nmax_age: 1\n",
     "enforce 1 a.example"},
    {"policy: a bad second max_age is ignored",
     "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\nmax_age: x\n",
     "enforce 1 a.example"},
    {"policy: mode none without mx", "version: STSv1\nmode: none\nmax_age: 0\n", "none 0"},
    {"policy: the longest max_age", "version: STSv1\nmode: none\nmax_age: 31557600\n",
     "none 31557600"},
    {"policy: beyond it is the longest", "version: STSv1\nmode: none\nmax_age: 9999999999\n",
     "none 31557600"},
    {"policy: leading zeros", "version: STSv1\nmode: none\nmax_age: 0000000007\n", "none 7"},
    {"policy: U-label is its A-label (TRAPS MTA-STS 5)",
     "version: STSv1\nmode: enforce\nmx: *.b\xc3\xbc"
     "cher.example\nmax_age: 1\n",
     "enforce 1 *.xn--bcher-kva.example"},
    {"policy: upper case", "version: STSv1\nmode: enforce\nmx: MX.Example.COM\nmax_age: 1\n",
     "enforce 1 mx.example.com"},
    {"policy: IPv4 address (TRAPS MTA-STS 4)",
     "version: STSv1\nmode: enforce\nmx: 192.0.2.1\nmax_age: 1\n", "!pattern"},
    {"policy: IPv6 address", "version: STSv1\nmode: enforce\nmx: 2001:db8::1\nmax_age: 1\n",
     "!pattern"},
    {"policy: address literal", "version: STSv1\nmode: enforce\nmx: [192.0.2.1]\nmax_age: 1\n",
     "!pattern"},
    {"policy: star alone", "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n", "!pattern"},
    {"policy: star and dot alone", "version: STSv1\nmode: enforce\nmx: *.\nmax_age: 1\n",
     "!pattern"},
    {"policy: two stars", "version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1\n",
     "!pattern"},
    {"policy: star inside a label", "version: STSv1\nmode: enforce\nmx: mx*.example\nmax_age: 1\n",
     "!pattern"},
    {"policy: a dot before the domain",
     "version: STSv1\nmode: enforce\nmx: .example.com\nmax_age: 1\n", "!pattern"},
    {"policy: two hosts on a line",
     "version: STSv1\nmode: enforce\nmx: a.example, b.example\nmax_age: 1\n", "!pattern"},
    {"policy: the root", "version: STSv1\nmode: enforce\nmx: .\nmax_age: 1\n", "!pattern"},
    {"policy: enforce without mx (TRAPS MTA-STS 4)", "version: STSv1\nmode: enforce\nmax_age: 1\n",
     "!no mx"},
    {"policy: testing without mx", "version: STSv1\nmode: testing\nmax_age: 1\n", "!no mx"},
    {"policy: a misspelt key (TRAPS MTA-STS 4)",
     "version: STSv1\nmode: enforce\nmx: a.example\nmax-age: 1\n", "!no max_age"},
    {"policy: keys are case-sensitive",
     "version: STSv1\nMode: enforce\nmx: a.example\nmax_age: 1\n", "!no mode"},
    {"policy: values are case-sensitive",
     "version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1\n", "!none of"},
    {"policy: empty", "", "!no version"},
    {"policy: another version", "version: STSv2\nmode: none\nmax_age: 1\n", "!not STSv1"},
    {"policy: no version", "mode: none\nmax_age: 1\n", "!no version"},
    {"policy: negative max_age", "version: STSv1\nmode: none\nmax_age: -1\n", "!seconds"},
    {"policy: max_age with a unit", "version: STSv1\nmode: none\nmax_age: 1d\n", "!seconds"},
    {"policy: max_age of eleven digits", "version: STSv1\nmode: none\nmax_age: 00000000001\n",
     "!seconds"},
    {"policy: empty max_age", "version: STSv1\nmode: none\nmax_age:\n", "!empty"},
    {"policy: a line without a colon", "version: STSv1\nmode: none\nmax_age: 1\nhello\n",
     "!key: value"},
    {"policy: HTML", "<html><body>404</body></html>", "!key: value"},
    {"policy: a blank before the colon", "version : STSv1\nmode: none\nmax_age: 1\n",
     "!key: value"},
    {"policy: a control character", "version: STSv1\nmode: none\nmax_age: 1\nx: a\001b\n",
     "!control"},
    {"policy: CR inside a line", "version: STSv1\nmode: none\nmax_age: 1\nx: a\rmode: none\n",
     "!control"},
};

static void policy_case(void **state)
{
    const struct policy_case *c = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(4096);
    struct trust_sts_policy p;
    const char *wrong = trust_sts_parse(&p, span_str(c->file), &a);
    if (c->want[0] == '!') {
        assert_non_null(wrong);
        assert_non_null(strstr(wrong, c->want + 1));
        return;
    }
    assert_null(wrong);
    buf_printf(&b, "%s %u", trust_sts_mode_text(p.mode), p.max_age);
    for (size_t i = 0; i < p.count; i++)
        buf_printf(&b, " %s%s", p.mx[i].wildcard ? "*." : "", p.mx[i].name.text);
    assert_string_equal(buf_str(&b), c->want);
}

static void policy_nul_inside(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct trust_sts_policy p;
    assert_non_null(trust_sts_parse(&p, SPAN("version: STSv1\nmode: none\nmax_age: 1\0\n"), &a));
}

static void policy_limits(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct trust_sts_policy p;
    buf_put(&b, SPAN("version: STSv1\nmode: enforce\nmax_age: 1\n"));
    for (unsigned i = 0; i < STS_MX_MAX; i++)
        buf_printf(&b, "mx: h%u.example\n", i);
    assert_null(trust_sts_parse(&p, buf_span(&b), &a));
    assert_int_equal(p.count, STS_MX_MAX);
    for (unsigned i = 0; i < 2000; i++)
        buf_printf(&b, "mx: h%u.example\n", i);
    assert_non_null(strstr(trust_sts_parse(&p, buf_span(&b), &a), "more mx"));
    while (b.len <= STS_POLICY_MAX)
        buf_put(&b, SPAN("x: y\n"));
    assert_non_null(strstr(trust_sts_parse(&p, buf_span(&b), &a), "larger"));
    struct arena small = ARENA(64);
    assert_non_null(strstr(trust_sts_parse(&p, SPAN(GOOD), &small), "room"));
    arena_free(&small);
}

static void matching(void **state)
{
    static const struct {
        const char *pattern, *mx;
        bool want;
    } cases[] = {
        {"mx.example.com", "mx.example.com", true},
        {"mx.example.com", "mx2.example.com", false},
        {"mx.example.com", "a.mx.example.com", false},
        {"*.example.com", "mail.example.com", true},
        {"*.example.com", "example.com", false},
        {"*.example.com", "foo.bar.example.com", false},
        {"*.mx.microsoft", "x.h-v1.mx.microsoft", false},
        {"*.mx.microsoft", "contoso-com.mx.microsoft", true},
        {"*.example.com", "mailexample.com", false},
        {"*.com", "example.com", true},
        {"example.com", "com", false},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example", true},
        {"xn--bcher-kva.example",
         "b\xc3\xbc"
         "cher.example",
         true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
        CLEANUP(buf_free) struct buf b = BUF(4096);
        struct trust_sts_policy p;
        buf_printf(&b, "version: STSv1\nmode: enforce\nmax_age: 1\nmx: %s\n", cases[i].pattern);
        assert_null(trust_sts_parse(&p, buf_span(&b), &a));
        struct dns_name mx = name_of(cases[i].mx);
        assert_int_equal(trust_sts_match(&p, &mx), cases[i].want);
    }
}

struct rpt_case {
    const char *name, *first, *second;
    const char *want; // URIs with blanks between; "": none
};

static const struct rpt_case reports[] = {
    {"tlsrpt: mailto", "v=TLSRPTv1;rua=mailto:reports@example.com", NULL,
     "mailto:reports@example.com"},
    {"tlsrpt: https", "v=TLSRPTv1; rua=https://r.example/v1/tlsrpt?x=1", NULL,
     "https://r.example/v1/tlsrpt?x=1"},
    {"tlsrpt: both", "v=TLSRPTv1; rua=mailto:a@x.example , https://r.example/;", NULL,
     "mailto:a@x.example https://r.example/"},
    {"tlsrpt: unknown fields", "v=TLSRPTv1; x=1; rua=mailto:a@x.example; y=2", NULL,
     "mailto:a@x.example"},
    {"tlsrpt: the first rua counts", "v=TLSRPTv1; rua=mailto:a@x.example; rua=mailto:b@x.example",
     NULL, "mailto:a@x.example"},
    {"tlsrpt: other schemes are passed over", "v=TLSRPTv1; rua=ftp://x.example/,mailto:a@x.example",
     NULL, "mailto:a@x.example"},
    {"tlsrpt: http is not https", "v=TLSRPTv1; rua=http://x.example/", NULL, ""},
    {"tlsrpt: others beside it", "hello", "v=TLSRPTv1; rua=mailto:a@x.example",
     "mailto:a@x.example"},
    {"tlsrpt: two of them are none", "v=TLSRPTv1; rua=mailto:b@x.example",
     "v=TLSRPTv1; rua=mailto:a@x.example", ""},
    {"tlsrpt: no rua", "v=TLSRPTv1; x=1", NULL, ""},
    {"tlsrpt: empty list", "v=TLSRPTv1; rua=,, ,", NULL, ""},
    {"tlsrpt: blank in a URI", "v=TLSRPTv1; rua=mailto:x@x.example other", NULL, ""},
    {"tlsrpt: '!' must be encoded", "v=TLSRPTv1; rua=mailto:x@x.example!10m", NULL, ""},
    {"tlsrpt: a bad one among good ones",
     "v=TLSRPTv1; rua=mailto:x@x.example!10m, ,mailto:a@x.example,no uri,https://r.example/,", NULL,
     "mailto:a@x.example https://r.example/"},
    {"tlsrpt: twice the same", "v=TLSRPTv1; rua=mailto:a@x.example,mailto:a@x.example", NULL,
     "mailto:a@x.example"},
    {"tlsrpt: not ASCII", "v=TLSRPTv1; rua=mailto:\xc3\xa4@x.example", NULL, ""},
    {"tlsrpt: version alone", "v=TLSRPTv1", NULL, ""},
};

static void rpt_case(void **state)
{
    const struct rpt_case *c = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 16);
    CLEANUP(buf_free) struct buf b = BUF(4096);
    struct dns_record r[2] = {{.data = span_str(c->first)}, {.data = span_str(c->second)}};
    struct dns_answer answer = txt_answer(r, c->second ? 2 : 1);
    struct span *uris;
    size_t n = trust_tlsrpt_record(&answer, &a, &uris);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", SPAN_FMT(uris[i]));
    assert_string_equal(buf_str(&b), c->want);
}

static void huge_txt(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct span *uris;
    char id[STS_ID_MAX + 1];
    buf_put(&b, SPAN("v=TLSRPTv1; rua=mailto:a@x.example"));
    for (int i = 0; b.len < 60000; i++)
        buf_printf(&b, ",mailto:a%d@x.example", i);
    struct dns_record r = {.data = buf_span(&b)};
    struct dns_answer answer = txt_answer(&r, 1);
    assert_int_equal(trust_tlsrpt_record(&answer, &a, &uris), TLSRPT_URIS_MAX);
    b.len = 0;
    buf_put(&b, SPAN("v=STSv1; id=a"));
    while (b.len < 60000)
        buf_put(&b, SPAN(";x=1"));
    r.data = buf_span(&b);
    assert_true(trust_sts_record(&answer, id));
}

static void stored_form(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct trust_sts_stored s = {.id = "abc", .file = SPAN(GOOD), .fetched = {5}, .expires = {9}},
                            t;
    trust_sts_pack(&b, &s);
    struct rd r = RD(buf_span(&b));
    assert_true(trust_sts_unpack(&r, &t, &a) && rd_end(&r));
    assert_string_equal(t.id, "abc");
    assert_true(span_eq(t.file, s.file) && t.fetched.us == 5 && t.expires.us == 9);
    for (size_t n = 0; n < b.len; n++) { // cut short anywhere: no policy
        struct rd cut = RD(span_first(buf_span(&b), n));
        assert_false(trust_sts_unpack(&cut, &t, &a));
    }
    b.at[0] = 2; // a form of the future
    r = RD(buf_span(&b));
    assert_false(trust_sts_unpack(&r, &t, &a));
    b.at[0] = 1;
    b.at[5] = '\0'; // an id that is none
    r = RD(buf_span(&b));
    assert_false(trust_sts_unpack(&r, &t, &a));
}

static void fetched_form(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(1 << 20), long_detail = BUF(5000);
    while (long_detail.len < 3000)
        buf_putc(&long_detail, 'x');
    struct trust_fetched f = {TRUST_FETCH_WEBPKI, SPAN(""), buf_span(&long_detail)}, g;
    trust_fetched_pack(&b, &f);
    struct rd r = RD(buf_span(&b));
    assert_true(trust_fetched_unpack(&r, &g, &a) && rd_end(&r));
    assert_int_equal(g.result, TRUST_FETCH_WEBPKI);
    assert_int_equal(g.detail.len, 1024);
    for (size_t n = 0; n < b.len; n++) {
        struct rd cut = RD(span_first(buf_span(&b), n));
        assert_false(trust_fetched_unpack(&cut, &g, &a));
    }
}

// What others expect of the same texts, where the folder is there.
static void json_text(struct buf *b, struct span line)
{
    struct span s = span_skip(line, span_index(line, ':') + 3);
    for (size_t i = 0; i < s.len && s.at[i] != '"'; i++) {
        char c = s.at[i];
        if (c == '\\') {
            c = s.at[++i];
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
        buf_putc(b, c);
    }
}

static size_t vectors(const char *file, bool (*good)(struct span text))
{
    const char *folder = getenv("GELEIT_VECTORS");
    CLEANUP(buf_free) struct buf path = BUF(4096), input = BUF(1 << 16);
    char line[8192];
    size_t n = 0;
    buf_printf(&path, "%s/mox-tables/%s", folder ? folder : "", file);
    FILE *f = fopen(buf_str(&path), "r");
    if (!f)
        skip();
    while (fgets(line, sizeof line, f)) {
        struct span s = span_trim(span_str(line));
        if (span_starts(s, SPAN("\"input\""))) {
            buf_clear(&input);
            json_text(&input, s);
        } else if (span_starts(s, SPAN("\"expect\""))) {
            bool want = span_starts(s, SPAN("\"expect\": \"ok\""));
            if (good(buf_span(&input)) != want)
                print_error("%s: \"%.*s\"\n", file, SPAN_FMT(buf_span(&input)));
            assert_int_equal(good(buf_span(&input)), want);
            n++;
        }
    }
    fclose(f);
    return n;
}

static bool good_record(struct span text)
{
    struct dns_record r = {.data = text};
    struct dns_answer a = txt_answer(&r, 1);
    char id[STS_ID_MAX + 1];
    return trust_sts_record(&a, id);
}

static bool good_policy(struct span text)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct trust_sts_policy p;
    return !trust_sts_parse(&p, text, &a);
}

static bool good_tlsrpt(struct span text)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct dns_record r = {.data = text};
    struct dns_answer answer = txt_answer(&r, 1);
    struct span *uris;
    return trust_tlsrpt_record(&answer, &a, &uris) > 0;
}

static void vectors_record(void **state)
{
    (void)state;
    assert_true(vectors("mtasts_record.json", good_record) > 5);
}

static void vectors_policy(void **state)
{
    (void)state;
    assert_true(vectors("mtasts_policy.json", good_policy) > 5);
}

static void vectors_tlsrpt(void **state)
{
    (void)state;
    assert_true(vectors("tlsrpt_record.json", good_tlsrpt) > 5);
}

#define HOST              "example.org MX i 10 mx.example.net\nmx.example.net A i 192.0.2.1\n"
#define TXT               "_mta-sts.example.org TXT i v=STSv1; id=new;\n"
#define SAME              "_mta-sts.example.org TXT i v=STSv1; id=old;\n"
#define POLICY(mode, age) "version: STSv1\nmode: " mode "\nmx: mx.example.net\nmax_age: " age "\n"
#define ENFORCE           POLICY("enforce", "86400")
#define STS_HOST          "deliver mx.example.net=sts"
#define FREE_HOST         "deliver mx.example.net=opportunistic"

static void refresh(struct trust_request *r)
{
    r->sts_refresh = true;
}

static void short_ttl(const struct trust_plan *p)
{
    assert_in_range(p->ttl, 0, 60);
}

static void ttl_zero(const struct trust_plan *p)
{
    assert_int_equal(p->ttl, 0);
}

static void says_fetch(const struct trust_plan *p)
{
    static const char want[] = "The policy host could not be reached (detail).";
    assert_true(span_eq(p->sts.error, span_str(want)));
}

static void says_invalid(const struct trust_plan *p)
{
    assert_non_null(strstr(p->sts.error.at, "no mx"));
}

static void two_uris(const struct trust_plan *p)
{
    assert_int_equal(p->tlsrpt_count, 2);
    assert_true(span_eq(p->tlsrpt[1], SPAN("https://r.example/")));
}

static void has_no_hosts(const struct trust_plan *p)
{
    assert_int_equal(p->host_count, 0);
    assert_int_equal(p->decision, TRUST_DEFER);
    assert_false(p->mx_asked);
}

static const struct scene scenes[] = {
    {"keeper: nothing", HOST, FREE_HOST, "absent"},
    {"keeper: fetched for the first time", HOST TXT, STS_HOST, "enforce/fetched new",
     .fetch = ENFORCE, .saved = "new"},
    {"keeper: same id, unexpired: no fetch", HOST SAME, STS_HOST, "enforce/cache old",
     .stored = ENFORCE},
    {"keeper: same id, expired: fetched again", HOST SAME, STS_HOST, "enforce/fetched old",
     .stored = ENFORCE, .stored_left = -1, .fetch = ENFORCE, .saved = "old"},
    {"keeper: changed id: fetched at once", HOST TXT, FREE_HOST, "testing/fetched new",
     .stored = ENFORCE, .fetch = POLICY("testing", "1000"), .saved = "new"},
    {"keeper 1: changed id, failed fetch: last good stays", HOST TXT, STS_HOST,
     "enforce/last-good old sts-policy-fetch-error", .stored = ENFORCE, .fetch = "!2",
     .look = says_fetch},
    {"keeper 1: changed id, bad certificate: last good stays", HOST TXT, STS_HOST,
     "enforce/last-good old sts-webpki-invalid", .stored = ENFORCE, .fetch = "!3"},
    {"keeper 1: changed id, invalid file: last good stays", HOST TXT, STS_HOST,
     "enforce/last-good old sts-policy-invalid", .stored = ENFORCE,
     .fetch = "version: STSv1\nmode: enforce\nmax_age: 1\n", .look = says_invalid},
    {"keeper 1: but not beyond its expiry", HOST TXT, FREE_HOST, "error sts-policy-fetch-error",
     .stored = ENFORCE, .stored_left = -1, .fetch = "!2"},
    {"keeper: last good of mode none is not reported", HOST TXT, FREE_HOST, "none/last-good old",
     .stored = POLICY("none", "86400"), .fetch = "!2"},
    {"keeper: a vanished record does not end a policy", HOST, STS_HOST, "enforce/cache old",
     .stored = ENFORCE},
    {"keeper: a malformed record does not", HOST "_mta-sts.example.org TXT i v=STSv1; id=-;\n",
     STS_HOST, "enforce/cache old", .stored = ENFORCE},
    {"keeper: two records do not", HOST TXT SAME, STS_HOST, "enforce/cache old", .stored = ENFORCE},
    {"keeper: a vanished record and an expired policy", HOST, FREE_HOST, "absent",
     .stored = ENFORCE, .stored_left = -1},
    {"keeper 7: failed TXT lookup keeps the policy", HOST "_mta-sts.example.org TXT x\n", STS_HOST,
     "enforce/cache old sts-policy-fetch-error", .stored = ENFORCE},
    {"keeper 7: bogus TXT keeps the policy", HOST "_mta-sts.example.org TXT b\n", STS_HOST,
     "enforce/cache old sts-policy-fetch-error", .stored = ENFORCE},
    {"keeper 7: failed TXT lookup without one: proceeds, counts, says",
     HOST "_mta-sts.example.org TXT x\n", FREE_HOST, "error sts-policy-fetch-error"},
    {"keeper: first fetch: no address", HOST TXT, FREE_HOST, "error sts-policy-fetch-error",
     .fetch = "!1"},
    {"keeper: first fetch: not reachable", HOST TXT, FREE_HOST, "error sts-policy-fetch-error",
     .fetch = "!2", .look = says_fetch},
    {"keeper: first fetch: bad certificate", HOST TXT, FREE_HOST, "error sts-webpki-invalid",
     .fetch = "!3"},
    {"keeper: first fetch: redirect or 404", HOST TXT, FREE_HOST, "error sts-policy-fetch-error",
     .fetch = "!4"},
    {"keeper: first fetch: not text/plain", HOST TXT, FREE_HOST, "error sts-policy-fetch-error",
     .fetch = "!5"},
    {"keeper: first fetch: too large", HOST TXT, FREE_HOST, "error sts-policy-fetch-error",
     .fetch = "!6"},
    {"keeper 4: first fetch: invalid, no stuck mail", HOST TXT, FREE_HOST,
     "error sts-policy-invalid",
     .fetch = "version: STSv1\nmode: enforce\nmx: 192.0.2.1\nmax_age: 1\n"},
    {"keeper: max_age 0 holds for this delivery", HOST TXT, STS_HOST, "enforce/fetched new",
     .fetch = POLICY("enforce", "0"), .saved = "new", .look = ttl_zero},
    {"keeper: a stored file that is none counts as none", HOST, FREE_HOST, "absent",
     .stored = "nonsense"},
    {"keeper: a stored file that is none, same id: fetched", HOST SAME, STS_HOST,
     "enforce/fetched old", .stored = "nonsense", .fetch = ENFORCE, .saved = "old"},
    {"keeper: the plan does not outlive the policy", HOST, STS_HOST, "enforce/cache old",
     .stored = ENFORCE, .stored_left = 60, .look = short_ttl},
    {"keeper: an alias of the record is followed",
     HOST "_mta-sts.example.org TXT i =_mta-sts.provider.example v=STSv1; id=new;\n", STS_HOST,
     "enforce/fetched new", .fetch = ENFORCE, .saved = "new"},
    {"keeper: policies of failing domains are learnt, too", "example.org MX s 0 .\n" TXT,
     "fail 5.1.10", "enforce/fetched new", .fetch = ENFORCE, .saved = "new"},
    {"refresh: same id is fetched", HOST SAME, "defer 4.4.0", "enforce/fetched old",
     .stored = ENFORCE, .fetch = ENFORCE, .saved = "old", .change = refresh, .look = has_no_hosts},
    {"refresh: fails, the policy stays", HOST SAME, "defer 4.4.0",
     "enforce/last-good old sts-policy-fetch-error", .stored = ENFORCE, .fetch = "!2",
     .change = refresh, .look = has_no_hosts},
    {"refresh: vanished record", HOST, "defer 4.4.0", "enforce/cache old", .stored = ENFORCE,
     .change = refresh, .look = has_no_hosts},
    {"tlsrpt: in the plan",
     HOST "_smtp._tls.example.org TXT i v=TLSRPTv1; rua=mailto:a@x.example,https://r.example/\n",
     FREE_HOST, "absent", .look = two_uris},
};

int main(void)
{
    static const struct CMUnitTest fixed[] = {
        cmocka_unit_test(policy_nul_inside), cmocka_unit_test(policy_limits),
        cmocka_unit_test(matching),          cmocka_unit_test(huge_txt),
        cmocka_unit_test(stored_form),       cmocka_unit_test(fetched_form),
        cmocka_unit_test(vectors_record),    cmocka_unit_test(vectors_policy),
        cmocka_unit_test(vectors_tlsrpt),
    };
    struct CMUnitTest more[200];
    size_t n = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        more[n++] = fixed[i];
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        more[n++] =
            (struct CMUnitTest){records[i].name, record_case, NULL, NULL, (void *)&records[i]};
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        more[n++] =
            (struct CMUnitTest){policies[i].name, policy_case, NULL, NULL, (void *)&policies[i]};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        more[n++] = (struct CMUnitTest){reports[i].name, rpt_case, NULL, NULL, (void *)&reports[i]};
    return scenes_run(scenes, sizeof scenes / sizeof *scenes, more, n, "trust_sts");
}
