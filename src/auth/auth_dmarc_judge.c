#include "auth_dmarc_inner.h"

#include <string.h>

static void end(struct auth_dmarc *m, enum auth_result result)
{
    m->result.result = result;
    m->done = true;
    dmarc_reason(m);
}

static struct span top_label(const struct dns_name *n)
{
    const char *dot = strrchr(n->text, '.');
    return span_str(dot ? dot + 1 : n->text);
}

static bool is_at_or_below(const struct dns_name *n, const struct dns_name *ancestor)
{
    struct span s = dns_name_span(n), a = dns_name_span(ancestor);
    return span_ends(s, a) && (s.len == a.len || s.at[s.len - a.len - 1] == '.');
}

// --- Policy discovery, RFC 9989 §4.10.1

static void inherit(struct auth_dmarc *m, const struct auth_dmarc_walk *w)
{
    m->result.organization = w->organization;
    m->policy = w->own ? w->own : w->psd;
    m->result.policy_is_psd = !w->own;
}

static void policy_apply(struct auth_dmarc *m)
{
    struct auth_dmarc_result *r = &m->result;
    const struct auth_dmarc_record *record = &m->policy->record;
    bool inherited = !dns_name_eq(&m->policy->domain, &r->from.domain);
    r->policy_domain = m->policy->domain;
    if (!record->usable)
        return;
    r->found = true;
    r->record = record;
    r->applies = inherited ? AUTH_DMARC_SP : AUTH_DMARC_P;
    r->policy = inherited ? record->sp : record->p;
    // Whether the author domain exists matters for np only, and only where its
    // "_dmarc" name did not already show it.
    if (inherited && record->np != record->sp) {
        const struct auth_dmarc_lookup *own = auth_dmarc_table_get(&m->table, &r->from.domain);
        m->existence = own && own->nxdomain ? EXISTENCE_WANTED : EXISTENCE_YES;
    }
}

// True: settled, with `policy`, or `failed`, or neither where there is no record.
static bool policy_find(struct auth_dmarc *m)
{
    struct auth_dmarc_walk w;
    const struct auth_dmarc_lookup *own = auth_dmarc_table_get(&m->table, &m->result.from.domain);
    if (own->state == DMARC_FOUND) {
        m->policy = own;
        return true;
    }
    auth_dmarc_walk(&w, &m->table, &m->result.from.domain);
    if (w.state == DMARC_WALK_FAILED)
        m->failed = w.failed;
    else if (w.state == DMARC_WALK_DONE && w.found)
        inherit(m, &w);
    return w.state != DMARC_WALK_WAITS;
}

// --- Alignment, RFC 9989 §4.10.2

// Two domains have one Organizational Domain only if it stands above both, so a
// name beside the author's Organizational Domain needs no walk.
static enum dmarc_alignment align_relaxed(struct auth_dmarc *m, const struct dns_name *domain)
{
    const struct dns_name *from = &m->result.from.domain;
    struct auth_dmarc_walk w;
    if (!span_eq(top_label(domain), top_label(from)))
        return ALIGNMENT_NO;
    for (int i = 0; i < 2; i++) { // the author's walk, then the identifier's
        auth_dmarc_walk(&w, &m->table, i == 0 ? from : domain);
        if (w.state == DMARC_WALK_FAILED)
            m->failed = w.failed;
        if (w.state != DMARC_WALK_DONE)
            return w.state == DMARC_WALK_WAITS    ? ALIGNMENT_WAITS
                   : w.state == DMARC_WALK_FAILED ? ALIGNMENT_UNKNOWN
                                                  : ALIGNMENT_NO;
        if (i == 0)
            m->result.organization = w.organization;
        if (!is_at_or_below(domain, &m->result.organization))
            return ALIGNMENT_NO;
    }
    return dns_name_eq(&w.organization, &m->result.organization) ? ALIGNMENT_YES : ALIGNMENT_NO;
}

static enum dmarc_alignment align(struct auth_dmarc *m, const struct dmarc_identifier *k)
{
    const struct auth_dmarc_record *record = &m->policy->record;
    if (dns_name_eq(&k->domain, &m->result.from.domain))
        return ALIGNMENT_YES;
    if (k->spf ? record->aspf_strict : record->adkim_strict)
        return ALIGNMENT_NO;
    return align_relaxed(m, &k->domain);
}

// True: no walk is under way any more. A few walk at a time, in the order given,
// so that the first ones find room in the table whatever follows them.
static bool align_all(struct auth_dmarc *m)
{
    size_t under_way = 0;
    for (size_t i = 0; i < m->count && under_way < DMARC_WALKS_AT_ONCE; i++) {
        struct dmarc_identifier *k = &m->identifiers[i];
        if (k->alignment == ALIGNMENT_WAITS)
            k->alignment = align(m, k);
        under_way += k->alignment == ALIGNMENT_WAITS;
    }
    return under_way == 0;
}

// --- Verdict, RFC 9989 §5.3.5 and §5.3.6

static void count_aligned(struct auth_dmarc *m, bool *uncertain)
{
    struct auth_dmarc_result *r = &m->result;
    for (size_t i = 0; i < m->count; i++) {
        const struct dmarc_identifier *k = &m->identifiers[i];
        bool yes = k->alignment == ALIGNMENT_YES;
        if (k->result == AUTH_PASS && yes && k->spf)
            r->spf_aligned = true;
        else if (k->result == AUTH_PASS && yes)
            r->dkim[r->dkim_count++] = k->domain;
        else
            *uncertain = *uncertain || yes || k->alignment == ALIGNMENT_UNKNOWN;
    }
    r->dkim_aligned = r->dkim_count > 0;
}

static enum auth_dmarc_policy softened(const struct auth_dmarc_record *r, enum auth_dmarc_policy p)
{
    return r->testing && p != DMARC_NONE ? p - 1 : p; // §4.7 t: one level below
}

static void verdict_fail(struct auth_dmarc *m)
{
    struct auth_dmarc_result *r = &m->result;
    if (m->existence == EXISTENCE_NO) {
        r->applies = AUTH_DMARC_NP;
        r->policy = r->record->np;
    }
    r->disposition = softened(r->record, r->policy);
    end(m, AUTH_FAIL);
}

static void verdict(struct auth_dmarc *m)
{
    struct auth_dmarc_result *r = &m->result;
    bool uncertain = false;
    count_aligned(m, &uncertain);
    // §4.10.2: one domain for all, with a record of its own, is the Organizational Domain.
    if (dns_name_is_root(&r->organization) && (r->spf_aligned || r->dkim_aligned))
        r->organization = r->from.domain;
    if (r->spf_aligned || r->dkim_aligned)
        end(m, AUTH_PASS);
    else if (uncertain || m->existence == EXISTENCE_FAILED)
        end(m, AUTH_TEMPERROR);
    else
        verdict_fail(m);
}

void dmarc_judge(struct auth_dmarc *m)
{
    if (m->done || !m->from_given)
        return;
    if (m->result.from.problem == AUTH_FROM_OK && !m->policy) {
        if (!policy_find(m))
            return;
        if (m->policy)
            policy_apply(m);
    }
    if (!m->identifiers_given)
        return;
    if (m->result.from.problem != AUTH_FROM_OK)
        end(m, AUTH_PERMERROR);
    else if (!m->policy && m->failed)
        end(m, AUTH_TEMPERROR);
    else if (!m->result.found)
        end(m, AUTH_NONE);
    else if (align_all(m) && m->existence != EXISTENCE_WANTED && m->existence != EXISTENCE_ASKED)
        verdict(m);
}
