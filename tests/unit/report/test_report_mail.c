// The mail a report leaves in, and where it goes.
#include "help.h"
#include "mail_encode.h"
#include "report_dmarc.h"
#include "report_https.h"
#include "report_mail.h"
#include "report_rua.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct dns_name name(const char *text)
{
    struct dns_name n;
    assert_true(dns_name_parse(&n, span_str(text)));
    return n;
}

static struct report_cover cover(enum report_kind kind)
{
    return (struct report_cover){.kind = kind,
                                 .submitter = name("mail.example.org"),
                                 .policy_domain = name("example.com"),
                                 .begin = {SECONDS(1795132800)},
                                 .end = {SECONDS(1795219199)},
                                 .unique = SPAN("4f1a"),
                                 .id = SPAN("4f1a")};
}

static void test_names(void **state)
{
    (void)state;
    struct buf b = BUF(4096);
    struct report_cover c = cover(REPORT_TLSRPT);
    report_name_put(&b, &c);
    assert_string_equal(buf_str(&b),
                        "mail.example.org!example.com!1795132800!1795219199!4f1a.json.gz");
    buf_clear(&b);
    report_id_put(&b, &c);
    assert_string_equal(buf_str(&b), "2026-11-20.example.com.4f1a@mail.example.org");
    buf_clear(&b);
    report_subject_put(&b, &c);
    assert_string_equal(buf_str(&b), "Report Domain: example.com Submitter: mail.example.org "
                                     "Report-ID: <4f1a@mail.example.org>");
    c = cover(REPORT_DMARC);
    c.unique = SPAN("");
    buf_clear(&b);
    report_name_put(&b, &c);
    assert_string_equal(buf_str(&b), "mail.example.org!example.com!1795132800!1795219199.xml.gz");
    c.unique = SPAN("../x\r\n!\"");
    buf_clear(&b);
    report_id_put(&b, &c);
    assert_string_equal(buf_str(&b), "x");
    buf_free(&b);
}

static const struct span readers[] = {{"tls@example.com", 15}, {"more@example.com", 16}};

static struct report_mail letter(enum report_kind kind, struct span packed)
{
    return (struct report_mail){.cover = cover(kind),
                                .from = SPAN("reports@mail.example.org"),
                                .from_name = SPAN("Reports"),
                                .to = readers,
                                .to_count = 2,
                                .message_id = SPAN("4f1a@mail.example.org"),
                                .now = {SECONDS(1795222800)},
                                .packed = packed};
}

static void test_tls_mail(void **state)
{
    (void)state;
    struct buf b = BUF(1 << 16);
    struct report_mail m =
        letter(REPORT_TLSRPT, SPAN("not really a gzip stream, but long enough to "
                                   "need a second line of base64"));
    m.summary = SPAN("All 4 sessions were fine.\r\n");
    report_mail_put(&b, &m);
    assert_string_equal(
        buf_str(&b),
        "From: \"Reports\" <reports@mail.example.org>\r\n"
        "To: <tls@example.com>, <more@example.com>\r\n"
        "Date: Sat, 21 Nov 2026 01:00:00 +0000\r\n"
        "Subject: Report Domain: example.com Submitter: mail.example.org Report-ID:\r\n"
        "\t<4f1a@mail.example.org>\r\n"
        "Message-ID: <4f1a@mail.example.org>\r\n"
        "TLS-Report-Domain: example.com\r\n"
        "TLS-Report-Submitter: mail.example.org\r\n"
        "TLS-Required: No\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=\"tlsrpt\"; "
        "boundary=\"=_report_4f1a\"\r\n"
        "\r\n"
        "--=_report_4f1a\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "This is an aggregate TLS report about example.com\r\n"
        "from mail.example.org.\r\n"
        "\r\n"
        "All 4 sessions were fine.\r\n"
        "\r\n"
        "--=_report_4f1a\r\n"
        "Content-Type: application/tlsrpt+gzip\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment;\r\n"
        "\tfilename=\"mail.example.org!example.com!1795132800!1795219199!4f1a.json.gz\"\r\n"
        "\r\n"
        "bm90IHJlYWxseSBhIGd6aXAgc3RyZWFtLCBidXQgbG9uZyBlbm91Z2ggdG8gbmVlZCBhIHNlY29u\r\n"
        "ZCBsaW5lIG9mIGJhc2U2NA==\r\n"
        "\r\n"
        "--=_report_4f1a--\r\n");
    buf_free(&b);
}

// Whatever the texts hold, the mail is legal, and what is in it comes out again.
static void test_hostile_mail(void **state)
{
    (void)state;
    static const struct span texts[] = {{"\r\nBcc: x@y\r\n\r\n--=_report_4f1a--\r\n", 33},
                                        {"\xff\0\x01 =_report", 13},
                                        {"\xc3\xa4\xe2\x82\xac \"\\", 8},
                                        {"", 0}};
    struct buf gz = BUF(1 << 16);
    report_gzip(&gz, SPAN("<feedback/>"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct report_notes n;
        struct buf b = BUF(1 << 16);
        struct report_mail m = letter(REPORT_DMARC, buf_span(&gz));
        m.from_name = m.summary = m.message_id = m.cover.id = texts[i];
        m.to = &texts[i];
        m.to_count = 1;
        report_mail_put(&b, &m);
        assert_true(mail_is_7bit(buf_span(&b)));
        const char *bcc = strstr(buf_str(&b), "\nBcc");
        assert_true(!bcc || bcc > strstr(buf_str(&b), "\r\n\r\n"));
        assert_string_equal(take(buf_span(&b), &n),
                            "fault: The report does not say which days it is about.");
        assert_string_equal(notes_line(&n), "");
        buf_free(&b);
    }
    buf_free(&gz);
}

// --- Where to.

static const struct {
    const char *uri, *domain, *organization, *out;
} dmarc[] = {
    {"mailto:a@example.com", "example.com", "", "send a@example.com"},
    {"mailto:a@sub.example.com", "example.com", "", "send a@sub.example.com"},
    {"mailto:a@example.com", "sub.example.com", "example.com", "send a@example.com"},
    {"mailto:a@example.com", "sub.example.com", "",
     "ask sub.example.com._report._dmarc.example.com"},
    {"mailto:a@notexample.com", "example.com", "", "ask example.com._report._dmarc.notexample.com"},
    {"MAILTO:a%2bb@example.com?subject=x", "example.com", "", "send a+b@example.com"},
    {"mailto:a@example.com!10m", "example.com", "", "send a@example.com <10485760"},
    {"mailto:a@example.com!5", "example.com", "", "send a@example.com <5"},
    {"mailto:a@example.com!", "example.com", "", "drop its size limit is no number"},
    {"mailto:a@example.com!m", "example.com", "", "drop its size limit is no number"},
    {"mailto:a@example.com!99999999999999999999t", "example.com", "",
     "drop its size limit is no number"},
    {"mailto:a@example.com,b@example.com", "example.com", "", "send a@example.com b@example.com"},
    {"mailto:a@example.com%2Cb@example.com", "example.com", "", "send a@example.com b@example.com"},
    {"mailto:%22a%2cb%22@example.com", "example.com", "", "send \"a,b\"@example.com"},
    {"mailto:a@example.com%2Cb@example.net", "example.com", "",
     "drop its addresses are of several domains"},
    {"mailto:a@example.com%2C", "example.com", "",
     "drop its address is none that mail can be sent to"},
    {"mailto:a@example.com,b@example.net", "example.com", "",
     "drop its addresses are of several domains"},
    {"mailto:", "example.com", "", "drop its address is none that mail can be sent to"},
    {"mailto:example.com", "example.com", "", "drop its address is none that mail can be sent to"},
    {"mailto:a@[192.0.2.1]", "example.com", "",
     "drop its address is none that mail can be sent to"},
    {"mailto:a%0d%0ab@example.com", "example.com", "",
     "drop its address is none that mail can be sent to"},
    {"mailto:a%4@example.com", "example.com", "",
     "drop its address is none that mail can be sent to"},
    {"https://example.com/", "example.com", "", "drop it is not mailto"},
    {"a b", "example.com", "", "drop it is no URI"},
    {"", "example.com", "", "drop it is no URI"},
};

static const char *said(const struct report_rua *r)
{
    static const char *const states[] = {"send", "ask", "later", "drop"};
    static char line[1024];
    size_t n = (size_t)snprintf(line, sizeof line, "%s", states[r->state]);
    if (r->why)
        n += (size_t)snprintf(line + n, sizeof line - n, " %s", r->why);
    if (r->state == REPORT_RUA_ASK)
        n += (size_t)snprintf(line + n, sizeof line - n, " %s", r->question.name.text);
    for (size_t i = 0; r->state == REPORT_RUA_SEND && i < r->to_count; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, " %.*s", SPAN_FMT(r->to[i]));
    if (r->state == REPORT_RUA_SEND && r->https)
        n += (size_t)snprintf(line + n, sizeof line - n, " https %s", r->host.text);
    if (r->size_max)
        snprintf(line + n, sizeof line - n, " <%llu", (unsigned long long)r->size_max);
    return line;
}

static void test_dmarc_uris(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dmarc / sizeof dmarc[0]; i++) {
        struct arena a = ARENA(1 << 16);
        struct report_rua r;
        struct dns_name domain = name(dmarc[i].domain), organization = {0};
        if (dmarc[i].organization[0])
            organization = name(dmarc[i].organization);
        report_rua_dmarc(&r, span_str(dmarc[i].uri), &domain, &organization, &a);
        if (strcmp(said(&r), dmarc[i].out) != 0)
            fail_msg("%s: %s", dmarc[i].uri, said(&r));
        arena_free(&a);
    }
}

static const struct {
    const char *uri, *out;
} tls[] = {
    {"mailto:tls@example.com", "send tls@example.com"},
    {"mailto:tls@example.com,b@example.net", "send tls@example.com b@example.net"},
    {"mailto:1@a.example%2C2@a.example%2C3@a.example%2C4@a.example%2C5@a.example%2C6@a.example%2C"
     "7@a.example%2C8@a.example%2C9@a.example",
     "send 1@a.example 2@a.example 3@a.example 4@a.example 5@a.example 6@a.example 7@a.example "
     "8@a.example"},
    {"https://example.com/v1/tlsrpt", "send https example.com"},
    {"https://Example.com:8443?x", "send https example.com"},
    {"https://u@example.com/", "drop its host is none"},
    {"https://[::1]/", "drop its host is none"},
    {"https://example.com:x/", "drop its host is none"},
    {"https:///x", "drop its host is none"},
    {"http://example.com/", "drop it is neither mailto nor https"},
    {"https://127.0.0.1/", "drop its host is none"},
    {"https://0x7f.1/", "drop its host is none"},
    {"https://2130706433:8443/", "drop its host is none"},
    {"https://example.com:0/", "drop its host is none"},
    {"https://example.com:65536/", "drop its host is none"},
};

static void test_tls_uris(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tls / sizeof tls[0]; i++) {
        struct arena a = ARENA(1 << 16);
        struct report_rua r;
        report_rua_tls(&r, span_str(tls[i].uri), &a);
        if (strcmp(said(&r), tls[i].out) != 0)
            fail_msg("%s: %s", tls[i].uri, said(&r));
        arena_free(&a);
    }
}

// Host, port, and what the request asks for.
static const struct {
    const char *uri, *out;
} posts[] = {
    {"https://example.com/v1/tlsrpt", "example.com 443 /v1/tlsrpt"},
    {"HTTPS://Example.COM./v1/../x?a=%2F&b", "example.com 443 /v1/../x?a=%2F&b"},
    {"https://example.com", "example.com 443 "},
    {"https://example.com:/", "example.com 443 /"},
    {"https://example.com:8443?x", "example.com 8443 ?x"},
    {"https://example.com/a?b#c?d", "example.com 443 /a?b"},
    {"https://example.com#@evil.example/", "example.com 443 "},
    {"https://0x7g/", "0x7g 443 /"},
    {"https://1.2.3.4a/", "1.2.3.4a 443 /"},
    {"https://user@example.com/", NULL},
    {"https://example.com\\@evil.example/", NULL},
    {"https://exa%6dple.com/", NULL},
    {"https://example.com:+443/", NULL},
    {"https://example.com:443:1/", NULL},
    {"https://example.com/a b", NULL},
    {"https://example.com/a\r\nb", NULL},
    {"https://127.1", NULL},
    {"https://1.0x/", NULL},
    {"https://./", NULL},
    {"https:/example.com/", NULL},
    {"https://", NULL},
    {"", NULL},
};

static void test_posts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof posts / sizeof posts[0]; i++) {
        struct report_https h;
        char line[2048] = "";
        bool good = report_https_parse(&h, span_str(posts[i].uri));
        if (good)
            snprintf(line, sizeof line, "%s %u %.*s", h.host.text, h.port, SPAN_FMT(h.target));
        if (good != (posts[i].out != NULL) || (good && strcmp(line, posts[i].out) != 0))
            fail_msg("%s: %s", posts[i].uri, good ? line : "refused");
    }
}

// RFC 9990 §4, with the four standings of an answer.
static const struct {
    const char *name;
    enum dns_presence presence;
    const char *txt, *also, *out;
} answers[] = {
    {"agrees", DNS_DATA, "v=DMARC1", NULL, "send a@red.example.net <1024"},
    {"agrees with a semicolon", DNS_DATA, " v = DMARC1 ;", NULL, "send a@red.example.net <1024"},
    {"one of two agrees", DNS_DATA, "hello", "v=DMARC1;", "send a@red.example.net <1024"},
    {"names another address", DNS_DATA, "v=DMARC1; rua=mailto:b@red.example.net!5k", NULL,
     "send b@red.example.net <5120"},
    {"names another host", DNS_DATA, "v=DMARC1; rua=mailto:b@victim.example", NULL,
     "drop its host names another host instead (RFC 9990 section 4, step 9) <1024"},
    {"names nonsense", DNS_DATA, "v=DMARC1; rua=nonsense", NULL, "send a@red.example.net <1024"},
    {"not first", DNS_DATA, "rua=mailto:a@red.example.net; v=DMARC1", NULL,
     "drop its host has not agreed to receive reports about this domain (RFC 9990 section 4) "
     "<1024"},
    {"another version", DNS_DATA, "v=DMARC10", NULL,
     "drop its host has not agreed to receive reports about this domain (RFC 9990 section 4) "
     "<1024"},
    {"no record", DNS_NODATA, NULL, NULL,
     "drop its host has not agreed to receive reports about this domain (RFC 9990 section 4) "
     "<1024"},
    {"no name", DNS_NXDOMAIN, NULL, NULL,
     "drop its host has not agreed to receive reports about this domain (RFC 9990 section 4) "
     "<1024"},
    {"no answer is not no", DNS_NO_ANSWER, NULL, NULL,
     "later whether its host agrees could not be found out <1024"},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct arena a = ARENA(1 << 16);
        struct report_rua r;
        struct dns_name domain = name("blue.example.com"), organization = name("example.com");
        struct dns_record txt[2] = {{.data = span_str(answers[i].txt)},
                                    {.data = span_str(answers[i].also)}};
        struct dns_answer answer = {.presence = answers[i].presence, .records = txt};
        answer.standing = answer.presence == DNS_NO_ANSWER ? DNS_BOGUS : DNS_INSECURE;
        answer.count = !answers[i].txt ? 0 : answers[i].also ? 2 : 1;
        report_rua_dmarc(&r, SPAN("mailto:a@red.example.net!1k"), &domain, &organization, &a);
        assert_int_equal(r.state, REPORT_RUA_ASK);
        assert_string_equal(r.question.name.text,
                            "blue.example.com._report._dmarc.red.example.net");
        report_rua_answer(&r, &answer, &a);
        if (strcmp(said(&r), answers[i].out) != 0)
            fail_msg("%s: %s", answers[i].name, said(&r));
        if (answer.presence == DNS_NO_ANSWER) { // and it may be asked again
            answer = (struct dns_answer){.presence = DNS_DATA, .records = txt, .count = 1};
            txt[0].data = SPAN("v=DMARC1");
            report_rua_answer(&r, &answer, &a);
            assert_int_equal(r.state, REPORT_RUA_SEND);
        }
        arena_free(&a);
    }
}

static void test_long_name(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 16);
    struct report_rua r;
    char longest[201];
    memset(longest, 'a', 200);
    for (int i = 50; i < 200; i += 50)
        longest[i] = '.';
    longest[200] = 0;
    struct dns_name domain = name(longest), none = {0};
    report_rua_dmarc(&r, SPAN("mailto:a@reports.of.a.service.that.has.a.name.of.its.own.example"),
                     &domain, &none, &a);
    assert_int_equal(r.state, REPORT_RUA_DROP);
    arena_free(&a);
}

static void test_sizes(void **state)
{
    (void)state;
    struct report_rua r = {.size_max = 10};
    assert_true(report_rua_fits(&r, 10));
    assert_false(report_rua_fits(&r, 11));
    r.size_max = 0;
    assert_true(report_rua_fits(&r, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_tls_mail),
        cmocka_unit_test(test_hostile_mail), cmocka_unit_test(test_dmarc_uris),
        cmocka_unit_test(test_tls_uris),     cmocka_unit_test(test_posts),
        cmocka_unit_test(test_answers),      cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
