// The words of the documents, a table each; index 0 is "not said".
#include "report_dmarc.h"
#include "report_tlsrpt.h"
#include "report_unpack.h"
#include "report_words.h"

static const char *const kinds[] = {"tlsrpt", "dmarc"};
static const char *const dialects[] = {"RFC 7489", "RFC 9990"};
static const char *const types[] = {"tlsa", "sts", "no-policy-found", "unknown"};
static const char *const results[] = {
#define X(name, text) text,
    REPORT_TLS_RESULT_TABLE(X)
#undef X
};
static const char *const policies[] = {NULL, "none", "quarantine", "reject"};
static const char *const dispositions[] = {NULL, "none", "pass", "quarantine", "reject"};
static const char *const alignments[] = {NULL, "r", "s"};
static const char *const yeses[] = {NULL, "n", "y"};
static const char *const discoveries[] = {NULL, "psl", "treewalk"};
static const char *const aligneds[] = {NULL, "pass", "fail"};
static const char *const auths[] = {NULL,     "none",    "pass",      "fail",     "softfail",
                                    "policy", "neutral", "temperror", "permerror"};
static const char *const scopes[] = {NULL, "mfrom", "helo"};
static const char *const overrides[] = {NULL,        "local_policy",     "mailing_list",
                                        "other",     "policy_test_mode", "trusted_forwarder",
                                        "forwarded", "sampled_out"};

unsigned report_word(const struct report_words *w, struct span s)
{
    for (unsigned i = 1; i < w->count; i++)
        if (span_ieq(span_str(w->at[i]), s))
            return i;
    return 0;
}

const char *report_kind_text(enum report_kind k)
{
    return kinds[k];
}

const char *report_dialect_text(enum report_dialect d)
{
    return dialects[d];
}

const char *report_tls_type_text(enum report_tls_type t)
{
    return types[t];
}

const char *report_tls_result_text(enum report_tls_result r)
{
    return results[r];
}

enum report_tls_result report_tls_result_of(struct span text)
{
    for (unsigned i = 0; i < REPORT_TLS_RESULT_OTHER; i++)
        if (span_ieq(span_str(results[i]), text))
            return i;
    return REPORT_TLS_RESULT_OTHER;
}

#define WORDS(name, table, values)                                                                 \
    _Static_assert(sizeof table / sizeof table[0] == (values), "a word for each value");           \
    const struct report_words report_words_##name = {table, values};                               \
    const char *report_##name##_text(enum report_##name v)                                         \
    {                                                                                              \
        return table[v];                                                                           \
    }                                                                                              \
    enum report_##name report_##name##_of(struct span s)                                           \
    {                                                                                              \
        return report_word(&report_words_##name, s);                                               \
    }

WORDS(policy, policies, REPORT_POLICIES)
WORDS(disposition, dispositions, REPORT_DISPOSITIONS)
WORDS(alignment, alignments, REPORT_ALIGNMENTS)
WORDS(yes, yeses, REPORT_YESES)
WORDS(discovery, discoveries, REPORT_DISCOVERIES)
WORDS(aligned, aligneds, REPORT_ALIGNEDS)
WORDS(auth, auths, REPORT_AUTHS)
WORDS(scope, scopes, REPORT_SCOPES)
WORDS(override, overrides, REPORT_OVERRIDES)
