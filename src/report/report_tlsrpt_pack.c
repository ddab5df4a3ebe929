// Byte forms of TLS reports: keys of tallies, and whole documents between processes.
#include "report_wire.h"

#include <stdlib.h>
#include <string.h>

static int span_order(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    int order = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static size_t bounded(size_t count)
{
    return count < REPORT_TLS_STRINGS_MAX ? count : REPORT_TLS_STRINGS_MAX;
}

// Records of an RRset come in any order (RFC 2181 §5): sorted, the same set is the same key.
static void strings_pack(struct buf *b, const struct report_tls_policy *p)
{
    struct span sorted[REPORT_TLS_STRINGS_MAX];
    size_t count = bounded(p->string_count);
    for (size_t i = 0; i < count; i++)
        sorted[i] = p->strings[i].at ? p->strings[i] : SPAN("");
    if (p->type == REPORT_TLS_TLSA)
        qsort(sorted, count, sizeof sorted[0], span_order);
    report_wr_list(b, sorted, count);
}

void report_tls_policy_pack(struct buf *b, const struct report_tls_policy *p)
{
    wr_u8(b, (uint8_t)p->type);
    wr_span(b, p->type == REPORT_TLS_TYPE_OTHER ? p->type_text : SPAN(""));
    wr_span(b, p->domain);
    strings_pack(b, p);
    report_wr_list(b, p->mx, bounded(p->mx_count));
}

bool report_tls_policy_unpack(struct rd *r, struct report_tls_policy *out, struct arena *a)
{
    *out = (struct report_tls_policy){.type = rd_enum(r, REPORT_TLS_TYPES)};
    return report_rd_text(r, &out->type_text, a) && report_rd_text(r, &out->domain, a) &&
           report_rd_list(r, &out->strings, &out->string_count, REPORT_TLS_STRINGS_MAX, a) &&
           report_rd_list(r, &out->mx, &out->mx_count, REPORT_TLS_STRINGS_MAX, a);
}

void report_tls_failure_pack(struct buf *b, const struct report_tls_failure *f)
{
    wr_u8(b, (uint8_t)f->result);
    wr_span(b, f->result == REPORT_TLS_RESULT_OTHER ? f->result_text : SPAN(""));
    report_wr_address(b, f->sending_ip.given, &f->sending_ip.at);
    report_wr_address(b, f->receiving_ip.given, &f->receiving_ip.at);
    wr_span(b, f->mx_hostname);
    wr_span(b, f->mx_helo);
    wr_span(b, f->information);
    wr_span(b, f->reason_code);
}

bool report_tls_failure_unpack(struct rd *r, struct report_tls_failure *out, struct arena *a)
{
    *out = (struct report_tls_failure){.result = rd_enum(r, REPORT_TLS_RESULTS)};
    return report_rd_text(r, &out->result_text, a) &&
           report_rd_address(r, &out->sending_ip.given, &out->sending_ip.at) &&
           report_rd_address(r, &out->receiving_ip.given, &out->receiving_ip.at) &&
           report_rd_text(r, &out->mx_hostname, a) && report_rd_text(r, &out->mx_helo, a) &&
           report_rd_text(r, &out->information, a) && report_rd_text(r, &out->reason_code, a);
}

static void entry_pack(struct buf *b, const struct report_tls_policy *p)
{
    report_tls_policy_pack(b, p);
    wr_u64(b, p->successes);
    wr_u64(b, p->failures);
    wr_u32(b, (uint32_t)p->detail_count);
    for (size_t i = 0; i < p->detail_count; i++) {
        report_tls_failure_pack(b, &p->details[i]);
        wr_u64(b, p->details[i].count);
    }
}

static bool entry_unpack(struct rd *r, struct report_tls_policy *out, struct arena *a)
{
    if (!report_tls_policy_unpack(r, out, a))
        return false;
    out->successes = rd_u64(r);
    out->failures = rd_u64(r);
    out->detail_count = rd_u32(r);
    if (r->bad || out->detail_count > REPORT_TLS_DETAILS_MAX)
        return false;
    out->details = report_rd_array(a, out->detail_count, sizeof *out->details);
    for (size_t i = 0; out->details && i < out->detail_count; i++) {
        if (!report_tls_failure_unpack(r, &out->details[i], a))
            return false;
        out->details[i].count = rd_u64(r);
    }
    return out->details && !r->bad;
}

void report_tlsrpt_pack(struct buf *b, const struct report_tlsrpt *d)
{
    wr_span(b, d->organization);
    wr_span(b, d->contact);
    wr_span(b, d->id);
    wr_i64(b, d->begin.us);
    wr_i64(b, d->end.us);
    wr_u32(b, (uint32_t)d->policy_count);
    for (size_t i = 0; i < d->policy_count; i++)
        entry_pack(b, &d->policies[i]);
}

bool report_tlsrpt_unpack(struct rd *r, struct report_tlsrpt *out, struct arena *a)
{
    *out = (struct report_tlsrpt){0};
    if (!report_rd_text(r, &out->organization, a) || !report_rd_text(r, &out->contact, a) ||
        !report_rd_text(r, &out->id, a))
        return false;
    out->begin.us = rd_i64(r);
    out->end.us = rd_i64(r);
    out->policy_count = rd_u32(r);
    if (r->bad || out->policy_count > REPORT_TLS_POLICIES_MAX)
        return false;
    out->policies = report_rd_array(a, out->policy_count, sizeof *out->policies);
    for (size_t i = 0; out->policies && i < out->policy_count; i++)
        if (!entry_unpack(r, &out->policies[i], a))
            return false;
    return out->policies && !r->bad;
}
