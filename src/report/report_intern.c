#include "report_intern.h"

enum { LINE_MAX = 1000 };

struct report_intern_entry {
    struct report_intern_entry *next;
    struct span raw, clean;
    bool domain;
};

static uint32_t hash(struct span s, bool domain) // FNV-1a
{
    uint32_t h = 2166136261U + domain;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.at[i]) * 16777619U;
    return h ^ h >> 15;
}

static struct span cleaned(struct report_intern *t, struct span text, bool domain)
{
    return domain ? report_domain(t->arena, text, t->notes)
                  : report_line(t->arena, text, LINE_MAX, t->notes);
}

// Chains are short whoever chose the texts: what has no place in one is not shared.
static struct span intern(struct report_intern *t, struct span text, bool domain)
{
    struct report_intern_entry **bucket = &t->buckets[hash(text, domain) % REPORT_INTERN_BUCKETS];
    unsigned length = 0;
    for (struct report_intern_entry *e = *bucket; e; e = e->next, length++)
        if (e->domain == domain && span_eq(e->raw, text))
            return e->clean;
    struct span clean = cleaned(t, text, domain);
    if (!clean.at || length >= REPORT_INTERN_CHAIN)
        return clean;
    struct report_intern_entry *e = arena_alloc(t->arena, sizeof *e);
    struct span raw = span_eq(text, clean) ? clean : arena_dup(t->arena, text);
    if (e && raw.at) {
        *e = (struct report_intern_entry){*bucket, raw, clean, domain};
        *bucket = e;
    }
    return clean;
}

struct span report_intern_line(struct report_intern *t, struct span text)
{
    return intern(t, text, false);
}

struct span report_intern_domain(struct report_intern *t, struct span text)
{
    return intern(t, text, true);
}
