// A report by HTTPS POST (RFC 8460 §5.4): whatever is not a success is tried again for a day
// (§5.5), for its status says little about what it will be tomorrow; but for what no retry mends.
#include "proc_reporter.h"

#include "base_log.h"

// A host that gave no answer is not waited for again in the same run, by whatever domain.
static bool is_silent(const struct reporter *r)
{
    size_t n = r->silent_count < REPORTER_SILENT_MAX ? r->silent_count : REPORTER_SILENT_MAX;
    for (size_t i = 0; i < n; i++)
        if (dns_name_eq(&r->silent[i], &r->rua.host))
            return true;
    return false;
}

static enum store_sent_state state_of(struct rc rc)
{
    return rc_ok(rc) ? STORE_SENT : rc_retry(rc) ? STORE_SENT_LATER : STORE_SENT_NEVER;
}

static bool posted(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&rd, RC_COUNT)};
    unsigned status = rd_u16(&rd);
    bool good_certificate = rd_bool(&rd);
    struct span why = rd_span(&rd);
    if (!m || !rd_end(&rd)) {
        reporter_settle(r, STORE_SENT_LATER, SPAN("it could not be posted now"));
        return !m;
    }
    if (!good_certificate)
        LOG(LOG_WARN, "report-certificate", LOG_S("about", r->row.subject.domain),
            LOG_S("to", r->rua.uri), LOG_S("why", why));
    if (!rc_ok(rc) && rc_retry(rc) && status == 0)
        r->silent[r->silent_count++ % REPORTER_SILENT_MAX] = r->rua.host;
    reporter_settle(r, state_of(rc), why);
    return true;
}

void reporter_post(struct reporter *r)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    if (is_silent(r)) {
        reporter_settle(r, STORE_SENT_LATER, SPAN("its host gave no answer a moment ago"));
        return;
    }
    wr_span(&b, r->rua.uri);
    wr_span(&b, SPAN("application/tlsrpt+gzip"));
    wr_span(&b, buf_span(&r->packed));
    if (rc_ok(buf_state(&b)))
        proc_ask(r->proc, PROC_FETCHER, 0, MSG_REPORT_POST, buf_span(&b), REPORTER_PATIENCE, posted,
                 r);
    else
        reporter_settle(r, STORE_SENT_NEVER, SPAN("it is too large to be posted"));
}
