#include "store_policy.h"

#include "store_sql.h"

#include <stdlib.h>

enum { POLICY_PUT, POLICY_GET, POLICY_EXPIRING, POLICY_LIST, POLICY_COUNT, STATEMENTS };

static const char tables[] = "CREATE TABLE policy (domain TEXT PRIMARY KEY, expires INTEGER NOT"
                             " NULL, value BLOB NOT NULL) WITHOUT ROWID;"
                             "CREATE INDEX policy_expires ON policy (expires);";

static const char *const texts[STATEMENTS] = {
    [POLICY_PUT] = "INSERT OR REPLACE INTO policy (domain, expires, value) VALUES (?1, ?2, ?3)",
    [POLICY_GET] = "SELECT value FROM policy WHERE domain = ?1",
    [POLICY_EXPIRING] = "SELECT domain FROM policy WHERE expires < ?1 ORDER BY expires LIMIT ?2",
    [POLICY_LIST] = "SELECT domain, value FROM policy WHERE domain > ?1 ORDER BY domain LIMIT ?2",
    [POLICY_COUNT] = "SELECT count(*) FROM policy",
};

static const struct store_schema schema = {
    .name = "policy.db",
    .application = 0x474c4250, // "GLBP"
    .version = 1,
    .synchronous = "FULL",
    .cache_kib = 1024,
    .tables = tables,
    .texts = texts,
    .count = STATEMENTS,
};

struct store_policy {
    struct store_sql sql;
};

struct rc store_policy_open(struct store_policy **out, const char *path, const char **why)
{
    struct store_policy *p = mem_new(sizeof *p);
    struct rc rc = store_sql_open(&p->sql, &schema, path, why);
    if (!rc_ok(rc)) {
        free(p);
        return rc;
    }
    *out = p;
    return rc;
}

void store_policy_close(struct store_policy *p)
{
    if (!p)
        return;
    store_sql_close(&p->sql);
    free(p);
}

struct rc store_policy_put(struct store_policy *p, struct span domain, struct span value,
                           struct wall expires)
{
    struct store_row r = store_row_begin(&p->sql, POLICY_PUT);
    store_row_text(&r, domain);
    store_row_int(&r, expires.us);
    store_row_blob(&r, value);
    return store_row_run(&r); // a transaction of its own
}

struct rc store_policy_get(struct store_policy *p, struct span domain, struct arena *a,
                           struct span *value)
{
    struct store_row r = store_row_begin(&p->sql, POLICY_GET);
    store_row_text(&r, domain);
    bool there = store_row_next(&r);
    if (there)
        *value = arena_dup(a, store_row_span(&r));
    TRY(store_row_done(&r));
    if (!there)
        return RC(NOT_FOUND);
    return value->at ? RC(OK) : RC(FULL);
}

struct rc store_policy_expiring(struct store_policy *p, struct wall until, size_t limit,
                                void (*each)(void *arg, struct span domain), void *arg)
{
    struct store_row r = store_row_begin(&p->sql, POLICY_EXPIRING);
    store_row_int(&r, until.us);
    store_row_int(&r, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    while (store_row_next(&r))
        each(arg, store_row_span(&r));
    return store_row_done(&r);
}

struct rc store_policy_list(struct store_policy *p, struct span after, size_t limit,
                            void (*each)(void *arg, struct span domain, struct span value),
                            void *arg)
{
    struct store_row r = store_row_begin(&p->sql, POLICY_LIST);
    store_row_text(&r, after);
    store_row_int(&r, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    while (store_row_next(&r)) {
        struct span domain = store_row_span(&r);
        each(arg, domain, store_row_span(&r));
    }
    return store_row_done(&r);
}

struct rc store_policy_count(struct store_policy *p, uint64_t *count)
{
    struct store_row r = store_row_begin(&p->sql, POLICY_COUNT);
    *count = store_row_next(&r) ? (uint64_t)store_row_get(&r) : 0;
    return store_row_done(&r);
}
