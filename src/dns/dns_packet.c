#include "dns_packet.h"

enum { HEADER = 12 };

static struct rd from(struct span message, size_t at)
{
    return RD(span_skip(message, at));
}

// RFC 1035 §4.1.2: QNAME, QTYPE, QCLASS
static bool skip_question(struct dns_rows *r)
{
    if (!dns_name_skip_wire(r->message, &r->at) || r->message.len - r->at < 4)
        return false;
    r->at += 4;
    return true;
}

struct dns_rows dns_rows_begin(struct span message)
{
    struct dns_rows rows = {.message = message, .at = HEADER};
    struct rd r = from(message, 4);
    unsigned questions = rd_u16(&r);
    rows.left = rd_u16(&r);
    rows.bad = r.bad || message.len < HEADER;
    for (unsigned i = 0; i < questions && !rows.bad; i++)
        rows.bad = !skip_question(&rows);
    return rows;
}

// RFC 1035 §4.1.3
static bool read_row(struct dns_rows *r, struct dns_row *out)
{
    size_t owner = r->at;
    if (!dns_name_skip_wire(r->message, &r->at))
        return false;
    struct rd fixed = from(r->message, r->at);
    out->type = rd_u16(&fixed);
    out->class = rd_u16(&fixed);
    out->ttl = rd_u32(&fixed);
    if (out->ttl > INT32_MAX)
        out->ttl = 0;
    out->len = rd_u16(&fixed);
    rd_bytes(&fixed, out->len);
    if (fixed.bad)
        return false;
    out->at = r->at + 10;
    r->at = out->at + out->len;
    out->named = dns_name_from_wire(&out->owner, r->message, &owner);
    return true;
}

bool dns_rows_next(struct dns_rows *r, struct dns_row *out)
{
    if (r->bad || r->left == 0)
        return false;
    r->left--;
    *out = (struct dns_row){.named = false};
    r->bad = !read_row(r, out);
    return !r->bad;
}

struct rdata {
    struct span message;
    const struct dns_row *row;
    struct arena *arena;
    bool full;
};

static struct span rdata_bytes(const struct rdata *d)
{
    return span_first(span_skip(d->message, d->row->at), d->row->len);
}

static bool keep(struct dns_record *out, struct rdata *d, struct span data)
{
    out->data = arena_dup(d->arena, data);
    d->full = d->full || !out->data.at;
    return out->data.at;
}

// A name that begins `skip` bytes into the data and ends with it.
static bool read_name_at(struct dns_record *out, const struct rdata *d, size_t skip)
{
    size_t at = d->row->at + skip;
    return d->row->len > skip && dns_name_from_wire(&out->name, d->message, &at) &&
           at == d->row->at + d->row->len;
}

static bool read_name(struct dns_record *out, struct rdata *d)
{
    return read_name_at(out, d, 0);
}

static bool read_mx(struct dns_record *out, struct rdata *d)
{
    struct rd r = RD(rdata_bytes(d));
    out->preference = rd_u16(&r);
    return !r.bad && read_name_at(out, d, 2);
}

static bool read_address(struct dns_record *out, struct rdata *d)
{
    size_t size = d->row->type == DNS_AAAA ? 16 : 4;
    if (d->row->len != size)
        return false;
    out->address.v6 = size == 16;
    span_bytes(out->address.at, size, rdata_bytes(d));
    return true;
}

static bool read_tlsa(struct dns_record *out, struct rdata *d)
{
    struct rd r = RD(rdata_bytes(d));
    out->short_rdata = r.rest.len < 4;
    if (out->short_rdata)
        return keep(out, d, SPAN(""));
    out->usage = rd_u8(&r);
    out->selector = rd_u8(&r);
    out->matching = rd_u8(&r);
    return keep(out, d, r.rest);
}

// RFC 1035 §3.3.14: one or more strings. Joined in place, behind each other.
static bool read_txt(struct dns_record *out, struct rdata *d)
{
    CLEANUP(buf_free) struct buf joined = BUF(UINT16_MAX);
    struct rd r = RD(rdata_bytes(d));
    do {
        buf_put(&joined, rd_bytes(&r, rd_u8(&r)));
    } while (!r.bad && r.rest.len > 0);
    return !r.bad && keep(out, d, buf_span(&joined));
}

static const struct {
    enum dns_type type;
    const char *text;
    bool (*read)(struct dns_record *out, struct rdata *d);
} types[] = {
    {DNS_A, "A", read_address},       {DNS_NS, "NS", read_name},
    {DNS_CNAME, "CNAME", read_name},  {DNS_PTR, "PTR", read_name},
    {DNS_MX, "MX", read_mx},          {DNS_TXT, "TXT", read_txt},
    {DNS_AAAA, "AAAA", read_address}, {DNS_TLSA, "TLSA", read_tlsa},
};

const char *dns_type_text(enum dns_type t)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].type == t)
            return types[i].text;
    }
    return NULL;
}

bool dns_record_read(struct dns_record *out, struct span message, const struct dns_row *row,
                     struct arena *a, bool *full)
{
    struct rdata d = {.message = message, .row = row, .arena = a};
    *out = (struct dns_record){.preference = 0};
    bool read = false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if ((unsigned)types[i].type == row->type)
            read = types[i].read(out, &d);
    }
    *full = d.full;
    return read;
}

bool dns_packet_holds(struct span packet, unsigned type)
{
    struct dns_rows rows = dns_rows_begin(packet);
    struct dns_row row;
    bool found = false;
    while (dns_rows_next(&rows, &row))
        found = found || row.type == type;
    return found && !rows.bad;
}
