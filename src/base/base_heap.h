// A binary heap of timers, intrusive: the owner embeds a `heap_node` and finds
// itself again by container. Smallest key first; equal keys come in any order.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    size_t place; // 1-based index in the heap; 0: in none
};

struct heap {
    struct heap_node **at; // at[0] is the root
    size_t len, cap;
};

void heap_free(struct heap *h);                                  // forgets the nodes, frees none
void heap_set(struct heap *h, struct heap_node *n, int64_t key); // adds, or moves one that is in
void heap_remove(struct heap *h, struct heap_node *n);           // no-op for one that is not in
struct heap_node *heap_top(const struct heap *h);                // NULL if empty

#define CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
