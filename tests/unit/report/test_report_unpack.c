// Bombs, nests, stumps and wrong labels.
#include "help.h"
#include "report_dmarc.h"
#include "report_mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zip.h>

#define A_REPORT                                                                                   \
    "<feedback><report_metadata><org_name>o</org_name><email>e</email><report_id>1</report_id>"    \
    "<date_range><begin>1</begin><end>2</end></date_range></report_metadata><policy_published>"    \
    "<domain>example.com</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1"  \
    "</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>pass"      \
    "</dkim><spf>pass</spf></policy_evaluated></row><identifiers><header_from>example.com"         \
    "</header_from></identifiers><auth_results/></record></feedback>"
#define TLS_REPORT                                                                                 \
    "{\"organization-name\":\"x\",\"contact-info\":\"x@y\",\"report-id\":\"1\",\"date-range\":{"   \
    "\"start-datetime\":\"2026-11-20T00:00:00Z\",\"end-datetime\":\"2026-11-20T23:59:59Z\"},"      \
    "\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.com\"},"       \
    "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}]}"

static struct buf gzipped(struct span s)
{
    struct buf b = BUF(64 << 20);
    report_gzip(&b, s);
    return b;
}

struct file {
    const char *name;
    struct span bytes;
};

static struct buf zipped(const struct file *files, size_t count)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *whole = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *z = zip_open_from_source(whole, ZIP_TRUNCATE, &error);
    assert_non_null(z);
    zip_source_keep(whole);
    for (size_t i = 0; i < count; i++) {
        zip_source_t *s = zip_source_buffer(z, files[i].bytes.at, files[i].bytes.len, 0);
        assert_true(zip_file_add(z, files[i].name, s, ZIP_FL_ENC_UTF_8) >= 0);
    }
    assert_int_equal(zip_close(z), 0);
    zip_stat_t st;
    assert_int_equal(zip_source_stat(whole, &st), 0);
    struct buf b = BUF(64 << 20);
    assert_true(rc_ok(buf_reserve(&b, st.size)));
    zip_source_open(whole);
    b.len = (size_t)zip_source_read(whole, b.at, st.size);
    zip_source_close(whole);
    zip_source_free(whole);
    zip_error_fini(&error);
    return b;
}

static void expect_notes(struct span bytes, const char *what, const char *notes)
{
    struct report_notes n;
    const char *said = take(bytes, &n);
    if (strcmp(said, what) != 0 || strcmp(notes_line(&n), notes) != 0)
        fail_msg("%s | %s, not %s | %s", said, notes_line(&n), what, notes);
}

static void expect(struct buf b, const char *what, const char *notes) // frees
{
    expect_notes(buf_span(&b), what, notes);
    buf_free(&b);
}

static void test_plain(void **state)
{
    (void)state;
    expect_notes(SPAN(A_REPORT), "dmarc plain 1", "");
    expect_notes(SPAN(TLS_REPORT), "tlsrpt plain 1", "");
    expect_notes(SPAN("\xef\xbb\xbf \r\n" A_REPORT), "dmarc plain 1", "");
    expect_notes(SPAN(""), "fault: It is empty.", "");
    expect_notes(SPAN(" \n"), "fault: It is empty.", "");
    expect_notes(SPAN("hello"), "fault: It is neither XML nor JSON, packed or plain.", "");
    expect_notes(SPAN("%PDF-1.4\nx"), "fault: It is neither XML nor JSON, packed or plain.", "");
}

static void test_gzip(void **state)
{
    (void)state;
    struct buf gz = gzipped(SPAN(A_REPORT)), two = BUF(1 << 20);
    expect_notes(buf_span(&gz), "dmarc gzip 1", "");
    for (size_t len = 2; len < gz.len; len++)
        expect_notes(span_first(buf_span(&gz), len), "fault: The gzip stream is cut short.", "");
    buf_put(&two, buf_span(&gz));
    buf_put(&two, SPAN("\0\0\0"));
    expect_notes(buf_span(&two), "dmarc gzip 1", "");
    buf_put(&two, SPAN("x"));
    expect_notes(buf_span(&two), "dmarc gzip 1", "GZIP_TRAILER:1");
    gz.at[gz.len - 6] ^= 1;
    expect_notes(buf_span(&gz), "fault: The gzip stream is damaged: incorrect data check.", "");
    buf_free(&gz);
    struct buf half = gzipped(span_first(SPAN(A_REPORT), 100)),
               rest = gzipped(span_skip(SPAN(A_REPORT), 100));
    buf_put(&half, buf_span(&rest));
    expect(half, "dmarc gzip 1", ""); // two members (RFC 1952 §2.2)
    buf_free(&rest);
    buf_free(&two);
    expect(gzipped(SPAN("")), "fault: It is empty.", "");
    expect(gzipped(SPAN("hello")), "fault: It is neither XML nor JSON, packed or plain.", "");
}

static void test_nested(void **state)
{
    (void)state;
    struct buf one = gzipped(SPAN(A_REPORT)), two = gzipped(buf_span(&one)),
               three = gzipped(buf_span(&two));
    expect_notes(buf_span(&two), "dmarc gzip 1", "PACKED_TWICE:1");
    expect_notes(buf_span(&three), "fault: It is an archive in an archive.", "PACKED_TWICE:1");
    const struct file gz[] = {{"r.xml.gz", buf_span(&one)}};
    struct buf zip_gz = zipped(gz, 1);
    expect_notes(buf_span(&zip_gz), "dmarc gzip 1", "PACKED_TWICE:1");
    const struct file inner[] = {{"r.zip", buf_span(&zip_gz)}};
    expect(zipped(inner, 1), "fault: It is a zip archive in a zip archive.", "");
    expect(gzipped(buf_span(&zip_gz)), "fault: It is an archive in an archive.", "");
    buf_free(&one);
    buf_free(&two);
    buf_free(&three);
    buf_free(&zip_gz);
}

static void test_zip(void **state)
{
    (void)state;
    const struct file files[] = {{"readme.txt", SPAN("read me")},
                                 {"__MACOSX/._r.xml", SPAN("x")},
                                 {"folder/", SPAN("")},
                                 {"r.xml", SPAN(A_REPORT)},
                                 {"t.json", SPAN(TLS_REPORT)}};
    struct buf one = zipped(files + 3, 1);
    expect_notes(buf_span(&one), "dmarc zip 1", "");
    struct report_notes n;
    for (size_t len = 4; len < one.len; len++) // no stump crashes, or is taken for a report
        assert_true(
            span_starts(span_str(take(span_first(buf_span(&one), len), &n)), SPAN("fault: ")));
    for (size_t i = 4; i < one.len; i++) { // nor does one changed byte
        one.at[i] ^= 0x55;
        (void)take(buf_span(&one), &n);
        one.at[i] ^= 0x55;
    }
    buf_free(&one);
    expect(zipped(files, 5), "dmarc zip 1; tlsrpt zip 1", "ZIP_OTHER_FILES:1");
    expect(zipped(files, 3), "fault: There is no report in the zip archive.", "ZIP_OTHER_FILES:1");
    const struct file spoilt[] = {
        {"r.xml", SPAN(A_REPORT)}, {"b.gz", SPAN("\x1f\x8b")}, {"s.xml", SPAN(A_REPORT)}};
    expect(zipped(spoilt, 3), "dmarc zip 1; dmarc zip 1", "BROKEN_PART:1 PACKED_TWICE:1");
    expect(zipped(spoilt + 1, 1), "fault: The gzip stream is cut short.", "PACKED_TWICE:1");
    static struct file many[65];
    static char names[65][8];
    for (unsigned i = 0; i < 65; i++) {
        snprintf(names[i], sizeof names[i], "%u", i);
        many[i] = (struct file){names[i], SPAN(A_REPORT)};
    }
    expect(zipped(many, 65), "fault: The zip archive has more than 64 files.", "");
    expect(
        zipped(many, 20),
        "dmarc zip 1; dmarc zip 1; dmarc zip 1; dmarc zip 1; dmarc zip 1; dmarc zip 1; dmarc zip "
        "1; dmarc zip 1; dmarc zip 1; dmarc zip 1; dmarc zip 1; dmarc zip 1; dmarc zip 1; dmarc "
        "zip 1; dmarc zip 1; dmarc zip 1",
        "MORE_REPORTS:4");
}

static void test_bombs(void **state)
{
    (void)state;
    struct buf zeros = BUF(64 << 20);
    assert_true(rc_ok(buf_reserve(&zeros, 12 << 20)));
    memset(zeros.at, ' ', 12 << 20);
    zeros.len = 12 << 20;
    expect(gzipped(buf_span(&zeros)), "fault: It unpacks to more than 500 times its size.", "");
    const struct file files[] = {{"r.xml", buf_span(&zeros)}};
    expect(zipped(files, 1), "fault: It unpacks to more than 500 times its size.", "");
    // Hard to compress, and still too large.
    for (size_t i = 0; i < zeros.len; i++)
        zeros.at[i] = (char)('a' + (i * i >> 7) % 23 + i % 3);
    struct buf gz = gzipped(buf_span(&zeros));
    struct report_limits limits = {.document_max = 1 << 20, .total_max = 8 << 20, .ratio_max = 500};
    struct arena a = ARENA(1 << 20);
    struct report_notes n = {0};
    struct report_unpacked u;
    assert_int_equal(report_unpack(&u, buf_span(&gz), &limits, &a, &n).code, RC_TOO_LARGE);
    assert_string_equal(n.fault, "Unpacked it is larger than 1048576 bytes.");
    report_unpacked_free(&u);
    arena_free(&a);
    buf_free(&gz);
    buf_free(&zeros);
}

// 100 MB of XML: too large as a file, a bomb when packed; read in pieces it costs time, not memory.
static void test_100_megabytes(void **state)
{
    (void)state;
    struct buf b = BUF(128 << 20);
    static char blanks[4096];
    size_t end = sizeof A_REPORT - 1 - 11;
    memset(blanks, '\n', sizeof blanks);
    buf_put(&b, span_first(SPAN(A_REPORT), end));
    while (b.len < 100 << 20) {
        buf_put(&b, SPAN("<!-- filled up -->"));
        buf_put(&b, SPAN_OF(blanks));
    }
    buf_put(&b, SPAN("</feedback>"));
    expect_notes(buf_span(&b), "fault: It is larger than 67108864 bytes.", "");
    expect(gzipped(buf_span(&b)), "fault: It unpacks to more than 500 times its size.", "");
    struct arena a = ARENA(1 << 16);
    struct report_notes n = {0};
    struct report_dmarc d;
    assert_true(rc_ok(report_dmarc_read(&d, buf_span(&b), &a, &n)));
    assert_int_equal(d.record_count, 1);
    assert_int_equal(report_notes_count(&n), 0);
    arena_free(&a);
    buf_free(&b);
}

// --- Mail.

#define HEAD                                                                                       \
    "From: r@example.net\r\nSubject: Report Domain: example.com\r\n\tSubmitter: example.net\r\n"   \
    "MIME-Version: 1.0\r\n"

static void base64_put(struct buf *b, struct span s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; s.len; s = span_skip(s, 3)) {
        unsigned v = 0;
        size_t n = s.len < 3 ? s.len : 3;
        for (size_t i = 0; i < 3; i++)
            v = v << 8 | (i < n ? (unsigned char)s.at[i] : 0);
        for (unsigned i = 0; i < 4; i++)
            buf_putc(b, i <= n ? digits[v >> (18 - 6 * i) & 63] : '=');
        if (s.len > 3 && b->len % 7 == 0)
            buf_put(b, SPAN("\r\n"));
    }
}

static struct buf mail(const char *type, struct span attachment)
{
    struct buf b = BUF(1 << 20);
    buf_printf(&b,
               HEAD "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
                    "Content-Type: %s; name=r\r\nContent-Transfer-Encoding: base64\r\n\r\n",
               type);
    base64_put(&b, attachment);
    buf_put(&b, SPAN("\r\n--b--\r\n"));
    return b;
}

static void test_mail(void **state)
{
    (void)state;
    struct buf gz = gzipped(SPAN(A_REPORT)), json = gzipped(SPAN(TLS_REPORT));
    const struct file files[] = {{"r.xml", SPAN(A_REPORT)}};
    struct buf zip = zipped(files, 1);
    expect(mail("application/gzip", buf_span(&gz)), "dmarc gzip 1", "");
    expect(mail("application/octet-stream", buf_span(&gz)), "dmarc gzip 1", "");
    expect(mail("application/zip", buf_span(&gz)), "dmarc gzip 1", "MISLABELLED:1");
    expect(mail("text/plain", buf_span(&zip)), "dmarc zip 1", "MISLABELLED:1");
    expect(mail("text/xml", SPAN(A_REPORT)), "dmarc plain 1", "");
    expect(mail("application/tlsrpt+gzip", buf_span(&json)), "tlsrpt gzip 1", "");
    expect(mail("application/tlsrpt+json", SPAN(TLS_REPORT)), "tlsrpt plain 1", "");
    expect(mail("application/gzip", span_first(buf_span(&gz), 50)),
           "fault: The gzip stream is cut short.", "");
    expect(mail("text/html", SPAN("<html>")), "fault: There is no report in the mail.", "");
    expect_notes(SPAN(HEAD "\r\nhello\r\n"), "fault: There is no report in the mail.", "");
    expect_notes(SPAN(HEAD
                      "Content-Type: text/xml\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                      "\r\n=3Cfeedback>=\r\n</feed=62ack>"),
                 "fault: The report does not say which days it is about.", "");
    expect_notes(SPAN("From x Mon\n" HEAD "\r\n" A_REPORT), "dmarc plain 1", "MISLABELLED:1");
    struct buf inner = mail("application/gzip", buf_span(&gz)), outer = BUF(1 << 20);
    buf_put(&outer, SPAN(HEAD "Content-Type: message/rfc822\r\n\r\n"));
    buf_put(&outer, buf_span(&inner));
    expect(outer, "dmarc gzip 1", ""); // forwarded
    buf_free(&inner);
    buf_free(&gz);
    buf_free(&json);
    buf_free(&zip);
}

// One bad attachment does not spoil the others; the fields of the head are there.
static void test_mail_of_several(void **state)
{
    (void)state;
    struct buf b = BUF(1 << 20);
    buf_put(&b,
            SPAN(HEAD "TLS-Report-Domain: example.com\r\nTLS-Report-Submitter: example.net\r\n"
                      "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                      "--b\r\nContent-Type: application/gzip\r\n\r\n\x1f\x8bnonsense\r\n"
                      "--b\r\nContent-Type: text/xml\r\n\r\n" A_REPORT "\r\n"
                      "--b\r\nContent-Type: application/json\r\n\r\n" TLS_REPORT "\r\n--b--\r\n"));
    struct arena a = ARENA(1 << 20);
    struct report_notes n = {0};
    struct report_unpacked u;
    assert_true(rc_ok(report_unpack(&u, buf_span(&b), &report_limits_usual, &a, &n)));
    assert_int_equal(u.count, 2);
    assert_true(u.mail && span_eq(u.from, SPAN("r@example.net")));
    assert_true(span_eq(u.subject, SPAN("Report Domain: example.com Submitter: example.net")));
    assert_true(span_eq(u.tls_domain, SPAN("example.com")));
    assert_true(span_eq(u.tls_submitter, SPAN("example.net")));
    assert_string_equal(notes_line(&n), "BROKEN_PART:1");
    assert_string_equal(n.fault, "");
    report_unpacked_free(&u);
    arena_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),  cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_nested), cmocka_unit_test(test_zip),
        cmocka_unit_test(test_bombs),  cmocka_unit_test(test_100_megabytes),
        cmocka_unit_test(test_mail),   cmocka_unit_test(test_mail_of_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
