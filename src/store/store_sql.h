// Private to the room: one SQLite database with its statements, prepared once
// each. All failures of SQLite come out as an rc; the sentence for people is
// in `why`, valid until the next failure.
#pragma once
#include "base_arena.h"
#include "base_rc.h"
#include "base_time.h"

#include <sqlite3.h>

struct store_schema {
    const char *name;         // "queue.db", for sentences
    int application, version; // PRAGMA application_id, user_version
    const char *synchronous;  // "FULL", "NORMAL"
    unsigned cache_kib;       // of pages in memory; the kernel has the rest
    const char *tables;       // DDL of version `version`
    // What makes version n + 2 of n + 1, for n from 0; `version` - 1 of them.
    const char *const *upgrades;
    const char *const *texts; // statements
    size_t count;
};

struct store_sql {
    sqlite3 *db;
    const struct store_schema *schema;
    sqlite3_stmt **statements;
    bool begun;
};

struct rc store_sql_open(struct store_sql *q, const struct store_schema *schema, const char *path,
                         const char **why);
void store_sql_close(struct store_sql *q);

struct rc store_sql_begin(struct store_sql *q);  // no-op inside a transaction
struct rc store_sql_commit(struct store_sql *q); // undoes all on failure; no-op outside
void store_sql_rollback(struct store_sql *q);
struct rc store_sql_text(struct store_sql *q, const char *text); // runs it, no rows

// A statement under way: begin, bind in order, step, read columns, done.
struct store_row {
    struct store_sql *sql;
    sqlite3_stmt *statement; // NULL: it could not be prepared; rc says why
    int bound, column;
    struct rc rc; // sticky: the first failure
};
struct store_row store_row_begin(struct store_sql *q, unsigned statement);
void store_row_int(struct store_row *r, int64_t v);
void store_row_text(struct store_row *r, struct span s); // borrowed until done
void store_row_blob(struct store_row *r, struct span s);
bool store_row_next(struct store_row *r);   // a row is there; false: end, or r->rc
int64_t store_row_get(struct store_row *r); // the row's next column
bool store_row_null(const struct store_row *r);
struct span store_row_span(struct store_row *r); // borrowed until next or done
struct rc store_row_done(struct store_row *r);   // resets; the sticky rc
// For statements without rows: steps and is done.
struct rc store_row_run(struct store_row *r);

const char *store_why(const char *format, ...) __attribute__((format(printf, 1, 2)));
