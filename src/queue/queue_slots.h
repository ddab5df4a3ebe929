// How many connections at once to one host, whatever domain they serve: a pure
// counter with a waiting line per host.
#pragma once
#include "base_span.h"

struct queue_slots;
struct queue_slots *queue_slots_new(unsigned per_host);
void queue_slots_free(struct queue_slots *s);
// After a higher limit ask queue_slots_next() until it says no; a lower one takes
// nothing from anybody. 0 counts as 1.
void queue_slots_limit(struct queue_slots *s, unsigned per_host);
// Somebody who waits and may go now has a slot of *host (valid until the next
// call): true and *next.
bool queue_slots_next(struct queue_slots *s, struct span *host, uint64_t *next);
// True: taken. False: `who` waits in line (once for each call).
bool queue_slots_take(struct queue_slots *s, struct span host, uint64_t who);
// Gives one back; if somebody waits he has it now: true and *next.
bool queue_slots_give(struct queue_slots *s, struct span host, uint64_t *next);
// He waits there no more, however often he asked; what he has he still has.
void queue_slots_forget(struct queue_slots *s, struct span host, uint64_t who);
