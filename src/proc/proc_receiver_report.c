// Reports of the reporter, put into the queue as mail of our own: signed, and marked so
// that they are not counted themselves.
#include "proc_asker.h"
#include "proc_receiver.h"
#include "proc_receiver_sign.h"

#include "base_log.h"
#include "mail_address.h"

#include <stdlib.h>

enum { SIGNATURES_MAX = 64 << 10, TO_MAX = 8 };

struct report_job {
    struct receiver *receiver;
    struct proc_asker asker;
};

static void tell(const struct proc_asker *asker, struct rc rc, uint64_t id)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u8(&b, (uint8_t)rc.code);
    wr_u64(&b, id);
    proc_reply(asker, MSG_REPORT_MAILED, buf_span(&b), -1);
}

static void committed(void *arg, struct rc rc, uint64_t id)
{
    struct report_job *j = arg;
    struct receiver *r = j->receiver;
    tell(&j->asker, rc, id);
    free(j);
    r->reports--;
    receiver_idle(r);
}

static void sign(struct buf *head, struct receiver *r, struct span mail, bool tls)
{
    if (!r->keys)
        return;
    unsigned service = tls ? AUTH_SERVICE_TLSRPT | AUTH_SERVICE_EMAIL : AUTH_SERVICE_EMAIL;
    struct receiver_sign *s = receiver_sign_new(r->keys, io_wall(r->proc->loop), SPAN(""), service);
    receiver_sign_feed(s, mail);
    receiver_sign_end(s, head);
    receiver_sign_free(s);
}

// RFC 8460 §3: who gets a TLS report without a signature of ours ignores it. Said once.
static void signature_look(struct receiver *r, const struct store_envelope *e, struct span head)
{
    if (!e->tls_required_no || head.len || r->unsigned_said)
        return;
    r->unsigned_said = true;
    LOG(LOG_WARN, "report-not-signed", LOG_S("from", e->sender),
        LOG_T("why", "there is no DKIM key for its domain, so whoever gets it will ignore it"));
}

static bool recipients(struct rd *rd, struct store_recipient *to, size_t *count, struct arena *a,
                       struct wall now)
{
    *count = rd_u16(rd);
    if (*count == 0 || *count > TO_MAX)
        return false;
    for (size_t i = 0; i < *count; i++) {
        struct mail_address *address = arena_alloc(a, sizeof *address);
        struct span text = rd_span(rd);
        if (!address || rd->bad || !mail_address_parse(address, text, true, a) ||
            address->kind != MAIL_DOMAIN)
            return false;
        to[i] = (struct store_recipient){
            .address = text, .domain = dns_name_span(&address->domain), .due = now};
    }
    return true;
}

static struct rc put(struct receiver *r, struct store_envelope *e, struct span mail, bool tls,
                     struct report_job *j)
{
    CLEANUP(buf_free) struct buf signatures = BUF(SIGNATURES_MAX);
    struct receiver_body body;
    sign(&signatures, r, mail, tls);
    signature_look(r, e, buf_span(&signatures));
    receiver_body_start(&body, r, NULL, NULL);
    body.memory.max = IO_MESSAGE_MAX;
    buf_put(&body.memory, mail);
    e->id = receiver_new_id(r);
    e->head = buf_span(&signatures);
    struct rc rc = e->id ? receiver_body_end(&body, &e->body) : RC(UNAVAILABLE);
    receiver_body_forget(&body);
    if (rc_ok(rc))
        receiver_commit(r, e, NULL, 0, committed, j);
    return rc;
}

bool receiver_report(struct receiver *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(arena_free) struct arena a = ARENA(64 << 10);
    struct store_recipient to[TO_MAX];
    struct wall now = io_wall(r->proc->loop);
    struct store_envelope e = {.received = now, .report = true, .recipients = to};
    struct rd rd = RD(m->payload);
    bool tls = rd_bool(&rd);
    e.tls_required_no = tls; // it must get through where the policy fails (RFC 8460 §5.3)
    e.sender = rd_span(&rd);
    bool good = recipients(&rd, to, &e.count, &a, now);
    struct span mail = rd_span(&rd);
    if (!good || !rd_end(&rd)) {
        struct proc_asker asker = proc_asker_of(peer, m);
        tell(&asker, RC(MALFORMED), 0);
        return true;
    }
    struct report_job *j = mem_new(sizeof *j);
    *j = (struct report_job){.receiver = r, .asker = proc_asker_of(peer, m)};
    r->reports++;
    struct rc rc = put(r, &e, mail, tls, j);
    if (!rc_ok(rc))
        committed(j, rc, 0);
    return true;
}
