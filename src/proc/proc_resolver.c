// The resolver role: DNS questions from senders and the fetcher, answered by a
// validating resolver of our own. It alone reads packets from the DNS.
#include "dns_answer.h"
#include "lookup_dns.h"
#include "proc_asker.h"
#include "proc_self_test.h"

#include "base_log.h"
#include "base_meter.h"

#include <stdlib.h>

enum { QUESTIONS_MAX = 4096, ANSWER_ROOM = 1 << 20 };

struct question {
    struct question *next, *previous;
    struct resolver *resolver;
    struct proc_asker asker;
    struct dns_question dns;
    struct mono began;
};

struct resolver {
    struct lookup_dns *dns;
    struct question *open;
    struct self_test *test;
    struct io_loop *loop;
};

static void count_answer(const struct question *q, const struct dns_answer *answer)
{
    static const enum meter meters[DNS_STANDINGS] = {
        [DNS_INDETERMINATE] = METER_DNS_NONE,
        [DNS_BOGUS] = METER_DNS_NONE,
        [DNS_INSECURE] = METER_DNS_INSECURE,
        [DNS_SECURE] = METER_DNS_SECURE,
    };
    meter_count(meters[answer->standing], 1);
    meter_time(METER_OF_DNS, io_now(q->resolver->loop).us - q->began.us);
}

static void answered(void *arg, const struct dns_verdict *v)
{
    struct question *q = arg;
    CLEANUP(arena_free) struct arena a = ARENA(ANSWER_ROOM);
    CLEANUP(buf_free) struct buf b = BUF(ANSWER_ROOM);
    struct dns_answer answer;
    dns_answer_read(&answer, &q->dns, v, &a);
    dns_answer_pack(&b, &answer);
    count_answer(q, &answer);
    if (rc_ok(buf_state(&b)))
        proc_reply(&q->asker, MSG_DNS_IS, buf_span(&b), -1);
    if (q->previous)
        q->previous->next = q->next;
    else
        q->resolver->open = q->next;
    if (q->next)
        q->next->previous = q->previous;
    free(q);
}

static void tested(void *arg, enum self_test_is is)
{
    struct proc_asker *asker = arg;
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u8(&b, (uint8_t)is);
    proc_reply(asker, MSG_SELF_TEST_IS, buf_span(&b), -1);
    free(asker);
}

static bool got_self_test(struct proc_peer *peer, const struct io_message *m)
{
    const struct resolver *resolver = peer->proc->data;
    struct proc_asker *asker = mem_new(sizeof *asker);
    *asker = proc_asker_of(peer, m);
    self_test_ask(resolver->test, tested, asker);
    return true;
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    if (m->kind == MSG_SELF_TEST)
        return peer->kind == PROC_CONTROL && m->payload.len == 0 && got_self_test(peer, m);
    struct rd r = RD(m->payload);
    struct question *q = mem_new(sizeof *q);
    q->asker = proc_asker_of(peer, m);
    if (m->kind != MSG_DNS || !dns_question_unpack(&r, &q->dns) || !rd_end(&r)) {
        free(q);
        return false;
    }
    struct resolver *resolver = q->resolver = peer->proc->data;
    q->next = resolver->open;
    if (q->next)
        q->next->previous = q;
    resolver->open = q;
    q->began = io_now(resolver->loop);
    lookup_dns_ask(resolver->dns, &q->dns, answered, q);
    return true;
}

static void start(struct proc *p)
{
    static struct span forward[16]; // the self-test goes on with it
    size_t count = conf_count(p->conf, CONF_dns_forward);
    if (count > sizeof forward / sizeof *forward)
        count = sizeof forward / sizeof *forward;
    for (size_t i = 0; i < count; i++)
        forward[i] = conf_item(p->conf, CONF_dns_forward, i);
    struct lookup_dns_conf c = {.trust_anchor = conf_span(p->conf, CONF_dns_trust_anchor),
                                .root_hints = conf_span(p->conf, CONF_dns_root_hints),
                                .forward = forward,
                                .forward_count = count,
                                .timeout_us = conf_int(p->conf, CONF_dns_timeout),
                                .outstanding = QUESTIONS_MAX};
    const char *why = "";
    struct lookup_dns *d = NULL;
    struct rc rc = lookup_dns_new(&d, p->loop, &c, &why);
    if (!rc_ok(rc)) {
        // Without DNS nothing is decided: questions stay unanswered, mail waits.
        LOG(LOG_ERROR, "resolver-cannot-start", LOG_T("why", why));
        proc_fail(p);
        return;
    }
    struct resolver *resolver = p->data ? p->data : mem_new(sizeof *resolver);
    resolver->dns = d;
    resolver->loop = p->loop;
    p->data = resolver;
    if (!resolver->test)
        resolver->test = self_test_new(p->loop);
    self_test_run(resolver->test, &c);
}

// A new section may mean new anchors or servers. What is under way at the old
// ones gets no answer, which nobody takes for "no".
static void reload(struct proc *p)
{
    struct resolver *resolver = p->data;
    struct lookup_dns *old = resolver->dns;
    start(p);
    lookup_dns_free(old);
    while (resolver->open)
        answered(resolver->open, &(struct dns_verdict){.no_answer = true,
                                                       .why = SPAN("the resolver was reloaded")});
}

static void drain(struct proc *p)
{
    proc_drained(p);
}

static void measure(struct proc *p)
{
    static const enum meter states[SELF_TESTS] = {
        [SELF_TEST_UNKNOWN] = METER_SELF_TEST_UNKNOWN,
        [SELF_TEST_VALIDATING] = METER_SELF_TEST_VALIDATING,
        [SELF_TEST_NOT_VALIDATING] = METER_SELF_TEST_NOT_VALIDATING,
        [SELF_TEST_STRIPPED] = METER_SELF_TEST_STRIPPED,
    };
    const struct resolver *resolver = p->data;
    for (unsigned i = 0; i < SELF_TESTS; i++)
        meter_set(states[i], self_test_was(resolver->test) == (enum self_test_is)i);
}

const struct proc_role proc_resolver = {.kind = PROC_RESOLVER,
                                        .start = start,
                                        .reload = reload,
                                        .drain = drain,
                                        .got = got,
                                        .measure = measure};
