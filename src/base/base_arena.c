#include "base_arena.h"

#include "base_rc.h"

#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(max_align_t) char room[];
};

enum { ARENA_BLOCK = 4096 };

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t unit = _Alignof(max_align_t);
    if (size > a->ceiling)
        return NULL;
    size = (size + unit - 1) / unit * unit;
    if (size > a->ceiling - a->used || a->used > a->ceiling)
        return NULL;
    struct arena_block *b = a->blocks;
    if (!b || b->size - b->used < size) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        b = mem_new(sizeof *b + room);
        b->size = room;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = b->room + b->used;
    b->used += size;
    a->used += size;
    return p;
}

struct span arena_dup(struct arena *a, struct span s)
{
    char *p = arena_alloc(a, s.len + 1);
    if (!p)
        return (struct span){NULL, 0};
    if (s.len)
        memcpy(p, s.at, s.len);
    return (struct span){p, s.len};
}

void arena_free(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
    a->used = 0;
}
