// The dot coder against a naive one: every text over the bytes that matter up
// to seven long, cut at every place. GELEIT_BENCH=1 also prints how fast it is.
#include "smtp_dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { TEXT_MAX = 7 };

// Reads message data byte by byte. The result: 'e' end, 'b' bare, 'm' more.
static char naive_decode(struct span in, struct buf *out, size_t *taken)
{
    size_t line = 0; // begins here
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        bool ends = c == '\r' && i + 1 < in.len && in.at[i + 1] == '\n';
        if (ends && i == line + 1 && in.at[line] == '.') {
            out->len--; // the dot before, which was put out as text
            *taken = i + 2;
            return 'e';
        }
        if (c == '\r' && i + 1 == in.len)
            return 'm';
        if (i == line + 1 && in.at[line] == '.')
            out->len--; // something else follows the dot
        if (!ends && (c == '\r' || c == '\n'))
            return 'b';
        buf_putc(out, c);
        if (ends) {
            buf_putc(out, '\n');
            i++;
            line = i + 1;
        }
    }
    return 'm';
}

static char decode(struct span in, size_t chunk, struct buf *out, size_t *taken)
{
    static const char result[] = {[SMTP_UNDOT_MORE] = 'm',
                                  [SMTP_UNDOT_PIECE] = 'p',
                                  [SMTP_UNDOT_END] = 'e',
                                  [SMTP_UNDOT_BARE] = 'b'};
    struct smtp_undot u = {0};
    size_t have = 0, done = 0;
    while (have < in.len) {
        struct span piece;
        enum smtp_undot_kind kind;
        have = have + chunk < in.len ? have + chunk : in.len;
        do {
            struct span unread = {in.at + done, have - done};
            kind = smtp_undot_take(&u, &unread, &piece);
            done = have - unread.len;
            if (kind == SMTP_UNDOT_PIECE)
                buf_put(out, piece);
        } while (kind == SMTP_UNDOT_PIECE);
        *taken = done;
        if (kind != SMTP_UNDOT_MORE)
            return result[kind];
        assert_true(have - done <= 2);
    }
    return 'm';
}

// Calls `each` with every text over the bytes, of every length up to TEXT_MAX.
static void all_texts(void (*each)(struct span text))
{
    static const char bytes[] = ".\r\nx";
    for (size_t len = 0; len <= TEXT_MAX; len++) {
        for (unsigned n = 0; n < 1u << (2 * len); n++) {
            char text[TEXT_MAX];
            for (size_t i = 0; i < len; i++)
                text[i] = bytes[n >> (2 * i) & 3];
            each((struct span){text, len});
        }
    }
}

static void decode_compare(struct span text)
{
    struct buf want = BUF(64), got = BUF(64);
    size_t want_taken = 0;
    char kind = naive_decode(text, &want, &want_taken);
    for (size_t chunk = 1; chunk <= TEXT_MAX; chunk++) {
        size_t taken = 0;
        buf_clear(&got);
        assert_int_equal(decode(text, chunk, &got, &taken), kind);
        if (kind == 'e')
            assert_int_equal(taken, want_taken);
        if (kind != 'm') // what is held back of an unfinished text may differ
            assert_true(span_eq(buf_span(&want), buf_span(&got)));
        else
            assert_true(span_starts(buf_span(&want), buf_span(&got)));
    }
    buf_free(&want);
    buf_free(&got);
}

// Lines first, dots then.
static void naive_encode(struct span in, struct buf *out)
{
    bool begin = true;
    for (size_t i = 0; i < in.len; i++) {
        if (in.at[i] == '\r' || in.at[i] == '\n') {
            i += in.at[i] == '\r' && i + 1 < in.len && in.at[i + 1] == '\n';
            buf_put(out, SPAN("\r\n"));
            begin = true;
            continue;
        }
        if (begin && in.at[i] == '.')
            buf_putc(out, '.');
        buf_putc(out, in.at[i]);
        begin = false;
    }
    buf_put(out, begin ? SPAN(".\r\n") : SPAN("\r\n.\r\n"));
}

static void encode(struct span in, size_t chunk, struct buf *out)
{
    struct smtp_dot d = {0};
    while (in.len) {
        smtp_dot_put(&d, span_first(in, chunk), out);
        in = span_skip(in, chunk);
    }
    smtp_dot_end(&d, out);
}

static void encode_compare(struct span text)
{
    struct buf want = BUF(64), got = BUF(64);
    naive_encode(text, &want);
    for (size_t chunk = 1; chunk <= TEXT_MAX; chunk++) {
        buf_clear(&got);
        encode(text, chunk, &got);
        assert_true(span_eq(buf_span(&want), buf_span(&got)));
    }
    buf_free(&want);
    buf_free(&got);
}

// Whatever goes out is one message to who receives it, and ends where it ends.
static void round_trip(struct span text)
{
    struct buf wire = BUF(64), got = BUF(64);
    size_t taken = 0;
    encode(text, TEXT_MAX, &wire);
    assert_int_equal(decode(buf_span(&wire), 3, &got, &taken), 'e');
    assert_int_equal(taken, wire.len);
    assert_true(got.len >= text.len || span_index(text, '\n') < text.len);
    buf_free(&wire);
    buf_free(&got);
}

static void decoder_is_the_naive_one(void **state)
{
    (void)state;
    all_texts(decode_compare);
}

static void encoder_is_the_naive_one(void **state)
{
    (void)state;
    all_texts(encode_compare);
}

static void encoded_is_decoded(void **state)
{
    (void)state;
    all_texts(round_trip);
}

static void message_fill(struct buf *b)
{
    while (b->len < 10240)
        buf_put(b, SPAN("A line of a message as people write them, some seventy bytes long.\r\n"));
}

static void a_long_message_is_one_piece(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(20000);
    struct smtp_undot u = {0};
    struct span piece;
    message_fill(&b);
    size_t len = b.len;
    buf_put(&b, SPAN(".\r\n"));
    struct span in = buf_span(&b);
    assert_int_equal(smtp_undot_take(&u, &in, &piece), SMTP_UNDOT_PIECE);
    assert_int_equal(piece.len, len);
    assert_int_equal(smtp_undot_take(&u, &in, &piece), SMTP_UNDOT_END);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void bench(void)
{
    enum { TIMES = 20000 };
    CLEANUP(buf_free) struct buf message = BUF(20000), out = BUF(40000);
    message_fill(&message);
    double begin = now_us();
    for (int i = 0; i < TIMES; i++) {
        struct smtp_dot d = {0};
        buf_clear(&out);
        smtp_dot_put(&d, buf_span(&message), &out);
        smtp_dot_end(&d, &out);
    }
    double middle = now_us();
    for (int i = 0; i < TIMES; i++) {
        struct smtp_undot u = {0};
        struct span in = buf_span(&out), piece;
        while (smtp_undot_take(&u, &in, &piece) == SMTP_UNDOT_PIECE)
            continue;
    }
    printf("# %zu bytes: dots on %.2f us, dots off %.2f us\n", message.len,
           (middle - begin) / TIMES, (now_us() - middle) / TIMES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoder_is_the_naive_one),
        cmocka_unit_test(encoder_is_the_naive_one),
        cmocka_unit_test(encoded_is_decoded),
        cmocka_unit_test(a_long_message_is_one_piece),
    };
    if (getenv("GELEIT_BENCH"))
        bench();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
