#include "store_db.h"

#include <stdlib.h>

// Pairs of message and domain that were given out already: a hash table with
// room for twice as many as there can be. What a pair hashes to is no secret;
// who picks colliding domains slows down his own message.
struct seen {
    struct pair {
        uint64_t message; // 0: free
        struct span domain;
    } * at;
    size_t mask;
    struct arena arena;
};

static void seen_free(struct seen *t)
{
    free(t->at);
    arena_free(&t->arena);
}

static uint64_t pair_hash(uint64_t message, struct span domain)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ message * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < domain.len; i++)
        h = (h ^ (unsigned char)domain.at[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static void seen_grow(struct seen *t, size_t limit)
{
    size_t size = 64;
    while (size < 2 * limit)
        size *= 2;
    t->at = mem_new(size * sizeof(*t->at));
    t->mask = size - 1;
    t->arena = ARENA(SIZE_MAX / 2);
}

// True the first time.
static bool seen_add(struct seen *t, uint64_t message, struct span domain)
{
    size_t i = pair_hash(message, domain) & t->mask;
    for (; t->at[i].message; i = (i + 1) & t->mask)
        if (t->at[i].message == message && span_eq(t->at[i].domain, domain))
            return false;
    t->at[i] = (struct pair){message, arena_dup(&t->arena, domain)};
    return true;
}

static struct store_due read_due(struct store_row *r)
{
    struct store_due d = {.message = store_recipient_message((uint64_t)store_row_get(r))};
    d.bounce = store_row_get(r) == STATE_OWED;
    d.due.us = store_row_get(r);
    d.domain = store_row_span(r);
    d.size = (uint64_t)store_row_get(r);
    if (d.bounce)
        d.domain = (struct span){"", 0};
    return d;
}

struct rc store_due(struct store *s, struct wall until, size_t limit,
                    void (*each)(void *arg, const struct store_due *d), void *arg)
{
    CLEANUP(seen_free) struct seen seen = {0};
    if (limit > STORE_DUE_MAX)
        limit = STORE_DUE_MAX;
    seen_grow(&seen, limit);
    struct store_row r = store_row_begin(&s->sql, SQL_DUE);
    store_row_int(&r, until.us);
    for (size_t n = 0; n < limit && store_row_next(&r);) {
        struct store_due d = read_due(&r);
        if (!seen_add(&seen, d.message, d.domain))
            continue;
        each(arg, &d);
        n++;
    }
    return store_row_done(&r);
}

struct rc store_pull_in(struct store *s, struct wall latest, struct wall now, uint64_t *count)
{
    *count = 0;
    TRY(s->failed);
    TRY(store_sql_begin(&s->sql));
    struct store_row r = store_row_begin(&s->sql, SQL_PULL_IN);
    store_row_int(&r, latest.us);
    store_row_int(&r, now.us);
    struct rc rc = store_row_run(&r);
    if (!rc_ok(rc))
        return store_undo(s, rc);
    *count = (uint64_t)sqlite3_changes(s->sql.db);
    s->gathered += *count > 0;
    return RC(OK);
}
