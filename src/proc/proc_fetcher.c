// The fetcher role: MTA-STS policy files over HTTPS, from the addresses that
// the resolver gave and from no others; reports by POST are in proc_fetcher_post.c.
#include "proc_fetcher.h"

#include "base_log.h"
#include "base_meter.h"

#include <stdlib.h>

enum { FETCHES_MAX = 256, FAILURES_MAX = 512 };
// A host that failed is left alone for so long, until its id changes (RFC 8461 §3.3).
#define FAILURE_STANDS SECONDS(300)

struct fetch {
    struct fetch *next, *previous;
    struct fetcher *fetcher;
    struct proc *proc;
    struct proc_asker asker;
    struct dns_name domain;
    char id[STS_ID_MAX + 1]; // empty: a refresh
    struct fetcher_addresses addresses;
};

struct fetcher_failure {
    struct dns_name domain; // empty: a free place
    char id[STS_ID_MAX + 1];
    struct mono until;
    enum trust_fetch_result result;
    char detail[256];
};

static void remember(struct fetcher *fetcher, const struct fetch *f,
                     const struct trust_fetched *result)
{
    if (result->result == TRUST_FETCH_OK || !f->id[0])
        return;
    struct fetcher_failure *place = &fetcher->failures[fetcher->next_failure++ % FAILURES_MAX];
    place->domain = f->domain;
    if (!span_copy(place->id, sizeof place->id, span_str(f->id)))
        panic("an id of more than its bytes");
    place->until.us = io_now(f->proc->loop).us + FAILURE_STANDS;
    place->result = result->result;
    if (!span_copy(place->detail, sizeof place->detail,
                   span_first(result->detail, sizeof place->detail - 1)))
        place->detail[0] = '\0';
}

static const struct fetcher_failure *recall(const struct fetcher *fetcher, const struct fetch *f)
{
    int64_t now = io_now(f->proc->loop).us;
    for (size_t i = 0; i < FAILURES_MAX; i++) {
        const struct fetcher_failure *known = &fetcher->failures[i];
        if (known->until.us > now && dns_name_eq(&known->domain, &f->domain) &&
            span_eq(span_str(known->id), span_str(f->id)))
            return known;
    }
    return NULL;
}

static void answer(struct fetch *f, const struct trust_fetched *result)
{
    CLEANUP(buf_free) struct buf b = BUF(STS_POLICY_MAX + 4096);
    trust_fetched_pack(&b, result);
    proc_reply(&f->asker, MSG_FETCHED, buf_span(&b), -1);
    free(f);
}

static void finish(struct fetch *f, const struct trust_fetched *result)
{
    meter_count(result->result == TRUST_FETCH_OK ? METER_FETCH_OK : METER_FETCH_FAILED, 1);
    answer(f, result);
}

static void fetched(void *arg, const struct trust_fetched *result)
{
    struct fetch *f = arg;
    if (f->previous)
        f->previous->next = f->next;
    else
        f->fetcher->open = f->next;
    if (f->next)
        f->next->previous = f->previous;
    remember(f->fetcher, f, result);
    finish(f, result);
}

static void addresses_known(void *arg)
{
    struct fetch *f = arg;
    if (f->addresses.count) {
        struct fetcher *fetcher = f->fetcher;
        f->next = fetcher->open;
        if (f->next)
            f->next->previous = f;
        fetcher->open = f;
        lookup_https_policy(fetcher->https, &f->domain, f->addresses.at, f->addresses.count,
                            fetched, f);
        return;
    }
    struct trust_fetched none = {
        .result = TRUST_FETCH_DNS,
        .detail = f->addresses.unanswered
                      ? SPAN("the addresses of the policy host cannot be learnt now")
                      : SPAN("the policy host has no address")};
    finish(f, &none);
}

static bool got_fetch(struct proc_peer *peer, struct io_message *m)
{
    struct rd r = RD(m->payload);
    struct span domain = rd_span(&r), id = rd_span(&r);
    struct fetch *f = mem_new(sizeof *f);
    struct dns_name host;
    if (!rd_end(&r) || !dns_name_parse_host(&f->domain, domain) ||
        !span_copy(f->id, sizeof f->id, id)) {
        free(f);
        return false;
    }
    f->proc = peer->proc;
    f->fetcher = peer->proc->data;
    f->asker = proc_asker_of(peer, m);
    const struct fetcher_failure *known = f->id[0] ? recall(f->fetcher, f) : NULL;
    if (known) {
        meter_count(METER_FETCH_SPARED, 1);
        answer(f,
               &(struct trust_fetched){.result = known->result, .detail = span_str(known->detail)});
        return true;
    }
    if (!dns_name_prepend(&host, SPAN("mta-sts."), &f->domain)) {
        finish(f, &(struct trust_fetched){.result = TRUST_FETCH_DNS,
                                          .detail = SPAN("the policy host's name is too long")});
        return true;
    }
    f->addresses = (struct fetcher_addresses){.proc = f->proc, .known = addresses_known, .arg = f};
    fetcher_ask(&f->addresses, &host);
    return true;
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    if (m->kind == MSG_REPORT_POST && peer->kind == PROC_REPORTER)
        return fetcher_post(peer->proc->data, peer, m);
    return m->kind == MSG_FETCH && got_fetch(peer, m);
}

static void start(struct proc *p)
{
    struct lookup_https_conf c = {.ca_file = conf_span(p->conf, CONF_tls_ca_file),
                                  .timeout_us = conf_int(p->conf, CONF_sts_timeout),
                                  .port = (uint16_t)conf_int(p->conf, CONF_sts_port),
                                  .outstanding = FETCHES_MAX};
    const char *why = "";
    struct lookup_https *h = NULL;
    struct rc rc = lookup_https_new(&h, p->loop, &c, &why);
    if (!rc_ok(rc)) {
        LOG(LOG_ERROR, "fetcher-cannot-start", LOG_T("why", why));
        proc_fail(p);
        return;
    }
    struct fetcher *fetcher = p->data ? p->data : mem_new(sizeof *fetcher);
    if (!fetcher->failures)
        fetcher->failures = mem_new(FAILURES_MAX * sizeof *fetcher->failures);
    fetcher->https = h;
    p->data = fetcher;
}

// New anchors: what is under way with the old ones ends as a failed fetch.
static void reload(struct proc *p)
{
    struct fetcher *fetcher = p->data;
    struct lookup_https *old = fetcher->https;
    start(p);
    lookup_https_free(old);
    for (size_t i = 0; i < FAILURES_MAX; i++)
        fetcher->failures[i].until.us = 0; // they may have been ours
    while (fetcher->open)
        fetched(fetcher->open, &(struct trust_fetched){.result = TRUST_FETCH_CONNECT,
                                                       .detail = SPAN("the fetcher was reloaded")});
    fetcher_posts_forgotten(fetcher);
}

static void drain(struct proc *p)
{
    proc_drained(p);
}

const struct proc_role proc_fetcher = {
    .kind = PROC_FETCHER, .start = start, .reload = reload, .drain = drain, .got = got};
