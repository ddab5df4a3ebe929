// Reports of others that came by mail: handed to the reporter, which is their mailbox. It has
// them, or the delivery is tried again.
#include "proc_reports.h"
#include "proc_sender_delivery.h"
#include "proc_sender_meters.h"

#include "base_log.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE = 65536 };
#define PATIENCE SECONDS(600) // others may wait before it

bool delivery_is_intake(const struct delivery *d)
{
    return span_eq(dns_name_span(&d->domain), SPAN(REPORTS_DOMAIN));
}

// What was accepted is what is given on, or nothing is.
static bool body_is_whole(const struct delivery *d)
{
    static char room[PIECE];
    const struct store_range *b = &d->envelope.body;
    struct crypto_hash *hash = crypto_hash_new();
    uint64_t done = 0;
    while (done < b->length) {
        size_t want = b->length - done < sizeof room ? (size_t)(b->length - done) : sizeof room;
        ssize_t n = pread(proc_segment_fd(d->body.segment), room, want, (off_t)(b->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        crypto_hash_feed(hash, (struct span){room, (size_t)n});
        done += (uint64_t)n;
    }
    struct crypto_digest seen = crypto_hash_done(hash);
    crypto_hash_free(hash);
    return done == b->length && span_eq(SPAN_OF(seen.at), SPAN_OF(b->digest.at));
}

// What somebody addressed there has nothing to do with report.addresses (RFC 6761 §6.4).
static void settle_misled(struct delivery *d)
{
    for (size_t i = 0; i < d->envelope.count; i++) {
        struct recipient *r = &d->recipients[i];
        if (!span_ends(d->envelope.recipients[i].address, SPAN("@" REPORTS_DOMAIN)))
            continue;
        r->settled = true;
        r->outcome.result = STORE_FAILED;
        r->outcome.status = SPAN("5.1.2");
        r->outcome.reason = SPAN("there is no domain " REPORTS_DOMAIN);
    }
}

static void settle(struct delivery *d, enum store_result result, const char *status,
                   struct span reason)
{
    for (size_t i = 0; i < d->envelope.count && result == STORE_DELIVERED; i++) {
        if (d->recipients[i].settled)
            continue;
        d->recipients[i].outcome.hop = STORE_HOP_MAILBOX;
        sender_count_delivered(NULL, true);
    }
    delivery_settle_rest(d, result, status, reason);
    delivery_finish(d);
}

static struct span taken_reason(struct delivery *d, unsigned taken, unsigned aside, struct span why)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    buf_printf(&b, "taken in: %u report%s", taken, taken == 1 ? "" : "s");
    if (aside)
        buf_printf(&b, "; put aside: %.*s", SPAN_FMT(why));
    return delivery_keep_buf(d, &b);
}

static bool answered(void *arg, struct io_message *m)
{
    struct delivery *d = arg;
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    unsigned taken = rd_u32(&r), aside = rd_u32(&r);
    struct span why = rd_span(&r);
    bool fine = m && rd_end(&r);
    if (!fine)
        settle(d, STORE_DEFERRED, "4.3.2", SPAN("the reader of reports did not answer"));
    else if (rc_ok(rc))
        settle(d, STORE_DELIVERED, "2.0.0", taken_reason(d, taken, aside, why));
    else
        settle(d, STORE_DEFERRED, "4.3.2", delivery_keep(d, why.len ? why : span_str(rc_text(rc))));
    return !m || fine;
}

void delivery_intake(struct delivery *d)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    const struct store_envelope *e = &d->envelope;
    settle_misled(d);
    if (delivery_all_settled(d)) {
        delivery_finish(d);
        return;
    }
    if (!body_is_whole(d)) {
        LOG(LOG_ERROR, "body-damaged", LOG_T("id", delivery_id_text(d->message)),
            LOG_I("segment", e->body.segment));
        settle(d, STORE_DEFERRED, "4.3.0", SPAN("the stored message cannot be read whole"));
        return;
    }
    wr_u8(&b, REPORT_WAY_MAIL);
    wr_span(&b, e->sender);
    wr_span(&b, e->head);
    wr_u64(&b, e->body.offset);
    wr_u64(&b, e->body.length);
    proc_ask_with(d->sender->proc, PROC_REPORTER, 0, MSG_REPORT_INTAKE, buf_span(&b),
                  proc_segment_fd(d->body.segment), PATIENCE, answered, d);
}
