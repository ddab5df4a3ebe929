#include "proc_store.h"

#include <stdlib.h>

static size_t place_of(const struct store_role *r, uint32_t id)
{
    size_t low = 0, high = r->held_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->held[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct held *proc_held_find(struct store_role *r, uint32_t id)
{
    size_t i = place_of(r, id);
    return i < r->held_count && r->held[i].id == id ? &r->held[i] : NULL;
}

struct held *proc_held_add(struct store_role *r, uint32_t id)
{
    struct held *h = proc_held_find(r, id);
    if (h)
        return h;
    if (r->held_count == r->held_cap) {
        r->held_cap = r->held_cap ? 2 * r->held_cap : 16;
        r->held = mem_resize(r->held, r->held_cap * sizeof(*r->held));
    }
    size_t i = place_of(r, id);
    for (size_t k = r->held_count++; k > i; k--)
        r->held[k] = r->held[k - 1];
    r->held[i] = (struct held){.id = id};
    return &r->held[i];
}

bool proc_held_read(struct held *h, struct proc_peer *peer)
{
    for (size_t i = 0; i < h->reader_count; i++)
        if (h->readers[i] == peer)
            return false;
    h->readers = mem_resize(h->readers, (h->reader_count + 1) * sizeof(struct proc_peer *));
    h->readers[h->reader_count++] = peer;
    return true;
}

void proc_held_gone(void *role, uint32_t id)
{
    struct store_role *r = role;
    struct held *h = proc_held_find(r, id);
    if (!h)
        return;
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u32(&b, id);
    for (size_t i = 0; i < h->reader_count; i++)
        proc_send(h->readers[i], MSG_SEGMENT_GONE, 0, buf_span(&b), -1);
    free(h->readers);
    r->held_count--;
    for (size_t i = (size_t)(h - r->held); i < r->held_count; i++)
        r->held[i] = r->held[i + 1];
}

static void forget_reader(struct held *h, const struct proc_peer *peer)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->reader_count; i++)
        if (h->readers[i] != peer)
            h->readers[kept++] = h->readers[i];
    h->reader_count = kept;
}

void proc_held_peer_died(struct store_role *r, struct proc_peer *peer)
{
    for (size_t i = 0; i < r->held_count; i++)
        forget_reader(&r->held[i], peer);
    // Sealing may remove a segment and with it an entry of the table.
    for (size_t i = 0; i < r->held_count;) {
        uint32_t id = r->held[i].id;
        if (r->held[i].writer == peer) {
            r->held[i].writer = NULL;
            store_segment_seal(r->store, id);
        }
        if (i < r->held_count && r->held[i].id == id)
            i++;
    }
}
