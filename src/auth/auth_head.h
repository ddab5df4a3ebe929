// The header of a message held whole, because signatures choose its fields from
// the bottom up (RFC 6376 §5.4.2); the body only passes by.
#pragma once
#include "auth_canon.h"
#include "base_arena.h"
#include "base_buf.h"

enum {
    AUTH_HEAD_MAX = 256 << 10, // bytes with the empty line; a larger header is not evaluated
    AUTH_FIELDS_MAX = 1024,
};

// Divides a stream at the empty line.
struct auth_split {
    struct buf head;
    bool done, too_large;
};
#define AUTH_SPLIT ((struct auth_split){.head = BUF(AUTH_HEAD_MAX)})
// Takes what is header; returns what is body (empty while the header goes on).
// `done` once the empty line was seen; a header over the limit is thrown away.
struct span auth_split_feed(struct auth_split *s, struct span chunk);
void auth_split_free(struct auth_split *s);

struct auth_field {
    struct span text; // all of it, folds included, without the CRLF at its end
    struct span name, value;
};

struct auth_head {
    size_t count;
    struct auth_field *at;
    const char *fault; // NULL, or why this is no header that can be judged
};

// Spans are of `bytes`, the table lives in `a`. A line that is neither field nor
// continuation is a fault: others may take it for the end of the header.
void auth_head_read(struct auth_head *out, struct span bytes, struct arena *a);
size_t auth_head_count(const struct auth_head *h, struct span name);

// Canonical forms of the fields that a list "a:b:a" selects: each name takes the
// lowest instance not taken before, then nothing. `own` (an index, or SIZE_MAX)
// is never taken: a signature does not sign itself by name (RFC 6376 §3.5 h=).
void auth_head_select(const struct auth_head *h, struct span list, size_t own, enum auth_canon how,
                      const struct auth_sink *to);
