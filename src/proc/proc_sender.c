// The sender role: SMTP out. Jobs come from the queue, messages and their
// outcomes go to and from the store, plans are made with resolver and fetcher.
#include "proc_sender.h"

#include "base_log.h"

#include <stdlib.h>

#define REFRESH_EVERY SECONDS(3600)
#define REFRESH_FIRST SECONDS(60)

static struct sender *sender_of(struct proc *p)
{
    if (!p->data) {
        struct sender *s = mem_new(sizeof *s);
        s->proc = p;
        s->out.proc = p;
        s->links = (struct links){.out = &s->out, .user = &delivery_links};
        s->segments = proc_segments_new();
        p->data = s;
    }
    return p->data;
}

// ---- the role ----

static void refresh(void *arg)
{
    struct sender *s = arg;
    plans_refresh(s->plans);
    io_timer_set(s->proc->loop, &s->refresh,
                 (struct mono){io_now(s->proc->loop).us + REFRESH_EVERY});
}

static void start(struct proc *p)
{
    struct sender *s = sender_of(p);
    if (!outbound_configure(&s->out)) {
        proc_fail(p);
        return;
    }
    s->plans = plans_new(&s->out);
    if (p->index == 0) { // one of us keeps the policies fresh
        s->refresh = (struct io_timer){.fire = refresh, .arg = s};
        io_timer_set(p->loop, &s->refresh, (struct mono){io_now(p->loop).us + REFRESH_FIRST});
    }
}

static void reload(struct proc *p)
{
    struct sender *s = p->data;
    outbound_configure(&s->out); // or what was there before stays
    plans_forget(s->plans);
    links_close_idle(&s->links); // opened under the old rules
}

void sender_idle(struct sender *s)
{
    if (s->proc->draining && !s->deliveries)
        proc_drained(s->proc);
}

static void drain(struct proc *p)
{
    struct sender *s = p->data;
    links_close_idle(&s->links);
    sender_idle(s);
}

static void peer_up(struct proc_peer *peer)
{
    struct sender *s = sender_of(peer->proc);
    if (peer->kind == PROC_QUEUE) {
        CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
        deliveries_busy(s, &b);
        proc_send(peer, MSG_BUSY, 0, buf_span(&b), -1);
    }
    if (peer->kind == PROC_STORE)
        proc_segments_clear(s->segments);
}

static bool got_job(struct sender *s, struct io_message *m)
{
    struct rd r = RD(m->payload);
    uint64_t job = rd_u64(&r), message = rd_u64(&r);
    struct span domain = rd_span(&r);
    rd_u64(&r);
    if (!rd_end(&r) || domain.len == 0)
        return false;
    if (s->proc->draining)
        return true; // the queue learns from our end that nothing came of it
    delivery_start(s, job, message, domain);
    return true;
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    struct sender *s = peer->proc->data;
    if (m->kind == MSG_JOB && peer->kind == PROC_QUEUE)
        return got_job(s, m);
    if (m->kind == MSG_SEGMENT_GONE && peer->kind == PROC_STORE) {
        struct rd r = RD(m->payload);
        proc_segments_drop(s->segments, rd_u32(&r));
        return rd_end(&r);
    }
    return false;
}

const struct proc_role proc_sender = {.kind = PROC_SENDER,
                                      .start = start,
                                      .reload = reload,
                                      .drain = drain,
                                      .peer_up = peer_up,
                                      .got = got};
