// One delivery: load the message, get the plan, walk its hosts, send, report.
// What happened is reported until the store has it; only then the job ends.
#include "proc_sender.h"
#include "proc_sender_meters.h"

#include "base_log.h"
#include "base_meter.h"
#include "proc_tallies.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    DELIVERY_ROOM = 8 << 20,
    RECORD_MAX = 1 << 20, // of recipients and of sessions
    OUTCOMES_MAX = 1 << 20,
    TEXT_LEAST = 200, // of a reply, however many recipients have one
    TEXT_MOST = 1000,
    BODY_PIECE = 65536,
    BODY_AHEAD = 262144
};
#define LOAD_PATIENCE    SECONDS(60)
#define OUTCOME_PATIENCE SECONDS(60)
#define OUTCOME_AGAIN    SECONDS(2)
#define JOB_AGAIN        SECONDS(60)
#define CROWDED_AGAIN    SECONDS(10)

struct recipient {
    bool settled; // delivered or refused: nothing more is tried for it
    bool lacking; // the hosts so far lack what it needs (8BITMIME, SMTPUTF8)
    bool passing; // but for one that may take it later
    struct store_outcome outcome;
};

struct delivery {
    struct delivery *next, *previous;
    struct sender *sender;
    uint64_t job, message;
    struct dns_name domain;
    char domain_text[254];
    struct mono began;
    struct arena arena;
    struct store_envelope envelope;
    struct recipient *recipients;
    struct shared_plan *plan;
    struct trust_walk walk;
    struct trust_need need;
    struct trust_try trying;
    struct crypto_digest key;
    struct link *link;
    bool begun, waits_slot;
    bool passing; // a host failed that may take the message later
    struct smtp_client_transaction transaction;
    size_t *placed; // index of each recipient of the transaction
    struct {
        struct proc_segment *segment;
        uint64_t at; // bytes of head and body sent
        bool ended;
        struct crypto_hash *hash;
    } body;
    struct buf why, sessions, counted;
    uint32_t delivered[STORE_PROTECTIONS];
    enum trust_result_type talked; // of the ruling to talk
    struct json json;              // over sessions
    const char *decision;
    struct span reason;
    struct buf report;
    struct io_timer again;
};

static void next_host(struct delivery *d);
static void send_report(void *arg);

// As in the reply that took the message; valid until the next call.
static const char *id_text(uint64_t id)
{
    static char text[32];
    snprintf(text, sizeof text, "%llx", (unsigned long long)id);
    return text;
}

static struct span keep(struct delivery *d, struct span s)
{
    struct span kept = arena_dup(&d->arena, s);
    return kept.at ? kept : SPAN("(too much to keep)");
}

static struct span keep_buf(struct delivery *d, struct buf *b)
{
    return keep(d, buf_span(b));
}

// ---- the end ----

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

static void end_job_until(struct delivery *d, bool again, int64_t later)
{
    struct proc *p = d->sender->proc;
    CLEANUP(buf_free) struct buf b = BUF(64);
    wr_u64(&b, d->job);
    wr_bool(&b, again);
    wr_i64(&b, io_wall(p->loop).us + later);
    proc_send(proc_peer(p, PROC_QUEUE, 0), MSG_ENDED, 0, buf_span(&b), -1);
    delivery_free(d);
}

static void end_job(struct delivery *d, bool again)
{
    end_job_until(d, again, JOB_AGAIN);
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
        end_job(d, false);
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
            LOG_T("id", id_text(d->message)), LOG_S("to", d->envelope.recipients[i].address),
            LOG_S("host", o->remote), LOG_S("status", o->status), LOG_S("reason", o->reason));
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

static void finish(struct delivery *d)
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
static void settle_rest(struct delivery *d, enum store_result result, const char *status,
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

static bool all_settled(const struct delivery *d)
{
    for (size_t i = 0; i < d->envelope.count; i++)
        if (!d->recipients[i].settled)
            return false;
    return true;
}

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

static void leave_link(struct delivery *d)
{
    struct link *l = d->link;
    d->link = NULL;
    d->waits_slot = false;
    link_leave(l);
}

// ---- the transaction ----

static void begin(struct delivery *d)
{
    struct link *l = d->link;
    struct smtp_client_transaction *t = &d->transaction;
    struct store_envelope *e = &d->envelope;
    t->count = 0;
    for (size_t i = 0; i < e->count; i++) {
        if (d->recipients[i].settled)
            continue;
        d->placed[t->count] = i;
        t->recipients[t->count++] =
            (struct smtp_client_recipient){.address = e->recipients[i].address,
                                           .notify = e->recipients[i].notify,
                                           .orcpt = e->recipients[i].orcpt};
    }
    t->sender = store_return_path(e);
    t->size = e->head.len + e->body.length;
    t->eight_bit = e->eight_bit;
    t->requiretls = d->need.requiretls;
    t->utf8 = e->smtputf8;
    t->ret = e->ret;
    t->envid = e->envid;
    d->body.at = 0;
    d->body.ended = false;
    l->uncertain = false;
    l->seen.detail = SPAN("");
    link_begin(l, t);
}

static void corrupt_body(struct delivery *d)
{
    LOG(LOG_ERROR, "body-damaged", LOG_T("id", id_text(d->message)),
        LOG_I("segment", d->envelope.body.segment));
    settle_rest(d, STORE_DEFERRED, "4.3.0", SPAN("the stored message cannot be read whole"));
    leave_link(d); // without the final dot: nothing was given over
    finish(d);
}

// True if the piece was read and given over.
static bool send_piece(struct delivery *d)
{
    static char room[BODY_PIECE];
    const struct store_envelope *e = &d->envelope;
    uint64_t done = d->body.at - e->head.len;
    uint64_t left = e->body.length - done;
    size_t want = left < sizeof room ? (size_t)left : sizeof room;
    int fd = proc_segment_fd(d->body.segment);
    ssize_t got = pread(fd, room, want, (off_t)(e->body.offset + done));
    if (got <= 0)
        return false;
    struct span piece = {room, (size_t)got};
    crypto_hash_feed(d->body.hash, piece);
    link_body_piece(d->link, piece);
    d->body.at += piece.len;
    return true;
}

static void send_body(struct delivery *d)
{
    const struct store_envelope *e = &d->envelope;
    if (d->body.at == 0) {
        if (d->body.hash)
            crypto_hash_free(d->body.hash);
        d->body.hash = crypto_hash_new();
        link_body_piece(d->link, e->head);
        d->body.at = e->head.len;
    }
    while (d->body.at < e->head.len + e->body.length &&
           io_stream_pending(d->link->stream) < BODY_AHEAD) {
        if (!send_piece(d)) {
            corrupt_body(d);
            return;
        }
    }
    if (d->body.at < e->head.len + e->body.length || d->body.ended)
        return;
    d->body.ended = true;
    struct crypto_digest seen = crypto_hash_done(d->body.hash);
    // What was accepted is what is given on, or nothing is.
    if (!span_eq(SPAN_OF(seen.at), SPAN_OF(e->body.digest.at)))
        corrupt_body(d);
    else
        link_body_end(d->link);
}

static struct span host_text(struct delivery *d)
{
    CLEANUP(buf_free) struct buf b = BUF(300);
    const struct link *l = d->link;
    if (l->host.len)
        return keep(d, dns_name_span(&l->host));
    dns_address_put(&b, &l->address);
    return keep_buf(d, &b);
}

// In sentences that a sender may read: where our mailboxes are is not his concern.
static struct span speaker(const struct delivery *d, struct span host)
{
    return d->link->lmtp ? SPAN("the mailbox server") : host;
}

static void take_reply(struct delivery *d, struct recipient *r, const struct smtp_reply *reply,
                       struct span host)
{
    CLEANUP(buf_free) struct buf line = BUF(SMTP_REPLY_TEXT_MAX + 64);
    CLEANUP(buf_free) struct buf reason = BUF(SMTP_REPLY_TEXT_MAX + 512);
    smtp_reply_put_line(&line, reply);
    r->outcome.diagnostic = keep_buf(d, &line);
    r->outcome.remote = host;
    struct span status = arena_dup(&d->arena, span_str(reply->status));
    if (!status.len)
        status = reply->code >= 500   ? SPAN("5.0.0")
                 : reply->code >= 400 ? SPAN("4.0.0")
                                      : SPAN("2.0.0");
    r->outcome.status = status;
    buf_printf(&reason, "%.*s answered: %.*s", SPAN_FMT(speaker(d, host)),
               SPAN_FMT(buf_span(&line)));
    r->outcome.reason = keep_buf(d, &reason);
}

// A refusal of our own machine (8BITMIME, SIZE, REQUIRETLS, an address): nobody
// may be told that the server said it.
static void take_own(struct delivery *d, struct recipient *r, const struct smtp_reply *reply,
                     struct span host)
{
    CLEANUP(buf_free) struct buf reason = BUF(2048);
    uint64_t most = smtp_client_capabilities(d->link->smtp)->size;
    r->outcome.remote = host;
    r->outcome.diagnostic = (struct span){NULL, 0}; // another host's would stand there
    r->outcome.status = keep(d, span_str(reply->status));
    buf_printf(&reason, "not sent to %.*s: %.*s", SPAN_FMT(speaker(d, host)),
               SPAN_FMT(reply->text));
    if (most && d->transaction.size > most)
        buf_printf(&reason, " (%llu bytes, SIZE %llu)", (unsigned long long)d->transaction.size,
                   (unsigned long long)most);
    r->outcome.reason = keep_buf(d, &reason);
}

// For people, the sender of the message among them: how our hop was protected.
static const char *proof_text(const struct trust_session *s)
{
    static const char *const texts[TRUST_VERIFIEDS] = {
        [TRUST_VERIFIED_NONE] = "not authenticated",
        [TRUST_VERIFIED_PKIX] = "authenticated by its certificate",
        [TRUST_VERIFIED_DANE] = "authenticated by DANE",
        [TRUST_VERIFIED_PINNED] = "authenticated by its pinned key",
    };
    return s->verified == TRUST_VERIFIED_PKIX && s->requirement == TRUST_REQ_STS
               ? "authenticated by its certificate, as its MTA-STS policy asks"
               : texts[s->verified];
}

static struct span delivered_reason(struct delivery *d, struct span host)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    const struct trust_session *s = &d->link->session;
    buf_printf(&b, d->link->lmtp ? "local delivery by LMTP to %.*s" : "delivered to %.*s",
               SPAN_FMT(host));
    if (s->tls_version.len)
        buf_printf(&b, " over %.*s, %s", SPAN_FMT(s->tls_version), proof_text(s));
    else if (!d->link->lmtp)
        buf_put(&b, SPAN(" in the clear"));
    return keep_buf(d, &b);
}

// What another host may offer, though this one does not; RFC 6152 §3, RFC 6531 §3.5.
static bool is_lacking(const struct smtp_client_recipient *c)
{
    return c->own && span_starts(span_str(c->reply.status), SPAN("5.6."));
}

static enum store_hop hop_of(const struct delivery *d, const struct smtp_client_recipient *c)
{
    return c->dsn ? STORE_HOP_DSN : d->link->lmtp ? STORE_HOP_MAILBOX : STORE_HOP_PLAIN;
}

// Sets what the transaction decided.
static void take_outcomes(struct delivery *d)
{
    struct span host = host_text(d), fine = delivered_reason(d, host);
    bool taken = false;
    for (size_t k = 0; k < d->transaction.count; k++) {
        const struct smtp_client_recipient *c = &d->transaction.recipients[k];
        struct recipient *r = &d->recipients[d->placed[k]];
        if (c->own)
            take_own(d, r, &c->reply, host);
        else if (c->reply.code)
            take_reply(d, r, &c->reply, host);
        if (c->outcome == SMTP_ACCEPTED) {
            taken = true;
            sender_count_delivered(&d->link->session, d->link->lmtp);
            r->outcome.result = STORE_DELIVERED;
            r->outcome.hop = hop_of(d, c);
            d->delivered[d->link->lmtp ? STORE_UNCOUNTED : tallies_protection(&d->link->session)]++;
            r->outcome.reason = fine;
        } else if (c->outcome == SMTP_REJECTED) {
            r->outcome.result = STORE_FAILED;
        } else {
            r->outcome.result = STORE_DEFERRED;
        }
        bool lacking = is_lacking(c);
        r->settled = !lacking && (c->outcome == SMTP_ACCEPTED || c->outcome == SMTP_REJECTED);
        r->lacking = r->lacking || lacking;
        r->passing = r->passing || (!r->settled && !lacking);
    }
    if (taken)
        meter_count(METER_DELIVERED_BYTES, d->transaction.size);
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
    take_outcomes(d);
    note_session(d, l, last_rule(d), l->session.reused ? TRUST_RESULT_OK : d->talked);
    bool uncertain = l->uncertain, stale = lost && l->session.reused && !uncertain;
    CLEANUP(buf_free) struct buf why = BUF(2048);
    buf_printf(&why, "%.*s: %.*s", SPAN_FMT(host_text(d)),
               SPAN_FMT(l->seen.detail.len ? l->seen.detail : SPAN("deferred the message")));
    d->link = NULL;
    l->user = NULL; // idle, or buried by itself
    if (all_settled(d)) {
        finish(d);
        return;
    }
    if (stale) { // it had closed while nobody used it: that says nothing of the host
        connect(d);
        return;
    }
    if (uncertain) { // another host might get a message this one already has
        settle_rest(d, STORE_DEFERRED, "4.4.2", keep_buf(d, &why));
        finish(d);
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
    struct span why = d->why.len ? keep_buf(d, &d->why) : d->plan->plan->reason;
    if (end == TRUST_FAIL)
        settle_rest(d, STORE_FAILED, status ? status : "5.4.0", why);
    else
        settle_rest(d, STORE_DEFERRED, status ? status : "4.4.0", why);
    finish(d);
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
        begin(d);
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
    begin(d);
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
        LOG(LOG_ERROR, "mailbox-server-down", LOG_S("endpoint", host_text(d)),
            LOG_S("why", l->seen.detail));
    d->sender->mailbox_down = true;
}

static void mailbox_up(struct delivery *d)
{
    if (d->sender->mailbox_down)
        LOG(LOG_INFO, "mailbox-server-up", LOG_S("endpoint", host_text(d)));
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
        leave_link(d);
        end_job_until(d, true, CROWDED_AGAIN);
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
        begin(d);
        return;
    case TRUST_GO_CLEAR:
    case TRUST_GO_NEXT:
        note_session(d, l, span_str(r.rule), r.result);
        d->passing = d->passing || (r.verdict == TRUST_GO_NEXT && !r.permanent);
        if (l->lmtp && r.verdict == TRUST_GO_NEXT)
            mailbox_down(d, l);
        leave_link(d);
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
        send_body(d);
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
        send_body(d);
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
        settle_rest(d, fail ? STORE_FAILED : STORE_DEFERRED,
                    plan->plan->status ? plan->plan->status
                    : fail             ? "5.4.0"
                                       : "4.4.0",
                    plan->plan->reason);
        finish(d);
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
        end_job(d, true);
        return true;
    }
    struct rd r = RD(m->payload);
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    if (m->kind != MSG_LOADED || r.bad ||
        (rc_ok(rc) && (!proc_envelope_unpack(&r, &d->envelope, &d->arena) || !rd_end(&r)))) {
        end_job(d, true);
        return false;
    }
    if (!rc_ok(rc) || d->envelope.count == 0) {
        end_job(d, !rc_ok(rc) && rc.code != RC_NOT_FOUND); // not found: done already
        return true;
    }
    if (!prepare(d, m)) {
        LOG(LOG_ERROR, "message-cannot-be-read", LOG_T("id", id_text(d->message)));
        end_job(d, true);
        return true;
    }
    if (!d->body.segment) { // an attempt like others: at the end of its time it bounces
        LOG(LOG_ERROR, "body-missing", LOG_T("id", id_text(d->message)),
            LOG_I("segment", d->envelope.body.segment));
        settle_rest(d, STORE_DEFERRED, "4.3.0", SPAN("the stored message cannot be read"));
        finish(d);
        return true;
    }
    if (d->envelope.recipients[0].attempts == 0)
        meter_time(METER_OF_FIRST_ATTEMPT,
                   io_wall(d->sender->proc->loop).us - d->envelope.received.us);
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
        LOG(LOG_ERROR, "job-without-domain", LOG_T("id", id_text(message)));
        end_job(d, true);
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
