#include "base_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void forget(const struct buf *b, size_t from, size_t to)
{
    if (b->secret && from < to)
        explicit_bzero(b->at + from, to - from);
}

void buf_free(struct buf *b)
{
    forget(b, 0, b->cap);
    free(b->at);
    *b = (struct buf){.max = b->max, .secret = b->secret};
}

void buf_wipe(struct buf *b)
{
    if (b->at)
        explicit_bzero(b->at, b->cap);
    buf_free(b);
}

void buf_clear(struct buf *b)
{
    forget(b, 0, b->len);
    b->len = 0;
    b->overrun = false;
}

struct rc buf_state(const struct buf *b)
{
    return b->overrun ? RC(FULL) : RC(OK);
}

static void resize(struct buf *b, size_t cap)
{
    char *old = b->at, *at = b->secret ? mem_new(cap) : mem_resize(old, cap);
    if (b->secret && old) {
        memcpy(at, old, b->len);
        forget(b, 0, b->cap);
        free(old);
    }
    b->at = at;
    b->cap = cap;
}

static struct rc grow(struct buf *b, size_t more)
{
    if (more > b->max || b->len > b->max - more) {
        b->overrun = true;
        return RC(FULL);
    }
    size_t want = b->len + more, cap = b->cap ? b->cap : 64;
    while (cap < want)
        cap *= 2;
    resize(b, cap < b->max ? cap : b->max);
    return RC(OK);
}

struct rc buf_reserve(struct buf *b, size_t more)
{
    if (more <= b->cap - b->len && b->len + more <= b->max)
        return RC(OK);
    return grow(b, more);
}

void buf_put(struct buf *b, struct span s)
{
    if (s.len == 0 || !rc_ok(buf_reserve(b, s.len)))
        return;
    memcpy(b->at + b->len, s.at, s.len);
    b->len += s.len;
}

void buf_putc(struct buf *b, char c)
{
    if (rc_ok(buf_reserve(b, 1)))
        b->at[b->len++] = c;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    char small[256];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(small, sizeof small, format, ap);
    va_end(ap);
    if (n < 0)
        panic("format %s", format);
    size_t len = (size_t)n;
    if (len < sizeof small) {
        buf_put(b, (struct span){small, len});
        return;
    }
    char *large = mem_new(len + 1);
    va_start(ap, format);
    vsnprintf(large, len + 1, format, ap);
    va_end(ap);
    buf_put(b, (struct span){large, len});
    free(large);
}

void buf_consume(struct buf *b, size_t n)
{
    size_t left = n < b->len ? b->len - n : 0;
    if (left)
        memmove(b->at, b->at + n, left);
    forget(b, left, b->len);
    b->len = left;
}

const char *buf_str(struct buf *b)
{
    size_t max = b->max;
    b->max = max + 1; // the NUL is not part of what the ceiling counts
    if (b->overrun || !rc_ok(buf_reserve(b, 1)))
        panic("string over its ceiling of %zu bytes", max);
    b->max = max;
    b->at[b->len] = '\0';
    return b->at;
}
