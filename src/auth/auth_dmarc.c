#include "auth_dmarc_inner.h"

#include <stdlib.h>

enum {
    EXISTENCE_TICKET = DMARC_LOOKUPS_MAX,
    // Records of all names at their largest, with what is made of them.
    TABLE_ARENA = DMARC_LOOKUPS_MAX * (4 * DMARC_RECORD_MAX)
};

const char *auth_dmarc_tag_text(enum auth_dmarc_tag t)
{
    static const char *const texts[] = {
        [AUTH_DMARC_P] = "p", [AUTH_DMARC_SP] = "sp", [AUTH_DMARC_NP] = "np"};
    return texts[t];
}

struct auth_dmarc *auth_dmarc_new(void)
{
    struct auth_dmarc *m = mem_new(sizeof *m);
    m->table.arena = ARENA(TABLE_ARENA);
    return m;
}

void auth_dmarc_free(struct auth_dmarc **m)
{
    if (!*m)
        return;
    auth_dmarc_table_free(&(*m)->table);
    free(*m);
    *m = NULL;
}

void auth_dmarc_author(struct auth_dmarc *m, const struct auth_from *from)
{
    if (m->from_given)
        panic("the From field is given once");
    m->from_given = true;
    m->result.from = *from;
    dmarc_judge(m);
}

void auth_dmarc_from(struct auth_dmarc *m, const struct span *fields, size_t count)
{
    struct auth_from from;
    auth_from_read(&from, fields, count);
    auth_dmarc_author(m, &from);
}

static bool is_known(const struct auth_dmarc *m, bool spf, enum auth_result result,
                     const struct dns_name *domain)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct dmarc_identifier *k = &m->identifiers[i];
        if (k->spf == spf && k->result == result && dns_name_eq(&k->domain, domain))
            return true;
    }
    return false;
}

// A mechanism that could not be carried out matters as far as it would have
// counted: RFC 9989 §5.3.6.
static void add_identifier(struct auth_dmarc *m, bool spf, enum auth_result result,
                           const struct dns_name *domain)
{
    if ((result != AUTH_PASS && result != AUTH_TEMPERROR) || dns_name_is_root(domain) ||
        m->count == DMARC_IDENTIFIERS_MAX || is_known(m, spf, result, domain))
        return;
    m->identifiers[m->count++] =
        (struct dmarc_identifier){.spf = spf, .result = result, .domain = *domain};
}

void auth_dmarc_identifiers(struct auth_dmarc *m, const struct auth_dmarc_spf *spf,
                            const struct auth_dmarc_dkim *dkim, size_t count)
{
    if (m->identifiers_given)
        panic("the identifiers are given once");
    m->identifiers_given = true;
    if (spf && spf->mail_from)
        add_identifier(m, true, spf->result, &spf->domain);
    for (size_t i = 0; i < count; i++) // passes first: they must not fall off the end
        if (dkim[i].result == AUTH_PASS)
            add_identifier(m, false, AUTH_PASS, &dkim[i].domain);
    for (size_t i = 0; i < count; i++)
        if (dkim[i].result != AUTH_PASS)
            add_identifier(m, false, dkim[i].result, &dkim[i].domain);
    dmarc_judge(m);
}

static void ask(struct auth_step *out, unsigned ticket, const struct dns_name *name,
                enum dns_type type)
{
    *out = (struct auth_step){AUTH_ASK_DNS, ticket, {*name, type}};
}

void auth_dmarc_next(struct auth_dmarc *m, struct auth_step *out)
{
    *out = (struct auth_step){.kind = m->done ? AUTH_DONE : AUTH_WAIT};
    if (m->done)
        return;
    const struct auth_dmarc_lookup *l = auth_dmarc_table_next(&m->table);
    if (l) {
        ask(out, (unsigned)(l - m->table.at), &l->owner, DNS_TXT);
    } else if (m->existence == EXISTENCE_WANTED) { // any type would do: RFC 9989 §3.2.13
        m->existence = EXISTENCE_ASKED;
        ask(out, EXISTENCE_TICKET, &m->result.from.domain, DNS_A);
    }
}

static enum dmarc_existence existence(const struct dns_answer *a)
{
    if (a->presence == DNS_NO_ANSWER)
        return EXISTENCE_FAILED;
    return a->presence == DNS_NXDOMAIN && !a->aliased ? EXISTENCE_NO : EXISTENCE_YES;
}

void auth_dmarc_answer(struct auth_dmarc *m, unsigned ticket, const struct dns_answer *a)
{
    if (m->done)
        return;
    if (ticket == EXISTENCE_TICKET && m->existence == EXISTENCE_ASKED)
        m->existence = existence(a);
    else if (ticket < m->table.count && m->table.at[ticket].state == DMARC_ASKED)
        auth_dmarc_table_answer(&m->table, &m->table.at[ticket], a);
    else
        return;
    dmarc_judge(m);
}

const struct auth_dmarc_result *auth_dmarc_result(const struct auth_dmarc *m)
{
    return m->done ? &m->result : NULL;
}
