#include "smtp_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

struct reply_case {
    const char *name, *wire;
    int got;
    unsigned code;
    const char *status, *text;
    size_t left; // bytes not taken
};

static const struct reply_case cases[] = {
    {"one line", "250 ok\r\n", 1, 250, "", "ok", 0},
    {"the next stays", "250 ok\r\n354 go\r\n", 1, 250, "", "ok", 8},
    {"several lines", "250-a\r\n250-b\r\n250 c\r\n", 1, 250, "", "a\nb\nc", 0},
    {"code alone", "250\r\n", 1, 250, "", "", 0},
    {"blank alone", "250 \r\n", 1, 250, "", "", 0},
    {"bare LF", "250-a\n250 b\n", 1, 250, "", "a\nb", 0},
    {"status", "550 5.1.1 no\r\n", 1, 550, "5.1.1", "no", 0},
    {"status on each line", "550-5.1.1 a\r\n550 5.1.1 b\r\n", 1, 550, "5.1.1", "a\nb", 0},
    {"status that changes", "550-5.1.1 a\r\n550 5.1.2 b\r\n", 1, 550, "5.1.1", "a\n5.1.2 b", 0},
    {"status later only", "550-a\r\n550 5.1.2 b\r\n", 1, 550, "", "a\n5.1.2 b", 0},
    {"status alone", "250 2.0.0\r\n", 1, 250, "2.0.0", "", 0},
    {"status of three digits", "450 4.123.456 x\r\n", 1, 450, "4.123.456", "x", 0},
    {"status of four digits", "450 4.1234.5 x\r\n", 1, 450, "", "4.1234.5 x", 0},
    {"status of another class", "450 5.1.1 x\r\n", 1, 450, "", "5.1.1 x", 0},
    {"an address is no status", "220 2.0.0.1 x\r\n", 1, 220, "", "2.0.0.1 x", 0},
    {"no status in 354", "354 3.0.0 x\r\n", 1, 354, "", "3.0.0 x", 0},
    {"controls", "250 a\x01\x1b\x7f\tb\r\n", 1, 250, "", "a??? b", 0},
    {"a CR inside", "250 a\rb\r\n", 1, 250, "", "a?b", 0},
    {"8-bit stays", "250 \xc3\xbc\r\n", 1, 250, "", "\xc3\xbc", 0},
    {"no end", "250 ok", 0, 0, "", "", 6},
    {"no end of several", "250-a\r\n250-b\r\n", 0, 0, "", "", 14},
    {"nothing", "", 0, 0, "", "", 0},
    {"half a code", "25", 0, 0, "", "", 2},
    {"too few digits", "25\r\n", -1, 0, "", "", 0},
    {"no digits", "hello\r\n", -1, 0, "", "", 0},
    {"an empty line", "\r\n", -1, 0, "", "", 0},
    {"1yz", "150 x\r\n", -1, 0, "", "", 0},
    {"6yz", "600 x\r\n", -1, 0, "", "", 0},
    {"four digits", "2500 x\r\n", -1, 0, "", "", 0},
    {"text without a blank", "250ok\r\n", -1, 0, "", "", 0},
    {"CR for a blank", "250\rok\r\n", -1, 0, "", "", 0},
    {"codes that differ", "250-a\r\n251 b\r\n", -1, 0, "", "", 0},
    {"negative", "-50 x\r\n", -1, 0, "", "", 0},
};

static void take(void **state)
{
    const struct reply_case *c = *state;
    CLEANUP(buf_free) struct buf text = BUF(8192);
    struct span in = span_str(c->wire);
    struct smtp_reply r;
    assert_int_equal(smtp_reply_take(&r, &in, &text), c->got);
    if (c->got >= 0)
        assert_int_equal(in.len, c->left);
    if (c->got != 1)
        return;
    assert_int_equal(r.code, c->code);
    assert_string_equal(r.status, c->status);
    assert_true(span_eq(r.text, span_str(c->text)));
}

// A prefix of a good reply is never refused.
static void take_any_prefix(void **state)
{
    const struct reply_case *c = *state;
    CLEANUP(buf_free) struct buf text = BUF(8192);
    size_t whole = strlen(c->wire) - c->left;
    struct smtp_reply r;
    for (size_t n = 0; c->got == 1 && n < whole; n++) {
        struct span in = {c->wire, n};
        assert_int_equal(smtp_reply_take(&r, &in, &text), 0);
        assert_int_equal(in.len, n);
    }
}

static int take_repeated(const char *line, size_t times, const char *last)
{
    CLEANUP(buf_free) struct buf wire = BUF(1 << 20);
    CLEANUP(buf_free) struct buf text = BUF(SMTP_REPLY_TEXT_MAX + SMTP_LINE_MAX);
    struct smtp_reply r;
    while (times--)
        buf_put(&wire, span_str(line));
    buf_put(&wire, span_str(last));
    struct span in = buf_span(&wire);
    return smtp_reply_take(&r, &in, &text);
}

static void bounds(void **state)
{
    (void)state;
    assert_int_equal(take_repeated("250-x\r\n", SMTP_REPLY_LINES_MAX - 1, "250 x\r\n"), 1);
    assert_int_equal(take_repeated("250-x\r\n", SMTP_REPLY_LINES_MAX, "250 x\r\n"), -1);
    assert_int_equal(take_repeated("250-x\r\n", SMTP_REPLY_LINES_MAX, ""), -1);
    assert_int_equal(take_repeated("250-\r\n", 100000, ""), -1);
    char line[SMTP_LINE_MAX + 8];
    for (size_t i = 0; i < sizeof line; i++)
        line[i] = i == 3 ? '-' : '2';
    span_bytes(line + SMTP_LINE_MAX - 2, 3, (struct span){"\r\n", 3});
    assert_int_equal(take_repeated(line, 1, "222 x\r\n"), 1);
    assert_int_equal(take_repeated(line, 7, "222 x\r\n"), 1);
    assert_int_equal(take_repeated(line, 9, "222 x\r\n"), -1);
    span_bytes(line + SMTP_LINE_MAX - 2, 4, (struct span){"2\r\n", 4});
    assert_int_equal(take_repeated(line, 1, "222 x\r\n"), -1);
    line[SMTP_LINE_MAX] = '\0';
    assert_int_equal(take_repeated(line, 1, ""), -1);
}

static void put_line(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(256);
    struct smtp_reply r = {250, "2.1.5", SPAN("one\ntwo\r\x01")};
    smtp_reply_put_line(&b, &r);
    assert_string_equal(buf_str(&b), "250 2.1.5 one two??");
    buf_clear(&b);
    smtp_reply_put_line(&b, &(struct smtp_reply){.code = 354, .text = SPAN("go")});
    assert_string_equal(buf_str(&b), "354 go");
    buf_clear(&b);
    smtp_reply_put_line(&b, &(struct smtp_reply){.status = "4.4.2", .text = SPAN("lost")});
    assert_string_equal(buf_str(&b), "4.4.2 lost");
}

int main(void)
{
    enum { CASES = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[2 * CASES + 2] = {
        cmocka_unit_test(bounds),
        cmocka_unit_test(put_line),
    };
    for (size_t i = 0; i < CASES; i++) {
        tests[2 + i] = (struct CMUnitTest){cases[i].name, take, NULL, NULL, (void *)&cases[i]};
        tests[2 + CASES + i] =
            (struct CMUnitTest){cases[i].name, take_any_prefix, NULL, NULL, (void *)&cases[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
