// What is due, as the store tells it, and who gets it.
#include "proc_queue_inner.h"

enum { SENDER_JOBS = 512, RECEIVER_JOBS = 64 };
#define FILL_PATIENCE SECONDS(60)
#define FILL_AGAIN    SECONDS(1)
#define FILL_CROWDED  SECONDS(10)
#define LOOK_AHEAD    SECONDS(600)
#define AFTER_DEATH   SECONDS(1)

static size_t bucket_of(struct span domain)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < domain.len; i++)
        h = (h ^ (unsigned char)domain.at[i]) * 16777619u;
    return h % QUEUE_AFFINITIES;
}

// ---- giving out jobs ----

static bool may_work(struct proc_peer *peer, enum proc_kind kind)
{
    if (peer->kind != kind || !peer->channel)
        return false;
    struct queue_worker *w = queue_worker_of(peer);
    return w->spoken && w->count < (kind == PROC_SENDER ? SENDER_JOBS : RECEIVER_JOBS);
}

static struct proc_peer *least_busy(struct queue_role *s, enum proc_kind kind)
{
    struct proc_peer *best = NULL;
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[(i + s->turn) % s->proc->peer_count];
        if (may_work(peer, kind) &&
            (!best || queue_worker_of(peer)->count < queue_worker_of(best)->count))
            best = peer;
    }
    s->turn++;
    return best;
}

// A domain stays with the sender that has its plan and connections open, as
// long as that one has not much more to do than the others.
static struct proc_peer *choose_sender(struct queue_role *s, struct span domain)
{
    size_t bucket = bucket_of(domain);
    struct proc_peer *idle = least_busy(s, PROC_SENDER);
    if (idle && s->affinity[bucket]) {
        struct proc_peer *last = proc_peer(s->proc, PROC_SENDER, s->affinity[bucket] - 1u);
        if (last && may_work(last, PROC_SENDER) &&
            queue_worker_of(last)->count <= 2 * queue_worker_of(idle)->count + 8)
            return last;
    }
    if (idle)
        s->affinity[bucket] = (unsigned char)(idle->index < 255 ? idle->index + 1 : 0);
    return idle;
}

static bool any_there(const struct queue_role *s, enum proc_kind kind)
{
    for (size_t i = 0; i < s->proc->peer_count; i++) {
        struct proc_peer *peer = s->proc->peers[i];
        if (peer->kind == kind && peer->channel && queue_worker_of(peer)->spoken)
            return true;
    }
    return false;
}

// Without receivers, bounces wait for one; what goes out need not wait with them.
static bool may_give(struct queue_role *s)
{
    return least_busy(s, PROC_SENDER) &&
           (least_busy(s, PROC_RECEIVER) || !any_there(s, PROC_RECEIVER));
}

static void give(struct proc_peer *peer, const struct queue_job *job)
{
    struct queue_worker *w = queue_worker_of(peer);
    struct queue_given *j = mem_new(sizeof *j);
    *j = (struct queue_given){.next = w->jobs, .ours = job->id, .theirs = job->id};
    w->jobs = j;
    w->count++;
    CLEANUP(buf_free) struct buf b = BUF(1024);
    wr_u64(&b, job->id);
    wr_u64(&b, job->message);
    wr_span(&b, job->domain);
    wr_u64(&b, job->size);
    proc_send(peer, MSG_JOB, 0, buf_span(&b), -1);
}

static void fill_when(struct queue_role *s);

static void dispatch(void *arg)
{
    struct queue_role *s = arg;
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

void proc_queue_dispatch(struct queue_role *s)
{
    if (s->dispatch_due)
        return;
    s->dispatch_due = true;
    io_loop_later(s->proc->loop, dispatch, s);
}

// ---- what is due, from the store ----

static void fill_at(struct queue_role *s, int64_t from_now)
{
    s->fill_due.us = io_now(s->proc->loop).us + from_now;
    io_timer_set(s->proc->loop, &s->fill, s->fill_due);
}

// Half-way to the end of what is known; at once where due items did not fit, but only
// when many would: each time the store tells the whole window.
static void fill_when(struct queue_role *s)
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
    struct queue_role *s = arg;
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
    proc_queue_dispatch(s);
    return true;
}

void proc_queue_fill(void *arg)
{
    struct queue_role *s = arg;
    s->fill_due.us = INT64_MAX; // not armed; the answer to what is under way arms it
    if (s->filling || s->proc->draining)
        return;
    s->filling = true;
    CLEANUP(buf_free) struct buf b = BUF(64);
    wr_i64(&b, io_wall(s->proc->loop).us + LOOK_AHEAD);
    wr_u32(&b, (uint32_t)conf_int(s->proc->conf, CONF_queue_window));
    proc_ask(s->proc, PROC_STORE, 0, MSG_FILL, buf_span(&b), FILL_PATIENCE, filled, s);
}

bool proc_queue_got_due(struct proc_peer *peer, struct io_message *m)
{
    struct queue_role *s = queue_role_of(peer);
    struct rd r = RD(m->payload);
    struct queue_item item = {.message = rd_u64(&r)};
    item.domain = rd_span(&r);
    item.due.us = rd_i64(&r);
    item.size = rd_u64(&r);
    if (!rd_end(&r) || item.domain.len > 253)
        return false;
    // An item that does not fit is behind the horizon: the next fill brings it.
    if (queue_add(s->queue, &item))
        proc_queue_dispatch(s);
    else
        fill_when(s);
    return true;
}
