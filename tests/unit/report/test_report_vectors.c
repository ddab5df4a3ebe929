// The reports of others, as they came: what is in them and what was said about them.
#include "help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define P "dmarc-reports-parsedmarc/"
#define S "dmarc-reports-stalwart/"

static const struct {
    const char *name, *what, *notes;
} vectors[] = {
    {P "aggregate__empty_reason.xml", "dmarc plain 1", "REASON_VALUE:1"},
    {P "aggregate__estadocuenta1.infonacot.gob.mx!example.com!1536853302!1536939702!2940.xml.zip",
     "dmarc zip 1", ""},
    {P "aggregate__example.net!example.com!1529366400!1529452799.xml", "dmarc plain 1", ""},
    {P "aggregate__fastmail.com!example.com!1516060800!1516147199!102675056.xml.gz", "dmarc gzip 1",
     ""},
    {P "aggregate__protection.outlook.com!example.com!1711756800!1711843200.xml", "dmarc plain 1",
     ""},
    {P "aggregate__rfc9990-sample.xml", "dmarc plain 1", ""},
    {P "aggregate__usssa.com!example.com!1538784000!1538870399.xml", "dmarc plain 2", ""},
    {P "aggregate__veeam.com!example.com!1530133200!1530219600.xml", "dmarc plain 1", ""},
    {P "failure__dmarc_ruf_report_linkedin.eml", "fault: There is no report in the mail.", ""},
    {S "001.xml", "dmarc plain 1", "UNKNOWN_FIELD:2 VERSION:1"},
    {S "002.xml", "dmarc plain 1", ""},
    {S "003.xml", "dmarc plain 4", ""},
    {S "100.eml", "dmarc zip 1", ""},
    {S "101.eml", "dmarc gzip 1", ""},
    {"dmarcbis-rfc-examples/dmarc-xml-0.2.xml", "dmarc plain 1", ""},
    {"tlsrpt-stalwart/rpt01.eml", "tlsrpt gzip 1", ""},
    {"tlsrpt-stalwart/rpt01.json", "tlsrpt plain 1", ""},
    {"tlsrpt-stalwart/rpt03.json", "tlsrpt plain 2",
     "NO_COUNT:2 POLICY_TYPE:1 POLICY_DOMAIN_MISSING:2"},
    {"rfc-vectors/rfc8460-report.json", "tlsrpt plain 1", ""},
};

static void test_vectors(void **state)
{
    (void)state;
    size_t count = sizeof vectors / sizeof vectors[0], bad = 0;
    for (size_t i = 0; i < count; i++) {
        struct report_notes n;
        struct buf b;
        if (!vector_read(&b, vectors[i].name))
            skip();
        const char *what = take(buf_span(&b), &n);
        if (strcmp(what, vectors[i].what) != 0 || strcmp(notes_line(&n), vectors[i].notes) != 0) {
            print_error("%s: %s | %s\n", vectors[i].name, what, notes_line(&n));
            bad++;
        }
        buf_free(&b);
    }
    assert_int_equal(bad, 0);
    printf("# %zu documents\n", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
