#include "report_take.h"

#include "report_wire.h"

enum { MARK = 0x52505431, SMALL_ARENA = 16 << 20 };

static void document_read(struct buf *out, const struct report_document *d,
                          struct report_notes *notes)
{
    CLEANUP(arena_free) struct arena a = ARENA(REPORT_DMARC_ARENA);
    struct report_tlsrpt tls;
    struct report_dmarc dmarc;
    bool is_tls = d->kind == REPORT_TLSRPT;
    struct rc rc = is_tls ? report_tlsrpt_read(&tls, buf_span(&d->bytes), &a, notes)
                          : report_dmarc_read(&dmarc, buf_span(&d->bytes), &a, notes);
    report_notes_pack(out, notes);
    wr_bool(out, rc_ok(rc));
    if (rc_ok(rc) && is_tls)
        report_tlsrpt_pack(out, &tls);
    else if (rc_ok(rc))
        report_dmarc_pack(out, &dmarc);
}

static void head_put(struct buf *out, const struct report_unpacked *u, const char *fault)
{
    wr_u32(out, MARK);
    wr_u8(out, (uint8_t)u->count);
    wr_span(out, span_str(fault));
    wr_bool(out, u->mail);
    wr_span(out, u->from);
    wr_span(out, u->subject);
    wr_span(out, u->tls_domain);
    wr_span(out, u->tls_submitter);
}

void report_take(struct buf *out, struct span bytes, const struct report_limits *limits)
{
    CLEANUP(arena_free) struct arena a = ARENA(SMALL_ARENA);
    CLEANUP(report_unpacked_free) struct report_unpacked u;
    struct report_notes unpacking = {0};
    struct rc rc = report_unpack(&u, bytes, limits, &a, &unpacking);
    head_put(out, &u, rc_ok(rc) ? "" : unpacking.fault);
    for (size_t i = 0; i < u.count; i++) {
        struct report_notes notes = unpacking;
        wr_u8(out, (uint8_t)u.at[i].kind);
        wr_span(out, u.at[i].name);
        wr_span(out, span_str(u.at[i].wrap));
        document_read(out, &u.at[i], &notes);
        buf_free(&u.at[i].bytes);
    }
}

bool report_taking_open(struct rd *r, struct report_taking *out, struct arena *a)
{
    *out = (struct report_taking){0};
    bool marked = rd_u32(r) == MARK;
    out->count = rd_enum(r, REPORT_DOCUMENTS_MAX + 1);
    if (!marked || !span_copy(out->fault, sizeof out->fault, rd_span(r)))
        return false;
    out->mail = rd_bool(r);
    return report_rd_text(r, &out->from, a) && report_rd_text(r, &out->subject, a) &&
           report_rd_text(r, &out->tls_domain, a) && report_rd_text(r, &out->tls_submitter, a);
}

bool report_taking_next(struct rd *r, struct report_taken *out, struct arena *a)
{
    *out = (struct report_taken){.kind = rd_enum(r, REPORT_KINDS)};
    if (!report_rd_text(r, &out->name, a) || !report_rd_text(r, &out->wrap, a) ||
        !report_notes_unpack(r, &out->notes))
        return false;
    out->good = rd_bool(r);
    if (r->bad || !out->good)
        return !r->bad;
    return out->kind == REPORT_TLSRPT ? report_tlsrpt_unpack(r, &out->tls, a)
                                      : report_dmarc_unpack(r, &out->dmarc, a);
}
