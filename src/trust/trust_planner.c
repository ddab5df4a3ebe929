#include "trust_planner.h"

enum { TTL_MOST = 3600, TTL_AFTER_FAILURE = 60 };

void *planner_alloc(struct trust_planner *p, size_t size)
{
    void *room = arena_alloc(p->arena, size);
    p->full = p->full || !room;
    return room;
}

struct span planner_keep(struct trust_planner *p, struct span s)
{
    struct span kept = arena_dup(p->arena, s);
    p->full = p->full || !kept.at;
    return kept;
}

struct span planner_sentence(struct trust_planner *p, const char *before, const char *phrase,
                             struct span why)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    why = span_first(why, 512);
    buf_printf(&b, "%s%s%s%.*s.", before, phrase, why.len ? ": " : "", SPAN_FMT(why));
    if (b.len && b.at[0] >= 'a' && b.at[0] <= 'z' && !before[0])
        b.at[0] = (char)(b.at[0] - 'a' + 'A');
    return planner_keep(p, buf_span(&b));
}

void planner_ask(struct trust_planner *p, enum planner_what what, size_t host)
{
    if (p->ask_count == PLANNER_ASKS_MAX)
        panic("planner: more questions than there can be");
    p->asks[p->ask_count++] = (struct planner_ask){(uint8_t)what, (uint8_t)host, false};
}

void planner_verdict(struct trust_planner *p, enum trust_decision d, const char *status,
                     const char *phrase, struct span why)
{
    p->decision = d;
    p->status = status;
    p->verdict = phrase;
    p->why = planner_keep(p, span_first(why, 512));
}

bool planner_is_inside(const struct trust_route *r)
{
    static const unsigned char loopback6[16] = {[15] = 1};
    const struct dns_address *a = &r->address;
    if (!r->given || !r->lmtp || !r->literal)
        return false;
    return r->path.len ||
           (a->v6 ? span_eq(SPAN_OF(a->at), SPAN_OF(loopback6)) : (unsigned char)a->at[0] == 127);
}

struct trust_planner *trust_planner_new(const struct trust_request *r, struct arena *a)
{
    struct trust_planner *p = arena_alloc(a, sizeof *p);
    if (!p)
        return NULL;
    p->r = *r;
    p->arena = a;
    p->nexthop = r->route.given && !r->route.literal ? r->route.host : r->domain;
    p->nexthop_expanded = p->nexthop;
    if (planner_is_inside(&r->route))
        p->r.need = (struct trust_need){0};
    p->port = r->route.given && r->route.port ? r->route.port : r->port ? r->port : 25;
    p->relaxed = p->r.need.tls_required_no && !p->r.need.requiretls; // RFC 8689 §4.1
    // What the operator asks for beside what is published is too little for
    // REQUIRETLS: then what is published counts.
    bool weak = r->local == TRUST_LOCAL_OPPORTUNISTIC || r->local == TRUST_LOCAL_ENCRYPT;
    p->local = p->r.need.requiretls && weak ? TRUST_FOLLOW : r->local;
    if (r->route.lmtp && p->local == TRUST_FOLLOW) // nothing is published for a mailbox server
        p->local = p->r.need.requiretls ? TRUST_LOCAL_VERIFY : TRUST_LOCAL_OPPORTUNISTIC;
    p->plan.domain = r->domain;
    p->plan.requiretls = p->r.need.requiretls;
    p->plan.ttl = TTL_MOST;
    if (!r->sts_refresh)
        planner_hosts_begin(p);
    planner_sts_begin(p);
    return p;
}

static const struct {
    enum trust_ask kind;
    enum dns_type type;
    void (*answer)(struct trust_planner *p, size_t host, const struct dns_answer *a);
    const char *prefix; // of the next hop's name
} table[PLAN_WHATS] = {
    [PLAN_MX] = {TRUST_ASK_DNS, DNS_MX, planner_mx, NULL},
    [PLAN_STS_TXT] = {TRUST_ASK_DNS, DNS_TXT, planner_sts_txt, "_mta-sts."},
    [PLAN_RPT_TXT] = {TRUST_ASK_DNS, DNS_TXT, planner_rpt_txt, "_smtp._tls."},
    [PLAN_STORED] = {TRUST_ASK_STORED},
    [PLAN_FETCH] = {TRUST_ASK_FETCH},
    [PLAN_SAVE] = {TRUST_ASK_SAVE},
    [PLAN_AAAA] = {TRUST_ASK_DNS, DNS_AAAA, planner_host_aaaa, NULL},
    [PLAN_A] = {TRUST_ASK_DNS, DNS_A, planner_host_a, NULL},
    [PLAN_CNAME] = {TRUST_ASK_DNS, DNS_CNAME, planner_dane_cname, NULL},
    [PLAN_TLSA] = {TRUST_ASK_DNS, DNS_TLSA, planner_dane_tlsa, NULL},
};

static struct dns_name name_asked(const struct trust_planner *p, const struct planner_ask *ask)
{
    struct dns_name name = p->nexthop;
    if (ask->what == PLAN_TLSA)
        (void)planner_dane_question(p, ask->host, &name); // tried before it was asked
    else if (ask->what >= PLAN_AAAA)
        name = p->hosts[ask->host].host->name;
    else if (table[ask->what].prefix)
        (void)dns_name_prepend(&name, span_str(table[ask->what].prefix), &p->nexthop);
    return name;
}

struct trust_planner_step trust_planner_next(struct trust_planner *p)
{
    if (p->given < p->ask_count) {
        struct planner_ask *ask = &p->asks[p->given++];
        struct trust_planner_step s = {
            .kind = table[ask->what].kind, .ticket = (unsigned)p->given, .domain = p->nexthop};
        if (s.kind == TRUST_ASK_DNS)
            s.question = (struct dns_question){name_asked(p, ask), table[ask->what].type};
        if (s.kind == TRUST_ASK_FETCH)
            s.id = p->r.sts_refresh ? "" : p->keeper.id;
        if (s.kind == TRUST_ASK_SAVE) {
            s.stored = &p->keeper.fresh;
            ask->answered = true;
            p->answered++;
        }
        return s;
    }
    if (p->answered < p->ask_count || p->told)
        return (struct trust_planner_step){.kind = TRUST_ASK_WAIT};
    if (!p->done)
        planner_end(p);
    p->done = p->told = true;
    return (struct trust_planner_step){.kind = TRUST_ASK_DONE};
}

// NULL for a ticket of another kind, never given out, or answered before.
static struct planner_ask *take_ticket(struct trust_planner *p, unsigned ticket,
                                       enum trust_ask kind)
{
    if (ticket == 0 || ticket > p->given)
        return NULL;
    struct planner_ask *ask = &p->asks[ticket - 1];
    if (ask->answered || table[ask->what].kind != kind)
        return NULL;
    ask->answered = true;
    p->answered++;
    return ask;
}

// What has no standing has no records, whoever says otherwise.
static struct dns_answer believed(const struct dns_answer *a)
{
    bool bad = a->standing < DNS_INSECURE || a->presence == DNS_NO_ANSWER;
    if (!bad)
        return *a;
    return (struct dns_answer){.standing = a->standing == DNS_BOGUS ? DNS_BOGUS : DNS_INDETERMINATE,
                               .expanded = a->expanded,
                               .ttl = TTL_AFTER_FAILURE,
                               .why = a->why};
}

void trust_planner_dns(struct trust_planner *p, unsigned ticket, const struct dns_answer *answer)
{
    const struct planner_ask *ask = take_ticket(p, ticket, TRUST_ASK_DNS);
    if (!ask)
        return;
    struct dns_answer a = believed(answer);
    if (a.ttl < p->plan.ttl)
        p->plan.ttl = a.ttl;
    table[ask->what].answer(p, ask->host, &a);
}

void trust_planner_stored(struct trust_planner *p, unsigned ticket,
                          const struct trust_sts_stored *stored)
{
    if (take_ticket(p, ticket, TRUST_ASK_STORED))
        planner_sts_wants(p, trust_keeper_stored(&p->keeper, stored));
}

void trust_planner_fetched(struct trust_planner *p, unsigned ticket,
                           const struct trust_fetched *fetched)
{
    if (take_ticket(p, ticket, TRUST_ASK_FETCH))
        planner_sts_wants(p, trust_keeper_fetched(&p->keeper, fetched));
}

const struct trust_plan *trust_planner_plan(const struct trust_planner *p)
{
    return p->done ? &p->plan : NULL;
}
