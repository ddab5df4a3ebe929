// What the operator knows of a message that DMARC fails: who forwarded it, which
// list it came by. Evidence first: a list or a server is only believed to have
// handled a message where that is shown, not where the message says so.
#include "auth_message_inner.h"

static bool is_within(const struct dns_name *name, const struct dns_name *domain)
{
    struct span n = dns_name_span(name), d = dns_name_span(domain);
    return d.len > 0 && span_ends(n, d) &&
           (n.len == d.len || n.at[n.len - d.len - 1] == '.'); // both are lower case
}

static const struct dns_name *found(const struct auth_domains *list, const struct dns_name *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (is_within(name, &list->at[i]))
            return &list->at[i];
    return NULL;
}

// The list that SPF or a signature shows to have sent the message.
static const struct dns_name *list_of(const struct auth_message *m)
{
    const struct auth_domains *lists = &m->request.lists;
    const struct auth_spf_check *spf =
        m->spf ? &auth_spf_result(m->spf)->check[AUTH_SPF_MAIL_FROM] : NULL;
    const struct dns_name *list = NULL;
    if (spf && spf->result == AUTH_PASS)
        list = found(lists, &spf->domain);
    for (size_t i = 0; i < auth_dkim_count(m->dkim) && !list; i++) {
        const struct auth_dkim_result *r = auth_dkim_result(m->dkim, i);
        if (r->result == AUTH_PASS && r->named)
            list = found(lists, &r->signature.domain);
    }
    return list;
}

// The topmost results of the server that is believed: it put them there last.
void message_hear(struct auth_message *m, const struct auth_head *head)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct span id = m->request.believed;
    struct auth_results results;
    for (size_t i = 0; i < head->count && id.len; i++) {
        const struct auth_field *f = &head->at[i];
        if (span_ieq(f->name, SPAN("Authentication-Results")) &&
            auth_results_claim(f->value, id) == AUTH_CLAIM_OURS &&
            auth_results_parse(&results, f->value, &a) && results.version == 1 &&
            auth_results_hear(&m->heard, &results))
            return;
    }
}

static void forwarded(struct auth_message_result *r, struct auth_dmarc_facts *f, struct span by)
{
    r->forwarded = f->trusted_forwarder = true;
    f->detail = by;
}

void message_know(struct auth_message *m, struct auth_dmarc_facts *f)
{
    struct auth_message_result *r = &m->result;
    const struct dns_name *author = &r->dmarc->from.domain, *list = list_of(m);
    const struct auth_arc_hint *hint = &r->arc->hint;
    r->forwarded = f->trusted_forwarder;
    r->arc_vouches = r->arc->result == AUTH_PASS && hint->instance > 0 &&
                     auth_heard_vouches(&hint->heard, author);
    if (f->trusted_forwarder) {
        return;
    } else if (r->arc_vouches) {
        forwarded(r, f, dns_name_span(&r->arc->sets[hint->instance - 1].seal_domain));
    } else if (auth_heard_vouches(&m->heard, author)) {
        forwarded(r, f, m->request.believed);
    } else if (list) {
        r->forwarded = f->mailing_list = true;
        f->detail = dns_name_span(list);
    } else if (found(&m->request.exempt, author)) {
        f->local_allow = true;
        f->detail = dns_name_span(author);
    }
}
