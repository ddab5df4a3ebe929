#include "store_history_inner.h"

#define TAKEN(content)                                                                             \
    "SELECT id, at, kind, organization, report, domain, begin, until, good, bad, " content         \
    ", way, who, remark FROM taken"
#define KEPT                                                                                       \
    "at, kind, organization, report, domain, begin, until, good, bad, content, way, who, remark"
#define NAME "kind, organization, report, domain, begin"
// The newest first, with how many and how much there is up to each.
#define ASIDE_SUMS                                                                                 \
    "SELECT id, row_number() OVER w AS n, sum(length(bytes)) OVER w AS s FROM aside"               \
    " WINDOW w AS (ORDER BY at DESC, id DESC)"

const char *const store_taken_texts[HISTORY_STATEMENTS] = {
    [TAKEN_PUT] = "INSERT INTO taken (" KEPT ")"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
                  " ON CONFLICT (" NAME ") DO UPDATE SET at = excluded.at, until = excluded.until,"
                  " good = excluded.good, bad = excluded.bad, content = excluded.content,"
                  " way = excluded.way, who = excluded.who, remark = excluded.remark"
                  " WHERE (?14 >> taken.way) & 1 AND (taken.until, taken.good, taken.bad,"
                  " taken.content) IS NOT (excluded.until, excluded.good, excluded.bad,"
                  " excluded.content)",
    [TAKEN_LIST] = TAKEN("x''") " WHERE id > ?1 ORDER BY id",
    [TAKEN_TRIM] = "DELETE FROM taken WHERE at < ?1",
    [TAKEN_COUNT] = "SELECT way, count(*), sum(length(content)) FROM taken"
                    " WHERE at >= ?1 GROUP BY way",
    [TAKEN_GET] = TAKEN("content") " WHERE id = ?1",
    [ASIDE_PUT] = "INSERT INTO aside (at, way, who, why, size, digest, bytes)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (digest)"
                  " DO UPDATE SET at = excluded.at",
    [ASIDE_LIST] = "SELECT id, at, way, who, why, size FROM aside ORDER BY at, id",
    [ASIDE_GET] = "SELECT id, at, way, who, why, size, bytes FROM aside WHERE id = ?1",
    [ASIDE_TRIM] = "DELETE FROM aside WHERE at < ?1",
    [ASIDE_BOUND] =
        "DELETE FROM aside WHERE id IN (SELECT id FROM (" ASIDE_SUMS ") WHERE n > ?1 OR s > ?2)",
};

static struct rc undo(struct store_history *h, struct rc rc)
{
    if (!rc_ok(rc)) {
        store_sql_rollback(&h->sql);
        store_tally_forget(h);
    }
    return rc;
}

// ---- taken ----

static struct rc taken_count(struct store_history *h, int64_t day)
{
    if (h->taken_day == day)
        return RC(OK);
    struct store_row r = store_row_begin(&h->sql, TAKEN_COUNT);
    store_row_int(&r, day * SECONDS(86400));
    for (size_t i = 0; i < STORE_TAKEN_WAYS; i++)
        h->taken[i] = (struct store_taken_day){0};
    while (store_row_next(&r)) {
        unsigned way = (unsigned)store_row_get(&r) % STORE_TAKEN_WAYS;
        h->taken[way].reports += (uint64_t)store_row_get(&r);
        h->taken[way].bytes += (uint64_t)store_row_get(&r);
    }
    h->taken_day = rc_ok(r.rc) ? day : -1;
    return store_row_done(&r);
}

static struct store_taken_day taken_of(const struct store_history *h, unsigned ways)
{
    struct store_taken_day all = {0};
    for (unsigned i = 0; i < STORE_TAKEN_WAYS; i++) {
        all.reports += ways >> i & 1 ? h->taken[i].reports : 0;
        all.bytes += ways >> i & 1 ? h->taken[i].bytes : 0;
    }
    return all;
}

static int64_t number(uint64_t n)
{
    return n < INT64_MAX ? (int64_t)n : INT64_MAX;
}

static struct rc taken_write(struct store_history *h, const struct store_taken *t,
                             struct span content, unsigned over)
{
    struct store_row r = store_row_begin(&h->sql, TAKEN_PUT);
    store_row_int(&r, t->when.us);
    store_row_int(&r, t->kind);
    store_row_text(&r, span_first(t->organization, STORE_TAKEN_TEXT_MAX));
    store_row_text(&r, span_first(t->report, STORE_TAKEN_TEXT_MAX));
    store_row_text(&r, span_first(t->domain, STORE_TAKEN_TEXT_MAX));
    store_row_int(&r, t->begin.us);
    store_row_int(&r, t->end.us);
    store_row_int(&r, number(t->good));
    store_row_int(&r, number(t->bad));
    store_row_blob(&r, content);
    store_row_int(&r, t->way);
    store_row_text(&r, span_first(t->who, STORE_TAKEN_TEXT_MAX));
    store_row_text(&r, span_first(t->remark, STORE_TAKEN_TEXT_MAX));
    store_row_int(&r, over);
    return store_row_run(&r);
}

static struct rc taken_put(struct store_history *h, const struct store_taken *t,
                           const struct store_taken_most *most, bool *fresh)
{
    TRY(store_sql_begin(&h->sql));
    TRY(taken_count(h, store_day(t->when)));
    struct store_taken_day today = taken_of(h, most->ways);
    if (most->reports && today.reports >= most->reports)
        return RC(FULL);
    bool fits = !most->bytes || today.bytes + t->content.len <= most->bytes;
    struct span content = fits ? t->content : SPAN("");
    TRY(taken_write(h, t, content, most->over));
    *fresh = sqlite3_changes(h->sql.db) > 0;
    h->taken[t->way % STORE_TAKEN_WAYS].reports += *fresh;
    h->taken[t->way % STORE_TAKEN_WAYS].bytes += *fresh ? content.len : 0;
    return RC(OK);
}

struct rc store_taken_put(struct store_history *h, const struct store_taken *t,
                          const struct store_taken_most *most, bool *fresh)
{
    static const struct store_taken_most no_matter = {0};
    *fresh = false;
    struct rc rc = taken_put(h, t, most ? most : &no_matter, fresh);
    return rc.code == RC_FULL ? rc : undo(h, rc); // that harmed nothing
}

static bool taken_read(struct store_row *r, bool (*each)(void *arg, const struct store_taken *t),
                       void *arg)
{
    struct store_taken t = {.id = (uint64_t)store_row_get(r)};
    t.when.us = store_row_get(r);
    t.kind = (enum store_subject_kind)store_row_get(r);
    t.organization = store_row_span(r);
    t.report = store_row_span(r);
    t.domain = store_row_span(r);
    t.begin.us = store_row_get(r);
    t.end.us = store_row_get(r);
    t.good = (uint64_t)store_row_get(r);
    t.bad = (uint64_t)store_row_get(r);
    t.content = store_row_span(r);
    t.way = (unsigned)store_row_get(r);
    t.who = store_row_span(r);
    t.remark = store_row_span(r);
    return each(arg, &t);
}

static struct rc taken_each(struct store_history *h, unsigned statement, uint64_t id, size_t *count,
                            bool (*each)(void *arg, const struct store_taken *t), void *arg)
{
    bool more = true;
    struct store_row r = store_row_begin(&h->sql, statement);
    store_row_int(&r, (int64_t)id);
    for (*count = 0; more && store_row_next(&r); ++*count)
        more = taken_read(&r, each, arg);
    return store_row_done(&r);
}

struct rc store_taken_list(struct store_history *h, uint64_t behind,
                           bool (*each)(void *arg, const struct store_taken *t), void *arg)
{
    size_t count;
    return taken_each(h, TAKEN_LIST, behind, &count, each, arg);
}

struct rc store_taken_get(struct store_history *h, uint64_t id,
                          bool (*each)(void *arg, const struct store_taken *t), void *arg)
{
    size_t count;
    TRY(taken_each(h, TAKEN_GET, id, &count, each, arg));
    return count ? RC(OK) : RC(NOT_FOUND);
}

// ---- put aside ----

static struct rc aside_bound(struct store_history *h)
{
    struct store_row r = store_row_begin(&h->sql, ASIDE_BOUND);
    store_row_int(&r, STORE_ASIDE_MAX);
    store_row_int(&r, STORE_ASIDE_ALL_BYTES);
    return store_row_run(&r);
}

static struct rc aside_put(struct store_history *h, const struct store_aside *a)
{
    struct span bytes = span_first(a->bytes, STORE_ASIDE_BYTES);
    struct crypto_digest digest = crypto_sha256(bytes);
    TRY(store_sql_begin(&h->sql));
    struct store_row r = store_row_begin(&h->sql, ASIDE_PUT);
    store_row_int(&r, a->when.us);
    store_row_int(&r, a->way);
    store_row_text(&r, span_first(a->who, STORE_TAKEN_TEXT_MAX));
    store_row_text(&r, span_first(a->why, STORE_TAKEN_TEXT_MAX));
    store_row_int(&r, (int64_t)a->size);
    store_row_blob(&r, SPAN_OF(digest.at));
    store_row_blob(&r, bytes.at ? bytes : SPAN(""));
    TRY(store_row_run(&r));
    return aside_bound(h);
}

struct rc store_aside_put(struct store_history *h, const struct store_aside *a)
{
    return undo(h, aside_put(h, a));
}

static struct store_aside aside_read(struct store_row *r)
{
    struct store_aside a = {.id = (uint64_t)store_row_get(r)};
    a.when.us = store_row_get(r);
    a.way = (unsigned)store_row_get(r);
    a.who = store_row_span(r);
    a.why = store_row_span(r);
    a.size = (uint64_t)store_row_get(r);
    return a;
}

struct rc store_aside_list(struct store_history *h,
                           bool (*each)(void *arg, const struct store_aside *a), void *arg)
{
    bool more = true;
    struct store_row r = store_row_begin(&h->sql, ASIDE_LIST);
    while (more && store_row_next(&r)) {
        struct store_aside a = aside_read(&r);
        more = each(arg, &a);
    }
    return store_row_done(&r);
}

struct rc store_aside_get(struct store_history *h, uint64_t id,
                          bool (*each)(void *arg, const struct store_aside *a), void *arg)
{
    struct store_row r = store_row_begin(&h->sql, ASIDE_GET);
    store_row_int(&r, (int64_t)id);
    bool there = store_row_next(&r);
    if (there) {
        struct store_aside a = aside_read(&r);
        a.bytes = store_row_span(&r);
        each(arg, &a);
    }
    TRY(store_row_done(&r));
    return there ? RC(OK) : RC(NOT_FOUND);
}

struct rc store_taken_trim(struct store_history *h, int64_t before_us)
{
    static const unsigned trims[] = {TAKEN_TRIM, ASIDE_TRIM};
    for (size_t i = 0; i < sizeof trims / sizeof *trims; i++) {
        struct store_row r = store_row_begin(&h->sql, trims[i]);
        store_row_int(&r, before_us);
        TRY(store_row_run(&r));
    }
    return RC(OK);
}

// synchronous=NORMAL leaves the log to the kernel when a transaction ends.
struct rc store_history_sync(struct store_history *h)
{
    sqlite3_file *log = NULL;
    int rc = sqlite3_file_control(h->sql.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc != SQLITE_OK || !log || !log->pMethods)
        return RC(IO);
    return log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK ? RC(OK) : RC(IO);
}
