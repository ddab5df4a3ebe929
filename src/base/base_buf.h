// A byte buffer that owns its bytes and grows up to a ceiling. A put that would
// pass the ceiling changes nothing, returns RC_FULL and is remembered, so that
// a row of puts may be tested once with buf_state().
#pragma once
#include "base_rc.h"
#include "base_span.h"

struct buf {
    char *at;
    size_t len, cap, max;
    bool overrun;
    bool secret; // bytes that are given up are overwritten, also where it grows
};

#define BUF(ceiling) ((struct buf){.max = (ceiling)})

void buf_free(struct buf *b);
void buf_wipe(struct buf *b);             // as free, for secrets: overwritten first
void buf_clear(struct buf *b);            // empties, keeps the memory, forgets an overrun
struct rc buf_state(const struct buf *b); // FULL if any put was refused since the last clear
struct rc buf_reserve(struct buf *b, size_t more); // room for `more` bytes behind len
// These return nothing to look at: ask buf_state() after the last one.
void buf_put(struct buf *b, struct span s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t n); // drops n bytes from the front

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->at, b->len};
}
// The bytes as a C string, valid until the next change. Panics if over the ceiling.
const char *buf_str(struct buf *b);
