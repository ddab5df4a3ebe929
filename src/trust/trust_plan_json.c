#include "trust_plan.h"

#include <stdlib.h>

static const char *const states[] = {
    [TRUST_STS_ABSENT] = "absent",   [TRUST_STS_MODE_NONE] = "none",
    [TRUST_STS_TESTING] = "testing", [TRUST_STS_ENFORCE] = "enforce",
    [TRUST_STS_ERROR] = "error",
};
static const char *const sources[] = {
    [TRUST_STS_NOWHERE] = NULL,
    [TRUST_STS_CACHE] = "cache",
    [TRUST_STS_FETCHED] = "fetched",
    [TRUST_STS_LAST_GOOD] = "last-good",
};

static void put_name(struct json *j, const char *key, const struct dns_name *n)
{
    json_str(j, key, dns_name_span(n));
}

static void put_sts(struct json *j, const struct trust_sts_held *sts)
{
    bool held = sts->source != TRUST_STS_NOWHERE;
    json_open(j, "mta_sts", '{');
    json_str(j, "state", span_str(states[sts->state]));
    json_str(j, "id", sts->id[0] ? span_str(sts->id) : (struct span){NULL, 0});
    json_open(j, "mx", '[');
    for (size_t i = 0; held && i < sts->policy.count; i++) {
        CLEANUP(buf_free) struct buf b = BUF(512);
        const struct trust_sts_pattern *p = &sts->policy.mx[i];
        buf_printf(&b, "%s%s", p->wildcard ? "*." : "", p->name.text);
        json_str(j, NULL, buf_span(&b));
    }
    json_close(j, ']');
    if (held)
        json_int(j, "max_age", sts->policy.max_age);
    else
        json_none(j, "max_age");
    json_str(j, "source", held ? span_str(sources[sts->source]) : (struct span){NULL, 0});
    json_str(j, "error", sts->error);
    json_close(j, '}');
}

// IPv6 first. The order in which they are tried is that of the answer, which
// resolvers turn round; what was tried stands in the sessions.
static int by_address(const void *a, const void *b)
{
    const struct dns_address *x = a, *y = b;
    size_t len = x->v6 ? 16 : 4;
    return x->v6 == y->v6
               ? span_compare(span_first(SPAN_OF(x->at), len), span_first(SPAN_OF(y->at), len))
               : y->v6 - x->v6;
}

static void put_addresses(struct json *j, const struct trust_host *h)
{
    struct dns_address sorted[TRUST_ADDRESSES_MAX];
    size_t count = h->local ? 0 : h->address_count;
    for (size_t i = 0; i < count; i++)
        sorted[i] = h->addresses[i];
    qsort(sorted, count, sizeof *sorted, by_address);
    json_open(j, "addresses", '[');
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buf_free) struct buf b = BUF(64);
        dns_address_put(&b, &sorted[i]);
        json_str(j, NULL, buf_span(&b));
    }
    json_close(j, ']');
}

// `usable`: only those that go to the handshake.
static void put_tlsa(struct json *j, const char *key, const struct trust_host *h, bool usable)
{
    json_open(j, key, '[');
    for (size_t i = 0; i < h->tlsa_count; i++) {
        CLEANUP(buf_free) struct buf b = BUF(64 << 10);
        if (usable && !h->tlsa[i].usable)
            continue;
        trust_tlsa_put(&b, &h->tlsa[i]);
        json_str(j, NULL, buf_span(&b));
    }
    json_close(j, ']');
}

static void put_standing(struct json *j, const char *key, bool asked, enum dns_standing s)
{
    json_str(j, key, span_str(asked ? dns_standing_text(s) : "not-asked"));
}

static void put_checks(struct json *j, const struct trust_host *h)
{
    json_bool(j, "name_protected", h->name_protected);
    json_bool(j, "sts_testing", h->sts_testing);
    json_bool(j, "sts_mismatch", h->sts_mismatch);
    if (h->lmtp)
        json_bool(j, "lmtp", true);
    put_name(j, "tlsa_base", &h->tlsa_base);
    put_tlsa(j, "tlsa_usable", h, true);
    json_open(j, "names", '[');
    for (size_t i = 0; i < h->name_count; i++)
        put_name(j, NULL, &h->names[i]);
    json_close(j, ']');
}

static void put_host(struct json *j, const struct trust_host *h, struct span probe)
{
    json_open(j, NULL, '{');
    put_name(j, "name", &h->name);
    json_int(j, "preference", h->preference);
    json_bool(j, "implicit_mx", h->implicit_mx);
    json_int(j, "port", h->port);
    put_addresses(j, h);
    put_standing(j, "address_dnssec", h->addresses_asked, h->address_dnssec);
    put_standing(j, "tlsa_dnssec", h->tlsa_asked, h->tlsa_dnssec);
    put_tlsa(j, "tlsa", h, false);
    json_str(j, "requirement", span_str(trust_requirement_text(h->requirement)));
    json_str(j, "reason", h->reason);
    put_checks(j, h);
    if (probe.at)
        json_raw(j, "probe", probe);
    else
        json_none(j, "probe");
    json_close(j, '}');
}

void trust_plan_put_json_probed(struct buf *b, const struct trust_plan *plan,
                                const struct span *probes)
{
    struct json json = JSON(b), *j = &json;
    json_open(j, NULL, '{');
    put_name(j, "recipient_domain", &plan->domain);
    json_str(j, "decision", span_str(trust_decision_text(plan->decision)));
    json_str(j, "reason", plan->reason);
    json_str(j, "status", plan->status ? span_str(plan->status) : (struct span){NULL, 0});
    json_bool(j, "requiretls", plan->requiretls);
    put_standing(j, "mx_dnssec", plan->mx_asked, plan->mx_dnssec);
    put_sts(j, &plan->sts);
    json_open(j, "tlsrpt", '[');
    for (size_t i = 0; i < plan->tlsrpt_count; i++)
        json_str(j, NULL, plan->tlsrpt[i]);
    json_close(j, ']');
    json_open(j, "hosts", '[');
    for (size_t i = 0; i < plan->host_count; i++)
        put_host(j, &plan->hosts[i], probes ? probes[i] : (struct span){NULL, 0});
    json_close(j, ']');
    json_close(j, '}');
}

void trust_plan_put_json(struct buf *b, const struct trust_plan *plan)
{
    trust_plan_put_json_probed(b, plan, NULL);
}
