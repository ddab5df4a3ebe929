// Byte forms of DMARC reports: keys of tallies, and whole documents between processes.
#include "report_dmarc.h"

#include "report_wire.h"

void report_published_pack(struct buf *b, const struct report_published *p)
{
    wr_span(b, p->domain);
    wr_u8(b, (uint8_t)p->p);
    wr_u8(b, (uint8_t)p->sp);
    wr_u8(b, (uint8_t)p->np);
    wr_u8(b, (uint8_t)p->adkim);
    wr_u8(b, (uint8_t)p->aspf);
    wr_u8(b, (uint8_t)p->testing);
    wr_u8(b, (uint8_t)p->discovery);
    wr_bool(b, p->pct_given);
    wr_u8(b, p->pct_given ? p->pct : 0);
    wr_span(b, p->fo);
}

bool report_published_unpack(struct rd *r, struct report_published *out, struct arena *a)
{
    *out = (struct report_published){0};
    if (!report_rd_text(r, &out->domain, a))
        return false;
    out->p = rd_enum(r, REPORT_POLICIES);
    out->sp = rd_enum(r, REPORT_POLICIES);
    out->np = rd_enum(r, REPORT_POLICIES);
    out->adkim = rd_enum(r, REPORT_ALIGNMENTS);
    out->aspf = rd_enum(r, REPORT_ALIGNMENTS);
    out->testing = rd_enum(r, REPORT_YESES);
    out->discovery = rd_enum(r, REPORT_DISCOVERIES);
    out->pct_given = rd_bool(r);
    out->pct = rd_u8(r);
    return report_rd_text(r, &out->fo, a);
}

static size_t bounded(size_t count)
{
    return count < REPORT_DMARC_LIST_MAX ? count : REPORT_DMARC_LIST_MAX;
}

static void reasons_pack(struct buf *b, const struct report_record *rec)
{
    size_t count = bounded(rec->reason_count);
    wr_u8(b, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        wr_u8(b, (uint8_t)rec->reasons[i].type);
        wr_span(b, rec->reasons[i].comment);
    }
}

static bool reasons_unpack(struct rd *r, struct report_record *out, struct arena *a)
{
    out->reason_count = rd_enum(r, REPORT_DMARC_LIST_MAX + 1);
    out->reasons = report_rd_array(a, out->reason_count, sizeof *out->reasons);
    for (size_t i = 0; out->reasons && i < out->reason_count; i++) {
        out->reasons[i].type = rd_enum(r, REPORT_OVERRIDES);
        if (!report_rd_text(r, &out->reasons[i].comment, a))
            return false;
    }
    return out->reasons && !r->bad;
}

static void dkim_pack(struct buf *b, const struct report_record *rec)
{
    size_t count = bounded(rec->dkim_count);
    wr_u8(b, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        wr_span(b, rec->dkim[i].domain);
        wr_span(b, rec->dkim[i].selector);
        wr_u8(b, (uint8_t)rec->dkim[i].result);
        wr_span(b, rec->dkim[i].human);
        wr_bool(b, rec->dkim[i].aligned);
    }
}

static bool dkim_unpack(struct rd *r, struct report_record *out, struct arena *a)
{
    out->dkim_count = rd_enum(r, REPORT_DMARC_LIST_MAX + 1);
    out->dkim = report_rd_array(a, out->dkim_count, sizeof *out->dkim);
    for (size_t i = 0; out->dkim && i < out->dkim_count; i++) {
        struct report_dkim *d = &out->dkim[i];
        if (!report_rd_text(r, &d->domain, a) || !report_rd_text(r, &d->selector, a))
            return false;
        d->result = rd_enum(r, REPORT_AUTHS);
        if (!report_rd_text(r, &d->human, a))
            return false;
        d->aligned = rd_bool(r);
    }
    return out->dkim && !r->bad;
}

static void spf_pack(struct buf *b, const struct report_record *rec)
{
    size_t count = bounded(rec->spf_count);
    wr_u8(b, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        wr_span(b, rec->spf[i].domain);
        wr_u8(b, (uint8_t)rec->spf[i].scope);
        wr_u8(b, (uint8_t)rec->spf[i].result);
        wr_span(b, rec->spf[i].human);
    }
}

static bool spf_unpack(struct rd *r, struct report_record *out, struct arena *a)
{
    out->spf_count = rd_enum(r, REPORT_DMARC_LIST_MAX + 1);
    out->spf = report_rd_array(a, out->spf_count, sizeof *out->spf);
    for (size_t i = 0; out->spf && i < out->spf_count; i++) {
        struct report_spf *s = &out->spf[i];
        if (!report_rd_text(r, &s->domain, a))
            return false;
        s->scope = rd_enum(r, REPORT_SCOPES);
        s->result = rd_enum(r, REPORT_AUTHS);
        if (!report_rd_text(r, &s->human, a))
            return false;
    }
    return out->spf && !r->bad;
}

void report_record_pack(struct buf *b, const struct report_record *rec)
{
    report_wr_address(b, rec->source_given, &rec->source);
    wr_u8(b, (uint8_t)rec->disposition);
    wr_u8(b, (uint8_t)rec->dkim_aligned);
    wr_u8(b, (uint8_t)rec->spf_aligned);
    wr_span(b, rec->header_from);
    wr_span(b, rec->envelope_from);
    wr_bool(b, rec->null_sender);
    wr_span(b, rec->envelope_to);
    reasons_pack(b, rec);
    dkim_pack(b, rec);
    spf_pack(b, rec);
}

bool report_record_unpack(struct rd *r, struct report_record *out, struct arena *a)
{
    *out = (struct report_record){0};
    if (!report_rd_address(r, &out->source_given, &out->source))
        return false;
    out->disposition = rd_enum(r, REPORT_DISPOSITIONS);
    out->dkim_aligned = rd_enum(r, REPORT_ALIGNEDS);
    out->spf_aligned = rd_enum(r, REPORT_ALIGNEDS);
    if (!report_rd_text(r, &out->header_from, a) || !report_rd_text(r, &out->envelope_from, a))
        return false;
    out->null_sender = rd_bool(r);
    return report_rd_text(r, &out->envelope_to, a) && reasons_unpack(r, out, a) &&
           dkim_unpack(r, out, a) && spf_unpack(r, out, a);
}

void report_dmarc_pack(struct buf *b, const struct report_dmarc *d)
{
    wr_u8(b, (uint8_t)d->dialect);
    wr_span(b, d->organization);
    wr_span(b, d->email);
    wr_span(b, d->extra_contact);
    wr_span(b, d->id);
    wr_span(b, d->error);
    wr_span(b, d->generator);
    wr_i64(b, d->begin.us);
    wr_i64(b, d->end.us);
    report_published_pack(b, &d->policy);
    wr_u32(b, (uint32_t)d->record_count);
    for (const struct report_record *rec = d->records; rec; rec = rec->next) {
        report_record_pack(b, rec);
        wr_u64(b, rec->count);
    }
}

static bool head_unpack(struct rd *r, struct report_dmarc *out, struct arena *a)
{
    out->dialect = rd_enum(r, REPORT_DIALECTS);
    if (!report_rd_text(r, &out->organization, a) || !report_rd_text(r, &out->email, a) ||
        !report_rd_text(r, &out->extra_contact, a) || !report_rd_text(r, &out->id, a) ||
        !report_rd_text(r, &out->error, a) || !report_rd_text(r, &out->generator, a))
        return false;
    out->begin.us = rd_i64(r);
    out->end.us = rd_i64(r);
    return report_published_unpack(r, &out->policy, a);
}

bool report_dmarc_unpack(struct rd *r, struct report_dmarc *out, struct arena *a)
{
    struct report_record **tail = &out->records;
    *out = (struct report_dmarc){0};
    if (!head_unpack(r, out, a))
        return false;
    size_t count = rd_u32(r);
    if (r->bad || count > REPORT_DMARC_RECORDS_MAX)
        return false;
    for (; out->record_count < count; out->record_count++) {
        struct report_record *rec = arena_alloc(a, sizeof *rec);
        if (!rec || !report_record_unpack(r, rec, a))
            return false;
        rec->count = rd_u64(r);
        out->messages += rec->count < INT64_MAX - out->messages ? rec->count : 0;
        *tail = rec;
        tail = &rec->next;
    }
    return !r->bad;
}

bool report_dmarc_tally(struct report_dmarc *out, struct span published,
                        const struct report_dmarc_tally *tallies, size_t count, struct arena *a,
                        size_t *bad)
{
    struct rd policy = RD(published);
    struct report_record **tail = &out->records, *rec = NULL;
    const struct report_dmarc_tally *last = NULL;
    out->record_count = *bad = 0;
    out->messages = 0;
    out->records = NULL;
    if (!report_published_unpack(&policy, &out->policy, a))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct rd r = RD(tallies[i].record);
        if (!last || !span_eq(last->record, tallies[i].record)) {
            rec = arena_alloc(a, sizeof *rec);
            if (!rec)
                return false;
            last = &tallies[i];
            if (!report_record_unpack(&r, rec, a)) {
                ++*bad;
                last = NULL;
                continue;
            }
            *tail = rec;
            tail = &rec->next;
            out->record_count++;
        }
        rec->count += tallies[i].messages;
        out->messages += tallies[i].messages;
    }
    return true;
}
