// From a day's tallies to the policies of a document.
#include "report_tlsrpt.h"

#include <stdlib.h>
#include <string.h>

static int bytes_order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.at, b.at, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int tally_order(const void *a, const void *b)
{
    const struct report_tls_tally *const *x = a, *const *y = b;
    int order = bytes_order((*x)->policy, (*y)->policy);
    return order ? order : bytes_order((*x)->failure, (*y)->failure);
}

// The most frequent first; of equal ones in the order of the enum, so that a day gives one
// document.
static int failure_order(const void *a, const void *b)
{
    const struct report_tls_failure *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    if (x->result != y->result)
        return (x->result > y->result) - (x->result < y->result);
    return bytes_order(x->mx_hostname, y->mx_hostname);
}

static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum = a + b;
    return sum < a || sum > INT64_MAX ? INT64_MAX : sum;
}

static bool same_kind(const struct report_tls_failure *a, const struct report_tls_failure *b,
                      bool with_mx)
{
    return a->result == b->result && span_eq(a->result_text, b->result_text) &&
           (with_mx ? span_eq(a->mx_hostname, b->mx_hostname) : a->mx_hostname.len == 0);
}

// Into an entry of its result type and MX; where there are too many of these, of its type alone.
static size_t merge_one(struct report_tls_failure *merged, size_t count, size_t max,
                        const struct report_tls_failure *f)
{
    for (unsigned with_mx = 2; with_mx-- > 0;) {
        for (size_t i = 0; i < count; i++)
            if (same_kind(&merged[i], f, with_mx)) {
                merged[i].count = add(merged[i].count, f->count);
                return count;
            }
        if (count < max || !with_mx) {
            merged[count] = (struct report_tls_failure){
                .result = f->result, .result_text = f->result_text, .count = f->count};
            if (with_mx)
                merged[count].mx_hostname = f->mx_hostname;
            return count + 1;
        }
    }
    return count;
}

static void details_merge(struct report_tls_policy *p, size_t max)
{
    struct report_tls_failure *rest = p->details + max;
    size_t count = 0;
    for (size_t i = 0; i < p->detail_count - max; i++) { // `rest` is written behind what was read
        struct report_tls_failure f = rest[i];
        count = merge_one(rest, count, max, &f);
    }
    p->detail_count = max + count;
}

// One policy: `t` points at the first of `count` tallies that have its bytes.
static bool policy_tally(struct report_tls_policy *p, const struct report_tls_tally **t,
                         size_t count, size_t details_max, struct arena *a, size_t *bad)
{
    p->details = count ? arena_alloc(a, count * sizeof *p->details) : NULL;
    if (!p->details)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct rd r = RD(t[i]->failure);
        struct report_tls_failure *f = &p->details[p->detail_count];
        if (!t[i]->failure.len) {
            p->successes = add(p->successes, t[i]->sessions);
            continue;
        }
        bool good = report_tls_failure_unpack(&r, f, a);
        p->failures = add(p->failures, t[i]->sessions);
        f->count = t[i]->times;
        p->detail_count += good;
        *bad += !good;
    }
    qsort(p->details, p->detail_count, sizeof *p->details, failure_order);
    if (p->detail_count > details_max)
        details_merge(p, details_max);
    return true;
}

static size_t run_of(const struct report_tls_tally **t, size_t count)
{
    size_t n = 1;
    while (n < count && bytes_order(t[0]->policy, t[n]->policy) == 0)
        n++;
    return n;
}

bool report_tlsrpt_tally(struct report_tlsrpt *out, const struct report_tls_tally *tallies,
                         size_t count, size_t details_max, struct arena *a, size_t *bad)
{
    size_t room = count ? count : 1;
    const struct report_tls_tally **t = arena_alloc(a, room * sizeof *t);
    out->policies = arena_alloc(a, room * sizeof *out->policies);
    out->policy_count = *bad = 0;
    if (!t || !out->policies)
        return false;
    for (size_t i = 0; i < count; i++)
        t[i] = &tallies[i];
    qsort(t, count, sizeof(struct report_tls_tally *), tally_order);
    for (size_t i = 0, run; i < count; i += run) {
        struct rd r = RD(t[i]->policy);
        struct report_tls_policy *p = &out->policies[out->policy_count];
        run = run_of(t + i, count - i);
        if (out->policy_count == REPORT_TLS_POLICIES_MAX || !report_tls_policy_unpack(&r, p, a)) {
            *bad += run;
            continue;
        }
        if (!policy_tally(p, t + i, run, details_max, a, bad))
            return false;
        out->policy_count++;
    }
    return true;
}
