#include "store_history_inner.h"

#include <stdlib.h>

// Version 2. By policy domain and time is how reports ask.
#define EVALUATIONS                                                                                \
    "CREATE TABLE evaluation (id INTEGER PRIMARY KEY, at INTEGER NOT NULL,"                        \
    " message INTEGER NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL, sender TEXT NOT NULL,"   \
    " author TEXT NOT NULL, spf TEXT NOT NULL, spf_domain TEXT NOT NULL,"                          \
    " spf_scope TEXT NOT NULL, dkim TEXT NOT NULL, arc TEXT NOT NULL, dmarc TEXT NOT NULL,"        \
    " spf_aligned INTEGER NOT NULL, dkim_aligned INTEGER NOT NULL, policy_domain TEXT NOT NULL,"   \
    " policy TEXT NOT NULL, wish TEXT NOT NULL, disposition TEXT NOT NULL,"                        \
    " override TEXT NOT NULL, comment TEXT NOT NULL, accepted INTEGER NOT NULL);"                  \
    "CREATE INDEX evaluation_at ON evaluation (at);"                                               \
    "CREATE INDEX evaluation_policy ON evaluation (policy_domain, at) WHERE policy_domain <> '';"

// `used`: when an attempt referred to the plan, to within a day; so that plans
// can go without an index over attempts.
static const char tables[] =
    "CREATE TABLE plan (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE,"
    " used INTEGER NOT NULL, json TEXT NOT NULL);"
    "CREATE TABLE attempt (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, message INTEGER NOT NULL,"
    " sender TEXT NOT NULL, domain TEXT NOT NULL, plan INTEGER NOT NULL REFERENCES plan,"
    " recipients TEXT NOT NULL, sessions TEXT NOT NULL, decision TEXT NOT NULL,"
    " reason TEXT NOT NULL, duration INTEGER NOT NULL);"
    "CREATE INDEX attempt_at ON attempt (at);"
    "CREATE INDEX attempt_message ON attempt (message);" EVALUATIONS STORE_TALLY_TABLES
        STORE_ASIDE_TABLES;

static const char *const texts[TALLY_ADD] = {
    [PLAN_FIND] = "SELECT id, used FROM plan WHERE digest = ?1",
    [PLAN_PUT] = "INSERT INTO plan (digest, used, json) VALUES (?1, ?2, ?3)",
    [PLAN_USED] = "UPDATE plan SET used = ?2 WHERE id = ?1",
    [PLAN_TRIM] = "DELETE FROM plan WHERE used < ?1",
    [ATTEMPT_PUT] = "INSERT INTO attempt (at, message, sender, domain, plan, recipients, sessions,"
                    " decision, reason, duration) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [ATTEMPT_TRIM] = "DELETE FROM attempt WHERE id IN"
                     " (SELECT id FROM attempt WHERE at < ?1 ORDER BY at LIMIT ?2)",
    [ATTEMPTS_OF] = "SELECT a.at, a.message, a.sender, a.domain, a.recipients, p.json, a.sessions,"
                    " a.decision, a.reason, a.duration FROM attempt AS a JOIN plan AS p"
                    " ON p.id = a.plan WHERE a.message = ?1 ORDER BY a.id DESC LIMIT ?2",
    [EVALUATION_PUT] = "INSERT INTO evaluation (at, message, client, helo, sender, author, spf,"
                       " spf_domain, spf_scope, dkim, arc, dmarc, spf_aligned, dkim_aligned,"
                       " policy_domain, policy, wish, disposition, override, comment, accepted)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
                       " ?16, ?17, ?18, ?19, ?20, ?21)",
    [EVALUATION_TRIM] = "DELETE FROM evaluation WHERE id IN"
                        " (SELECT id FROM evaluation WHERE at < ?1 ORDER BY at LIMIT ?2)",
};

#define DAY SECONDS(86400)

static const char *const upgrades[] = {EVALUATIONS, STORE_TALLY_TABLES, STORE_ASIDE_TABLES};

// With the statements of all files, joined once.
static const struct store_schema *schema_of(void)
{
    static const char *all[HISTORY_STATEMENTS];
    static const struct store_schema schema = {
        .name = "history.db",
        .application = 0x474c4248, // "GLBH"
        .version = 4,
        .synchronous = "NORMAL",
        .cache_kib = 8192,
        .tables = tables,
        .upgrades = upgrades,
        .texts = all,
        .count = HISTORY_STATEMENTS,
    };
    for (size_t i = 0; i < HISTORY_STATEMENTS; i++)
        all[i] = i < TALLY_ADD   ? texts[i]
                 : i < TAKEN_PUT ? store_tally_texts[i]
                                 : store_taken_texts[i];
    return &schema;
}

struct rc store_history_open(struct store_history **out, const char *path, const char **why)
{
    struct store_history *h = mem_new(sizeof *h);
    struct rc rc = store_sql_open(&h->sql, schema_of(), path, why);
    if (!rc_ok(rc)) {
        free(h);
        return rc;
    }
    h->subjects = h->taken_day = -1;
    *out = h;
    return rc;
}

void store_history_close(struct store_history *h)
{
    if (!h)
        return;
    store_sql_rollback(&h->sql);
    store_sql_close(&h->sql);
    buf_free(&h->run.bytes);
    free(h);
}

static struct rc undo(struct store_history *h, struct rc rc)
{
    if (!rc_ok(rc)) {
        store_sql_rollback(&h->sql);
        store_tally_forget(h);
    }
    return rc;
}

static struct rc plan_used(struct store_history *h, int64_t plan, struct wall when)
{
    struct store_row r = store_row_begin(&h->sql, PLAN_USED);
    store_row_int(&r, plan);
    store_row_int(&r, when.us);
    return store_row_run(&r);
}

static struct rc plan_put(struct store_history *h, struct span digest,
                          const struct store_attempt *a, int64_t *plan)
{
    struct store_row r = store_row_begin(&h->sql, PLAN_PUT);
    store_row_blob(&r, digest);
    store_row_int(&r, a->when.us);
    store_row_text(&r, a->plan);
    TRY(store_row_run(&r));
    *plan = sqlite3_last_insert_rowid(h->sql.db);
    return RC(OK);
}

// The plan's row: found by its digest, or new.
static struct rc plan_of(struct store_history *h, const struct store_attempt *a, int64_t *plan)
{
    struct crypto_digest digest = crypto_sha256(a->plan);
    struct store_row r = store_row_begin(&h->sql, PLAN_FIND);
    store_row_blob(&r, SPAN_OF(digest.at));
    bool there = store_row_next(&r);
    *plan = there ? store_row_get(&r) : 0;
    int64_t used = there ? store_row_get(&r) : 0;
    TRY(store_row_done(&r));
    if (!there)
        return plan_put(h, SPAN_OF(digest.at), a, plan);
    return a->when.us - used > DAY ? plan_used(h, *plan, a->when) : RC(OK);
}

static struct rc attempt(struct store_history *h, const struct store_attempt *a)
{
    int64_t plan;
    TRY(store_sql_begin(&h->sql));
    TRY(plan_of(h, a, &plan));
    struct store_row r = store_row_begin(&h->sql, ATTEMPT_PUT);
    store_row_int(&r, a->when.us);
    store_row_int(&r, (int64_t)a->message);
    store_row_text(&r, a->sender);
    store_row_text(&r, a->domain);
    store_row_int(&r, plan);
    store_row_text(&r, a->recipients);
    store_row_text(&r, a->sessions);
    store_row_text(&r, a->decision);
    store_row_text(&r, a->reason);
    store_row_int(&r, a->duration_us);
    return store_row_run(&r);
}

struct rc store_history_attempt(struct store_history *h, const struct store_attempt *a)
{
    return undo(h, attempt(h, a));
}

struct rc store_history_of(struct store_history *h, uint64_t message, size_t limit,
                           bool (*each)(void *arg, const struct store_attempt *a), void *arg)
{
    bool more = true;
    struct store_row r = store_row_begin(&h->sql, ATTEMPTS_OF);
    store_row_int(&r, (int64_t)message);
    store_row_int(&r, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    while (more && store_row_next(&r)) {
        struct store_attempt a = {.when.us = store_row_get(&r)};
        a.message = (uint64_t)store_row_get(&r);
        struct span *parts[] = {&a.sender,   &a.domain,   &a.recipients, &a.plan,
                                &a.sessions, &a.decision, &a.reason};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            *parts[i] = store_row_span(&r);
        a.duration_us = store_row_get(&r);
        more = each(arg, &a);
    }
    return store_row_done(&r);
}

static struct rc evaluation(struct store_history *h, const struct store_evaluation *e)
{
    TRY(store_sql_begin(&h->sql));
    struct store_row r = store_row_begin(&h->sql, EVALUATION_PUT);
    store_row_int(&r, e->when.us);
    store_row_int(&r, (int64_t)e->message);
    const struct span found[] = {e->client,     e->helo,      e->sender, e->author, e->spf,
                                 e->spf_domain, e->spf_scope, e->dkim,   e->arc,    e->dmarc};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        store_row_text(&r, found[i]);
    store_row_int(&r, e->spf_aligned);
    store_row_int(&r, e->dkim_aligned);
    const struct span done[] = {e->policy_domain, e->policy,          e->wish,
                                e->disposition,   e->override_reason, e->comment};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++)
        store_row_text(&r, done[i]);
    store_row_int(&r, e->accepted);
    return store_row_run(&r);
}

struct rc store_history_evaluation(struct store_history *h, const struct store_evaluation *e)
{
    return undo(h, evaluation(h, e));
}

struct rc store_history_commit(struct store_history *h)
{
    TRY(undo(h, store_tally_flush(h)));
    return store_sql_commit(&h->sql);
}

static struct rc trim_from(struct store_history *h, unsigned statement, struct wall before,
                           size_t limit, size_t *removed)
{
    limit -= *removed;
    struct store_row r = store_row_begin(&h->sql, statement);
    store_row_int(&r, before.us);
    store_row_int(&r, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    TRY(store_row_run(&r));
    *removed += (size_t)sqlite3_changes(h->sql.db);
    return RC(OK);
}

static struct rc trim(struct store_history *h, struct wall before, size_t limit, size_t *removed)
{
    TRY(store_sql_begin(&h->sql));
    TRY(trim_from(h, EVALUATION_TRIM, before, limit, removed));
    TRY(trim_from(h, ATTEMPT_TRIM, before, limit, removed));
    if (*removed == limit)
        return RC(OK); // plans may still be referred to by what is left to remove
    struct store_row r = store_row_begin(&h->sql, PLAN_TRIM);
    store_row_int(&r, before.us - DAY);
    return store_row_run(&r);
}

struct rc store_history_trim(struct store_history *h, struct wall before, size_t limit,
                             size_t *removed)
{
    *removed = 0;
    TRY(undo(h, trim(h, before, limit, removed)));
    return store_history_commit(h);
}
