// The whole way of foreign bytes to typed documents, in two halves: the child unpacks and parses
// and writes the result as plain bytes; its parent, which never sees the foreign ones, reads that.
#pragma once
#include "report_dmarc.h"
#include "report_tlsrpt.h"
#include "report_unpack.h"

// In the child: all documents in `bytes`, each with its notes, and the facts of the mail. Never
// fails: what could not be read is said in what is written.
void report_take(struct buf *out, struct span bytes, const struct report_limits *limits);

struct report_taken { // one document
    enum report_kind kind;
    bool good;                 // `tls` or `dmarc` is there; else notes.fault says why not
    struct span name, wrap;    // as in report_document
    struct report_notes notes; // with those of the unpacking
    struct report_tlsrpt tls;
    struct report_dmarc dmarc;
};
struct report_taking {
    size_t count;
    char fault[REPORT_FAULT_MAX]; // nothing could be unpacked: why; then `count` is 0
    bool mail;
    struct span from, subject, tls_domain, tls_submitter; // see report_unpack.h
};
// In the parent: the head, then each document in turn; spans live in `a`. False: not what
// report_take() writes (the child died on it), or no room.
bool report_taking_open(struct rd *r, struct report_taking *out, struct arena *a);
bool report_taking_next(struct rd *r, struct report_taken *out, struct arena *a);
