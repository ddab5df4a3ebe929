// One delivery: load the message, get the plan, walk its hosts.
#include "proc_sender_delivery.h"
#include "proc_sender_meters.h"

#include "base_log.h"
#include "base_meter.h"

#include <stdlib.h>

enum {
    DELIVERY_ROOM = 8 << 20,
    RECORD_MAX = 1 << 20, // of sessions
};
#define LOAD_PATIENCE SECONDS(60)
#define CROWDED_AGAIN SECONDS(10)

static void next_host(struct delivery *d);

// ---- sessions ----

static void note_session(struct delivery *d, struct link *l, struct span rule,
                         enum trust_result_type result)
{
    l->session.rule = rule;
    l->session.result = result;
    l->session.error = l->seen.detail;
    trust_session_put_json(&d->json, NULL, &l->session);
    if (d->trying.host)
        tallies_session(&d->counted, d->plan->plan, d->trying.host, &l->session, result);
}

static struct span last_rule(const struct delivery *d)
{
    return d->trying.host ? d->trying.host->reason : SPAN("");
}

static void connect(struct delivery *d)
{
    d->waits_slot = true;
    d->link =
        link_open(&d->sender->links, d,
                  &(struct link_wish){d->trying.host, d->trying.address, d->trying.clear}, &d->key);
}

static void after_transaction(struct delivery *d, bool lost)
{
    struct link *l = d->link;
    delivery_take_outcomes(d);
    note_session(d, l, last_rule(d), l->session.reused ? TRUST_RESULT_OK : d->talked);
    bool uncertain = l->uncertain, stale = lost && l->session.reused && !uncertain;
    CLEANUP(buf_free) struct buf why = BUF(2048), doubt = BUF(2048);
    if (lost)
        buf_put(&why, SPAN("The session ended before the server had taken the message: "));
    buf_put(&why, l->seen.detail.len ? l->seen.detail : SPAN("It deferred the message."));
    buf_printf(&doubt,
               "%.*s: The session ended (%.*s) when the server may have had the message already, "
               "so no other host is tried now.",
               SPAN_FMT(delivery_host_text(d)), SPAN_FMT(l->seen.detail));
    d->link = NULL;
    l->user = NULL; // idle, or buried by itself
    if (delivery_all_settled(d)) {
        delivery_finish(d);
        return;
    }
    if (stale) { // it had closed while nobody used it: that says nothing of the host
        connect(d);
        return;
    }
    if (uncertain) { // another host might get a message this one already has
        delivery_settle_rest(d, STORE_DEFERRED, "4.4.2", delivery_keep_buf(d, &doubt));
        delivery_finish(d);
        return;
    }
    trust_walk_leave_host(&d->walk, buf_span(&why));
    next_host(d);
}

// ---- the walk ----

static void out_of_hosts(struct delivery *d)
{
    const char *status = NULL;
    enum trust_decision end = trust_walk_end(&d->walk, &status);
    struct span why = d->why.len ? delivery_keep_buf(d, &d->why) : d->plan->plan->reason;
    if (end == TRUST_FAIL)
        delivery_settle_rest(d, STORE_FAILED, status ? status : "5.4.0", why);
    else
        delivery_settle_rest(d, STORE_DEFERRED, status ? status : "4.4.0", why);
    delivery_finish(d);
}

static void next_host(struct delivery *d)
{
    d->trying = trust_walk_next(&d->walk);
    if (!d->trying.host) {
        out_of_hosts(d);
        return;
    }
    d->key = link_key(d->trying.host, &d->need);
    if (!d->trying.clear && (d->link = link_reuse(&d->sender->links, &d->key, d))) {
        delivery_begin(d);
        return;
    }
    connect(d);
}

static bool wants(const void *user, const struct link *l)
{
    const struct delivery *d = user;
    return d->waits_slot && !d->trying.clear && !l->clear &&
           span_eq(SPAN_OF(d->key.at), SPAN_OF(l->key.at));
}

static void take_over(void *user, struct link *l)
{
    struct delivery *d = user;
    d->waits_slot = false;
    d->link = l;
    l->user = d;
    l->session.reused = true;
    delivery_begin(d);
}

static void handshake(void *user, struct link *l)
{
    const struct delivery *d = user;
    link_handshake(l, d->trying.host);
}

// Said when it begins and when it is over, not for every message.
static void mailbox_down(struct delivery *d, const struct link *l)
{
    if (!d->sender->mailbox_down)
        LOG(LOG_ERROR, "mailbox-server-down", LOG_S("endpoint", delivery_host_text(d)),
            LOG_S("why", l->seen.detail));
    d->sender->mailbox_down = true;
}

static void mailbox_up(struct delivery *d)
{
    if (d->sender->mailbox_down)
        LOG(LOG_INFO, "mailbox-server-up", LOG_S("endpoint", delivery_host_text(d)));
    d->sender->mailbox_down = false;
}

static void count_seen(const struct link *l, const struct trust_ruling *r)
{
    if (l->seen.stage == TRUST_AT_HANDSHAKE)
        sender_count_tls(&l->session, l->seen.ok && l->seen.failure == TRUST_RESULT_OK);
    if (r->verdict == TRUST_GO_TALK || r->verdict == TRUST_GO_NEXT || r->verdict == TRUST_GO_CLEAR)
        sender_count_session(r->verdict == TRUST_GO_TALK);
}

static void seen(struct delivery *d, struct link *l)
{
    if (l->crowded && d->sessions.len == 1) {
        // Nothing was tried yet: another may have this place, and we come again.
        delivery_leave_link(d);
        delivery_end_job_until(d, true, CROWDED_AGAIN);
        return;
    }
    struct trust_ruling r = trust_walk_seen(&d->walk, &l->seen);
    d->waits_slot = false;
    count_seen(l, &r);
    switch (r.verdict) {
    case TRUST_GO_STARTTLS:
        link_starttls(l);
        return;
    case TRUST_GO_EHLO:
        link_secured(l);
        return;
    case TRUST_GO_TALK:
        d->talked = r.result;
        if (l->lmtp)
            mailbox_up(d);
        delivery_begin(d);
        return;
    case TRUST_GO_CLEAR:
    case TRUST_GO_NEXT:
        note_session(d, l, span_str(r.rule), r.result);
        d->passing = d->passing || (r.verdict == TRUST_GO_NEXT && !r.permanent);
        if (l->lmtp && r.verdict == TRUST_GO_NEXT)
            mailbox_down(d, l);
        delivery_leave_link(d);
        next_host(d);
        return;
    case TRUST_VERDICTS:
        panic("no verdict");
    }
}

static void event(void *user, struct link *l, enum link_event e)
{
    struct delivery *d = user;
    switch (e) {
    case LINK_SEEN:
        seen(d, l);
        return;
    case LINK_BODY:
        delivery_send_body(d);
        return;
    case LINK_DONE:
        after_transaction(d, false);
        return;
    case LINK_OVER:
        after_transaction(d, true);
        return;
    }
}

static void drained(void *user, struct link *l)
{
    struct delivery *d = user;
    (void)l;
    if (d->body.at && !d->body.ended)
        delivery_send_body(d);
}

const struct link_user delivery_links = {.event = event,
                                         .handshake = handshake,
                                         .drained = drained,
                                         .wants = wants,
                                         .take_over = take_over};

// ---- the beginning ----

static bool is_local(const struct delivery *d)
{
    const struct trust_plan *plan = d->plan->plan;
    return plan->host_count && plan->hosts[0].lmtp;
}

// Final delivery (RFC 5321 §4.4), for a mailbox server that does not do it.
static void put_return_path(struct delivery *d)
{
    CLEANUP(buf_free) struct buf b = BUF(DELIVERY_ROOM);
    struct store_envelope *e = &d->envelope;
    if (!is_local(d) || !conf_bool(d->sender->proc->conf, CONF_local_return_path))
        return;
    buf_printf(&b, "Return-Path: <%.*s>\r\n", SPAN_FMT(store_return_path(e)));
    buf_put(&b, e->head);
    struct span head = arena_dup(&d->arena, buf_span(&b));
    if (head.at)
        e->head = head;
}

static void planned(void *arg, struct shared_plan *plan)
{
    struct delivery *d = arg;
    d->plan = plan;
    tallies_plan(&d->counted, plan->plan);
    if (plan->plan->decision != TRUST_DELIVER) {
        bool fail = plan->plan->decision == TRUST_FAIL;
        delivery_settle_rest(d, fail ? STORE_FAILED : STORE_DEFERRED,
                             plan->plan->status ? plan->plan->status
                             : fail             ? "5.4.0"
                                                : "4.4.0",
                             plan->plan->reason);
        delivery_finish(d);
        return;
    }
    d->need.requiretls = d->need.requiretls && plan->plan->requiretls;
    put_return_path(d);
    trust_walk_start(&d->walk, plan->plan, &d->need,
                     (unsigned)conf_int(d->sender->proc->conf, CONF_send_max_hosts), &d->why);
    next_host(d);
}

static bool prepare(struct delivery *d, struct io_message *m)
{
    struct store_envelope *e = &d->envelope;
    size_t n = e->count;
    if (m->fd >= 0) {
        proc_segments_keep(d->sender->segments, e->body.segment, m->fd);
        m->fd = -1;
    }
    d->recipients = arena_alloc(&d->arena, n * sizeof *d->recipients);
    d->transaction.recipients = arena_alloc(&d->arena, n * sizeof *d->transaction.recipients);
    d->placed = arena_alloc(&d->arena, n * sizeof *d->placed);
    if (!d->recipients || !d->transaction.recipients || !d->placed)
        return false;
    for (size_t i = 0; i < n; i++)
        d->recipients[i].outcome.recipient = e->recipients[i].id;
    d->need = (struct trust_need){.requiretls = e->requiretls,
                                  .tls_required_no = e->tls_required_no && !e->requiretls};
    d->body.segment = proc_segments_hold(d->sender->segments, e->body.segment);
    return true;
}

static bool loaded(void *arg, struct io_message *m)
{
    struct delivery *d = arg;
    if (!m) {
        delivery_end_job(d, true);
        return true;
    }
    struct rd r = RD(m->payload);
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    if (m->kind != MSG_LOADED || r.bad ||
        (rc_ok(rc) && (!proc_envelope_unpack(&r, &d->envelope, &d->arena) || !rd_end(&r)))) {
        delivery_end_job(d, true);
        return false;
    }
    if (!rc_ok(rc) || d->envelope.count == 0) {
        delivery_end_job(d, !rc_ok(rc) && rc.code != RC_NOT_FOUND); // not found: done already
        return true;
    }
    if (!prepare(d, m)) {
        LOG(LOG_ERROR, "message-cannot-be-read", LOG_T("id", delivery_id_text(d->message)));
        delivery_end_job(d, true);
        return true;
    }
    if (!d->body.segment) { // an attempt like others: at the end of its time it bounces
        LOG(LOG_ERROR, "body-missing", LOG_T("id", delivery_id_text(d->message)),
            LOG_I("segment", d->envelope.body.segment));
        delivery_settle_rest(d, STORE_DEFERRED, "4.3.0", SPAN("the stored message cannot be read"));
        delivery_finish(d);
        return true;
    }
    if (d->envelope.recipients[0].attempts == 0)
        meter_time(METER_OF_FIRST_ATTEMPT,
                   io_wall(d->sender->proc->loop).us - d->envelope.received.us);
    if (delivery_is_intake(d))
        delivery_intake(d);
    else
        plans_get(d->sender->plans, &d->domain, d->need, planned, d);
    return true;
}

void delivery_start(struct sender *s, uint64_t job, uint64_t message, struct span domain)
{
    struct delivery *d = mem_new(sizeof *d);
    *d = (struct delivery){.sender = s,
                           .next = s->deliveries,
                           .job = job,
                           .message = message,
                           .began = io_now(s->proc->loop),
                           .arena = ARENA(DELIVERY_ROOM),
                           .why = BUF(4096),
                           .sessions = BUF(RECORD_MAX),
                           .counted = BUF(TALLIES_ROOM)};
    d->json = JSON(&d->sessions);
    json_open(&d->json, NULL, '[');
    if (s->deliveries)
        s->deliveries->previous = d;
    s->deliveries = d;
    if (!dns_name_parse(&d->domain, domain)) {
        LOG(LOG_ERROR, "job-without-domain", LOG_T("id", delivery_id_text(message)));
        delivery_end_job(d, true);
        return;
    }
    CLEANUP(buf_free) struct buf b = BUF(512);
    wr_u64(&b, message);
    wr_span(&b, domain);
    proc_ask(s->proc, PROC_STORE, 0, MSG_LOAD, buf_span(&b), LOAD_PATIENCE, loaded, d);
}

void deliveries_busy(struct sender *s, struct buf *b)
{
    uint16_t count = 0;
    for (const struct delivery *d = s->deliveries; d; d = d->next)
        count++;
    wr_u16(b, count);
    for (const struct delivery *d = s->deliveries; d; d = d->next) {
        wr_u64(b, d->message);
        wr_span(b, dns_name_span(&d->domain));
        wr_u64(b, d->job);
    }
}
