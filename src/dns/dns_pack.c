#include "dns_answer.h"

// What one record takes at least: no more of them are made room for than the
// message can hold.
enum { RECORD_LEAST = 2 + 1 + 17 + 3 + 1 + 4, RCODE_MAX = 4095 };

void dns_name_pack(struct buf *b, const struct dns_name *n)
{
    wr_u8(b, n->len);
    buf_put(b, dns_name_span(n));
}

bool dns_name_unpack(struct rd *r, struct dns_name *out)
{
    struct span text = rd_bytes(r, rd_u8(r));
    struct dns_name n;
    // Only the one form that packing makes: what it is parsed to is itself.
    if (r->bad || !dns_name_parse(&n, text.len ? text : SPAN(".")) ||
        !span_eq(dns_name_span(&n), text)) {
        r->bad = true;
        return false;
    }
    *out = n;
    return true;
}

void dns_address_pack(struct buf *b, const struct dns_address *a)
{
    wr_bool(b, a->v6);
    buf_put(b, SPAN_OF(a->at));
}

bool dns_address_unpack(struct rd *r, struct dns_address *out)
{
    struct dns_address a = {.v6 = rd_bool(r)};
    struct span bytes = rd_bytes(r, sizeof a.at);
    if (r->bad)
        return false;
    span_bytes(a.at, sizeof a.at, bytes);
    for (size_t i = 4; i < sizeof a.at && !a.v6; i++)
        r->bad = r->bad || a.at[i] != 0;
    if (r->bad)
        return false;
    *out = a;
    return true;
}

void dns_question_pack(struct buf *b, const struct dns_question *q)
{
    dns_name_pack(b, &q->name);
    wr_u16(b, (uint16_t)q->type);
}

bool dns_question_unpack(struct rd *r, struct dns_question *out)
{
    struct dns_question q;
    if (!dns_name_unpack(r, &q.name))
        return false;
    q.type = (enum dns_type)rd_u16(r);
    if (r->bad || !dns_type_text(q.type)) {
        r->bad = true;
        return false;
    }
    *out = q;
    return true;
}

static void record_pack(struct buf *b, const struct dns_record *c)
{
    wr_u16(b, c->preference);
    dns_name_pack(b, &c->name);
    dns_address_pack(b, &c->address);
    wr_u8(b, c->usage);
    wr_u8(b, c->selector);
    wr_u8(b, c->matching);
    wr_bool(b, c->short_rdata);
    wr_span(b, c->data);
}

static void copy_span(struct rd *r, struct span *out, struct arena *a)
{
    *out = arena_dup(a, rd_span(r));
    r->bad = r->bad || !out->at;
}

static void record_unpack(struct rd *r, struct dns_record *c, struct arena *a)
{
    c->preference = rd_u16(r);
    if (!dns_name_unpack(r, &c->name) || !dns_address_unpack(r, &c->address))
        return;
    c->usage = rd_u8(r);
    c->selector = rd_u8(r);
    c->matching = rd_u8(r);
    c->short_rdata = rd_bool(r);
    copy_span(r, &c->data, a);
}

void dns_answer_pack(struct buf *b, const struct dns_answer *answer)
{
    wr_u8(b, (uint8_t)answer->standing);
    wr_u8(b, (uint8_t)answer->presence);
    wr_u32(b, answer->ttl);
    wr_bool(b, answer->aliased);
    dns_name_pack(b, &answer->expanded);
    wr_u16(b, (uint16_t)answer->rcode);
    wr_span(b, answer->why);
    wr_bool(b, answer->unread);
    wr_u16(b, (uint16_t)answer->count);
    for (size_t i = 0; i < answer->count; i++)
        record_pack(b, &answer->records[i]);
}

// Standing and presence agree, and only DATA has records.
static bool consistent(const struct dns_answer *a)
{
    bool silent = a->standing == DNS_BOGUS || a->standing == DNS_INDETERMINATE;
    return silent == (a->presence == DNS_NO_ANSWER) &&
           ((a->count == 0 && !a->unread) || a->presence == DNS_DATA) &&
           a->count <= DNS_RECORDS_MAX && a->rcode <= RCODE_MAX;
}

static bool records_unpack(struct rd *r, struct dns_answer *out, struct arena *a)
{
    if (out->count == 0)
        return true;
    if (r->rest.len / RECORD_LEAST < out->count)
        return false;
    out->records = arena_alloc(a, out->count * sizeof *out->records);
    for (size_t i = 0; out->records && i < out->count && !r->bad; i++)
        record_unpack(r, &out->records[i], a);
    return out->records && !r->bad;
}

bool dns_answer_unpack(struct rd *r, struct dns_answer *out, struct arena *a)
{
    struct dns_answer got = {.standing = rd_enum(r, DNS_STANDINGS)};
    got.presence = rd_enum(r, DNS_PRESENCES);
    got.ttl = rd_u32(r);
    got.aliased = rd_bool(r);
    if (!dns_name_unpack(r, &got.expanded))
        return false;
    got.rcode = rd_u16(r);
    copy_span(r, &got.why, a);
    got.unread = rd_bool(r);
    got.count = rd_u16(r);
    if (r->bad || !consistent(&got) || !records_unpack(r, &got, a)) {
        r->bad = true;
        return false;
    }
    *out = got;
    return true;
}
