// The end of a delivery. What happened is reported until the store has it; only then the
// job ends.
#include "proc_sender_delivery.h"
#include "proc_sender_meters.h"

#include "base_log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RECORD_MAX = 1 << 20, // of recipients
    OUTCOMES_MAX = 1 << 20,
    TEXT_LEAST = 200, // of a reply, however many recipients have one
    TEXT_MOST = 1000,
};
#define OUTCOME_PATIENCE SECONDS(60)
#define OUTCOME_AGAIN    SECONDS(2)
#define JOB_AGAIN        SECONDS(60)

static void send_report(void *arg);

// As in the reply that took the message; valid until the next call.
const char *delivery_id_text(uint64_t id)
{
    static char text[32];
    snprintf(text, sizeof text, "%llx", (unsigned long long)id);
    return text;
}

struct span delivery_keep(struct delivery *d, struct span s)
{
    struct span kept = arena_dup(&d->arena, s);
    return kept.at ? kept : SPAN("(too much to keep)");
}

struct span delivery_keep_buf(struct delivery *d, struct buf *b)
{
    return delivery_keep(d, buf_span(b));
}

static void delivery_free(struct delivery *d)
{
    struct sender *s = d->sender;
    io_timer_cancel(s->proc->loop, &d->again);
    if (d->previous)
        d->previous->next = d->next;
    else
        s->deliveries = d->next;
    if (d->next)
        d->next->previous = d->previous;
    plans_release(d->plan);
    proc_segment_release(d->body.segment);
    crypto_hash_free(d->body.hash);
    buf_free(&d->why);
    buf_free(&d->sessions);
    buf_free(&d->counted);
    buf_free(&d->report);
    arena_free(&d->arena);
    free(d);
    sender_idle(s);
}

void delivery_end_job_until(struct delivery *d, bool again, int64_t later)
{
    struct proc *p = d->sender->proc;
    CLEANUP(buf_free) struct buf b = BUF(64);
    wr_u64(&b, d->job);
    wr_bool(&b, again);
    wr_i64(&b, io_wall(p->loop).us + later);
    proc_send(proc_peer(p, PROC_QUEUE, 0), MSG_ENDED, 0, buf_span(&b), -1);
    delivery_free(d);
}

void delivery_end_job(struct delivery *d, bool again)
{
    delivery_end_job_until(d, again, JOB_AGAIN);
}

static bool reported(void *arg, struct io_message *m)
{
    struct delivery *d = arg;
    struct rc rc = RC(UNAVAILABLE);
    bool fine = true;
    if (m) {
        struct rd r = RD(m->payload);
        rc.code = (enum rc_code)rd_enum(&r, RC_COUNT);
        fine = m->kind == MSG_OUTCOME_DONE && rd_end(&r);
    }
    if (fine && rc_ok(rc)) {
        delivery_end_job(d, false);
        return true;
    }
    // The outcome must not be lost: a message that was delivered would be again.
    d->again = (struct io_timer){.node = d->again.node, .fire = send_report, .arg = d};
    io_timer_set(d->sender->proc->loop, &d->again,
                 (struct mono){io_now(d->sender->proc->loop).us + OUTCOME_AGAIN});
    return fine;
}

static void send_report(void *arg)
{
    struct delivery *d = arg;
    proc_ask(d->sender->proc, PROC_STORE, 0, MSG_OUTCOME, buf_span(&d->report), OUTCOME_PATIENCE,
             reported, d);
}

static const char *hop_text(const struct store_outcome *o)
{
    static const char *const texts[STORE_HOPS] = {[STORE_HOP_PLAIN] = "server",
                                                  [STORE_HOP_DSN] = "server-with-dsn",
                                                  [STORE_HOP_MAILBOX] = "mailbox"};
    return o->result == STORE_DELIVERED ? texts[o->hop] : "";
}

static const char *result_text(enum store_result r)
{
    return r == STORE_DELIVERED ? "delivered" : r == STORE_FAILED ? "failed" : "deferred";
}

// A thousand recipients with a long reply each have to fit into one message to the
// store: without a report the outcomes would be lost.
static size_t text_most(const struct delivery *d)
{
    size_t most = OUTCOMES_MAX / (2 * d->envelope.count);
    return most < TEXT_LEAST ? TEXT_LEAST : most > TEXT_MOST ? TEXT_MOST : most;
}

static void shorten_outcomes(struct delivery *d)
{
    size_t most = text_most(d);
    for (size_t i = 0; i < d->envelope.count; i++) {
        struct store_outcome *o = &d->recipients[i].outcome;
        o->reason = span_first(o->reason, most);
        o->diagnostic = span_first(o->diagnostic, most);
    }
}

static void put_recipients(struct delivery *d, struct buf *b, bool replies)
{
    struct json j = JSON(b);
    buf_clear(b);
    json_open(&j, NULL, '[');
    for (size_t i = 0; i < d->envelope.count; i++) {
        const struct store_outcome *o = &d->recipients[i].outcome;
        json_open(&j, NULL, '{');
        json_str(&j, "address", d->envelope.recipients[i].address);
        json_str(&j, "outcome", span_str(result_text(o->result)));
        json_str(&j, "status", o->status);
        if (replies) {
            json_str(&j, "reason", o->reason);
            json_str(&j, "host", o->remote);
            json_str(&j, "reply", o->diagnostic);
            json_str(&j, "taken_by", span_str(hop_text(o)));
        }
        json_close(&j, '}');
    }
    json_close(&j, ']');
}

static void log_outcome(const struct delivery *d)
{
    for (size_t i = 0; i < d->envelope.count; i++) {
        const struct store_outcome *o = &d->recipients[i].outcome;
        LOG(o->result == STORE_DELIVERED ? LOG_INFO : LOG_WARN, result_text(o->result),
            LOG_T("id", delivery_id_text(d->message)),
            LOG_S("to", d->envelope.recipients[i].address), LOG_S("host", o->remote),
            LOG_S("status", o->status), LOG_S("reason", o->reason));
    }
}

// Failed if any recipient failed, else deferred if any was, else delivered; the
// reason is that of the recipient that decided.
static enum store_result sum_up(struct delivery *d)
{
    static const int weight[] = {
        [STORE_DELIVERED] = 0, [STORE_DEFERRED] = 1, [STORE_FAILED] = 2, [STORE_DROPPED] = 2};
    const struct store_outcome *worst = &d->recipients[0].outcome;
    for (size_t i = 1; i < d->envelope.count; i++)
        if (weight[d->recipients[i].outcome.result] > weight[worst->result])
            worst = &d->recipients[i].outcome;
    d->decision = result_text(worst->result);
    d->reason = worst->reason;
    return worst->result;
}

// Once, however often it is reported.
static void count_outcomes(const struct delivery *d, enum store_result worst)
{
    for (size_t i = 0; i < d->envelope.count; i++)
        sender_count_outcome(&d->recipients[i].outcome);
    sender_count_attempt(worst, io_now(d->sender->proc->loop).us - d->began.us);
}

// What does not fit is left out whole: half a document is none.
static struct span document(const struct buf *b, struct span instead)
{
    return rc_ok(buf_state(b)) && b->len ? buf_span(b) : instead;
}

static void put_report(struct delivery *d, struct span recipients, struct span plan)
{
    struct proc *p = d->sender->proc;
    CLEANUP(buf_free) struct buf counts = BUF(TALLIES_ROOM * 2);
    if (!d->envelope.report) // no report about reports (RFC 8460 section 5.3)
        tallies_put(&counts, d->delivered, d->plan ? d->plan->plan : NULL,
                    document(&d->counted, SPAN("")));
    if (!rc_ok(buf_state(&d->counted)) || !rc_ok(buf_state(&counts)))
        LOG(LOG_WARN, "sessions-not-counted", LOG_S("domain", dns_name_span(&d->domain)),
            LOG_T("why", "what is to be told of this attempt's sessions is too long"));
    d->report = BUF(IO_MESSAGE_MAX);
    proc_attempt_pack(&d->report, &(struct store_attempt){
                                      .when = io_wall(p->loop),
                                      .message = d->message,
                                      .sender = store_return_path(&d->envelope),
                                      .domain = dns_name_span(&d->domain),
                                      .recipients = recipients,
                                      .plan = plan,
                                      .sessions = document(&d->sessions, SPAN("[]")),
                                      .decision = span_str(d->decision),
                                      .reason = d->reason,
                                      .duration_us = io_now(p->loop).us - d->began.us,
                                      .counts = document(&counts, SPAN("")),
                                  });
    wr_u16(&d->report, (uint16_t)d->envelope.count);
    for (size_t i = 0; i < d->envelope.count; i++)
        proc_outcome_pack(&d->report, &d->recipients[i].outcome);
}

void delivery_finish(struct delivery *d)
{
    CLEANUP(buf_free) struct buf recipients = BUF(RECORD_MAX);
    struct span plan = d->plan ? document(&d->plan->json, SPAN("null")) : SPAN("null");
    shorten_outcomes(d);
    count_outcomes(d, sum_up(d));
    log_outcome(d);
    put_recipients(d, &recipients, true);
    if (!rc_ok(buf_state(&recipients)))
        put_recipients(d, &recipients, false);
    json_close(&d->json, ']');
    put_report(d, document(&recipients, SPAN("[]")), plan);
    if (!rc_ok(buf_state(&d->report))) {
        buf_free(&d->report);
        put_report(d, document(&recipients, SPAN("[]")), SPAN("null"));
    }
    send_report(d);
}

// Everyone not settled yet shares this outcome.
void delivery_settle_rest(struct delivery *d, enum store_result result, const char *status,
                          struct span reason)
{
    for (size_t i = 0; i < d->envelope.count; i++) {
        struct recipient *r = &d->recipients[i];
        if (r->settled)
            continue;
        r->settled = true;
        // No host has what it takes: none will have it the next time.
        bool hopeless = r->lacking && !r->passing && !d->passing;
        r->outcome.result = hopeless ? STORE_FAILED : result;
        // A reply of its own says more than what happened to the walk later.
        if (hopeless || (r->outcome.reason.len && result == STORE_DEFERRED && !r->lacking))
            continue;
        r->outcome.status = span_str(status);
        r->outcome.reason = reason;
    }
}

bool delivery_all_settled(const struct delivery *d)
{
    for (size_t i = 0; i < d->envelope.count; i++)
        if (!d->recipients[i].settled)
            return false;
    return true;
}
