// A TLS report of others (RFC 8460 §4.4), from JSON that may be anything. jansson builds a tree, so
// what that tree can cost is counted before.
#include "report_tlsrpt.h"

#include "report_jansson.h"
#include "report_utf8.h"

enum { DEPTH_MAX = 16, TOKENS_MAX = 600000, LINE_MAX = 1000, POLICY_LINE_MAX = 4096 };

struct reader {
    struct arena *arena;
    struct report_notes *notes;
    size_t details_left;
    bool full;
};

static void tree_free(json_t **tree)
{
    json_decref(*tree);
}

// --- Before the tree: how deep, how many values.

static size_t string_length(struct span s) // with both quotes
{
    size_t i = 1;
    while (i < s.len && s.at[i] != '"')
        i += s.at[i] == '\\' ? 2 : 1;
    return i < s.len ? i + 1 : s.len;
}

static struct rc json_measure(struct span s, struct report_notes *notes)
{
    size_t depth = 0, tokens = 0;
    while (s.len) {
        char c = s.at[0];
        depth += c == '{' || c == '[';
        depth -= (c == '}' || c == ']') && depth;
        tokens += c == ',' || c == ':' || c == '{' || c == '[';
        if (depth > DEPTH_MAX)
            return report_malformed(notes, "The JSON is nested deeper than any report.");
        if (tokens > TOKENS_MAX)
            return report_too_large(notes, "The JSON has more than %d values.", TOKENS_MAX);
        s = span_skip(s, c == '"' ? string_length(s) : 1);
    }
    return RC(OK);
}

// --- Values, each liberal in its own way.

static struct span kept(struct reader *r, struct span s)
{
    r->full = r->full || !s.at;
    return s;
}

// NULL where it is absent or null; null is remarked.
static json_t *value_of(struct reader *r, json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    if (json_is_null(v))
        report_remark(r->notes, REPORT_REMARK_NULL_FIELD, span_str(key));
    return json_is_null(v) ? NULL : v;
}

static void wrong_type(struct reader *r, const char *key)
{
    report_remark(r->notes, REPORT_REMARK_WRONG_TYPE, span_str(key));
}

static struct span string_of(json_t *v)
{
    return (struct span){json_string_value(v), json_string_length(v)};
}

static struct span raw_text(struct reader *r, json_t *object, const char *key)
{
    json_t *v = value_of(r, object, key);
    if (v && !json_is_string(v))
        wrong_type(r, key);
    return json_is_string(v) ? string_of(v) : SPAN("");
}

static struct span text_of(struct reader *r, json_t *object, const char *key)
{
    return kept(r, report_line(r->arena, raw_text(r, object, key), LINE_MAX, r->notes));
}

static struct span domain_of(struct reader *r, json_t *object, const char *key)
{
    return kept(r, report_domain(r->arena, raw_text(r, object, key), r->notes));
}

static void address_of(struct reader *r, json_t *object, const char *key,
                       struct report_tls_address *out)
{
    struct span text = span_trim(raw_text(r, object, key));
    if (!text.len)
        return;
    if (span_starts(text, SPAN("[")) && span_ends(text, SPAN("]")))
        text = span_first(span_skip(text, 1), text.len - 2);
    out->given = dns_address_parse(&out->at, text);
    if (!out->given)
        report_remark(r->notes, REPORT_REMARK_NOT_ADDRESS, text);
}

static bool loose_count(json_t *v, uint64_t *out)
{
    if (json_is_string(v))
        return span_number(span_trim(string_of(v)), INT64_MAX, out);
    double real = json_is_real(v) ? json_real_value(v) : -1;
    if (real < 0 || real > 9e15)
        return false;
    *out = (uint64_t)real;
    return true;
}

static uint64_t count_of(struct reader *r, json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    uint64_t n = 0;
    if (json_is_integer(v) && json_integer_value(v) >= 0)
        return (uint64_t)json_integer_value(v);
    if (!v || json_is_null(v)) {
        report_remark(r->notes, REPORT_REMARK_NO_COUNT, span_str(key));
        return 0;
    }
    report_remark(r->notes, REPORT_REMARK_COUNT_FORM, span_str(key));
    return loose_count(v, &n) ? n : 0;
}

static void unknown_look(struct reader *r, json_t *object, const char *const *known)
{
    const char *key;
    json_t *v;
    json_object_foreach(object, key, v)
    {
        size_t i = 0;
        while (known[i] && !span_eq(span_str(known[i]), span_str(key)))
            i++;
        if (!known[i])
            report_remark(r->notes, REPORT_REMARK_UNKNOWN_FIELD, span_str(key));
    }
}

// A list, or the single thing that stands for it: its elements by number.
static size_t list_count(struct reader *r, json_t *v, const char *key, size_t max)
{
    if (!v)
        return 0;
    size_t count = json_is_array(v) ? json_array_size(v) : 1;
    if (!json_is_array(v))
        report_remark(r->notes, REPORT_REMARK_SINGLE_FOR_LIST, span_str(key));
    if (count > max)
        report_remark(r->notes, REPORT_REMARK_TOO_MANY, span_str(key));
    return count < max ? count : max;
}

static json_t *list_at(json_t *v, size_t i)
{
    return json_is_array(v) ? json_array_get(v, i) : v;
}

static void *table(struct reader *r, size_t count, size_t size)
{
    void *p = count ? arena_alloc(r->arena, count * size) : NULL;
    r->full = r->full || (count && !p);
    return p;
}

static void strings_of(struct reader *r, json_t *object, const char *key, struct span **out,
                       size_t *count)
{
    json_t *v = value_of(r, object, key);
    size_t max = list_count(r, v, key, REPORT_TLS_STRINGS_MAX);
    *out = table(r, max, sizeof **out);
    for (size_t i = 0; *out && i < max; i++) {
        json_t *each = list_at(v, i);
        if (json_is_string(each))
            (*out)[(*count)++] =
                kept(r, report_line(r->arena, string_of(each), POLICY_LINE_MAX, r->notes));
        else
            wrong_type(r, key);
    }
}

// --- The document, inside out.

static void result_of(struct reader *r, json_t *object, struct report_tls_failure *out)
{
    struct span text = text_of(r, object, "result-type");
    out->result = report_tls_result_of(text);
    if (out->result == REPORT_TLS_RESULT_OTHER) {
        out->result_text = text;
        report_remark(r->notes, REPORT_REMARK_RESULT_TYPE, text);
    }
}

static void failure_read(struct reader *r, json_t *object, struct report_tls_failure *out)
{
    static const char *const known[] = {"result-type",
                                        "sending-mta-ip",
                                        "receiving-mx-hostname",
                                        "receiving-mx-helo",
                                        "receiving-ip",
                                        "failed-session-count",
                                        "additional-information",
                                        "failure-reason-code",
                                        NULL};
    unknown_look(r, object, known);
    result_of(r, object, out);
    address_of(r, object, "sending-mta-ip", &out->sending_ip);
    address_of(r, object, "receiving-ip", &out->receiving_ip);
    out->mx_hostname = domain_of(r, object, "receiving-mx-hostname");
    out->mx_helo = text_of(r, object, "receiving-mx-helo");
    out->information = text_of(r, object, "additional-information");
    out->reason_code = text_of(r, object, "failure-reason-code");
    out->count = count_of(r, object, "failed-session-count");
    if (!json_object_get(object, "sending-mta-ip"))
        report_remark(r->notes, REPORT_REMARK_SENDING_IP_MISSING, SPAN(""));
    if (!out->mx_hostname.len)
        report_remark(r->notes, REPORT_REMARK_MX_HOSTNAME_MISSING, SPAN(""));
}

static void failures_read(struct reader *r, json_t *entry, struct report_tls_policy *p)
{
    json_t *list = value_of(r, entry, "failure-details");
    size_t count = list_count(r, list, "failure-details", r->details_left);
    uint64_t sum = 0;
    p->details = table(r, count, sizeof *p->details);
    for (size_t i = 0; p->details && !r->full && i < count; i++) {
        json_t *each = list_at(list, i);
        if (!json_is_object(each)) {
            wrong_type(r, "failure-details");
            continue;
        }
        struct report_tls_failure *f = &p->details[p->detail_count++];
        failure_read(r, each, f);
        sum = sum + f->count < sum ? UINT64_MAX : sum + f->count;
    }
    r->details_left -= count;
    if (sum < p->failures)
        report_remark(r->notes, REPORT_REMARK_COUNT_SUM, p->domain);
}

static void type_of(struct reader *r, json_t *policy, struct report_tls_policy *out)
{
    struct span text = text_of(r, policy, "policy-type");
    out->type = REPORT_TLS_TYPE_OTHER;
    for (unsigned i = 0; i < REPORT_TLS_TYPE_OTHER; i++)
        if (span_ieq(text, span_str(report_tls_type_text(i))))
            out->type = i;
    if (out->type == REPORT_TLS_TYPE_OTHER) {
        out->type_text = text;
        report_remark(r->notes, REPORT_REMARK_POLICY_TYPE, text);
    }
}

static void policy_read(struct reader *r, json_t *policy, struct report_tls_policy *out)
{
    static const char *const known[] = {"policy-type", "policy-string",   "policy-domain",
                                        "mx-host",     "mx-host-pattern", NULL};
    unknown_look(r, policy, known);
    type_of(r, policy, out);
    strings_of(r, policy, "policy-string", &out->strings, &out->string_count);
    // RFC 8460 calls it mx-host in its schema and mx-host-pattern in its text.
    const char *mx = json_object_get(policy, "mx-host") ? "mx-host" : "mx-host-pattern";
    if (json_is_string(json_object_get(policy, mx))) // as in the RFC's example (appendix B)
        json_object_set_new(policy, mx, json_pack("[O]", json_object_get(policy, mx)));
    strings_of(r, policy, mx, &out->mx, &out->mx_count);
    out->domain = domain_of(r, policy, "policy-domain");
    if (!out->domain.len)
        report_remark(r->notes, REPORT_REMARK_POLICY_DOMAIN_MISSING, SPAN(""));
}

static void summary_read(struct reader *r, json_t *entry, struct report_tls_policy *out)
{
    static const char *const known[] = {"total-successful-session-count",
                                        "total-failure-session-count", NULL};
    json_t *summary = value_of(r, entry, "summary");
    if (!json_is_object(summary)) {
        report_remark(r->notes, REPORT_REMARK_SUMMARY_MISSING, SPAN(""));
        return;
    }
    unknown_look(r, summary, known);
    out->successes = count_of(r, summary, known[0]);
    out->failures = count_of(r, summary, known[1]);
}

static void entry_read(struct reader *r, json_t *entry, struct report_tls_policy *out)
{
    static const char *const known[] = {"policy", "summary", "failure-details", NULL};
    json_t *policy = value_of(r, entry, "policy");
    unknown_look(r, entry, known);
    out->type = REPORT_TLS_TYPE_OTHER;
    if (json_is_object(policy))
        policy_read(r, policy, out);
    else
        report_remark(r->notes, REPORT_REMARK_POLICY_MISSING, SPAN(""));
    summary_read(r, entry, out);
    failures_read(r, entry, out);
}

static void policies_read(struct reader *r, json_t *list, struct report_tlsrpt *out)
{
    size_t count = list_count(r, list, "policies", REPORT_TLS_POLICIES_MAX);
    out->policies = table(r, count, sizeof *out->policies);
    for (size_t i = 0; out->policies && !r->full && i < count; i++)
        if (json_is_object(list_at(list, i)))
            entry_read(r, list_at(list, i), &out->policies[out->policy_count++]);
        else
            wrong_type(r, "policies");
    if (!out->policy_count)
        report_remark(r->notes, REPORT_REMARK_NO_POLICIES, SPAN(""));
}

static bool date_of(struct reader *r, json_t *range, const char *key, struct wall *out)
{
    json_t *v = value_of(r, range, key);
    uint64_t n;
    if (json_is_string(v) && time_parse_iso(out, span_trim(string_of(v))))
        return true;
    report_remark(r->notes, REPORT_REMARK_DATE_FORM, json_is_string(v) ? string_of(v) : SPAN(""));
    if (json_is_integer(v) && json_integer_value(v) >= 0)
        n = (uint64_t)json_integer_value(v);
    else if (!json_is_string(v) || !span_number(string_of(v), INT64_MAX, &n))
        return false;
    if (n > UINT32_MAX * UINT64_C(8))
        return false;
    out->us = SECONDS((int64_t)n);
    return true;
}

static struct rc dates_read(struct reader *r, json_t *root, struct report_tlsrpt *out)
{
    json_t *range = value_of(r, root, "date-range");
    if (!json_is_object(range) || !date_of(r, range, "start-datetime", &out->begin))
        return report_malformed(r->notes, "The report does not say which day it is about.");
    if (!date_of(r, range, "end-datetime", &out->end))
        out->end.us = out->begin.us + SECONDS(86399);
    if (out->end.us < out->begin.us) {
        report_remark(r->notes, REPORT_REMARK_DATES_TURNED, SPAN(""));
        out->end = out->begin;
    }
    return RC(OK);
}

static struct rc root_read(struct reader *r, json_t *root, struct report_tlsrpt *out)
{
    static const char *const known[] = {"organization-name", "date-range", "contact-info",
                                        "report-id",         "policies",   NULL};
    json_t *policies = json_is_object(root) ? json_object_get(root, "policies") : NULL;
    if (!json_is_array(policies) && !json_is_object(policies))
        return report_malformed(r->notes, "The JSON is no TLS report: it has no policies.");
    unknown_look(r, root, known);
    TRY(dates_read(r, root, out));
    out->organization = text_of(r, root, "organization-name");
    out->contact = text_of(r, root, "contact-info");
    out->id = text_of(r, root, "report-id");
    if (!out->organization.len)
        report_remark(r->notes, REPORT_REMARK_ORGANIZATION_MISSING, SPAN(""));
    if (!out->contact.len)
        report_remark(r->notes, REPORT_REMARK_CONTACT_MISSING, SPAN(""));
    if (!out->id.len)
        report_remark(r->notes, REPORT_REMARK_ID_MISSING, SPAN(""));
    policies_read(r, policies, out);
    return r->full ? report_too_large(r->notes, "The report is larger than we have room for.")
                   : RC(OK);
}

static struct rc tree_read(struct reader *r, struct span json, struct report_tlsrpt *out)
{
    json_error_t error;
    TRY(json_measure(json, r->notes));
    CLEANUP(tree_free)
    json_t *root = json_loadb(json.at ? json.at : "", json.len,
                              JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &error);
    if (!root)
        return report_malformed(r->notes, "The JSON does not parse: line %d: %s.", error.line,
                                error.text);
    struct span behind = span_skip(json, error.position > 0 ? (size_t)error.position : 0);
    while (behind.len && (unsigned char)behind.at[0] <= ' ')
        behind = span_skip(behind, 1);
    if (behind.len)
        report_remark(r->notes, REPORT_REMARK_TEXT_BEHIND, span_first(behind, 100));
    return root_read(r, root, out);
}

struct rc report_tlsrpt_read(struct report_tlsrpt *out, struct span json, struct arena *a,
                             struct report_notes *notes)
{
    CLEANUP(report_utf8_free) struct report_utf8 form = REPORT_UTF8_NEW;
    CLEANUP(buf_free) struct buf text = BUF(3 * REPORT_TLS_JSON_MAX);
    struct reader r = {a, notes, REPORT_TLS_DETAILS_MAX, false};
    *out = (struct report_tlsrpt){0};
    if (json.len > REPORT_TLS_JSON_MAX)
        return report_too_large(notes, "The JSON is larger than %d bytes.", REPORT_TLS_JSON_MAX);
    report_utf8_feed(&form, &text, json, true, notes);
    return tree_read(&r, buf_span(&text), out);
}
