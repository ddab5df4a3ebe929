// Expansion with bounds. For this room only.
#pragma once
#include "report_unpack.h"

struct report_bound {
    size_t left;    // bytes that may still come out, of all documents
    size_t max;     // of this one
    unsigned ratio; // see report_limits
    size_t packed;  // bytes that went in for this one
};
// Whether `more` bytes may come out; else the sentence is noted.
struct rc report_bound_check(struct report_bound *bound, size_t out, size_t more,
                             struct report_notes *notes);
// A gzip stream, of any number of members (RFC 1952 §2.2).
struct rc report_gunzip(struct buf *out, struct span packed, struct report_bound *bound,
                        struct report_notes *notes);
