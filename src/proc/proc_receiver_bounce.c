// Bounces: the queue gives a receiver the message whose failed recipients are
// owed a notice; it is written like any other message and *replaces* those
// recipients in one transaction.
#include "proc_receiver.h"
#include "proc_receiver_sign.h"

#include "base_log.h"
#include "mail_dsn.h"
#include "mail_header.h"

#include <stdlib.h>
#include <unistd.h>

enum { HEAD_MAX = 64 * 1024, NOTICE_MAX = 4 << 20 };
#define LOAD_PATIENCE SECONDS(60)
#define AGAIN_AFTER   SECONDS(60)

struct bounce {
    struct bounce *next;
    struct receiver *receiver;
    uint64_t job, message;
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

// The header section of the failed message, as the sender will know it again.
static void read_head(struct buf *out, int fd, const struct store_range *body)
{
    size_t want = body->length < HEAD_MAX ? (size_t)body->length : HEAD_MAX;
    if (fd < 0 || want == 0 || !rc_ok(buf_reserve(out, want)))
        return;
    ssize_t got = pread(fd, out->at + out->len, want, (off_t)body->offset);
    struct mail_scan scan = {0};
    if (got <= 0)
        return;
    mail_scan_feed(&scan, (struct span){out->at + out->len, (size_t)got});
    out->len += scan.head_len;
}

// A mailbox server at a socket of ours has no name that anybody else could use.
static struct span host_of(const struct store_recipient *f)
{
    return span_starts(f->remote, SPAN("unix:")) ? SPAN("") : f->remote;
}

static void put_notice(struct buf *out, struct bounce *b, const struct store_envelope *failed,
                       uint64_t id, struct span head)
{
    struct receiver *r = b->receiver;
    struct mail_dsn_recipient *to = mem_new(failed->count * sizeof *to);
    CLEANUP(buf_free) struct buf message_id = BUF(512);
    // The time as well: a store made anew counts from the beginning.
    buf_printf(&message_id, "%llx.%llx.bounce@%.*s", (unsigned long long)id,
               (unsigned long long)io_wall(r->proc->loop).us, SPAN_FMT(r->smtp.hostname));
    for (size_t i = 0; i < failed->count; i++) {
        const struct store_recipient *f = &failed->recipients[i];
        to[i] = (struct mail_dsn_recipient){.address = f->address,
                                            .orcpt = f->orcpt,
                                            .status = f->status,
                                            .reason = f->reason,
                                            .remote_mta = host_of(f),
                                            .diagnostic = f->diagnostic};
    }
    mail_dsn_put(out, &(struct mail_dsn){.reporting_mta = r->smtp.hostname,
                                         .to = store_return_path(failed),
                                         .envid = failed->envid,
                                         .message_id = buf_span(&message_id),
                                         .arrived = failed->received,
                                         .now = io_wall(r->proc->loop),
                                         .recipients = to,
                                         .count = failed->count,
                                         .original_head = head});
    free(to);
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

static void commit_notice(struct bounce *b, const struct store_envelope *failed, uint64_t id,
                          const struct store_range *body, struct span head)
{
    struct mail_address sender;
    struct span back = store_return_path(failed);
    CLEANUP(arena_free) struct arena a = ARENA(4096);
    if (!mail_address_parse(&sender, back, true, &a) || sender.kind != MAIL_DOMAIN) {
        // It was a valid path when it was accepted; only a literal is left.
        LOG(LOG_ERROR, "bounce-without-address", LOG_S("sender", back));
        ended(b, true);
        return;
    }
    uint64_t *replaces = mem_new(failed->count * sizeof *replaces);
    for (size_t i = 0; i < failed->count; i++)
        replaces[i] = failed->recipients[i].id;
    struct wall now = io_wall(b->receiver->proc->loop);
    struct store_recipient to = {
        .address = back, .domain = dns_name_span(&sender.domain), .due = now};
    struct store_envelope e = {
        .id = id, .received = now, .head = head, .body = *body, .count = 1, .recipients = &to};
    receiver_commit(b->receiver, &e, replaces, failed->count, committed, b);
    free(replaces);
}

static void write_notice(struct bounce *b, const struct store_envelope *failed, int fd)
{
    struct receiver *r = b->receiver;
    CLEANUP(buf_free) struct buf head = BUF(2 * HEAD_MAX), notice = BUF(NOTICE_MAX);
    struct receiver_body body;
    struct store_range range;
    uint64_t id = receiver_new_id(r);
    buf_put(&head, failed->head);
    read_head(&head, fd, &failed->body);
    put_notice(&notice, b, failed, id, buf_span(&head));
    CLEANUP(buf_free) struct buf signatures = BUF(HEAD_MAX);
    sign_notice(&signatures, r, buf_span(&notice));
    receiver_body_start(&body, r, NULL, NULL);
    body.memory.max = NOTICE_MAX;
    buf_put(&body.memory, buf_span(&notice));
    body.failed = buf_state(&notice);
    struct rc rc = id ? receiver_body_end(&body, &range) : RC(UNAVAILABLE);
    receiver_body_forget(&body);
    if (rc_ok(rc))
        commit_notice(b, failed, id, &range, buf_span(&signatures));
    else
        committed(b, rc, 0);
}

static bool loaded(void *arg, struct io_message *m)
{
    struct bounce *b = arg;
    CLEANUP(arena_free) struct arena a = ARENA(IO_MESSAGE_MAX);
    struct store_envelope failed;
    if (!m) {
        ended(b, true);
        return true;
    }
    struct rd r = RD(m->payload);
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    if (m->kind != MSG_LOADED || r.bad || (rc_ok(rc) && !proc_envelope_unpack(&r, &failed, &a))) {
        ended(b, true);
        return false;
    }
    if (!rc_ok(rc) || failed.count == 0) {
        ended(b, rc.code != RC_NOT_FOUND && !rc_ok(rc)); // not found: told already
        return true;
    }
    if (m->fd >= 0) {
        proc_segments_keep(b->receiver->segments, failed.body.segment, m->fd);
        m->fd = -1;
    }
    struct proc_segment *body = proc_segments_hold(b->receiver->segments, failed.body.segment);
    write_notice(b, &failed, body ? proc_segment_fd(body) : -1);
    proc_segment_release(body);
    return true;
}

bool receiver_bounce(struct receiver *r, struct io_message *m)
{
    struct rd rd = RD(m->payload);
    struct bounce *b = mem_new(sizeof *b);
    b->receiver = r;
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
