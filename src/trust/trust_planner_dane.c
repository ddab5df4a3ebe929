// Where a host's TLSA records are (RFC 7672 §2.2.2, §2.2.3).
#include "trust_planner.h"
#include "trust_tlsa.h"

static bool is_wanted(const struct trust_planner *p)
{
    static const bool useless[TRUST_LOCALS] = {[TRUST_LOCAL_CLEAR] = true,
                                               [TRUST_LOCAL_OPPORTUNISTIC] = true,
                                               [TRUST_LOCAL_PINNED] = true};
    return !useless[p->local];
}

bool planner_dane_question(const struct trust_planner *p, size_t host, struct dns_name *out)
{
    CLEANUP(buf_free) struct buf b = BUF(32);
    const struct planner_host *h = &p->hosts[host];
    buf_printf(&b, "_%u._tcp.", p->port);
    return dns_name_prepend(out, buf_span(&b), &h->candidates[h->candidate]);
}

// Asks for the candidate whose turn it is; a name too long to be asked for
// cannot exist.
static void ask_candidate(struct trust_planner *p, size_t host)
{
    struct planner_host *h = &p->hosts[host];
    struct dns_name name;
    for (; h->candidate < h->candidate_count; h->candidate++)
        if (planner_dane_question(p, host, &name)) {
            h->host->tlsa_asked = true;
            planner_ask(p, PLAN_TLSA, host);
            return;
        }
}

static void add_candidate(struct planner_host *h, const struct dns_name *name)
{
    if (h->candidate_count && dns_name_eq(&h->candidates[0], name))
        return;
    h->candidates[h->candidate_count++] = *name;
}

static const struct planner_family *with_addresses(const struct planner_host *h)
{
    return &h->family[h->family[0].count ? 0 : 1];
}

void planner_dane_begin(struct trust_planner *p, size_t host)
{
    struct planner_host *h = &p->hosts[host];
    const struct planner_family *f = with_addresses(h);
    if (!is_wanted(p))
        return;
    if (h->host->address_dnssec == DNS_SECURE) {
        if (f->aliased) // the expanded name first, then the original
            add_candidate(h, &f->expanded);
        add_candidate(h, &h->host->name);
        ask_candidate(p, host);
        return;
    }
    // Below an insecure name servers may fail on TLSA, and there is nothing to
    // find (§2.2.2) - unless an alias in a signed zone led out of it: then its
    // own record decides, and to skip it would be a downgrade (§2.1.3).
    if (f->aliased)
        planner_ask(p, PLAN_CNAME, host);
}

static void fail(struct trust_planner *p, struct planner_host *h, const struct dns_answer *a)
{
    h->tlsa = TLSA_BAD;
    h->host->tlsa_asked = true; // what was asked on the way to it failed
    h->host->tlsa_dnssec = a->standing;
    h->why = planner_keep(p, span_first(a->why, 512));
}

void planner_dane_cname(struct trust_planner *p, size_t host, const struct dns_answer *a)
{
    struct planner_host *h = &p->hosts[host];
    if (planner_is_bad(a)) {
        fail(p, h, a);
        return;
    }
    if (a->standing != DNS_SECURE)
        return;
    add_candidate(h, &h->host->name);
    ask_candidate(p, host);
}

static void take_records(struct trust_planner *p, struct planner_host *h,
                         const struct dns_answer *a)
{
    struct trust_host *t = h->host;
    size_t usable = 0;
    t->tlsa_base = h->candidates[h->candidate];
    if (!trust_tlsa_take(a, p->arena, &t->tlsa, &t->tlsa_count, &usable)) {
        h->tlsa = TLSA_TOO_LARGE;
        return;
    }
    h->tlsa = usable ? TLSA_USABLE : TLSA_NONE_USABLE;
}

void planner_dane_tlsa(struct trust_planner *p, size_t host, const struct dns_answer *a)
{
    struct planner_host *h = &p->hosts[host];
    if (planner_is_bad(a)) {
        fail(p, h, a);
        return;
    }
    h->host->tlsa_dnssec = a->standing;
    if (a->standing == DNS_SECURE && a->presence == DNS_DATA) {
        take_records(p, h, a);
        return;
    }
    h->candidate++;
    ask_candidate(p, host);
}
