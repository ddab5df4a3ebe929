#include "trust_planner.h"
#include "trust_tlsrpt.h"

static void ask_txt(struct trust_planner *p, enum planner_what what, const char *prefix,
                    void (*on_answer)(struct trust_planner *p, size_t host,
                                      const struct dns_answer *a))
{
    static const struct dns_answer nothing = {.standing = DNS_INSECURE, .presence = DNS_NXDOMAIN};
    struct dns_name name;
    if (dns_name_prepend(&name, span_str(prefix), &p->nexthop))
        planner_ask(p, what, 0);
    else // no such name can exist
        on_answer(p, 0, &nothing);
}

void planner_sts_begin(struct trust_planner *p)
{
    p->keeper = (struct trust_keeper){
        .arena = p->arena, .now = p->r.now, .refresh = p->r.sts_refresh, .held = &p->plan.sts};
    if (p->r.route.given && (p->r.route.literal || p->r.route.lmtp))
        return; // RFC 8461 §3.4: there are no policies for address literals
    planner_ask(p, PLAN_STORED, 0);
    ask_txt(p, PLAN_STS_TXT, "_mta-sts.", planner_sts_txt);
    if (!p->r.sts_refresh)
        ask_txt(p, PLAN_RPT_TXT, "_smtp._tls.", planner_rpt_txt);
}

void planner_sts_wants(struct trust_planner *p, enum trust_keeper_wants w)
{
    p->full = p->full || p->keeper.no_room;
    if (w == TRUST_KEEPER_FETCH)
        planner_ask(p, PLAN_FETCH, 0);
    if (w == TRUST_KEEPER_OVER && p->keeper.save)
        planner_ask(p, PLAN_SAVE, 0);
}

void planner_sts_txt(struct trust_planner *p, size_t host, const struct dns_answer *a)
{
    (void)host;
    planner_sts_wants(p, trust_keeper_txt(&p->keeper, a));
}

void planner_rpt_txt(struct trust_planner *p, size_t host, const struct dns_answer *a)
{
    (void)host;
    p->plan.tlsrpt_count = trust_tlsrpt_record(a, p->arena, &p->plan.tlsrpt);
}
