// What receivers and senders bring: commits and outcomes, taken into the group.
#include "proc_notice.h"
#include "proc_store.h"

#include "base_json.h"
#include "base_log.h"
#include "base_meter.h"

#include <stdio.h>

enum {
    RECORD_MAX = 1 << 20,
    LOST_CEILING = 8 << 20,
    ENVELOPE_CEILING = 64 << 20,
    STATUS_MAX = 32,
    TEXT_MAX = 1000
};

// Which failures a receiver hears of: a client is never told "5xx" for what is
// ours. NOT_FOUND is for bounces: no longer owed.
static struct rc for_receiver(struct rc rc, bool bounce)
{
    if (rc_ok(rc) || rc_retry(rc) || (bounce && rc.code == RC_NOT_FOUND))
        return rc;
    return RC(UNAVAILABLE);
}

static struct rc commit(struct store_role *r, struct proc_peer *peer, struct store_envelope *e,
                        const uint64_t *replaced, size_t count)
{
    const struct held *h = proc_held_find(r, e->body.segment);
    if (!r->store || !h || h->writer != peer)
        return RC(UNAVAILABLE);
    struct wall now = io_wall(r->proc->loop); // one for all, so that they stay together
    for (size_t i = 0; i < e->count; i++) {
        e->recipients[i].due = e->recipients[i].notice ? (struct wall){0} : now;
        e->recipients[i].attempts = 0;
    }
    struct rc rc = store_put(r->store, e, replaced, count);
    if (rc_ok(rc)) {
        if (e->hold.len == 0)
            proc_group_fresh(r, e);
        if (h->own_file)
            proc_group_seal(r, h->id);
    }
    return for_receiver(rc, count > 0);
}

// Notices can be owed still: for more recipients than one notice took, or
// because somebody else's notice was first for some of them.
static void touch_replaced(struct store_role *r, const uint64_t *replaced, size_t count)
{
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t message = store_recipient_message(replaced[i]);
        if (message != last)
            proc_group_touched(r, message, SPAN(""));
        last = message;
    }
}

static bool replaced_unpack(struct rd *rd, struct arena *a, uint64_t **out, size_t *count)
{
    *count = rd_u16(rd);
    *out = arena_alloc(a, (*count + 1) * sizeof(**out));
    for (size_t i = 0; *out && i < *count; i++)
        (*out)[i] = rd_u64(rd);
    return *out && rd_end(rd);
}

bool proc_group_commit(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(arena_free) struct arena a = ARENA(ENVELOPE_CEILING);
    struct store_envelope e;
    struct rd rd = RD(m->payload);
    uint64_t *replaced;
    size_t count;
    if (!proc_envelope_unpack(&rd, &e, &a) || e.count == 0 ||
        !replaced_unpack(&rd, &a, &replaced, &count))
        return false;
    proc_group_schedule(r);
    struct rc rc = commit(r, peer, &e, replaced, count);
    touch_replaced(r, replaced, count);
    proc_group_reply(r, (struct reply){peer, MSG_COMMITTED, m->ticket, rc, e.id});
    proc_group_bound(r);
    return true;
}

// What the recipients of one attempt share, so that they stay together.
struct shared {
    struct wall now;
    uint64_t random;
};

// Time and sender decide what becomes of it, and who is told.
static void decide(struct store_role *r, const struct store_facts *f, const struct shared *all,
                   struct store_outcome *o)
{
    // RFC 8460 §5.3: a report is tried for a day, and nobody is told.
    struct queue_retry retry = r->retry;
    if (f->report && retry.lifetime_us > SECONDS(86400))
        retry.lifetime_us = SECONDS(86400);
    if (o->result == STORE_DEFERRED)
        o->due = queue_backoff(&retry, f->received, all->now, f->attempts + 1, all->random);
    if (o->result == STORE_DEFERRED && o->due.us == WALL_NEVER.us) {
        o->result = STORE_FAILED;
        if (o->status.len == 0)
            o->status = SPAN("4.4.7"); // RFC 3463 §3.5: delivery time expired
    }
    o->now = all->now;
    o->notice = notice_due(&(struct notice_case){.result = o->result,
                                                 .hop = o->hop,
                                                 .notify = f->notify,
                                                 .null_path = f->null_sender || f->report,
                                                 .told = f->told,
                                                 .age_us = all->now.us - f->received.us,
                                                 .warn_us = r->delay_warning_us,
                                                 .ours = f->ours,
                                                 .eight_bit = f->eight_bit,
                                                 .requiretls = f->requiretls,
                                                 .status = o->status});
    if (o->result == STORE_FAILED && !o->notice)
        o->result = STORE_DROPPED;
}

// Nobody else hears of it: a report has no sender to tell.
static void report_lost(const struct store_facts *f, const struct store_outcome *o)
{
    meter_count(METER_REPORT_MAIL_LOST, 1);
    LOG(LOG_WARN, "report-not-delivered", LOG_T("id", proc_id_text(f->message)),
        LOG_S("status", o->status), LOG_S("reason", o->reason));
}

static struct rc outcome(struct store_role *r, struct store_outcome *o, const struct shared *all,
                         bool *news)
{
    struct store_facts f;
    struct rc rc = store_find(r->store, o->recipient, &f);
    if (rc.code == RC_NOT_FOUND)
        return RC(OK); // told before
    TRY(rc);
    *news = true;
    decide(r, &f, all, o);
    o->status = span_first(o->status, STATUS_MAX);
    o->reason = span_first(o->reason, TEXT_MAX);
    if (f.report && o->result == STORE_DROPPED)
        report_lost(&f, o);
    o->remote = span_first(o->remote, TEXT_MAX);
    o->diagnostic = span_first(o->diagnostic, TEXT_MAX);
    return store_outcome(r->store, o);
}

static bool outcomes_wellformed(struct rd rd, uint64_t message, size_t count)
{
    struct store_outcome o;
    for (size_t i = 0; i < count; i++)
        if (!proc_outcome_unpack(&rd, &o) || store_recipient_message(o.recipient) != message)
            return false;
    return rd_end(&rd);
}

static struct rc outcomes(struct store_role *r, struct rd *rd, size_t count, bool *news)
{
    struct store_outcome o;
    *news = count == 0;
    const struct shared all = {io_wall(r->proc->loop), io_random()};
    for (size_t i = 0; i < count; i++)
        if (proc_outcome_unpack(rd, &o))
            TRY(outcome(r, &o, &all, news));
    return RC(OK);
}

bool proc_group_outcome(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct store_attempt a;
    struct rd rd = RD(m->payload);
    if (!proc_attempt_unpack(&rd, &a))
        return false;
    struct span packed = span_first(m->payload, m->payload.len - rd.rest.len);
    size_t count = rd_u16(&rd);
    if (rd.bad || !outcomes_wellformed(rd, a.message, count))
        return false;
    bool news = false; // else it is a repetition, and in the history already
    proc_group_schedule(r);
    struct rc rc = r->store ? outcomes(r, &rd, count, &news) : RC(UNAVAILABLE);
    if (rc_ok(rc)) {
        if (news)
            buf_put(&r->attempts, packed);
        proc_group_touched(r, a.message, a.domain);
        proc_group_touched(r, a.message, SPAN(""));
    }
    proc_group_reply(r, (struct reply){peer, MSG_OUTCOME_DONE, m->ticket, rc, 0});
    proc_group_bound(r);
    return true;
}

// As in the reply that took the message; valid until the next call.
const char *proc_id_text(uint64_t id)
{
    static char text[32];
    snprintf(text, sizeof text, "%llx", (unsigned long long)id);
    return text;
}

static void lost_record(struct buf *b, const struct store_envelope *e, struct span status)
{
    struct json j = JSON(b);
    json_open(&j, NULL, '[');
    for (size_t i = 0; i < e->count; i++) {
        json_open(&j, NULL, '{');
        json_str(&j, "address", e->recipients[i].address);
        json_str(&j, "outcome", SPAN("deferred"));
        json_str(&j, "status", status);
        json_close(&j, '}');
    }
    json_close(&j, ']');
}

// The attempt of a sender that died over it: what it saw is lost with it.
static struct rc lost_attempt(struct store_role *r, const struct store_envelope *e,
                              struct span domain)
{
    const struct shared all = {io_wall(r->proc->loop), io_random()};
    const struct span status = SPAN("4.3.0");
    const struct span reason = SPAN("the process that tried it died, more than once in a row");
    CLEANUP(buf_free) struct buf who = BUF(RECORD_MAX);
    bool news = false;
    for (size_t i = 0; i < e->count; i++) {
        struct store_outcome o = {.recipient = e->recipients[i].id,
                                  .result = STORE_DEFERRED,
                                  .status = status,
                                  .reason = reason};
        TRY(outcome(r, &o, &all, &news));
    }
    lost_record(&who, e, status);
    proc_attempt_pack(&r->attempts,
                      &(struct store_attempt){
                          .when = all.now,
                          .message = e->id,
                          .sender = e->sender,
                          .domain = domain,
                          .recipients = rc_ok(buf_state(&who)) ? buf_span(&who) : SPAN("[]"),
                          .plan = SPAN("null"),
                          .sessions = SPAN("[]"),
                          .decision = SPAN("deferred"),
                          .reason = reason,
                      });
    return RC(OK);
}

bool proc_group_interrupted(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(arena_free) struct arena a = ARENA(LOST_CEILING);
    struct store_envelope e;
    struct rd rd = RD(m->payload);
    uint64_t id = rd_u64(&rd);
    struct span domain = rd_span(&rd);
    (void)peer;
    if (!rd_end(&rd) || domain.len == 0)
        return false;
    struct rc rc =
        r->store ? store_load(r->store, id, domain, io_wall(r->proc->loop), &a, &e) : RC(NOT_FOUND);
    if (rc.code == RC_NOT_FOUND) // its outcome came through after all
        return true;
    proc_group_schedule(r);
    if (rc_ok(rc))
        rc = lost_attempt(r, &e, domain);
    LOG(LOG_WARN, "attempt-lost", LOG_T("id", proc_id_text(id)), LOG_S("domain", domain),
        LOG_T("counted", rc_text(rc)));
    proc_group_touched(r, id, domain);
    proc_group_touched(r, id, SPAN(""));
    proc_group_bound(r);
    return true;
}

bool proc_group_evaluation(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct store_evaluation e;
    struct rd rd = RD(m->payload);
    (void)peer;
    if (!proc_evaluation_unpack(&rd, &e) || !rd_end(&rd))
        return false;
    proc_group_schedule(r);
    buf_put(&r->evaluations, m->payload);
    proc_group_bound(r);
    return true;
}
