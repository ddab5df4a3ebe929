// Who signed a report that came by mail. What the receiver found out stands in the one field that
// only it writes, in the head of the message.
#include "proc_reporter.h"

#include "auth_from.h"
#include "auth_results.h"
#include "mail_mime.h"

#include <stdio.h>

enum { RESULTS_ARENA = 1 << 20 };

static const char not_judged[] = "its signature was not looked at when it came";
static const char not_signed[] = "it is not signed by who sent it";

static bool signers_of(struct span head, struct auth_signers *out)
{
    CLEANUP(arena_free) struct arena a = ARENA(RESULTS_ARENA);
    struct auth_results r;
    struct span value;
    *out = (struct auth_signers){0};
    if (!mail_field_find(head, SPAN("Authentication-Results"), &value) ||
        !auth_results_parse(&r, value, &a))
        return false;
    auth_results_signers(out, &r);
    return out->judged;
}

struct reporting { // whose report it is, by its own words
    struct dns_name submitter, from;
};

static struct reporting reporting_of(const struct report_taking *t)
{
    struct reporting who = {0};
    struct auth_from from;
    if (!dns_name_parse(&who.submitter, t->tls_submitter))
        who.submitter = (struct dns_name){0};
    auth_from_read(&from, &t->from, 1);
    if (from.problem == AUTH_FROM_OK)
        who.from = from.domain;
    return who;
}

// RFC 8460 §3: "by the reporting domain".
static const struct auth_signer *signer_for(const struct auth_signers *s,
                                            const struct reporting *who, enum report_kind kind)
{
    const struct auth_signer *found = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct auth_signer *one = &s->at[i];
        bool its = kind == REPORT_TLSRPT ? one->tlsrpt : one->mail;
        if (!auth_domains_related(&one->domain, &who->submitter) &&
            !auth_domains_related(&one->domain, &who->from))
            continue;
        if (its)
            return one;
        found = one;
    }
    return found;
}

static const char *refusal(const struct auth_signers *s, const struct auth_signer *signer)
{
    static char text[400];
    if (signer)
        return "The key that it is signed with is not for TLS reports (RFC 8460 section 3).";
    if (s->open)
        return "Its signature could not be verified when it came, for the key could not be looked "
               "up.";
    if (!s->count)
        return "It has no valid DKIM signature, as a TLS report by mail must have (RFC 8460 "
               "section 3).";
    snprintf(text, sizeof text,
             "It is signed by %s, which is not who reports, as it must be (RFC 8460 section 3).",
             s->at[0].domain.text);
    return text;
}

const char *reporter_signature(struct span head, const struct report_taking *t,
                               enum report_kind kind, const char **remark)
{
    struct auth_signers s;
    bool judged = signers_of(head, &s);
    struct reporting who = reporting_of(t);
    const struct auth_signer *signer = signer_for(&s, &who, kind);
    bool fits = signer && (kind == REPORT_TLSRPT ? signer->tlsrpt : signer->mail);
    *remark = !judged ? not_judged : !fits ? not_signed : NULL;
    return kind == REPORT_TLSRPT && judged && !fits ? refusal(&s, signer) : NULL;
}
