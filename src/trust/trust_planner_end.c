#include "trust_planner.h"

static void decide(struct trust_planner *p, enum trust_decision d, const char *status,
                   struct span reason)
{
    p->plan.decision = d;
    p->plan.status = status;
    p->plan.reason = reason;
}

static bool is_usable(const struct trust_host *h)
{
    return h->requirement != TRUST_REQ_UNUSABLE;
}

static struct span without_stop(struct span sentence)
{
    return span_first(sentence, sentence.len ? sentence.len - 1 : 0);
}

// "mx1.example.org, the first of 2 usable hosts: no policy protects …"
static struct span first_host(struct trust_planner *p, const struct trust_host *h, size_t usable)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    buf_printf(&b, "%s", h->name.text);
    if (usable > 1)
        buf_printf(&b, ", the first of %zu usable hosts", usable);
    return planner_sentence(p, buf_str(&b), "", without_stop(h->reason));
}

static void deliver(struct trust_planner *p, size_t usable)
{
    const struct trust_host *h = p->plan.hosts;
    while (!is_usable(h))
        h++;
    decide(p, TRUST_DELIVER, NULL, first_host(p, h, usable));
}

// The host that tells best why there is none: one that may do later, else one
// that lacks what REQUIRETLS asks for, else the most preferred.
static const struct trust_host *teller(const struct trust_plan *plan)
{
    const struct trust_host *best = plan->hosts;
    for (size_t i = 0; i < plan->host_count; i++)
        if (!plan->hosts[i].for_good)
            return &plan->hosts[i];
    for (size_t i = plan->host_count; i-- > 0;)
        if (span_eq(span_str(plan->hosts[i].status), SPAN("5.7.10")))
            best = &plan->hosts[i];
    return best;
}

static void no_domain(struct trust_planner *p)
{
    decide(p, TRUST_FAIL, "5.1.2",
           planner_sentence(p, "", "the domain does not exist (RFC 5321 section 5.1)", SPAN("")));
}

static void no_host(struct trust_planner *p)
{
    const struct trust_host *h = teller(&p->plan);
    CLEANUP(buf_free) struct buf b = BUF(1024);
    if (h->for_good && p->mx_nxdomain && p->hosts[0].reach == REACH_NONE) {
        no_domain(p);
        return;
    }
    buf_printf(&b, "No host of %s can be used%s; %s", p->nexthop.text, h->for_good ? "" : " now",
               h->name.text);
    decide(p, h->for_good ? TRUST_FAIL : TRUST_DEFER, h->status,
           planner_sentence(p, buf_str(&b), "", without_stop(h->reason)));
}

static void by_hosts(struct trust_planner *p)
{
    size_t usable = 0;
    planner_mx_drop_self(p); // by address, now that they are known
    for (size_t i = 0; i < p->plan.host_count; i++) {
        planner_judge(p, &p->hosts[i]);
        usable += is_usable(p->hosts[i].host);
    }
    if (usable)
        deliver(p, usable);
    else
        no_host(p);
}

static void limit_ttl(struct trust_planner *p)
{
    bool held = p->plan.sts.source != TRUST_STS_NOWHERE;
    int64_t left = (p->keeper.live_until.us - p->r.now.us) / US_PER_S;
    if (held && left < (int64_t)p->plan.ttl)
        p->plan.ttl = (uint32_t)(left > 0 ? left : 0);
}

void planner_end(struct trust_planner *p)
{
    if (p->r.sts_refresh)
        decide(p, TRUST_DEFER, "4.4.0",
               SPAN("Only the MTA-STS policy was asked for (RFC 8461 section 3.3)."));
    else if (p->verdict)
        decide(p, p->decision, p->status, planner_sentence(p, "", p->verdict, p->why));
    else if (!p->full)
        by_hosts(p);
    limit_ttl(p);
    if (p->full) { // a limit met is no verdict on the domain
        p->plan.host_count = 0;
        decide(p, TRUST_DEFER, "4.3.1",
               SPAN("What the domain publishes needs more room than a plan may have."));
    }
}
