// What the operator sees of the queue, and does to it.
#include "store_db.h"

static struct store_row of_message(struct store *s, enum store_statement statement, uint64_t id)
{
    struct store_row r = store_row_begin(&s->sql, statement);
    store_row_int(&r, store_first(id));
    store_row_int(&r, store_first(id + 1));
    return r;
}

struct rc store_list(struct store *s, uint64_t after, size_t limit,
                     void (*each)(void *arg, uint64_t id), void *arg)
{
    struct store_row r = store_row_begin(&s->sql, SQL_LIST);
    store_row_int(&r, after < INT64_MAX ? (int64_t)after : INT64_MAX);
    store_row_int(&r, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    while (store_row_next(&r))
        each(arg, (uint64_t)store_row_get(&r));
    return store_row_done(&r);
}

static struct rc tally_of(struct store *s, uint64_t id, struct store_tally *out)
{
    *out = (struct store_tally){.due = WALL_NEVER};
    struct store_row r = of_message(s, SQL_TALLY, id);
    while (store_row_next(&r)) {
        int64_t state = store_row_get(&r);
        uint64_t count = (uint64_t)store_row_get(&r);
        if (state < 0 || state >= STORE_STATES)
            continue;
        out->count[state] = count;
        int64_t due = store_row_get(&r);
        if (state == STATE_PENDING)
            out->due.us = due;
        if (state == STATE_OWED)
            out->delays = (uint64_t)store_row_get(&r);
    }
    return store_row_done(&r);
}

static struct rc recipients_of(struct store *s, uint64_t id, struct arena *a,
                               struct store_envelope *out)
{
    bool full = false;
    struct store_row r = of_message(s, SQL_SHOW, id);
    store_row_int(&r, STORE_LOAD_MAX);
    while (!full && store_row_next(&r)) {
        struct store_recipient *who = &out->recipients[out->count];
        full = !store_read_recipient(&r, a, who);
        who->state = (enum store_state)store_row_get(&r);
        out->count++;
    }
    TRY(store_row_done(&r));
    return full ? RC(FULL) : RC(OK);
}

struct rc store_show(struct store *s, uint64_t id, struct arena *a, struct store_envelope *out,
                     struct store_tally *tally)
{
    if (id >= s->next_message)
        return RC(NOT_FOUND);
    TRY(store_read_message(s, id, a, out));
    TRY(tally_of(s, id, tally));
    uint64_t all = 0;
    for (unsigned i = 0; i < STORE_STATES; i++)
        all += tally->count[i];
    all = all < STORE_LOAD_MAX ? all : STORE_LOAD_MAX;
    out->recipients = arena_alloc(a, (size_t)(all + 1) * sizeof *out->recipients);
    return out->recipients ? recipients_of(s, id, a, out) : RC(FULL);
}

struct rc store_domains(struct store *s, uint64_t id, void (*each)(void *arg, struct span domain),
                        void *arg)
{
    if (id >= s->next_message)
        return RC(NOT_FOUND);
    struct store_row r = of_message(s, SQL_DOMAINS, id);
    while (store_row_next(&r))
        each(arg, store_row_span(&r));
    return store_row_done(&r);
}

static struct rc there(struct store *s, uint64_t id)
{
    struct store_row r = store_row_begin(&s->sql, SQL_GET_RANGE);
    store_row_int(&r, (int64_t)id);
    bool found = store_row_next(&r);
    TRY(store_row_done(&r));
    return found ? RC(OK) : RC(NOT_FOUND);
}

static struct rc change(struct store *s, uint64_t id, enum store_change change, struct wall now,
                        uint64_t *count)
{
    static const struct {
        enum store_statement statement;
        bool due;
    } how[STORE_CHANGES] = {
        [STORE_RETRY] = {SQL_RETRY, true},
        [STORE_HOLD] = {SQL_HOLD, false},
        [STORE_RELEASE] = {SQL_RELEASE, true},
        [STORE_DELETE] = {SQL_DROP_ALL, false},
    };
    struct store_row r = of_message(s, how[change].statement, id);
    if (how[change].due)
        store_row_int(&r, now.us);
    TRY(store_row_run(&r));
    *count = (uint64_t)sqlite3_changes(s->sql.db);
    return change == STORE_DELETE ? store_drop_message(s, id) : RC(OK);
}

struct rc store_change(struct store *s, uint64_t id, enum store_change what, struct wall now,
                       uint64_t *count)
{
    *count = 0;
    TRY(s->failed);
    if (id >= s->next_message)
        return RC(NOT_FOUND);
    TRY(there(s, id));
    TRY(store_sql_begin(&s->sql));
    struct rc rc = change(s, id, what, now, count);
    if (!rc_ok(rc))
        return store_undo(s, rc);
    s->gathered++;
    return RC(OK);
}

struct rc store_oldest(struct store *s, struct wall *received)
{
    struct store_row r = store_row_begin(&s->sql, SQL_OLDEST);
    received->us = store_row_next(&r) ? store_row_get(&r) : 0;
    return store_row_done(&r);
}
