// What the store says about tallies, and keeps of what was sent and taken.
#include "proc_store.h"

#include "base_json.h"
#include "base_log.h"
#include "proc_reports.h"

enum { PAGE = 2 << 20, COUNT_MAX = 60000, LIST_MAX = 500 };

struct page {
    struct buf list;
    uint16_t count;
    bool more;
};

static bool page_room(struct page *p)
{
    p->more = p->list.len > PAGE || p->count == COUNT_MAX;
    return !p->more;
}

static void page_send(struct proc_peer *peer, enum proc_message kind, uint32_t ticket,
                      struct page *p, struct rc rc)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    wr_u8(&b, (uint8_t)rc.code);
    wr_bool(&b, p->more);
    wr_u16(&b, p->count);
    buf_put(&b, buf_span(&p->list));
    proc_send(peer, kind, ticket, buf_span(&b), -1);
    buf_free(&p->list);
}

static bool subject_one(void *arg, const struct store_subject_row *s)
{
    struct page *p = arg;
    if (!page_room(p))
        return false;
    reports_row_pack(&p->list, s);
    p->count++;
    return true;
}

bool proc_report_subjects(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct page p = {.list = BUF(IO_MESSAGE_MAX - 1024)};
    struct store_subject behind;
    struct rd rd = RD(m->payload);
    int64_t from = rd_i64(&rd), to = rd_i64(&rd);
    bool undone = rd_bool(&rd);
    if (!reports_subject_unpack(&rd, &behind) || !rd_end(&rd))
        return false;
    proc_group_flush(r);
    struct rc rc = r->history
                       ? store_subjects(r->history, from, to, undone, &behind, subject_one, &p)
                       : RC(UNAVAILABLE);
    page_send(peer, MSG_REPORT_SUBJECTS_ARE, m->ticket, &p, rc);
    return true;
}

static bool tally_one(void *arg, const struct store_count *t)
{
    struct page *p = arg;
    if (!page_room(p))
        return false;
    wr_span(&p->list, t->policy);
    wr_span(&p->list, t->detail);
    wr_u64(&p->list, t->sessions);
    wr_u64(&p->list, t->times);
    p->count++;
    return true;
}

bool proc_report_tallies(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct page p = {.list = BUF(IO_MESSAGE_MAX - 1024)};
    struct store_subject s;
    struct rd rd = RD(m->payload);
    if (!reports_subject_unpack(&rd, &s))
        return false;
    struct span policy = rd_span(&rd), detail = rd_span(&rd);
    if (!rd_end(&rd))
        return false;
    struct rc rc =
        r->history ? store_tallies(r->history, &s, policy, detail, tally_one, &p) : RC(UNAVAILABLE);
    page_send(peer, MSG_REPORT_TALLIES_ARE, m->ticket, &p, rc);
    return true;
}

static bool sent_one(void *arg, const struct store_sent *s)
{
    struct page *p = arg;
    wr_span(&p->list, s->uri);
    wr_u8(&p->list, (uint8_t)s->state);
    p->count++;
    return p->count < LIST_MAX;
}

bool proc_report_sent_list(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct page p = {.list = BUF(IO_MESSAGE_MAX - 1024)};
    struct store_subject s;
    struct rd rd = RD(m->payload);
    if (!reports_subject_unpack(&rd, &s) || !rd_end(&rd))
        return false;
    struct rc rc = r->history ? store_sent_list(r->history, &s, sent_one, &p) : RC(UNAVAILABLE);
    page_send(peer, MSG_REPORT_SENT_ARE, m->ticket, &p, rc);
    return true;
}

void proc_report_reply(struct proc_peer *peer, enum proc_message kind, uint32_t ticket,
                       struct rc rc, bool fresh)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u8(&b, (uint8_t)rc.code);
    wr_bool(&b, fresh);
    proc_send(peer, kind, ticket, buf_span(&b), -1);
}

static struct rc sent(struct store_role *r, const struct store_sent *s, bool done)
{
    if (!r->history)
        return RC(UNAVAILABLE);
    if (s->uri.len)
        TRY(store_sent_put(r->history, s));
    if (done)
        TRY(store_subject_done(r->history, &s->subject));
    return store_history_commit(r->history);
}

bool proc_report_sent(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct store_sent s = {.when = io_wall(r->proc->loop)};
    struct rd rd = RD(m->payload);
    if (!reports_subject_unpack(&rd, &s.subject))
        return false;
    s.uri = rd_span(&rd);
    s.state = (enum store_sent_state)rd_enum(&rd, STORE_SENT_STATES);
    s.why = rd_span(&rd);
    bool done = rd_bool(&rd);
    if (!rd_end(&rd))
        return false;
    proc_group_flush(r);
    struct rc rc = sent(r, &s, done);
    if (!rc_ok(rc))
        LOG(LOG_ERROR, "report-not-noted", LOG_S("domain", s.subject.domain),
            LOG_T("error", rc_text(rc)));
    proc_report_reply(peer, MSG_REPORT_NOTED, m->ticket, rc, done);
    return true;
}

// ---- for people: JSON ----

static void day_put(struct json *j, const char *key, int64_t day)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    time_put_iso(&b, (struct wall){day * SECONDS(86400)});
    json_str(j, key, span_first(buf_span(&b), 10));
}

struct listing {
    struct buf out;
    struct json json;
    uint64_t last;
    unsigned count;
    bool more;
};

static enum report_way way_of(unsigned way)
{
    return way < REPORT_WAYS ? (enum report_way)way : REPORT_WAY_FILE;
}

static bool taken_one(void *arg, const struct store_taken *t)
{
    struct listing *l = arg;
    l->more = l->count == LIST_MAX || l->out.len > PAGE;
    if (l->more)
        return false;
    json_open(&l->json, NULL, '{');
    json_int(&l->json, "id", (int64_t)t->id);
    json_str(&l->json, "kind", t->kind == STORE_ABOUT_TLS ? SPAN("tlsrpt") : SPAN("dmarc"));
    json_str(&l->json, "domain", t->domain);
    json_str(&l->json, "organization", t->organization);
    json_str(&l->json, "report", t->report);
    day_put(&l->json, "day", store_day(t->begin));
    json_int(&l->json, "good", (int64_t)t->good);
    json_int(&l->json, "bad", (int64_t)t->bad);
    json_str(&l->json, "way", span_str(reports_way_text(way_of(t->way))));
    json_str(&l->json, "from", t->who);
    json_str(&l->json, "remark", t->remark);
    json_close(&l->json, '}');
    l->last = t->id;
    l->count++;
    return true;
}

static bool aside_one(void *arg, const struct store_aside *a)
{
    struct listing *l = arg;
    CLEANUP(buf_free) struct buf when = BUF(64);
    time_put_iso(&when, a->when);
    json_open(&l->json, NULL, '{');
    json_int(&l->json, "id", (int64_t)a->id);
    json_str(&l->json, "when", buf_span(&when));
    json_str(&l->json, "way", span_str(reports_way_text(way_of(a->way))));
    json_str(&l->json, "from", a->who);
    json_int(&l->json, "size", (int64_t)a->size);
    json_str(&l->json, "why", a->why);
    json_close(&l->json, '}');
    return true;
}

bool proc_report_list(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct listing l = {.out = BUF(IO_MESSAGE_MAX - 1024)};
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    struct rd rd = RD(m->payload);
    uint64_t behind = rd_u64(&rd);
    bool aside = rd_bool(&rd);
    if (!rd_end(&rd))
        return false;
    proc_group_flush(r);
    l.json = JSON(&l.out);
    json_open(&l.json, NULL, '[');
    struct rc rc = !r->history ? RC(UNAVAILABLE)
                   : aside     ? store_aside_list(r->history, aside_one, &l)
                               : store_taken_list(r->history, behind, taken_one, &l);
    json_close(&l.json, ']');
    wr_u8(&b, (uint8_t)rc.code);
    wr_u64(&b, l.more ? l.last : 0);
    wr_span(&b, buf_span(&l.out));
    proc_send(peer, MSG_REPORT_LISTED, m->ticket, buf_span(&b), -1);
    buf_free(&l.out);
    return true;
}
