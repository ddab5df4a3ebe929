// What libxml2 gets to see of a document: elements, text and CDATA. Document types are refused;
// declarations, comments and instructions dropped; a "&" that begins no reference becomes "&amp;".
// UTF-8 in, in pieces. For this room only.
#pragma once
#include "report_notes.h"

// A parser compares each attribute of a tag with the others, and its prefix with those of the tags
// around: hundreds of both cost a minute of a document that has nothing else.
enum { REPORT_XML_TAG = 16 << 10, REPORT_XML_ATTRIBUTES = 32 };

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
    unsigned attributes;
    char reference[16];
    size_t reference_len; // from its "&"
    bool begun;           // an element was seen
};
#define REPORT_FILTER ((struct report_filter){.out = BUF(1 << 20), .tag = BUF(REPORT_XML_TAG)})
// At most 64 KiB at a time. MALFORMED or TOO_LARGE ends it.
struct rc report_filter_feed(struct report_filter *f, struct span text, struct report_notes *notes);
void report_filter_free(struct report_filter *f);
