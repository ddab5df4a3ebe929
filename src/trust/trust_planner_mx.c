#include "trust_planner.h"

#include <stdlib.h>
#include <string.h>

struct mx {
    uint16_t preference;
    uint64_t chance;
    const struct dns_name *name;
};

// Equal preferences are taken in random order (RFC 5321 §5.1); the order hangs
// on the seed and the names alone, not on that of the records.
static uint64_t chance(uint64_t seed, const struct dns_name *n)
{
    uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n->len; i++)
        h = (h ^ (unsigned char)n->text[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static int by_preference(const void *a, const void *b)
{
    const struct mx *x = a, *y = b;
    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    if (x->chance != y->chance)
        return x->chance < y->chance ? -1 : 1;
    return strcmp(x->name->text, y->name->text);
}

static bool is_listed(const struct mx *list, size_t count, const struct dns_name *name)
{
    for (size_t i = 0; i < count; i++)
        if (dns_name_eq(list[i].name, name))
            return true;
    return false;
}

// Sorted, each name once, without root names; the best TRUST_HOSTS_MAX of them.
static size_t sort_out(const struct trust_planner *p, const struct dns_answer *a, struct mx *list)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < a->count && n < DNS_RECORDS_MAX; i++) {
        const struct dns_record *r = &a->records[i];
        if (!dns_name_is_root(&r->name))
            list[n++] = (struct mx){r->preference, chance(p->r.seed, &r->name), &r->name};
    }
    qsort(list, n, sizeof *list, by_preference);
    for (size_t i = 0; i < n && kept < TRUST_HOSTS_MAX; i++)
        if (!is_listed(list, kept, list[i].name))
            list[kept++] = list[i];
    return kept;
}

static void make_hosts(struct trust_planner *p, const struct mx *list, size_t count)
{
    p->plan.hosts = planner_alloc(p, count * sizeof *p->plan.hosts);
    p->hosts = planner_alloc(p, count * sizeof *p->hosts);
    if (!p->plan.hosts || !p->hosts)
        return;
    p->plan.host_count = count;
    for (size_t i = 0; i < count; i++) {
        struct trust_host *h = &p->plan.hosts[i];
        h->name = h->tlsa_base = *list[i].name;
        h->preference = list[i].preference;
        h->implicit_mx = p->implicit;
        h->lmtp = p->r.route.given && p->r.route.lmtp;
        h->port = p->port;
        p->hosts[i] = (struct planner_host){.host = h, .reach = REACH_UNASKED};
    }
}

static bool is_own_name(const struct trust_planner *p, const struct dns_name *name)
{
    for (size_t i = 0; i < p->r.self_count; i++)
        if (dns_name_eq(&p->r.self[i], name))
            return true;
    return false;
}

static bool is_own_address(const struct trust_planner *p, const struct dns_address *a)
{
    for (size_t i = 0; i < p->r.self_address_count; i++)
        if (dns_address_eq(&p->r.self_addresses[i], a))
            return true;
    return false;
}

static bool is_self(const struct trust_planner *p, const struct trust_host *h)
{
    bool own = is_own_name(p, &h->name);
    for (size_t i = 0; i < h->address_count && !own; i++)
        own = is_own_address(p, &h->addresses[i]);
    return own;
}

void planner_mx_drop_self(struct trust_planner *p)
{
    size_t first = 0, count = p->plan.host_count;
    while (first < count && !is_self(p, p->hosts[first].host))
        first++;
    if (!p->from_mx || first == count)
        return;
    for (size_t i = 0; i < count; i++)
        p->hosts[i].self = p->hosts[i].host->preference >= p->hosts[first].host->preference;
}

static void begin_hosts(struct trust_planner *p)
{
    planner_mx_drop_self(p); // by name: those need no addresses
    for (size_t i = 0; i < p->plan.host_count; i++)
        if (!p->hosts[i].self)
            planner_host_begin(p, i);
}

// No MX record: the domain itself is its only host (RFC 5321 §5.1).
static void implicit_mx(struct trust_planner *p, const struct dns_answer *a)
{
    p->implicit = true;
    p->mx_nxdomain = a->presence == DNS_NXDOMAIN;
    // The name is the one the sender wrote: nobody on the path can choose it.
    // That it has no MX to go to instead is another matter.
    p->names_known = true;
    p->hosts_proved = a->standing == DNS_SECURE;
    make_hosts(p, &(struct mx){.name = &p->nexthop}, 1);
    begin_hosts(p);
}

static void listed_mx(struct trust_planner *p, const struct dns_answer *a)
{
    struct mx list[DNS_RECORDS_MAX];
    size_t n = sort_out(p, a, list);
    // A null MX stands alone (RFC 7505 §3): beside what cannot be read it is a mistake,
    // and who made it may well take mail.
    if (n == 0 && (a->count == 0 || a->unread)) {
        planner_verdict(p, TRUST_DEFER, "4.4.4",
                        "no MX record of the domain could be read (RFC 5321 section 5.1)",
                        SPAN(""));
        return;
    }
    if (n == 0) { // RFC 7505 §3; among others the root name is just a mistake
        planner_verdict(p, TRUST_FAIL, "5.1.10",
                        "the domain accepts no mail: it has a null MX (RFC 7505 section 3)",
                        SPAN(""));
        return;
    }
    p->names_known = p->hosts_proved = a->standing == DNS_SECURE;
    make_hosts(p, list, n);
    begin_hosts(p);
}

void planner_mx(struct trust_planner *p, size_t host, const struct dns_answer *a)
{
    (void)host;
    p->plan.mx_dnssec = a->standing;
    if (planner_is_bad(a)) {
        bool bogus = a->standing == DNS_BOGUS;
        planner_verdict(p, TRUST_DEFER, bogus ? "4.7.5" : "4.4.3",
                        bogus ? "the MX answer fails DNSSEC validation (RFC 7672 section 2.1.2)"
                              : "the MX lookup failed (RFC 7672 section 2.1.2)",
                        a->why);
        return;
    }
    // The end of an insecure chain may be anybody's (RFC 7672 §2.1.3, §3.2.2).
    if (a->aliased && a->standing == DNS_SECURE)
        p->nexthop_expanded = a->expanded;
    if (a->presence == DNS_DATA)
        listed_mx(p, a);
    else
        implicit_mx(p, a);
}

static void literal_host(struct trust_planner *p)
{
    CLEANUP(buf_free) struct buf b = BUF(sizeof((struct dns_name *)0)->text);
    struct dns_name name = {0};
    if (p->r.route.path.len)
        buf_printf(&b, "unix:%.*s", SPAN_FMT(p->r.route.path));
    else
        dns_address_put(&b, &p->r.route.address);
    if (span_copy(name.text, sizeof name.text, buf_span(&b)))
        name.len = (uint8_t)b.len;
    make_hosts(p, &(struct mx){.name = &name}, 1);
    struct dns_address *address = planner_alloc(p, sizeof *address);
    if (p->full)
        return;
    struct trust_host *h = p->plan.hosts;
    *address = p->r.route.address;
    h->addresses = address;
    h->address_count = 1;
    h->local = p->r.route.path.len > 0;
    h->tlsa_base = (struct dns_name){0};
    p->hosts->reach = REACH_OK;
}

void planner_hosts_begin(struct trust_planner *p)
{
    const struct trust_route *route = &p->r.route;
    p->from_mx = !route->given || (route->mx && !route->literal);
    p->plan.mx_asked = p->from_mx;
    if (p->from_mx) {
        planner_ask(p, PLAN_MX, 0);
        return;
    }
    p->names_known = p->hosts_proved = true; // the operator named it
    if (route->literal) {
        literal_host(p);
        return;
    }
    make_hosts(p, &(struct mx){.name = &route->host}, 1);
    begin_hosts(p);
}
