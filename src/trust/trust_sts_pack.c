// Byte forms: what policy.db keeps, and what the fetcher sends.
#include "trust_sts_keeper.h"

enum { STORED_FORM = 1, DETAIL_MAX = 1024 };

void trust_sts_pack(struct buf *b, const struct trust_sts_stored *s)
{
    wr_u8(b, STORED_FORM);
    wr_span(b, span_str(s->id));
    wr_span(b, s->file);
    wr_i64(b, s->fetched.us);
    wr_i64(b, s->expires.us);
}

bool trust_sts_unpack(struct rd *r, struct trust_sts_stored *out, struct arena *a)
{
    unsigned form = rd_u8(r);
    struct span id = rd_span(r), file = rd_span(r);
    *out = (struct trust_sts_stored){.fetched = {rd_i64(r)}};
    out->expires.us = rd_i64(r);
    if (form != STORED_FORM || !trust_sts_is_id(id) || file.len > STS_POLICY_MAX ||
        !span_copy(out->id, sizeof out->id, id))
        r->bad = true;
    if (!r->bad)
        out->file = arena_dup(a, file);
    return !r->bad && out->file.at;
}

void trust_fetched_pack(struct buf *b, const struct trust_fetched *f)
{
    wr_u8(b, (uint8_t)f->result);
    wr_span(b, f->file);
    wr_span(b, span_first(f->detail, DETAIL_MAX));
}

bool trust_fetched_unpack(struct rd *r, struct trust_fetched *out, struct arena *a)
{
    *out =
        (struct trust_fetched){.result = (enum trust_fetch_result)rd_enum(r, TRUST_FETCH_RESULTS)};
    struct span file = rd_span(r), detail = rd_span(r);
    if (file.len > STS_POLICY_MAX || detail.len > DETAIL_MAX)
        r->bad = true;
    if (r->bad)
        return false;
    out->file = arena_dup(a, file);
    out->detail = arena_dup(a, detail);
    return out->file.at && out->detail.at;
}
