// Reading and writing binary bytes: a cursor each, big-endian, with a sticky
// failure: ten reads in a row, one test of `.bad` at the end. A read past the
// end gives 0 or an empty span and sets `.bad`; it never looks outside.
#pragma once
#include "base_buf.h"
#include "base_span.h"

struct rd {
    struct span rest;
    bool bad;
};

#define RD(s) ((struct rd){.rest = (s)})

uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
int64_t rd_i64(struct rd *r);
bool rd_bool(struct rd *r);                   // 0 or 1; anything else is bad
struct span rd_bytes(struct rd *r, size_t n); // borrows from the input
struct span rd_span(struct rd *r);            // u32 length, then the bytes; borrows
// An enum value below `count`; a larger one is bad and reads as 0.
unsigned rd_enum(struct rd *r, unsigned count);
bool rd_end(struct rd *r); // true if nothing is left and nothing was bad

// Writers append to a buf, whose own sticky failure they share.
void wr_u8(struct buf *b, uint8_t v);
void wr_u16(struct buf *b, uint16_t v);
void wr_u32(struct buf *b, uint32_t v);
void wr_u64(struct buf *b, uint64_t v);
void wr_i64(struct buf *b, int64_t v);
void wr_bool(struct buf *b, bool v);
void wr_span(struct buf *b, struct span s); // u32 length, then the bytes
