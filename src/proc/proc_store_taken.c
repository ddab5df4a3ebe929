// Reports of others: kept, or put aside.
#include "proc_reports.h"
#include "proc_store.h"

#include "base_log.h"

// Anyone may send reports, who can name a domain; a command of ours may take in all it likes.
enum { TAKEN_A_DAY = 20000 };

static void say_full(struct store_role *r, int64_t day)
{
    if (r->full_day != day)
        LOG(LOG_WARN, "reports-full", LOG_I("taken-today", TAKEN_A_DAY));
    r->full_day = day;
}

static void say_failed(struct rc rc)
{
    if (!rc_ok(rc) && rc.code != RC_FULL)
        LOG(LOG_ERROR, "report-not-kept", LOG_T("error", rc_text(rc)));
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
    uint64_t most = peer->kind == PROC_REPORTER ? TAKEN_A_DAY : 0;
    struct rc rc = r->history ? store_taken_put(r->history, &t, most, &fresh) : RC(UNAVAILABLE);
    if (rc.code == RC_FULL)
        say_full(r, store_day(t.when));
    if (rc_ok(rc))
        rc = store_history_commit(r->history);
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
        rc = store_history_commit(r->history);
    say_failed(rc);
    proc_report_reply(peer, MSG_REPORT_ASIDE_KEPT, m->ticket, rc, true);
    return true;
}
