#include "auth_dmarc_inner.h"

static void put_policy(struct buf *b, const struct auth_dmarc_result *r)
{
    buf_printf(b, "the policy of %s (%s=%s%s)", r->policy_domain.text,
               auth_dmarc_tag_text(r->applies), auth_dmarc_policy_text(r->policy),
               r->record->testing ? "; t=y" : "");
}

static void put_pass(struct buf *b, const struct auth_dmarc *m)
{
    const char *between = "";
    unsigned several = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct dmarc_identifier *k = &m->identifiers[i];
        if (k->result != AUTH_PASS || k->alignment != ALIGNMENT_YES)
            continue;
        buf_printf(b, "%s%s of %s", between, k->spf ? "SPF" : "DKIM", k->domain.text);
        between = ", ";
        several++;
    }
    buf_printf(b, " vouch%s for %s", several == 1 ? "es" : "", m->result.from.domain.text);
}

static void put_none(struct buf *b, const struct auth_dmarc *m)
{
    if (m->policy)
        buf_printf(b, "the record of %s has no valid policy and no report address",
                   m->policy->domain.text);
    else
        buf_printf(b, "there is no DMARC record for %s", m->result.from.domain.text);
}

static void put_temperror(struct buf *b, const struct auth_dmarc *m)
{
    if (m->failed)
        buf_printf(b, "the DNS did not answer for %s", m->failed->owner.text);
    else if (m->existence == EXISTENCE_FAILED)
        buf_printf(b, "the DNS did not say whether %s exists", m->result.from.domain.text);
    else
        buf_printf(b, "SPF or DKIM of %s could not be checked now", m->result.from.domain.text);
}

static void put_fail(struct buf *b, const struct auth_dmarc *m)
{
    size_t passed = 0;
    for (size_t i = 0; i < m->count; i++)
        passed += m->identifiers[i].result == AUTH_PASS;
    buf_printf(b, "%s for %s; ",
               passed ? "neither SPF nor DKIM passed with a domain that is aligned"
                      : "neither SPF nor DKIM passed",
               m->result.from.domain.text);
    put_policy(b, &m->result);
    buf_printf(b, " asks for %s", auth_dmarc_policy_text(m->result.disposition));
}

// Domain names are printable ASCII, and nothing else foreign comes in here.
void dmarc_reason(struct auth_dmarc *m)
{
    CLEANUP(buf_free) struct buf b = BUF(16 << 10);
    switch (m->result.result) {
    case AUTH_PASS:
        put_pass(&b, m);
        break;
    case AUTH_NONE:
        put_none(&b, m);
        break;
    case AUTH_TEMPERROR:
        put_temperror(&b, m);
        break;
    case AUTH_FAIL:
        put_fail(&b, m);
        break;
    default:
        buf_printf(&b, "%s", auth_from_text(m->result.from.problem));
    }
    struct span text = span_first(buf_span(&b), sizeof m->result.reason - 1);
    if (!span_copy(m->result.reason, sizeof m->result.reason, text))
        panic("a reason with a NUL in it");
}
