// Places at hosts: how many connections there may be to one at once, of all senders together.
#include "proc_queue_inner.h"

#include <stdlib.h>

static void slot_granted(struct queue_place *slot)
{
    slot->held = true;
    proc_reply(&slot->asker, MSG_SLOT_YOURS, (struct span){NULL, 0}, -1);
}

bool proc_queue_got_slot(struct proc_peer *peer, struct io_message *m)
{
    struct queue_role *s = queue_role_of(peer);
    struct queue_worker *w = queue_worker_of(peer);
    struct rd r = RD(m->payload);
    struct span host = rd_span(&r);
    struct queue_place *slot = mem_new(sizeof *slot);
    if (!rd_end(&r) || host.len == 0 || !span_copy(slot->text, sizeof slot->text, host)) {
        free(slot);
        return false;
    }
    slot->host = (struct span){slot->text, host.len};
    slot->asker = proc_asker_of(peer, m);
    slot->who = ++s->who;
    slot->next = w->slots;
    w->slots = slot;
    if (queue_slots_take(s->slots, slot->host, slot->who))
        slot_granted(slot);
    return true;
}

static struct queue_place *slot_of(struct queue_role *s, uint64_t who)
{
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[i];
        struct queue_worker *w = queue_takes_places(peer) ? queue_worker_of(peer) : NULL;
        for (struct queue_place *slot = w ? w->slots : NULL; slot; slot = slot->next)
            if (slot->who == who)
                return slot;
    }
    return NULL;
}

static void slot_pass(struct queue_role *s, uint64_t next)
{
    struct queue_place *waiting = slot_of(s, next);
    if (!waiting)
        panic("slot %llu waits for nobody", (unsigned long long)next);
    slot_granted(waiting);
}

void queue_places_pass(struct queue_role *s)
{
    struct span host;
    uint64_t next;
    while (queue_slots_next(s->slots, &host, &next))
        slot_pass(s, next);
}

static void slot_back(struct queue_role *s, struct queue_place *slot)
{
    uint64_t next;
    if (!slot->held)
        queue_slots_forget(s->slots, slot->host, slot->who);
    else if (queue_slots_give(s->slots, slot->host, &next))
        slot_pass(s, next);
    free(slot);
}

bool proc_queue_got_slot_back(struct proc_peer *peer, struct io_message *m)
{
    struct queue_worker *w = queue_worker_of(peer);
    for (struct queue_place **slot = &w->slots; *slot; slot = &(*slot)->next) {
        if ((*slot)->asker.ticket != m->ticket)
            continue;
        struct queue_place *back = *slot;
        *slot = back->next;
        slot_back(queue_role_of(peer), back);
        return true;
    }
    return false; // a slot it never asked for
}

void queue_places_lost(struct queue_role *s, struct queue_worker *w)
{
    while (w->slots) {
        struct queue_place *slot = w->slots;
        w->slots = slot->next;
        slot_back(s, slot);
    }
}
