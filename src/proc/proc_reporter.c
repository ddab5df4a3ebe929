// The reporter role: after each UTC day, at a random time, the TLS reports (RFC 8460) and
// DMARC aggregate reports (RFC 9990) about it, one policy domain after the other. It holds
// nothing that must last: what was sent is in the history, and a run takes what is left.
// Whatever is wrong with one domain, record or destination, the next has its turn.
#include "proc_reporter.h"

#include "base_log.h"

#include <stdlib.h>

#define DAY_US      SECONDS(86400)
#define LOOK_EVERY  SECONDS(600) // the clock may be set
#define AGAIN_FIRST SECONDS(60)
#define AGAIN_IN    SECONDS(3600)
#define BEGIN_IN    SECONDS(3) // the other roles begin, too
#define DRAIN_IN    SECONDS(5) // a stranger's host must not hold up the end

static bool on(const struct reporter *r)
{
    return conf_span(r->proc->conf, CONF_report_from).len > 0;
}

// ---- when ----

static void look_in(struct reporter *r, int64_t us)
{
    io_timer_set(r->proc->loop, &r->timer,
                 (struct mono){io_now(r->proc->loop).us + (us < LOOK_EVERY ? us : LOOK_EVERY)});
}

static void look(void *arg)
{
    struct reporter *r = arg;
    int64_t now = io_wall(r->proc->loop).us, today = now / DAY_US;
    int64_t within = conf_int(r->proc->conf, CONF_report_delay);
    if (!on(r) || r->running || r->proc->draining)
        return;
    if (r->delay_day != today) { // RFC 8460 §5.3: not all of the world at midnight
        r->delay_day = today;
        r->again_us = AGAIN_FIRST;
        r->delay_us = within ? (int64_t)(io_random() % (uint64_t)within) : 0;
        r->next_us = today * DAY_US + r->delay_us;
    }
    if (now < r->next_us) {
        look_in(r, r->next_us - now);
        return;
    }
    r->running = true;
    r->sent = r->left = 0;
    r->silent_count = 0;
    // A day after the first attempt comes the last (RFC 8460 §5.5).
    reporter_day(r, today - 2, true);
}

void reporter_day_over(struct reporter *r)
{
    int64_t now = io_wall(r->proc->loop).us;
    buf_free(&r->page);
    if (r->proc->draining) {
        io_timer_cancel(r->proc->loop, &r->timer);
        proc_drained(r->proc);
        return;
    }
    if (r->last) {
        reporter_day(r, r->day + 1, false);
        return;
    }
    r->running = false;
    if (r->sent || r->left)
        LOG(LOG_INFO, "reports-sent", LOG_I("reports", r->sent), LOG_I("left-for-later", r->left));
    r->next_us = now + (r->left ? r->again_us : AGAIN_IN);
    if (r->left && r->again_us < AGAIN_IN)
        r->again_us *= 2;
    if (r->now) {
        r->now = false;
        r->next_us = now;
    }
    look_in(r, r->next_us - now);
}

// ---- the role ----

// Sets what waits for its time free: yesterday's.
static bool got_now(struct reporter *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(8);
    wr_bool(&b, on(r));
    proc_send(peer, MSG_REPORT_BEGUN, m->ticket, buf_span(&b), -1);
    r->now = r->running;
    r->delay_day = io_wall(r->proc->loop).us / DAY_US;
    r->next_us = 0;
    look(r);
    return true;
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    if (m->kind == MSG_REPORT_NOW)
        return peer->kind == PROC_CONTROL && got_now(peer->proc->data, peer, m);
    return m->kind == MSG_REPORT_INTAKE && (peer->kind == PROC_SENDER || peer->kind == PROC_WEB) &&
           reporter_intake(peer->proc->data, peer, m);
}

static void start(struct proc *p)
{
    struct reporter *r = mem_new(sizeof *r);
    *r = (struct reporter){.proc = p, .timer = {.fire = look, .arg = r}, .delay_day = -1};
    p->data = r;
    look_in(r, BEGIN_IN);
}

static void reload(struct proc *p)
{
    struct reporter *r = p->data;
    r->delay_day = -1;
    look(r);
}

static void drained(void *arg)
{
    struct reporter *r = arg;
    proc_drained(r->proc);
}

// What is in hand is noted first, or would be sent again under the same name.
static void drain(struct proc *p)
{
    struct reporter *r = p->data;
    reporter_intake_end(r);
    io_timer_cancel(p->loop, &r->timer);
    r->timer.fire = drained;
    if (r->running)
        io_timer_set(p->loop, &r->timer, (struct mono){io_now(p->loop).us + DRAIN_IN});
    else
        proc_drained(p);
}

const struct proc_role proc_reporter = {
    .kind = PROC_REPORTER, .start = start, .reload = reload, .drain = drain, .got = got};
