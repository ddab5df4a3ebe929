#include "trust_tlsa.h"

#include "base_code.h"

#include <stdlib.h>

enum { FULL, SHA256, SHA512 };
static const size_t digest_length[] = {[SHA256] = 32, [SHA512] = 64};

// A certificate or key in full is one DER SEQUENCE and nothing behind it.
static bool is_der_sequence(struct span s)
{
    struct rd r = RD(s);
    if (rd_u8(&r) != 0x30)
        return false;
    uint64_t length = rd_u8(&r);
    if (length >= 0x80) {
        size_t bytes = length & 0x7f;
        if (bytes == 0 || bytes > 3)
            return false;
        for (length = 0; bytes; bytes--)
            length = length << 8 | rd_u8(&r);
    }
    return !r.bad && length == r.rest.len && length > 0;
}

// Usages 0 and 1 are of no use to SMTP (RFC 7672 §3.1.3).
static bool is_usable(const struct dns_record *r)
{
    if (r->short_rdata || (r->usage != 2 && r->usage != 3) || r->selector > 1)
        return false;
    if (r->matching == FULL)
        return is_der_sequence(r->data);
    return r->matching <= SHA512 && r->data.len == digest_length[r->matching];
}

// RFC 7671 §9: for each usage and selector only the strongest digest counts
// (SHA-512 before SHA-256); full values always do.
static size_t prefer_stronger(struct trust_tlsa *t, size_t count)
{
    bool strong[4][2] = {{false}};
    size_t usable = 0;
    for (size_t i = 0; i < count; i++)
        if (t[i].usable && t[i].matching == SHA512)
            strong[t[i].usage][t[i].selector] = true;
    for (size_t i = 0; i < count; i++) {
        if (t[i].usable && t[i].matching == SHA256 && strong[t[i].usage][t[i].selector])
            t[i].usable = false;
        usable += t[i].usable;
    }
    return usable;
}

// Resolvers turn an RRset round, and its order says nothing (RFC 2181 §5): sorted,
// the same set is the same plan, and a connection made by it serves again.
static int by_content(const void *a, const void *b)
{
    const struct trust_tlsa *x = a, *y = b;
    const int orders[] = {x->short_rdata - y->short_rdata, x->usage - y->usage,
                          x->selector - y->selector, x->matching - y->matching};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (orders[i])
            return orders[i];
    return span_compare(x->data, y->data);
}

bool trust_tlsa_take(const struct dns_answer *answer, struct arena *a, struct trust_tlsa **out,
                     size_t *count, size_t *usable)
{
    size_t bytes = 0, n = answer->count;
    if (n > TRUST_TLSA_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        bytes += answer->records[i].data.len;
    struct trust_tlsa *t =
        bytes > TRUST_TLSA_BYTES_MAX ? NULL : arena_alloc(a, (n + 1) * sizeof *t);
    if (!t)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct dns_record *r = &answer->records[i];
        t[i] = (struct trust_tlsa){r->usage,     r->selector,    r->matching,
                                   is_usable(r), r->short_rdata, arena_dup(a, r->data)};
        if (!t[i].data.at)
            return false;
    }
    qsort(t, n, sizeof *t, by_content);
    *out = t;
    *count = n;
    *usable = prefer_stronger(t, n);
    return true;
}

void trust_tlsa_put(struct buf *b, const struct trust_tlsa *t)
{
    if (t->short_rdata) {
        buf_put(b, SPAN("malformed"));
        return;
    }
    buf_printf(b, "%u %u %u ", t->usage, t->selector, t->matching);
    code_put_hex(b, t->data);
}
