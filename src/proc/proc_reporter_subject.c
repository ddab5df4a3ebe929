// The subjects of a day, and what was counted about each.
#include "proc_reporter.h"

#include "base_log.h"

enum { ROOM = 256 << 20 }; // of one subject's tallies and document

static void subject_next(struct reporter *r);

static void day_end(struct reporter *r)
{
    r->day_waits = r->posts > 0;
    if (!r->day_waits)
        reporter_day_over(r);
}

static bool subjects_are(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    bool fine = rd_u8(&rd) == RC_OK;
    r->rows_more = rd_bool(&rd);
    r->rows_left = rd_u16(&rd);
    if (!m || rd.bad || !fine) {
        r->left++;
        day_end(r);
        return m && !rd.bad;
    }
    buf_clear(&r->page);
    r->page.max = IO_MESSAGE_MAX;
    buf_put(&r->page, rd.rest);
    r->rows = RD(buf_span(&r->page));
    subject_next(r);
    return true;
}

static void subjects_ask(struct reporter *r)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    wr_i64(&b, r->day);
    wr_i64(&b, r->day);
    wr_bool(&b, true);
    reports_subject_pack(&b, &r->behind);
    proc_ask(r->proc, PROC_STORE, 0, MSG_REPORT_SUBJECTS, buf_span(&b), REPORTER_PATIENCE,
             subjects_are, r);
}

void reporter_day(struct reporter *r, int64_t day, bool last)
{
    r->day = day;
    r->last = last;
    r->behind = (struct store_subject){0};
    subjects_ask(r);
}

static void subject_free(struct reporter *r)
{
    arena_free(&r->arena);
    buf_free(&r->packed);
    r->tallies = NULL;
    r->records = NULL;
    r->count = r->room = r->settled_count = r->mailed_count = r->rua_next = 0;
    r->later = false;
}

static void turn(void *arg)
{
    subject_next(arg);
}

static bool noted(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    (void)m; // not noted: it is sent again, under the same name
    subject_free(r);
    io_loop_later(r->proc->loop, turn, r);
    return true;
}

void reporter_note(struct reporter *r, const struct reporter_fate *f, proc_answered then, void *arg)
{
    CLEANUP(buf_free) struct buf b = BUF(65536);
    reports_subject_pack(&b, &f->subject);
    wr_span(&b, f->uri);
    wr_u8(&b, (uint8_t)f->state);
    wr_span(&b, f->why);
    wr_bool(&b, f->done);
    proc_ask(r->proc, PROC_STORE, 0, MSG_REPORT_SENT, buf_span(&b), REPORTER_PATIENCE, then, arg);
}

void reporter_subject_over(struct reporter *r)
{
    if (reporter_posts_left(r)) {
        noted(r, NULL);
        return;
    }
    r->left += r->later;
    reporter_note(r, &(struct reporter_fate){.subject = r->row.subject, .done = !r->later}, noted,
                  r);
}

static bool tallies_room(struct reporter *r)
{
    if (r->count < r->room)
        return true;
    size_t room = r->room ? 2 * r->room : 64;
    struct report_tls_tally *t = arena_alloc(&r->arena, room * sizeof *t);
    struct report_dmarc_tally *d = arena_alloc(&r->arena, room * sizeof *d);
    if (!t || !d)
        return false;
    for (size_t i = 0; i < r->count; i++) {
        t[i] = r->tallies[i];
        d[i] = r->records[i];
    }
    r->tallies = t;
    r->records = d;
    r->room = room;
    return true;
}

static void tallies_ask(struct reporter *r);

// Policies come in order, so that each is kept once. False: there is no room.
static bool tally_keep(struct reporter *r, struct rd *rd)
{
    struct span policy = rd_span(rd), detail = rd_span(rd);
    uint64_t sessions = rd_u64(rd), times = rd_u64(rd);
    if (rd->bad || !tallies_room(r))
        return false;
    if (r->count == 0 || !span_eq(policy, r->last_policy))
        r->last_policy = arena_dup(&r->arena, policy);
    r->last_detail = arena_dup(&r->arena, detail);
    if (!r->last_policy.at || !r->last_detail.at)
        return false;
    r->tallies[r->count] =
        (struct report_tls_tally){r->last_policy, r->last_detail, sessions, times};
    r->records[r->count++] = (struct report_dmarc_tally){r->last_detail, sessions};
    return true;
}

static bool tallies_are(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    bool fine = rd_u8(&rd) == RC_OK, more = rd_bool(&rd), full = false;
    for (unsigned n = rd_u16(&rd); n > 0 && !full && !rd.bad; n--)
        full = !tally_keep(r, &rd);
    if (!m || rd.bad || !fine) {
        r->later = true;
        reporter_subject_over(r);
    } else if (more && r->count && !full) {
        tallies_ask(r);
    } else {
        if (full)
            LOG(LOG_WARN, "report-incomplete", LOG_S("domain", r->row.subject.domain),
                LOG_T("why", "its tallies have no room in memory"));
        reporter_document(r);
    }
    return m && !rd.bad;
}

static void tallies_ask(struct reporter *r)
{
    CLEANUP(buf_free) struct buf b = BUF(256 << 10);
    reports_subject_pack(&b, &r->row.subject);
    wr_span(&b, r->count ? r->last_policy : SPAN(""));
    wr_span(&b, r->count ? r->last_detail : SPAN(""));
    proc_ask(r->proc, PROC_STORE, 0, MSG_REPORT_TALLIES, buf_span(&b), REPORTER_PATIENCE,
             tallies_are, r);
}

static bool sent_are(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    bool fine = rd_u8(&rd) == RC_OK;
    rd_bool(&rd);
    for (unsigned n = rd_u16(&rd); n > 0 && !rd.bad; n--) {
        struct span uri = rd_span(&rd);
        bool over = rd_enum(&rd, STORE_SENT_STATES) != STORE_SENT_LATER;
        if (over && r->settled_count < sizeof r->settled / sizeof *r->settled)
            r->settled[r->settled_count++] = arena_dup(&r->arena, uri);
    }
    if (!m || rd.bad || !fine) {
        r->later = true; // better late than twice
        reporter_subject_over(r);
        return m && !rd.bad;
    }
    tallies_ask(r);
    return true;
}

static bool wanted(const struct reporter *r, enum store_subject_kind kind)
{
    return conf_bool(r->proc->conf,
                     kind == STORE_ABOUT_TLS ? CONF_report_tlsrpt : CONF_report_dmarc);
}

static void subject_next(struct reporter *r)
{
    while (r->rows_left > 0 && !r->proc->draining) {
        r->rows_left--;
        if (!reports_row_unpack(&r->rows, &r->row)) {
            day_end(r);
            return;
        }
        r->behind = r->row.subject;
        if (span_copy(r->behind_text, sizeof r->behind_text, r->row.subject.domain))
            r->behind.domain = (struct span){r->behind_text, r->row.subject.domain.len};
        if (!wanted(r, r->row.subject.kind) || !tallies_about_unpack(r->row.about, &r->about) ||
            !r->about.count)
            continue;
        CLEANUP(buf_free) struct buf b = BUF(1024);
        r->arena = ARENA(ROOM);
        reports_subject_pack(&b, &r->row.subject);
        proc_ask(r->proc, PROC_STORE, 0, MSG_REPORT_SENT_LIST, buf_span(&b), REPORTER_PATIENCE,
                 sent_are, r);
        return;
    }
    if (r->rows_more && !r->proc->draining)
        subjects_ask(r);
    else
        day_end(r);
}
