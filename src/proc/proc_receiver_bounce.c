// Notices: the queue gives a receiver the message some of whose recipients are owed
// one; it is written like any other message and *replaces* those recipients in one
// transaction.
#include "proc_receiver.h"
#include "proc_receiver_back.h"
#include "proc_receiver_sign.h"

#include "base_log.h"
#include "mail_dsn.h"
#include "mail_header.h"

#include <stdlib.h>
#include <unistd.h>

enum { HEAD_MAX = 64 * 1024, NOTICE_MAX = 24 << 20, REDACTED_FROM = 1 << 20 };
#define LOAD_PATIENCE SECONDS(60)
#define AGAIN_AFTER   SECONDS(60)

struct bounce {
    struct bounce *next;
    struct receiver *receiver;
    uint64_t job, message;
    struct arena arena;
    struct store_envelope owed;
    struct proc_segment *body;
};

static void ended(struct bounce *b, bool again)
{
    struct receiver *r = b->receiver;
    CLEANUP(buf_free) struct buf msg = BUF(64);
    wr_u64(&msg, b->job);
    wr_bool(&msg, again);
    wr_i64(&msg, io_wall(r->proc->loop).us + AGAIN_AFTER);
    proc_send(proc_peer(r->proc, PROC_QUEUE, 0), MSG_ENDED, 0, buf_span(&msg), -1);
    for (struct bounce **at = &r->bounces; *at; at = &(*at)->next) {
        if (*at == b) {
            *at = b->next;
            break;
        }
    }
    proc_segment_release(b->body);
    arena_free(&b->arena);
    free(b);
    receiver_idle(r);
}

static void committed(void *arg, struct rc rc, uint64_t queued)
{
    struct bounce *b = arg;
    char id[17], notice[17];
    receiver_id_text(id, b->message);
    receiver_id_text(notice, queued);
    bool told = rc_ok(rc) || rc.code == RC_NOT_FOUND; // not found: not owed any more
    if (told)
        LOG(LOG_INFO, "bounce-queued", LOG_T("id", notice), LOG_T("for", id));
    else
        LOG(LOG_WARN, "bounce-not-stored", LOG_T("for", id), LOG_T("why", rc_text(rc)));
    ended(b, !told);
}

static enum store_notice kind_of(const struct store_envelope *e)
{
    return e->recipients[0].notice;
}

// A failed message goes back whole where its sender asked for that or the operator
// says so; one with REQUIRETLS never (RFC 8689 §5), nor with news of another kind
// (RFC 3461 §6.2).
static bool whole_wanted(const struct receiver *r, const struct store_envelope *e)
{
    enum { RET_DEFAULT, RET_FULL };
    bool unasked = e->ret == RET_DEFAULT && conf_bool(r->proc->conf, CONF_notice_whole);
    return kind_of(e) == STORE_NOTICE_FAILED && !e->requiretls && (e->ret == RET_FULL || unasked);
}

static bool too_large(const struct receiver *r, const struct store_envelope *e)
{
    uint64_t size = e->head.len + e->body.length;
    return size > (uint64_t)conf_int(r->proc->conf, CONF_notice_largest);
}

// False: not so much could be read.
static bool read_body(struct buf *out, int fd, const struct store_range *body, size_t most)
{
    size_t want = body->length < most ? (size_t)body->length : most;
    if (fd < 0 || !rc_ok(buf_reserve(out, want)))
        return false;
    for (size_t got = 0; got < want;) {
        ssize_t n = pread(fd, out->at + out->len, want - got, (off_t)(body->offset + got));
        if (n <= 0)
            return false;
        out->len += (size_t)n;
        got += (size_t)n;
    }
    return true;
}

// The header section of the message, as the sender will know it again.
static void read_head(struct buf *out, int fd, const struct store_range *body)
{
    size_t before = out->len;
    struct mail_scan scan = {0};
    if (!read_body(out, fd, body, HEAD_MAX))
        return;
    mail_scan_feed(&scan, span_skip(buf_span(out), before));
    out->len = before + scan.head_len;
}

// A mailbox server at a socket of ours has no name that anybody else could use.
static struct span host_of(const struct store_recipient *f)
{
    return span_starts(f->remote, SPAN("unix:")) ? SPAN("") : f->remote;
}

// Nor is it anybody's concern where our mailboxes are.
static struct span reason_of(const struct store_recipient *f)
{
    bool mailbox = f->notice == STORE_NOTICE_DELIVERED && f->remote.len;
    return mailbox ? SPAN("delivered to the mailbox") : f->reason;
}

static enum mail_dsn_action action_of(enum store_notice n)
{
    static const enum mail_dsn_action actions[STORE_NOTICES] = {
        [STORE_NOTICE_FAILED] = MAIL_DSN_FAILED,       [STORE_NOTICE_DELAYED] = MAIL_DSN_DELAYED,
        [STORE_NOTICE_DELIVERED] = MAIL_DSN_DELIVERED, [STORE_NOTICE_RELAYED] = MAIL_DSN_RELAYED,
        [STORE_NOTICE_EXPANDED] = MAIL_DSN_EXPANDED,
    };
    return actions[n];
}

static struct wall retry_until(const struct receiver *r, const struct store_envelope *e)
{
    return (struct wall){e->received.us + conf_int(r->proc->conf, CONF_queue_lifetime)};
}

static struct mail_dsn_recipient *recipients_of(const struct store_envelope *e)
{
    struct mail_dsn_recipient *to = mem_new(e->count * sizeof *to);
    for (size_t i = 0; i < e->count; i++) {
        const struct store_recipient *f = &e->recipients[i];
        to[i] = (struct mail_dsn_recipient){.address = f->address,
                                            .orcpt = f->orcpt,
                                            .status = f->status,
                                            .reason = reason_of(f),
                                            .remote_mta = host_of(f),
                                            .diagnostic = f->diagnostic,
                                            .tried = f->tried};
    }
    return to;
}

static void put_notice(struct buf *out, struct bounce *b, const struct store_envelope *e,
                       uint64_t id, struct span original, bool whole)
{
    struct receiver *r = b->receiver;
    struct mail_dsn_recipient *to = recipients_of(e);
    CLEANUP(buf_free) struct buf message_id = BUF(512);
    // The time as well: a store made anew counts from the beginning.
    buf_printf(&message_id, "%llx.%llx.bounce@%.*s", (unsigned long long)id,
               (unsigned long long)io_wall(r->proc->loop).us, SPAN_FMT(r->smtp.hostname));
    struct span path = store_return_path(e);
    mail_dsn_put(out, &(struct mail_dsn){.action = action_of(kind_of(e)),
                                         .reporting_mta = r->smtp.hostname,
                                         .to = path,
                                         .envid = e->envid,
                                         .message_id = buf_span(&message_id),
                                         .arrived = e->received,
                                         .now = io_wall(r->proc->loop),
                                         .retry_until = retry_until(r, e),
                                         .recipients = to,
                                         .count = e->count,
                                         .utf8 = e->smtputf8 || !span_is_ascii(path),
                                         .original = original,
                                         .whole = whole,
                                         .too_large = whole_wanted(r, e) && !whole});
    free(to);
}

static void make_notice(struct buf *out, struct bounce *b, const struct store_envelope *e,
                        uint64_t id, int fd)
{
    CLEANUP(buf_free) struct buf original = BUF(NOTICE_MAX);
    bool whole = whole_wanted(b->receiver, e) && !too_large(b->receiver, e);
    buf_put(&original, e->head);
    if (kind_of(e) == STORE_NOTICE_REDACTED) {
        read_body(&original, fd, &e->body, REDACTED_FROM);
        mail_dsn_redact(out, buf_span(&original), e->client.len == 0);
        return;
    }
    if (whole && !read_body(&original, fd, &e->body, SIZE_MAX)) {
        original.len = e->head.len;
        whole = false;
    }
    if (!whole)
        read_head(&original, fd, &e->body);
    put_notice(out, b, e, id, buf_span(&original), whole);
}

static void sign_notice(struct buf *head, struct receiver *r, struct span notice)
{
    if (!r->keys)
        return;
    struct receiver_sign *s =
        receiver_sign_new(r->keys, io_wall(r->proc->loop),
                          conf_span(r->proc->conf, CONF_dkim_bounce_domain), AUTH_SERVICE_EMAIL);
    receiver_sign_feed(s, notice);
    receiver_sign_end(s, head);
    receiver_sign_free(s);
}

// One whose content was left out still goes to its recipients.
static struct store_recipient *the_same(const struct store_envelope *e, struct arena *a)
{
    struct store_recipient *to = arena_alloc(a, e->count * sizeof *to);
    for (size_t i = 0; to && i < e->count; i++)
        to[i] = (struct store_recipient){.address = e->recipients[i].address,
                                         .domain = e->recipients[i].domain};
    return to;
}

struct written {
    struct span head, notice;
    struct store_range body;
    uint64_t id;
};

static void commit_notice(struct bounce *b, const struct written *w, struct store_recipient *to,
                          size_t count)
{
    const struct store_envelope *e = &b->owed;
    struct store_envelope notice = {.id = w->id,
                                    .received = io_wall(b->receiver->proc->loop),
                                    .head = w->head,
                                    .body = w->body,
                                    .eight_bit = !span_is_ascii(w->notice),
                                    // RFC 8689 §5: protected like what it tells of
                                    .requiretls =
                                        e->requiretls && kind_of(e) != STORE_NOTICE_REDACTED,
                                    .recipients = to,
                                    .count = count};
    uint64_t *replaces = mem_new(e->count * sizeof *replaces);
    for (size_t i = 0; i < e->count; i++)
        replaces[i] = e->recipients[i].id;
    receiver_commit(b->receiver, &notice, replaces, e->count, committed, b);
    free(replaces);
}

static void write_notice(void *arg, struct store_recipient *to, size_t count)
{
    struct bounce *b = arg;
    struct receiver *r = b->receiver;
    CLEANUP(buf_free) struct buf notice = BUF(NOTICE_MAX), signatures = BUF(HEAD_MAX);
    struct receiver_body body;
    struct written w = {.id = receiver_new_id(r)};
    if (!to) {
        LOG(LOG_ERROR, "bounce-without-address", LOG_S("sender", store_return_path(&b->owed)));
        ended(b, true);
        return;
    }
    make_notice(&notice, b, &b->owed, w.id, b->body ? proc_segment_fd(b->body) : -1);
    sign_notice(&signatures, r, buf_span(&notice));
    receiver_body_start(&body, r, NULL, NULL);
    body.memory.max = NOTICE_MAX;
    buf_put(&body.memory, buf_span(&notice));
    body.failed = buf_state(&notice);
    struct rc rc = w.id ? receiver_body_end(&body, &w.body) : RC(UNAVAILABLE);
    receiver_body_forget(&body);
    w.head = buf_span(&signatures);
    w.notice = buf_span(&notice);
    if (rc_ok(rc))
        commit_notice(b, &w, to, count);
    else
        committed(b, rc, 0);
}

static void route(struct bounce *b)
{
    const struct store_envelope *e = &b->owed;
    if (kind_of(e) == STORE_NOTICE_REDACTED)
        write_notice(b, the_same(e, &b->arena), e->count);
    else
        receiver_back(b->receiver, store_return_path(e), &b->arena, write_notice, b);
}

static bool loaded(void *arg, struct io_message *m)
{
    struct bounce *b = arg;
    struct store_envelope *e = &b->owed;
    if (!m) {
        ended(b, true);
        return true;
    }
    struct rd r = RD(m->payload);
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    if (m->kind != MSG_LOADED || r.bad || (rc_ok(rc) && !proc_envelope_unpack(&r, e, &b->arena))) {
        ended(b, true);
        return false;
    }
    if (!rc_ok(rc) || e->count == 0) {
        ended(b, rc.code != RC_NOT_FOUND && !rc_ok(rc)); // not found: told already
        return true;
    }
    if (m->fd >= 0) {
        proc_segments_keep(b->receiver->segments, e->body.segment, m->fd);
        m->fd = -1;
    }
    b->body = proc_segments_hold(b->receiver->segments, e->body.segment);
    route(b);
    return true;
}

bool receiver_bounce(struct receiver *r, struct io_message *m)
{
    struct rd rd = RD(m->payload);
    struct bounce *b = mem_new(sizeof *b);
    b->receiver = r;
    b->arena = ARENA(IO_MESSAGE_MAX);
    b->job = rd_u64(&rd);
    b->message = rd_u64(&rd);
    struct span domain = rd_span(&rd);
    rd_u64(&rd);
    if (!rd_end(&rd) || domain.len) {
        free(b);
        return false;
    }
    b->next = r->bounces;
    r->bounces = b;
    CLEANUP(buf_free) struct buf msg = BUF(64);
    wr_u64(&msg, b->message);
    wr_span(&msg, SPAN(""));
    proc_ask(r->proc, PROC_STORE, 0, MSG_LOAD, buf_span(&msg), LOAD_PATIENCE, loaded, b);
    return true;
}

void receiver_bounces_busy(struct receiver *r, struct buf *out)
{
    uint16_t count = 0;
    for (const struct bounce *b = r->bounces; b; b = b->next)
        count++;
    wr_u16(out, count);
    for (const struct bounce *b = r->bounces; b; b = b->next) {
        wr_u64(out, b->message);
        wr_span(out, SPAN(""));
        wr_u64(out, b->job);
    }
}
