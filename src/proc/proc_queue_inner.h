// The parts of the queue role: the role and its workers (proc_queue.c), what is due and who gets it
// (proc_queue_jobs.c), places at hosts (proc_queue_places.c).
#pragma once
#include "proc_asker.h"
#include "queue_schedule.h"
#include "queue_slots.h"

enum { QUEUE_AFFINITIES = 4096, QUEUE_HOST_MAX = 300 };

struct queue_given { // a job in somebody's hands
    struct queue_given *next;
    uint64_t ours, theirs; // the scheduler's number; the number the worker knows it by
};

struct queue_place { // a place at a host that somebody holds or waits for
    struct queue_place *next;
    struct proc_asker asker;
    uint64_t who;
    bool held;
    struct span host;
    char text[QUEUE_HOST_MAX];
};

struct queue_worker { // a sender or receiver, as the queue sees it
    bool spoken;      // its BUSY came over the present channel
    unsigned count;
    struct queue_given *jobs;
    struct queue_place *slots;
};

struct queue_role {
    struct proc *proc;
    struct queue *queue;
    struct queue_slots *slots;
    struct io_timer wake, fill, settle;
    struct mono fill_due; // when `fill` goes off
    bool settled, filling, dispatch_due;
    uint64_t who;
    unsigned turn;                            // whose turn it is among equals
    unsigned char affinity[QUEUE_AFFINITIES]; // the sender that served a domain last, +1, by hash
};

struct queue_role *queue_role_of(const struct proc_peer *peer);
bool queue_is_worker(const struct proc_peer *peer);
// Who connects to hosts: senders to deliver, control to probe.
bool queue_takes_places(const struct proc_peer *peer);
struct queue_worker *queue_worker_of(struct proc_peer *peer);

// Gives out what is due, at the end of this turn.
void proc_queue_dispatch(struct queue_role *s);
// Asks the store what is due; again when its answer is used up.
void proc_queue_fill(void *arg);
bool proc_queue_got_due(struct proc_peer *peer, struct io_message *m);

bool proc_queue_got_slot(struct proc_peer *peer, struct io_message *m);
bool proc_queue_got_slot_back(struct proc_peer *peer, struct io_message *m);
void queue_places_pass(struct queue_role *s); // to who waits, as far as there are any
void queue_places_lost(struct queue_role *s, struct queue_worker *w);
