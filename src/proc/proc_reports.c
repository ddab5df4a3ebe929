#include "proc_reports.h"

void reports_subject_pack(struct buf *b, const struct store_subject *s)
{
    wr_i64(b, s->day);
    wr_u8(b, (uint8_t)s->kind);
    wr_span(b, s->domain);
}

bool reports_subject_unpack(struct rd *r, struct store_subject *out)
{
    *out = (struct store_subject){.day = rd_i64(r)};
    out->kind = (enum store_subject_kind)rd_enum(r, STORE_SUBJECT_KINDS);
    out->domain = rd_span(r);
    return !r->bad && out->domain.len <= 253;
}

void reports_row_pack(struct buf *b, const struct store_subject_row *s)
{
    reports_subject_pack(b, &s->subject);
    wr_span(b, s->about);
    wr_u64(b, s->keys);
    wr_u64(b, s->lost);
    wr_u64(b, s->sessions);
    wr_bool(b, s->done);
}

bool reports_row_unpack(struct rd *r, struct store_subject_row *out)
{
    *out = (struct store_subject_row){0};
    if (!reports_subject_unpack(r, &out->subject))
        return false;
    out->about = rd_span(r);
    out->keys = rd_u64(r);
    out->lost = rd_u64(r);
    out->sessions = rd_u64(r);
    out->done = rd_bool(r);
    return !r->bad;
}

_Static_assert((int)REPORT_TLSRPT == STORE_ABOUT_TLS && (int)REPORT_DMARC == STORE_ABOUT_DMARC &&
                   (int)REPORT_KINDS == STORE_SUBJECT_KINDS,
               "two names of one thing");

void reports_taken_pack(struct buf *b, const struct store_taken *t)
{
    proc_taken_pack(b, &(struct proc_taken){.kind = t->kind,
                                            .organization = t->organization,
                                            .report = t->report,
                                            .domain = t->domain,
                                            .begin = t->begin,
                                            .end = t->end,
                                            .good = t->good,
                                            .bad = t->bad,
                                            .content = t->content,
                                            .way = t->way,
                                            .who = t->who,
                                            .remark = t->remark});
}

bool reports_taken_unpack(struct rd *r, struct store_taken *out)
{
    struct proc_taken t;
    bool fine = proc_taken_unpack(r, &t);
    *out = (struct store_taken){.kind = (enum store_subject_kind)t.kind,
                                .organization = t.organization,
                                .report = t.report,
                                .domain = t.domain,
                                .begin = t.begin,
                                .end = t.end,
                                .good = t.good,
                                .bad = t.bad,
                                .content = t.content,
                                .way = t.way,
                                .who = t.who,
                                .remark = t.remark};
    return fine;
}

void reports_aside_pack(struct buf *b, const struct store_aside *a)
{
    wr_u8(b, (uint8_t)a->way);
    wr_span(b, a->who);
    wr_span(b, a->why);
    wr_u64(b, a->size);
    wr_span(b, span_first(a->bytes, STORE_ASIDE_BYTES));
}

bool reports_aside_unpack(struct rd *r, struct store_aside *out)
{
    *out = (struct store_aside){.way = rd_enum(r, REPORT_WAYS)};
    out->who = rd_span(r);
    out->why = rd_span(r);
    out->size = rd_u64(r);
    out->bytes = rd_span(r);
    return !r->bad;
}

const char *reports_way_text(enum report_way w)
{
    static const char *const texts[REPORT_WAYS] = {"mail", "post", "file"};
    return texts[w];
}
