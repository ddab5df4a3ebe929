// What a turn of the loop gathers: commits and outcomes, made durable together
// and answered together.
#include "proc_store.h"

#include "proc_tallies_store.h"

#include "base_log.h"
#include "base_meter.h"

#include <stdlib.h>

enum {
    GROUP_REPLIES = 1000,     // more than these, or these bytes: not in one group
    GROUP_BYTES = 4 << 20,    // one message can bring as much again
    GROUP_CEILING = 16 << 20, // of each buffer: never reached
};

static void turn_over(void *role)
{
    struct store_role *r = role;
    r->scheduled = false;
    proc_group_flush(r);
}

void proc_group_schedule(struct store_role *r)
{
    r->fresh.max = r->touched.max = r->attempts.max = r->evaluations.max = GROUP_CEILING;
    if (!r->scheduled)
        io_loop_later(r->proc->loop, turn_over, r);
    r->scheduled = true;
}

void proc_group_bound(struct store_role *r)
{
    if (r->reply_count >= GROUP_REPLIES || r->fresh.len >= GROUP_BYTES ||
        r->touched.len >= GROUP_BYTES || r->attempts.len >= GROUP_BYTES ||
        r->evaluations.len >= GROUP_BYTES)
        proc_group_flush(r);
}

void proc_group_reply(struct store_role *r, struct reply reply)
{
    if (r->reply_count == r->reply_cap) {
        r->reply_cap = r->reply_cap ? 2 * r->reply_cap : 64;
        r->replies = mem_resize(r->replies, r->reply_cap * sizeof(*r->replies));
    }
    r->replies[r->reply_count++] = reply;
    proc_group_schedule(r);
}

void proc_group_seal(struct store_role *r, uint32_t segment)
{
    if (r->seal_count == r->seal_cap) {
        r->seal_cap = r->seal_cap ? 2 * r->seal_cap : 16;
        r->seals = mem_resize(r->seals, r->seal_cap * sizeof(*r->seals));
    }
    r->seals[r->seal_count++] = segment;
}

void proc_group_touched(struct store_role *r, uint64_t message, struct span domain)
{
    wr_u64(&r->touched, message);
    wr_span(&r->touched, domain);
}

void proc_group_peer_died(struct store_role *r, const struct proc_peer *peer)
{
    for (size_t i = 0; i < r->reply_count; i++)
        if (r->replies[i].peer == peer)
            r->replies[i].peer = NULL;
    if (peer->kind == PROC_QUEUE)
        r->fill.waiting = false;
}

static void due_pack(struct buf *b, const struct store_due *d)
{
    wr_u64(b, d->message);
    wr_span(b, d->domain);
    wr_i64(b, d->due.us);
    wr_u64(b, d->size);
}

static void due_send(struct store_role *r, struct span payload)
{
    struct proc_peer *queue = proc_peer(r->proc, PROC_QUEUE, 0);
    if (queue)
        proc_send(queue, MSG_DUE, 0, payload, -1);
}

void proc_due_tell(struct store_role *r, const struct store_due *d)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    due_pack(&b, d);
    if (rc_ok(buf_state(&b)))
        due_send(r, buf_span(&b));
}

// What is owed from the start has no domain to go to.
static struct span due_domain(const struct store_recipient *who)
{
    return who->notice ? SPAN("") : who->domain;
}

static int by_domain(const void *a, const void *b)
{
    const struct store_recipient *const *x = a, *const *y = b;
    struct span s = due_domain(*x), t = due_domain(*y);
    for (size_t i = 0; i < s.len && i < t.len; i++)
        if (s.at[i] != t.at[i])
            return s.at[i] < t.at[i] ? -1 : 1;
    return s.len < t.len ? -1 : s.len > t.len;
}

void proc_group_fresh(struct store_role *r, const struct store_envelope *e)
{
    const struct store_recipient **sorted = mem_new(e->count * sizeof(*sorted));
    for (size_t i = 0; i < e->count; i++)
        sorted[i] = &e->recipients[i];
    qsort(sorted, e->count, sizeof(*sorted), by_domain);
    for (size_t i = 0; i < e->count; i++) {
        if (i > 0 && by_domain(&sorted[i - 1], &sorted[i]) == 0)
            continue;
        struct store_due d = {.message = e->id,
                              .domain = due_domain(sorted[i]),
                              .due = sorted[i]->due,
                              .size = e->body.length};
        CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
        due_pack(&b, &d);
        wr_span(&r->fresh, buf_span(&b));
    }
    free(sorted);
}

static void reply_send(const struct reply *p, struct rc group)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    struct rc rc = rc_ok(p->own) ? group : p->own;
    if (!p->peer)
        return;
    wr_u8(&b, (uint8_t)rc.code);
    if (p->kind == MSG_COMMITTED || p->kind == MSG_QUEUE_CHANGED)
        wr_u64(&b, rc_ok(rc) ? p->id : 0);
    proc_send(p->peer, p->kind, p->ticket, buf_span(&b), -1);
}

static void replies_send(struct store_role *r, struct rc rc)
{
    for (size_t i = 0; i < r->reply_count; i++)
        reply_send(&r->replies[i], rc);
    r->reply_count = 0;
}

static void fresh_send(struct store_role *r)
{
    for (struct rd rd = RD(buf_span(&r->fresh)); rd.rest.len && !rd.bad;)
        due_send(r, rd_span(&rd));
}

// What is left of the pairs that outcomes and bounces have touched.
static void touched_send(struct store_role *r)
{
    for (struct rd rd = RD(buf_span(&r->touched)); rd.rest.len && !rd.bad;) {
        struct store_due d;
        uint64_t message = rd_u64(&rd);
        struct span domain = rd_span(&rd);
        if (rc_ok(store_next(r->store, message, domain, &d)))
            proc_due_tell(r, &d);
    }
}

static void seals_do(struct store_role *r)
{
    for (size_t i = 0; i < r->seal_count; i++) {
        struct held *h = proc_held_find(r, r->seals[i]);
        if (h)
            h->writer = NULL;
        store_segment_seal(r->store, r->seals[i]);
    }
}

static struct rc history_put(struct store_role *r)
{
    struct store_attempt a;
    struct store_evaluation e;
    unsigned keys_max = (unsigned)conf_int(r->proc->conf, CONF_report_entries);
    for (struct rd rd = RD(buf_span(&r->attempts)); rd.rest.len;)
        if (proc_attempt_unpack(&rd, &a)) {
            TRY(store_history_attempt(r->history, &a));
            TRY(tallies_attempt(r->history, &a, keys_max));
        } else {
            return RC(IO);
        }
    for (struct rd rd = RD(buf_span(&r->evaluations)); rd.rest.len;)
        if (proc_evaluation_unpack(&rd, &e)) {
            TRY(store_history_evaluation(r->history, &e));
            TRY(tallies_evaluated(r->history, &e, keys_max));
        } else {
            return RC(IO);
        }
    return store_history_commit(r->history);
}

// Records are no mail: losing one is said once and harms nothing else.
static void history_write(struct store_role *r)
{
    if (!r->history || r->attempts.len + r->evaluations.len == 0)
        return;
    struct rc rc = history_put(r);
    if (!rc_ok(rc) && !r->history_fails)
        LOG(LOG_ERROR, "history-failed", LOG_T("error", rc_text(rc)));
    r->history_fails = !rc_ok(rc);
}

struct filling {
    struct store_role *role;
    size_t count;
    struct wall last;
};

static void fill_one(void *arg, const struct store_due *d)
{
    struct filling *f = arg;
    f->count++;
    f->last = d->due;
    proc_due_tell(f->role, d);
}

// Only here, behind the sync: what is gathered but not durable must not be sent.
static void fill_answer(struct store_role *r)
{
    struct filling f = {.role = r};
    struct proc_peer *queue = proc_peer(r->proc, PROC_QUEUE, 0);
    if (!r->fill.waiting || !r->store || !queue)
        return;
    struct rc rc = store_due(r->store, r->fill.until, r->fill.limit, fill_one, &f);
    if (!rc_ok(rc)) {
        LOG(LOG_ERROR, "due-failed", LOG_T("error", rc_text(rc)));
        struct mono soon = {io_now(r->proc->loop).us + SECONDS(1)};
        io_timer_set(r->proc->loop, &r->reopen, soon);
        return;
    }
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_i64(&b, f.count < r->fill.limit ? r->fill.until.us : f.last.us);
    proc_send(queue, MSG_FILLED, r->fill.ticket, buf_span(&b), -1);
    r->fill.waiting = false;
}

// A trouble is said when it begins and when it is over, not for every group.
static void say(struct store_role *r, struct rc rc)
{
    if (rc.code == r->last.code)
        return;
    if (rc_ok(rc))
        LOG(LOG_INFO, "store-writes-again", LOG_T("after", rc_text(r->last)));
    else
        LOG(LOG_ERROR, "store-cannot-write", LOG_T("error", rc_text(rc)));
    r->last = rc;
}

void proc_group_flush(struct store_role *r)
{
    size_t gathered = r->store ? store_gathered(r->store) : 0;
    struct wall began = io_wall(r->proc->loop); // io_now() stands still in a turn
    struct rc rc = r->store ? store_sync(r->store) : RC(UNAVAILABLE);
    if (gathered) {
        say(r, rc);
        meter_count(rc_ok(rc) ? METER_COMMITS_OK : METER_COMMITS_FAILED, 1);
        meter_count(METER_COMMIT_MEMBERS, gathered);
        meter_time(METER_OF_COMMIT, io_wall(r->proc->loop).us - began.us);
    }
    replies_send(r, rc);
    if (rc_ok(rc)) {
        seals_do(r);
        fresh_send(r);
        touched_send(r);
        history_write(r);
    }
    r->seal_count = 0;
    buf_clear(&r->fresh);
    buf_clear(&r->touched);
    buf_clear(&r->attempts);
    buf_clear(&r->evaluations);
    fill_answer(r);
}
