// Private to the room: history.db's statements and what is gathered for it.
#pragma once
#include "store_history.h"
#include "store_sql.h"
#include "store_taken.h"
#include "store_tally.h"

enum {
    PLAN_FIND,
    PLAN_PUT,
    PLAN_USED,
    PLAN_TRIM,
    ATTEMPT_PUT,
    ATTEMPT_TRIM,
    ATTEMPTS_OF,
    EVALUATION_PUT,
    EVALUATION_TRIM,
    TALLY_ADD,
    TALLY_NEW,
    TALLY_LIST,
    TALLY_TRIM,
    SUBJECT_NEW,
    SUBJECT_KEY,
    SUBJECT_LOST,
    SUBJECT_ABOUT,
    SUBJECT_GET,
    SUBJECT_COUNT,
    SUBJECT_LIST,
    SUBJECT_DONE,
    SUBJECT_TRIM,
    DELIVERY_ADD,
    DELIVERY_LIST,
    TOLD_LIST,
    DELIVERY_TRIM,
    SENT_PUT,
    SENT_LIST,
    SENT_TRIM,
    TAKEN_PUT,
    TAKEN_LIST,
    TAKEN_TRIM,
    TAKEN_COUNT,
    TAKEN_GET,
    ASIDE_PUT,
    ASIDE_LIST,
    ASIDE_GET,
    ASIDE_TRIM,
    ASIDE_BOUND,
    HISTORY_STATEMENTS
};

// Version 3.
#define STORE_TALLY_TABLES                                                                         \
    "CREATE TABLE subject (day INTEGER NOT NULL, kind INTEGER NOT NULL, domain TEXT NOT NULL,"     \
    " about BLOB NOT NULL, keys INTEGER NOT NULL, lost INTEGER NOT NULL, done INTEGER NOT NULL,"   \
    " PRIMARY KEY (day, kind, domain)) WITHOUT ROWID;"                                             \
    "CREATE TABLE tally (day INTEGER NOT NULL, kind INTEGER NOT NULL, domain TEXT NOT NULL,"       \
    " policy BLOB NOT NULL, detail BLOB NOT NULL, sessions INTEGER NOT NULL,"                      \
    " times INTEGER NOT NULL, PRIMARY KEY (day, kind, domain, policy, detail)) WITHOUT ROWID;"     \
    "CREATE TABLE delivery (day INTEGER NOT NULL, domain TEXT NOT NULL,"                           \
    " protection INTEGER NOT NULL, count INTEGER NOT NULL,"                                        \
    " PRIMARY KEY (day, domain, protection)) WITHOUT ROWID;"                                       \
    "CREATE TABLE sent (day INTEGER NOT NULL, kind INTEGER NOT NULL, domain TEXT NOT NULL,"        \
    " uri TEXT NOT NULL, at INTEGER NOT NULL, state INTEGER NOT NULL, why TEXT NOT NULL,"          \
    " PRIMARY KEY (day, kind, domain, uri)) WITHOUT ROWID;"                                        \
    "CREATE TABLE taken (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL,"      \
    " organization TEXT NOT NULL, report TEXT NOT NULL, domain TEXT NOT NULL,"                     \
    " begin INTEGER NOT NULL, until INTEGER NOT NULL, good INTEGER NOT NULL,"                      \
    " bad INTEGER NOT NULL, content BLOB NOT NULL,"                                                \
    " UNIQUE (kind, organization, report, domain, begin));"
// Version 4.
#define STORE_ASIDE_TABLES                                                                         \
    "ALTER TABLE taken ADD COLUMN way INTEGER NOT NULL DEFAULT 2;"                                 \
    "ALTER TABLE taken ADD COLUMN who TEXT NOT NULL DEFAULT '';"                                   \
    "ALTER TABLE taken ADD COLUMN remark TEXT NOT NULL DEFAULT '';"                                \
    "CREATE INDEX taken_at ON taken (at);"                                                         \
    "CREATE TABLE aside (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"               \
    " way INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, size INTEGER NOT NULL,"          \
    " digest BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL);"                                          \
    "CREATE INDEX aside_at ON aside (at);"

// Counts of one key wait here while the next have the same: a run of deliveries to
// one domain is one change of the table.
struct store_tally_run {
    bool any;
    struct store_count tally; // its spans are in `bytes`
    struct buf bytes;
};
struct store_delivery_run {
    int64_t day;
    char domain[256];
    size_t domain_len;
    enum store_protection protection;
    uint64_t count; // 0: none waits
};

struct store_history {
    struct store_sql sql;
    struct store_tally_run run;
    unsigned keys_max; // of the run
    struct store_delivery_run deliveries;
    int64_t subject_day; // whose subjects were counted
    int64_t subjects;
    int64_t taken_day; // whose reports of others were counted; -1: none yet
    struct store_taken_day {
        uint64_t reports, bytes;
    } taken[STORE_TAKEN_WAYS];
};

extern const char *const store_tally_texts[TAKEN_PUT];          // from TALLY_ADD on
extern const char *const store_taken_texts[HISTORY_STATEMENTS]; // from TAKEN_PUT on
struct rc store_tally_flush(struct store_history *h);           // what waits in the runs
void store_tally_forget(struct store_history *h);               // after a failure
// Of reports of others: what is older, and what is put aside beyond its bounds.
struct rc store_taken_trim(struct store_history *h, int64_t before_us);
