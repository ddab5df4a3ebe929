// The queue role: wires the scheduler (queue_schedule.h) and the hosts' slots
// (queue_slots.h) to the store, the senders and the receivers.
//
// A fresh queue gives out nothing until every sender and receiver that is there
// has said what it still has in hand (BUSY): no message is sent twice because
// the queue was restarted.
#include "proc_queue_inner.h"

#include "base_meter.h"

#include <stdlib.h>

#define SETTLE_PATIENCE SECONDS(5)
enum { SUSPECT = 2 }; // deaths in a row after which a message counts as tried

struct queue_role *queue_role_of(const struct proc_peer *peer)
{
    return peer->proc->data;
}

bool queue_is_worker(const struct proc_peer *peer)
{
    return peer->kind == PROC_SENDER || peer->kind == PROC_RECEIVER;
}

bool queue_takes_places(const struct proc_peer *peer)
{
    return peer->kind == PROC_SENDER || peer->kind == PROC_CONTROL;
}

struct queue_worker *queue_worker_of(struct proc_peer *peer)
{
    if (!peer->data)
        peer->data = mem_new(sizeof(struct queue_worker));
    return peer->data;
}

// ---- workers ----

// While senders still have something to finish they ask for slots: who is gone
// cannot give any, and they would wait for a successor.
static void check_drained(struct queue_role *s)
{
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[i];
        if (peer->kind == PROC_SENDER && queue_worker_of(peer)->jobs)
            return;
    }
    if (s->proc->draining)
        proc_drained(s->proc);
}

static void check_settled(struct queue_role *s)
{
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[i];
        if (queue_is_worker(peer) && peer->channel && !queue_worker_of(peer)->spoken)
            return;
    }
    s->settled = true;
    io_timer_cancel(s->proc->loop, &s->settle);
    proc_queue_dispatch(s);
}

static void settle_anyway(void *arg)
{
    struct queue_role *s = arg;
    s->settled = true; // who has not spoken gets no jobs, but holds up nobody
    proc_queue_dispatch(s);
}

static bool got_busy(struct proc_peer *peer, struct io_message *m)
{
    struct queue_role *s = queue_role_of(peer);
    struct queue_worker *w = queue_worker_of(peer);
    struct rd r = RD(m->payload);
    for (unsigned n = rd_u16(&r); n > 0 && !r.bad; n--) {
        uint64_t message = rd_u64(&r);
        struct span domain = rd_span(&r);
        struct queue_given *j = mem_new(sizeof *j);
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
        proc_queue_dispatch(s);
    else
        check_settled(s);
    return true;
}

static bool got_ended(struct proc_peer *peer, struct io_message *m)
{
    struct queue_role *s = queue_role_of(peer);
    struct queue_worker *w = queue_worker_of(peer);
    struct rd r = RD(m->payload);
    uint64_t theirs = rd_u64(&r);
    bool again = rd_bool(&r);
    struct wall due = {rd_i64(&r)};
    if (!rd_end(&r))
        return false;
    for (struct queue_given **j = &w->jobs; *j; j = &(*j)->next) {
        if ((*j)->theirs != theirs)
            continue;
        struct queue_given *over = *j;
        *j = over->next;
        w->count--;
        queue_done(s->queue, over->ours, again, due);
        free(over);
        proc_queue_dispatch(s);
        check_drained(s);
        return true;
    }
    return false; // a job we never gave
}

// ---- the role ----

static void peer_up(struct proc_peer *peer)
{
    struct queue_role *s = queue_role_of(peer);
    if (queue_is_worker(peer))
        queue_worker_of(peer)->spoken = false;
    if (peer->kind == PROC_STORE && s)
        proc_queue_fill(s);
}

// Once is chance: others had their messages there, too. Who is there again may be the
// cause, and that a sender dies of it is an attempt that failed: it has to end some day.
static void interrupted(struct queue_role *s, const struct queue_job *job)
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
    struct queue_role *s = queue_role_of(peer);
    if (!s || (!queue_is_worker(peer) && !queue_takes_places(peer)))
        return;
    struct queue_worker *w = queue_worker_of(peer);
    while (w->jobs) { // what it did is unknown: it will be tried again
        struct queue_given *j = w->jobs;
        struct queue_job job;
        w->jobs = j->next;
        if (queue_under_way(s->queue, j->ours, &job))
            interrupted(s, &job);
        queue_lost(s->queue, j->ours, io_wall(s->proc->loop));
        free(j);
    }
    w->count = 0;
    queue_places_lost(s, w);
    w->spoken = false;
    proc_queue_dispatch(s);
    check_drained(s);
}

static void woken(void *arg)
{
    proc_queue_dispatch(arg);
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
    struct queue_role *s = mem_new(sizeof *s);
    struct queue_limits limits = limits_of(p->conf);
    s->proc = p;
    s->queue = queue_new(&limits);
    s->slots = queue_slots_new((unsigned)conf_int(p->conf, CONF_queue_per_host));
    s->wake = (struct io_timer){.fire = woken, .arg = s};
    s->fill = (struct io_timer){.fire = proc_queue_fill, .arg = s};
    s->settle = (struct io_timer){.fire = settle_anyway, .arg = s};
    p->data = s;
    io_timer_set(p->loop, &s->settle, (struct mono){io_now(p->loop).us + SETTLE_PATIENCE});
    proc_queue_fill(s);
}

static void reload(struct proc *p)
{
    struct queue_role *s = p->data;
    struct queue_limits limits = limits_of(p->conf);
    queue_limit(s->queue, &limits);
    queue_slots_limit(s->slots, (unsigned)conf_int(p->conf, CONF_queue_per_host));
    queue_places_pass(s);
    proc_queue_dispatch(s);
}

static void drain(struct proc *p)
{
    check_drained(p->data); // nothing is given out any more; what is due is in the store
}

static void measure(struct proc *p)
{
    const struct queue_role *s = p->data;
    size_t window = (size_t)conf_int(p->conf, CONF_queue_window), room = queue_room(s->queue);
    int64_t jobs = 0;
    for (size_t i = 0; i < p->peer_count; i++)
        if (queue_is_worker(p->peers[i]))
            jobs += queue_worker_of(p->peers[i])->count;
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
        {MSG_DUE, PROC_STORE, proc_queue_got_due},
        {MSG_BUSY, PROC_SENDER, got_busy},
        {MSG_BUSY, PROC_RECEIVER, got_busy},
        {MSG_ENDED, PROC_SENDER, got_ended},
        {MSG_ENDED, PROC_RECEIVER, got_ended},
        {MSG_SLOT, PROC_SENDER, proc_queue_got_slot},
        {MSG_SLOT_BACK, PROC_SENDER, proc_queue_got_slot_back},
        {MSG_SLOT, PROC_CONTROL, proc_queue_got_slot},
        {MSG_SLOT_BACK, PROC_CONTROL, proc_queue_got_slot_back},
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
