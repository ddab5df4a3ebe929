// A history in a folder for one test.
#pragma once
#include "store_scratch.h"

#include "store_history.h"

struct place {
    char root[64], path[96];
    struct store_history *h;
};

static inline int place_make(void **state)
{
    struct place *p = mem_new(sizeof *p);
    const char *why;
    strcpy(p->root, "/tmp/geleit-history-XXXXXX");
    if (!mkdtemp(p->root))
        return -1;
    snprintf(p->path, sizeof p->path, "%s/history.db", p->root);
    *state = p;
    return rc_ok(store_history_open(&p->h, p->path, &why)) ? 0 : -1;
}

static inline int place_clear(void **state)
{
    struct place *p = *state;
    store_history_close(p->h);
    nftw(p->root, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(p);
    return 0;
}
