#include "proc_tallies_store.h"

#include "base_wire.h"

static struct rc sessions_count(struct store_history *h, struct store_count *t,
                                struct span sessions, unsigned keys_max)
{
    for (struct rd r = RD(sessions); r.rest.len && !r.bad;) {
        t->policy = rd_span(&r);
        t->detail = rd_span(&r);
        t->coarse = rd_span(&r);
        t->sessions = 1;
        t->times = t->detail.len ? 1 : 0;
        if (!r.bad)
            TRY(store_tally_add(h, t, keys_max));
    }
    return RC(OK);
}

struct rc tallies_attempt(struct store_history *h, const struct store_attempt *a, unsigned keys_max)
{
    int64_t day = store_day(a->when);
    struct rd r = RD(a->counts);
    if (!a->counts.len)
        return RC(OK);
    for (unsigned p = STORE_UNCOUNTED + 1; p < STORE_PROTECTIONS; p++)
        TRY(store_delivered(h, day, a->domain, (enum store_protection)p, rd_u32(&r)));
    struct store_count t = {.subject = {day, STORE_ABOUT_TLS, a->domain}, .about = rd_span(&r)};
    struct span sessions = rd_span(&r);
    return rd_end(&r) ? sessions_count(h, &t, sessions, keys_max) : RC(OK);
}

struct rc tallies_evaluated(struct store_history *h, const struct store_evaluation *e,
                            unsigned keys_max)
{
    if (!e->record.len)
        return RC(OK);
    struct store_count t = {
        .subject = {store_day(e->when), STORE_ABOUT_DMARC, e->policy_domain},
        .about = e->about,
        .policy = SPAN(""),
        .detail = e->record,
        .coarse = e->coarse,
        .sessions = 1,
        .times = 1,
    };
    return store_tally_add(h, &t, keys_max);
}
