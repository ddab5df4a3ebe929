// Foreign text made UTF-8 before a parser sees it, piece by piece: UTF-16 is converted, bytes that
// are no UTF-8 are taken for Latin-1, control characters become blanks. All of it is remarked.
// For this room only.
#pragma once
#include "base_arena.h"
#include "report_notes.h"

#define REPORT_UTF8_NEW ((struct report_utf8){.rest = BUF(SIZE_MAX)})
struct report_utf8 {
    // private
    enum report_form { REPORT_FORM_UNKNOWN, REPORT_UTF8, REPORT_UTF16_LE, REPORT_UTF16_BE } form;
    unsigned high;   // a surrogate that waits for its second half
    struct buf rest; // the front of a character, between pieces
};
void report_utf8_free(struct report_utf8 *u);
// Appends to `out`. With `last` nothing is held back.
void report_utf8_feed(struct report_utf8 *u, struct buf *out, struct span piece, bool last,
                      struct report_notes *notes);

// Foreign text as one clean line of at most `max` bytes, trimmed, in `a`. .at == NULL: no room.
struct span report_line(struct arena *a, struct span text, size_t max, struct report_notes *notes);
// "_example.Org." -> "_example.org"; what is no name is kept as a clean line and remarked.
struct span report_domain(struct arena *a, struct span text, struct report_notes *notes);
