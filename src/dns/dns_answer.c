#include "dns_answer.h"
#include "dns_packet.h"

enum {
    CHAIN_MAX = 16,
    ALIASES_MAX = 64, // CNAMEs in one packet, strays included
    CLASS_IN = 1,
    RCODE_OK = 0,
    RCODE_NXDOMAIN = 3,
    RCODE_BITS = 0xfff, // RFC 6891 §6.1.3
};

const char *dns_standing_text(enum dns_standing s)
{
    static const char *const text[DNS_STANDINGS] = {"indeterminate", "bogus", "insecure", "secure"};
    return s < DNS_STANDINGS ? text[s] : text[DNS_INDETERMINATE];
}

struct alias {
    struct dns_name owner, target;
    uint32_t ttl;
};

struct reading {
    const struct dns_question *q;
    struct span packet;
    struct arena *arena;
    struct dns_answer *out;
    bool seen; // a TTL was seen
};

static void no_answer(struct dns_answer *out, enum dns_standing standing, struct span why)
{
    struct dns_name name = out->expanded;
    *out = (struct dns_answer){
        .standing = standing, .rcode = out->rcode, .expanded = name, .why = why};
}

static void note_ttl(struct reading *r, uint32_t ttl)
{
    if (!r->seen || ttl < r->out->ttl)
        r->out->ttl = ttl;
    r->seen = true;
}

static bool row_is(const struct dns_row *row, enum dns_type type)
{
    return row->named && row->class == CLASS_IN && row->type == (unsigned)type;
}

// Every CNAME of the packet. Walks the whole section: a false return says that
// it does not parse, or that nobody honest sends so many.
static bool gather_aliases(struct reading *r, struct alias *aliases, size_t *count)
{
    struct dns_rows rows = dns_rows_begin(r->packet);
    struct dns_record record;
    bool full;
    for (struct dns_row row; dns_rows_next(&rows, &row);) {
        if (!row_is(&row, DNS_CNAME) || !dns_record_read(&record, r->packet, &row, r->arena, &full))
            continue;
        if (*count == ALIASES_MAX)
            return false;
        aliases[(*count)++] = (struct alias){row.owner, record.name, row.ttl};
    }
    return !rows.bad;
}

static const struct alias *find_alias(const struct alias *aliases, size_t count,
                                      const struct dns_name *owner)
{
    for (size_t i = 0; i < count; i++) {
        if (dns_name_eq(&aliases[i].owner, owner))
            return &aliases[i];
    }
    return NULL;
}

// False: the chain is too long, as every loop is.
static bool follow(struct reading *r, const struct alias *aliases, size_t count)
{
    struct dns_answer *out = r->out;
    for (unsigned hops = 0; hops <= CHAIN_MAX; hops++) {
        const struct alias *next = find_alias(aliases, count, &out->expanded);
        if (!next)
            return true;
        out->aliased = true;
        out->expanded = next->target;
        note_ttl(r, next->ttl);
    }
    return false;
}

static size_t count_rows(const struct reading *r)
{
    struct dns_rows rows = dns_rows_begin(r->packet);
    size_t n = 0;
    for (struct dns_row row; dns_rows_next(&rows, &row);)
        n += row_is(&row, r->q->type) && dns_name_eq(&row.owner, &r->out->expanded);
    return n;
}

// False: no room.
static bool take_records(struct reading *r, size_t expected)
{
    struct dns_answer *out = r->out;
    size_t room = expected < DNS_RECORDS_MAX ? expected : DNS_RECORDS_MAX;
    struct dns_rows rows = dns_rows_begin(r->packet);
    bool full = false;
    out->records = arena_alloc(r->arena, room * sizeof *out->records);
    if (!out->records)
        return false;
    out->unread = expected > room;
    for (struct dns_row row; out->count < room && dns_rows_next(&rows, &row);) {
        if (!row_is(&row, r->q->type) || !dns_name_eq(&row.owner, &out->expanded))
            continue;
        note_ttl(r, row.ttl);
        if (dns_record_read(&out->records[out->count], r->packet, &row, r->arena, &full))
            out->count++;
        else
            out->unread = true;
        if (full)
            return false;
    }
    return true;
}

// NULL: read; else why it cannot be believed.
static const char *read_packet(struct reading *r, const struct dns_verdict *v)
{
    struct alias aliases[ALIASES_MAX];
    size_t alias_count = 0;
    if (!gather_aliases(r, aliases, &alias_count))
        return "the answer is not a well-formed DNS message";
    if (r->q->type != DNS_CNAME && !follow(r, aliases, alias_count))
        return "the chain of CNAME records is too long or loops";
    size_t expected = count_rows(r);
    if (expected > 0 && !take_records(r, expected))
        return "the answer is larger than the memory for it";
    if (expected > 0)
        r->out->presence = DNS_DATA;
    else
        note_ttl(r, v->ttl);
    return NULL;
}

static struct span keep_why(struct span why, struct span otherwise, struct arena *a)
{
    struct span kept = why.len ? arena_dup(a, why) : otherwise;
    return kept.at ? kept : otherwise;
}

static struct span failure_text(const struct dns_verdict *v)
{
    static const char *const names[] = {
        [1] = "the name servers answered FORMERR",
        [2] = "the name servers answered SERVFAIL",
        [4] = "the name servers answered NOTIMP",
        [5] = "the name servers answered REFUSED",
    };
    if (v->no_answer)
        return SPAN("no answer from the name servers");
    const char *text = v->rcode < sizeof names / sizeof names[0] ? names[v->rcode] : NULL;
    return text ? span_str(text) : SPAN("the name servers answered with an error");
}

// Whether the verdict says something to read: the order of the tests matters,
// for a bogus answer comes with rcode 0 and data (TRAPS DANE 13).
static bool believable(struct dns_answer *out, const struct dns_verdict *v, struct arena *a)
{
    if (v->bogus) {
        no_answer(out, DNS_BOGUS, keep_why(v->why, SPAN("DNSSEC validation failed"), a));
        return false;
    }
    if (v->no_answer || (v->rcode != RCODE_OK && v->rcode != RCODE_NXDOMAIN)) {
        no_answer(out, DNS_INDETERMINATE, keep_why(v->why, failure_text(v), a));
        return false;
    }
    return true;
}

void dns_answer_read(struct dns_answer *out, const struct dns_question *q,
                     const struct dns_verdict *v, struct arena *a)
{
    struct reading r = {.q = q, .packet = v->packet, .arena = a, .out = out};
    *out = (struct dns_answer){.rcode = v->rcode & RCODE_BITS, .expanded = q->name};
    if (!believable(out, v, a))
        return;
    out->standing = v->secure ? DNS_SECURE : DNS_INSECURE;
    out->presence = v->rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
    if (v->rcode == RCODE_NXDOMAIN && v->packet.len == 0) {
        out->ttl = v->ttl;
        return;
    }
    const char *fault = read_packet(&r, v);
    if (fault) {
        out->expanded = q->name;
        no_answer(out, DNS_INDETERMINATE, span_str(fault));
    }
}
