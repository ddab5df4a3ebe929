// The event loop of a role (libevent's core), its clock and its timers. One a
// process, one thread. Time is asked here and nowhere else, so that a test can
// move it.
#pragma once
#include "base_heap.h"
#include "base_rc.h"
#include "base_time.h"

struct io_loop;
struct io_loop *io_loop_new(void);
void io_loop_free(struct io_loop *l);
void io_loop_run(struct io_loop *l); // until stop
void io_loop_stop(struct io_loop *l);
// One turn: waits for events (at most until the next timer) unless `wait` is
// false, handles them, fires what is due, runs the later-work.
void io_loop_turn(struct io_loop *l, bool wait);
// `work` runs once at the end of the present turn, after every ready event was
// handled: what a turn gathered is sent, synced or committed together. Work that
// work asks for runs in the same turn for a few rounds, then in the next one,
// which does not wait: nothing starves.
void io_loop_later(struct io_loop *l, void (*work)(void *), void *arg);

// The same for who has a place to keep it: nothing is allocated, asking twice in
// a turn is asking once, and it can be taken back.
struct io_work {
    struct io_work *next, **at; // at: who points here; NULL: not queued
    void (*run)(void *);
    void *arg;
};
void io_work_set(struct io_loop *l, struct io_work *w);
void io_work_cancel(struct io_loop *l, struct io_work *w);

// Both clocks can be moved for tests: by io_loop_shift(), or from outside while a
// role runs through the file that GELEIT_CLOCK names (8 bytes, native order, the
// microseconds to add). 8 bytes more, if they are there, are added to the wall clock
// alone: time that passes moves both clocks, somebody who sets the clock only one.
struct mono io_now(const struct io_loop *l); // of this turn: cheap
struct wall io_wall(const struct io_loop *l);
void io_loop_shift(struct io_loop *l, int64_t us);
uint64_t io_random(void);

struct io_timer {
    struct heap_node node;
    void (*fire)(void *);
    void *arg;
};
void io_timer_set(struct io_loop *l, struct io_timer *t, struct mono when); // (re)arms
void io_timer_cancel(struct io_loop *l, struct io_timer *t);

// Readiness of a descriptor that somebody else reads and writes. Level
// triggered; io_watch_free is synchronous: no call comes after it. Free it
// before the descriptor is closed. A descriptor ready for both may be told in
// two calls.
struct io_watch;
enum { IO_READ = 1, IO_WRITE = 2 };
struct io_watch *io_watch_new(struct io_loop *l, int fd, int what,
                              void (*ready)(void *arg, int what), void *arg);
void io_watch_want(struct io_watch *w, int what);
void io_watch_free(struct io_watch *w); // NULL: nothing
void io_signal(struct io_loop *l, int signal_number, void (*got)(void *), void *arg);
