// Reports of others, in history.db: those that were understood, once each, and the bytes of those
// that were not, put aside for a human, the newest few. Anyone may send them: all is bounded.
#pragma once
#include "store_tally.h"

struct store_taken {
    uint64_t id; // by the store
    struct wall when;
    enum store_subject_kind kind;
    struct span organization, report, domain;
    struct wall begin, end;
    uint64_t good, bad;  // sessions or messages
    struct span content; // packed, as the room report has it
    unsigned way;        // how it came; the caller's own numbers
    struct span who;     // that brought it
    struct span remark;  // one sentence, or nothing
};
enum { STORE_TAKEN_WAYS = 8 };
struct store_taken_most {
    unsigned ways;    // bits: those ways whose reports count
    uint64_t reports; // in a day; 0: no matter how many
    uint64_t bytes;   // of their contents in a day; what is beyond is kept without; 0: no matter
    // Bits: ways anybody can come by. One of the same name that came so says nothing, and makes
    // room for this one if it is another.
    unsigned over;
};
// *fresh false: it is known already (same kind, organization, report id, domain, begin), nothing is
// changed. FULL: so many were taken in on that day already. `most` NULL: no matter.
struct rc store_taken_put(struct store_history *h, const struct store_taken *t,
                          const struct store_taken_most *most, bool *fresh);
// Behind store_history_commit(): what is there survives a loss of power, too.
struct rc store_history_sync(struct store_history *h);
// Spans are borrowed during the call. A list is without contents: they may be gigabytes.
struct rc store_taken_list(struct store_history *h, uint64_t behind,
                           bool (*each)(void *arg, const struct store_taken *t), void *arg);
struct rc store_taken_get(struct store_history *h, uint64_t id, // NOT_FOUND
                          bool (*each)(void *arg, const struct store_taken *t), void *arg);

enum {
    STORE_TAKEN_TEXT_MAX = 1000,      // of each text beside the content; the rest is cut off
    STORE_ASIDE_MAX = 200,            // the newest
    STORE_ASIDE_BYTES = 1 << 20,      // of each, at most; the rest is cut off
    STORE_ASIDE_ALL_BYTES = 64 << 20, // of all of them
};
struct store_aside {
    uint64_t id; // by the store
    struct wall when;
    unsigned way; // how it came; the caller's own numbers
    struct span who, why;
    uint64_t size; // before it was cut
    struct span bytes;
};
// The same bytes again are the same entry, which is new again.
struct rc store_aside_put(struct store_history *h, const struct store_aside *a);
struct rc store_aside_list(struct store_history *h, // oldest first, without their bytes
                           bool (*each)(void *arg, const struct store_aside *a), void *arg);
struct rc store_aside_get(struct store_history *h, uint64_t id, // NOT_FOUND
                          bool (*each)(void *arg, const struct store_aside *a), void *arg);
