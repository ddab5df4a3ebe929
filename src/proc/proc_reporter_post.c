// Reports by HTTPS POST (RFC 8460 §5.4), several at once, so that hosts that do not answer hold up
// nobody. Whatever is not a success is tried again for a day (§5.5), for its status says little
// about what it will be tomorrow; but for what no retry mends.
#include "proc_reporter.h"

#include "base_log.h"

#include <stdlib.h>

// A subject that waits for its posts, in hand or not.
struct reporter_open {
    struct store_subject subject;
    struct buf domain; // of it
    unsigned posts;    // not settled yet
    bool later;        // something of it is put off
    bool in_hand;
};

struct posting {
    struct reporter *r;
    struct reporter_open *of;
    struct buf uri;
    struct dns_name host;
};

// A host that gave no answer is not waited for again in the same run, by whatever domain.
static bool is_silent(const struct reporter *r)
{
    size_t n = r->silent_count < REPORTER_SILENT_MAX ? r->silent_count : REPORTER_SILENT_MAX;
    for (size_t i = 0; i < n; i++)
        if (dns_name_eq(&r->silent[i], &r->rua.host))
            return true;
    return false;
}

// ---- the end ----

static bool done_noted(void *arg, struct io_message *m)
{
    (void)arg, (void)m; // not noted: the next run finds nothing left to send of it
    return true;
}

static void open_end(struct reporter *r, struct reporter_open *o)
{
    if (o->posts || o->in_hand)
        return;
    r->left += o->later;
    reporter_note(r, &(struct reporter_fate){.subject = o->subject, .done = !o->later}, done_noted,
                  r);
    buf_free(&o->domain);
    free(o);
}

static bool noted(void *arg, struct io_message *m)
{
    (void)m; // not noted: it is sent again, under the same name
    struct posting *p = arg;
    struct reporter *r = p->r;
    p->of->posts--;
    open_end(r, p->of);
    buf_free(&p->uri);
    free(p);
    r->posts--;
    if (r->post_waits) {
        r->post_waits = false;
        reporter_post(r);
    } else if (r->day_waits && r->posts == 0) {
        r->day_waits = false;
        reporter_day_over(r);
    }
    return true;
}

static void settle(struct posting *p, enum store_sent_state state, struct span why)
{
    struct reporter_fate f = {p->of->subject, buf_span(&p->uri), state, why, false};
    state = reporter_settle_posted(p->r, f, noted, p);
    p->of->later = p->of->later || state == STORE_SENT_LATER;
}

static enum store_sent_state state_of(struct rc rc)
{
    return rc_ok(rc) ? STORE_SENT : rc_retry(rc) ? STORE_SENT_LATER : STORE_SENT_NEVER;
}

static bool posted(void *arg, struct io_message *m)
{
    struct posting *p = arg;
    struct reporter *r = p->r;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&rd, RC_COUNT)};
    unsigned status = rd_u16(&rd);
    bool good_certificate = rd_bool(&rd);
    struct span why = rd_span(&rd);
    if (!m || !rd_end(&rd)) {
        settle(p, STORE_SENT_LATER, SPAN("it could not be posted now"));
        return !m;
    }
    if (!good_certificate)
        LOG(LOG_WARN, "report-certificate", LOG_S("about", p->of->subject.domain),
            LOG_S("to", buf_span(&p->uri)), LOG_S("why", why));
    if (!rc_ok(rc) && rc_retry(rc) && status == 0)
        r->silent[r->silent_count++ % REPORTER_SILENT_MAX] = p->host;
    settle(p, state_of(rc), why);
    return true;
}

// ---- the beginning ----

static struct reporter_open *open_of(struct reporter *r)
{
    if (r->open)
        return r->open;
    struct reporter_open *o = mem_new(sizeof *o);
    *o = (struct reporter_open){.subject = r->row.subject, .domain = BUF(1024), .in_hand = true};
    buf_put(&o->domain, r->row.subject.domain);
    o->subject.domain = buf_span(&o->domain);
    return r->open = o;
}

static void next(void *arg)
{
    reporter_send(arg);
}

static void begin(struct reporter *r, struct span question)
{
    struct posting *p = mem_new(sizeof *p);
    *p = (struct posting){.r = r, .of = open_of(r), .uri = BUF(4096), .host = r->rua.host};
    buf_put(&p->uri, r->about.rua[r->rua_next - 1]);
    p->of->posts++;
    r->posts++;
    proc_ask(r->proc, PROC_FETCHER, 0, MSG_REPORT_POST, question, REPORTER_PATIENCE, posted, p);
    io_loop_later(r->proc->loop, next, r);
}

void reporter_post(struct reporter *r)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    if (r->proc->draining) {
        r->later = true;
        reporter_subject_over(r);
        return;
    }
    if (is_silent(r)) {
        reporter_settle(r, STORE_SENT_LATER, SPAN("its host gave no answer a moment ago"));
        return;
    }
    if (r->posts == REPORTER_POSTS_MAX) {
        r->post_waits = true;
        return;
    }
    wr_span(&b, r->rua.uri);
    wr_span(&b, SPAN("application/tlsrpt+gzip"));
    wr_span(&b, buf_span(&r->packed));
    if (rc_ok(buf_state(&b)))
        begin(r, buf_span(&b));
    else
        reporter_settle(r, STORE_SENT_NEVER, SPAN("it is too large to be posted"));
}

bool reporter_posts_left(struct reporter *r)
{
    struct reporter_open *o = r->open;
    r->open = NULL;
    if (!o)
        return false;
    o->in_hand = false;
    o->later = o->later || r->later;
    open_end(r, o);
    return true;
}
