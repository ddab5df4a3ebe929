// Owned bytes: buffers, arenas, encodings, binary reading and writing.
#include "base_arena.h"
#include "base_buf.h"
#include "base_code.h"
#include "base_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void assert_buf(const struct buf *b, struct span want)
{
    assert_int_equal(b->len, want.len);
    assert_true(span_eq(buf_span(b), want));
}

static void buf_grows(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(100000);
    for (int i = 0; i < 1000; i++)
        buf_put(&b, SPAN("0123456789"));
    assert_int_equal(b.len, 10000);
    assert_true(rc_ok(buf_state(&b)));
    buf_put(&b, span_str(NULL));
    assert_int_equal(b.len, 10000);
}

static void buf_ceiling_is_exact(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(5);
    buf_put(&b, SPAN("abc"));
    buf_put(&b, SPAN("def"));
    assert_buf(&b, SPAN("abc")); // nothing of it
    assert_int_equal(buf_state(&b).code, RC_FULL);
    buf_put(&b, SPAN("de"));
    assert_buf(&b, SPAN("abcde"));
    assert_int_equal(buf_state(&b).code, RC_FULL); // remembered
    buf_putc(&b, 'x');
    assert_int_equal(b.len, 5);
    buf_clear(&b);
    assert_true(rc_ok(buf_state(&b)));
    assert_int_equal(b.len, 0);
}

static void buf_reserve_does_not_wrap_round(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(5);
    buf_put(&b, SPAN("abc"));
    assert_false(rc_ok(buf_reserve(&b, SIZE_MAX)));
    assert_false(rc_ok(buf_reserve(&b, SIZE_MAX - 2)));
    assert_true(rc_ok(buf_reserve(&b, 2)));
    assert_false(rc_ok(buf_state(&b)));
}

static void buf_without_a_ceiling_holds_nothing(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_putc(&b, 'x');
    assert_int_equal(b.len, 0);
    assert_false(rc_ok(buf_state(&b)));
    buf_free(&b);
}

static void buf_printf_short_long_and_too_long(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    buf_printf(&b, "%d-%s", 42, "x");
    assert_buf(&b, SPAN("42-x"));
    buf_printf(&b, "%0255d", 7);
    assert_int_equal(b.len, 4 + 255);
    buf_printf(&b, "%0256d", 7); // just past what is on the stack
    assert_int_equal(b.len, 4 + 255 + 256);
    buf_printf(&b, "%0486d", 7);
    assert_int_equal(b.len, 4 + 255 + 256);
    assert_false(rc_ok(buf_state(&b)));
    buf_printf(&b, "%0485d", 7);
    assert_int_equal(b.len, 1000);
}

static void buf_drops_from_the_front(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(10);
    buf_consume(&b, 3);
    buf_put(&b, SPAN("abcdef"));
    buf_consume(&b, 2);
    assert_buf(&b, SPAN("cdef"));
    buf_consume(&b, 0);
    assert_buf(&b, SPAN("cdef"));
    buf_consume(&b, SIZE_MAX);
    assert_int_equal(b.len, 0);
}

static void buf_as_a_string(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(3);
    assert_string_equal(buf_str(&b), "");
    buf_put(&b, SPAN("abc"));
    assert_string_equal(buf_str(&b), "abc"); // the NUL does not count
    assert_int_equal(b.len, 3);
    assert_true(rc_ok(buf_state(&b)));
}

static void buf_free_can_be_used_again(void **state)
{
    (void)state;
    struct buf b = BUF(3);
    buf_put(&b, SPAN("abc"));
    buf_free(&b);
    buf_free(&b);
    buf_put(&b, SPAN("abc"));
    assert_buf(&b, SPAN("abc"));
    buf_free(&b);
}

static void arena_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    for (size_t size = 1; size < 300; size++) {
        unsigned char *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
    }
    arena_free(&a);
}

static void arena_ceiling(void **state)
{
    (void)state;
    struct arena a = ARENA(100);
    assert_null(arena_alloc(&a, 101));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 64));
    assert_null(arena_alloc(&a, 64));
    assert_non_null(arena_alloc(&a, 32));
    assert_null(arena_alloc(&a, 16));
    assert_null(arena_dup(&a, SPAN("a text that does not fit")).at);
    arena_free(&a);
    assert_non_null(arena_alloc(&a, 64)); // it can be used again
    arena_free(&a);
}

static void arena_lowered_below_what_is_used(void **state)
{
    (void)state;
    struct arena a = ARENA(1000);
    assert_non_null(arena_alloc(&a, 500));
    a.ceiling = 100;
    assert_null(arena_alloc(&a, 16));
    arena_free(&a);
}

static void arena_without_a_ceiling_gives_nothing(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_null(arena_alloc(&a, 1));
    arena_free(&a);
}

static void arena_pieces_larger_than_a_block(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 20);
    char *small = arena_alloc(&a, 10), *large = arena_alloc(&a, 100000);
    char *more = arena_alloc(&a, 10);
    assert_true(small && large && more);
    memset(large, 1, 100000);
    memset(small, 2, 10);
    memset(more, 3, 10);
    assert_int_equal(large[99999], 1);
    arena_free(&a);
}

static void arena_dup_ends_in_nul(void **state)
{
    (void)state;
    struct arena a = ARENA(100);
    struct span s = arena_dup(&a, SPAN("a\0b"));
    assert_true(span_eq(s, SPAN("a\0b")));
    assert_int_equal(s.at[3], 0);
    s = arena_dup(&a, span_str(NULL));
    assert_non_null(s.at);
    assert_int_equal(s.len, 0);
    arena_free(&a);
}

static void hex_both_ways(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(100);
    code_put_hex(&b, SPAN("\x00\x9f\xff"));
    assert_buf(&b, SPAN("009fff"));
    buf_clear(&b);
    assert_true(code_get_hex(&b, SPAN("009fFF")));
    assert_buf(&b, SPAN("\x00\x9f\xff"));
    assert_true(code_get_hex(&b, SPAN("")));
    const char *bad[] = {"0", "000", "0g", "g0", " 00", "0x", "0:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(code_get_hex(&b, span_str(bad[i])));
}

static void hex_over_the_ceiling(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(2);
    assert_false(code_get_hex(&b, SPAN("000000")));
}

static void base64_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xef\xbe", "/+++"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CLEANUP(buf_free) struct buf b = BUF(100);
        code_put_base64(&b, span_str(pairs[i][0]));
        assert_buf(&b, span_str(pairs[i][1]));
        buf_clear(&b);
        assert_true(code_get_base64(&b, span_str(pairs[i][1])));
        assert_buf(&b, span_str(pairs[i][0]));
    }
}

static void base64_is_strict(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(100);
    const char *bad[] = {"Z",    "Zg",    "Zg=",  "Zm9",      "Zh==",     "Zm9=",
                         "=Zg=", "Z===",  "====", "Zg==Zg==", "Zm9v\r\n", "Zm 9v===",
                         "Zm-_", "Zm9v=", "Zg=a", "Z=g=",     "Zm9vZg",   "\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(code_get_base64(&b, span_str(bad[i])));
    assert_false(code_get_base64(&b, SPAN("Zm\09")));
}

static void base64_over_the_ceiling(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(2);
    assert_false(code_get_base64(&b, SPAN("Zm9v")));
    assert_false(rc_ok(buf_state(&b)));
}

static void wire_both_ways(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    wr_u8(&b, 0xfe);
    wr_u16(&b, 0xfedc);
    wr_u32(&b, 0xfedcba98);
    wr_u64(&b, UINT64_C(0xfedcba9876543210));
    wr_i64(&b, INT64_MIN);
    wr_bool(&b, true);
    wr_span(&b, SPAN("a\0b"));
    wr_span(&b, span_str(NULL));
    assert_memory_equal(b.at, "\xfe\xfe\xdc\xfe\xdc\xba\x98", 7);
    struct rd r = RD(buf_span(&b));
    assert_int_equal(rd_u8(&r), 0xfe);
    assert_int_equal(rd_u16(&r), 0xfedc);
    assert_int_equal(rd_u32(&r), 0xfedcba98);
    assert_true(rd_u64(&r) == UINT64_C(0xfedcba9876543210));
    assert_true(rd_i64(&r) == INT64_MIN);
    assert_true(rd_bool(&r));
    assert_true(span_eq(rd_span(&r), SPAN("a\0b")));
    assert_false(rd_end(&r));
    assert_int_equal(rd_span(&r).len, 0);
    assert_true(rd_end(&r));
}

static void wire_past_the_end_is_sticky(void **state)
{
    (void)state;
    struct rd r = RD(SPAN("\x01\x02\x03"));
    assert_int_equal(rd_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(rd_u8(&r), 0); // though a byte would be there
    assert_false(rd_end(&r));
    r = RD(span_str(NULL));
    assert_int_equal(rd_u8(&r), 0);
    assert_true(r.bad);
    r = RD(span_str(NULL));
    assert_true(rd_end(&r));
}

static void wire_lengths_that_lie(void **state)
{
    (void)state;
    struct rd r = RD(SPAN("\xff\xff\xff\xff"
                          "abc"));
    assert_int_equal(rd_span(&r).len, 0);
    assert_true(r.bad);
    r = RD(SPAN("\0\0\0\x04"
                "abc"));
    assert_null(rd_span(&r).at);
    assert_true(r.bad);
    r = RD(SPAN("abc"));
    assert_int_equal(rd_bytes(&r, SIZE_MAX).len, 0);
    assert_true(r.bad);
}

static void wire_enums_and_bools_in_range(void **state)
{
    (void)state;
    struct rd r = RD(SPAN("\x02\x03\x00"));
    assert_int_equal(rd_enum(&r, 3), 2);
    assert_int_equal(rd_enum(&r, 3), 0);
    assert_true(r.bad);
    r = RD(SPAN("\x02"));
    assert_false(rd_bool(&r));
    assert_true(r.bad);
    r = RD(SPAN("\x00"));
    assert_false(rd_bool(&r));
    assert_false(r.bad);
}

static void wire_writes_share_the_failure_of_the_buffer(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(6);
    wr_u32(&b, 1);
    wr_u32(&b, 2);
    assert_int_equal(b.len, 4);
    assert_false(rc_ok(buf_state(&b)));
}

// What a secret buffer gives up is overwritten, where it can be seen: behind its end.
static void a_secret_leaves_nothing_behind(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    b.secret = true;
    buf_put(&b, SPAN("name password rest"));
    buf_consume(&b, 14);
    assert_true(span_eq(buf_span(&b), SPAN("rest")));
    for (size_t i = 4; i < 18; i++)
        assert_int_equal(b.at[i], 0);
    for (int i = 0; i < 50; i++) // grows, and keeps what it has
        buf_put(&b, SPAN("0123456789"));
    assert_int_equal(b.len, 504);
    assert_true(span_starts(buf_span(&b), SPAN("rest0123")));
    buf_clear(&b);
    for (size_t i = 0; i < 504; i++)
        assert_int_equal(b.at[i], 0);
    buf_free(&b);
    assert_true(b.secret && b.max == 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(buf_ceiling_is_exact),
        cmocka_unit_test(buf_reserve_does_not_wrap_round),
        cmocka_unit_test(buf_without_a_ceiling_holds_nothing),
        cmocka_unit_test(buf_printf_short_long_and_too_long),
        cmocka_unit_test(buf_drops_from_the_front),
        cmocka_unit_test(buf_as_a_string),
        cmocka_unit_test(buf_free_can_be_used_again),
        cmocka_unit_test(arena_is_zeroed_and_aligned),
        cmocka_unit_test(arena_ceiling),
        cmocka_unit_test(arena_lowered_below_what_is_used),
        cmocka_unit_test(arena_without_a_ceiling_gives_nothing),
        cmocka_unit_test(arena_pieces_larger_than_a_block),
        cmocka_unit_test(arena_dup_ends_in_nul),
        cmocka_unit_test(hex_both_ways),
        cmocka_unit_test(hex_over_the_ceiling),
        cmocka_unit_test(base64_of_rfc_4648),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_over_the_ceiling),
        cmocka_unit_test(wire_both_ways),
        cmocka_unit_test(wire_past_the_end_is_sticky),
        cmocka_unit_test(wire_lengths_that_lie),
        cmocka_unit_test(wire_enums_and_bools_in_range),
        cmocka_unit_test(wire_writes_share_the_failure_of_the_buffer),
        cmocka_unit_test(a_secret_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
