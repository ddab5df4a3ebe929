// What reports are made of: counts by UTC day, in history.db, committed with the
// attempts and evaluations they come from (store_history_commit). A *subject* is whom a
// report is about, on one day: its tallies are kept under packed keys (room report),
// at most `keys_max` different ones; what comes beyond is added up under a coarser key.
// Beside them, for years: deliveries by day, domain and protection.
#pragma once
#include "base_arena.h"
#include "store_history.h"

enum store_subject_kind { STORE_ABOUT_TLS, STORE_ABOUT_DMARC, STORE_SUBJECT_KINDS };

enum store_protection {
    STORE_UNCOUNTED, // local, or a report
    STORE_CLEAR,
    STORE_ENCRYPTED,
    STORE_PKIX, // and pinned certificates
    STORE_STS,
    STORE_DANE,
    STORE_PROTECTIONS
};
const char *store_protection_text(enum store_protection p); // "dane"

enum {
    STORE_SUBJECTS_MAX = 100000,  // in a day: what is new beyond is not counted
    STORE_TALLY_KEY_MAX = 128000, // bytes of one key's three parts
};

struct store_subject {
    int64_t day; // since 1970
    enum store_subject_kind kind;
    struct span domain;
};
struct store_count {
    struct store_subject subject;
    struct span about; // what the report needs beside its tallies; that seen last stands
    struct span policy, detail;
    struct span coarse; // stands in for `detail` beyond keys_max
    uint64_t sessions, times;
};
static inline int64_t store_day(struct wall t)
{
    return t.us / SECONDS(86400);
}
struct rc store_tally_add(struct store_history *h, const struct store_count *t, unsigned keys_max);
struct rc store_delivered(struct store_history *h, int64_t day, struct span domain,
                          enum store_protection p, uint64_t count);

// ---- reading; spans are borrowed during the call ----
struct store_subject_row {
    struct store_subject subject;
    struct span about;
    uint64_t keys, lost; // lost: counted, but under no key of its own
    uint64_t sessions;
    bool done;
};
// Of days `from` to `to`, in order of day, kind, domain, those behind `behind` (its day 0:
// from the beginning), until `each` returns false. `undone`: only what is not done.
struct rc store_subjects(struct store_history *h, int64_t from, int64_t to, bool undone,
                         const struct store_subject *behind,
                         bool (*each)(void *arg, const struct store_subject_row *s), void *arg);
// The tallies of a subject behind (policy, detail), both empty: all.
struct rc store_tallies(struct store_history *h, const struct store_subject *s, struct span policy,
                        struct span detail, bool (*each)(void *arg, const struct store_count *t),
                        void *arg);

// What became of a report at one destination, and of all of it.
enum store_sent_state { STORE_SENT_LATER, STORE_SENT, STORE_SENT_NEVER, STORE_SENT_STATES };
struct store_sent {
    struct store_subject subject;
    struct span uri;
    struct wall when;
    enum store_sent_state state;
    struct span why;
};
struct rc store_sent_put(struct store_history *h, const struct store_sent *s);
struct rc store_sent_list(struct store_history *h, const struct store_subject *s,
                          bool (*each)(void *arg, const struct store_sent *s), void *arg);
struct rc store_subject_done(struct store_history *h, const struct store_subject *s);

struct store_delivery_row {
    int64_t day;
    struct span domain;
    enum store_protection protection;
    uint64_t count;
};
// Of days `from` to `to`; `domain` empty: of all.
struct rc store_deliveries(struct store_history *h, int64_t from, int64_t to, struct span domain,
                           bool (*each)(void *arg, const struct store_delivery_row *d), void *arg);

// What reports of others say about a domain and day, added up for each who sends them.
struct store_told_row {
    int64_t day;
    enum store_subject_kind kind;
    struct span domain, organization;
    uint64_t reports, good, bad;
};
struct rc store_told(struct store_history *h, int64_t from, int64_t to, struct span domain,
                     bool (*each)(void *arg, const struct store_told_row *t), void *arg);

// Removes what is older: tallies, what was sent and taken before `day`, deliveries before
// `overview`. Commits.
struct rc store_tally_trim(struct store_history *h, int64_t day, int64_t overview);
