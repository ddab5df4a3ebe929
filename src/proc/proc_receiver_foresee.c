// REQUIRETLS on submission: RCPT asks the plan, so that a user learns while writing
// what a destination certainly cannot do. What is not known now is accepted, and the
// delivery finds out.
#include "proc_plans.h"
#include "proc_receiver_session.h"

#include <stdlib.h>

// A client waits for its answer; the plan goes on being made, for the delivery's sake.
static const int64_t patience_us = SECONDS(10);

struct foresight {           // of one recipient; outlives its session if that ends first
    struct session *session; // NULL: nobody waits any more
    bool known, later;
    struct shared_plan *plan;
    struct io_timer timer;
};

static void done(struct foresight *f)
{
    struct session *s = f->session;
    io_timer_cancel(s->receiver->proc->loop, &f->timer);
    f->session = NULL;
    s->foresight = NULL;
    s->waiting = false;
    bool refused = f->plan && f->plan->plan->decision == TRUST_FAIL;
    if (refused)
        session_answer(s, 550, f->plan->plan->status, f->plan->plan->reason);
    session_foreseen(s, refused);
    if (f->later && s->stream && !s->waiting) {
        io_stream_pause(s->stream, false);
        session_resume(s);
    }
}

static void ready(void *arg, struct shared_plan *plan)
{
    struct foresight *f = arg;
    f->known = true;
    f->plan = plan;
    if (!f->later)
        return;
    if (f->session)
        done(f);
    plans_release(plan);
    free(f);
}

static void overdue(void *arg)
{
    done(arg); // ready() frees it
}

static bool prepare(struct receiver *r)
{
    if (r->plans)
        return true;
    r->out.proc = r->proc;
    if (!outbound_configure(&r->out))
        return false;
    r->plans = plans_new(&r->out);
    return true;
}

void receiver_foresight_renew(struct receiver *r)
{
    if (!r->plans)
        return;
    outbound_configure(&r->out); // or what was there before stays
    plans_forget(r->plans);
}

bool session_foresee(struct session *s, struct span domain)
{
    struct receiver *r = s->receiver;
    struct dns_name name;
    if (!s->login.user || !smtp_server_transaction(s->smtp)->requiretls ||
        !dns_name_parse_host(&name, domain) || !prepare(r))
        return false;
    struct foresight *f = mem_new(sizeof *f);
    *f = (struct foresight){.session = s};
    f->timer = (struct io_timer){.fire = overdue, .arg = f};
    s->foresight = f;
    io_timer_set(r->proc->loop, &f->timer, (struct mono){io_now(r->proc->loop).us + patience_us});
    plans_get(r->plans, &name, (struct trust_need){.requiretls = true}, ready, f);
    if (f->known) { // it was at hand
        done(f);
        plans_release(f->plan);
        free(f);
        return true;
    }
    f->later = s->waiting = true;
    session_hold_input(s);
    return true;
}

void session_foresight_free(struct session *s)
{
    if (!s->foresight)
        return;
    io_timer_cancel(s->receiver->proc->loop, &s->foresight->timer);
    s->foresight->session = NULL; // ready() frees it
    s->foresight = NULL;
}
