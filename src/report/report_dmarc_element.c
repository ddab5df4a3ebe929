// The elements of both dialects as one table: where they stand, what they hold, where it goes.
#include "report_dmarc_reader.h"
#include "report_words.h"

enum form { INSIDE, LINE, DOMAIN, DATE, COUNT, ADDRESS, WORD, PERCENT, VERSION, SENDER, PASSED };

struct report_element {
    enum report_place in;
    const char *name;
    enum form form;
    enum report_place place; // INSIDE
    size_t at;               // of the value, in the reader
    const struct report_words *words;
    enum report_remark remark; // where a word is none, or is missing
    bool modern;               // occurs in RFC 9990 only
};

// What is read lies in the reader, or in the document it points to.
#define HERE(member) offsetof(struct report_dmarc_reader, member)
#define DOC(member)  (sizeof(struct report_dmarc_reader) + offsetof(struct report_dmarc, member))

static const struct report_element table[] = {
    {REPORT_IN_NOTHING, "feedback", INSIDE, REPORT_IN_FEEDBACK},
    {REPORT_IN_FEEDBACK, "version", VERSION},
    {REPORT_IN_FEEDBACK, "report_metadata", INSIDE, REPORT_IN_METADATA},
    {REPORT_IN_FEEDBACK, "policy_published", INSIDE, REPORT_IN_PUBLISHED},
    {REPORT_IN_FEEDBACK, "record", INSIDE, REPORT_IN_RECORD},
    {REPORT_IN_FEEDBACK, "extension", PASSED},
    {REPORT_IN_FEEDBACK, "extensions", PASSED},

    {REPORT_IN_METADATA, "org_name", LINE, 0, DOC(organization)},
    {REPORT_IN_METADATA, "email", LINE, 0, DOC(email)},
    {REPORT_IN_METADATA, "extra_contact_info", LINE, 0, DOC(extra_contact)},
    {REPORT_IN_METADATA, "report_id", LINE, 0, DOC(id)},
    {REPORT_IN_METADATA, "date_range", INSIDE, REPORT_IN_DATES},
    {REPORT_IN_METADATA, "error", LINE, 0, DOC(error)},
    {REPORT_IN_METADATA, "generator", LINE, 0, DOC(generator), .modern = true},
    {REPORT_IN_DATES, "begin", DATE, 0, DOC(begin)},
    {REPORT_IN_DATES, "end", DATE, 0, DOC(end)},

    {REPORT_IN_PUBLISHED, "domain", DOMAIN, 0, DOC(policy.domain)},
    {REPORT_IN_PUBLISHED, "version_published", PASSED},
    {REPORT_IN_PUBLISHED, "p", WORD, 0, DOC(policy.p), &report_words_policy,
     REPORT_REMARK_POLICY_VALUE},
    {REPORT_IN_PUBLISHED, "sp", WORD, 0, DOC(policy.sp), &report_words_policy,
     REPORT_REMARK_POLICY_VALUE},
    {REPORT_IN_PUBLISHED, "np", WORD, 0, DOC(policy.np), &report_words_policy,
     REPORT_REMARK_POLICY_VALUE, .modern = true},
    {REPORT_IN_PUBLISHED, "adkim", WORD, 0, DOC(policy.adkim), &report_words_alignment,
     REPORT_REMARK_POLICY_VALUE},
    {REPORT_IN_PUBLISHED, "aspf", WORD, 0, DOC(policy.aspf), &report_words_alignment,
     REPORT_REMARK_POLICY_VALUE},
    {REPORT_IN_PUBLISHED, "testing", WORD, 0, DOC(policy.testing), &report_words_yes,
     REPORT_REMARK_POLICY_VALUE, .modern = true},
    {REPORT_IN_PUBLISHED, "discovery_method", WORD, 0, DOC(policy.discovery),
     &report_words_discovery, REPORT_REMARK_POLICY_VALUE, .modern = true},
    {REPORT_IN_PUBLISHED, "pct", PERCENT},
    {REPORT_IN_PUBLISHED, "fo", LINE, 0, DOC(policy.fo)},

    {REPORT_IN_RECORD, "row", INSIDE, REPORT_IN_ROW},
    {REPORT_IN_RECORD, "identifiers", INSIDE, REPORT_IN_IDENTIFIERS},
    {REPORT_IN_RECORD, "identities", INSIDE, REPORT_IN_IDENTIFIERS}, // of the drafts
    {REPORT_IN_RECORD, "auth_results", INSIDE, REPORT_IN_RESULTS},
    {REPORT_IN_RECORD, "extensions", PASSED},
    {REPORT_IN_ROW, "source_ip", ADDRESS},
    {REPORT_IN_ROW, "count", COUNT},
    {REPORT_IN_ROW, "policy_evaluated", INSIDE, REPORT_IN_EVALUATED},
    {REPORT_IN_EVALUATED, "disposition", WORD, 0, HERE(record.disposition),
     &report_words_disposition, REPORT_REMARK_DISPOSITION_VALUE},
    {REPORT_IN_EVALUATED, "dkim", WORD, 0, HERE(record.dkim_aligned), &report_words_aligned,
     REPORT_REMARK_RESULT_VALUE},
    {REPORT_IN_EVALUATED, "spf", WORD, 0, HERE(record.spf_aligned), &report_words_aligned,
     REPORT_REMARK_RESULT_VALUE},
    {REPORT_IN_EVALUATED, "reason", INSIDE, REPORT_IN_REASON},
    {REPORT_IN_REASON, "type", WORD, 0, HERE(reason.type), &report_words_override,
     REPORT_REMARK_REASON_VALUE},
    {REPORT_IN_REASON, "comment", LINE, 0, HERE(reason.comment)},
    {REPORT_IN_IDENTIFIERS, "header_from", DOMAIN, 0, HERE(record.header_from)},
    {REPORT_IN_IDENTIFIERS, "envelope_from", SENDER, 0, HERE(record.envelope_from)},
    {REPORT_IN_IDENTIFIERS, "envelope_to", DOMAIN, 0, HERE(record.envelope_to)},

    {REPORT_IN_RESULTS, "dkim", INSIDE, REPORT_IN_DKIM},
    {REPORT_IN_RESULTS, "spf", INSIDE, REPORT_IN_SPF},
    {REPORT_IN_DKIM, "domain", DOMAIN, 0, HERE(dkim.domain)},
    {REPORT_IN_DKIM, "selector", LINE, 0, HERE(dkim.selector)},
    {REPORT_IN_DKIM, "result", WORD, 0, HERE(dkim.result), &report_words_auth,
     REPORT_REMARK_RESULT_VALUE},
    {REPORT_IN_DKIM, "human_result", LINE, 0, HERE(dkim.human)},
    {REPORT_IN_SPF, "domain", DOMAIN, 0, HERE(spf.domain)},
    {REPORT_IN_SPF, "scope", WORD, 0, HERE(spf.scope), &report_words_scope,
     REPORT_REMARK_RESULT_VALUE},
    {REPORT_IN_SPF, "result", WORD, 0, HERE(spf.result), &report_words_auth,
     REPORT_REMARK_RESULT_VALUE},
    {REPORT_IN_SPF, "human_result", LINE, 0, HERE(spf.human)},
};

const struct report_element *report_element_find(enum report_place place, struct span name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].in == place && span_eq(name, span_str(table[i].name)))
            return &table[i];
    return NULL;
}

enum report_place report_element_place(const struct report_element *e)
{
    return e->form == INSIDE ? e->place : e->form == PASSED ? REPORT_IN_UNKNOWN : REPORT_IN_NOTHING;
}

static void *place_of(struct report_dmarc_reader *r, const struct report_element *e)
{
    return e->at < sizeof *r ? (char *)r + e->at : (char *)r->out + (e->at - sizeof *r);
}

// Words of drafts, of other documents and of careless programs.
static struct span word_usual(struct span s)
{
    static const struct {
        const char *word, *usual;
    } words[] = {{"hardfail", "fail"},     {"temp_error", "temperror"},
                 {"error", "temperror"},   {"perm_error", "permerror"},
                 {"unknown", "permerror"}, {"relaxed", "r"},
                 {"strict", "s"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (span_ieq(s, span_str(words[i].word)))
            return span_str(words[i].usual);
    return s;
}

static void word_set(struct report_dmarc_reader *r, const struct report_element *e,
                     struct span text)
{
    struct span usual = word_usual(text);
    unsigned v = report_word(e->words, usual);
    bool missing = !text.len && e->remark == REPORT_REMARK_RESULT_VALUE;
    *(unsigned *)place_of(r, e) = v;
    if (missing)
        return; // remarked when the record is whole
    if (!v || !span_ieq(usual, text))
        report_remark(r->notes, e->remark, text);
    else if (!span_eq(text, span_str(e->words->at[v])))
        report_remark(r->notes, REPORT_REMARK_UPPER_CASE, text);
}

static void date_set(struct report_dmarc_reader *r, const struct report_element *e,
                     struct span text)
{
    struct wall *when = place_of(r, e);
    bool *given = when == &r->out->begin ? &r->begin_given : &r->end_given;
    uint64_t n;
    if (span_number(text, 99999999999, &n)) {
        when->us = SECONDS((int64_t)n);
        *given = true;
        return;
    }
    report_remark(r->notes, REPORT_REMARK_DATE_FORM, text);
    struct span whole = span_first(text, span_index(text, '.'));
    if (span_number(whole, 99999999999, &n) ||
        (span_number(whole, INT64_MAX / 1000, &n) && (n /= 1000)))
        when->us = SECONDS((int64_t)n);
    else if (!time_parse_iso(when, text))
        return;
    *given = true;
}

static void count_set(struct report_dmarc_reader *r, struct span text)
{
    uint64_t n = 0;
    r->count_given = true;
    if (span_number(text, UINT64_C(1) << 53, &r->record.count))
        return;
    report_remark(r->notes, REPORT_REMARK_COUNT_FORM, text);
    if (span_number(span_first(text, span_index(text, '.')), UINT64_C(1) << 53, &n))
        r->record.count = n;
}

static void address_set(struct report_dmarc_reader *r, struct span text)
{
    r->record.source_given = dns_address_parse(&r->record.source, text);
    if (!r->record.source_given && text.len)
        report_remark(r->notes, REPORT_REMARK_NOT_ADDRESS, text);
}

static void percent_set(struct report_dmarc_reader *r, struct span text)
{
    uint64_t n;
    r->out->policy.pct_given = span_number(text, 100, &n);
    if (r->out->policy.pct_given)
        r->out->policy.pct = (uint8_t)n;
    else
        report_remark(r->notes, REPORT_REMARK_POLICY_VALUE, text);
}

static bool sender_set(struct report_dmarc_reader *r, const struct report_element *e,
                       struct span text)
{
    struct span *to = place_of(r, e);
    r->record.null_sender = !text.len || span_eq(text, SPAN("<>"));
    *to = r->record.null_sender ? SPAN("") : report_intern_domain(&r->texts, text);
    return to->at;
}

static bool text_set(struct report_dmarc_reader *r, const struct report_element *e,
                     struct span text)
{
    struct span *to = place_of(r, e);
    *to = e->form == DOMAIN ? report_intern_domain(&r->texts, text)
                            : report_intern_line(&r->texts, text);
    return to->at;
}

bool report_element_set(struct report_dmarc_reader *r, const struct report_element *e,
                        struct span text)
{
    r->modern = r->modern || e->modern;
    switch (e->form) {
    case LINE:
    case DOMAIN:
        return text_set(r, e, text);
    case SENDER:
        return sender_set(r, e, text);
    case WORD:
        word_set(r, e, text);
        break;
    case DATE:
        date_set(r, e, text);
        break;
    case COUNT:
        count_set(r, text);
        break;
    case ADDRESS:
        address_set(r, text);
        break;
    case PERCENT:
        percent_set(r, text);
        break;
    case VERSION: // RFC 9990: 1.0
        if (!span_eq(text, SPAN("1.0")) && !span_eq(text, SPAN("1")))
            report_remark(r->notes, REPORT_REMARK_VERSION, text);
        break;
    case INSIDE:
    case PASSED:
        break;
    }
    return true;
}
