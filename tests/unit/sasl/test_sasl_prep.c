// SASLprep against the examples of RFC 4013 §3, and what it forbids.
#include "sasl_prep.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void table(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *out; // out NULL: refused
    } rows[] = {
        {"SOFT HYPHEN mapped to nothing", "I\xc2\xadX", "IX"},
        {"no transformation", "user", "user"},
        {"case is preserved", "USER", "USER"},
        {"feminine ordinal, NFKC", "\xc2\xaa", "a"},
        {"roman numeral nine, NFKC", "\xe2\x85\xa8", "IX"},
        {"BEL is prohibited", "\x07", NULL},
        {"bidirectional: right to left with a digit at the end", "\xd8\xa7\x31", NULL},
        {"right to left alone", "\xd8\xa7\x31\xd8\xa7", "\xd8\xa7\x31\xd8\xa7"},
        {"mixed directions",
         "\xd8\xa7"
         "a\xd8\xa7",
         NULL},
        {"other spaces become SPACE",
         "a\xc2\xa0"
         "b\xe3\x80\x80"
         "c",
         "a b c"},
        {"composed and decomposed are the same", "u\xcc\x88", "\xc3\xbc"},
        {"newer than Unicode 3.2", "\xf0\x9f\x94\x92", "\xf0\x9f\x94\x92"},
        {"nothing", "", NULL},
        {"nothing left", "\xc2\xad", NULL},
        {"no UTF-8", "a\xff", NULL},
        {"cut UTF-8", "a\xc3", NULL},
        {"surrogate", "\xed\xa0\x80", NULL},
        {"private use", "\xee\x80\x80", NULL},
        {"no character", "\xef\xb7\x90", NULL},
        {"DEL", "a\x7f", NULL},
        {"C1 control", "a\xc2\x85", NULL},
        {"left-to-right mark", "a\xe2\x80\x8e", NULL},
        {"replacement character", "\xef\xbf\xbd", NULL},
        {"tag", "\xf3\xa0\x80\x81", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(buf_free) struct buf b = BUF(100);
        bool ok = sasl_prep(&b, span_str(rows[i].in));
        if (ok != (rows[i].out != NULL) || (ok && strcmp(buf_str(&b), rows[i].out) != 0))
            fail_msg("%s", rows[i].name);
    }
}

static void room(void **state)
{
    (void)state;
    char text[5000];
    CLEANUP(buf_free) struct buf b = BUF(3);
    assert_true(sasl_prep(&b, SPAN("abc")));
    buf_clear(&b);
    assert_false(sasl_prep(&b, SPAN("abcd")));
    memset(text, 'a', sizeof text);
    buf_clear(&b);
    assert_false(sasl_prep(&b, SPAN_OF(text)));
    buf_clear(&b);
    assert_false(sasl_prep(&b, SPAN("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
