// What is written for people and programs: JSON, events, results, times.
#include "base_json.h"
#include "base_log.h"
#include "base_rc.h"
#include "base_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

static void json_values_and_commas(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct json j = JSON(&b);
    json_open(&j, NULL, '{');
    json_str(&j, "a", SPAN("x"));
    json_int(&j, "b", INT64_MIN);
    json_open(&j, "c", '[');
    json_close(&j, ']');
    json_open(&j, "d", '[');
    json_bool(&j, NULL, true);
    json_bool(&j, NULL, false);
    json_none(&j, NULL);
    json_open(&j, NULL, '{');
    json_close(&j, '}');
    json_close(&j, ']');
    json_raw(&j, "e", SPAN("[1,2]"));
    json_str(&j, "f", span_str(NULL));
    json_str(&j, "g", SPAN(""));
    json_close(&j, '}');
    assert_string_equal(buf_str(&b),
                        "{\"a\":\"x\",\"b\":-9223372036854775808,\"c\":[],"
                        "\"d\":[true,false,null,{}],\"e\":[1,2],\"f\":null,\"g\":\"\"}");
}

static void json_is(struct span in, const char *want)
{
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct json j = JSON(&b);
    json_str(&j, NULL, in);
    assert_string_equal(buf_str(&b), want);
}

static void json_escapes(void **state)
{
    (void)state;
    json_is(SPAN("\"\\/"), "\"\\\"\\\\/\"");
    json_is(SPAN("\0\x01\n\r\t\x1f\x7f"), "\"\\u0000\\u0001\\u000a\\u000d\\u0009\\u001f\\u007f\"");
    json_is(SPAN("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void json_of_bytes_that_are_no_utf8(void **state)
{
    (void)state;
    json_is(SPAN("a\xff"
                 "b"),
            "\"a\xef\xbf\xbd"
            "b\"");
    json_is(SPAN("\xc3"), "\"\xef\xbf\xbd\"");
    json_is(SPAN("\xc3\""), "\"\xef\xbf\xbd\\\"\""); // the quote does not vanish in it
    json_is(SPAN("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    json_is(SPAN("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void log_is(struct span value, const char *want)
{
    CLEANUP(buf_free) struct buf b = BUF(1000);
    CLEANUP(buf_free) struct buf line = BUF(1000);
    log_setup("receiver", LOG_INFO);
    log_put(&b, (struct wall){INT64_C(1795312706123456)}, LOG_WARN, "event",
            (struct log_field[]){LOG_S("key", value), LOG_I("n", -5), {.key = NULL}});
    buf_printf(&line, "2026-11-22T01:58:26.123Z warn receiver event key=%s n=-5", want);
    assert_string_equal(buf_str(&b), buf_str(&line));
}

static void log_values(void **state)
{
    (void)state;
    log_is(SPAN("plain@example.org"), "plain@example.org");
    log_is(SPAN("\xc3\xa9"), "\xc3\xa9");
    log_is(SPAN(""), "\"\"");
    log_is(span_str(NULL), "\"\"");
    log_is(SPAN("a b"), "\"a b\"");
    log_is(SPAN("a=b"), "\"a=b\"");
    log_is(SPAN("a\"b\\"), "\"a\\\"b\\\\\"");
}

static void log_values_forge_nothing(void **state)
{
    (void)state;
    log_is(SPAN("a\r\nb"), "\"a\\x0d\\x0ab\"");
    log_is(SPAN("\x1b[2J\0"), "\"\\x1b[2J\\x00\"");
    log_is(SPAN("\x9b"
                "2J"),
           "\"\\x9b2J\""); // a bare C1 byte
    log_is(SPAN("\xc2\x9b"
                "2J"),
           "\"\\xc2\\x9b2J\""); // and as UTF-8
    log_is(SPAN("\xc2\xa0"), "\xc2\xa0");
    log_is(SPAN("\x7f"), "\"\\x7f\"");
}

static void log_levels(void **state)
{
    (void)state;
    log_setup("test", LOG_WARN);
    assert_false(log_on(LOG_DEBUG));
    assert_false(log_on(LOG_INFO));
    assert_true(log_on(LOG_WARN));
    assert_true(log_on(LOG_ERROR));
    LOG(LOG_INFO, "unseen", LOG_T("a", "b"));
    log_setup("test", LOG_INFO);
}

static void rc_table_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RC_COUNT; i++) {
        struct rc rc = {(enum rc_code)i};
        assert_true(strlen(rc_text(rc)) > 0);
        char class = rc_status(rc)[0];
        assert_true(class == '2' || class == '4' || class == '5');
        assert_int_equal(rc_retry(rc), class == '4');
        assert_int_equal(rc_blame(rc) == RC_NOBODY, i == RC_OK);
    }
}

static void rc_of_errno(void **state)
{
    (void)state;
    assert_int_equal(rc_errno(0).code, RC_OK);
    assert_int_equal(rc_errno(ENOSPC).code, RC_DISK_FULL);
    assert_int_equal(rc_errno(EDQUOT).code, RC_DISK_FULL);
    assert_int_equal(rc_errno(EROFS).code, RC_READ_ONLY);
    assert_int_equal(rc_errno(ENOENT).code, RC_NOT_FOUND);
    assert_int_equal(rc_errno(EACCES).code, RC_DENIED);
    assert_int_equal(rc_errno(ETIMEDOUT).code, RC_TIMEOUT);
    assert_int_equal(rc_errno(ECONNREFUSED).code, RC_REFUSED);
    assert_int_equal(rc_errno(ECONNRESET).code, RC_CLOSED);
    assert_int_equal(rc_errno(EMFILE).code, RC_FULL);
    assert_int_equal(rc_errno(EIO).code, RC_IO);
    assert_int_equal(rc_errno(99999).code, RC_IO);
}

static struct rc tried(struct rc rc, int *after)
{
    TRY(rc);
    ++*after;
    return RC(NOT_FOUND);
}

static void rc_try_returns(void **state)
{
    (void)state;
    int after = 0;
    assert_int_equal(tried(RC(IO), &after).code, RC_IO);
    assert_int_equal(after, 0);
    assert_int_equal(tried(RC(OK), &after).code, RC_NOT_FOUND);
    assert_int_equal(after, 1);
}

static void memory(void **state)
{
    (void)state;
    unsigned char *p = mem_new(100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    p[99] = 7;
    p = mem_resize(p, 100000);
    assert_int_equal(p[99], 7);
    free(p);
    p = mem_new(0);
    assert_non_null(p);
    p = mem_resize(p, 0);
    assert_non_null(p);
    free(p);
}

struct moment {
    int64_t s;
    const char *iso, *mail;
};

static void time_around_what_is_special(void **state)
{
    (void)state;
    static const struct moment cases[] = {
        {0, "1970-01-01T00:00:00", "Thu, 1 Jan 1970 00:00:00 +0000"},
        {-1, "1969-12-31T23:59:59", "Wed, 31 Dec 1969 23:59:59 +0000"},
        {951782400, "2000-02-29T00:00:00", "Tue, 29 Feb 2000 00:00:00 +0000"},
        {951868800, "2000-03-01T00:00:00", "Wed, 1 Mar 2000 00:00:00 +0000"},
        {1709251199, "2024-02-29T23:59:59", "Thu, 29 Feb 2024 23:59:59 +0000"},
        {1735689599, "2024-12-31T23:59:59", "Tue, 31 Dec 2024 23:59:59 +0000"},
        {1795312706, "2026-11-22T01:58:26", "Sun, 22 Nov 2026 01:58:26 +0000"},
        {INT64_C(2147483648), "2038-01-19T03:14:08", "Tue, 19 Jan 2038 03:14:08 +0000"},
        {INT64_C(4107542400), "2100-03-01T00:00:00", "Mon, 1 Mar 2100 00:00:00 +0000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(buf_free) struct buf b = BUF(100);
        CLEANUP(buf_free) struct buf want = BUF(100);
        struct wall t = {SECONDS(cases[i].s) + 999999};
        time_put_iso(&b, t);
        buf_printf(&want, "%s.999Z", cases[i].iso);
        assert_string_equal(buf_str(&b), buf_str(&want));
        buf_clear(&b);
        time_put_rfc5322(&b, t);
        assert_string_equal(buf_str(&b), cases[i].mail);
    }
}

static void time_at_the_ends_of_numbers(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    time_put_iso(&b, WALL_NEVER);
    time_put_rfc5322(&b, WALL_NEVER);
    time_put_iso(&b, (struct wall){INT64_MIN});
    time_put_rfc5322(&b, (struct wall){INT64_MIN});
    assert_true(b.len > 0);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *want;
    } cases[] = {
        {0, "0ms"},
        {999, "0ms"},
        {250 * US_PER_MS, "250ms"},
        {SECONDS(1) - 1, "999ms"},
        {SECONDS(1), "1s"},
        {SECONDS(59), "59s"},
        {SECONDS(90), "1m 30s"},
        {SECONDS(3600), "1h"},
        {SECONDS(3600 + 59), "1h"},
        {SECONDS(3600 + 60), "1h 1m"},
        {SECONDS(86400 * 3 + 3600 * 4 + 59), "3d 4h"},
        {SECONDS(86400 * 1000), "1000d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(buf_free) struct buf b = BUF(100);
        time_put_duration(&b, cases[i].us);
        assert_string_equal(buf_str(&b), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_values_and_commas),
        cmocka_unit_test(json_escapes),
        cmocka_unit_test(json_of_bytes_that_are_no_utf8),
        cmocka_unit_test(log_values),
        cmocka_unit_test(log_values_forge_nothing),
        cmocka_unit_test(log_levels),
        cmocka_unit_test(rc_table_is_whole),
        cmocka_unit_test(rc_of_errno),
        cmocka_unit_test(rc_try_returns),
        cmocka_unit_test(memory),
        cmocka_unit_test(time_around_what_is_special),
        cmocka_unit_test(time_at_the_ends_of_numbers),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
