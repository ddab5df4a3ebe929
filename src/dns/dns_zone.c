// The tree of names and its answers. Records stand in canonical order, so a name
// is followed by all that is below it.
#include "dns_zone_inner.h"

enum { CHAIN_MAX = 16 };

// The last label, cut off.
static struct span last_label(struct span *name)
{
    size_t at = name->len;
    while (at > 0 && name->at[at - 1] != '.')
        at--;
    struct span label = span_skip(*name, at);
    *name = span_first(*name, at ? at - 1 : 0);
    return label;
}

static int order_labels(struct span a, struct span b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++)
        if (a.at[i] != b.at[i])
            return (unsigned char)a.at[i] < (unsigned char)b.at[i] ? -1 : 1;
    return (a.len > b.len) - (a.len < b.len);
}

int zone_order(struct span a, struct span b)
{
    while (a.len && b.len) {
        int order = order_labels(last_label(&a), last_label(&b));
        if (order)
            return order;
    }
    return (a.len > 0) - (b.len > 0);
}

// The first record whose owner is not before the name.
static size_t find(const struct dns_zone *z, const struct dns_name *n)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone_order(dns_name_span(&z->records[middle].owner), dns_name_span(n)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_below(const struct dns_name *n, const struct dns_name *top)
{
    return top->len == 0 || (n->len > top->len && n->text[n->len - top->len - 1] == '.' &&
                             span_ends(dns_name_span(n), dns_name_span(top)));
}

struct node {
    size_t first, end; // its records
    bool exists;       // also where only names below it have records (RFC 8020)
};

static struct node look(const struct dns_zone *z, const struct dns_name *n)
{
    struct node d = {.first = find(z, n)};
    for (d.end = d.first; d.end < z->count && dns_name_eq(&z->records[d.end].owner, n);)
        d.end++;
    d.exists = d.end > d.first || (d.end < z->count && is_below(&z->records[d.end].owner, n));
    return d;
}

// RFC 4592 §3.3.1: the wildcard below the closest encloser, and no other.
static struct node look_wild(const struct dns_zone *z, const struct dns_name *n)
{
    struct dns_name up = *n, wild;
    struct node none = {0};
    while (dns_name_parent(&up, &up))
        if (up.len == 0 || look(z, &up).exists)
            return dns_name_prepend(&wild, SPAN("*"), &up) ? look(z, &wild) : none;
    return none;
}

static const struct zone_record *alias_of(const struct dns_zone *z, struct node d)
{
    for (size_t i = d.first; i < d.end; i++)
        if (z->records[i].type == DNS_CNAME)
            return &z->records[i];
    return NULL;
}

static void least_ttl(struct dns_answer *out, uint32_t ttl)
{
    out->ttl = ttl < out->ttl ? ttl : out->ttl;
}

static void fail(struct dns_answer *out, const struct dns_question *q, struct span why)
{
    *out = (struct dns_answer){.standing = DNS_INDETERMINATE, .expanded = q->name, .why = why};
}

static bool copy_record(struct dns_record *to, const struct zone_record *from, struct arena *a)
{
    *to = from->data;
    if (!from->data.data.at)
        return true;
    to->data = arena_dup(a, from->data.data);
    return to->data.at;
}

static bool take(const struct dns_zone *z, struct node d, enum dns_type type,
                 struct dns_answer *out, struct arena *a)
{
    for (size_t i = d.first; i < d.end; i++)
        out->count += z->records[i].type == type;
    if (out->count > DNS_RECORDS_MAX)
        out->count = DNS_RECORDS_MAX;
    out->records = arena_alloc(a, (out->count + 1) * sizeof *out->records);
    if (!out->records)
        return false;
    for (size_t i = d.first, n = 0; i < d.end && n < out->count; i++) {
        if (z->records[i].type != type)
            continue;
        least_ttl(out, z->records[i].ttl);
        if (!copy_record(&out->records[n++], &z->records[i], a))
            return false;
    }
    out->presence = out->count ? DNS_DATA : DNS_NODATA;
    return true;
}

void dns_zone_answer(const struct dns_zone *z, const struct dns_question *q, struct dns_answer *out,
                     struct arena *a)
{
    *out = (struct dns_answer){.standing = DNS_INSECURE, .ttl = INT32_MAX, .expanded = q->name};
    for (unsigned links = 0; links <= CHAIN_MAX; links++) {
        struct node d = look(z, &out->expanded);
        if (!d.exists)
            d = look_wild(z, &out->expanded);
        const struct zone_record *alias = q->type == DNS_CNAME ? NULL : alias_of(z, d);
        if (!alias) {
            if (!d.exists) {
                out->presence = DNS_NXDOMAIN;
                out->rcode = 3;
            } else if (!take(z, d, q->type, out, a)) {
                fail(out, q, SPAN("the answer is too large"));
            }
            if (out->ttl == INT32_MAX)
                out->ttl = 0;
            return;
        }
        least_ttl(out, alias->ttl);
        out->aliased = true;
        out->expanded = alias->data.name;
    }
    fail(out, q, SPAN("CNAMEs lead too far, or in a circle"));
}
