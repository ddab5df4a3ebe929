// Zone files: what is read from them, what they answer, what they are refused for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base_code.h"
#include "base_rc.h"
#include "dns_zone.h"

static void put_record(struct buf *b, enum dns_type type, const struct dns_record *r)
{
    if (type == DNS_MX)
        buf_printf(b, "%u ", r->preference);
    if (type == DNS_TLSA)
        buf_printf(b, "%u %u %u ", r->usage, r->selector, r->matching);
    if (type == DNS_A || type == DNS_AAAA)
        dns_address_put(b, &r->address);
    else if (type == DNS_TLSA)
        code_put_hex(b, r->data);
    else if (type == DNS_TXT)
        buf_put(b, r->data);
    else
        buf_put(b, r->name.len ? dns_name_span(&r->name) : SPAN("."));
}

// "ttl expanded: record | record", or what there is instead.
static void put_answer(struct buf *b, const struct dns_question *q, const struct dns_answer *a)
{
    static const char *const words[] = {"none", "nodata", "nxdomain"};
    if (a->presence != DNS_DATA) {
        buf_printf(b, "%s", words[a->presence]);
        return;
    }
    buf_printf(b, "%u", a->ttl);
    if (a->aliased)
        buf_printf(b, " %s", a->expanded.text);
    for (size_t i = 0; i < a->count; i++) {
        buf_put(b, i ? SPAN(" | ") : SPAN(": "));
        put_record(b, q->type, &a->records[i]);
    }
}

struct row {
    const char *name;
    const char *zone, *owner;
    enum dns_type type;
    const char *answer;
};
#define BASE "$ORIGIN example.org.\n$TTL 60\n"
static const struct row rows[] = {
    {"a record", "example.org. 300 IN A 192.0.2.1\n", "example.org", DNS_A, "300: 192.0.2.1"},
    {"no line end at the end", "a. 3 A 192.0.2.1", "a", DNS_A, "3: 192.0.2.1"},
    {"CRLF", "a. 3 A 192.0.2.1\r\nb. 3 A 192.0.2.2\r\n", "b", DNS_A, "3: 192.0.2.2"},
    {"class before time", "a. IN 3 A 192.0.2.1\n", "a", DNS_A, "3: 192.0.2.1"},
    {"neither class nor time", "a. A 192.0.2.1\n", "a", DNS_A, "3600: 192.0.2.1"},
    {"time of the record before", "a. 9 A 192.0.2.1\nb. A 192.0.2.1\n", "b", DNS_A, "9: 192.0.2.1"},
    {"$TTL", "$TTL 1h30m\na. A 192.0.2.1\n", "a", DNS_A, "5400: 192.0.2.1"},
    {"a time of its own over $TTL", "$TTL 60\na. 2d A 192.0.2.1\n", "a", DNS_A,
     "172800: 192.0.2.1"},
    {"relative name", BASE "www A 192.0.2.1\n", "www.example.org", DNS_A, "60: 192.0.2.1"},
    {"no $ORIGIN: relative to the root", "a.example A 192.0.2.1\n", "a.example", DNS_A,
     "3600: 192.0.2.1"},
    {"the origin itself", BASE "@ A 192.0.2.1\n", "example.org", DNS_A, "60: 192.0.2.1"},
    {"$ORIGIN relative to $ORIGIN", BASE "$ORIGIN sub\nw A 192.0.2.1\n", "w.sub.example.org", DNS_A,
     "60: 192.0.2.1"},
    {"the owner before", BASE "w A 192.0.2.1\n  AAAA 2001:db8::1\n", "w.example.org", DNS_AAAA,
     "60: 2001:db8::1"},
    {"the owner before, beyond blanks and comments",
     BASE "w A 192.0.2.1\n\n  ; so\n;and\n\tA 192.0.2.2\n", "w.example.org", DNS_A,
     "60: 192.0.2.1 | 192.0.2.2"},
    {"a comment that begins with a blank changes no owner", BASE "  ; so\nw A 192.0.2.1\n",
     "w.example.org", DNS_A, "60: 192.0.2.1"},
    {"letters of any case", "$origin Example.ORG.\nWWW in a 192.0.2.1\n", "www.example.org", DNS_A,
     "3600: 192.0.2.1"},
    {"an owner that no name here can be is passed over",
     BASE "My\\032Printer TXT \"x\"\n  A 192.0.2.9\nw A 192.0.2.1\n", "w.example.org", DNS_A,
     "60: 192.0.2.1"},
    {"MX in the file's order", BASE "@ MX 20 b\n@ MX 10 a.example.\n", "example.org", DNS_MX,
     "60: 20 b.example.org | 10 a.example"},
    {"null MX", BASE "@ MX 0 .\n", "example.org", DNS_MX, "60: 0 ."},
    {"NS and PTR", BASE "@ NS ns\n1 PTR host\n", "1.example.org", DNS_PTR, "60: host.example.org"},
    {"TLSA in pieces", BASE "_25._tcp.mx TLSA 3 1 1 ( 0a0B\n ff )\n", "_25._tcp.mx.example.org",
     DNS_TLSA, "60: 3 1 1 0a0bff"},
    {"TXT, quoted", BASE "@ TXT \"v=spf1 -all ; (so)\"\n", "example.org", DNS_TXT,
     "60: v=spf1 -all ; (so)"},
    {"TXT, several strings are one text", BASE "@ TXT \"v=spf1 \" \"-all\"\n", "example.org",
     DNS_TXT, "60: v=spf1 -all"},
    {"TXT, unquoted", BASE "@ TXT v=spf1 ; a comment\n", "example.org", DNS_TXT, "60: v=spf1"},
    {"TXT, quotes end a word", BASE "@ TXT a\"b\"c\n", "example.org", DNS_TXT, "60: abc"},
    {"TXT, empty", BASE "@ TXT \"\"\n", "example.org", DNS_TXT, "60: "},
    {"TXT, escapes", BASE "@ TXT \"a\\\"b\\\\c\\100\\;\"\n", "example.org", DNS_TXT,
     "60: a\"b\\cd;"},
    {"TXT, escapes without quotes", BASE "@ TXT a\\ b\\;c\\(\n", "example.org", DNS_TXT,
     "60: a b;c("},
    {"TXT over lines", BASE "@ TXT ( \"a\" ; one\n\n   \"b\"\n)\n", "example.org", DNS_TXT,
     "60: ab"},
    {"SOA over lines", BASE "@ SOA ns me\\.too ( 1 2h\n 3 4 5 )\n A 192.0.2.1\n", "example.org",
     DNS_A, "60: 192.0.2.1"},
    {"SOA makes a name exist", BASE "@ SOA ns me 1 2 3 4 5\n", "example.org", DNS_A, "nodata"},
    {"a type by number", BASE "@ TYPE731 \\# 1 00\n", "example.org", DNS_A, "nodata"},
    {"two zones in one file", BASE "@ A 192.0.2.1\n$ORIGIN example.net.\n@ A 192.0.2.2\n",
     "example.net", DNS_A, "60: 192.0.2.2"},
    {"no such name", BASE "@ A 192.0.2.1\n", "www.example.org", DNS_A, "nxdomain"},
    {"a name that only ends alike", BASE "@ A 192.0.2.1\n", "wexample.org", DNS_A, "nxdomain"},
    {"no such type", BASE "@ A 192.0.2.1\n", "example.org", DNS_MX, "nodata"},
    {"a name with others below it", BASE "a.b A 192.0.2.1\n", "b.example.org", DNS_A, "nodata"},
    {"the root", BASE "@ A 192.0.2.1\n", ".", DNS_A, "nodata"},
    {"an empty file", "", "example.org", DNS_A, "nxdomain"},
    {"a file of comments", "; nothing\n\n   \n", "example.org", DNS_A, "nxdomain"},
    {"wildcard", BASE "* A 192.0.2.1\n", "a.b.example.org", DNS_A, "60: 192.0.2.1"},
    {"wildcard, another type", BASE "* A 192.0.2.1\n", "a.example.org", DNS_TXT, "nodata"},
    {"wildcard, not for a name that is there", BASE "* A 192.0.2.1\nw TXT x\n", "w.example.org",
     DNS_A, "nodata"},
    {"wildcard, not for an empty name that is there", BASE "* A 192.0.2.1\na.w TXT x\n",
     "w.example.org", DNS_A, "nodata"},
    {"wildcard, not below a name that is there", BASE "* A 192.0.2.1\nw TXT x\n", "a.w.example.org",
     DNS_A, "nxdomain"},
    {"wildcard, asked for by its name", BASE "* A 192.0.2.1\n", "*.example.org", DNS_A,
     "60: 192.0.2.1"},
    {"wildcard in the middle is one, and empty (RFC 4592 4.2)", BASE "a.*.b A 192.0.2.1\n",
     "a.x.b.example.org", DNS_A, "nodata"},
    {"CNAME", BASE "w 30 CNAME v\nv A 192.0.2.1\n", "w.example.org", DNS_A,
     "30 v.example.org: 192.0.2.1"},
    {"CNAME asked for", BASE "w CNAME v\n", "w.example.org", DNS_CNAME, "60: v.example.org"},
    {"CNAME by wildcard", BASE "* CNAME v\nv A 192.0.2.1\n", "w.example.org", DNS_A,
     "60 v.example.org: 192.0.2.1"},
    {"CNAME to a wildcard", BASE "w CNAME x.v\n*.v A 192.0.2.1\n", "w.example.org", DNS_A,
     "60 x.v.example.org: 192.0.2.1"},
    {"CNAME to nowhere", BASE "w CNAME v\n", "w.example.org", DNS_A, "nxdomain"},
    {"CNAME to another type", BASE "w CNAME v\nv TXT x\n", "w.example.org", DNS_A, "nodata"},
    {"CNAME to itself", BASE "w CNAME w\n", "w.example.org", DNS_A, "none"},
    {"CNAMEs in a circle", BASE "a CNAME b\nb CNAME a\n", "a.example.org", DNS_A, "none"},
    {"underscores", BASE "s._domainkey TXT v=DKIM1\n", "s._domainkey.example.org", DNS_TXT,
     "60: v=DKIM1"},
    {"U-labels", "müller.example. A 192.0.2.1\n", "xn--mller-kva.example", DNS_A,
     "3600: 192.0.2.1"},
    {"an escape in a name", "\\097.example. A 192.0.2.1\n", "a.example", DNS_A, "3600: 192.0.2.1"},
};

static void read_row(void **state)
{
    const struct row *row = *state;
    struct dns_zone_fault fault;
    CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
    CLEANUP(buf_free) struct buf b = BUF(100000);
    struct dns_question q = {.type = row->type};
    struct dns_answer answer;
    struct dns_zone *z = dns_zone_new(span_str(row->zone), &fault);
    if (!z)
        fail_msg("line %u: %s", fault.line, fault.text);
    assert_true(dns_name_parse(&q.name, span_str(row->owner)));
    dns_zone_answer(z, &q, &answer, &a);
    put_answer(&b, &q, &answer);
    assert_string_equal(buf_str(&b), row->answer);
    dns_zone_free(z);
}

struct wrong {
    const char *name, *zone;
    unsigned line;
    const char *text; // part of it
};
static const struct wrong wrongs[] = {
    {"no type", "a.\n", 1, "without a type"},
    {"no type behind the class", "a. IN\n", 1, "without a type"},
    {"unknown type", "\na. 3 IN TXTT x\n", 2, "'TXTT' is no type"},
    {"another class", "a. CH TXT x\n", 1, "'CH' is no type"},
    {"class twice", "a. IN IN A 192.0.2.1\n", 1, "'IN' is no type"},
    {"quoted type", "a. \"TXT\" x\n", 1, "is no type"},
    {"a known type by number", "a. TYPE16 \\# 1 00\n", 1, "is no type"},
    {"a number that is no type", "a. TYPE65536 x\n", 1, "is no type"},
    {"address of no kind", "a. A 192.0.2\n", 1, "A takes one IPv4 address"},
    {"address of the other kind", "a. AAAA 192.0.2.1\n", 1, "AAAA takes one IPv6 address"},
    {"two addresses", "a. A 192.0.2.1 192.0.2.2\n", 1, "one IPv4 address"},
    {"no address", "a. A\n", 1, "one IPv4 address"},
    {"MX without a name", "a. MX 10\n", 1, "MX takes"},
    {"MX without a preference", "a. MX b.\n", 1, "MX takes"},
    {"MX with too large a preference", "a. MX 65536 b.\n", 1, "MX takes"},
    {"two names", "a. CNAME b. c.\n", 1, "CNAME takes one name"},
    {"TXT without a string", "a. TXT\n", 1, "at least one string"},
    {"SOA without anything", "a. SOA\n", 1, "nothing behind"},
    {"TLSA without hex", "a. TLSA 3 1 1 xy\n", 1, "TLSA takes"},
    {"TLSA too short", "a. TLSA 3 1 1\n", 1, "TLSA takes"},
    {"TLSA with too large a number", "a. TLSA 3 1 256 00\n", 1, "TLSA takes"},
    {"escape too large", "a. TXT \"\\256\"\n", 1, "an escape"},
    {"escape too short", "a. TXT \"\\25\"\n", 1, "an escape"},
    {"string without an end", "a. TXT \"x\nb. TXT \"y\"\n", 1, "does not end in its line"},
    {"string without an end, at the end", "a. TXT \"x", 1, "does not end in its line"},
    {"quote escaped at the end", "a. TXT \"x\\\"", 1, "does not end in its line"},
    {"'(' without ')'", "\na. TXT ( x\nb. TXT y\n", 2, "never closed"},
    {"')' without '('", "a. TXT x )\n", 1, "')' without"},
    {"'(' in '('", "a. TXT ( ( x ) )\n", 1, "'(' inside"},
    {"no owner", "  A 192.0.2.1\n", 1, "no owner"},
    {"no owner behind $ORIGIN", "$ORIGIN a.\n  A 192.0.2.1\n", 2, "no owner"},
    {"empty label", "a..b. A 192.0.2.1\n", 1, "is no name"},
    {"dot inside of a label", "a\\.b. A 192.0.2.1\n", 1, "is no name"},
    {"dot inside of a label, by number", "a\\046b. A 192.0.2.1\n", 1, "is no name"},
    {"blank inside of a label that is too long",
     "a\\032bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb. A 192.0.2.1\n", 1,
     "is no name"},
    {"blank, and an empty label", "a\\032b..c. A 192.0.2.1\n", 1, "is no name"},
    {"$INCLUDE", "$INCLUDE /etc/passwd\n", 1, "$INCLUDE is not supported"},
    {"$GENERATE", "$GENERATE 1-9999999 a$ A 192.0.2.1\n", 1, "is not supported"},
    {"DNAME", "a.example. DNAME b.example.\n", 1, "DNAME is not supported"},
    {"$ORIGIN without a name", "$ORIGIN\n", 1, "$ORIGIN takes one word"},
    {"$TTL that is none", "$TTL soon\n", 1, "$TTL takes a time"},
    {"$TTL too large", "$TTL 2147483648\n", 1, "$TTL takes a time"},
    {"$TTL too large by its unit", "$TTL 9999999w\n", 1, "$TTL takes a time"},
    {"CNAME and others", "a. A 192.0.2.1\nb. A 192.0.2.1\na. CNAME b.\n", 3,
     "a has a CNAME and other records"},
    {"CNAME twice", "a. CNAME b.\na. CNAME c.\n", 2, "a CNAME and other records"},
};

static void refuse(void **state)
{
    const struct wrong *w = *state;
    struct dns_zone_fault fault;
    struct dns_zone *z = dns_zone_new(span_str(w->zone), &fault);
    assert_null(z);
    assert_int_equal(fault.line, w->line);
    if (!strstr(fault.text, w->text))
        fail_msg("said: %s", fault.text);
}

// What is repeated until it is too much.
static const struct {
    const char *name, *before, *again, *after;
    size_t times;
    const char *fault; // NULL: it is read
} masses[] = {
    {"a long name", "", "aaaaaaaaa.", " A 192.0.2.1\n", 26, "is no name"},
    {"a string of 255 bytes", "a. TXT \"", "aaaaa", "\"\n", 51, NULL},
    {"a string of 260 bytes", "a. TXT \"", "aaaaa", "\"\n", 52, "longer than 255"},
    {"a text as long as can be", "a. TXT (", " \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", ")\n", 2000,
     NULL},
    {"a text that is too long", "a. TXT (", " \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", ")\n", 2200,
     "too long"},
    {"too many words", "a. TXT (", " x", ")\n", 5000, "more than 4096 words"},
    {"too many records", "", "a. A 192.0.2.1\n", "", 50001, "more than 50000 records"},
    {"a long chain", "$ORIGIN a.\n", "x CNAME x.x\n$ORIGIN x\n", "", 10, NULL},
    {"nested lines", "a. TXT (", "\n", "x )\n", 100000, NULL},
};

static void heap_of(void **state)
{
    size_t i = *(size_t *)*state;
    struct dns_zone_fault fault;
    CLEANUP(buf_free) struct buf b = BUF(64 << 20);
    buf_put(&b, span_str(masses[i].before));
    for (size_t n = 0; n < masses[i].times; n++)
        buf_put(&b, span_str(masses[i].again));
    buf_put(&b, span_str(masses[i].after));
    struct dns_zone *z = dns_zone_new(buf_span(&b), &fault);
    if (masses[i].fault ? z || !strstr(fault.text, masses[i].fault) : !z)
        fail_msg("line %u: %s", z ? 0 : fault.line, z ? "was read" : fault.text);
    dns_zone_free(z);
}

static void too_large(void **state)
{
    (void)state;
    struct dns_zone_fault fault;
    CLEANUP(buf_free) struct buf b = BUF(DNS_ZONE_TEXT_MAX + 1);
    assert_true(rc_ok(buf_reserve(&b, DNS_ZONE_TEXT_MAX + 1)));
    for (size_t i = 0; i <= DNS_ZONE_TEXT_MAX; i++)
        b.at[i] = '\n';
    b.len = DNS_ZONE_TEXT_MAX + 1;
    assert_null(dns_zone_new(buf_span(&b), &fault));
}

static void small_arena(void **state)
{
    (void)state;
    struct dns_zone_fault fault;
    struct dns_zone *z = dns_zone_new(SPAN("a. TXT some\n"), &fault);
    struct dns_question q = {.type = DNS_TXT};
    struct dns_answer answer;
    CLEANUP(arena_free) struct arena a = ARENA(1);
    assert_true(dns_name_parse(&q.name, SPAN("a")));
    dns_zone_answer(z, &q, &answer, &a);
    assert_int_equal(answer.standing, DNS_INDETERMINATE);
    assert_int_equal(answer.presence, DNS_NO_ANSWER);
    dns_zone_free(z);
}

enum {
    ROWS = sizeof rows / sizeof *rows,
    WRONGS = sizeof wrongs / sizeof *wrongs,
    MASSES = sizeof masses / sizeof *masses
};

int main(void)
{
    static struct CMUnitTest tests[ROWS + WRONGS + MASSES + 2];
    static size_t order[MASSES];
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++)
        tests[n++] = (struct CMUnitTest){rows[i].name, read_row, NULL, NULL, (void *)&rows[i]};
    for (size_t i = 0; i < WRONGS; i++)
        tests[n++] = (struct CMUnitTest){wrongs[i].name, refuse, NULL, NULL, (void *)&wrongs[i]};
    for (size_t i = 0; i < MASSES; i++) {
        order[i] = i;
        tests[n++] = (struct CMUnitTest){masses[i].name, heap_of, NULL, NULL, &order[i]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_large);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(small_arena);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
