#include "auth_spf_inner.h"

static bool same_network(const struct dns_address *a, const struct dns_address *b, unsigned prefix)
{
    if (a->v6 != b->v6)
        return false;
    for (size_t i = 0; prefix > 0; i++) {
        unsigned bits = prefix < 8 ? prefix : 8;
        unsigned mask = 0xff00u >> bits & 0xffu;
        if ((a->at[i] & mask) != (b->at[i] & mask))
            return false;
        prefix -= bits;
    }
    return true;
}

static unsigned prefix_of(const struct spf_run *run, const struct auth_spf_term *t)
{
    return run->spf->r.client.v6 ? t->prefix6 : t->prefix4;
}

static bool has_network(const struct spf_run *run, const struct auth_spf_term *t,
                        const struct spf_answer *a)
{
    for (size_t i = 0; i < a->address_count; i++)
        if (same_network(&a->addresses[i], &run->spf->r.client, prefix_of(run, t)))
            return true;
    return false;
}

static enum dns_type address_type(const struct spf_run *run)
{
    return run->spf->r.client.v6 ? DNS_AAAA : DNS_A;
}

static enum spf_state void_limit(struct spf_run *run)
{
    return spf_error(run, AUTH_PERMERROR, "too many lookups found nothing");
}

static enum spf_state match_all(struct spf_run *run, const struct auth_spf_term *t,
                                const struct dns_name *target)
{
    (void)run, (void)t, (void)target;
    return SPF_MATCH;
}

static enum spf_state match_network(struct spf_run *run, const struct auth_spf_term *t,
                                    const struct dns_name *target)
{
    (void)target;
    return same_network(&t->network, &run->spf->r.client, prefix_of(run, t)) ? SPF_MATCH
                                                                             : SPF_NO_MATCH;
}

static enum spf_state match_a(struct spf_run *run, const struct auth_spf_term *t,
                              const struct dns_name *target)
{
    enum spf_state state;
    const struct spf_answer *a = spf_lookup(run, target, address_type(run), &state);
    if (!a)
        return state;
    if (!spf_count_void(run, a))
        return void_limit(run);
    return has_network(run, t, a) ? SPF_MATCH : SPF_NO_MATCH;
}

static enum spf_state match_exists(struct spf_run *run, const struct auth_spf_term *t,
                                   const struct dns_name *target)
{
    (void)t;
    enum spf_state state;
    const struct spf_answer *a = spf_lookup(run, target, DNS_A, &state); // §5.7: A, always
    if (!a)
        return state;
    if (!spf_count_void(run, a))
        return void_limit(run);
    return a->address_count ? SPF_MATCH : SPF_NO_MATCH;
}

// All hosts are asked for at once. One that matches decides, whatever became of
// the others; then a failure, then the void lookups.
static enum spf_state match_mx_hosts(struct spf_run *run, const struct auth_spf_term *t,
                                     const struct spf_answer *mx)
{
    const struct spf_answer *failed = NULL;
    bool pending = false, match = false, voids_left = true;
    for (size_t i = 0; i < mx->name_count; i++) {
        if (dns_name_is_root(&mx->names[i])) // null MX (RFC 7505)
            continue;
        const struct spf_answer *a = spf_ask(run, &mx->names[i], address_type(run));
        pending = pending || !a;
        if (!a)
            continue;
        match = match || has_network(run, t, a);
        if (a->presence == DNS_NO_ANSWER)
            failed = failed ? failed : a;
        else
            voids_left = spf_count_void(run, a) && voids_left;
    }
    if (pending)
        return run->spf->full ? spf_error(run, AUTH_TEMPERROR, "out of memory") : SPF_PENDING;
    if (match)
        return SPF_MATCH;
    if (failed)
        return spf_failed(run, failed);
    return voids_left ? SPF_NO_MATCH : void_limit(run);
}

static enum spf_state match_mx(struct spf_run *run, const struct auth_spf_term *t,
                               const struct dns_name *target)
{
    enum spf_state state;
    const struct spf_answer *mx = spf_lookup(run, target, DNS_MX, &state);
    if (!mx)
        return state;
    if (!spf_count_void(run, mx))
        return void_limit(run);
    if (mx->count > AUTH_SPF_NAMES) // §4.6.4
        return spf_error(run, AUTH_PERMERROR, "there are more than 10 MX records");
    return match_mx_hosts(run, t, mx);
}

static enum spf_state match_ptr(struct spf_run *run, const struct auth_spf_term *t,
                                const struct dns_name *target)
{
    (void)t;
    struct spf_names names;
    enum spf_state state = spf_validated(run, &names);
    if (state != SPF_MATCH)
        return state;
    for (size_t i = 0; i < names.count; i++)
        if (spf_is_within(names.at[i], target))
            return SPF_MATCH;
    return SPF_NO_MATCH;
}

enum spf_state spf_mechanism(struct spf_run *run, const struct auth_spf_term *t,
                             const struct dns_name *target)
{
    static enum spf_state (*const matches[AUTH_SPF_KINDS])(
        struct spf_run *, const struct auth_spf_term *, const struct dns_name *) = {
        [AUTH_SPF_ALL] = match_all,       [AUTH_SPF_A] = match_a,
        [AUTH_SPF_MX] = match_mx,         [AUTH_SPF_PTR] = match_ptr,
        [AUTH_SPF_IP4] = match_network,   [AUTH_SPF_IP6] = match_network,
        [AUTH_SPF_EXISTS] = match_exists,
    };
    return matches[t->kind] ? matches[t->kind](run, t, target) : SPF_NO_MATCH;
}
