// Reports of others: kept, or put aside.
#include "proc_reports.h"
#include "proc_store.h"

#include "base_log.h"

// Anyone may send reports, who can name a domain; a command of ours may take in all it likes. What
// is posted has no sender at all: it has half of the room, so that mail is never put off for it.
#define WAY(name) (1U << REPORT_WAY_##name)
static const struct store_taken_most mosts[REPORT_WAYS] = {
    [REPORT_WAY_MAIL] = {WAY(MAIL) | WAY(POST), 20000, 256 << 20, WAY(POST)},
    [REPORT_WAY_POST] = {WAY(POST), 10000, 128 << 20, 0},
    [REPORT_WAY_FILE] = {0, 0, 0, WAY(POST)},
};

static void say_full(struct store_role *r, const struct store_taken *t)
{
    int64_t day = store_day(t->when);
    if (r->full_day[t->way] != day)
        LOG(LOG_WARN, "reports-full", LOG_T("way", reports_way_text((enum report_way)t->way)),
            LOG_I("taken-today", (int64_t)mosts[t->way].reports));
    r->full_day[t->way] = day;
}

static void say_failed(struct rc rc)
{
    if (!rc_ok(rc) && rc.code != RC_FULL)
        LOG(LOG_ERROR, "report-not-kept", LOG_T("error", rc_text(rc)));
}

// Who brought it to the reporter forgets it when he hears of this: then no loss of power may take
// it. A file is still there.
static struct rc keep(struct store_role *r, const struct proc_peer *peer)
{
    TRY(store_history_commit(r->history));
    return peer->kind == PROC_REPORTER ? store_history_sync(r->history) : RC(OK);
}

bool proc_report_take(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct store_taken t;
    struct rd rd = RD(m->payload);
    bool fresh = false;
    if (!reports_taken_unpack(&rd, &t) || !rd_end(&rd))
        return false;
    t.when = io_wall(r->proc->loop);
    proc_group_flush(r);
    struct rc rc =
        r->history ? store_taken_put(r->history, &t, &mosts[t.way], &fresh) : RC(UNAVAILABLE);
    if (rc.code == RC_FULL)
        say_full(r, &t);
    if (rc_ok(rc))
        rc = keep(r, peer);
    say_failed(rc);
    proc_report_reply(peer, MSG_REPORT_TAKEN, m->ticket, rc, fresh);
    return true;
}

static bool taken_put(void *arg, const struct store_taken *t)
{
    reports_taken_pack(arg, t);
    return true;
}

static bool aside_put(void *arg, const struct store_aside *a)
{
    reports_aside_pack(arg, a);
    return true;
}

bool proc_report_get(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf one = BUF(IO_MESSAGE_MAX - 64), b = BUF(IO_MESSAGE_MAX);
    struct rd rd = RD(m->payload);
    bool aside = rd_bool(&rd);
    uint64_t id = rd_u64(&rd);
    if (!rd_end(&rd))
        return false;
    proc_group_flush(r);
    struct rc rc = !r->history ? RC(UNAVAILABLE)
                   : aside     ? store_aside_get(r->history, id, aside_put, &one)
                               : store_taken_get(r->history, id, taken_put, &one);
    wr_u8(&b, (uint8_t)(rc_ok(rc) ? buf_state(&one) : rc).code);
    buf_put(&b, buf_span(&one));
    proc_send(peer, MSG_REPORT_GOT, m->ticket, buf_span(&b), -1);
    return true;
}

bool proc_report_aside(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct store_aside a;
    struct rd rd = RD(m->payload);
    if (!reports_aside_unpack(&rd, &a) || !rd_end(&rd))
        return false;
    a.when = io_wall(r->proc->loop);
    proc_group_flush(r);
    struct rc rc = r->history ? store_aside_put(r->history, &a) : RC(UNAVAILABLE);
    if (rc_ok(rc))
        rc = keep(r, peer);
    say_failed(rc);
    proc_report_reply(peer, MSG_REPORT_ASIDE_KEPT, m->ticket, rc, true);
    return true;
}
