// Reports: what would be sent tonight, what others sent, the week's deliveries; and the
// wish to send now.
#include "proc_control.h"
#include "proc_reports.h"
#include "proc_tallies.h"

#include "base_json.h"

#define PATIENCE SECONDS(60)

static void ask(struct control_job *j, enum proc_kind who, enum proc_message kind,
                const struct buf *b, proc_answered answered)
{
    if (proc_peer(j->control->proc, who, 0))
        proc_ask(j->control->proc, who, 0, kind, buf_span(b), PATIENCE, answered, j);
    else
        control_refuse(j, CONTROL_LATER, "the store is not running now; the log says why");
}

static bool fine(struct control_job *j, const struct io_message *m, bool well, struct rc rc)
{
    if (!m || !well)
        control_refuse(j, CONTROL_LATER, "the server's store does not answer now");
    else if (!rc_ok(rc))
        control_refuse(j, CONTROL_LATER, "the history is not open now; the log says why");
    else
        return true;
    return false;
}

static void subject_put(struct json *out, const struct store_subject_row *s)
{
    CLEANUP(buf_free) struct buf day = BUF(64);
    struct tallies_about about;
    time_put_iso(&day, (struct wall){s->subject.day * SECONDS(86400)});
    json_open(out, NULL, '{');
    json_str(out, "day", span_first(buf_span(&day), 10));
    json_str(out, "kind", s->subject.kind == STORE_ABOUT_TLS ? SPAN("tlsrpt") : SPAN("dmarc"));
    json_str(out, "domain", s->subject.domain);
    json_open(out, "rua", '[');
    if (tallies_about_unpack(s->about, &about))
        for (size_t i = 0; i < about.count; i++)
            json_str(out, NULL, about.rua[i]);
    json_close(out, ']');
    json_int(out, s->subject.kind == STORE_ABOUT_TLS ? "sessions" : "messages",
             (int64_t)s->sessions);
    json_int(out, "entries", (int64_t)s->keys);
    json_int(out, "merged", (int64_t)s->lost);
    json_close(out, '}');
}

static bool previewed(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX - 1024);
    struct json out = JSON(&b);
    CLEANUP(buf_free) struct buf next = BUF(1024);
    struct store_subject_row row = {0};
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    bool more = rd_bool(&r);
    const struct conf *c = j->control->proc->conf;
    json_open(&out, NULL, '{');
    json_str(&out, "from", conf_span(c, CONF_report_from));
    json_bool(&out, "tlsrpt", conf_bool(c, CONF_report_tlsrpt));
    json_bool(&out, "dmarc", conf_bool(c, CONF_report_dmarc));
    json_open(&out, "reports", '[');
    for (unsigned n = rd_u16(&r); n > 0 && reports_row_unpack(&r, &row); n--)
        subject_put(&out, &row);
    json_close(&out, ']');
    json_close(&out, '}');
    if (more && row.subject.domain.len)
        reports_subject_pack(&next, &row.subject);
    bool well = rd_end(&r) && rc_ok(buf_state(&b));
    if (fine(j, m, well, rc))
        control_tell(j, &(struct control_answer){.result = CONTROL_DONE,
                                                 .json = buf_span(&b),
                                                 .next_word = buf_span(&next)});
    return !m || well;
}

void control_report_preview(struct control_job *j)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    struct rd r = RD(j->request.word);
    struct store_subject behind = {0};
    int64_t today = store_day(io_wall(j->control->proc->loop));
    wr_i64(&b, today - 1);
    wr_i64(&b, today);
    wr_bool(&b, true);
    if (j->request.word.len && (!reports_subject_unpack(&r, &behind) || !rd_end(&r))) {
        control_refuse(j, CONTROL_WRONG, "this is no place to go on from");
        return;
    }
    reports_subject_pack(&b, &behind);
    ask(j, PROC_STORE, MSG_REPORT_SUBJECTS, &b, previewed);
}

static bool listed(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    uint64_t next = rd_u64(&r);
    struct span json = rd_span(&r);
    bool well = rd_end(&r);
    if (fine(j, m, well, rc))
        control_tell(
            j, &(struct control_answer){.result = CONTROL_DONE, .json = json, .next_id = next});
    return !m || well;
}

void control_report_list(struct control_job *j)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u64(&b, j->request.id);
    wr_bool(&b, j->request.verb == CONTROL_REPORT_ASIDE);
    ask(j, PROC_STORE, MSG_REPORT_LIST, &b, listed);
}

// Of one put aside the bytes; a report as it is packed.
static bool got(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    struct store_taken t;
    struct store_aside a = {0};
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    struct span packed = r.rest;
    bool aside = j->request.verb == CONTROL_REPORT_ASIDE_BYTES;
    bool well =
        m &&
        (!rc_ok(rc) || (aside ? reports_aside_unpack(&r, &a) : reports_taken_unpack(&r, &t))) &&
        rd_end(&r);
    if (well && rc.code == RC_NOT_FOUND)
        control_refuse(j, CONTROL_NO, "there is no report %llu (any more)",
                       (unsigned long long)j->request.id);
    else if (fine(j, m, well, rc))
        control_tell(
            j, &(struct control_answer){.result = CONTROL_DONE, .json = aside ? a.bytes : packed});
    return !m || well;
}

void control_report_get(struct control_job *j)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_bool(&b, j->request.verb == CONTROL_REPORT_ASIDE_BYTES);
    wr_u64(&b, j->request.id);
    ask(j, PROC_STORE, MSG_REPORT_GET, &b, got);
}

void control_report_week(struct control_job *j)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    wr_u64(&b, j->request.id);
    wr_span(&b, j->request.word);
    ask(j, PROC_STORE, MSG_REPORT_WEEK, &b, listed);
}

static bool begun(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    struct rd r = RD(m ? m->payload : SPAN(""));
    bool on = rd_bool(&r), well = rd_end(&r);
    if (!m || !well)
        control_refuse(j, CONTROL_LATER, "the reporter does not answer now");
    else if (!on)
        control_refuse(j, CONTROL_NO, "no reports are sent here: set report.from");
    else
        control_tell(
            j, &(struct control_answer){.result = CONTROL_DONE, .json = SPAN("{\"begun\":true}")});
    return !m || well;
}

void control_report_send(struct control_job *j)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    ask(j, PROC_REPORTER, MSG_REPORT_NOW, &b, begun);
}

static bool taken(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    bool fresh = rd_bool(&r), well = rd_end(&r);
    if (fine(j, m, well, rc))
        control_tell(j, &(struct control_answer){.result = CONTROL_DONE,
                                                 .json = fresh ? SPAN("{\"new\":true}")
                                                               : SPAN("{\"new\":false}")});
    return !m || well;
}

void control_report_take(struct control_job *j)
{
    struct store_taken t;
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    struct rd r = RD(j->request.questions);
    if (!reports_taken_unpack(&r, &t) || !rd_end(&r)) {
        control_refuse(j, CONTROL_WRONG, "this is no report");
        return;
    }
    buf_put(&b, j->request.questions);
    ask(j, PROC_STORE, MSG_REPORT_TAKE, &b, taken);
}
