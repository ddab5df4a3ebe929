#include "store_history_inner.h"

#define DAY SECONDS(86400)

#define OF_SUBJECT " WHERE day = ?1 AND kind = ?2 AND domain = ?3"

const char *const store_tally_texts[TAKEN_PUT] = {
    [TALLY_ADD] = "UPDATE tally SET sessions = sessions + ?6, times = times + ?7" OF_SUBJECT
                  " AND policy = ?4 AND detail = ?5",
    [TALLY_NEW] = "INSERT INTO tally (day, kind, domain, policy, detail, sessions, times)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [TALLY_LIST] = "SELECT policy, detail, sessions, times FROM tally" OF_SUBJECT
                   " AND (policy, detail) > (?4, ?5) ORDER BY policy, detail",
    [TALLY_TRIM] = "DELETE FROM tally WHERE day < ?1",
    [SUBJECT_NEW] = "INSERT INTO subject (day, kind, domain, about, keys, lost, done)"
                    " VALUES (?1, ?2, ?3, ?4, 0, 0, 0)",
    [SUBJECT_KEY] = "UPDATE subject SET keys = keys + 1" OF_SUBJECT,
    [SUBJECT_LOST] = "UPDATE subject SET lost = lost + ?4" OF_SUBJECT,
    [SUBJECT_ABOUT] = "UPDATE subject SET about = ?4" OF_SUBJECT " AND about <> ?4",
    [SUBJECT_GET] = "SELECT keys FROM subject" OF_SUBJECT,
    [SUBJECT_COUNT] = "SELECT count(*) FROM subject WHERE day = ?1",
    [SUBJECT_LIST] = "SELECT day, kind, domain, about, keys, lost, done,"
                     " (SELECT coalesce(sum(sessions), 0) FROM tally AS t WHERE t.day = s.day"
                     " AND t.kind = s.kind AND t.domain = s.domain) FROM subject AS s"
                     " WHERE day >= ?1 AND day <= ?2 AND (day, kind, domain) > (?3, ?4, ?5)"
                     " AND (NOT ?6 OR NOT done) ORDER BY day, kind, domain",
    [SUBJECT_DONE] = "UPDATE subject SET done = 1" OF_SUBJECT,
    [SUBJECT_TRIM] = "DELETE FROM subject WHERE day < ?1",
    [DELIVERY_ADD] = "INSERT INTO delivery (day, domain, protection, count)"
                     " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (day, domain, protection)"
                     " DO UPDATE SET count = count + excluded.count",
    [DELIVERY_LIST] = "SELECT day, domain, protection, count FROM delivery"
                      " WHERE day >= ?1 AND day <= ?2 AND (?3 = '' OR domain = ?3)"
                      " ORDER BY day, domain, protection",
    // Who sends reports may claim what he likes; a sum of it must not overflow, in either
    // direction: an error here would be the end of the whole table.
    [TOLD_LIST] = "SELECT begin / 86400000000, domain, kind, organization, count(*),"
                  " sum(max(0, min(good, 1000000000000))),"
                  " sum(max(0, min(bad, 1000000000000))) FROM taken"
                  " WHERE begin >= ?1 * 86400000000 AND begin < (?2 + 1) * 86400000000"
                  " AND (?3 = '' OR domain = ?3) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
    [DELIVERY_TRIM] = "DELETE FROM delivery WHERE day < ?1",
    [SENT_PUT] = "INSERT OR REPLACE INTO sent (day, kind, domain, uri, at, state, why)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SENT_LIST] = "SELECT uri, at, state, why FROM sent" OF_SUBJECT " ORDER BY uri",
    [SENT_TRIM] = "DELETE FROM sent WHERE day < ?1",
};

const char *store_protection_text(enum store_protection p)
{
    static const char *const texts[STORE_PROTECTIONS] = {"uncounted", "clear", "encrypted",
                                                         "pkix",      "sts",   "dane"};
    return texts[p];
}

// ---- counting ----

static struct store_row subject_row(struct store_history *h, unsigned statement,
                                    const struct store_subject *s)
{
    struct store_row r = store_row_begin(&h->sql, statement);
    store_row_int(&r, s->day);
    store_row_int(&r, s->kind);
    store_row_text(&r, s->domain);
    return r;
}

static struct rc subject_count(struct store_history *h, int64_t day)
{
    if (h->subject_day == day && h->subjects >= 0)
        return RC(OK);
    struct store_row r = store_row_begin(&h->sql, SUBJECT_COUNT);
    store_row_int(&r, day);
    h->subjects = store_row_next(&r) ? store_row_get(&r) : -1;
    h->subject_day = day;
    return store_row_done(&r);
}

// How many keys the subject has; -1: it is new and there are too many.
static struct rc subject_of(struct store_history *h, const struct store_count *t, int64_t *keys)
{
    struct store_row r = subject_row(h, SUBJECT_GET, &t->subject);
    *keys = store_row_next(&r) ? store_row_get(&r) : -1;
    TRY(store_row_done(&r));
    if (*keys >= 0)
        return RC(OK);
    TRY(subject_count(h, t->subject.day));
    if (h->subjects >= STORE_SUBJECTS_MAX)
        return RC(OK);
    struct store_row fresh = subject_row(h, SUBJECT_NEW, &t->subject);
    store_row_blob(&fresh, t->about);
    TRY(store_row_run(&fresh));
    h->subjects++;
    *keys = 0;
    return RC(OK);
}

static struct rc tally_put(struct store_history *h, unsigned statement, const struct store_count *t,
                           struct span detail, bool *there)
{
    struct store_row r = subject_row(h, statement, &t->subject);
    store_row_blob(&r, t->policy);
    store_row_blob(&r, detail);
    store_row_int(&r, (int64_t)t->sessions);
    store_row_int(&r, (int64_t)t->times);
    TRY(store_row_run(&r));
    *there = sqlite3_changes(h->sql.db) > 0;
    return RC(OK);
}

static struct rc subject_lost(struct store_history *h, const struct store_count *t)
{
    struct store_row r = subject_row(h, SUBJECT_LOST, &t->subject);
    store_row_int(&r, (int64_t)(t->sessions ? t->sessions : t->times));
    return store_row_run(&r);
}

static struct rc key_new(struct store_history *h, const struct store_count *t, struct span detail)
{
    bool done;
    TRY(tally_put(h, TALLY_NEW, t, detail, &done));
    struct store_row r = subject_row(h, SUBJECT_KEY, &t->subject);
    return store_row_run(&r);
}

// Coarse keys are few, so they may go a little beyond the limit; policies may not.
static struct rc tally_coarse(struct store_history *h, const struct store_count *t, int64_t keys,
                              unsigned keys_max)
{
    bool there = false;
    TRY(subject_lost(h, t));
    if (!t->coarse.at)
        return RC(OK);
    TRY(tally_put(h, TALLY_ADD, t, t->coarse, &there));
    return there || keys >= 2 * (int64_t)keys_max ? RC(OK) : key_new(h, t, t->coarse);
}

static struct rc tally_write(struct store_history *h, const struct store_count *t,
                             unsigned keys_max)
{
    bool there = false;
    int64_t keys = 0;
    TRY(store_sql_begin(&h->sql));
    TRY(tally_put(h, TALLY_ADD, t, t->detail, &there));
    if (!there) {
        TRY(subject_of(h, t, &keys));
        if (keys < 0)
            return RC(OK);
        TRY(keys < (int64_t)keys_max ? key_new(h, t, t->detail)
                                     : tally_coarse(h, t, keys, keys_max));
    }
    struct store_row r = subject_row(h, SUBJECT_ABOUT, &t->subject);
    store_row_blob(&r, t->about);
    return store_row_run(&r);
}

static struct rc deliveries_write(struct store_history *h)
{
    struct store_delivery_run *d = &h->deliveries;
    if (!d->count)
        return RC(OK);
    TRY(store_sql_begin(&h->sql));
    struct store_row r = store_row_begin(&h->sql, DELIVERY_ADD);
    store_row_int(&r, d->day);
    store_row_text(&r, (struct span){d->domain, d->domain_len});
    store_row_int(&r, d->protection);
    store_row_int(&r, (int64_t)d->count);
    d->count = 0;
    return store_row_run(&r);
}

static bool same_key(const struct store_count *a, const struct store_count *b)
{
    return a->subject.day == b->subject.day && a->subject.kind == b->subject.kind &&
           span_eq(a->subject.domain, b->subject.domain) && span_eq(a->policy, b->policy) &&
           span_eq(a->detail, b->detail) && span_eq(a->about, b->about);
}

static void run_begin(struct store_tally_run *run, const struct store_count *t)
{
    const struct span from[] = {t->subject.domain, t->about, t->policy, t->detail, t->coarse};
    struct span *const to[] = {&run->tally.subject.domain, &run->tally.about, &run->tally.policy,
                               &run->tally.detail, &run->tally.coarse};
    run->tally = *t;
    run->bytes.max = STORE_TALLY_KEY_MAX;
    buf_clear(&run->bytes);
    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        buf_put(&run->bytes, from[i]);
    run->any = rc_ok(buf_state(&run->bytes));
    for (size_t i = 0, at = 0; run->any && i < sizeof from / sizeof *from; at += from[i++].len)
        if (from[i].at)
            *to[i] = (struct span){run->bytes.at + at, from[i].len};
}

struct rc store_tally_add(struct store_history *h, const struct store_count *t, unsigned keys_max)
{
    if (h->run.any && h->keys_max == keys_max && same_key(&h->run.tally, t)) {
        h->run.tally.sessions += t->sessions;
        h->run.tally.times += t->times;
        return RC(OK);
    }
    TRY(store_tally_flush(h));
    h->keys_max = keys_max;
    run_begin(&h->run, t);
    return RC(OK);
}

struct rc store_delivered(struct store_history *h, int64_t day, struct span domain,
                          enum store_protection p, uint64_t count)
{
    struct store_delivery_run *d = &h->deliveries;
    if (p == STORE_UNCOUNTED || domain.len >= sizeof d->domain || !count)
        return RC(OK);
    if (d->count && (d->day != day || d->protection != p ||
                     !span_eq((struct span){d->domain, d->domain_len}, domain)))
        TRY(deliveries_write(h));
    d->day = day;
    d->protection = p;
    d->count += count;
    d->domain_len = span_copy(d->domain, sizeof d->domain, domain) ? domain.len : 0;
    return RC(OK);
}

struct rc store_tally_flush(struct store_history *h)
{
    bool any = h->run.any;
    h->run.any = false;
    if (any)
        TRY(tally_write(h, &h->run.tally, h->keys_max));
    return deliveries_write(h);
}

void store_tally_forget(struct store_history *h)
{
    h->run.any = false;
    h->deliveries.count = 0;
    h->subjects = h->taken_day = -1;
}

// ---- reading ----

struct rc store_subjects(struct store_history *h, int64_t from, int64_t to, bool undone,
                         const struct store_subject *behind,
                         bool (*each)(void *arg, const struct store_subject_row *s), void *arg)
{
    bool more = true;
    struct store_row r = store_row_begin(&h->sql, SUBJECT_LIST);
    store_row_int(&r, from);
    store_row_int(&r, to);
    store_row_int(&r, behind ? behind->day : 0);
    store_row_int(&r, behind ? behind->kind : 0);
    store_row_text(&r, behind ? behind->domain : SPAN(""));
    store_row_int(&r, undone);
    while (more && store_row_next(&r)) {
        struct store_subject_row s = {.subject.day = store_row_get(&r)};
        s.subject.kind = (enum store_subject_kind)store_row_get(&r);
        s.subject.domain = store_row_span(&r);
        s.about = store_row_span(&r);
        s.keys = (uint64_t)store_row_get(&r);
        s.lost = (uint64_t)store_row_get(&r);
        s.done = store_row_get(&r) != 0;
        s.sessions = (uint64_t)store_row_get(&r);
        more = each(arg, &s);
    }
    return store_row_done(&r);
}

struct rc store_tallies(struct store_history *h, const struct store_subject *s, struct span policy,
                        struct span detail, bool (*each)(void *arg, const struct store_count *t),
                        void *arg)
{
    bool more = true;
    struct store_row r = subject_row(h, TALLY_LIST, s);
    store_row_blob(&r, policy.at ? policy : SPAN(""));
    store_row_blob(&r, detail.at ? detail : SPAN(""));
    while (more && store_row_next(&r)) {
        struct store_count t = {.subject = *s};
        t.policy = store_row_span(&r);
        t.detail = store_row_span(&r);
        t.sessions = (uint64_t)store_row_get(&r);
        t.times = (uint64_t)store_row_get(&r);
        more = each(arg, &t);
    }
    return store_row_done(&r);
}

static struct store_row days_row(struct store_history *h, unsigned statement, int64_t from,
                                 int64_t to, struct span domain)
{
    struct store_row r = store_row_begin(&h->sql, statement);
    store_row_int(&r, from);
    store_row_int(&r, to);
    store_row_text(&r, domain.len ? domain : SPAN(""));
    return r;
}

struct rc store_told(struct store_history *h, int64_t from, int64_t to, struct span domain,
                     bool (*each)(void *arg, const struct store_told_row *t), void *arg)
{
    bool more = true;
    struct store_row r = days_row(h, TOLD_LIST, from, to, domain);
    while (more && store_row_next(&r)) {
        struct store_told_row t = {.day = store_row_get(&r)};
        t.domain = store_row_span(&r);
        t.kind = (enum store_subject_kind)store_row_get(&r);
        t.organization = store_row_span(&r);
        t.reports = (uint64_t)store_row_get(&r);
        t.good = (uint64_t)store_row_get(&r);
        t.bad = (uint64_t)store_row_get(&r);
        more = each(arg, &t);
    }
    return store_row_done(&r);
}

struct rc store_deliveries(struct store_history *h, int64_t from, int64_t to, struct span domain,
                           bool (*each)(void *arg, const struct store_delivery_row *d), void *arg)
{
    bool more = true;
    struct store_row r = days_row(h, DELIVERY_LIST, from, to, domain);
    while (more && store_row_next(&r)) {
        struct store_delivery_row d = {.day = store_row_get(&r)};
        d.domain = store_row_span(&r);
        d.protection = (enum store_protection)store_row_get(&r);
        d.count = (uint64_t)store_row_get(&r);
        more = each(arg, &d);
    }
    return store_row_done(&r);
}

// ---- what was sent ----

struct rc store_sent_put(struct store_history *h, const struct store_sent *s)
{
    TRY(store_sql_begin(&h->sql));
    struct store_row r = subject_row(h, SENT_PUT, &s->subject);
    store_row_text(&r, s->uri);
    store_row_int(&r, s->when.us);
    store_row_int(&r, s->state);
    store_row_text(&r, s->why.at ? s->why : SPAN(""));
    return store_row_run(&r);
}

struct rc store_sent_list(struct store_history *h, const struct store_subject *s,
                          bool (*each)(void *arg, const struct store_sent *s), void *arg)
{
    bool more = true;
    struct store_row r = subject_row(h, SENT_LIST, s);
    while (more && store_row_next(&r)) {
        struct store_sent one = {.subject = *s, .uri = store_row_span(&r)};
        one.when.us = store_row_get(&r);
        one.state = (enum store_sent_state)store_row_get(&r);
        one.why = store_row_span(&r);
        more = each(arg, &one);
    }
    return store_row_done(&r);
}

struct rc store_subject_done(struct store_history *h, const struct store_subject *s)
{
    TRY(store_sql_begin(&h->sql));
    struct store_row r = subject_row(h, SUBJECT_DONE, s);
    return store_row_run(&r);
}

static struct rc trim_one(struct store_history *h, unsigned statement, int64_t before)
{
    struct store_row r = store_row_begin(&h->sql, statement);
    store_row_int(&r, before);
    return store_row_run(&r);
}

struct rc store_tally_trim(struct store_history *h, int64_t day, int64_t overview)
{
    TRY(store_sql_begin(&h->sql));
    TRY(trim_one(h, TALLY_TRIM, day));
    TRY(trim_one(h, SUBJECT_TRIM, day));
    TRY(trim_one(h, SENT_TRIM, day));
    TRY(store_taken_trim(h, day * DAY));
    TRY(trim_one(h, DELIVERY_TRIM, overview));
    return store_history_commit(h);
}
