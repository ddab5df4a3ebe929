// Pieces of the byte forms, for this room only.
#pragma once
#include "base_arena.h"
#include "base_wire.h"
#include "report_tlsrpt.h"

void report_wr_list(struct buf *b, const struct span *s, size_t count); // u16, then spans
// Copies into `a`; false past `max`, where the bytes are bad, or without room.
bool report_rd_list(struct rd *r, struct span **out, size_t *count, size_t max, struct arena *a);
bool report_rd_text(struct rd *r, struct span *out, struct arena *a);
void report_wr_address(struct buf *b, bool given, const struct dns_address *a);
bool report_rd_address(struct rd *r, bool *given, struct dns_address *out);
// `count` things of `size` bytes; NULL without room. For a count of 0 not NULL.
void *report_rd_array(struct arena *a, size_t count, size_t size);
