#include "base_wire.h"

struct span rd_bytes(struct rd *r, size_t n)
{
    if (r->bad || n > r->rest.len) {
        r->bad = true;
        return (struct span){NULL, 0};
    }
    struct span got = span_first(r->rest, n);
    r->rest = span_skip(r->rest, n);
    return got;
}

static uint64_t number(struct rd *r, size_t size)
{
    struct span s = rd_bytes(r, size);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | (unsigned char)s.at[i];
    return v;
}

uint8_t rd_u8(struct rd *r)
{
    return (uint8_t)number(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
    return (uint16_t)number(r, 2);
}

uint32_t rd_u32(struct rd *r)
{
    return (uint32_t)number(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
    return number(r, 8);
}

int64_t rd_i64(struct rd *r)
{
    return (int64_t)number(r, 8);
}

bool rd_bool(struct rd *r)
{
    return rd_enum(r, 2) == 1;
}

struct span rd_span(struct rd *r)
{
    return rd_bytes(r, rd_u32(r));
}

unsigned rd_enum(struct rd *r, unsigned count)
{
    unsigned v = rd_u8(r);
    if (v >= count) {
        r->bad = true;
        return 0;
    }
    return v;
}

bool rd_end(struct rd *r)
{
    return !r->bad && r->rest.len == 0;
}

static void put(struct buf *b, uint64_t v, unsigned size)
{
    char bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (char)(v >> (8 * (size - 1 - i)));
    buf_put(b, (struct span){bytes, size});
}

void wr_u8(struct buf *b, uint8_t v)
{
    put(b, v, 1);
}

void wr_u16(struct buf *b, uint16_t v)
{
    put(b, v, 2);
}

void wr_u32(struct buf *b, uint32_t v)
{
    put(b, v, 4);
}

void wr_u64(struct buf *b, uint64_t v)
{
    put(b, v, 8);
}

void wr_i64(struct buf *b, int64_t v)
{
    put(b, (uint64_t)v, 8);
}

void wr_bool(struct buf *b, bool v)
{
    put(b, v, 1);
}

void wr_span(struct buf *b, struct span s)
{
    if (s.len > UINT32_MAX) {
        b->overrun = true;
        return;
    }
    put(b, s.len, 4);
    buf_put(b, s);
}
