// TLS reports: written, read, added up.
#include "help.h"
#include "report_tlsrpt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct report_tls_address address(const char *text)
{
    struct report_tls_address a = {0};
    a.given = dns_address_parse(&a.at, span_str(text));
    assert_true(a.given);
    return a;
}

static struct span strings[] = {{"version: STSv1", 14}, {"mode: enforce", 13}};
static struct span mx[] = {{"*.example.com", 13}};

static struct report_tls_policy sts(void)
{
    return (struct report_tls_policy){.type = REPORT_TLS_STS,
                                      .string_count = 2,
                                      .strings = strings,
                                      .domain = SPAN("example.com"),
                                      .mx_count = 1,
                                      .mx = mx};
}

static struct report_tls_failure expired(void)
{
    return (struct report_tls_failure){.result = REPORT_TLS_CERTIFICATE_EXPIRED,
                                       .sending_ip = address("192.0.2.1"),
                                       .mx_hostname = SPAN("mx.example.com"),
                                       .count = 3};
}

static struct report_tlsrpt document(struct report_tls_policy *policies, size_t count)
{
    return (struct report_tlsrpt){.organization = SPAN("Us \"and\" them"),
                                  .contact = SPAN("tls@example.org"),
                                  .id = SPAN("1@example.org"),
                                  .begin = {SECONDS(1795132800)},
                                  .end = {SECONDS(1795219199)},
                                  .policy_count = count,
                                  .policies = policies};
}

static void test_written(void **state)
{
    (void)state;
    struct report_tls_failure f = expired();
    struct report_tls_policy p[] = {sts(),
                                    {.type = REPORT_TLS_NONE, .domain = SPAN("example.com")}};
    p[0].failures = 3;
    p[0].successes = 4;
    p[0].details = &f;
    p[0].detail_count = 1;
    struct report_tlsrpt d = document(p, 2);
    struct buf b = BUF(1 << 20);
    report_tlsrpt_put_json(&b, &d);
    assert_string_equal(
        buf_str(&b),
        "{\"organization-name\":\"Us \\\"and\\\" them\",\"date-range\":{\"start-datetime\":"
        "\"2026-11-20T00:00:00Z\",\"end-datetime\":\"2026-11-20T23:59:59Z\"},\"contact-info\":"
        "\"tls@example.org\",\"report-id\":\"1@example.org\",\"policies\":[{\"policy\":{"
        "\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",\"mode: enforce\"],"
        "\"policy-domain\":\"example.com\",\"mx-host\":[\"*.example.com\"]},\"summary\":{"
        "\"total-successful-session-count\":4,\"total-failure-session-count\":3},"
        "\"failure-details\":[{\"result-type\":\"certificate-expired\",\"sending-mta-ip\":"
        "\"192.0.2.1\",\"receiving-mx-hostname\":\"mx.example.com\",\"failed-session-count\":3}]},{"
        "\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.com\"},"
        "\"summary\":{\"total-successful-session-count\":0,\"total-failure-session-count\":0}}]}");
    buf_free(&b);
}

static void test_rfc_example(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    struct report_notes n = {0};
    struct report_tlsrpt d;
    struct buf b;
    if (!vector_read(&b, "rfc-vectors/rfc8460-report.json"))
        skip();
    assert_true(rc_ok(report_tlsrpt_read(&d, buf_span(&b), &a, &n)));
    assert_int_equal(report_notes_count(&n), 0);
    assert_int_equal(d.begin.us, SECONDS(1459468800));
    const struct report_tls_policy *p = &d.policies[0];
    assert_int_equal(p->type, REPORT_TLS_STS);
    assert_int_equal(p->string_count, 4);
    assert_true(span_eq(p->mx[0], SPAN("*.mail.company-y.example")));
    assert_int_equal(p->successes, 5326);
    assert_int_equal(p->failures, 303);
    assert_int_equal(p->detail_count, 3);
    assert_int_equal(p->details[1].result, REPORT_TLS_STARTTLS_NOT_SUPPORTED);
    assert_true(p->details[1].receiving_ip.given);
    assert_true(span_eq(p->details[2].reason_code, SPAN("X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED")));
    arena_free(&a);
    buf_free(&b);
}

// What is written reads back as the same, without a remark; so do the byte forms.
static void test_round(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    struct report_notes n = {0};
    struct report_tls_failure f[] = {expired(), {.result = REPORT_TLS_VALIDATION_FAILURE}};
    f[1].sending_ip = address("2001:db8::1");
    f[1].receiving_ip = address("2001:db8::2");
    f[1].mx_hostname = SPAN("mx2.example.com");
    f[1].mx_helo = SPAN("mx2");
    f[1].reason_code = SPAN(REPORT_TLS_STS_MX_MISMATCH);
    f[1].information = SPAN("https://example.org/x");
    f[1].count = 1;
    struct report_tls_policy p = sts();
    p.failures = 4;
    p.details = f;
    p.detail_count = 2;
    struct report_tlsrpt d = document(&p, 1), back, again;
    struct buf json = BUF(1 << 20), one = BUF(1 << 20), two = BUF(1 << 20), three = BUF(1 << 20);
    report_tlsrpt_put_json(&json, &d);
    assert_true(rc_ok(report_tlsrpt_read(&back, buf_span(&json), &a, &n)));
    assert_string_equal(notes_line(&n), "");
    report_tlsrpt_pack(&one, &d);
    report_tlsrpt_pack(&two, &back);
    assert_true(span_eq(buf_span(&one), buf_span(&two)));
    struct rd r = RD(buf_span(&two));
    assert_true(report_tlsrpt_unpack(&r, &again, &a) && rd_end(&r));
    report_tlsrpt_pack(&three, &again);
    assert_true(span_eq(buf_span(&one), buf_span(&three)));
    for (size_t len = 0; len < one.len; len++) { // no front of it is a document
        r = RD(span_first(buf_span(&one), len));
        assert_false(report_tlsrpt_unpack(&r, &again, &a));
        arena_free(&a);
    }
    buf_free(&json);
    buf_free(&one);
    buf_free(&two);
    buf_free(&three);
    arena_free(&a);
}

#define RANGE                                                                                      \
    "\"date-range\":{\"start-datetime\":\"2026-11-20T00:00:00Z\",\"end-datetime\":\"2026-11-"      \
    "20T23:59:59Z\"}"
#define HEAD "{\"organization-name\":\"x\",\"contact-info\":\"x@y\",\"report-id\":\"1\"," RANGE ","
#define GOOD                                                                                       \
    "\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.com\"},"                      \
    "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}"
#define FAILED(details)                                                                            \
    HEAD "\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.com\"},"  \
         "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":2},"   \
         "\"failure-details\":[" details "]}]}"

static const struct {
    const char *name, *in, *out;
} reads[] = {
    {"good", HEAD "\"policies\":[{" GOOD "}]}", ""},
    {"nothing", "",
     "fault: The JSON does not parse: line 1: '[' or '{' expected near end of file."},
    {"cut short", HEAD "\"policies\":[{" GOOD,
     "fault: The JSON does not parse: line 1: '}' expected near end of file."},
    {"a list", "[]", "fault: The JSON is no TLS report: it has no policies."},
    {"another object", "{\"a\":1}", "fault: The JSON is no TLS report: it has no policies."},
    {"no dates", "{\"policies\":[]}", "fault: The report does not say which day it is about."},
    {"no policies", HEAD "\"policies\":[]}", "NO_POLICIES:1"},
    {"one policy without a list", HEAD "\"policies\":{" GOOD "}}", "SINGLE_FOR_LIST:1"},
    {"policies of another type", HEAD "\"policies\":[1,[]]}", "WRONG_TYPE:2 NO_POLICIES:1"},
    {"bare", "{" RANGE ",\"policies\":[{}]}",
     "ORGANIZATION_MISSING:1 CONTACT_MISSING:1 ID_MISSING:1 POLICY_MISSING:1 SUMMARY_MISSING:1"},
    {"nulls",
     "{\"organization-name\":\"x\",\"contact-info\":null,\"report-id\":\"1\"," RANGE
     ",\"policies\":[{" GOOD ",\"failure-details\":null}]}",
     "CONTACT_MISSING:1 NULL_FIELD:2"},
    {"as Microsoft has it",
     FAILED("{\"result-type\":\"starttls-not-supported\",\"receiving-mx-hostname\":"
            "\"mx.example.com\",\"failed-session-count\":2}"),
     "SENDING_IP_MISSING:1"},
    {"counts",
     FAILED("{\"result-type\":\"tlsa-invalid\",\"sending-mta-ip\":\"[192.0.2.1]\","
            "\"receiving-mx-hostname\":\"mx\",\"failed-session-count\":\"2\"},"
            "{\"result-type\":\"tlsa-invalid\",\"sending-mta-ip\":\"::1\","
            "\"receiving-mx-hostname\":\"mx\",\"failed-session-count\":-1},"
            "{\"result-type\":\"tlsa-invalid\",\"sending-mta-ip\":\"::1\","
            "\"receiving-mx-hostname\":\"mx\"}"),
     "NO_COUNT:1 COUNT_FORM:2"},
    {"words and names",
     FAILED("{\"result-type\":\"tlsa_bogus\",\"sending-mta-ip\":\"192.0.2\","
            "\"receiving-mx-hostname\":\"mx..x\",\"failed-session-count\":1}"),
     "COUNT_SUM:1 NOT_DOMAIN:1 NOT_ADDRESS:1 RESULT_TYPE:1"},
    {"other fields", HEAD "\"x\":1,\"policies\":[{" GOOD ",\"y\":{}}]}", "UNKNOWN_FIELD:2"},
    {"dates as numbers",
     "{\"organization-name\":\"x\",\"contact-info\":\"x@y\",\"report-id\":\"1\","
     "\"date-range\":{\"start-datetime\":1795132800,\"end-datetime\":"
     "\"1795132799\"},\"policies\":[{" GOOD "}]}",
     "DATES_TURNED:1 DATE_FORM:2"},
    {"a byte order mark", "\xef\xbb\xbf" HEAD "\"policies\":[{" GOOD "}]}", ""},
    {"Latin-1",
     "{\"organization-name\":\"\xe4\",\"contact-info\":\"x@y\",\"report-id\":\"1\"," RANGE
     ",\"policies\":[{" GOOD "}]}",
     "NOT_UTF8:1"},
    {"text behind", HEAD "\"policies\":[{" GOOD "}]} \n x", "TEXT_BEHIND:1"},
    {"deep", "[[[[[[[[[[[[[[[[[[[[[[", "fault: The JSON is nested deeper than any report."},
    {"strings that look deep",
     HEAD "\"a\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\",\"policies\":[{" GOOD "}]}", "UNKNOWN_FIELD:1"},
    {"a string that never ends", "{\"a\":\"x\\",
     "fault: The JSON does not parse: line 1: invalid "
     "escape near '\"x\\'."},
};

static void test_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        struct arena a = ARENA(1 << 20);
        struct report_notes n = {0};
        struct report_tlsrpt d;
        struct rc rc = report_tlsrpt_read(&d, span_str(reads[i].in), &a, &n);
        char said[512];
        snprintf(said, sizeof said, "%s%s",
                 rc_ok(rc) ? "" : "fault: ", rc_ok(rc) ? notes_line(&n) : n.fault);
        if (strcmp(said, reads[i].out) != 0)
            fail_msg("%s: %s", reads[i].name, said);
        arena_free(&a);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct arena a = ARENA(16 << 20), tiny = ARENA(600);
    struct report_notes n = {0};
    struct report_tlsrpt d;
    struct buf b = BUF(64 << 20);
    buf_put(&b, SPAN("[1"));
    while (b.len < 2 << 20)
        buf_put(&b, SPAN(",1"));
    assert_int_equal(report_tlsrpt_read(&d, buf_span(&b), &a, &n).code, RC_TOO_LARGE);
    assert_string_equal(n.fault, "The JSON has more than 600000 values.");
    buf_clear(&b);
    buf_put(&b, SPAN(HEAD "\"policies\":["));
    for (int i = 0; i < 2000; i++)
        buf_printf(&b, "%s{" GOOD "}", i ? "," : "");
    buf_put(&b, SPAN("]}"));
    n = (struct report_notes){0};
    assert_true(rc_ok(report_tlsrpt_read(&d, buf_span(&b), &a, &n)));
    assert_int_equal(d.policy_count, REPORT_TLS_POLICIES_MAX);
    assert_string_equal(notes_line(&n), "TOO_MANY:1");
    assert_int_equal(report_tlsrpt_read(&d, buf_span(&b), &tiny, &n).code, RC_TOO_LARGE);
    buf_free(&b);
    arena_free(&a);
    arena_free(&tiny);
}

// --- Tallies.

static struct span packed_policy(struct arena *a, const struct report_tls_policy *p)
{
    struct buf b = BUF(1 << 16);
    report_tls_policy_pack(&b, p);
    struct span s = arena_dup(a, buf_span(&b));
    buf_free(&b);
    return s;
}

static struct span packed_failure(struct arena *a, const struct report_tls_failure *f)
{
    struct buf b = BUF(1 << 16);
    report_tls_failure_pack(&b, f);
    struct span s = arena_dup(a, buf_span(&b));
    buf_free(&b);
    return s;
}

static void test_tally(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    struct report_tls_policy s = sts(), none = {.type = REPORT_TLS_NONE, .domain = SPAN("x.y")};
    struct report_tls_failure f = expired();
    struct span one = packed_policy(&a, &s), two = packed_policy(&a, &none);
    struct span failure = packed_failure(&a, &f);
    f.result = REPORT_TLS_STARTTLS_NOT_SUPPORTED;
    struct span other = packed_failure(&a, &f);
    const struct report_tls_tally tallies[] = {
        {one, SPAN(""), 10, 0}, {two, SPAN(""), 5, 0},    {one, failure, 2, 2},
        {one, other, 0, 7},     {one, SPAN("bad"), 1, 1}, {SPAN("bad"), failure, 1, 1},
    };
    struct report_tlsrpt d = {0};
    size_t bad;
    assert_true(report_tlsrpt_tally(&d, tallies, 6, REPORT_TLS_OWN_DETAILS_MAX, &a, &bad));
    assert_int_equal(bad, 2);
    assert_int_equal(d.policy_count, 2);
    const struct report_tls_policy *p = &d.policies[d.policies[0].type == REPORT_TLS_STS ? 0 : 1];
    assert_int_equal(p->successes, 10);
    assert_int_equal(p->failures, 3);
    assert_int_equal(p->detail_count, 2);
    assert_int_equal(p->details[0].count, 7); // the most frequent first
    assert_int_equal(p->details[0].result, REPORT_TLS_STARTTLS_NOT_SUPPORTED);
    arena_free(&a);
}

// The same set of TLSA records in another order is the same policy.
static void test_tlsa_order(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    struct span ab[] = {SPAN("3 1 1 aa"), SPAN("2 1 1 bb")}, ba[] = {ab[1], ab[0]};
    struct report_tls_policy p = {.type = REPORT_TLS_TLSA, .string_count = 2, .strings = ab};
    struct report_tls_policy q = {.type = REPORT_TLS_TLSA, .string_count = 2, .strings = ba};
    assert_true(span_eq(packed_policy(&a, &p), packed_policy(&a, &q)));
    arena_free(&a);
}

static void test_many_failures(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    struct arena a = ARENA(64 << 20);
    static struct report_tls_tally tallies[MANY];
    struct report_tls_policy s = sts();
    struct span policy = packed_policy(&a, &s);
    uint64_t sum = 0;
    for (unsigned i = 0; i < MANY; i++) {
        char helo[32];
        snprintf(helo, sizeof helo, "helo%u", i);
        struct report_tls_failure f = expired();
        f.mx_helo = span_str(helo);
        f.result = i % 2 ? REPORT_TLS_CERTIFICATE_EXPIRED : REPORT_TLS_VALIDATION_FAILURE;
        tallies[i] = (struct report_tls_tally){policy, packed_failure(&a, &f), 1, 1 + i % 10};
    }
    struct report_tlsrpt d = {0};
    size_t bad;
    assert_true(report_tlsrpt_tally(&d, tallies, MANY, 100, &a, &bad));
    const struct report_tls_policy *p = &d.policies[0];
    assert_int_equal(p->failures, MANY);
    assert_int_equal(p->detail_count, 102); // one more for each result type
    for (size_t i = 0; i < p->detail_count; i++)
        sum += p->details[i].count;
    assert_int_equal(sum, MANY * 11 / 2);
    assert_int_equal(p->details[0].count, 10);
    arena_free(&a);
}

static void test_packed_to_size(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    static struct report_tls_failure f[MANY];
    static char codes[MANY][65];
    for (unsigned i = 0; i < MANY; i++) {
        f[i] = expired();
        for (unsigned k = 0; k < 64; k++)
            codes[i][k] = "0123456789abcdef"[(i * 2654435761U + k * 40503U * (i | 1)) >> 7 & 15];
        f[i].reason_code = span_str(codes[i]);
    }
    struct report_tls_policy p = sts();
    p.details = f;
    p.detail_count = MANY;
    p.failures = 3 * MANY;
    struct report_tlsrpt d = document(&p, 1);
    struct buf gz = BUF(1 << 20);
    assert_true(rc_ok(report_tlsrpt_pack_gzip(&gz, &d, 1 << 20)));
    size_t whole = gz.len;
    buf_clear(&gz);
    assert_true(rc_ok(report_tlsrpt_pack_gzip(&gz, &d, whole - 1)));
    assert_true(gz.len < whole);
    struct report_notes n;
    assert_string_equal(take(buf_span(&gz), &n), "tlsrpt gzip 1");
    assert_string_equal(notes_line(&n), "COUNT_SUM:1");
    buf_clear(&gz);
    assert_int_equal(report_tlsrpt_pack_gzip(&gz, &d, 100).code, RC_TOO_LARGE);
    buf_free(&gz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),        cmocka_unit_test(test_rfc_example),
        cmocka_unit_test(test_round),          cmocka_unit_test(test_reads),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_tally),
        cmocka_unit_test(test_tlsa_order),     cmocka_unit_test(test_many_failures),
        cmocka_unit_test(test_packed_to_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
