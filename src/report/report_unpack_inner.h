// What unpacking is made of: for this room only.
#pragma once
#include "report_inflate.h"

enum report_form_magic {
    REPORT_MAGIC_NOTHING, // empty or blank
    REPORT_MAGIC_GZIP,
    REPORT_MAGIC_ZIP,
    REPORT_MAGIC_XML,
    REPORT_MAGIC_JSON,
    REPORT_MAGIC_OTHER,
};
enum report_form_magic report_magic(struct span bytes);
// Whether plain bytes look like a report, so that a text part of a mail is one.
bool report_looks_like(struct span bytes);

struct report_job { // a call of report_unpack()
    struct report_unpacked *out;
    struct report_notes *notes;
    struct arena *arena;
    struct report_bound bound;
};
// One thing that may be a report: packed or plain.
struct report_thing {
    struct span bytes;
    struct buf *own; // NULL, or what holds `bytes`, and may be taken instead of copied
    struct span name;
    const char *wrap;
    unsigned inside; // levels of packing it is in
};
// As many as are taken at once are there: what else there is, is remarked, and not unpacked.
bool report_unpack_full(struct report_job *job, struct span name);
struct rc report_unpack_one(struct report_job *job, const struct report_thing *thing);
struct rc report_unpack_zip(struct report_job *job, struct span bytes);
struct rc report_unpack_mail(struct report_job *job, struct span message);
