#include "queue_table.h"

#include "base_rc.h"

#include <stdlib.h>

uint64_t queue_hash_mix(uint64_t v)
{
    v ^= v >> 32;
    v *= UINT64_C(0x9e3779b97f4a7c15);
    v ^= v >> 29;
    v *= UINT64_C(0xd6e8feb86659fd93);
    return v ^ v >> 32;
}

uint64_t queue_hash(struct span s, uint64_t seed)
{
    uint64_t h = queue_hash_mix(seed ^ s.len), word = 0;
    for (size_t i = 0; i < s.len; i++) {
        word = word << 8 | (unsigned char)s.at[i];
        if (i % 8 == 7) {
            h = queue_hash_mix(h ^ word) + seed;
            word = 0;
        }
    }
    return queue_hash_mix(h ^ word);
}

void queue_table_free(struct queue_table *t)
{
    free(t->at);
    *t = (struct queue_table){0};
}

static struct queue_node **bucket(const struct queue_table *t, uint64_t hash)
{
    return &t->at[hash & (t->cap - 1)]; // cap is a power of two
}

static void grow(struct queue_table *t)
{
    struct queue_table old = *t;
    t->cap = old.cap ? old.cap * 2 : 16;
    t->at = mem_new(t->cap * sizeof *t->at);
    for (size_t i = 0; i < old.cap; i++) {
        for (struct queue_node *n = old.at[i], *next; n; n = next) {
            next = n->next;
            struct queue_node **to = bucket(t, n->hash);
            n->next = *to;
            *to = n;
        }
    }
    free(old.at);
}

void queue_table_put(struct queue_table *t, struct queue_node *n, uint64_t hash)
{
    if (t->len >= t->cap)
        grow(t);
    struct queue_node **to = bucket(t, hash);
    n->hash = hash;
    n->next = *to;
    *to = n;
    t->len++;
}

void queue_table_remove(struct queue_table *t, struct queue_node *n)
{
    struct queue_node **at = bucket(t, n->hash);
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    t->len--;
}

struct queue_node *queue_table_next(const struct queue_table *t, uint64_t hash,
                                    const struct queue_node *before)
{
    if (!t->cap)
        return NULL;
    struct queue_node *n = before ? before->next : *bucket(t, hash);
    while (n && n->hash != hash)
        n = n->next;
    return n;
}

struct queue_node *queue_table_each(const struct queue_table *t, const struct queue_node *before)
{
    if (before && before->next)
        return before->next;
    size_t i = before ? (size_t)(bucket(t, before->hash) - t->at) + 1 : 0;
    while (i < t->cap && !t->at[i])
        i++;
    return i < t->cap ? t->at[i] : NULL;
}
