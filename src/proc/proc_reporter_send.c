// Where a report goes: each destination of its subject, judged, verified, and sent to.
#include "proc_reporter.h"

#include "base_log.h"
#include "base_meter.h"
#include "mail_address.h"

enum { MAIL_MAX = 3 << 20 };

static struct span uri_now(const struct reporter *r)
{
    return r->about.rua[r->rua_next - 1];
}

static bool destination_noted(void *arg, struct io_message *m)
{
    (void)m;
    reporter_send(arg);
    return true;
}

// What is tried again is neither yet.
static void count(bool tls, enum store_sent_state state)
{
    if (state == STORE_SENT)
        meter_count(tls ? METER_REPORT_TLSRPT_SENT : METER_REPORT_DMARC_SENT, 1);
    else if (state == STORE_SENT_NEVER)
        meter_count(tls ? METER_REPORT_TLSRPT_FAILED : METER_REPORT_DMARC_FAILED, 1);
}

static void settle_log(const struct reporter_fate *f, enum report_kind kind)
{
    static const char *const events[STORE_SENT_STATES] = {"report-put-off", "report-queued",
                                                          "report-not-sent"};
    bool posted = f->state == STORE_SENT && span_istarts(f->uri, SPAN("https:"));
    LOG(f->state == STORE_SENT_NEVER ? LOG_WARN : LOG_INFO,
        posted ? "report-posted" : events[f->state], LOG_T("kind", report_kind_text(kind)),
        LOG_S("about", f->subject.domain), LOG_S("to", f->uri), LOG_S("why", f->why));
}

// RFC 8460 §5.5: for up to 24 hours.
enum store_sent_state reporter_settle_posted(struct reporter *r, struct reporter_fate f,
                                             proc_answered then, void *arg)
{
    CLEANUP(buf_free) struct buf text = BUF(4096);
    bool over = f.state == STORE_SENT_LATER && r->last;
    enum report_kind kind = f.subject.kind == STORE_ABOUT_TLS ? REPORT_TLSRPT : REPORT_DMARC;
    buf_put(&text, over ? SPAN("given up after a day: ") : SPAN(""));
    buf_put(&text, f.why);
    f.why = buf_span(&text);
    if (over)
        f.state = STORE_SENT_NEVER;
    settle_log(&f, kind);
    count(kind == REPORT_TLSRPT, f.state);
    r->sent += f.state == STORE_SENT;
    reporter_note(r, &f, then, arg);
    return f.state;
}

void reporter_settle(struct reporter *r, enum store_sent_state state, struct span why)
{
    struct reporter_fate f = {r->row.subject, uri_now(r), state, why, false};
    state = reporter_settle_posted(r, f, destination_noted, r);
    r->later = r->later || state == STORE_SENT_LATER;
}

static void settle(struct reporter *r, enum store_sent_state state, const char *why)
{
    reporter_settle(r, state, span_str(why));
}

static bool mailed(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    enum rc_code code = m ? (enum rc_code)rd_enum(&rd, RC_COUNT) : RC_UNAVAILABLE;
    CLEANUP(buf_free) struct buf queued = BUF(64);
    buf_printf(&queued, "queued as %llx", (unsigned long long)rd_u64(&rd));
    if (code == RC_OK && !rd.bad)
        settle(r, STORE_SENT, buf_str(&queued));
    else if (code == RC_MALFORMED)
        settle(r, STORE_SENT_NEVER, "its address is none that mail can be sent to");
    else
        settle(r, STORE_SENT_LATER, "it could not be put into the queue now");
    return !rd.bad;
}

static void mail_make(struct reporter *r, struct buf *mail)
{
    CLEANUP(buf_free) struct buf id = BUF(1024);
    struct span from = conf_span(r->proc->conf, CONF_report_from);
    buf_printf(&id, "%.*s.%zu.%llx@%s", SPAN_FMT(r->cover.unique), r->rua_next,
               (unsigned long long)io_wall(r->proc->loop).us, r->cover.submitter.text);
    report_mail_put(mail, &(struct report_mail){.cover = r->cover,
                                                .from = from,
                                                .from_name = reporter_organization(r),
                                                .to = r->rua.to,
                                                .to_count = r->rua.to_count,
                                                .message_id = buf_span(&id),
                                                .now = io_wall(r->proc->loop),
                                                .packed = buf_span(&r->packed)});
}

// A host may name the same address instead of several (RFC 9990 §4, step 9), and a record the same
// with two sizes.
static bool mail_goes_there(struct reporter *r)
{
    for (size_t i = 0; i < r->mailed_count; i++)
        if (span_eq(r->mailed[i], r->rua.uri))
            return true;
    r->mailed[r->mailed_count++] = r->rua.uri; // not more than there are destinations
    return false;
}

static void mail_send(struct reporter *r)
{
    CLEANUP(buf_free) struct buf mail = BUF(MAIL_MAX + 65536), b = BUF(IO_MESSAGE_MAX);
    mail_make(r, &mail);
    if (!report_rua_fits(&r->rua, mail.len)) {
        settle(r, STORE_SENT_NEVER, "it is larger than its destination takes");
        return;
    }
    if (mail_goes_there(r)) {
        settle(r, STORE_SENT_NEVER, "it goes to the same address already");
        return;
    }
    wr_bool(&b, r->cover.kind == REPORT_TLSRPT);
    wr_span(&b, conf_span(r->proc->conf, CONF_report_from));
    wr_u16(&b, (uint16_t)r->rua.to_count);
    for (size_t i = 0; i < r->rua.to_count; i++)
        wr_span(&b, r->rua.to[i]);
    wr_span(&b, buf_span(&mail));
    if (rc_ok(buf_state(&mail)) && rc_ok(buf_state(&b)))
        proc_ask(r->proc, PROC_RECEIVER, 0, MSG_REPORT_MAIL, buf_span(&b), REPORTER_PATIENCE,
                 mailed, r);
    else
        settle(r, STORE_SENT_NEVER, "it is too large to be sent");
}

static void destination_rule(struct reporter *r)
{
    if (r->rua.state == REPORT_RUA_SEND && r->rua.https)
        reporter_post(r);
    else if (r->rua.state == REPORT_RUA_SEND)
        mail_send(r);
    else
        settle(r, r->rua.state == REPORT_RUA_DROP ? STORE_SENT_NEVER : STORE_SENT_LATER,
               r->rua.why ? r->rua.why : "it cannot be verified now");
}

static bool verified(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
    struct dns_answer answer = {0};
    struct rd rd = RD(m ? m->payload : SPAN(""));
    bool good = m && dns_answer_unpack(&rd, &answer, &a) && rd_end(&rd);
    if (good)
        report_rua_answer(&r->rua, &answer, &r->arena);
    else
        r->rua.state = REPORT_RUA_LATER;
    destination_rule(r);
    return !m || good;
}

static bool settled(const struct reporter *r, struct span uri)
{
    for (size_t i = 0; i < r->settled_count; i++)
        if (span_eq(r->settled[i], uri))
            return true;
    return false;
}

static void destination_judge(struct reporter *r)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    struct dns_name organization_name = {0};
    if (r->cover.kind == REPORT_TLSRPT) {
        report_rua_tls(&r->rua, uri_now(r), &r->arena);
    } else {
        if (r->about.organization.len && !dns_name_parse(&organization_name, r->about.organization))
            organization_name = (struct dns_name){0};
        report_rua_dmarc(&r->rua, uri_now(r), &r->cover.policy_domain, &organization_name,
                         &r->arena);
    }
    if (r->rua.state != REPORT_RUA_ASK) {
        destination_rule(r);
        return;
    }
    dns_question_pack(&b, &r->rua.question);
    proc_ask(r->proc, PROC_RESOLVER, 0, MSG_DNS, buf_span(&b), REPORTER_PATIENCE, verified, r);
}

void reporter_send(struct reporter *r)
{
    while (r->rua_next < r->about.count && settled(r, r->about.rua[r->rua_next]))
        r->rua_next++;
    bool more = r->rua_next < r->about.count;
    if (!more || r->proc->draining) {
        r->later = r->later || more;
        reporter_subject_over(r);
        return;
    }
    r->rua_next++;
    destination_judge(r);
}
