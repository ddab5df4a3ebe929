// Our JSON of an aggregate report: the names of the XML, flat where the XML nests without need.
#include "report_dmarc.h"

static void text_put(struct json *j, const char *key, struct span s)
{
    if (s.len)
        json_str(j, key, s);
}

static void word_put(struct json *j, const char *key, const char *word)
{
    if (word)
        json_str(j, key, span_str(word));
}

static void date_put(struct json *j, const char *key, struct wall when)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    time_put_iso(&b, when);
    json_str(j, key, buf_span(&b));
}

static void published_put(struct json *j, const struct report_published *p)
{
    json_open(j, "policy_published", '{');
    text_put(j, "domain", p->domain);
    word_put(j, "p", report_policy_text(p->p));
    word_put(j, "sp", report_policy_text(p->sp));
    word_put(j, "np", report_policy_text(p->np));
    word_put(j, "adkim", report_alignment_text(p->adkim));
    word_put(j, "aspf", report_alignment_text(p->aspf));
    word_put(j, "testing", report_yes_text(p->testing));
    word_put(j, "discovery_method", report_discovery_text(p->discovery));
    if (p->pct_given)
        json_int(j, "pct", p->pct);
    text_put(j, "fo", p->fo);
    json_close(j, '}');
}

static void reasons_put(struct json *j, const struct report_record *rec)
{
    json_open(j, "reasons", '[');
    for (size_t i = 0; i < rec->reason_count; i++) {
        json_open(j, NULL, '{');
        word_put(j, "type", report_override_text(rec->reasons[i].type));
        text_put(j, "comment", rec->reasons[i].comment);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void dkim_put(struct json *j, const struct report_record *rec)
{
    json_open(j, "dkim", '[');
    for (size_t i = 0; i < rec->dkim_count; i++) {
        json_open(j, NULL, '{');
        text_put(j, "domain", rec->dkim[i].domain);
        text_put(j, "selector", rec->dkim[i].selector);
        word_put(j, "result", report_auth_text(rec->dkim[i].result));
        text_put(j, "human_result", rec->dkim[i].human);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void spf_put(struct json *j, const struct report_record *rec)
{
    json_open(j, "spf", '[');
    for (size_t i = 0; i < rec->spf_count; i++) {
        json_open(j, NULL, '{');
        text_put(j, "domain", rec->spf[i].domain);
        word_put(j, "scope", report_scope_text(rec->spf[i].scope));
        word_put(j, "result", report_auth_text(rec->spf[i].result));
        text_put(j, "human_result", rec->spf[i].human);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void record_put(struct json *j, const struct report_record *rec)
{
    CLEANUP(buf_free) struct buf address = BUF(64);
    if (rec->source_given)
        dns_address_put(&address, &rec->source);
    json_open(j, NULL, '{');
    text_put(j, "source_ip", buf_span(&address));
    json_int(j, "count", (int64_t)rec->count);
    word_put(j, "disposition", report_disposition_text(rec->disposition));
    word_put(j, "dkim_aligned", report_aligned_text(rec->dkim_aligned));
    word_put(j, "spf_aligned", report_aligned_text(rec->spf_aligned));
    reasons_put(j, rec);
    text_put(j, "header_from", rec->header_from);
    if (rec->null_sender)
        json_str(j, "envelope_from", SPAN(""));
    text_put(j, "envelope_from", rec->envelope_from);
    text_put(j, "envelope_to", rec->envelope_to);
    dkim_put(j, rec);
    spf_put(j, rec);
    json_close(j, '}');
}

void report_dmarc_put_value(struct json *j, const char *key, const struct report_dmarc *d)
{
    json_open(j, key, '{');
    json_str(j, "dialect", span_str(report_dialect_text(d->dialect)));
    text_put(j, "org_name", d->organization);
    text_put(j, "email", d->email);
    text_put(j, "extra_contact_info", d->extra_contact);
    text_put(j, "report_id", d->id);
    date_put(j, "begin", d->begin);
    date_put(j, "end", d->end);
    text_put(j, "error", d->error);
    text_put(j, "generator", d->generator);
    published_put(j, &d->policy);
    json_int(j, "messages", (int64_t)d->messages);
    json_open(j, "records", '[');
    for (const struct report_record *rec = d->records; rec; rec = rec->next)
        record_put(j, rec);
    json_close(j, ']');
    json_close(j, '}');
}
