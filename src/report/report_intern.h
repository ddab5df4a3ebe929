// One copy of each text of a document: reports repeat the same few names a hundred thousand times.
// For this room only.
#pragma once
#include "report_utf8.h"

enum { REPORT_INTERN_BUCKETS = 4096, REPORT_INTERN_CHAIN = 8 };

struct report_intern_entry;
struct report_intern { // begin with {.arena = …, .notes = …}
    struct arena *arena;
    struct report_notes *notes;
    struct report_intern_entry *buckets[REPORT_INTERN_BUCKETS];
};
// The cleaned form (report_line, report_domain) of the text. .at == NULL: the arena is full.
struct span report_intern_line(struct report_intern *t, struct span text);
struct span report_intern_domain(struct report_intern *t, struct span text);
