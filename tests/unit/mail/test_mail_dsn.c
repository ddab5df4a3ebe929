// Notices: their form, and that nothing foreign can break it.
#include "mail_dsn.h"
#include "mail_encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct mail_dsn_recipient one = {
    .address = {"user@example.org", 16},
    .status = {"5.1.1", 5},
    .reason = {"The server of example.org does not know this user.", 50},
    .remote_mta = {"mx.example.org", 14},
    .diagnostic = {"550 5.1.1 no such user", 22},
};

static struct mail_dsn notice(const struct mail_dsn_recipient *r)
{
    return (struct mail_dsn){
        .reporting_mta = SPAN("mail.example.net"),
        .to = SPAN("sender@example.net"),
        .message_id = SPAN("4f2.1@mail.example.net"),
        .arrived = {INT64_C(1795312706) * 1000000},
        .now = {INT64_C(1795312707) * 1000000},
        .recipients = r,
        .count = 1,
        .original = SPAN("From: sender@example.net\r\nSubject: hello\r\n\r\n"),
    };
}

static const char expected[] = "Date: Sun, 22 Nov 2026 01:58:27 +0000\r\n"
                               "From: Mail Delivery System <MAILER-DAEMON@mail.example.net>\r\n"
                               "To: <sender@example.net>\r\n"
                               "Subject: Your message could not be delivered\r\n"
                               "Message-ID: <4f2.1@mail.example.net>\r\n"
                               "Auto-Submitted: auto-replied\r\n"
                               "MIME-Version: 1.0\r\n"
                               "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                               "\tboundary=\"=_0_4f2-1-mail-example-net\"\r\n"
                               "\r\n"
                               "--=_0_4f2-1-mail-example-net\r\n"
                               "Content-Type: text/plain; charset=us-ascii\r\n"
                               "Content-Transfer-Encoding: 7bit\r\n"
                               "\r\n"
                               "The server of example.org does not know this user.\r\n"
                               "\r\n"
                               "This is the mail server mail.example.net.\r\n"
                               "It received your message on Sun, 22 Nov 2026 01:58:26 +0000,\r\n"
                               "could not deliver it to the recipients below, and has given up.\r\n"
                               "\r\n"
                               "<user@example.org>:\r\n"
                               "    The server of example.org does not know this user.\r\n"
                               "    mx.example.org said: 550 5.1.1 no such user\r\n"
                               "\r\n"
                               "--=_0_4f2-1-mail-example-net\r\n"
                               "Content-Type: message/delivery-status\r\n"
                               "\r\n"
                               "Reporting-MTA: dns; mail.example.net\r\n"
                               "Arrival-Date: Sun, 22 Nov 2026 01:58:26 +0000\r\n"
                               "\r\n"
                               "Final-Recipient: rfc822; user@example.org\r\n"
                               "Action: failed\r\n"
                               "Status: 5.1.1\r\n"
                               "Remote-MTA: dns; mx.example.org\r\n"
                               "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
                               "\r\n"
                               "--=_0_4f2-1-mail-example-net\r\n"
                               "Content-Type: text/rfc822-headers\r\n"
                               "Content-Transfer-Encoding: 7bit\r\n"
                               "\r\n"
                               "From: sender@example.net\r\n"
                               "Subject: hello\r\n"
                               "\r\n"
                               "--=_0_4f2-1-mail-example-net--\r\n";

static void a_notice_byte_for_byte(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn d = notice(&one);
    mail_dsn_put(&b, &d);
    assert_string_equal(buf_str(&b), expected);
}

static const char *made(struct buf *b, const struct mail_dsn *d)
{
    buf_clear(b);
    mail_dsn_put(b, d);
    assert_true(mail_is_7bit(buf_span(b)));
    return buf_str(b);
}

static void assert_has(const char *text, const char *what)
{
    if (strstr(text, what))
        return;
    print_message("# wanted: %s\n", what);
    fail();
}

static void xtext_parameters_are_decoded(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn_recipient r = one;
    r.orcpt = SPAN("rfc822;a+2Bb+3Dc@example.com");
    struct mail_dsn d = notice(&r);
    d.envid = SPAN("id+2B1+0D+0AX-Evil:+20y");
    const char *text = made(&b, &d);
    assert_has(text, "\r\nOriginal-Recipient: rfc822;a+b=c@example.com\r\n");
    assert_has(text, "\r\nOriginal-Envelope-Id: id+1 X-Evil: y\r\n");
}

static void eight_bit_reply_is_utf8_for_people_and_ascii_for_programs(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn_recipient r = one;
    r.diagnostic = SPAN("550 Empf\xc3\xa4nger unbekannt \xff");
    struct mail_dsn d = notice(&r);
    const char *text = made(&b, &d);
    assert_has(text, "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                     "\r\nThe server of example.org does not know this user.\r\n");
    assert_has(text, "said: 550 Empf=C3=A4nger unbekannt =EF=BF=BD\r\n");
    assert_has(text, "Diagnostic-Code: smtp; 550 Empf\\x{E4}nger unbekannt ?\r\n");
}

static void internationalised_recipient_has_its_own_type(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn_recipient r = one;
    r.address = SPAN("\xe7\x94\xa8+\\x@example.org");
    struct mail_dsn d = notice(&r);
    assert_has(made(&b, &d),
               "\r\nFinal-Recipient: utf-8; \\x{7528}\\x{2B}\\x{5C}x@example.org\r\n");
}

static void quoted_recipient_keeps_its_blanks(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn_recipient r = one;
    r.address = SPAN("\"a  b\"@example.org");
    struct mail_dsn d = notice(&r);
    assert_has(made(&b, &d), "\r\nFinal-Recipient: rfc822; \"a  b\"@example.org\r\n");
}

static void internationalised_sender_is_an_empty_group(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn d = notice(&one);
    d.to = SPAN("\xe7\x94\xa8@example.net");
    assert_has(made(&b, &d), "\r\nTo: =?utf-8?Q?=E7=94=A8=40example=2Enet?= :;\r\n");
}

static void replies_with_line_ends_stay_one_line(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn_recipient r = one;
    r.diagnostic = SPAN("550 a\r\nAction: delivered\r\n\r\n--=_0_4f2-1-mail-example-net--");
    r.reason = SPAN("No\nentry\r\n.\r\n");
    struct mail_dsn d = notice(&r);
    const char *text = made(&b, &d);
    assert_null(strstr(text, "\nAction: delivered"));
    assert_has(text, "\r\n\r\nNo entry  .  \r\n");
}

static void odd_status_becomes_five(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    const char *bad[] = {"", "5", "5.1", "2.0.0", "5.1.1.1", "5.1.1111", "5.x.1", "5.1.1\r\nX: y"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mail_dsn_recipient r = one;
        r.status = span_str(bad[i]);
        struct mail_dsn d = notice(&r);
        assert_has(made(&b, &d), "\r\nStatus: 5.0.0\r\n");
    }
}

static void raw_eight_bit_header_is_quoted_printable(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn d = notice(&one);
    d.original = SPAN("Subject: caf\xe9\r\n");
    assert_has(made(&b, &d), "Content-Type: text/rfc822-headers\r\n"
                             "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                             "Subject: caf=E9\r\n");
}

static void utf8_header_has_its_own_type(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn d = notice(&one);
    d.original = SPAN("Subject: caf\xc3\xa9\r\n\r\n");
    assert_has(made(&b, &d), "Content-Type: message/global-headers\r\n"
                             "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                             "Subject: caf=C3=A9\r\n\r\n--");
}

static void long_header_is_cut_at_a_line(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    CLEANUP(buf_free) struct buf head = BUF(1 << 20);
    while (head.len < 200000)
        buf_put(&head, SPAN("X-Field: some text that is neither long nor short\r\n"));
    struct mail_dsn d = notice(&one);
    d.original = buf_span(&head);
    const char *text = made(&b, &d);
    assert_true(b.len < 65536 + 4096);
    assert_has(text, "short\r\n\r\n--=_0_4f2-1-mail-example-net--\r\n");
}

static void header_with_endless_lines_is_legal(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    static char head[60000];
    memset(head, 'x', sizeof head);
    struct mail_dsn d = notice(&one);
    d.original = SPAN_OF(head);
    assert_has(made(&b, &d), "quoted-printable");
}

static void boundary_keeps_off_the_header(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn d = notice(&one);
    d.original = SPAN("X: y\r\n--=_0_4f2-1-mail-example-net--\r\n");
    assert_has(made(&b, &d), "boundary=\"=_1_4f2-1-mail-example-net\"");
}

static void requiretls_returns_nothing(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn d = notice(&one);
    d.leave_out_original = true;
    const char *text = made(&b, &d);
    assert_null(strstr(text, "hello"));
    assert_null(strstr(text, "rfc822-headers"));
    assert_has(text, "REQUIRETLS");
}

static void each_action_has_its_words(void **state)
{
    static const struct {
        enum mail_dsn_action action;
        const char *status, *want[4];
    } cases[] = {
        {MAIL_DSN_FAILED,
         "5.1.1",
         {"Subject: Your message could not be delivered\r\n", "Action: failed\r\n",
          "Status: 5.1.1\r\n", "has given up"}},
        {MAIL_DSN_DELAYED,
         "4.2.0",
         {"Subject: Your message has not been delivered yet\r\n", "Action: delayed\r\n",
          "Status: 4.2.0\r\n", "Will-Retry-Until: Sun, 22 Nov 2026 01:58:28 +0000\r\n"}},
        {MAIL_DSN_DELAYED, "5.1.1", {"Status: 4.0.0\r\n", "it is tried until Sun, 22 Nov", "", ""}},
        {MAIL_DSN_DELIVERED,
         "2.1.5",
         {"Subject: Your message was delivered\r\n", "Action: delivered\r\n", "Status: 2.1.5\r\n",
          "has delivered it"}},
        {MAIL_DSN_RELAYED,
         "",
         {"Subject: Your message was passed on\r\n", "Action: relayed\r\n", "Status: 2.0.0\r\n",
          "does not\r\nconfirm delivery"}},
        {MAIL_DSN_EXPANDED,
         "5.0.0",
         {"Action: expanded\r\n", "Status: 2.0.0\r\n", "stand for", ""}},
    };
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail_dsn_recipient r = one;
        r.status = span_str(cases[i].status);
        r.tried.us = INT64_C(1795312706) * 1000000;
        struct mail_dsn d = notice(&r);
        d.action = cases[i].action;
        d.retry_until.us = INT64_C(1795312708) * 1000000;
        const char *text = made(&b, &d);
        for (size_t k = 0; k < 4; k++)
            assert_has(text, cases[i].want[k]);
        assert_has(text, "\r\nLast-Attempt-Date: Sun, 22 Nov 2026 01:58:26 +0000\r\n");
        assert_int_equal(strstr(text, "Will-Retry-Until") != NULL, d.action == MAIL_DSN_DELAYED);
    }
}

#define ASCII_HEAD "Subject: hello\r\n\r\n"
#define UTF8_HEAD  "Subject: caf\xc3\xa9\r\n\r\n"

static const struct whole_case {
    const char *name, *message, *type, *encoding, *has;
    bool eight_bit;
} wholes[] = {
    {"whole 7-bit", ASCII_HEAD "body\r\n", "message/rfc822", "7bit", ASCII_HEAD "body\r\n", false},
    {"whole 8-bit", ASCII_HEAD "caf\xc3\xa9\r\n", "message/rfc822", "8bit",
     ASCII_HEAD "caf\xc3\xa9\r\n", true},
    {"whole with bytes of no character set", ASCII_HEAD "\xe9\r\n", "message/rfc822", "8bit",
     ASCII_HEAD "\xe9\r\n", true},
    {"whole with a UTF-8 header", UTF8_HEAD "caf\xc3\xa9\r\n", "message/global", "quoted-printable",
     "Subject: caf=C3=A9\r\n\r\ncaf=C3=A9\r\n", false},
    {"whole with a broken header", "Subject: \xe9\r\n\r\nbody\r\n", "text/rfc822-headers",
     "quoted-printable", "cannot be returned whole", false},
    {"whole with bare line ends", ASCII_HEAD "body\n", "text/rfc822-headers", "7bit",
     "cannot be returned whole", false},
    {"whole without end", ASCII_HEAD "body", "message/rfc822", "7bit", ASCII_HEAD "body\r\n",
     false},
};

static void whole_run(void **state)
{
    const struct whole_case *c = *state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20), want = BUF(1000);
    struct mail_dsn d = notice(&one);
    d.original = span_str(c->message);
    d.whole = true;
    mail_dsn_put(&b, &d);
    assert_int_equal(mail_is_7bit(buf_span(&b)), !c->eight_bit);
    assert_true(mail_is_8bit(buf_span(&b)));
    buf_printf(&want, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", c->type,
               c->encoding);
    assert_has(buf_str(&b), buf_str(&want));
    assert_has(buf_str(&b), c->has);
}

static void too_large_is_said(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn d = notice(&one);
    d.too_large = true;
    const char *text = made(&b, &d);
    assert_has(text, "too large to be returned whole");
    assert_has(text, "text/rfc822-headers");
}

static void who_knows_smtputf8_gets_addresses_as_they_are(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct mail_dsn_recipient r = one;
    struct mail_dsn d = notice(&r);
    d.utf8 = true;
    assert_has(made(&b, &d), "Content-Type: message/delivery-status\r\n\r\n"); // all is ASCII
    r.address = SPAN("\xe7\x94\xa8@example.org");
    r.orcpt = SPAN("utf-8;\\x{7528}\\x{2B}x@example.org");
    const char *text = made(&b, &d);
    assert_has(text, "Content-Type: message/global-delivery-status\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    assert_has(text, "\r\nOriginal-Recipient: utf-8;=E7=94=A8+x@example.org\r\n");
    assert_has(text, "\r\nFinal-Recipient: utf-8; =E7=94=A8@example.org\r\n");
}

static void unitext_is_undone_where_it_is_a_character(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"a\\x{7528}b", "a\xe7\x94\xa8"
                        "b"},
        {"\\x{5C}\\x{2B}\\x{20}", "\\+ "},
        {"\\x{10FFFF}\\x{E9}", "\xf4\x8f\xbf\xbf\xc3\xa9"},
        {"\\x{D800}\\x{110000}\\x{0A}\\x{}\\x{9", "\\x{D800}\\x{110000}\\x{0A}\\x{}\\x{9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(buf_free) struct buf b = BUF(1000);
        mail_unitext_decode(&b, span_str(cases[i].in));
        assert_string_equal(buf_str(&b), cases[i].want);
    }
}

static void a_redacted_notice_keeps_what_we_wrote(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20), less = BUF(1 << 20);
    struct mail_dsn d = notice(&one);
    d.original = SPAN("Subject: secret\r\n\r\nsecret\r\n");
    d.whole = true;
    mail_dsn_put(&b, &d);
    for (int ours = 0; ours < 2; ours++) {
        buf_clear(&less);
        mail_dsn_redact(&less, buf_span(&b), ours);
        const char *text = buf_str(&less);
        assert_true(mail_is_7bit(buf_span(&less)));
        assert_null(strstr(text, "secret"));
        assert_has(text, "multipart/report; report-type=delivery-status;");
        assert_has(text, "\r\n\r\nReporting-MTA: dns; mail.example.net\r\n");
        assert_has(text, "\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n");
        assert_has(text, "Message-ID: <4f2.1@mail.example.net>\r\n");
        assert_has(text, "is left out");
        assert_int_equal(strstr(text, "does not know this user") != NULL, ours);
    }
}

static void what_is_no_report_says_only_that_it_was_there(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    mail_dsn_redact(
        &b, SPAN("From: a@b.example\r\nDKIM-Signature: x\r\nSubject: secret\r\n\r\nsecret\r\n"),
        false);
    assert_has(buf_str(&b), "From: a@b.example\r\n");
    assert_has(buf_str(&b), "is left out");
    assert_null(strstr(buf_str(&b), "secret"));
    assert_null(strstr(buf_str(&b), "DKIM"));
}

static void every_recipient_is_there(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 22);
    static struct mail_dsn_recipient many[1000];
    static char address[1000][32];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(address[i], sizeof *address, "user%u@example.org", i);
        many[i] = one;
        many[i].address = span_str(address[i]);
    }
    struct mail_dsn d = notice(many);
    d.count = 1000;
    const char *text = made(&b, &d);
    assert_has(text, "\r\n<user999@example.org>:\r\n");
    assert_has(text, "\r\nFinal-Recipient: rfc822; user999@example.org\r\n");
}

static void a_full_buffer_is_seen(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(500);
    struct mail_dsn d = notice(&one);
    mail_dsn_put(&b, &d);
    assert_false(rc_ok(buf_state(&b)));
}

struct quoted_case {
    const char *name, *in, *want;
};
static const struct quoted_case quoted[] = {
    {"quoted nothing", "", ""},
    {"quoted plain", "a b\tc", "a b\tc"},
    {"quoted equals", "a=b", "a=3Db"},
    {"quoted blank at the end of a line", "a \r\nb\t\r\n", "a=20\r\nb=09\r\n"},
    {"quoted blank at the end", "a ", "a=20"},
    {"quoted bare line ends", "a\nb\rc\r\r\n", "a=0Ab=0Dc=0D\r\n"},
    {"quoted 8-bit", "\x80\xff", "=80=FF"},
    {"quoted line of 75",
     "012345678901234567890123456789012345678901234567890123456789012345678901234",
     "012345678901234567890123456789012345678901234567890123456789012345678901234"},
    {"quoted line of 76",
     "0123456789012345678901234567890123456789012345678901234567890123456789012345",
     "012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n5"},
};

static void quoted_run(void **state)
{
    const struct quoted_case *c = *state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    mail_quoted_put(&b, span_str(c->in));
    assert_string_equal(buf_str(&b), c->want);
}

static void encoded_words_are_short_and_whole(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    CLEANUP(buf_free) struct buf in = BUF(4096);
    for (unsigned i = 0; i < 60; i++)
        buf_put(&in, SPAN("\xf0\x9f\x98\x80"));
    struct mail_fold f = mail_fold_open(&b, SPAN("X"));
    mail_encoded_words(&f, buf_span(&in));
    mail_fold_close(&f);
    struct span rest = buf_span(&b);
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        assert_true(line.len <= 78);
        assert_int_equal((line.len - (line.at[0] == 'X' ? 3 : 1) - 1 - 12) % 12, 0);
    }
}

static void xtext_is_decoded_leniently(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    mail_xtext_decode(&b, SPAN("a+2Bb+2+zz+2b+"));
    assert_string_equal(buf_str(&b), "a+b+2+zz+2b+");
}

int main(void)
{
    enum { QUOTED = sizeof quoted / sizeof *quoted, WHOLES = sizeof wholes / sizeof *wholes };
    const struct CMUnitTest single[] = {
        cmocka_unit_test(a_notice_byte_for_byte),
        cmocka_unit_test(xtext_parameters_are_decoded),
        cmocka_unit_test(eight_bit_reply_is_utf8_for_people_and_ascii_for_programs),
        cmocka_unit_test(internationalised_recipient_has_its_own_type),
        cmocka_unit_test(quoted_recipient_keeps_its_blanks),
        cmocka_unit_test(internationalised_sender_is_an_empty_group),
        cmocka_unit_test(replies_with_line_ends_stay_one_line),
        cmocka_unit_test(odd_status_becomes_five),
        cmocka_unit_test(raw_eight_bit_header_is_quoted_printable),
        cmocka_unit_test(utf8_header_has_its_own_type),
        cmocka_unit_test(long_header_is_cut_at_a_line),
        cmocka_unit_test(header_with_endless_lines_is_legal),
        cmocka_unit_test(boundary_keeps_off_the_header),
        cmocka_unit_test(requiretls_returns_nothing),
        cmocka_unit_test(each_action_has_its_words),
        cmocka_unit_test(too_large_is_said),
        cmocka_unit_test(who_knows_smtputf8_gets_addresses_as_they_are),
        cmocka_unit_test(unitext_is_undone_where_it_is_a_character),
        cmocka_unit_test(a_redacted_notice_keeps_what_we_wrote),
        cmocka_unit_test(what_is_no_report_says_only_that_it_was_there),
        cmocka_unit_test(every_recipient_is_there),
        cmocka_unit_test(a_full_buffer_is_seen),
        cmocka_unit_test(encoded_words_are_short_and_whole),
        cmocka_unit_test(xtext_is_decoded_leniently),
    };
    enum { SINGLE = sizeof single / sizeof *single };
    struct CMUnitTest tests[QUOTED + SINGLE + WHOLES];
    for (size_t i = 0; i < QUOTED; i++)
        tests[i] = (struct CMUnitTest){quoted[i].name, quoted_run, NULL, NULL, (void *)&quoted[i]};
    for (size_t i = 0; i < SINGLE; i++)
        tests[QUOTED + i] = single[i];
    for (size_t i = 0; i < WHOLES; i++)
        tests[QUOTED + SINGLE + i] =
            (struct CMUnitTest){wholes[i].name, whole_run, NULL, NULL, (void *)&wholes[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
