// A borrowed run of bytes. It owns nothing and need not end in NUL; who lends
// it says how long it stays valid. `at` may be NULL only where `len` is 0.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *at;
    size_t len;
};

#define SPAN(literal)  ((struct span){"" literal, sizeof(literal) - 1})
#define SPAN_OF(array) ((struct span){(const char *)(array), sizeof(array)})
#define SPAN_FMT(s)    (int)(s).len, (s).at ? (s).at : ""

struct span span_str(const char *nul_terminated); // NULL gives the empty span
bool span_eq(struct span a, struct span b);
int span_compare(struct span a, struct span b); // byte by byte, the shorter first: for sorting
bool span_ieq(struct span a, struct span b);    // ASCII letters compare without case
uint64_t span_ihash(struct span s);             // equal for what span_ieq() finds equal
bool span_starts(struct span s, struct span prefix);
bool span_istarts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
struct span span_skip(struct span s, size_t n);  // without the first n bytes (or empty)
struct span span_first(struct span s, size_t n); // the first n bytes (or all)
// Index of the byte, or s.len where it does not occur.
size_t span_index(struct span s, char c);
// Cuts at the first `c`: returns what stands before it, leaves what stands
// after in *s. Without a `c` returns all and leaves *s with at == NULL.
struct span span_cut(struct span *s, char c);
struct span span_trim(struct span s); // without spaces and tabs at both ends
// Whole span as a decimal number of at most `max`; false for anything else.
bool span_number(struct span s, uint64_t max, uint64_t *out);
bool span_is_ascii(struct span s);
// Bytes of the character at the front if it is valid UTF-8 (RFC 3629), else 0.
size_t span_utf8(struct span s);
// Copies into a fixed array with a NUL behind; false (and an empty string) if it
// does not fit whole or holds a NUL. The one way from a span to a C string.
bool span_copy(char *to, size_t room, struct span s);
void span_bytes(void *to, size_t size, struct span s); // exactly `size` bytes, else panics
