#include "smtp_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { LIMIT = 8 };

static const struct line_case {
    const char *name, *in;
    enum smtp_line_kind kind;
    const char *line, *left;
} cases[] = {
    {"nothing", "", SMTP_LINE_MORE, "", ""},
    {"a line", "ab\r\ncd", SMTP_LINE_WHOLE, "ab", "cd"},
    {"an empty line", "\r\n", SMTP_LINE_WHOLE, "", ""},
    {"the longest", "abcdef\r\n", SMTP_LINE_WHOLE, "abcdef", ""},
    {"one too many", "abcdefg\r\n", SMTP_LINE_LONG, "", "abcdefg\r\n"},
    {"no end", "abc", SMTP_LINE_MORE, "", "abc"},
    {"no end at the limit", "abcdefgh", SMTP_LINE_LONG, "", "abcdefgh"},
    {"a CR at the end", "abc\r", SMTP_LINE_MORE, "", "abc\r"},
    {"bare LF", "ab\ncd\r\n", SMTP_LINE_BARE, "", "ab\ncd\r\n"},
    {"bare CR", "ab\rcd\r\n", SMTP_LINE_BARE, "", "ab\rcd\r\n"},
    {"CR CR LF", "ab\r\r\n", SMTP_LINE_BARE, "", "ab\r\r\n"},
    {"LF CR", "\n\r", SMTP_LINE_BARE, "", "\n\r"},
    {"bare LF before the limit", "ab\ncdefghijk", SMTP_LINE_BARE, "", "ab\ncdefghijk"},
};

static void take(void **state)
{
    const struct line_case *c = *state;
    struct span in = span_str(c->in), line = SPAN("");
    assert_int_equal(smtp_line_take(&in, LIMIT, &line), c->kind);
    assert_true(span_eq(line, span_str(c->line)));
    assert_true(span_eq(in, span_str(c->left)));
}

static void skip_line(void **state)
{
    (void)state;
    struct span in = SPAN("abc\r");
    assert_int_equal(smtp_line_skip(&in), SMTP_LINE_MORE);
    assert_true(span_eq(in, SPAN("\r")));
    in = SPAN("\r\nNOOP");
    assert_int_equal(smtp_line_skip(&in), SMTP_LINE_WHOLE);
    assert_true(span_eq(in, SPAN("NOOP")));
    in = SPAN("abc\nNOOP\r\n");
    assert_int_equal(smtp_line_skip(&in), SMTP_LINE_BARE);
    in = SPAN("\rx\r\n");
    assert_int_equal(smtp_line_skip(&in), SMTP_LINE_BARE);
}

int main(void)
{
    enum { CASES = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[CASES + 1] = {cmocka_unit_test(skip_line)};
    for (size_t i = 0; i < CASES; i++)
        tests[1 + i] = (struct CMUnitTest){cases[i].name, take, NULL, NULL, (void *)&cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
