#include "store_db.h"

#include <stdlib.h>

// A copy in the arena; past its ceiling *full is set.
static struct span keep(struct arena *a, struct span s, bool *full)
{
    struct span copy = arena_dup(a, s);
    if (!copy.at)
        *full = true;
    return copy;
}

static void flags_set(struct store_envelope *e, int64_t flags)
{
    e->eight_bit = flags & FLAG_EIGHT_BIT;
    e->requiretls = flags & FLAG_REQUIRETLS;
    e->tls_required_no = flags & FLAG_TLS_REQUIRED_NO;
    e->smtputf8 = flags & FLAG_SMTPUTF8;
    e->authenticated_tls = flags & FLAG_TLS;
    e->report = flags & FLAG_REPORT;
}

static struct rc read_message(struct store_row *r, struct arena *a, struct store_envelope *out)
{
    bool full = false;
    out->received.us = store_row_get(r);
    out->sender = keep(a, store_row_span(r), &full);
    out->client = keep(a, store_row_span(r), &full);
    flags_set(out, store_row_get(r));
    out->envid = keep(a, store_row_span(r), &full);
    out->ret = (uint8_t)store_row_get(r);
    out->head = keep(a, store_row_span(r), &full);
    out->body.segment = (uint32_t)store_row_get(r);
    out->body.offset = (uint64_t)store_row_get(r);
    out->body.length = (uint64_t)store_row_get(r);
    struct span digest = store_row_span(r);
    out->body.cipher = (uint8_t)store_row_get(r);
    out->wrapped_key = keep(a, store_row_span(r), &full);
    if (digest.len != sizeof out->body.digest.at)
        return RC(CORRUPT);
    span_bytes(out->body.digest.at, sizeof out->body.digest.at, digest);
    return full ? RC(FULL) : RC(OK);
}

struct rc store_read_message(struct store *s, uint64_t id, struct arena *a,
                             struct store_envelope *out)
{
    *out = (struct store_envelope){.id = id};
    struct store_row r = store_row_begin(&s->sql, SQL_LOAD_MESSAGE);
    store_row_int(&r, (int64_t)id);
    bool there = store_row_next(&r);
    struct rc rc = there ? read_message(&r, a, out) : RC(NOT_FOUND);
    TRY(store_row_done(&r));
    return rc;
}

bool store_read_recipient(struct store_row *r, struct arena *a, struct store_recipient *out)
{
    bool full = false;
    *out = (struct store_recipient){.id = (uint64_t)store_row_get(r)};
    out->attempts = (unsigned)store_row_get(r);
    out->due.us = store_row_get(r);
    out->notify = (uint8_t)store_row_get(r);
    struct span *texts[] = {&out->address, &out->domain, &out->orcpt,      &out->status,
                            &out->reason,  &out->remote, &out->diagnostic, &out->return_path};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = keep(a, store_row_span(r), &full);
    int64_t notice = store_row_get(r);
    out->notice = notice >= 0 && notice < STORE_NOTICES ? (enum store_notice)notice : 0;
    out->tried.us = store_row_get(r);
    return !full;
}

struct gathering {
    struct store_recipient *at;
    size_t count, cap;
};

static void gathering_free(struct gathering *g)
{
    free(g->at);
}

static struct store_recipient *one_more(struct gathering *g)
{
    if (g->count == g->cap) {
        g->cap = g->cap ? 4 * g->cap : 8;
        g->at = mem_resize(g->at, g->cap * sizeof(*g->at));
    }
    return &g->at[g->count++];
}

static struct rc gather(struct store *s, uint64_t id, struct span domain, struct wall now,
                        struct arena *a, struct gathering *g)
{
    struct store_row r = store_row_begin(&s->sql, domain.len ? SQL_LOAD_PENDING : SQL_LOAD_OWED);
    store_row_int(&r, store_first(id));
    store_row_int(&r, store_first(id + 1));
    if (domain.len)
        store_row_text(&r, domain);
    else
        r.bound++;
    store_row_int(&r, STORE_LOAD_MAX);
    if (domain.len)
        store_row_int(&r, now.us);
    bool full = false;
    while (!full && store_row_next(&r))
        full = !store_read_recipient(&r, a, one_more(g));
    TRY(store_row_done(&r));
    return full ? RC(FULL) : RC(OK);
}

struct span store_return_path(const struct store_envelope *e)
{
    return e->count && e->recipients[0].return_path.len ? e->recipients[0].return_path : e->sender;
}

struct rc store_load(struct store *s, uint64_t id, struct span domain, struct wall now,
                     struct arena *a, struct store_envelope *out)
{
    CLEANUP(gathering_free) struct gathering g = {0};
    if (id >= s->next_message)
        return RC(NOT_FOUND);
    TRY(gather(s, id, domain, now, a, &g));
    if (!g.count)
        return RC(NOT_FOUND);
    TRY(store_read_message(s, id, a, out));
    out->recipients = arena_alloc(a, g.count * sizeof(*g.at));
    if (!out->recipients)
        return RC(FULL);
    for (; out->count < g.count; out->count++)
        out->recipients[out->count] = g.at[out->count];
    return RC(OK);
}

uint64_t store_recipient_message(uint64_t recipient)
{
    return recipient >> STORE_RECIPIENT_BITS;
}

struct rc store_find(struct store *s, uint64_t recipient, struct store_facts *out)
{
    if (recipient > INT64_MAX)
        return RC(NOT_FOUND);
    struct store_row r = store_row_begin(&s->sql, SQL_FIND);
    store_row_int(&r, (int64_t)recipient);
    bool there = store_row_next(&r);
    if (there) {
        *out = (struct store_facts){.message = store_recipient_message(recipient)};
        out->received.us = store_row_get(&r);
        out->size = (uint64_t)store_row_get(&r);
        out->null_sender = store_row_get(&r);
        out->owed = store_row_get(&r) == STATE_OWED;
        out->attempts = (unsigned)store_row_get(&r);
        out->notify = (uint8_t)store_row_get(&r);
        out->told = store_row_get(&r);
        out->ours = store_row_get(&r);
        int64_t flags = store_row_get(&r);
        out->eight_bit = flags & FLAG_EIGHT_BIT;
        out->requiretls = flags & FLAG_REQUIRETLS;
        out->report = flags & FLAG_REPORT;
    }
    TRY(store_row_done(&r));
    return there ? RC(OK) : RC(NOT_FOUND);
}

static struct rc range_of(struct store *s, uint64_t message, uint64_t *size)
{
    struct store_row r = store_row_begin(&s->sql, SQL_GET_RANGE);
    store_row_int(&r, (int64_t)message);
    bool there = store_row_next(&r);
    if (there) {
        store_row_get(&r);
        *size = (uint64_t)store_row_get(&r);
    }
    TRY(store_row_done(&r));
    return there ? RC(OK) : RC(NOT_FOUND);
}

struct rc store_next(struct store *s, uint64_t message, struct span domain, struct store_due *out)
{
    if (message >= s->next_message)
        return RC(NOT_FOUND);
    struct store_row r = store_row_begin(&s->sql, domain.len ? SQL_NEXT_PENDING : SQL_NEXT_OWED);
    store_row_int(&r, store_first(message));
    store_row_int(&r, store_first(message + 1));
    if (domain.len)
        store_row_text(&r, domain);
    *out = (struct store_due){.message = message, .domain = domain, .bounce = !domain.len};
    bool there = store_row_next(&r);
    if (there && domain.len) {
        there = !store_row_null(&r); // min() of nothing
        out->due.us = store_row_get(&r);
    }
    TRY(store_row_done(&r));
    return there ? range_of(s, message, &out->size) : RC(NOT_FOUND);
}
