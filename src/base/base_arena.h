// Memory for one lifetime that has a name (a session, a transaction, a
// delivery, a configuration): allocated piece by piece, freed at once. An
// arena has a ceiling; past it alloc returns NULL and the owner meets a limit.
#pragma once
#include "base_span.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used, ceiling;
};

#define ARENA(limit) ((struct arena){.ceiling = (limit)})

// Zeroed, aligned for any type; NULL past the ceiling.
void *arena_alloc(struct arena *a, size_t size);
// A copy with a NUL behind it; .at == NULL past the ceiling.
struct span arena_dup(struct arena *a, struct span s);
void arena_free(struct arena *a); // everything at once; the arena can be used again
