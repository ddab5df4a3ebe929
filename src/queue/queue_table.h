// A hash table, intrusive as base_heap is: the owner embeds a node and finds
// itself again by CONTAINER.
#pragma once
#include "base_heap.h"
#include "base_span.h"

struct queue_node {
    struct queue_node *next;
    uint64_t hash;
};

struct queue_table {
    struct queue_node **at;
    size_t len, cap;
};

uint64_t queue_hash_mix(uint64_t v); // spreads the bits of a number
// With a `seed` that is not known outside, nobody can choose texts that collide.
uint64_t queue_hash(struct span s, uint64_t seed);

void queue_table_free(struct queue_table *t); // forgets the nodes, frees none
void queue_table_put(struct queue_table *t, struct queue_node *n, uint64_t hash);
void queue_table_remove(struct queue_table *t, struct queue_node *n);
// The nodes of this hash, one after the other: NULL begins, NULL ends.
struct queue_node *queue_table_next(const struct queue_table *t, uint64_t hash,
                                    const struct queue_node *before);
// All nodes, in no order; the table must not change meanwhile.
struct queue_node *queue_table_each(const struct queue_table *t, const struct queue_node *before);
