// The queue role: wires the scheduler (queue_schedule.h) and the hosts' slots
// (queue_slots.h) to the store, the senders and the receivers.
//
// A fresh queue gives out nothing until every sender and receiver that is there
// has said what it still has in hand (BUSY): no message is sent twice because
// the queue was restarted.
#include "queue_schedule.h"
#include "queue_slots.h"

#include "base_log.h"
#include "base_meter.h"
#include "proc_asker.h"

#include <stdlib.h>

enum { SENDER_JOBS = 512, RECEIVER_JOBS = 64, AFFINITIES = 4096, HOST_MAX = 300 };
#define FILL_PATIENCE   SECONDS(60)
#define FILL_AGAIN      SECONDS(1)
#define FILL_CROWDED    SECONDS(10)
#define LOOK_AHEAD      SECONDS(600)
#define SETTLE_PATIENCE SECONDS(5)
#define AFTER_DEATH     SECONDS(1)
enum { SUSPECT = 2 }; // deaths in a row after which a message counts as tried

struct job {
    struct job *next;
    uint64_t ours, theirs; // the scheduler's number; the number the worker knows it by
};

struct slot { // a place at a host that somebody holds or waits for
    struct slot *next;
    struct proc_asker asker;
    uint64_t who;
    bool held;
    struct span host;
    char text[HOST_MAX];
};

struct worker {  // a sender or receiver, as the queue sees it
    bool spoken; // its BUSY came over the present channel
    unsigned count;
    struct job *jobs;
    struct slot *slots;
};

struct state {
    struct proc *proc;
    struct queue *queue;
    struct queue_slots *slots;
    struct io_timer wake, fill, settle;
    struct mono fill_due; // when `fill` goes off
    bool settled, filling, dispatch_due;
    uint64_t who;
    unsigned turn;                      // whose turn it is among equals
    unsigned char affinity[AFFINITIES]; // the sender that served a domain last, +1, by hash
};

static struct state *state_of(const struct proc_peer *peer)
{
    return peer->proc->data;
}

static bool is_worker(const struct proc_peer *peer)
{
    return peer->kind == PROC_SENDER || peer->kind == PROC_RECEIVER;
}

// Who connects to hosts: senders to deliver, control to probe.
static bool takes_slots(const struct proc_peer *peer)
{
    return peer->kind == PROC_SENDER || peer->kind == PROC_CONTROL;
}

static struct worker *worker_of(struct proc_peer *peer)
{
    if (!peer->data)
        peer->data = mem_new(sizeof(struct worker));
    return peer->data;
}

static size_t bucket_of(struct span domain)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < domain.len; i++)
        h = (h ^ (unsigned char)domain.at[i]) * 16777619u;
    return h % AFFINITIES;
}

// ---- giving out jobs ----

static bool may_work(struct proc_peer *peer, enum proc_kind kind)
{
    if (peer->kind != kind || !peer->channel)
        return false;
    struct worker *w = worker_of(peer);
    return w->spoken && w->count < (kind == PROC_SENDER ? SENDER_JOBS : RECEIVER_JOBS);
}

static struct proc_peer *least_busy(struct state *s, enum proc_kind kind)
{
    struct proc_peer *best = NULL;
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[(i + s->turn) % s->proc->peer_count];
        if (may_work(peer, kind) && (!best || worker_of(peer)->count < worker_of(best)->count))
            best = peer;
    }
    s->turn++;
    return best;
}

// A domain stays with the sender that has its plan and connections open, as
// long as that one has not much more to do than the others.
static struct proc_peer *choose_sender(struct state *s, struct span domain)
{
    size_t bucket = bucket_of(domain);
    struct proc_peer *idle = least_busy(s, PROC_SENDER);
    if (idle && s->affinity[bucket]) {
        struct proc_peer *last = proc_peer(s->proc, PROC_SENDER, s->affinity[bucket] - 1u);
        if (last && may_work(last, PROC_SENDER) &&
            worker_of(last)->count <= 2 * worker_of(idle)->count + 8)
            return last;
    }
    if (idle)
        s->affinity[bucket] = (unsigned char)(idle->index < 255 ? idle->index + 1 : 0);
    return idle;
}

static bool any_there(const struct state *s, enum proc_kind kind)
{
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[i];
        if (peer->kind == kind && peer->channel && worker_of(peer)->spoken)
            return true;
    }
    return false;
}

// Without receivers, bounces wait for one; what goes out need not wait with them.
static bool may_give(struct state *s)
{
    return least_busy(s, PROC_SENDER) &&
           (least_busy(s, PROC_RECEIVER) || !any_there(s, PROC_RECEIVER));
}

static void give(struct proc_peer *peer, const struct queue_job *job)
{
    struct worker *w = worker_of(peer);
    struct job *j = mem_new(sizeof *j);
    *j = (struct job){.next = w->jobs, .ours = job->id, .theirs = job->id};
    w->jobs = j;
    w->count++;
    CLEANUP(buf_free) struct buf b = BUF(1024);
    wr_u64(&b, job->id);
    wr_u64(&b, job->message);
    wr_span(&b, job->domain);
    wr_u64(&b, job->size);
    proc_send(peer, MSG_JOB, 0, buf_span(&b), -1);
}

static void fill_when(struct state *s);

static void dispatch(void *arg)
{
    struct state *s = arg;
    s->dispatch_due = false;
    if (!s->settled || s->proc->draining)
        return;
    struct wall now = io_wall(s->proc->loop);
    struct queue_job job;
    while (may_give(s) && queue_next(s->queue, now, &job)) {
        struct proc_peer *peer =
            job.domain.len ? choose_sender(s, job.domain) : least_busy(s, PROC_RECEIVER);
        if (peer)
            give(peer, &job);
        else
            queue_done(s->queue, job.id, true, (struct wall){now.us + AFTER_DEATH});
    }
    fill_when(s);
    struct wall wake = queue_wake(s->queue);
    if (wake.us == WALL_NEVER.us) {
        io_timer_cancel(s->proc->loop, &s->wake);
        return;
    }
    int64_t wait = wake.us > now.us ? wake.us - now.us : US_PER_MS * 50;
    io_timer_set(s->proc->loop, &s->wake, (struct mono){io_now(s->proc->loop).us + wait});
}

static void dispatch_soon(struct state *s)
{
    if (s->dispatch_due)
        return;
    s->dispatch_due = true;
    io_loop_later(s->proc->loop, dispatch, s);
}

static void woken(void *arg)
{
    dispatch_soon(arg);
}

// ---- what is due, from the store ----

static void fill(void *arg);

static void fill_at(struct state *s, int64_t from_now)
{
    s->fill_due.us = io_now(s->proc->loop).us + from_now;
    io_timer_set(s->proc->loop, &s->fill, s->fill_due);
}

// Half-way to the end of what is known; at once where due items did not fit, but only
// when many would: each time the store tells the whole window.
static void fill_when(struct state *s)
{
    int64_t now = io_wall(s->proc->loop).us, known = queue_horizon(s->queue).us;
    int64_t ahead = known > now ? (known - now) / 2 : 0; // at first nothing is known
    size_t window = (size_t)conf_int(s->proc->conf, CONF_queue_window);
    // However far it is known: the clock may be set back.
    ahead = ahead < LOOK_AHEAD / 2 ? ahead : LOOK_AHEAD / 2;
    if (ahead < FILL_AGAIN)
        ahead = queue_room(s->queue) < window / 4 ? FILL_CROWDED : FILL_AGAIN;
    if (!s->filling && io_now(s->proc->loop).us + ahead < s->fill_due.us)
        fill_at(s, ahead);
}

static bool filled(void *arg, struct io_message *m)
{
    struct state *s = arg;
    s->filling = false;
    if (!m) { // the store died or is slow: nothing is known, ask again
        fill_at(s, FILL_AGAIN);
        return true;
    }
    struct rd r = RD(m->payload);
    struct wall horizon = {rd_i64(&r)};
    if (m->kind != MSG_FILLED || !rd_end(&r)) {
        fill_at(s, FILL_AGAIN);
        return false;
    }
    queue_filled(s->queue, horizon);
    fill_when(s);
    dispatch_soon(s);
    return true;
}

static void fill(void *arg)
{
    struct state *s = arg;
    s->fill_due.us = INT64_MAX; // not armed; the answer to what is under way arms it
    if (s->filling || s->proc->draining)
        return;
    s->filling = true;
    CLEANUP(buf_free) struct buf b = BUF(64);
    wr_i64(&b, io_wall(s->proc->loop).us + LOOK_AHEAD);
    wr_u32(&b, (uint32_t)conf_int(s->proc->conf, CONF_queue_window));
    proc_ask(s->proc, PROC_STORE, 0, MSG_FILL, buf_span(&b), FILL_PATIENCE, filled, s);
}

static bool got_due(struct proc_peer *peer, struct io_message *m)
{
    struct state *s = state_of(peer);
    struct rd r = RD(m->payload);
    struct queue_item item = {.message = rd_u64(&r)};
    item.domain = rd_span(&r);
    item.due.us = rd_i64(&r);
    item.size = rd_u64(&r);
    if (!rd_end(&r) || item.domain.len > 253)
        return false;
    // An item that does not fit is behind the horizon: the next fill brings it.
    if (queue_add(s->queue, &item))
        dispatch_soon(s);
    else
        fill_when(s);
    return true;
}

// ---- workers ----

// While senders still have something to finish they ask for slots: who is gone
// cannot give any, and they would wait for a successor.
static void check_drained(struct state *s)
{
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[i];
        if (peer->kind == PROC_SENDER && worker_of(peer)->jobs)
            return;
    }
    if (s->proc->draining)
        proc_drained(s->proc);
}

static void check_settled(struct state *s)
{
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[i];
        if (is_worker(peer) && peer->channel && !worker_of(peer)->spoken)
            return;
    }
    s->settled = true;
    io_timer_cancel(s->proc->loop, &s->settle);
    dispatch_soon(s);
}

static void settle_anyway(void *arg)
{
    struct state *s = arg;
    s->settled = true; // who has not spoken gets no jobs, but holds up nobody
    dispatch_soon(s);
}

static bool got_busy(struct proc_peer *peer, struct io_message *m)
{
    struct state *s = state_of(peer);
    struct worker *w = worker_of(peer);
    struct rd r = RD(m->payload);
    for (unsigned n = rd_u16(&r); n > 0 && !r.bad; n--) {
        uint64_t message = rd_u64(&r);
        struct span domain = rd_span(&r);
        struct job *j = mem_new(sizeof *j);
        j->theirs = rd_u64(&r);
        if (r.bad || domain.len > 253) {
            free(j);
            return false;
        }
        queue_busy(s->queue, message, domain, &j->ours);
        j->next = w->jobs;
        w->jobs = j;
        w->count++;
    }
    if (!rd_end(&r))
        return false;
    w->spoken = true;
    if (s->settled)
        dispatch_soon(s);
    else
        check_settled(s);
    return true;
}

static bool got_ended(struct proc_peer *peer, struct io_message *m)
{
    struct state *s = state_of(peer);
    struct worker *w = worker_of(peer);
    struct rd r = RD(m->payload);
    uint64_t theirs = rd_u64(&r);
    bool again = rd_bool(&r);
    struct wall due = {rd_i64(&r)};
    if (!rd_end(&r))
        return false;
    for (struct job **j = &w->jobs; *j; j = &(*j)->next) {
        if ((*j)->theirs != theirs)
            continue;
        struct job *over = *j;
        *j = over->next;
        w->count--;
        queue_done(s->queue, over->ours, again, due);
        free(over);
        dispatch_soon(s);
        check_drained(s);
        return true;
    }
    return false; // a job we never gave
}

// ---- slots of hosts ----

static void slot_granted(struct slot *slot)
{
    slot->held = true;
    proc_reply(&slot->asker, MSG_SLOT_YOURS, (struct span){NULL, 0}, -1);
}

static bool got_slot(struct proc_peer *peer, struct io_message *m)
{
    struct state *s = state_of(peer);
    struct worker *w = worker_of(peer);
    struct rd r = RD(m->payload);
    struct span host = rd_span(&r);
    struct slot *slot = mem_new(sizeof *slot);
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

static struct slot *slot_of(struct state *s, uint64_t who)
{
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[i];
        struct worker *w = takes_slots(peer) ? worker_of(peer) : NULL;
        for (struct slot *slot = w ? w->slots : NULL; slot; slot = slot->next)
            if (slot->who == who)
                return slot;
    }
    return NULL;
}

static void slot_pass(struct state *s, uint64_t next)
{
    struct slot *waiting = slot_of(s, next);
    if (!waiting)
        panic("slot %llu waits for nobody", (unsigned long long)next);
    slot_granted(waiting);
}

static void slots_pass(struct state *s)
{
    struct span host;
    uint64_t next;
    while (queue_slots_next(s->slots, &host, &next))
        slot_pass(s, next);
}

static void slot_back(struct state *s, struct slot *slot)
{
    uint64_t next;
    if (!slot->held)
        queue_slots_forget(s->slots, slot->host, slot->who);
    else if (queue_slots_give(s->slots, slot->host, &next))
        slot_pass(s, next);
    free(slot);
}

static bool got_slot_back(struct proc_peer *peer, struct io_message *m)
{
    struct worker *w = worker_of(peer);
    for (struct slot **slot = &w->slots; *slot; slot = &(*slot)->next) {
        if ((*slot)->asker.ticket != m->ticket)
            continue;
        struct slot *back = *slot;
        *slot = back->next;
        slot_back(state_of(peer), back);
        return true;
    }
    return false; // a slot it never asked for
}

// ---- the role ----

static void peer_up(struct proc_peer *peer)
{
    struct state *s = state_of(peer);
    if (is_worker(peer))
        worker_of(peer)->spoken = false;
    if (peer->kind == PROC_STORE && s)
        fill(s);
}

// Once is chance: others had their messages there, too. Who is there again may be the
// cause, and that a sender dies of it is an attempt that failed: it has to end some day.
static void interrupted(struct state *s, const struct queue_job *job)
{
    if (job->lost + 1 < SUSPECT || job->domain.len == 0)
        return;
    CLEANUP(buf_free) struct buf b = BUF(512);
    wr_u64(&b, job->message);
    wr_span(&b, job->domain);
    proc_send(proc_peer(s->proc, PROC_STORE, 0), MSG_INTERRUPTED, 0, buf_span(&b), -1);
}

static void peer_down(struct proc_peer *peer)
{
    struct state *s = state_of(peer);
    if (!s || (!is_worker(peer) && !takes_slots(peer)))
        return;
    struct worker *w = worker_of(peer);
    while (w->jobs) { // what it did is unknown: it will be tried again
        struct job *j = w->jobs;
        struct queue_job job;
        w->jobs = j->next;
        if (queue_under_way(s->queue, j->ours, &job))
            interrupted(s, &job);
        queue_lost(s->queue, j->ours, io_wall(s->proc->loop));
        free(j);
    }
    w->count = 0;
    while (w->slots) {
        struct slot *slot = w->slots;
        w->slots = slot->next;
        slot_back(s, slot);
    }
    w->spoken = false;
    dispatch_soon(s);
    check_drained(s);
}

static struct queue_limits limits_of(const struct conf *c)
{
    return (struct queue_limits){.per_domain = (unsigned)conf_int(c, CONF_queue_per_domain),
                                 .jobs = (unsigned)conf_int(c, CONF_queue_jobs),
                                 .window = (size_t)conf_int(c, CONF_queue_window),
                                 .seed = io_random()};
}

static void start(struct proc *p)
{
    struct state *s = mem_new(sizeof *s);
    struct queue_limits limits = limits_of(p->conf);
    s->proc = p;
    s->queue = queue_new(&limits);
    s->slots = queue_slots_new((unsigned)conf_int(p->conf, CONF_queue_per_host));
    s->wake = (struct io_timer){.fire = woken, .arg = s};
    s->fill = (struct io_timer){.fire = fill, .arg = s};
    s->settle = (struct io_timer){.fire = settle_anyway, .arg = s};
    p->data = s;
    io_timer_set(p->loop, &s->settle, (struct mono){io_now(p->loop).us + SETTLE_PATIENCE});
    fill(s);
}

static void reload(struct proc *p)
{
    struct state *s = p->data;
    struct queue_limits limits = limits_of(p->conf);
    queue_limit(s->queue, &limits);
    queue_slots_limit(s->slots, (unsigned)conf_int(p->conf, CONF_queue_per_host));
    slots_pass(s);
    dispatch_soon(s);
}

static void drain(struct proc *p)
{
    check_drained(p->data); // nothing is given out any more; what is due is in the store
}

static void measure(struct proc *p)
{
    const struct state *s = p->data;
    size_t window = (size_t)conf_int(p->conf, CONF_queue_window), room = queue_room(s->queue);
    int64_t jobs = 0;
    for (size_t i = 0; i < p->peer_count; i++)
        if (is_worker(p->peers[i]))
            jobs += worker_of(p->peers[i])->count;
    meter_set(METER_JOBS, jobs);
    meter_set(METER_WINDOW, (int64_t)(window > room ? window - room : 0));
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    static const struct {
        enum proc_message kind;
        enum proc_kind from;
        bool (*got)(struct proc_peer *, struct io_message *);
    } handlers[] = {
        {MSG_DUE, PROC_STORE, got_due},
        {MSG_BUSY, PROC_SENDER, got_busy},
        {MSG_BUSY, PROC_RECEIVER, got_busy},
        {MSG_ENDED, PROC_SENDER, got_ended},
        {MSG_ENDED, PROC_RECEIVER, got_ended},
        {MSG_SLOT, PROC_SENDER, got_slot},
        {MSG_SLOT_BACK, PROC_SENDER, got_slot_back},
        {MSG_SLOT, PROC_CONTROL, got_slot},
        {MSG_SLOT_BACK, PROC_CONTROL, got_slot_back},
    };
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i].kind == m->kind && handlers[i].from == peer->kind)
            return handlers[i].got(peer, m);
    return false;
}

const struct proc_role proc_queue = {.kind = PROC_QUEUE,
                                     .start = start,
                                     .reload = reload,
                                     .drain = drain,
                                     .peer_up = peer_up,
                                     .peer_down = peer_down,
                                     .got = got,
                                     .measure = measure};
