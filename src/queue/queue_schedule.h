// The scheduler as a pure machine: what is due, in which order, how much at a
// time to one destination. It holds a window of what is due soon, not the whole
// queue: what does not fit is forgotten and asked of the store again.
#pragma once
#include "base_span.h"
#include "base_time.h"

struct queue_limits {
    unsigned per_domain; // jobs at once to one domain
    unsigned jobs;       // jobs at once in all
    size_t window;       // items held, those under way not counted
    uint64_t seed;       // random, so that nobody can choose domains that hash alike
};

struct queue_item {
    uint64_t message;
    struct span domain; // empty: a bounce is owed
    struct wall due;
    uint64_t size;
};

struct queue_job {
    uint64_t id; // never 0
    uint64_t message;
    struct span domain; // valid until queue_done
    uint64_t size;
    unsigned lost; // how often in a row whoever had it died
};

struct queue;
struct queue *queue_new(const struct queue_limits *limits);
void queue_free(struct queue *q);
// After a reload. A limit of 0 counts as 1; the seed stays what it was.
void queue_limit(struct queue *q, const struct queue_limits *limits);

// Adds, or moves, the item (message, domain). An item whose job is under way
// is remembered and comes up after queue_done. False: the window is full and
// this item is later than all in it; queue_horizon() is then at most its due. An
// earlier one pushes the latest out, and the horizon before it.
bool queue_add(struct queue *q, const struct queue_item *item);
// Everything due before this is in the window; ask the store from here on.
struct wall queue_horizon(const struct queue *q);
size_t queue_room(const struct queue *q); // items that fit into the window still
// The store gave all it had before `until`.
void queue_filled(struct queue *q, struct wall until);

// The next job that may start now: domains take turns, oldest item first
// within a domain. False: nothing may.
bool queue_next(struct queue *q, struct wall now, struct queue_job *out);
// A job that has not ended. False: it is not known.
bool queue_under_way(const struct queue *q, uint64_t job, struct queue_job *out);
// The job ended (however): `again` puts the item back, not before the due of a
// queue_add meanwhile. A job that is not known is none.
void queue_done(struct queue *q, uint64_t job, bool again, struct wall due);
// Whoever had the job died: the item comes back after a second and, each time this
// happens to it again, after four times as long, up to an hour.
void queue_lost(struct queue *q, uint64_t job, struct wall now);
// A job that a sender still had from before our restart; it counts against the
// limits, even above them.
void queue_busy(struct queue *q, uint64_t message, struct span domain, uint64_t *job);
struct wall queue_wake(const struct queue *q); // when next() may say more; WALL_NEVER: no time

struct queue_retry {
    int64_t first_us, longest_us; // doubling from first to longest
    int64_t lifetime_us;          // since the message was received
};
// When to try again after `attempts` failures, with up to a quarter of spread
// by `random`: upwards, but what would be above the longest is as much below it. The
// last time is at the end of its lifetime. WALL_NEVER: that is over, give up.
struct wall queue_backoff(const struct queue_retry *r, struct wall received, struct wall now,
                          unsigned attempts, uint64_t random);
