// Entries of a zone file (RFC 1035 §5.1).
#include "dns_zone_inner.h"

#include <stdlib.h>

enum { ARENA_MAX = 3 * DNS_ZONE_TEXT_MAX };

// ---- directives ----

static bool set_origin(struct zone_reader *r)
{
    return zone_name(r, &r->words[1], &r->origin);
}

static bool set_ttl(struct zone_reader *r)
{
    r->ttl_set = zone_ttl(r->words[1].text, &r->ttl);
    return r->ttl_set || zone_fault(r, r->words[1].line, "$TTL takes a time, as 3600 or 1h");
}

static bool directive(struct zone_reader *r)
{
    static const struct {
        const char *name;
        bool (*set)(struct zone_reader *r);
    } directives[] = {{"$ORIGIN", set_origin}, {"$TTL", set_ttl}};
    struct zone_word *w = r->words;
    for (size_t i = 0; i < 2; i++) {
        if (!span_ieq(w->text, span_str(directives[i].name)))
            continue;
        if (r->count != 2)
            return zone_fault(r, w->line, "%s takes one word", directives[i].name);
        return directives[i].set(r);
    }
    return zone_fault(r, w->line, "%.*s is not supported", SPAN_FMT(span_first(w->text, 40)));
}

// ---- records ----

static bool add(struct zone_reader *r, const struct zone_record *one)
{
    struct dns_zone *z = r->zone;
    if (z->count == DNS_ZONE_RECORDS_MAX)
        return zone_fault(r, one->line, "more than %d records", DNS_ZONE_RECORDS_MAX);
    if (z->count == z->room) {
        z->room = z->room ? 2 * z->room : 64;
        z->records = mem_resize(z->records, z->room * sizeof *z->records);
    }
    z->records[z->count++] = *one;
    return true;
}

static bool is_class(struct span text)
{
    return span_ieq(text, SPAN("IN"));
}

// [TTL] [class] or [class] [TTL], each at most once, then the type.
static bool record(struct zone_reader *r, size_t at)
{
    struct zone_record one = {.owner = r->owner, .ttl = r->ttl, .line = r->words[0].line};
    bool class = false, ttl = false;
    for (; at < r->count; at++) {
        const struct zone_word *w = &r->words[at];
        if (!class && is_class(w->text))
            class = true;
        else if (!ttl && zone_ttl(w->text, &one.ttl))
            ttl = true;
        else
            break;
    }
    if (at == r->count)
        return zone_fault(r, one.line, "a record without a type");
    if (r->words[at].quoted || !zone_type(r->words[at].text, &one.type))
        return zone_fault(r, r->words[at].line, "'%.*s' is no type of records known here",
                          SPAN_FMT(span_first(r->words[at].text, 40)));
    if (span_ieq(r->words[at].text, SPAN("DNAME"))) // it stands for names that are not here
        return zone_fault(r, r->words[at].line, "DNAME is not supported");
    // RFC 1035 §5.1: what is left out is that of the record before.
    if (!r->ttl_set)
        r->ttl = one.ttl;
    return zone_data(r, &one, r->words + at + 1, r->count - at - 1) && add(r, &one);
}

static bool entry(struct zone_reader *r)
{
    if (!r->indented && !r->words[0].quoted && r->words[0].text.at[0] == '$')
        return directive(r);
    if (r->indented && !r->owned)
        return zone_fault(r, r->words[0].line, "the first record has no owner");
    if (!r->indented)
        r->foreign = zone_name_foreign(&r->words[0]);
    if (r->foreign) { // good DNS ("My\032Printer._ipp._tcp"), but no name is ever made of it
        r->owned = true;
        return true;
    }
    if (r->indented)
        return record(r, 0);
    r->owned = zone_name(r, &r->words[0], &r->owner);
    return r->owned && record(r, 1);
}

// ---- the whole ----

static int by_owner(const void *a, const void *b)
{
    const struct zone_record *x = a, *y = b;
    int order = zone_order(dns_name_span(&x->owner), dns_name_span(&y->owner));
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

// RFC 1034 §3.6.2: a CNAME stands alone. (DNSSEC's records may be beside it.)
static bool check_aliases(struct zone_reader *r)
{
    struct zone_record *at = r->zone->records;
    for (size_t i = 0, end; i < r->zone->count; i = end) {
        size_t real = 0, alias = 0;
        for (end = i; end < r->zone->count && dns_name_eq(&at[i].owner, &at[end].owner); end++) {
            real += at[end].type != 0;
            if (at[end].type == DNS_CNAME)
                alias = at[end].line;
        }
        if (alias && real > 1)
            return zone_fault(r, (unsigned)alias, "%s has a CNAME and other records",
                              at[i].owner.len ? at[i].owner.text : "the root");
    }
    return true;
}

static bool read_all(struct zone_reader *r)
{
    *r->fault = (struct dns_zone_fault){0};
    if (r->rest.len > DNS_ZONE_TEXT_MAX)
        return zone_fault(r, 1, "larger than %d bytes", DNS_ZONE_TEXT_MAX);
    while (zone_words_next(r))
        if (!entry(r))
            return false;
    if (*r->fault->text)
        return false;
    if (r->zone->count)
        qsort(r->zone->records, r->zone->count, sizeof *r->zone->records, by_owner);
    return check_aliases(r);
}

struct dns_zone *dns_zone_new(struct span text, struct dns_zone_fault *fault)
{
    struct dns_zone *z = mem_new(sizeof *z);
    z->arena = ARENA(ARENA_MAX);
    struct zone_reader r = {.zone = z, .fault = fault, .rest = text, .line = 1, .ttl = 3600};
    r.words = mem_new(DNS_ZONE_ITEMS_MAX * sizeof *r.words);
    bool ok = read_all(&r);
    free(r.words);
    if (ok)
        return z;
    dns_zone_free(z);
    return NULL;
}

void dns_zone_free(struct dns_zone *z)
{
    if (!z)
        return;
    arena_free(&z->arena);
    free(z->records);
    free(z);
}
