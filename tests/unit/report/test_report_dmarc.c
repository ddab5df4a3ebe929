// DMARC aggregate reports: written by the schema, read from the field, added up.
#include "help.h"
#include "report_dmarc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libxml/xmlschemas.h>

// The schema's word on a document; -1: the schema is not there.
static int schema_errors(struct span xml)
{
    struct buf xsd;
    int errors = -1;
    if (!vector_read(&xsd, "dmarcbis-rfc-examples/dmarc-xml-0.2.xsd"))
        return -1;
    xmlSchemaParserCtxt *parser = xmlSchemaNewMemParserCtxt(xsd.at, (int)xsd.len);
    xmlSchema *schema = xmlSchemaParse(parser);
    xmlSchemaValidCtxt *valid = xmlSchemaNewValidCtxt(schema);
    xmlDoc *doc = xmlReadMemory(xml.at, (int)xml.len, "report.xml", NULL, XML_PARSE_NONET);
    if (schema && doc)
        errors = xmlSchemaValidateDoc(valid, doc);
    xmlFreeDoc(doc);
    xmlSchemaFreeValidCtxt(valid);
    xmlSchemaFree(schema);
    xmlSchemaFreeParserCtxt(parser);
    buf_free(&xsd);
    return errors;
}

static struct report_reason reasons[] = {{REPORT_LOCAL_POLICY, {"a rule", 6}},
                                         {REPORT_SAMPLED_OUT, {"", 0}}};
static struct report_dkim dkims[] = {
    {{"other.example", 13}, {"s1", 2}, REPORT_AUTH_PASS, {"", 0}, false},
    {{"mail.example.com", 16}, {"s2", 2}, REPORT_AUTH_FAIL, {"no key", 6}, true},
    {{"example.com", 11}, {"s3", 2}, REPORT_AUTH_PASS, {"", 0}, true}};
static struct report_spf spfs[] = {
    {{"example.com", 11}, REPORT_MFROM, REPORT_AUTH_SOFTFAIL, {"", 0}}};

static struct report_record record(const char *source)
{
    struct report_record r = {.count = 2,
                              .disposition = REPORT_DISPOSITION_QUARANTINE,
                              .dkim_aligned = REPORT_ALIGNED_PASS,
                              .spf_aligned = REPORT_ALIGNED_FAIL,
                              .reason_count = 2,
                              .reasons = reasons,
                              .header_from = SPAN("example.com"),
                              .null_sender = true,
                              .dkim_count = 3,
                              .dkim = dkims,
                              .spf_count = 1,
                              .spf = spfs};
    r.source_given = dns_address_parse(&r.source, span_str(source));
    return r;
}

static struct report_dmarc document(struct report_record *records, size_t count)
{
    struct report_dmarc d = {.dialect = REPORT_RFC9990,
                             .organization = SPAN("Us & <them>"),
                             .email = SPAN("dmarc@example.org"),
                             .extra_contact = SPAN("https://example.org/?a&b"),
                             .id = SPAN("1"),
                             .generator = SPAN("test"),
                             .begin = {SECONDS(1795132800)},
                             .end = {SECONDS(1795219199)},
                             .policy = {.domain = SPAN("example.com"),
                                        .p = REPORT_POLICY_QUARANTINE,
                                        .sp = REPORT_POLICY_REJECT,
                                        .np = REPORT_POLICY_REJECT,
                                        .adkim = REPORT_RELAXED,
                                        .aspf = REPORT_STRICT,
                                        .testing = REPORT_NO,
                                        .discovery = REPORT_TREEWALK,
                                        .fo = SPAN("1:d")}};
    struct report_record **tail = &d.records;
    for (size_t i = 0; i < count; i++, tail = &(*tail)->next) {
        *tail = &records[i];
        d.record_count++;
        d.messages += records[i].count;
    }
    return d;
}

static void test_written(void **state)
{
    (void)state;
    struct report_record r[] = {record("192.0.2.1"), record("2001:db8::1")};
    struct report_dmarc d = document(r, 2);
    struct buf b = BUF(1 << 20);
    report_dmarc_put_xml(&b, &d);
    int errors = schema_errors(buf_span(&b));
    if (errors < 0)
        skip();
    if (errors)
        print_error("%s\n", buf_str(&b));
    assert_int_equal(errors, 0);
    // Signatures that tell more stand first.
    assert_true(strstr(buf_str(&b), "<selector>s3") < strstr(buf_str(&b), "<selector>s1"));
    assert_true(strstr(buf_str(&b), "<selector>s1") < strstr(buf_str(&b), "<selector>s2"));
    buf_free(&b);
}

// Whatever stands in the texts, and whatever is not said, the schema is obeyed.
static void test_written_hostile(void **state)
{
    (void)state;
    static const struct span texts[] = {{"]]><!DOCTYPE x>&y;\"'", 20},
                                        {"\0\1\x1f\x7f\xff\xc0\x80", 7},
                                        {"\xef\xbf\xbf\xef\xbf\xbe", 6},
                                        {"\xf0\x9f\x93\xa8\r\n\t", 7},
                                        {"", 0}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct span t = texts[i];
        struct report_reason reason = {REPORT_OVERRIDE_UNSAID, t};
        struct report_dkim dkim = {t, t, REPORT_AUTH_SOFTFAIL, t, false};
        struct report_spf spf = {t, REPORT_HELO, REPORT_AUTH_UNSAID, t};
        struct report_record r = {.header_from = t, .envelope_from = t, .envelope_to = t};
        r.reasons = &reason;
        r.dkim = &dkim;
        r.spf = &spf;
        r.reason_count = r.dkim_count = r.spf_count = 1;
        struct report_dmarc d = {.organization = t,
                                 .email = t,
                                 .extra_contact = t,
                                 .id = t,
                                 .error = t,
                                 .generator = t,
                                 .policy = {.domain = t, .fo = t},
                                 .records = &r,
                                 .record_count = 1};
        struct buf b = BUF(1 << 20);
        report_dmarc_put_xml(&b, &d);
        int errors = schema_errors(buf_span(&b));
        if (errors < 0)
            skip();
        if (errors)
            fail_msg("text %zu: %s", i, buf_str(&b));
        buf_free(&b);
    }
}

static void test_sample_of_the_rfc(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    struct report_notes n = {0};
    struct report_dmarc d;
    struct buf b, again = BUF(1 << 20);
    if (!vector_read(&b, "dmarcbis-rfc-examples/dmarc-xml-0.2.xml"))
        skip();
    assert_true(rc_ok(report_dmarc_read(&d, buf_span(&b), &a, &n)));
    assert_string_equal(notes_line(&n), "");
    assert_int_equal(d.dialect, REPORT_RFC9990);
    assert_int_equal(d.messages, 123);
    assert_int_equal(d.policy.discovery, REPORT_TREEWALK);
    assert_int_equal(d.records->disposition, REPORT_DISPOSITION_PASS);
    assert_true(span_eq(d.records->dkim[0].selector, SPAN("abc123")));
    report_dmarc_put_xml(&again, &d);
    assert_int_equal(schema_errors(buf_span(&b)), 0);
    assert_int_equal(schema_errors(buf_span(&again)), 0);
    buf_free(&b);
    buf_free(&again);
    arena_free(&a);
}

static void test_round(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    struct report_notes n = {0};
    struct report_record r[] = {record("192.0.2.1"), record("2001:db8::1")};
    r[0].reason_count = r[1].reason_count = 1;
    r[0].dkim_count = r[1].dkim_count = 1;
    struct report_dmarc d = document(r, 2), back, again;
    struct buf xml = BUF(1 << 20), one = BUF(1 << 20), two = BUF(1 << 20), three = BUF(1 << 20);
    report_dmarc_put_xml(&xml, &d);
    assert_true(rc_ok(report_dmarc_read(&back, buf_span(&xml), &a, &n)));
    assert_string_equal(notes_line(&n), "");
    report_dmarc_pack(&one, &d);
    report_dmarc_pack(&two, &back);
    assert_true(span_eq(buf_span(&one), buf_span(&two)));
    struct rd rd = RD(buf_span(&two));
    assert_true(report_dmarc_unpack(&rd, &again, &a) && rd_end(&rd));
    report_dmarc_pack(&three, &again);
    assert_true(span_eq(buf_span(&one), buf_span(&three)));
    for (size_t len = 0; len < one.len; len++) {
        rd = RD(span_first(buf_span(&one), len));
        assert_false(report_dmarc_unpack(&rd, &again, &a));
        arena_free(&a);
    }
    buf_free(&xml);
    buf_free(&one);
    buf_free(&two);
    buf_free(&three);
    arena_free(&a);
}

#define META                                                                                       \
    "<report_metadata><org_name>o</org_name><email>e</email><report_id>1</report_id>"              \
    "<date_range><begin>1</begin><end>2</end></date_range></report_metadata>"
#define PUB "<policy_published><domain>example.com</domain><p>none</p></policy_published>"
#define ROW                                                                                        \
    "<row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none"     \
    "</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row>"
#define IDS "<identifiers><header_from>example.com</header_from></identifiers>"
#define RES                                                                                        \
    "<auth_results><spf><domain>example.com</domain><result>pass</result></spf></auth_results>"
#define RECORD "<record>" ROW IDS RES "</record>"
#define DOC(x) "<feedback>" META PUB x "</feedback>"

#define EIGHT(x) x x x x x x x x

static const struct {
    const char *name, *in, *out;
} reads[] = {
    {"good", DOC(RECORD), "1"},
    {"nothing", "", "fault: There is no XML element in it."},
    {"blank", " \r\n ", "fault: There is no XML element in it."},
    {"only a declaration", "<?xml version=\"1.0\"?>", "fault: There is no XML element in it."},
    {"another root", "<html/>", "fault: The XML is no DMARC report: its root is \"html\"."},
    {"cut short", "<feedback>" META PUB RECORD, "fault: The XML is cut short."},
    {"cut short in a tag", "<feedback>" META PUB RECORD "</feedb", "fault: The XML is cut short."},
    {"no records", DOC(""), "0 NO_RECORDS:1"},
    {"no dates", "<feedback><report_metadata/>" PUB RECORD "</feedback>",
     "fault: The report does not say which days it is about."},
    {"no domain", "<feedback>" META RECORD "</feedback>",
     "fault: The report does not say which domain it is about."},
    {"no names",
     "<feedback><report_metadata><date_range><begin>5</begin><end>2</end></date_range>"
     "</report_metadata>" PUB RECORD "</feedback>",
     "1 ORGANIZATION_MISSING:1 CONTACT_MISSING:1 ID_MISSING:1 DATES_TURNED:1"},
    {"an empty record", DOC("<record/>"),
     "1 NO_COUNT:1 NOT_ADDRESS:1 RESULT_MISSING:1 DISPOSITION_VALUE:1 HEADER_FROM_MISSING:1"},
    {"capitals and old words",
     DOC("<record><row><source_ip> 192.0.2.1 </source_ip><count>1.0</count><policy_evaluated>"
         "<disposition>None</disposition><dkim>PASS</dkim><spf>pass</spf></policy_evaluated></"
         "row>" IDS
         "<auth_results><spf><domain>example.com</domain><result>hardfail</result></spf><dkim>"
         "<domain>example.com</domain><result>TempError</result></dkim></auth_results></record>"),
     "1 COUNT_FORM:1 RESULT_VALUE:1 UPPER_CASE:3"},
    {"no words",
     DOC("<record><row><source_ip>mail</source_ip><count>-1</count><policy_evaluated>"
         "<disposition>deliver</disposition><dkim></dkim><spf>x</spf><reason><type>forward</type>"
         "</reason></policy_evaluated></row>" IDS "<auth_results/></record>"),
     "1 COUNT_FORM:1 NOT_ADDRESS:1 RESULT_VALUE:1 RESULT_MISSING:1 DISPOSITION_VALUE:1 "
     "REASON_VALUE:1"},
    {"a selector is missing in the new dialect",
     "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">" META PUB "<record>" ROW IDS
     "<auth_results><dkim><domain>x.y</domain><result>pass</result></dkim></auth_results></record>"
     "</feedback>",
     "1 SELECTOR_MISSING:1"},
    {"a foreign namespace", "<feedback xmlns=\"urn:x\">" META PUB RECORD "</feedback>",
     "1 NAMESPACE:1"},
    {"extensions",
     "<feedback xmlns:e=\"urn:e\">" META PUB
     "<extension><e:record/></extension><record>" ROW IDS RES
     "<e:row><count>9</count></e:row></record></feedback>",
     "1"},
    {"a prefix", "<d:feedback xmlns:d=\"urn:ietf:params:xml:ns:dmarc-2.0\"/>",
     "fault: The report does not say which days it is about."},
    {"unknown elements", DOC("<x><count>5</count></x>" RECORD), "1 UNKNOWN_FIELD:1"},
    {"twice", DOC(PUB RECORD), "1 REPEATED:1"},
    {"version 2", DOC("<version>2.0</version>" RECORD), "1 VERSION:1"},
    {"dates",
     "<feedback><report_metadata><org_name>o</org_name><email>e</email><report_id>1"
     "</report_id><date_range><begin>2026-11-20T00:00:00Z</begin><end>1795219199.5</end>"
     "</date_range></report_metadata>" PUB RECORD "</feedback>",
     "1 DATE_FORM:2"},
    {"entities of XML", DOC("<record>" ROW IDS RES "</record><!-- x > y -->"), "1"},
    {"an unescaped &",
     "<feedback><report_metadata><org_name>A&T &nbsp; x & y</org_name><email>e"
     "</email><report_id>1</report_id><date_range><begin>1</begin><end>2</end>"
     "</date_range></report_metadata>" PUB RECORD "</feedback>",
     "1 NOT_WELL_FORMED:3"},
    {"tags that do not fit", DOC("<record></row></record>"),
     "fault: The XML is not well-formed: line 1: Opening and ending tag mismatch: record line 1 "
     "and "
     "row."},
    {"something behind", DOC(RECORD) "\n<x/>text", "1 TEXT_BEHIND:1"},
    {"a byte order mark", "\xef\xbb\xbf" DOC(RECORD), "1"},
    {"blanks before the declaration", "\n <?xml version=\"1.0\" encoding=\"utf-16\"?>" DOC(RECORD),
     "1"},
    {"Latin-1", DOC("<error>\xe4</error>" RECORD), "1 NOT_UTF8:1 UNKNOWN_FIELD:1"},
    {"control characters", DOC("\x01" RECORD), "1 CONTROL_CHARACTERS:1"},
    {"a schema that is no schema",
     "<?xml version=\"1.0\"?><xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">" DOC(
         RECORD) "</xs:schema>",
     "1 NOT_WELL_FORMED:2"},
    {"billion laughs",
     "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;\">]>" DOC(
         RECORD),
     "fault: It has a document type declaration."},
    {"a document type that is fetched",
     "<!DOCTYPE feedback SYSTEM \"file:///etc/passwd\">" DOC(RECORD),
     "fault: It has a document type declaration."},
    {"CDATA", DOC("<record>" ROW IDS RES "</record>") "", "1"},
    {"an entity nobody declared", DOC("<record>&x;" ROW IDS RES "</record>"),
     "1 NOT_WELL_FORMED:1"},
    {"deep",
     "<feedback><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>",
     "fault: The XML is nested deeper than any report."},
    {"attributes without end", "<feedback" EIGHT(EIGHT(" a=\"=\"")) "></feedback>",
     "fault: The XML has a tag with more attributes than any report."},
    {"as many attributes as may be", "<feedback" EIGHT(" a=\"===\" b='=' c='' d='x'") "><error>",
     "fault: The XML is cut short."},
};

static void a_name_for_each_element_is_too_many(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(8 << 20);
    struct report_notes n = {0};
    struct report_dmarc d;
    buf_put(&b, SPAN("<feedback>"));
    for (unsigned i = 0; i < 200000; i++)
        buf_printf(&b, "<n%u/>", i);
    assert_int_equal(report_dmarc_read(&d, buf_span(&b), &a, &n).code, RC_MALFORMED);
    assert_string_equal(n.fault, "The XML has more names than any report.");
}

static void faults_without_end_are_not_looked_at(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(8 << 20);
    struct report_notes n = {0};
    struct report_dmarc d;
    buf_put(&b, SPAN("<feedback>"));
    for (unsigned i = 0; i < 1500000; i++)
        buf_putc(&b, '&');
    assert_int_equal(report_dmarc_read(&d, buf_span(&b), &a, &n).code, RC_MALFORMED);
    assert_string_equal(n.fault, "The XML is wrong in more places than are looked at.");
}

// Whole, and byte by byte: any pieces give the same.
static void one_read(size_t i, size_t step)
{
    struct arena a = ARENA(1 << 20);
    struct report_notes n = {0};
    struct report_dmarc d;
    struct report_dmarc_reader *r = report_dmarc_reader_new(&d, &a, &n);
    struct rc rc = RC(OK);
    for (struct span s = span_str(reads[i].in); s.len && rc_ok(rc); s = span_skip(s, step))
        rc = report_dmarc_reader_feed(r, span_first(s, step));
    if (rc_ok(rc))
        rc = report_dmarc_reader_end(r);
    char said[512];
    if (rc_ok(rc))
        snprintf(said, sizeof said, "%zu%s%s", d.record_count, *notes_line(&n) ? " " : "",
                 notes_line(&n));
    else
        snprintf(said, sizeof said, "fault: %s", n.fault);
    if (strcmp(said, reads[i].out) != 0)
        fail_msg("%s (%zu): %s", reads[i].name, step, said);
    report_dmarc_reader_free(&r);
    arena_free(&a);
}

static void test_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        one_read(i, SIZE_MAX);
        one_read(i, 7);
        one_read(i, 1);
    }
}

static void test_utf16(void **state)
{
    (void)state;
    struct report_notes n;
    struct buf b = BUF(1 << 20);
    for (int big = 0; big < 2; big++) {
        buf_clear(&b);
        buf_put(&b, big ? SPAN("\xfe\xff") : SPAN("\xff\xfe"));
        for (const char *s = DOC(RECORD); *s; s++) {
            buf_putc(&b, big ? 0 : *s);
            buf_putc(&b, big ? *s : 0);
        }
        assert_string_equal(take(buf_span(&b), &n), "dmarc plain 1");
        assert_string_equal(notes_line(&n), "NOT_UTF8:1");
    }
    buf_free(&b);
}

static struct rc read_all(const struct buf *b, struct arena *a, struct report_notes *n)
{
    struct report_dmarc d;
    *n = (struct report_notes){0};
    struct rc rc = report_dmarc_read(&d, buf_span(b), a, n);
    arena_free(a);
    return rc;
}

static void test_limits(void **state)
{
    (void)state;
    struct arena a = ARENA(64 << 20), tiny = ARENA(8192);
    struct report_notes n;
    struct buf b = BUF(256 << 20);
    buf_put(&b, SPAN("<feedback a=\""));
    for (int i = 0; i < 20000; i++)
        buf_putc(&b, 'x');
    assert_int_equal(read_all(&b, &a, &n).code, RC_TOO_LARGE);
    assert_string_equal(n.fault, "The XML has a tag of more than 16384 bytes.");
    buf_clear(&b);
    buf_put(&b, SPAN("<feedback>" META PUB));
    for (int i = 0; i < 1000; i++)
        buf_put(&b, SPAN(RECORD));
    buf_put(&b, SPAN("</feedback>"));
    assert_int_equal(read_all(&b, &tiny, &n).code, RC_TOO_LARGE);
    assert_string_equal(n.fault, "The report is larger than we have room for.");
    assert_true(rc_ok(read_all(&b, &a, &n)));
    buf_clear(&b);
    buf_put(&b, SPAN("<feedback>" META PUB));
    for (int i = 0; i <= REPORT_DMARC_RECORDS_MAX; i++)
        buf_put(&b, SPAN("<record/>"));
    assert_int_equal(read_all(&b, &a, &n).code, RC_TOO_LARGE);
    assert_string_equal(n.fault, "The report has more than 250000 records.");
    buf_clear(&b);
    buf_put(&b, SPAN("<feedback>" META PUB "<error>")); // 20 MB of text in one element
    for (int i = 0; i < 2000000; i++)
        buf_put(&b, SPAN("0123456789"));
    buf_put(&b, SPAN("</error>" RECORD "</feedback>"));
    assert_true(rc_ok(read_all(&b, &a, &n)));
    buf_free(&b);
}

static void test_tally(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    struct report_record r[] = {record("192.0.2.1"), record("192.0.2.2")};
    struct report_dmarc d = document(r, 2), out = {0};
    struct buf policy = BUF(1024), one = BUF(1024), two = BUF(1024);
    size_t bad;
    report_published_pack(&policy, &d.policy);
    report_record_pack(&one, &r[0]);
    report_record_pack(&two, &r[1]);
    const struct report_dmarc_tally tallies[] = {
        {buf_span(&one), 3}, {buf_span(&one), 4}, {buf_span(&two), 5}, {SPAN("x"), 9}};
    assert_true(report_dmarc_tally(&out, buf_span(&policy), tallies, 4, &a, &bad));
    assert_int_equal(bad, 1);
    assert_int_equal(out.record_count, 2);
    assert_int_equal(out.messages, 12);
    assert_int_equal(out.records->count, 7);
    assert_int_equal(out.records->next->count, 5);
    assert_int_equal(out.policy.aspf, REPORT_STRICT);
    assert_false(report_dmarc_tally(&out, SPAN("x"), tallies, 4, &a, &bad));
    struct buf gz = BUF(1 << 20);
    uint64_t left_out;
    assert_true(rc_ok(report_dmarc_pack_gzip(&gz, &d, 1 << 20, &left_out)));
    assert_int_equal(left_out, 0);
    struct report_notes n;
    assert_string_equal(take(buf_span(&gz), &n), "dmarc gzip 2");
    assert_int_equal(report_dmarc_pack_gzip(&gz, &d, 50, &left_out).code, RC_TOO_LARGE);
    buf_free(&policy);
    buf_free(&one);
    buf_free(&two);
    buf_free(&gz);
    arena_free(&a);
}

// What no report of that size can hold: the largest records stay, and the rest is told as a number.
static void test_too_large(void **state)
{
    enum { MANY = 3000, ROOM = 20000 };
    (void)state;
    struct report_record *r = mem_new(MANY * sizeof *r);
    struct arena a = ARENA(16 << 20);
    struct buf gz = BUF(1 << 20);
    uint64_t left_out = 0;
    for (unsigned i = 0; i < MANY; i++) {
        unsigned n = i * 2654435761U;
        char source[64];
        snprintf(source, sizeof source, "%u.%u.%u.%u", n >> 24, n >> 16 & 255, n >> 8 & 255,
                 n & 255);
        r[i] = record(source);
        r[i].count = 1 + i;
    }
    struct report_dmarc d = document(r, MANY), out;
    d.error = SPAN("One thing.");
    assert_true(rc_ok(report_dmarc_pack_gzip(&gz, &d, ROOM, &left_out)));
    assert_true(gz.len <= ROOM && left_out > 0 && left_out < d.messages);
    struct report_unpacked u;
    struct report_notes notes = {0};
    assert_true(rc_ok(report_unpack(&u, buf_span(&gz), &report_limits_usual, &a, &notes)));
    assert_true(schema_errors(buf_span(&u.at[0].bytes)) <= 0);
    assert_true(rc_ok(report_dmarc_read(&out, buf_span(&u.at[0].bytes), &a, &notes)));
    assert_int_equal(out.messages + left_out, d.messages);
    assert_int_equal(out.records->count, MANY);
    char error[256];
    snprintf(error, sizeof error,
             "One thing. %llu messages in %zu records are left out, the report would be too large.",
             (unsigned long long)left_out, MANY - out.record_count);
    assert_true(span_eq(out.error, span_str(error)));
    report_unpacked_free(&u);
    buf_free(&gz);
    arena_free(&a);
    free(r);
}

static void test_coarse(void **state)
{
    (void)state;
    struct report_record whole = record("192.0.2.1"), coarse = whole;
    coarse.null_sender = false;
    coarse.dkim_count = coarse.spf_count = 0;
    assert_true(report_record_is_coarse(&coarse) && !report_record_is_coarse(&whole));
    struct report_dmarc d = document(&coarse, 1);
    struct buf b = BUF(1 << 20);
    report_dmarc_put_xml(&b, &d);
    assert_true(schema_errors(buf_span(&b)) <= 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_for_each_element_is_too_many),
        cmocka_unit_test(faults_without_end_are_not_looked_at),
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_written_hostile),
        cmocka_unit_test(test_sample_of_the_rfc),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_utf16),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_tally),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_coarse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
