// Borrowed bytes.
#include "base_span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void from_a_string(void **state)
{
    (void)state;
    assert_int_equal(span_str("abc").len, 3);
    assert_int_equal(span_str("").len, 0);
    assert_int_equal(span_str(NULL).len, 0);
    assert_null(span_str(NULL).at);
}

static void equal(void **state)
{
    (void)state;
    assert_true(span_eq(SPAN("abc"), SPAN("abc")));
    assert_false(span_eq(SPAN("abc"), SPAN("abd")));
    assert_false(span_eq(SPAN("abc"), SPAN("ab")));
    assert_true(span_eq(SPAN(""), span_str(NULL)));
    assert_true(span_eq(span_str(NULL), span_str(NULL)));
    assert_false(span_eq(SPAN("a\0b"), SPAN("a\0c")));
}

static void compared(void **state)
{
    (void)state;
    assert_int_equal(span_compare(SPAN("abc"), SPAN("abc")), 0);
    assert_int_equal(span_compare(SPAN(""), span_str(NULL)), 0);
    assert_true(span_compare(SPAN("ab"), SPAN("abc")) < 0);
    assert_true(span_compare(SPAN("abc"), SPAN("ab")) > 0);
    assert_true(span_compare(SPAN("\x01"), SPAN("\xff")) < 0);
}

static void equal_without_case(void **state)
{
    (void)state;
    assert_true(span_ieq(SPAN("aBc9-"), SPAN("AbC9-")));
    assert_false(span_ieq(SPAN("@["), SPAN("`{"))); // differ by 32, are no letters
    assert_false(span_ieq(SPAN("\xc3\xa4"), SPAN("\xc3\x84")));
    assert_false(span_ieq(SPAN("a"), SPAN("ab")));
    assert_true(span_ieq(span_str(NULL), SPAN("")));
}

static void starts_and_ends(void **state)
{
    (void)state;
    assert_true(span_starts(SPAN("abc"), SPAN("ab")));
    assert_true(span_starts(SPAN("abc"), SPAN("")));
    assert_true(span_starts(span_str(NULL), SPAN("")));
    assert_false(span_starts(SPAN("a"), SPAN("ab")));
    assert_false(span_starts(SPAN("Abc"), SPAN("ab")));
    assert_true(span_istarts(SPAN("ABc"), SPAN("ab")));
    assert_false(span_istarts(SPAN("A"), SPAN("ab")));
    assert_true(span_ends(SPAN("abc"), SPAN("bc")));
    assert_true(span_ends(SPAN("abc"), SPAN("")));
    assert_false(span_ends(SPAN("c"), SPAN("bc")));
}

static void skip_and_first_stay_inside(void **state)
{
    (void)state;
    assert_true(span_eq(span_skip(SPAN("abc"), 1), SPAN("bc")));
    assert_int_equal(span_skip(SPAN("abc"), 3).len, 0);
    assert_int_equal(span_skip(SPAN("abc"), SIZE_MAX).len, 0);
    assert_int_equal(span_skip(span_str(NULL), 7).len, 0);
    assert_true(span_eq(span_first(SPAN("abc"), 2), SPAN("ab")));
    assert_true(span_eq(span_first(SPAN("abc"), SIZE_MAX), SPAN("abc")));
}

static void index_of_a_byte(void **state)
{
    (void)state;
    assert_int_equal(span_index(SPAN("abcb"), 'b'), 1);
    assert_int_equal(span_index(SPAN("abc"), 'x'), 3);
    assert_int_equal(span_index(SPAN("a\0b"), '\0'), 1);
    assert_int_equal(span_index(span_str(NULL), 'x'), 0);
    assert_int_equal(span_index(SPAN("a\xff"), '\xff'), 1);
}

static void cut_walks_through_a_list(void **state)
{
    (void)state;
    struct span s = SPAN("a,,b,");
    assert_true(span_eq(span_cut(&s, ','), SPAN("a")));
    assert_true(span_eq(span_cut(&s, ','), SPAN("")));
    assert_true(span_eq(span_cut(&s, ','), SPAN("b")));
    assert_non_null(s.at); // one more, empty
    assert_int_equal(s.len, 0);
    assert_true(span_eq(span_cut(&s, ','), SPAN("")));
    assert_null(s.at);
    assert_int_equal(span_cut(&s, ',').len, 0);
    assert_null(s.at);
}

static void trim(void **state)
{
    (void)state;
    assert_true(span_eq(span_trim(SPAN(" \ta b\t ")), SPAN("a b")));
    assert_int_equal(span_trim(SPAN(" \t ")).len, 0);
    assert_true(span_eq(span_trim(SPAN("\r\n")), SPAN("\r\n")));
    assert_int_equal(span_trim(span_str(NULL)).len, 0);
}

static void numbers(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_true(span_number(SPAN("0"), 0, &n));
    assert_int_equal(n, 0);
    assert_true(span_number(SPAN("00042"), 42, &n));
    assert_int_equal(n, 42);
    assert_true(span_number(SPAN("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_true(span_number(SPAN("255"), 255, &n));
    n = 7;
    const char *bad[] = {"",
                         "-1",
                         "+1",
                         " 1",
                         "1 ",
                         "0x1",
                         "1.0",
                         "a",
                         "256",
                         "1000",
                         "18446744073709551616",
                         "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(span_number(span_str(bad[i]), 255, &n));
    assert_false(span_number(SPAN("18446744073709551616"), UINT64_MAX, &n));
    assert_false(span_number(SPAN("184467440737095516150"), UINT64_MAX, &n));
    assert_false(span_number(SPAN("1\0"), 255, &n));
    assert_int_equal(n, 7); // untouched
}

static void ascii_at_every_length_and_place(void **state)
{
    (void)state;
    char text[40];
    assert_true(span_is_ascii(span_str(NULL)));
    for (size_t len = 0; len < sizeof text; len++) {
        memset(text, 0x7f, sizeof text);
        assert_true(span_is_ascii((struct span){text, len}));
        for (size_t i = 0; i < sizeof text; i++) {
            text[i] = '\x80';
            assert_int_equal(span_is_ascii((struct span){text, len}), i >= len);
            text[i] = 0x7f;
        }
    }
}

static void utf8_first_character(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len, want;
    } cases[] = {
        {"", 0, 0},
        {"a", 1, 1},
        {"\0", 1, 1},
        {"\x7f", 1, 1},
        {"\x80", 1, 0},
        {"\xc0\xaf", 2, 0},
        {"\xc1\xbf", 2, 0},
        {"\xc2\x80", 2, 2},
        {"\xc2", 1, 0},
        {"\xc2\xc2", 2, 0},
        {"\xc3\xa9x", 3, 2},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xe0\xa0\x80", 3, 3},
        {"\xe2\x82", 2, 0},
        {"\xed\x9f\xbf", 3, 3},
        {"\xed\xa0\x80", 3, 0},
        {"\xef\xbf\xbf", 3, 3},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf0\x90\x80", 3, 0},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(span_utf8((struct span){cases[i].text, cases[i].len}), cases[i].want);
}

static void copy_into_an_array(void **state)
{
    (void)state;
    char to[4] = "xyz";
    assert_true(span_copy(to, sizeof to, SPAN("abc")));
    assert_string_equal(to, "abc");
    assert_false(span_copy(to, sizeof to, SPAN("abcd")));
    assert_string_equal(to, "");
    assert_false(span_copy(to, sizeof to, SPAN("a\0c")));
    assert_string_equal(to, "");
    assert_true(span_copy(to, sizeof to, span_str(NULL)));
    assert_string_equal(to, "");
}

static void exact_bytes(void **state)
{
    (void)state;
    unsigned char to[3];
    span_bytes(to, 3, SPAN("a\0c"));
    assert_memory_equal(to, "a\0c", 3);
    span_bytes(to, 0, span_str(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_a_string),
        cmocka_unit_test(equal),
        cmocka_unit_test(compared),
        cmocka_unit_test(equal_without_case),
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(skip_and_first_stay_inside),
        cmocka_unit_test(index_of_a_byte),
        cmocka_unit_test(cut_walks_through_a_list),
        cmocka_unit_test(trim),
        cmocka_unit_test(numbers),
        cmocka_unit_test(ascii_at_every_length_and_place),
        cmocka_unit_test(utf8_first_character),
        cmocka_unit_test(copy_into_an_array),
        cmocka_unit_test(exact_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
