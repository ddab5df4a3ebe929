// What transport sees of a message's head, and the field it adds.
#include "base_buf.h"
#include "mail_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct scan_case {
    const char *name, *in;
    unsigned received;
    bool no, eight_bit, body;
    size_t head_len, longest;
};

static const struct scan_case scans[] = {
    {"nothing", "", 0, false, false, false, 0, 0},
    {"empty line only", "\r\n", 0, false, false, true, 2, 2},
    {"one field", "A: b\r\n\r\nbody\r\n", 0, false, false, true, 8, 6},
    {"no body", "A: b\r\n", 0, false, false, false, 6, 6},
    {"not even a line", "A: b", 0, false, false, false, 4, 4},
    {"received twice", "Received: x\r\nRECEIVED: y\r\n\r\n", 2, false, false, true, 28, 13},
    {"received folded counts once", "Received: x\r\n\tby y\r\n Received: z\r\n\r\n", 1, false,
     false, true, 36, 14},
    {"received in the body", "A: b\r\n\r\nReceived: x\r\n", 0, false, false, true, 8, 13},
    {"received without a body", "Received: x\r\n", 1, false, false, false, 13, 13},
    {"received with a blank", "Received : x\r\n\r\n", 1, false, false, true, 16, 14},
    {"not quite received", "Received-SPF: x\r\nX-Received: x\r\nReceived\r\n\r\n", 0, false, false,
     true, 44, 17},
    {"tls no", "TLS-Required: No\r\n\r\n", 0, true, false, true, 20, 18},
    {"tls no in any case", "tls-required:NO\r\n\r\n", 0, true, false, true, 19, 17},
    {"tls no folded", "TLS-Required:\r\n \t No \r\nA: b\r\n\r\n", 0, true, false, true, 31, 15},
    {"tls no at the end", "A: b\r\nTLS-Required: No\r\n", 0, true, false, false, 24, 18},
    {"tls no is not the first line of more", "TLS-Required: No\r\n thanks\r\n\r\n", 0, false, false,
     true, 29, 18},
    {"tls no earlier stays", "TLS-Required: No\r\nTLS-Required: yes\r\n\r\n", 0, true, false, true,
     39, 19},
    {"tls yes", "TLS-Required: Yes\r\n\r\n", 0, false, false, true, 21, 19},
    {"tls none", "TLS-Required: None\r\n\r\n", 0, false, false, true, 22, 20},
    {"tls empty", "TLS-Required:\r\n\r\n", 0, false, false, true, 17, 15},
    {"tls with a comment", "TLS-Required: No (really)\r\n\r\n", 0, false, false, true, 29, 27},
    {"tls no behind many blanks",
     "TLS-Required:                                                                    No\r\n\r\n",
     0, true, false, true, 87, 85},
    {"tls no past what is kept",
     "TLS-Required: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx No\r\n\r\n",
     0, false, false, true, 88, 86},
    {"tls no in the body", "\r\nTLS-Required: No\r\n", 0, false, false, true, 2, 18},
    {"tls no in another's fold", "Subject: x\r\n TLS-Required: No\r\n\r\n", 0, false, false, true,
     33, 19},
    {"8-bit head", "A: \xc3\xa9\r\n\r\n", 0, false, true, true, 9, 7},
    {"8-bit body", "A: b\r\n\r\n\xc3\xa9", 0, false, true, true, 8, 6},
    {"longest line last", "A: b\r\n\r\n0123456789", 0, false, false, true, 8, 10},
    {"line of a blank is no end", "A: b\r\n \r\nReceived: c\r\n\r\n", 1, false, false, true, 24,
     13},
    {"starts with a fold", " Received: c\r\n\r\n", 0, false, false, true, 16, 14},
};

static void scan_check(const struct mail_scan *s, const struct scan_case *c)
{
    assert_int_equal(s->received, c->received);
    assert_int_equal(s->tls_required_no, c->no);
    assert_int_equal(s->eight_bit, c->eight_bit);
    assert_true(s->eight_bit || !s->eight_bit_head);
    assert_int_equal(s->body_begun, c->body);
    assert_int_equal(s->head_len, c->head_len);
    assert_int_equal(s->line_longest, c->longest);
}

static void scan_run(void **state)
{
    const struct scan_case *c = *state;
    size_t len = strlen(c->in);
    for (size_t size = 1; size <= len + 1; size++) {
        struct mail_scan s = {0};
        for (size_t at = 0; at < len; at += size)
            mail_scan_feed(&s, span_first(span_skip(span_str(c->in), at), size));
        mail_scan_feed(&s, SPAN(""));
        scan_check(&s, c);
    }
}

static void a_head_without_end_is_bounded(void **state)
{
    (void)state;
    struct mail_scan s = {0};
    static char text[100000];
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 100; i++)
        mail_scan_feed(&s, SPAN_OF(text));
    assert_int_equal(s.head_len, 100 * sizeof text);
    assert_int_equal(s.line_longest, 100 * sizeof text);
    assert_false(s.body_begun);
}

static const struct mail_received simple = {
    .helo = {"client.example", 14},
    .client_address = {"192.0.2.1", 9},
    .by = {"mx.example.org", 14},
    .id = {"4f2", 3},
    .esmtp = true,
    .when = {INT64_C(1795312706) * 1000000},
};

static void received_is(const struct mail_received *r, const char *want)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    mail_received_put(&b, r);
    assert_string_equal(buf_str(&b), want);
}

static void received_plain(void **state)
{
    (void)state;
    received_is(&simple,
                "Received: from client.example ([192.0.2.1]) by mx.example.org with ESMTP\r\n"
                "\tid 4f2; Sun, 22 Nov 2026 01:58:26 +0000\r\n");
}

static void received_with_everything(void **state)
{
    (void)state;
    struct mail_received r = simple;
    r.client_name = SPAN("host.client.example");
    r.client_address = SPAN("IPv6:2001:db8::1");
    r.recipient = SPAN("someone@example.org");
    r.tls = r.authenticated = true;
    r.tls_version = SPAN("TLSv1.3");
    r.tls_cipher = SPAN("TLS_AES_256_GCM_SHA384");
    r.tls_peer = SPAN("client certificate verified");
    received_is(&r, "Received: from client.example (host.client.example [IPv6:2001:db8::1])\r\n"
                    "\tby mx.example.org with ESMTPSA id 4f2 for <someone@example.org>\r\n"
                    "\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3 client certificate verified);\r\n"
                    "\tSun, 22 Nov 2026 01:58:26 +0000\r\n");
}

static void received_with_values(void **state)
{
    (void)state;
    static const struct {
        bool esmtp, tls, authenticated, utf8;
        const char *with;
    } cases[] = {
        {false, false, false, false, " with SMTP\r\n"},
        {true, false, false, false, " with ESMTP\r\n"},
        {true, true, false, false, " with ESMTPS\r\n"},
        {true, false, true, false, " with ESMTPA\r\n"},
        {true, true, true, false, " with ESMTPSA"},
        {true, false, false, true, " with UTF8SMTP"},
        {true, true, false, true, " with UTF8SMTPS"},
        {true, false, true, true, " with UTF8SMTPA"},
        {true, true, true, true, " with UTF8SMTPSA"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(buf_free) struct buf b = BUF(4096);
        struct mail_received r = simple;
        r.esmtp = cases[i].esmtp;
        r.tls = cases[i].tls;
        r.authenticated = cases[i].authenticated;
        r.utf8 = cases[i].utf8;
        mail_received_put(&b, &r);
        const char *with = strstr(buf_str(&b), "with");
        assert_non_null(with);
        assert_memory_equal(with, strstr(cases[i].with, "with"),
                            strcspn(strstr(cases[i].with, "with"), "\r"));
    }
}

static void received_cipher_that_is_no_registered_name_is_a_comment(void **state)
{
    (void)state;
    struct mail_received r = simple;
    r.tls = true;
    r.tls_version = SPAN("TLSv1.2");
    r.tls_cipher = SPAN("ECDHE-RSA-AES256-GCM-SHA384");
    received_is(
        &r, "Received: from client.example ([192.0.2.1]) by mx.example.org with ESMTPS\r\n"
            "\tid 4f2 (TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384); Sun, 22 Nov 2026 01:58:26 +0000\r\n");
}

struct helo_case {
    const char *name, *helo, *want; // up to the comment
};
static const struct helo_case helos[] = {
    {"helo empty", "", "unknown"},
    {"helo literal", "[192.0.2.7]", "[192.0.2.7]"},
    {"helo literal of six", "[IPv6:2001:db8::7]", "[IPv6:2001:db8::7]"},
    {"helo ends the line", "a\r\nX-Evil: yes", "a??X-Evil:?yes"},
    {"helo opens a comment", "a (b", "a??b"},
    {"helo closes a comment", "a) by evil (", "a??by?evil??"},
    {"helo with a semicolon", "a; Sun, 1 Jan 1990", "a??Sun??1?Jan?1990"},
    {"helo half a literal", "[192.0.2.7", "?192.0.2.7"},
    {"helo literal in a literal", "[[x]]", "[?x?]"},
    {"helo with quotes", "\"a\\", "?a?"},
    {"helo 8-bit", "b\xc3\xbc", "b??"},
    {"helo blank", " ", "?"},
};

static void helo_run(void **state)
{
    const struct helo_case *c = *state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    CLEANUP(buf_free) struct buf want = BUF(4096);
    struct mail_received r = simple;
    r.helo = span_str(c->helo);
    mail_received_put(&b, &r);
    buf_printf(&want, "Received: from %s ([192.0.2.1]) ", c->want);
    assert_memory_equal(buf_str(&b), buf_str(&want), want.len - 1);
}

static void received_long_helo_is_cut(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    char helo[2000];
    memset(helo, 'a', sizeof helo);
    struct mail_received r = simple;
    r.helo = r.client_name = r.client_address = SPAN_OF(helo);
    mail_received_put(&b, &r);
    assert_true(b.len < 3 * 255 + 200);
    struct span rest = buf_span(&b);
    while (rest.len)
        assert_true(span_cut(&rest, '\n').len < 300);
}

static void received_odd_recipient_is_left_out(void **state)
{
    (void)state;
    struct mail_received r = simple;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    r.recipient = SPAN("a\r\nb@c");
    mail_received_put(&b, &r);
    r.recipient = SPAN("\xc3\xa9@c");
    mail_received_put(&b, &r);
    assert_null(strstr(buf_str(&b), "for"));
    r.utf8 = true;
    mail_received_put(&b, &r);
    assert_non_null(strstr(buf_str(&b), "for <\xc3\xa9@c>"));
}

int main(void)
{
    enum { SCANS = sizeof scans / sizeof *scans, HELOS = sizeof helos / sizeof *helos };
    const struct CMUnitTest single[] = {
        cmocka_unit_test(a_head_without_end_is_bounded),
        cmocka_unit_test(received_plain),
        cmocka_unit_test(received_with_everything),
        cmocka_unit_test(received_with_values),
        cmocka_unit_test(received_cipher_that_is_no_registered_name_is_a_comment),
        cmocka_unit_test(received_long_helo_is_cut),
        cmocka_unit_test(received_odd_recipient_is_left_out),
    };
    enum { SINGLE = sizeof single / sizeof *single };
    struct CMUnitTest tests[SCANS + HELOS + SINGLE];
    for (size_t i = 0; i < SCANS; i++)
        tests[i] = (struct CMUnitTest){scans[i].name, scan_run, NULL, NULL, (void *)&scans[i]};
    for (size_t i = 0; i < HELOS; i++)
        tests[SCANS + i] =
            (struct CMUnitTest){helos[i].name, helo_run, NULL, NULL, (void *)&helos[i]};
    for (size_t i = 0; i < SINGLE; i++)
        tests[SCANS + HELOS + i] = single[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
