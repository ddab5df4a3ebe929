// Dovecot's lines, both ways.
#include "sasl_dovecot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void lines(void **state)
{
    (void)state;
    const struct {
        const char *line;
        bool fine;
        struct sasl_dovecot is;
    } rows[] = {
        {"VERSION\t1\t2", true, {.kind = SASL_DOVECOT_VERSION, .ours = true}},
        {"VERSION\t2\t0", true, {.kind = SASL_DOVECOT_VERSION}},
        {"VERSION", true, {.kind = SASL_DOVECOT_VERSION}},
        {"MECH\tPLAIN\tplaintext", true, {.kind = SASL_DOVECOT_MECH, .text = SPAN("PLAIN")}},
        {"MECH", false, {0}},
        {"SPID\t12", true, {.kind = SASL_DOVECOT_OTHER}},
        {"DONE", true, {.kind = SASL_DOVECOT_DONE}},
        {"OK\t7\tuser=tim\tx=y", true, {.kind = SASL_DOVECOT_OK, .id = 7, .user = SPAN("tim")}},
        {"OK\t0\tuser=tim", false, {0}},
        {"OK\t4294967296", false, {0}},
        {"OK", false, {0}},
        {"OK\t-1", false, {0}},
        {"CONT\t7\tYQ==", true, {.kind = SASL_DOVECOT_CONT, .id = 7, .text = SPAN("YQ==")}},
        {"CONT\t7", true, {.kind = SASL_DOVECOT_CONT, .id = 7}},
        {"FAIL\t7\tuser=tim", true, {.kind = SASL_DOVECOT_FAIL, .id = 7, .user = SPAN("tim")}},
        {"FAIL\t7\ttemp\treason=no\001tway",
         true,
         {.kind = SASL_DOVECOT_FAIL, .id = 7, .temporary = true, .reason = SPAN("no\001tway")}},
        {"FAIL\t7\tcode=temp_fail", true, {.kind = SASL_DOVECOT_FAIL, .id = 7, .temporary = true}},
        {"USER\t8\ttim\tuid=1", true, {.kind = SASL_DOVECOT_USER, .id = 8}},
        {"NOTFOUND\t8", true, {.kind = SASL_DOVECOT_NOTFOUND, .id = 8}},
        {"", true, {.kind = SASL_DOVECOT_OTHER}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl_dovecot is;
        bool fine = sasl_dovecot_read(&is, span_str(rows[i].line));
        if (fine != rows[i].fine)
            fail_msg("%s", rows[i].line);
        if (fine &&
            (is.kind != rows[i].is.kind || is.id != rows[i].is.id || is.ours != rows[i].is.ours ||
             is.temporary != rows[i].is.temporary || !span_eq(is.text, rows[i].is.text) ||
             !span_eq(is.user, rows[i].is.user) || !span_eq(is.reason, rows[i].is.reason)))
            fail_msg("%s: read otherwise", rows[i].line);
    }
}

static void unescape(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(100);
    assert_true(sasl_dovecot_unescape(&b, SPAN("a\001tb\001nc\001rd\0011e\0010")));
    assert_true(span_eq(buf_span(&b), SPAN("a\tb\nc\rd\001e\0")));
    assert_false(sasl_dovecot_unescape(&b, SPAN("a\001")));
    assert_false(sasl_dovecot_unescape(&b, SPAN("a\001x")));
}

static void written(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    sasl_dovecot_put_hello(&b, 42);
    sasl_dovecot_put_auth(&b, &(struct sasl_dovecot_request){.id = 1,
                                                             .mechanism = SPAN("PLAIN"),
                                                             .response = SPAN("\0t\0x"),
                                                             .remote = SPAN("192.0.2.1"),
                                                             .secured = true});
    sasl_dovecot_put_auth(&b, &(struct sasl_dovecot_request){
                                  .id = 2, .mechanism = SPAN("X"), .remote = SPAN("a\tb")});
    sasl_dovecot_put_more(&b, 2, SPAN(""));
    sasl_dovecot_put_cancel(&b, 2);
    assert_string_equal(
        buf_str(&b), "VERSION\t1\t1\nCPID\t42\n"
                     "AUTH\t1\tPLAIN\tservice=smtp\tsecured\tno-penalty\trip=192.0.2.1\tresp="
                     "AHQAeA==\n"
                     "AUTH\t2\tX\tservice=smtp\tno-penalty\trip=a\001tb\nCONT\t2\t\nCANCEL\t2\n");
    buf_clear(&b);
    sasl_dovecot_put_user_hello(&b);
    sasl_dovecot_put_user(&b, 3, SPAN("x\ny"));
    assert_string_equal(buf_str(&b), "VERSION\t1\t1\nUSER\t3\tx\001ny\tservice=smtp\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(unescape),
        cmocka_unit_test(written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
