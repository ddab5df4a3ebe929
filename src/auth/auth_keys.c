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

static void activate(struct auth_keys *keys, size_t i, struct wall now)
{
    struct auth_key *k = &keys->at[i];
    k->seen = k->active = now;
    keys->changed[i] = true;
    for (size_t n = 0; n < keys->count; n++) {
        struct auth_key *old = &keys->at[n];
        if (n != i && old->active.us && old->retired.us == 0 && old->algorithm == k->algorithm &&
            dns_name_eq(&old->domain, &k->domain))
            retire(keys, n, now);
    }
}

bool auth_keys_saw(struct auth_keys *keys, size_t i, enum auth_key_sight sight, struct wall now,
                   int64_t keep)
{
    struct auth_key *k = &keys->at[i];
    enum auth_key_phase phase = auth_key_phase(k, now, keep);
    if (phase == AUTH_KEY_WAITING && sight == AUTH_KEY_SHOWN) {
        activate(keys, i, now);
        return true;
    }
    if (phase == AUTH_KEY_REMOVABLE && sight == AUTH_KEY_ABSENT) {
        k->gone = now;
        keys->changed[i] = true;
        return true;
    }
    return false;
}

void auth_keys_retire(struct auth_keys *keys, size_t i, struct wall now)
{
    if (keys->at[i].retired.us == 0)
        retire(keys, i, now);
}

size_t auth_keys_signing(const struct auth_keys *keys, const struct dns_name *domain, size_t *out,
                         size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < keys->count && n < most; i++) {
        const struct auth_key *k = &keys->at[i];
        if (k->active.us && k->retired.us == 0 && dns_name_eq(&k->domain, domain))
            out[n++] = i;
    }
    return n;
}
