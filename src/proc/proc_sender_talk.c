// One transaction of a delivery with one host: what is asked for, the bytes of the
// message, and what the replies mean for its recipients.
#include "proc_sender_delivery.h"
#include "proc_sender_meters.h"

#include "base_log.h"
#include "base_meter.h"

#include <unistd.h>

enum { BODY_PIECE = 65536, BODY_AHEAD = 262144 };

void delivery_leave_link(struct delivery *d)
{
    struct link *l = d->link;
    d->link = NULL;
    d->waits_slot = false;
    link_leave(l);
}

void delivery_begin(struct delivery *d)
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
    LOG(LOG_ERROR, "body-damaged", LOG_T("id", delivery_id_text(d->message)),
        LOG_I("segment", d->envelope.body.segment));
    delivery_settle_rest(d, STORE_DEFERRED, "4.3.0",
                         SPAN("the stored message cannot be read whole"));
    delivery_leave_link(d); // without the final dot: nothing was given over
    delivery_finish(d);
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

void delivery_send_body(struct delivery *d)
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

struct span delivery_host_text(struct delivery *d)
{
    CLEANUP(buf_free) struct buf b = BUF(300);
    const struct link *l = d->link;
    if (l->host.len)
        return delivery_keep(d, dns_name_span(&l->host));
    dns_address_put(&b, &l->address);
    return delivery_keep_buf(d, &b);
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
    r->outcome.diagnostic = delivery_keep_buf(d, &line);
    r->outcome.remote = host;
    struct span status = arena_dup(&d->arena, span_str(reply->status));
    if (!status.len)
        status = reply->code >= 500   ? SPAN("5.0.0")
                 : reply->code >= 400 ? SPAN("4.0.0")
                                      : SPAN("2.0.0");
    r->outcome.status = status;
    buf_printf(&reason, "%.*s answered: %.*s", SPAN_FMT(speaker(d, host)),
               SPAN_FMT(buf_span(&line)));
    r->outcome.reason = delivery_keep_buf(d, &reason);
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
    r->outcome.status = delivery_keep(d, span_str(reply->status));
    buf_printf(&reason, "not sent to %.*s: %.*s", SPAN_FMT(speaker(d, host)),
               SPAN_FMT(reply->text));
    if (most && d->transaction.size > most)
        buf_printf(&reason, " (%llu bytes, SIZE %llu)", (unsigned long long)d->transaction.size,
                   (unsigned long long)most);
    r->outcome.reason = delivery_keep_buf(d, &reason);
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
    return delivery_keep_buf(d, &b);
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
void delivery_take_outcomes(struct delivery *d)
{
    struct span host = delivery_host_text(d), fine = delivered_reason(d, host);
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
