#include "proc_self_test.h"

#include "base_log.h"

#include <stdlib.h>

enum { TYPE_RRSIG = 46, TYPE_DNSKEY = 48 }; // RFC 4034
#define EVERY       SECONDS(3600)
#define EVERY_WRONG SECONDS(300) // until it is well, or known

struct listener {
    struct listener *next;
    void (*told)(void *arg, enum self_test_is is);
    void *arg;
};

struct self_test {
    struct io_loop *loop;
    struct lookup_dns_conf conf;
    struct lookup_dns *dns; // of the question under way
    bool raw;               // which it is
    bool known;
    enum self_test_is is;
    struct listener *listeners;
    struct io_timer again;
    struct io_work next;
    void (*then)(struct self_test *t);
};

static const struct {
    const char *text, *means;
} words[SELF_TESTS] = {
    [SELF_TEST_UNKNOWN] = {"unknown", "the root does not answer: nothing can be validated now"},
    [SELF_TEST_VALIDATING] = {"validating", "the root's keys are secure by the trust anchor"},
    [SELF_TEST_NOT_VALIDATING] =
        {"not-validating", "the root's keys and signatures come and do not fit the trust anchor: "
                           "see dns.trust_anchor and the clock; mail waits"},
    [SELF_TEST_STRIPPED] = {"stripped",
                            "somebody on the path takes keys or signatures out of answers: "
                            "see dns.forward and the firewall; mail waits"},
};

enum self_test_is self_test_was(const struct self_test *t)
{
    return t->known ? t->is : SELF_TEST_UNKNOWN;
}

const char *self_test_text(enum self_test_is is)
{
    return words[is].text;
}

static void tell(struct self_test *t, enum self_test_is is)
{
    if (!t->known || t->is != is)
        LOG(is == SELF_TEST_VALIDATING ? LOG_INFO : LOG_ERROR, "dnssec-self-test",
            LOG_T("is", words[is].text), LOG_T("means", words[is].means));
    t->known = true;
    t->is = is;
    for (struct listener *l = t->listeners, *next; l; l = next) {
        next = l->next;
        l->told(l->arg, is);
        free(l);
    }
    t->listeners = NULL;
    io_timer_set(
        t->loop, &t->again,
        (struct mono){io_now(t->loop).us + (is == SELF_TEST_VALIDATING ? EVERY : EVERY_WRONG)});
}

// A resolver cannot be freed from inside its answer.
static void turn_over(void *arg)
{
    struct self_test *t = arg;
    lookup_dns_free(t->dns);
    t->dns = NULL;
    if (t->then)
        t->then(t);
}

static void later(struct self_test *t, void (*then)(struct self_test *t))
{
    t->then = then;
    io_work_set(t->loop, &t->next);
}

static void ask(struct self_test *t, bool raw, void (*done)(void *, const struct dns_verdict *));

static void seen_raw(void *arg, const struct dns_verdict *v)
{
    struct self_test *t = arg;
    bool whole =
        dns_packet_holds(v->packet, TYPE_DNSKEY) && dns_packet_holds(v->packet, TYPE_RRSIG);
    tell(t, v->no_answer || v->rcode != 0 ? SELF_TEST_UNKNOWN
            : whole                       ? SELF_TEST_NOT_VALIDATING
                                          : SELF_TEST_STRIPPED);
    later(t, NULL);
}

static void ask_raw(struct self_test *t)
{
    ask(t, true, seen_raw);
}

static void seen(void *arg, const struct dns_verdict *v)
{
    struct self_test *t = arg;
    if (v->secure)
        tell(t, SELF_TEST_VALIDATING);
    later(t, v->secure ? NULL : ask_raw);
}

static void ask(struct self_test *t, bool raw, void (*done)(void *, const struct dns_verdict *))
{
    static const struct dns_question keys = {.type = (enum dns_type)TYPE_DNSKEY}; // of the root
    struct lookup_dns_conf conf = t->conf;
    const char *why = "";
    conf.raw = raw;
    if (rc_ok(lookup_dns_new(&t->dns, t->loop, &conf, &why)))
        lookup_dns_ask(t->dns, &keys, done, t);
    else
        tell(t, SELF_TEST_UNKNOWN);
}

static void run(void *arg)
{
    struct self_test *t = arg;
    if (!t->dns) // else one is under way
        ask(t, false, seen);
}

struct self_test *self_test_new(struct io_loop *l)
{
    struct self_test *t = mem_new(sizeof *t);
    *t = (struct self_test){.loop = l, .again = {.fire = run, .arg = t}};
    t->next = (struct io_work){.run = turn_over, .arg = t};
    return t;
}

void self_test_run(struct self_test *t, const struct lookup_dns_conf *conf)
{
    t->conf = *conf;
    io_work_cancel(t->loop, &t->next);
    lookup_dns_free(t->dns);
    t->dns = NULL;
    run(t);
}

void self_test_ask(struct self_test *t, void (*told)(void *arg, enum self_test_is is), void *arg)
{
    if (t->known) {
        told(arg, t->is);
        return;
    }
    struct listener *l = mem_new(sizeof *l);
    *l = (struct listener){t->listeners, told, arg};
    t->listeners = l;
}
