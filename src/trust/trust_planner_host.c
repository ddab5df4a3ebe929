#include "trust_planner.h"

enum { V6, V4 };

static void finish(struct trust_planner *p, size_t host);

void planner_host_begin(struct trust_planner *p, size_t host)
{
    struct planner_host *h = &p->hosts[host];
    h->host->addresses_asked = true;
    h->family[V6] = (struct planner_family){.due = !p->r.no_ipv6, .presence = DNS_NODATA};
    h->family[V4] = (struct planner_family){.due = !p->r.no_ipv4, .presence = DNS_NODATA};
    for (unsigned f = V6; f <= V4; f++)
        h->family[f].standing = DNS_INSECURE;
    if (h->family[V6].due)
        planner_ask(p, PLAN_AAAA, host);
    if (h->family[V4].due)
        planner_ask(p, PLAN_A, host);
    if (p->r.no_ipv6 && p->r.no_ipv4)
        finish(p, host);
}

static void take_addresses(struct trust_planner *p, size_t host, unsigned family,
                           const struct dns_answer *a)
{
    struct planner_host *h = &p->hosts[host];
    struct planner_family *f = &h->family[family];
    size_t n = a->count < TRUST_ADDRESSES_MAX ? a->count : TRUST_ADDRESSES_MAX;
    *f = (struct planner_family){.presence = a->presence,
                                 .standing = a->standing,
                                 .aliased = a->aliased,
                                 .expanded = a->expanded};
    if (a->presence == DNS_DATA && n == 0) // records that cannot be read
        f->presence = DNS_NO_ANSWER;
    f->at = n ? planner_alloc(p, n * sizeof *f->at) : NULL;
    for (size_t i = 0; f->at && i < n; i++)
        f->at[f->count++] = a->records[i].address;
    if (planner_is_bad(a))
        f->why = planner_keep(p, span_first(a->why, 512));
    if (!h->family[V6].due && !h->family[V4].due)
        finish(p, host);
}

void planner_host_aaaa(struct trust_planner *p, size_t host, const struct dns_answer *a)
{
    take_addresses(p, host, V6, a);
}

void planner_host_a(struct trust_planner *p, size_t host, const struct dns_answer *a)
{
    take_addresses(p, host, V4, a);
}

// In turns, IPv6 first: where one family leads nowhere the other comes soon.
static void interleave(struct trust_planner *p, struct planner_host *h)
{
    const struct planner_family *f = h->family;
    size_t all = f[V6].count + f[V4].count, n = 0;
    if (all > TRUST_ADDRESSES_MAX)
        all = TRUST_ADDRESSES_MAX;
    struct dns_address *out = planner_alloc(p, (all + 1) * sizeof *out);
    for (size_t i = 0; out && n < all; i++)
        for (unsigned v = V6; v <= V4; v++)
            if (i < f[v].count && n < all)
                out[n++] = f[v].at[i];
    h->host->addresses = out;
    h->host->address_count = n;
}

// The standing that counts is that of the answers that hold addresses; without
// any, that of the failure, or of the denial.
static enum dns_standing weakest(const struct planner_host *h, enum dns_presence wanted)
{
    enum dns_standing s = DNS_SECURE;
    for (unsigned v = V6; v <= V4; v++)
        if (h->family[v].presence == wanted && h->family[v].standing < s)
            s = h->family[v].standing;
    return s;
}

static bool any(const struct planner_host *h, enum dns_presence wanted)
{
    return h->family[V6].presence == wanted || h->family[V4].presence == wanted;
}

static void finish(struct trust_planner *p, size_t host)
{
    struct planner_host *h = &p->hosts[host];
    interleave(p, h);
    if (h->host->address_count) {
        h->reach = REACH_OK; // one good family is enough (TRAPS DANE 7)
        h->host->address_dnssec = weakest(h, DNS_DATA);
        planner_dane_begin(p, host);
        return;
    }
    h->reach = any(h, DNS_NO_ANSWER) ? REACH_BAD : REACH_NONE;
    if (h->reach == REACH_BAD) {
        h->host->address_dnssec = weakest(h, DNS_NO_ANSWER);
        h->why = h->family[h->family[V6].why.len ? V6 : V4].why;
        return;
    }
    bool secure = true;
    for (unsigned v = V6; v <= V4; v++)
        secure = secure && h->family[v].standing == DNS_SECURE;
    h->host->address_dnssec = secure ? DNS_SECURE : DNS_INSECURE;
}
