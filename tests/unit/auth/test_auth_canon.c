// Canonical forms (RFC 6376 §3.4): byte by byte, and the same however cut.
#include "auth_body.h"
#include "auth_head.h"
#include "base_buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// A span in a table that is constant.
#define S(literal)                                                                                 \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

static void collect(void *context, struct span s)
{
    buf_put(context, s);
}

static void is(const char *name, const struct buf *got, struct span expected)
{
    if (!span_eq(buf_span(got), expected))
        fail_msg("%s: \"%.*s\" instead of \"%.*s\"", name, SPAN_FMT(buf_span(got)),
                 SPAN_FMT(expected));
}

static void body(struct buf *out, enum auth_canon how, struct span s, size_t step)
{
    struct auth_canon_body c = {.how = how, .to = {collect, out}};
    buf_clear(out);
    for (; s.len; s = span_skip(s, step))
        auth_canon_body_feed(&c, span_first(s, step));
    auth_canon_body_end(&c);
    assert_int_equal(c.len, out->len);
}

static const struct {
    const char *name;
    struct span in, relaxed, simple;
} bodies[] = {
    {"§3.4.5", S(" C \r\nD \t E\r\n\r\n\r\n"), S(" C\r\nD E\r\n"), S(" C \r\nD \t E\r\n")},
    {"empty", S(""), S(""), S("\r\n")},
    {"line end", S("\r\n"), S(""), S("\r\n")},
    {"line ends", S("\r\n\r\n\r\n"), S(""), S("\r\n")},
    {"blanks", S(" \t "), S(""), S(" \t \r\n")},
    {"blank lines", S(" \r\n\t\r\n"), S(""), S(" \r\n\t\r\n")},
    {"no line end", S("a"), S("a\r\n"), S("a\r\n")},
    {"CR at the end", S("a\r"), S("a\r\r\n"), S("a\r\r\n")},
    {"only CR", S("\r"), S("\r\r\n"), S("\r\r\n")},
    {"CR CR LF", S("a\r\r\n"), S("a\r\r\n"), S("a\r\r\n")},
    {"bare LF", S("a\n\n"), S("a\n\n\r\n"), S("a\n\n\r\n")},
    {"blank CR", S("a \rb"), S("a \rb\r\n"), S("a \rb\r\n")},
    {"line ends between", S("\r\n\r\na\r\n\r\n\r\nb\r\n\r\n"), S("\r\n\r\na\r\n\r\n\r\nb\r\n"),
     S("\r\n\r\na\r\n\r\n\r\nb\r\n")},
    {"blanks before", S("a\r\n  b\r\n"), S("a\r\n b\r\n"), S("a\r\n  b\r\n")},
    {"tab", S("a\tb\t\r\n"), S("a b\r\n"), S("a\tb\t\r\n")},
    {"dots", S(".\r\n..\r\n"), S(".\r\n..\r\n"), S(".\r\n..\r\n")},
    {"zero", S("a\0b\r\n"), S("a\0b\r\n"), S("a\0b\r\n")},
};

static void bodies_by_the_table(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        for (size_t step = 1; step < 12; step++) {
            body(&b, AUTH_CANON_RELAXED, bodies[i].in, step);
            is(bodies[i].name, &b, bodies[i].relaxed);
            body(&b, AUTH_CANON_SIMPLE, bodies[i].in, step);
            is(bodies[i].name, &b, bodies[i].simple);
        }
}

// The rules of §3.4.3 and §3.4.4 one after the other, over the whole body.
static void naive_reduce(struct buf *out, struct span line)
{
    bool blank = false;
    for (size_t i = 0; i < line.len; i++) {
        bool wsp = line.at[i] == ' ' || line.at[i] == '\t';
        if (blank && !wsp)
            buf_putc(out, ' ');
        blank = wsp;
        if (!wsp)
            buf_putc(out, line.at[i]);
    }
}

static void naive(struct buf *out, enum auth_canon how, struct span s)
{
    buf_clear(out);
    while (s.len) {
        const char *at = memmem(s.at, s.len, "\r\n", 2);
        size_t n = at ? (size_t)(at - s.at) : s.len;
        if (how == AUTH_CANON_SIMPLE)
            buf_put(out, span_first(s, n));
        else
            naive_reduce(out, span_first(s, n));
        buf_put(out, SPAN("\r\n"));
        s = span_skip(s, at ? n + 2 : n);
    }
    while (out->len >= 4 && span_ends(buf_span(out), SPAN("\r\n\r\n")))
        out->len -= 2;
    if (span_eq(buf_span(out), SPAN("\r\n")) || out->len == 0) {
        buf_clear(out);
        if (how == AUTH_CANON_SIMPLE)
            buf_put(out, SPAN("\r\n"));
    }
}

static uint32_t chance(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static struct span random_text(char *room, size_t size, uint32_t *seed)
{
    static const char *const parts[] = {"\r\n", "\r\n", " ",  "\t", "  ",
                                        "a",    "bc",   "\r", "\n", "."};
    size_t n = 0, most = chance(seed) % size;
    while (n + 2 < most) {
        const char *p = parts[chance(seed) % 10];
        while (*p)
            room[n++] = *p++;
    }
    return (struct span){room, n};
}

// A body that ends in CR CR LF and the like is content to both: no exceptions.
static void random_bodies_at_every_chunk_size(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf expected = BUF(4000), got = BUF(4000);
    char room[300];
    uint32_t seed = 1;
    for (int round = 0; round < 400; round++) {
        struct span s = random_text(room, sizeof room, &seed);
        for (enum auth_canon how = 0; how < AUTH_CANONS; how++) {
            naive(&expected, how, s);
            for (size_t step = 1; step <= 64; step++) {
                body(&got, how, s, step);
                is("random", &got, buf_span(&expected));
            }
        }
    }
}

static void a_million_blank_lines(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf in = BUF(4 << 20), out = BUF(4 << 20);
    for (int i = 0; i < 1000000; i++)
        buf_put(&in, SPAN("\r\n"));
    body(&out, AUTH_CANON_RELAXED, buf_span(&in), 4096);
    assert_int_equal(out.len, 0);
    buf_put(&in, SPAN("x"));
    body(&out, AUTH_CANON_SIMPLE, buf_span(&in), 4095);
    assert_int_equal(out.len, in.len + 2);
}

static const struct {
    const char *name;
    struct span in, relaxed;
} fields[] = {
    {"§3.4.5 A", S("A: X"), S("a:X\r\n")},
    {"§3.4.5 B", S("B : Y\t\r\n\tZ  "), S("b:Y Z\r\n")},
    {"empty", S("Subject:"), S("subject:\r\n")},
    {"blanks", S("Subject: \t "), S("subject:\r\n")},
    {"fold first", S("To:\r\n a"), S("to:a\r\n")},
    {"fold last", S("To: a\r\n "), S("to:a\r\n")},
    {"empty folds", S("To: a\r\n \r\n\t\r\n b"), S("to:a b\r\n")},
    {"bare CR and LF", S("To: a\rb\nc"), S("to:a\rb\nc\r\n")},
    {"colons", S("SubJECT: a:b : c"), S("subject:a:b : c\r\n")},
    {"long name",
     S("XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX: y"),
     S("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:y\r\n")},
};

static void fields_by_the_table(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct auth_sink to = {collect, &b};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        buf_clear(&b);
        auth_canon_field(AUTH_CANON_RELAXED, fields[i].in, true, &to);
        is(fields[i].name, &b, fields[i].relaxed);
        buf_clear(&b);
        auth_canon_field(AUTH_CANON_SIMPLE, fields[i].in, false, &to);
        is(fields[i].name, &b, fields[i].in);
    }
}

static void own_field_without_b(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct auth_sink to = {collect, &b};
    struct span field = SPAN("DKIM-Signature: v=1; b= ab\r\n cd ; a=x");
    struct span value = {field.at + 23, 9};
    auth_canon_own(AUTH_CANON_SIMPLE, field, value, &to);
    is("simple", &b, SPAN("DKIM-Signature: v=1; b=; a=x"));
    buf_clear(&b);
    auth_canon_own(AUTH_CANON_RELAXED, field, value, &to);
    is("relaxed", &b, SPAN("dkim-signature:v=1; b=; a=x"));
}

static void selected_from_the_bottom(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct auth_sink to = {collect, &b};
    struct auth_head h;
    auth_head_read(&h, SPAN("A: 1\r\nb: 2\r\nA: 3\r\nc: 4\r\n\r\nA: body\r\n"), &a);
    assert_null(h.fault);
    assert_int_equal(h.count, 4);
    auth_head_select(&h, SPAN(" a : A\r\n :a:B:nothing:a"), SIZE_MAX, AUTH_CANON_RELAXED, &to);
    is("order", &b, SPAN("a:3\r\na:1\r\nb:2\r\n"));
    buf_clear(&b);
    auth_head_select(&h, SPAN("a:a:c"), 0, AUTH_CANON_SIMPLE, &to);
    is("not its own", &b, SPAN("A: 3\r\nc: 4\r\n"));
}

static void heads_that_are_none(void **state)
{
    (void)state;
    static const struct span heads[] = {
        S(" continuation first\r\n\r\n"),    S("no colon\r\n\r\n"), S(": no name\r\n\r\n"),
        S("a b: blank in the name\r\n\r\n"), S("\x80: x\r\n\r\n"),  S("a: b\r\nc"),
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
        struct auth_head h;
        auth_head_read(&h, heads[i], &a);
        assert_non_null(h.fault);
    }
}

static void head_divided_at_every_border(void **state)
{
    (void)state;
    static const struct span messages[] = {
        S("a: b\r\nc: d\r\n\r\nbody\r\n\r\nmore"),
        S("\r\nbody"),
        S("a: b\r\n\r\n"),
        S("a: b\r\n"),
        S("a: \r\r\n\r\nx"),
    };
    static const size_t heads[] = {14, 2, 8, 6, 8};
    for (size_t i = 0; i < 5; i++)
        for (size_t step = 1; step < 30; step++) {
            CLEANUP(auth_split_free) struct auth_split s = AUTH_SPLIT;
            size_t seen = 0;
            for (struct span r = messages[i]; r.len; r = span_skip(r, step))
                seen += auth_split_feed(&s, span_first(r, step)).len;
            assert_int_equal(s.head.len, heads[i]);
            assert_int_equal(seen, messages[i].len - heads[i]);
        }
}

static void head_over_the_limit(void **state)
{
    (void)state;
    CLEANUP(auth_split_free) struct auth_split s = AUTH_SPLIT;
    for (int i = 0; i < AUTH_HEAD_MAX / 10 + 2; i++)
        (void)auth_split_feed(&s, SPAN("A: 123456\r"));
    assert_true(s.done && s.too_large);
    assert_int_equal(s.head.len, 0);
}

static void body_hashes_are_shared(void **state)
{
    (void)state;
    struct auth_body b = {0};
    size_t whole = auth_body_want(&b, AUTH_CANON_RELAXED, AUTH_BODY_WHOLE);
    size_t three = auth_body_want(&b, AUTH_CANON_RELAXED, 3);
    size_t simple = auth_body_want(&b, AUTH_CANON_SIMPLE, AUTH_BODY_WHOLE);
    assert_int_equal(auth_body_want(&b, AUTH_CANON_RELAXED, 3), three);
    assert_int_equal(b.count, 3);
    auth_body_feed(&b, SPAN("a  b"));
    auth_body_feed(&b, SPAN("\r\n\r\n"));
    auth_body_end(&b);
    struct crypto_digest d = crypto_sha256(SPAN("a b\r\n"));
    assert_memory_equal(b.hashes[whole].digest.at, d.at, 32);
    d = crypto_sha256(SPAN("a b"));
    assert_memory_equal(b.hashes[three].digest.at, d.at, 32);
    d = crypto_sha256(SPAN("a  b\r\n"));
    assert_memory_equal(b.hashes[simple].digest.at, d.at, 32);
    assert_int_equal(auth_body_len(&b, three), 5);
    auth_body_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_by_the_table),
        cmocka_unit_test(random_bodies_at_every_chunk_size),
        cmocka_unit_test(a_million_blank_lines),
        cmocka_unit_test(fields_by_the_table),
        cmocka_unit_test(own_field_without_b),
        cmocka_unit_test(selected_from_the_bottom),
        cmocka_unit_test(heads_that_are_none),
        cmocka_unit_test(head_divided_at_every_border),
        cmocka_unit_test(head_over_the_limit),
        cmocka_unit_test(body_hashes_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
