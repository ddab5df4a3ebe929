// The fetcher role: MTA-STS policy files over HTTPS, from the addresses that
// the resolver gave and from no others.
#include "lookup_https.h"
#include "proc_asker.h"

#include "base_log.h"
#include "base_meter.h"

#include <stdlib.h>

enum { FETCHES_MAX = 256, ADDRESSES_MAX = 16, FAILURES_MAX = 512 };
#define DNS_PATIENCE SECONDS(30)
// A host that failed is left alone for so long, until its id changes (RFC 8461 §3.3).
#define FAILURE_STANDS SECONDS(300)

struct fetch {
    struct fetch *next, *previous;
    struct fetcher *fetcher;
    struct proc *proc;
    struct proc_asker asker;
    struct dns_name domain;
    char id[STS_ID_MAX + 1]; // empty: a refresh
    unsigned waiting;        // address questions without an answer
    bool unanswered;         // one of them got none that can be believed
    struct dns_address addresses[ADDRESSES_MAX];
    size_t count;
};

struct failure {
    struct dns_name domain; // empty: a free place
    char id[STS_ID_MAX + 1];
    struct mono until;
    enum trust_fetch_result result;
    char detail[256];
};

struct fetcher {
    struct lookup_https *https;
    struct fetch *open; // handed to `https`
    struct failure failures[FAILURES_MAX];
    size_t next_failure; // the place overwritten next
};

static void remember(struct fetcher *fetcher, const struct fetch *f,
                     const struct trust_fetched *result)
{
    if (result->result == TRUST_FETCH_OK || !f->id[0])
        return;
    struct failure *place = &fetcher->failures[fetcher->next_failure++ % FAILURES_MAX];
    place->domain = f->domain;
    if (!span_copy(place->id, sizeof place->id, span_str(f->id)))
        panic("an id of more than its bytes");
    place->until.us = io_now(f->proc->loop).us + FAILURE_STANDS;
    place->result = result->result;
    if (!span_copy(place->detail, sizeof place->detail,
                   span_first(result->detail, sizeof place->detail - 1)))
        place->detail[0] = '\0';
}

static const struct failure *recall(const struct fetcher *fetcher, const struct fetch *f)
{
    int64_t now = io_now(f->proc->loop).us;
    for (size_t i = 0; i < FAILURES_MAX; i++) {
        const struct failure *known = &fetcher->failures[i];
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

static void addresses_known(struct fetch *f)
{
    if (f->count) {
        struct fetcher *fetcher = f->fetcher;
        f->next = fetcher->open;
        if (f->next)
            f->next->previous = f;
        fetcher->open = f;
        lookup_https_policy(fetcher->https, &f->domain, f->addresses, f->count, fetched, f);
        return;
    }
    struct trust_fetched none = {
        .result = TRUST_FETCH_DNS,
        .detail = f->unanswered ? SPAN("the addresses of the policy host cannot be learnt now")
                                : SPAN("the policy host has no address")};
    finish(f, &none);
}

static void take_addresses(struct fetch *f, const struct dns_answer *answer)
{
    if (answer->presence == DNS_NO_ANSWER)
        f->unanswered = true;
    for (size_t i = 0; i < answer->count && f->count < ADDRESSES_MAX; i++)
        f->addresses[f->count++] = answer->records[i].address;
}

static bool address_answer(void *arg, struct io_message *m)
{
    struct fetch *f = arg;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct dns_answer answer;
    bool fine = true;
    if (!m) {
        f->unanswered = true;
    } else {
        struct rd r = RD(m->payload);
        fine = m->kind == MSG_DNS_IS && dns_answer_unpack(&r, &answer, &a) && rd_end(&r);
        if (fine)
            take_addresses(f, &answer);
        else
            f->unanswered = true;
    }
    if (--f->waiting == 0)
        addresses_known(f);
    return fine;
}

static void ask_address(struct fetch *f, const struct dns_name *host, enum dns_type type)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    dns_question_pack(&b, &(struct dns_question){*host, type});
    f->waiting++;
    proc_ask(f->proc, PROC_RESOLVER, 0, MSG_DNS, buf_span(&b), DNS_PATIENCE, address_answer, f);
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    struct rd r = RD(m->payload);
    struct span domain = rd_span(&r), id = rd_span(&r);
    struct fetch *f = mem_new(sizeof *f);
    struct dns_name host;
    if (m->kind != MSG_FETCH || !rd_end(&r) || !dns_name_parse_host(&f->domain, domain) ||
        !span_copy(f->id, sizeof f->id, id)) {
        free(f);
        return false;
    }
    f->proc = peer->proc;
    f->fetcher = peer->proc->data;
    f->asker = proc_asker_of(peer, m);
    const struct failure *known = f->id[0] ? recall(f->fetcher, f) : NULL;
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
    ask_address(f, &host, DNS_AAAA);
    ask_address(f, &host, DNS_A);
    return true;
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
}

static void drain(struct proc *p)
{
    proc_drained(p);
}

const struct proc_role proc_fetcher = {
    .kind = PROC_FETCHER, .start = start, .reload = reload, .drain = drain, .got = got};
