#include "base_heap.h"

#include "base_rc.h"

#include <stdlib.h>

void heap_free(struct heap *h)
{
    for (size_t i = 0; i < h->len; i++)
        h->at[i]->place = 0;
    free(h->at);
    *h = (struct heap){0};
}

static void put(struct heap *h, size_t i, struct heap_node *n)
{
    h->at[i] = n;
    n->place = i + 1;
}

static void up(struct heap *h, size_t i, struct heap_node *n)
{
    while (i > 0 && h->at[(i - 1) / 2]->key > n->key) {
        put(h, i, h->at[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, n);
}

static void down(struct heap *h, size_t i, struct heap_node *n)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->len)
            break;
        if (child + 1 < h->len && h->at[child + 1]->key < h->at[child]->key)
            child++;
        if (h->at[child]->key >= n->key)
            break;
        put(h, i, h->at[child]);
        i = child;
    }
    put(h, i, n);
}

static void settle(struct heap *h, size_t i, struct heap_node *n)
{
    if (i > 0 && h->at[(i - 1) / 2]->key > n->key)
        up(h, i, n);
    else
        down(h, i, n);
}

void heap_set(struct heap *h, struct heap_node *n, int64_t key)
{
    n->key = key;
    if (n->place) {
        settle(h, n->place - 1, n);
        return;
    }
    if (h->len == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 4;
        h->at = mem_resize(h->at, h->cap * sizeof *h->at);
    }
    up(h, h->len++, n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    if (!n->place)
        return;
    size_t i = n->place - 1;
    struct heap_node *last = h->at[--h->len];
    n->place = 0;
    if (last != n)
        settle(h, i, last);
}

struct heap_node *heap_top(const struct heap *h)
{
    return h->len ? h->at[0] : NULL;
}
