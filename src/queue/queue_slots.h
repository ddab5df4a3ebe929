// How many connections at once to one host, whatever domain they serve: a pure
// counter with a waiting line per host.
#pragma once
#include "base_span.h"

struct queue_slots;
struct queue_slots *queue_slots_new(unsigned per_host);
void queue_slots_free(struct queue_slots *s);
void queue_slots_limit(struct queue_slots *s, unsigned per_host);
// True: taken. False: `who` waits in line (once for each call).
bool queue_slots_take(struct queue_slots *s, struct span host, uint64_t who);
// Gives one back; if somebody waits he has it now: true and *next.
bool queue_slots_give(struct queue_slots *s, struct span host, uint64_t *next);
void queue_slots_forget(struct queue_slots *s, struct span host, uint64_t who); // stops waiting
