#include "base_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *b)
{
    free(b->at);
    *b = (struct buf){.max = b->max};
}

void buf_wipe(struct buf *b)
{
    if (b->at)
        explicit_bzero(b->at, b->cap);
    buf_free(b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overrun = false;
}

struct rc buf_state(const struct buf *b)
{
    return b->overrun ? RC(FULL) : RC(OK);
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
    b->cap = cap < b->max ? cap : b->max;
    b->at = mem_resize(b->at, b->cap);
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
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->at, b->at + n, b->len - n);
    b->len -= n;
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
