#include "proc_taken.h"

// Who sends reports may claim what he likes.
static void add(uint64_t *sum, uint64_t more)
{
    *sum = more > INT64_MAX - *sum ? INT64_MAX : *sum + more;
}

static void facts_tls(struct proc_taken *t, const struct report_tlsrpt *d)
{
    t->organization = d->organization;
    t->report = d->id;
    t->domain = d->policy_count ? d->policies[0].domain : SPAN("");
    t->begin = d->begin;
    t->end = d->end;
    for (size_t i = 0; i < d->policy_count; i++) {
        add(&t->good, d->policies[i].successes);
        add(&t->bad, d->policies[i].failures);
    }
}

static void facts_dmarc(struct proc_taken *t, const struct report_dmarc *d)
{
    t->organization = d->organization;
    t->report = d->id;
    t->domain = d->policy.domain;
    t->begin = d->begin;
    t->end = d->end;
    for (const struct report_record *r = d->records; r; r = r->next) {
        bool aligned =
            r->dkim_aligned == REPORT_ALIGNED_PASS || r->spf_aligned == REPORT_ALIGNED_PASS;
        add(aligned ? &t->good : &t->bad, r->count);
    }
}

void proc_taken_of(struct proc_taken *t, struct buf *content, const struct report_taken *d)
{
    *t = (struct proc_taken){.kind = d->kind};
    if (d->kind == REPORT_TLSRPT) {
        facts_tls(t, &d->tls);
        report_tlsrpt_pack(content, &d->tls);
    } else {
        facts_dmarc(t, &d->dmarc);
        report_dmarc_pack(content, &d->dmarc);
    }
    if (rc_ok(buf_state(content)))
        t->content = buf_span(content);
}

void proc_taken_pack(struct buf *b, const struct proc_taken *t)
{
    wr_u8(b, (uint8_t)t->kind);
    wr_span(b, t->organization);
    wr_span(b, t->report);
    wr_span(b, t->domain);
    wr_i64(b, t->begin.us);
    wr_i64(b, t->end.us);
    wr_u64(b, t->good);
    wr_u64(b, t->bad);
    wr_span(b, t->content);
    wr_u8(b, (uint8_t)t->way);
    wr_span(b, t->who);
    wr_span(b, t->remark);
}

bool proc_taken_unpack(struct rd *r, struct proc_taken *t)
{
    *t = (struct proc_taken){.kind = rd_enum(r, REPORT_KINDS)};
    t->organization = rd_span(r);
    t->report = rd_span(r);
    t->domain = rd_span(r);
    t->begin.us = rd_i64(r);
    t->end.us = rd_i64(r);
    t->good = rd_u64(r);
    t->bad = rd_u64(r);
    t->content = rd_span(r);
    t->way = rd_enum(r, REPORT_WAYS);
    t->who = rd_span(r);
    t->remark = rd_span(r);
    return rd_end(r);
}

bool proc_taken_document(const struct proc_taken *t, struct report_taken *out, struct arena *a)
{
    struct rd r = RD(t->content);
    *out = (struct report_taken){.kind = (enum report_kind)t->kind, .good = true};
    return t->content.len && (out->kind == REPORT_TLSRPT ? report_tlsrpt_unpack(&r, &out->tls, a)
                                                         : report_dmarc_unpack(&r, &out->dmarc, a));
}
