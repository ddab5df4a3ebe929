#include "auth_spf_inner.h"

bool spf_is_within(const struct dns_name *name, const struct dns_name *domain)
{
    struct span n = dns_name_span(name), d = dns_name_span(domain);
    return span_eq(n, d) || (n.len > d.len && span_ends(n, d) && n.at[n.len - d.len - 1] == '.');
}

// "4.3.2.1.in-addr.arpa", "1.0.…0.2.ip6.arpa"
static bool reverse_name(const struct dns_address *a, struct dns_name *out)
{
    CLEANUP(buf_free) struct buf b = BUF(128);
    for (size_t i = a->v6 ? 16 : 4; i > 0; i--) {
        unsigned byte = a->at[i - 1];
        if (a->v6)
            buf_printf(&b, "%x.%x.", byte & 15, byte >> 4);
        else
            buf_printf(&b, "%u.", byte);
    }
    buf_put(&b, a->v6 ? SPAN("ip6.arpa") : SPAN("in-addr.arpa"));
    return dns_name_parse(out, buf_span(&b));
}

static bool has_client(const struct spf_run *run, const struct spf_answer *a)
{
    for (size_t i = 0; i < a->address_count; i++)
        if (dns_address_eq(&a->addresses[i], &run->spf->r.client))
            return true;
    return false;
}

enum spf_state spf_validated(struct spf_run *run, struct spf_names *out)
{
    struct auth_spf *s = run->spf;
    struct dns_name reverse;
    *out = (struct spf_names){0};
    if (!reverse_name(&s->r.client, &reverse))
        return SPF_NO_MATCH;
    const struct spf_answer *ptr = spf_ask(run, &reverse, DNS_PTR);
    if (!ptr)
        return s->full ? SPF_NO_MATCH : SPF_PENDING;
    bool pending = false;
    // RFC 7208 §4.6.4: what goes beyond ten names is ignored.
    for (size_t i = 0; i < ptr->name_count && i < AUTH_SPF_NAMES; i++) {
        const struct spf_answer *a =
            spf_ask(run, &ptr->names[i], s->r.client.v6 ? DNS_AAAA : DNS_A);
        pending = pending || !a;
        if (a && has_client(run, a)) // a lookup that failed: the name is skipped (§5.5)
            out->at[out->count++] = &ptr->names[i];
    }
    if (pending && !s->full)
        return SPF_PENDING;
    return out->count ? SPF_MATCH : SPF_NO_MATCH;
}
