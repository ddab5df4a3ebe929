#include "zone.h"
#include "base_code.h"
#include "base_rc.h"
#include <stdlib.h>

enum { ZONE_CEILING = 8 << 20, CHAIN_MAX = 16 };

#define TYPE_ANY ((enum dns_type)0)

enum row_kind {
    ROW_RECORD,
    ROW_NODATA,
    ROW_EMPTY,
    ROW_TIMEOUT,
    ROW_SERVFAIL,
    ROW_BOGUS,
    ROW_KINDS
};

struct row {
    struct row *next;
    struct dns_name owner;
    enum dns_type type;
    enum row_kind kind;
    enum dns_standing standing;
    struct dns_record record;
};

struct asked {
    struct asked *next;
    const char *text;
};

struct zone {
    struct arena arena;
    struct row *first, **last;
    struct asked *asked, **asked_last;
    unsigned questions;
    enum dns_standing standing;
};

static void *take(struct zone *z, size_t size)
{
    void *p = arena_alloc(&z->arena, size);
    if (!p)
        panic("test zone: full");
    return p;
}

struct zone *zone_new(const char *text)
{
    struct zone *z = mem_new(sizeof *z);
    z->arena = ARENA(ZONE_CEILING);
    z->last = &z->first;
    z->asked_last = &z->asked;
    z->standing = DNS_INSECURE;
    zone_read(z, span_str(text));
    return z;
}

void zone_free(struct zone **z)
{
    if (!*z)
        return;
    arena_free(&(*z)->arena);
    free(*z);
    *z = NULL;
}

static bool type_of(struct span text, enum dns_type *out)
{
    static const enum dns_type known[] = {DNS_A,  DNS_NS,  DNS_CNAME, DNS_PTR,
                                          DNS_MX, DNS_TXT, DNS_AAAA,  DNS_TLSA};
    *out = TYPE_ANY;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_ieq(text, span_str(dns_type_text(known[i]))))
            *out = known[i];
    return *out != TYPE_ANY || span_eq(text, SPAN("*"));
}

static bool kind_of(struct span value, enum row_kind *out)
{
    static const char *const words[ROW_KINDS] = {"",         "!nodata",   "!empty",
                                                 "!timeout", "!servfail", "!bogus"};
    *out = ROW_RECORD;
    for (int k = ROW_NODATA; k < ROW_KINDS; k++)
        if (span_eq(value, span_str(words[k])))
            *out = (enum row_kind)k;
    return *out != ROW_RECORD;
}

static struct span word(struct span *rest)
{
    *rest = span_trim(*rest);
    size_t n = 0;
    while (n < rest->len && rest->at[n] != ' ' && rest->at[n] != '\t')
        n++;
    struct span w = span_first(*rest, n);
    *rest = span_trim(span_skip(*rest, n));
    return w;
}

static bool number(struct span *rest, uint64_t max, uint64_t *out)
{
    return span_number(word(rest), max, out);
}

static bool tlsa(struct zone *z, struct dns_record *r, struct span v)
{
    CLEANUP(buf_free) struct buf b = BUF(65536);
    uint64_t usage, selector, matching;
    if (!number(&v, 255, &usage) || !number(&v, 255, &selector) || !number(&v, 255, &matching) ||
        !code_get_hex(&b, v))
        return false;
    r->usage = (uint8_t)usage;
    r->selector = (uint8_t)selector;
    r->matching = (uint8_t)matching;
    r->data = arena_dup(&z->arena, buf_span(&b));
    return true;
}

static bool record_of(struct zone *z, struct row *row, struct span v)
{
    struct dns_record *r = &row->record;
    uint64_t preference = 0;
    switch (row->type) {
    case DNS_TXT:
        r->data = arena_dup(&z->arena, v);
        return true;
    case DNS_TLSA:
        return tlsa(z, r, v);
    case DNS_A:
    case DNS_AAAA:
        return dns_address_parse(&r->address, v) && r->address.v6 == (row->type == DNS_AAAA);
    case DNS_MX:
        if (!number(&v, 65535, &preference))
            return false;
        r->preference = (uint16_t)preference;
        return dns_name_parse(&r->name, v.len ? v : SPAN("."));
    default:
        return dns_name_parse(&r->name, v);
    }
}

bool zone_add(struct zone *z, struct span name, struct span type, struct span value)
{
    struct row row = {.standing = z->standing};
    if (!dns_name_parse(&row.owner, name) || !type_of(type, &row.type))
        return false;
    bool special = kind_of(value, &row.kind);
    if (!special && (row.type == TYPE_ANY || !record_of(z, &row, value)))
        return false;
    struct row *kept = take(z, sizeof *kept);
    *kept = row;
    *z->last = kept;
    z->last = &kept->next;
    return true;
}

static char escaped(struct span *s)
{
    uint64_t n;
    if (s->len >= 4 && span_number(span_first(span_skip(*s, 1), 3), 255, &n)) {
        *s = span_skip(*s, 4);
        return (char)n;
    }
    char c = s->len > 1 ? s->at[1] : '\\';
    *s = span_skip(*s, 2);
    return c;
}

// "…" "…" joined.
static void unquote(struct buf *b, struct span s)
{
    while (s.len) {
        if (s.at[0] != '"')
            panic("test zone: text behind a string");
        s = span_skip(s, 1);
        while (s.len && s.at[0] != '"') {
            if (s.at[0] == '\\') {
                buf_putc(b, escaped(&s));
                continue;
            }
            buf_putc(b, s.at[0]);
            s = span_skip(s, 1);
        }
        s = span_trim(span_skip(s, 1));
    }
}

static void read_line(struct zone *z, struct span line)
{
    CLEANUP(buf_free) struct buf quoted = BUF(1 << 20);
    struct span whole = line, name = word(&line);
    if (name.len == 0 || name.at[0] == '#')
        return;
    if (name.at[0] == '$') {
        z->standing = span_eq(name, SPAN("$secure")) ? DNS_SECURE : DNS_INSECURE;
        return;
    }
    struct span type = word(&line);
    if (span_ieq(type, SPAN("TXT")) && span_starts(line, SPAN("\""))) {
        unquote(&quoted, line);
        line = buf_span(&quoted);
    }
    if (!zone_add(z, name, type, line))
        panic("test zone: cannot read '%.*s'", SPAN_FMT(whole));
}

void zone_read(struct zone *z, struct span text)
{
    while (text.len)
        read_line(z, span_cut(&text, '\n'));
}

static bool below(struct span name, struct span of)
{
    return name.len > of.len && span_ends(name, of) && name.at[name.len - of.len - 1] == '.';
}

static bool exists(const struct zone *z, struct span name)
{
    for (const struct row *r = z->first; r; r = r->next)
        if (span_eq(dns_name_span(&r->owner), name) || below(dns_name_span(&r->owner), name))
            return true;
    return false;
}

// The owner whose lines count: the name, else the wildcard at the closest
// encloser (RFC 4592 §3.3.1). False: there is none.
static bool owner_of(const struct zone *z, const struct dns_name *name, struct dns_name *out)
{
    struct dns_name encloser = *name;
    *out = *name;
    if (exists(z, dns_name_span(name)))
        return true;
    while (dns_name_parent(&encloser, &encloser) && !dns_name_is_root(&encloser) &&
           !exists(z, dns_name_span(&encloser)))
        continue;
    return dns_name_prepend(out, SPAN("*"), &encloser) && exists(z, dns_name_span(out));
}

static void refuse(struct dns_answer *out, enum row_kind kind)
{
    bool bogus = kind == ROW_BOGUS;
    *out = (struct dns_answer){.standing = bogus ? DNS_BOGUS : DNS_INDETERMINATE,
                               .expanded = out->expanded,
                               .rcode = kind == ROW_SERVFAIL ? 2 : 0,
                               .why = bogus ? SPAN("the signature does not verify")
                                      : kind == ROW_TIMEOUT
                                          ? SPAN("no answer from the name servers")
                                          : SPAN("the name servers answered SERVFAIL")};
}

static size_t count_of(const struct zone *z, const struct dns_name *owner, enum dns_type type)
{
    size_t n = 0;
    for (const struct row *r = z->first; r; r = r->next)
        n += r->type == type && dns_name_eq(&r->owner, owner);
    return n;
}

// Adds what the rows of that owner and type say; false: a failure.
static bool gather(const struct zone *z, const struct dns_name *owner, enum dns_type type,
                   struct dns_answer *out)
{
    for (const struct row *r = z->first; r; r = r->next) {
        if (r->type != type || !dns_name_eq(&r->owner, owner))
            continue;
        if (r->kind > ROW_EMPTY) {
            refuse(out, r->kind);
            return false;
        }
        out->standing = out->standing < r->standing ? out->standing : r->standing;
        if (r->kind != ROW_NODATA)
            out->presence = DNS_DATA;
        if (r->kind == ROW_RECORD && out->count < DNS_RECORDS_MAX)
            out->records[out->count++] = r->record;
    }
    return true;
}

static const struct row *alias_of(const struct zone *z, const struct dns_name *owner)
{
    for (const struct row *r = z->first; r; r = r->next)
        if (r->type == DNS_CNAME && r->kind == ROW_RECORD && dns_name_eq(&r->owner, owner))
            return r;
    return NULL;
}

// The lines of one name of a chain; true: go on at out->expanded.
static bool look(const struct zone *z, enum dns_type type, struct dns_answer *out)
{
    struct dns_name owner;
    if (!owner_of(z, &out->expanded, &owner)) {
        out->presence = DNS_NXDOMAIN;
        out->rcode = 3;
        return false;
    }
    out->presence = DNS_NODATA;
    const struct row *alias = type == DNS_CNAME ? NULL : alias_of(z, &owner);
    if (alias) {
        out->aliased = true;
        out->expanded = alias->record.name;
        return true;
    }
    gather(z, &owner, count_of(z, &owner, type) ? type : TYPE_ANY, out);
    return false;
}

static void note(struct zone *z, const struct dns_question *q)
{
    CLEANUP(buf_free) struct buf b = BUF(512);
    const char *type = dns_type_text(q->type);
    buf_printf(&b, "%s %s", q->name.text, type ? type : "?");
    struct asked *a = take(z, sizeof *a);
    a->text = arena_dup(&z->arena, buf_span(&b)).at;
    *z->asked_last = a;
    z->asked_last = &a->next;
    z->questions++;
}

struct dns_answer zone_answer(struct zone *z, const struct dns_question *q, struct arena *a)
{
    struct dns_answer out = {.standing = DNS_SECURE, .ttl = 300, .expanded = q->name};
    out.records = arena_alloc(a, DNS_RECORDS_MAX * sizeof *out.records);
    if (!out.records)
        panic("test zone: no room for an answer");
    note(z, q);
    unsigned hops = 0;
    while (look(z, q->type, &out))
        if (++hops > CHAIN_MAX) {
            refuse(&out, ROW_SERVFAIL);
            return out;
        }
    if (out.presence == DNS_NODATA || out.presence == DNS_NXDOMAIN)
        out.standing = z->standing;
    return out;
}

unsigned zone_questions(const struct zone *z)
{
    return z->questions;
}

const char *zone_question(const struct zone *z, unsigned n)
{
    const struct asked *a = z->asked;
    while (a && n--)
        a = a->next;
    return a ? a->text : NULL;
}

void zone_pending_add(struct zone_pending *p, const struct auth_step *step)
{
    if (p->count == ZONE_PENDING_MAX)
        panic("test zone: more than %d questions at once", ZONE_PENDING_MAX);
    p->at[p->count++] = *step;
}

bool zone_pending_take(struct zone_pending *p, struct auth_step *out)
{
    if (p->count == 0)
        return false;
    size_t pick = 0;
    if (p->seed) {
        p->seed = p->seed * 1103515245u + 12345u;
        pick = p->seed / 65536u % p->count;
    }
    *out = p->at[pick];
    for (size_t i = pick + 1; i < p->count; i++)
        p->at[i - 1] = p->at[i];
    p->count--;
    return true;
}
