#include "proc_login.h"

void login_request_pack(struct buf *b, const struct login_request *q)
{
    wr_u64(b, q->exchange);
    wr_span(b, q->mechanism);
    wr_bool(b, q->initial.at != NULL);
    wr_span(b, q->initial);
    wr_span(b, q->exporter);
    wr_span(b, q->end_point);
    wr_bool(b, q->tls);
    wr_u8(b, q->offered);
    wr_bool(b, q->client.v6);
    buf_put(b, SPAN_OF(q->client.at));
}

bool login_request_unpack(struct rd *r, struct login_request *out)
{
    *out = (struct login_request){.exchange = rd_u64(r), .mechanism = rd_span(r)};
    bool initial = rd_bool(r);
    out->initial = rd_span(r);
    if (!initial && out->initial.len)
        return false;
    if (!initial || !out->initial.at)
        out->initial = initial ? SPAN("") : (struct span){0};
    out->exporter = rd_span(r);
    out->end_point = rd_span(r);
    out->tls = rd_bool(r);
    out->offered = rd_u8(r);
    out->client.v6 = rd_bool(r);
    struct span address = rd_bytes(r, sizeof out->client.at);
    if (!rd_end(r))
        return false;
    span_bytes(out->client.at, sizeof out->client.at, address);
    return true;
}

void login_answer_pack(struct buf *b, const struct login_answer *a)
{
    wr_u8(b, (uint8_t)a->is);
    wr_span(b, a->bytes);
    wr_span(b, a->user);
    wr_u16(b, (uint16_t)a->sender_count);
    for (size_t i = 0; i < a->sender_count; i++)
        wr_span(b, a->senders[i]);
}

bool login_answer_unpack(struct rd *r, struct login_answer *out)
{
    out->is = (enum login_is)rd_enum(r, LOGIN_KINDS);
    out->bytes = rd_span(r);
    out->user = rd_span(r);
    out->sender_count = rd_u16(r);
    if (out->sender_count > LOGIN_SENDERS_MAX)
        return false;
    for (size_t i = 0; i < out->sender_count; i++)
        out->senders[i] = rd_span(r);
    return rd_end(r);
}
