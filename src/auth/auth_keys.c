// All keys there are, and how each leads its life.
#include "auth_keys.h"

#include <stdlib.h>

void auth_keys_free(struct auth_keys *keys)
{
    free(keys->at);
    free(keys->changed);
    *keys = (struct auth_keys){0};
}

static int order(struct span a, struct span b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++)
        if (a.at[i] != b.at[i])
            return (unsigned char)a.at[i] < (unsigned char)b.at[i] ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}

static int compare(const struct auth_key *a, const struct auth_key *b)
{
    int domain = order(dns_name_span(&a->domain), dns_name_span(&b->domain));
    if (domain)
        return domain;
    if (a->algorithm != b->algorithm)
        return a->algorithm < b->algorithm ? -1 : 1;
    if (a->created.us != b->created.us)
        return a->created.us < b->created.us ? -1 : 1;
    return order(dns_name_span(&a->selector), dns_name_span(&b->selector));
}

static bool same_name(const struct auth_key *a, const struct auth_key *b)
{
    return dns_name_eq(&a->domain, &b->domain) && dns_name_eq(&a->selector, &b->selector);
}

bool auth_keys_add(struct auth_keys *keys, const struct auth_key *k)
{
    size_t place = keys->count;
    if (keys->count == AUTH_KEYS_MAX)
        return false;
    for (size_t i = keys->count; i-- > 0;) {
        if (same_name(&keys->at[i], k))
            return false;
        if (compare(k, &keys->at[i]) < 0)
            place = i;
    }
    keys->at = mem_resize(keys->at, (keys->count + 1) * sizeof *keys->at);
    keys->changed = mem_resize(keys->changed, (keys->count + 1) * sizeof *keys->changed);
    for (size_t i = keys->count++; i > place; i--) {
        keys->at[i] = keys->at[i - 1];
        keys->changed[i] = keys->changed[i - 1];
    }
    keys->at[place] = *k;
    keys->changed[place] = false;
    return true;
}

size_t auth_keys_find(const struct auth_keys *keys, const struct dns_name *domain,
                      const struct dns_name *selector)
{
    size_t i = 0;
    while (i < keys->count && !(dns_name_eq(&keys->at[i].domain, domain) &&
                                dns_name_eq(&keys->at[i].selector, selector)))
        i++;
    return i;
}

bool auth_key_same_use(const struct auth_key *a, const struct auth_key *b)
{
    return a->algorithm == b->algorithm && a->services == b->services &&
           dns_name_eq(&a->domain, &b->domain) &&
           span_ieq(span_str(a->sender), span_str(b->sender));
}

struct wall auth_key_removable(const struct auth_key *k, int64_t keep)
{
    if (k->retired.us == 0)
        return WALL_NEVER;
    return k->active.us ? (struct wall){k->retired.us + keep} : k->retired;
}

enum auth_key_phase auth_key_phase(const struct auth_key *k, struct wall now, int64_t keep)
{
    if (k->gone.us)
        return AUTH_KEY_GONE;
    if (k->retired.us)
        return now.us >= auth_key_removable(k, keep).us ? AUTH_KEY_REMOVABLE : AUTH_KEY_RETIRED;
    return k->active.us ? AUTH_KEY_ACTIVE : AUTH_KEY_WAITING;
}

bool auth_key_awaits(const struct auth_key *k, struct wall now, int64_t keep)
{
    enum auth_key_phase phase = auth_key_phase(k, now, keep);
    return phase == AUTH_KEY_WAITING || phase == AUTH_KEY_REMOVABLE;
}

// The moment of retiring is no earlier than that of becoming active, whatever the
// clock was set to meanwhile: what is kept is kept long enough.
static void retire(struct auth_keys *keys, size_t i, struct wall now)
{
    struct auth_key *k = &keys->at[i];
    k->retired = now.us < k->active.us ? k->active : now;
    keys->changed[i] = true;
}

static bool signs(const struct auth_key *k)
{
    return k->active.us && k->retired.us == 0 && k->gone.us == 0;
}

static bool takes_over(const struct auth_keys *keys, size_t i, size_t from)
{
    return i != from && signs(&keys->at[from]) && auth_key_same_use(&keys->at[i], &keys->at[from]);
}

static void activate(struct auth_keys *keys, size_t i, struct wall now)
{
    for (size_t n = 0; n < keys->count; n++)
        if (takes_over(keys, i, n))
            retire(keys, n, now);
    keys->at[i].active = now;
    keys->changed[i] = true;
}

// Without another the key signs at once: mail would have no signature at all.
static int64_t settling(const struct auth_keys *keys, size_t i, const struct auth_key_rules *rules)
{
    for (size_t n = 0; n < keys->count; n++)
        if (takes_over(keys, i, n))
            return rules->settle;
    return 0;
}

struct wall auth_key_settled(const struct auth_keys *keys, size_t i,
                             const struct auth_key_rules *rules)
{
    const struct auth_key *k = &keys->at[i];
    if (k->seen.us == 0 || k->active.us || k->retired.us || k->gone.us)
        return WALL_NEVER;
    return (struct wall){k->seen.us + settling(keys, i, rules)};
}

static bool set_seen(struct auth_keys *keys, size_t i, struct wall when)
{
    if (keys->at[i].seen.us == when.us)
        return false;
    keys->at[i].seen = when;
    return keys->changed[i] = true;
}

static bool waiting_saw(struct auth_keys *keys, size_t i, enum auth_key_sight sight,
                        struct wall now, const struct auth_key_rules *rules)
{
    struct wall seen = keys->at[i].seen;
    if (sight == AUTH_KEY_UNKNOWN)
        return false;
    if (sight != AUTH_KEY_SHOWN)
        return set_seen(keys, i, (struct wall){0});
    // A clock that was set back begins anew.
    bool changed = set_seen(keys, i, seen.us && seen.us <= now.us ? seen : now);
    if (now.us < auth_key_settled(keys, i, rules).us)
        return changed;
    activate(keys, i, now);
    return true;
}

bool auth_keys_saw(struct auth_keys *keys, size_t i, enum auth_key_sight sight, struct wall now,
                   const struct auth_key_rules *rules)
{
    enum auth_key_phase phase = auth_key_phase(&keys->at[i], now, rules->keep);
    if (phase == AUTH_KEY_WAITING)
        return waiting_saw(keys, i, sight, now, rules);
    if (phase != AUTH_KEY_REMOVABLE || sight != AUTH_KEY_ABSENT)
        return false;
    keys->at[i].gone = now;
    return keys->changed[i] = true;
}

void auth_keys_retire(struct auth_keys *keys, size_t i, struct wall now)
{
    if (keys->at[i].retired.us == 0)
        retire(keys, i, now);
}
