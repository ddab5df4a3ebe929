#include "auth_dmarc_walk.h"

void auth_dmarc_table_free(struct auth_dmarc_table *t)
{
    arena_free(&t->arena);
}

struct auth_dmarc_lookup *auth_dmarc_table_get(struct auth_dmarc_table *t,
                                               const struct dns_name *domain)
{
    for (size_t i = 0; i < t->count; i++)
        if (dns_name_eq(&t->at[i].domain, domain))
            return &t->at[i];
    if (t->count == DMARC_LOOKUPS_MAX)
        return NULL;
    struct auth_dmarc_lookup *l = &t->at[t->count++];
    *l = (struct auth_dmarc_lookup){.domain = *domain};
    if (!dns_name_prepend(&l->owner, SPAN("_dmarc"), domain))
        l->state = DMARC_ABSENT; // too long for a name: there can be nothing
    return l;
}

struct auth_dmarc_lookup *auth_dmarc_table_next(struct auth_dmarc_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].state == DMARC_WANTED) {
            t->at[i].state = DMARC_ASKED;
            return &t->at[i];
        }
    return NULL;
}

// §4.10 step 2: what is no DMARC record is discarded; several are none.
static void take_records(struct auth_dmarc_lookup *l, const struct dns_answer *a,
                         struct arena *arena)
{
    const struct dns_record *only = NULL;
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++)
        if (auth_dmarc_record_is(a->records[i].data)) {
            only = &a->records[i];
            n++;
        }
    l->state = n == 1 && auth_dmarc_record_parse(&l->record, only->data, arena) ? DMARC_FOUND
                                                                                : DMARC_ABSENT;
}

void auth_dmarc_table_answer(struct auth_dmarc_table *t, struct auth_dmarc_lookup *l,
                             const struct dns_answer *a)
{
    bool unread = a->presence == DNS_DATA && a->count == 0; // records that nobody could read
    if (a->presence == DNS_NO_ANSWER || unread) {
        l->state = DMARC_FAILED;
        l->why = arena_dup(&t->arena, a->why);
        return;
    }
    // A name that is an alias exists, whatever its target is.
    l->nxdomain = a->presence == DNS_NXDOMAIN && !a->aliased;
    take_records(l, a, &t->arena);
}

static size_t labels(const struct dns_name *n)
{
    size_t count = n->len > 0;
    for (size_t i = 0; i < n->len; i++)
        count += n->text[i] == '.';
    return count;
}

bool auth_dmarc_walk_up(struct dns_name *out, const struct dns_name *n, bool first)
{
    size_t left = labels(n);
    if (left < 2)
        return false;
    size_t want = first && left >= DMARC_WALK_MAX ? DMARC_WALK_MAX - 1 : left - 1;
    for (*out = *n; left > want; left--)
        if (!dns_name_parent(out, out))
            return false;
    return true;
}

// What lies one label below `ancestor` on the way to `n`.
static bool below(struct dns_name *out, const struct dns_name *n, const struct dns_name *ancestor)
{
    size_t want = labels(ancestor) + 1;
    if (labels(n) < want)
        return false;
    for (*out = *n; labels(out) > want;)
        if (!dns_name_parent(out, out))
            return false;
    return true;
}

// §4.10.2: `last` is the record with the fewest labels, the only one on the way
// that can have psd=y or psd=n, since the walk stops there.
static void select_organization(struct auth_dmarc_walk *w, struct auth_dmarc_table *t,
                                const struct dns_name *start, const struct auth_dmarc_lookup *last)
{
    w->state = DMARC_WALK_DONE;
    w->organization = *start;
    w->found = last != NULL;
    if (!last)
        return;
    bool psd = last->record.psd == DMARC_PSD_YES && !dns_name_eq(&last->domain, start);
    if (!psd || !below(&w->organization, start, &last->domain)) {
        w->organization = last->domain;
        w->own = last;
        return;
    }
    w->psd = last;
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].state == DMARC_FOUND && dns_name_eq(&t->at[i].domain, &w->organization))
            w->own = &t->at[i];
}

void auth_dmarc_walk(struct auth_dmarc_walk *w, struct auth_dmarc_table *t,
                     const struct dns_name *start)
{
    const struct auth_dmarc_lookup *last = NULL;
    struct dns_name name = *start;
    *w = (struct auth_dmarc_walk){.state = DMARC_WALK_WAITS};
    for (bool first = true, more = true; more; first = false) {
        const struct auth_dmarc_lookup *l = auth_dmarc_table_get(t, &name);
        if (!l || l->state == DMARC_FAILED) {
            w->state = l ? DMARC_WALK_FAILED : DMARC_WALK_FULL;
            w->failed = l;
            return;
        }
        if (l->state == DMARC_WANTED || l->state == DMARC_ASKED)
            return;
        if (l->state == DMARC_FOUND)
            last = l;
        more = !(l->state == DMARC_FOUND && l->record.psd != DMARC_PSD_UNKNOWN) &&
               auth_dmarc_walk_up(&name, &name, first);
    }
    select_organization(w, t, start, last);
}
