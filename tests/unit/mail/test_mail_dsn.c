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
    enum { QUOTED = sizeof quoted / sizeof *quoted };
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
        cmocka_unit_test(every_recipient_is_there),
        cmocka_unit_test(a_full_buffer_is_seen),
        cmocka_unit_test(encoded_words_are_short_and_whole),
        cmocka_unit_test(xtext_is_decoded_leniently),
    };
    enum { SINGLE = sizeof single / sizeof *single };
    struct CMUnitTest tests[QUOTED + SINGLE];
    for (size_t i = 0; i < QUOTED; i++)
        tests[i] = (struct CMUnitTest){quoted[i].name, quoted_run, NULL, NULL, (void *)&quoted[i]};
    for (size_t i = 0; i < SINGLE; i++)
        tests[QUOTED + i] = single[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
