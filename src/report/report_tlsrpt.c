// The document of RFC 8460 §4.4, written.
#include "report_tlsrpt.h"

#include "report_mail.h"

enum { JSON_MAX = 64 << 20 };

// RFC 3339 to the second, which is all the RFC's example has.
static void date_put(struct json *j, const char *key, struct wall when)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    time_put_iso(&b, when);
    b.len = b.len > 19 ? 19 : b.len;
    buf_putc(&b, 'Z');
    json_str(j, key, buf_span(&b));
}

static void text_put(struct json *j, const char *key, struct span s)
{
    if (s.len) // never null
        json_str(j, key, s);
}

static void address_put(struct json *j, const char *key, const struct report_tls_address *a)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    if (!a->given)
        return;
    dns_address_put(&b, &a->at);
    json_str(j, key, buf_span(&b));
}

static void list_put(struct json *j, const char *key, const struct span *s, size_t count)
{
    if (!count)
        return;
    json_open(j, key, '[');
    for (size_t i = 0; i < count; i++)
        json_str(j, NULL, s[i]);
    json_close(j, ']');
}

static void policy_put(struct json *j, const struct report_tls_policy *p)
{
    bool other = p->type == REPORT_TLS_TYPE_OTHER && p->type_text.len;
    json_open(j, "policy", '{');
    json_str(j, "policy-type", other ? p->type_text : span_str(report_tls_type_text(p->type)));
    list_put(j, "policy-string", p->strings, p->string_count);
    text_put(j, "policy-domain", p->domain);
    list_put(j, "mx-host", p->mx, p->mx_count);
    json_close(j, '}');
}

static void failure_put(struct json *j, const struct report_tls_failure *f)
{
    bool other = f->result == REPORT_TLS_RESULT_OTHER && f->result_text.len;
    json_open(j, NULL, '{');
    json_str(j, "result-type",
             other ? f->result_text : span_str(report_tls_result_text(f->result)));
    address_put(j, "sending-mta-ip", &f->sending_ip);
    text_put(j, "receiving-mx-hostname", f->mx_hostname);
    text_put(j, "receiving-mx-helo", f->mx_helo);
    address_put(j, "receiving-ip", &f->receiving_ip);
    json_int(j, "failed-session-count", (int64_t)f->count);
    text_put(j, "additional-information", f->information);
    text_put(j, "failure-reason-code", f->reason_code);
    json_close(j, '}');
}

static void entry_put(struct json *j, const struct report_tls_policy *p, size_t details_max)
{
    size_t details = p->detail_count < details_max ? p->detail_count : details_max;
    json_open(j, NULL, '{');
    policy_put(j, p);
    json_open(j, "summary", '{');
    json_int(j, "total-successful-session-count", (int64_t)p->successes);
    json_int(j, "total-failure-session-count", (int64_t)p->failures);
    json_close(j, '}');
    if (details) {
        json_open(j, "failure-details", '[');
        for (size_t i = 0; i < details; i++)
            failure_put(j, &p->details[i]);
        json_close(j, ']');
    }
    json_close(j, '}');
}

static void document_put(struct json *j, const char *key, const struct report_tlsrpt *d,
                         size_t details_max)
{
    json_open(j, key, '{');
    text_put(j, "organization-name", d->organization);
    json_open(j, "date-range", '{');
    date_put(j, "start-datetime", d->begin);
    date_put(j, "end-datetime", d->end);
    json_close(j, '}');
    text_put(j, "contact-info", d->contact);
    text_put(j, "report-id", d->id);
    json_open(j, "policies", '[');
    for (size_t i = 0; i < d->policy_count; i++)
        entry_put(j, &d->policies[i], details_max);
    json_close(j, ']');
    json_close(j, '}');
}

void report_tlsrpt_put_value(struct json *j, const char *key, const struct report_tlsrpt *d)
{
    document_put(j, key, d, SIZE_MAX);
}

void report_tlsrpt_put_json(struct buf *b, const struct report_tlsrpt *d)
{
    struct json j = JSON(b);
    document_put(&j, NULL, d, SIZE_MAX);
}

static size_t most_details(const struct report_tlsrpt *d)
{
    size_t most = 0;
    for (size_t i = 0; i < d->policy_count; i++)
        most = d->policies[i].detail_count > most ? d->policies[i].detail_count : most;
    return most;
}

static bool packed_fits(struct buf *gz, const struct report_tlsrpt *d, size_t details_max,
                        size_t size_max)
{
    CLEANUP(buf_free) struct buf json = BUF(JSON_MAX);
    struct json j = JSON(&json);
    document_put(&j, NULL, d, details_max);
    if (!rc_ok(buf_state(&json)))
        return false;
    CLEANUP(buf_free) struct buf packed = BUF(size_max);
    report_gzip(&packed, buf_span(&json));
    if (rc_ok(buf_state(&packed)))
        buf_put(gz, buf_span(&packed));
    return rc_ok(buf_state(&packed));
}

struct rc report_tlsrpt_pack_gzip(struct buf *gz, const struct report_tlsrpt *d, size_t size_max)
{
    for (size_t details = most_details(d);; details /= 2) {
        if (packed_fits(gz, d, details, size_max))
            return buf_state(gz);
        if (!details)
            return RC(TOO_LARGE);
    }
}
