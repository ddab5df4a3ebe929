// What libxml2 gets to see of a document: elements, text and CDATA. Document types are refused;
// declarations, comments and instructions dropped; a "&" that begins no reference becomes "&amp;".
// UTF-8 in, in pieces. For this room only.
#pragma once
#include "report_notes.h"

enum { REPORT_XML_TAG = 16 << 10 };

enum report_shape {
    REPORT_UNDECIDED,
    REPORT_ELEMENT,
    REPORT_COMMENT,
    REPORT_CDATA,
    REPORT_INSTRUCTION,
    REPORT_DOCTYPE
};

struct report_filter {
    struct buf out; // for the parser; the caller empties it
    // private
    struct buf tag; // from its "<", until it is whole
    enum report_shape shape;
    char quote; // inside an attribute of the tag
    char reference[16];
    size_t reference_len; // from its "&"
    bool begun;           // an element was seen
};
#define REPORT_FILTER ((struct report_filter){.out = BUF(1 << 20), .tag = BUF(REPORT_XML_TAG)})
// At most 64 KiB at a time. MALFORMED or TOO_LARGE ends it.
struct rc report_filter_feed(struct report_filter *f, struct span text, struct report_notes *notes);
void report_filter_free(struct report_filter *f);
