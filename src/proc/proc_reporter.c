// The reporter role: after each UTC day, at a random time, the TLS reports (RFC 8460) and
// DMARC aggregate reports (RFC 9990) about it, one policy domain after the other. It holds
// nothing that must last: what was sent is in the history, and a run takes what is left.
// Whatever is wrong with one domain, record or destination, the next has its turn.
#include "proc_asker.h"
#include "proc_reports.h"
#include "proc_tallies.h"

#include "base_code.h"
#include "base_log.h"
#include "mail_address.h"
#include "report_dmarc.h"
#include "report_mail.h"
#include "report_tlsrpt.h"

#include <stdlib.h>

enum {
    ROOM = 256 << 20,     // of one subject's tallies and document
    PACKED_MAX = 2 << 20, // of a report: larger does not fit into one mail of ours
    MAIL_MAX = 3 << 20,
    UNIQUE_BYTES = 8,
    SUMMARY_MAX = 4096,
};
#define DAY_US      SECONDS(86400)
#define PATIENCE    SECONDS(120)
#define LOOK_EVERY  SECONDS(600) // the clock may be set
#define AGAIN_FIRST SECONDS(60)
#define AGAIN_IN    SECONDS(3600)
#define BEGIN_IN    SECONDS(3) // the other roles begin, too

struct reporter {
    struct proc *proc;
    struct io_timer timer;
    int64_t delay_day, delay_us; // chosen for that day
    int64_t next_us;             // wall clock: not before
    int64_t again_us;            // after a run that left something
    bool running, now;           // now: somebody asked; one more run
    int64_t day;                 // that is reported on
    struct store_subject behind; // its domain in behind_text
    char behind_text[256];
    struct buf page; // of subjects
    struct rd rows;
    unsigned rows_left;
    bool rows_more;
    unsigned mailed, left;
    // the subject in hand
    struct store_subject_row row; // borrows from page
    struct tallies_about about;
    struct arena arena;
    struct report_tls_tally *tallies;
    struct report_dmarc_tally *records;
    size_t count, room;
    struct span last_policy, last_detail;
    struct span settled[TALLIES_RUA_MAX * 2];
    size_t settled_count;
    struct report_cover cover;
    struct buf packed;
    struct report_rua rua;
    size_t rua_next;
    bool later;
};

static void subject_next(struct reporter *r);
static void subjects_ask(struct reporter *r);
static void destination_next(struct reporter *r);
static void run(struct reporter *r, int64_t day);

static bool on(const struct reporter *r)
{
    return conf_span(r->proc->conf, CONF_report_from).len > 0;
}

// ---- when ----

static void look_in(struct reporter *r, int64_t us)
{
    io_timer_set(r->proc->loop, &r->timer,
                 (struct mono){io_now(r->proc->loop).us + (us < LOOK_EVERY ? us : LOOK_EVERY)});
}

static void look(void *arg)
{
    struct reporter *r = arg;
    int64_t now = io_wall(r->proc->loop).us, today = now / DAY_US;
    int64_t within = conf_int(r->proc->conf, CONF_report_delay);
    if (!on(r) || r->running || r->proc->draining)
        return;
    if (r->delay_day != today) { // RFC 8460 §5.3: not all of the world at midnight
        r->delay_day = today;
        r->again_us = AGAIN_FIRST;
        r->delay_us = within ? (int64_t)(io_random() % (uint64_t)within) : 0;
        r->next_us = today * DAY_US + r->delay_us;
    }
    if (now >= r->next_us)
        run(r, today - 1);
    else
        look_in(r, r->next_us - now);
}

static void run_over(struct reporter *r)
{
    int64_t now = io_wall(r->proc->loop).us;
    r->running = false;
    buf_free(&r->page);
    if (r->mailed || r->left)
        LOG(LOG_INFO, "reports-sent", LOG_I("mails", r->mailed), LOG_I("left-for-later", r->left));
    r->next_us = now + (r->left ? r->again_us : AGAIN_IN);
    if (r->left && r->again_us < AGAIN_IN)
        r->again_us *= 2;
    if (r->now) {
        r->now = false;
        r->next_us = now;
    }
    look_in(r, r->next_us - now);
}

// ---- the subjects of the day ----

static bool subjects_are(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    bool fine = rd_u8(&rd) == RC_OK;
    r->rows_more = rd_bool(&rd);
    r->rows_left = rd_u16(&rd);
    if (!m || rd.bad || !fine) {
        r->left++;
        run_over(r);
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
    proc_ask(r->proc, PROC_STORE, 0, MSG_REPORT_SUBJECTS, buf_span(&b), PATIENCE, subjects_are, r);
}

static void run(struct reporter *r, int64_t day)
{
    r->running = true;
    r->day = day;
    r->mailed = r->left = 0;
    r->behind = (struct store_subject){0};
    subjects_ask(r);
}

static void subject_free(struct reporter *r)
{
    arena_free(&r->arena);
    buf_free(&r->packed);
    r->tallies = NULL;
    r->records = NULL;
    r->count = r->room = r->settled_count = r->rua_next = 0;
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

static void note(struct reporter *r, struct span uri, enum store_sent_state state, struct span why,
                 bool done, proc_answered then)
{
    CLEANUP(buf_free) struct buf b = BUF(65536);
    reports_subject_pack(&b, &r->row.subject);
    wr_span(&b, uri);
    wr_u8(&b, (uint8_t)state);
    wr_span(&b, why);
    wr_bool(&b, done);
    proc_ask(r->proc, PROC_STORE, 0, MSG_REPORT_SENT, buf_span(&b), PATIENCE, then, r);
}

static void subject_over(struct reporter *r)
{
    r->left += r->later;
    note(r, SPAN(""), STORE_SENT_LATER, SPAN(""), !r->later, noted);
}

// ---- the document ----

static struct span organization(const struct reporter *r)
{
    struct span name = conf_span(r->proc->conf, CONF_report_organization);
    return name.len ? name : conf_span(r->proc->conf, CONF_hostname);
}

static struct span contact(const struct reporter *r)
{
    struct span s = conf_span(r->proc->conf, CONF_report_contact);
    return s.len ? s : conf_span(r->proc->conf, CONF_report_from);
}

static bool cover_make(struct reporter *r)
{
    struct store_subject *s = &r->row.subject;
    CLEANUP(buf_free) struct buf b = BUF(2048), unique = BUF(64), id = BUF(1024);
    struct span from = conf_span(r->proc->conf, CONF_report_from);
    r->cover = (struct report_cover){
        .kind = s->kind == STORE_ABOUT_TLS ? REPORT_TLSRPT : REPORT_DMARC,
        .begin = {s->day * DAY_US},
        .end = {(s->day + 1) * DAY_US - US_PER_S},
    };
    if (!dns_name_parse(&r->cover.submitter, span_skip(from, span_index(from, '@') + 1)) ||
        !dns_name_parse(&r->cover.policy_domain, s->domain))
        return false;
    // Of the same report always the same, so that who gets it twice can tell.
    buf_printf(&b, "%lld %u %.*s %.*s", (long long)s->day, s->kind, SPAN_FMT(s->domain),
               SPAN_FMT(conf_span(r->proc->conf, CONF_hostname)));
    struct crypto_digest digest = crypto_sha256(buf_span(&b));
    code_put_hex(&unique, span_first(SPAN_OF(digest.at), UNIQUE_BYTES));
    r->cover.unique = arena_dup(&r->arena, buf_span(&unique));
    report_id_put(&id, &r->cover);
    r->cover.id = arena_dup(&r->arena, buf_span(&id));
    return true;
}

static bool make_tls(struct reporter *r)
{
    struct report_tlsrpt d = {.organization = organization(r),
                              .contact = contact(r),
                              .id = r->cover.id,
                              .begin = r->cover.begin,
                              .end = r->cover.end};
    size_t bad = 0;
    return report_tlsrpt_tally(&d, r->tallies, r->count, REPORT_TLS_OWN_DETAILS_MAX, &r->arena,
                               &bad) &&
           d.policy_count && rc_ok(report_tlsrpt_pack_gzip(&r->packed, &d, PACKED_MAX));
}

static bool make_dmarc(struct reporter *r)
{
    struct report_dmarc d = {0};
    size_t bad = 0;
    if (!report_dmarc_tally(&d, r->about.published, r->records, r->count, &r->arena, &bad) ||
        !d.record_count)
        return false;
    d.dialect = REPORT_RFC9990;
    d.organization = organization(r);
    d.email = contact(r);
    d.id = r->cover.id;
    d.generator = SPAN("Geleit");
    d.begin = r->cover.begin;
    d.end = r->cover.end;
    return rc_ok(report_dmarc_pack_gzip(&r->packed, &d, PACKED_MAX));
}

static void document_make(struct reporter *r)
{
    r->packed = BUF(PACKED_MAX + 65536);
    bool tls = r->row.subject.kind == STORE_ABOUT_TLS;
    if (cover_make(r) && (tls ? make_tls(r) : make_dmarc(r))) {
        destination_next(r);
        return;
    }
    LOG(LOG_WARN, "report-not-made", LOG_S("domain", r->row.subject.domain));
    subject_over(r);
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

static bool tallies_are(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    bool fine = rd_u8(&rd) == RC_OK, more = rd_bool(&rd);
    for (unsigned n = rd_u16(&rd); n > 0 && !rd.bad && tallies_room(r); n--) {
        r->last_policy = arena_dup(&r->arena, rd_span(&rd));
        r->last_detail = arena_dup(&r->arena, rd_span(&rd));
        uint64_t sessions = rd_u64(&rd), times = rd_u64(&rd);
        if (rd.bad || !r->last_policy.at || !r->last_detail.at)
            break;
        r->tallies[r->count] =
            (struct report_tls_tally){r->last_policy, r->last_detail, sessions, times};
        r->records[r->count++] = (struct report_dmarc_tally){r->last_detail, sessions};
    }
    if (!m || rd.bad || !fine) {
        r->later = true;
        subject_over(r);
    } else if (more && r->count) {
        tallies_ask(r);
    } else {
        document_make(r);
    }
    return m && !rd.bad;
}

static void tallies_ask(struct reporter *r)
{
    CLEANUP(buf_free) struct buf b = BUF(256 << 10);
    reports_subject_pack(&b, &r->row.subject);
    wr_span(&b, r->count ? r->last_policy : SPAN(""));
    wr_span(&b, r->count ? r->last_detail : SPAN(""));
    proc_ask(r->proc, PROC_STORE, 0, MSG_REPORT_TALLIES, buf_span(&b), PATIENCE, tallies_are, r);
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
        subject_over(r);
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
    while (r->rows_left > 0) {
        r->rows_left--;
        if (!reports_row_unpack(&r->rows, &r->row)) {
            run_over(r);
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
        proc_ask(r->proc, PROC_STORE, 0, MSG_REPORT_SENT_LIST, buf_span(&b), PATIENCE, sent_are, r);
        return;
    }
    if (r->rows_more && !r->proc->draining)
        subjects_ask(r);
    else
        run_over(r);
}

// ---- the destinations ----

static struct span uri_now(const struct reporter *r)
{
    return r->about.rua[r->rua_next - 1];
}

static bool destination_noted(void *arg, struct io_message *m)
{
    (void)m;
    destination_next(arg);
    return true;
}

static void settle(struct reporter *r, enum store_sent_state state, const char *why)
{
    LOG(state == STORE_SENT ? LOG_INFO : LOG_WARN,
        state == STORE_SENT ? "report-queued" : "report-not-sent",
        LOG_T("kind", report_kind_text(r->cover.kind)), LOG_S("about", r->row.subject.domain),
        LOG_S("to", uri_now(r)), LOG_T("why", why));
    r->mailed += state == STORE_SENT;
    r->later = r->later || state == STORE_SENT_LATER;
    note(r, uri_now(r), state, span_str(why), false, destination_noted);
}

static bool mailed(void *arg, struct io_message *m)
{
    struct reporter *r = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    enum rc_code code = m ? (enum rc_code)rd_enum(&rd, RC_COUNT) : RC_UNAVAILABLE;
    rd_u64(&rd);
    if (code == RC_OK && !rd.bad)
        settle(r, STORE_SENT, "");
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
                                                .from_name = organization(r),
                                                .to = r->rua.to[0],
                                                .message_id = buf_span(&id),
                                                .now = io_wall(r->proc->loop),
                                                .packed = buf_span(&r->packed)});
}

static void destination_send(struct reporter *r)
{
    CLEANUP(buf_free) struct buf mail = BUF(MAIL_MAX + 65536), b = BUF(IO_MESSAGE_MAX);
    if (r->rua.https || !r->rua.to_count) {
        settle(r, STORE_SENT_NEVER, "reports are sent by mail only");
        return;
    }
    mail_make(r, &mail);
    if (!report_rua_fits(&r->rua, mail.len)) {
        settle(r, STORE_SENT_NEVER, "it is larger than its destination takes");
        return;
    }
    wr_bool(&b, r->cover.kind == REPORT_TLSRPT);
    wr_span(&b, conf_span(r->proc->conf, CONF_report_from));
    wr_u16(&b, (uint16_t)r->rua.to_count);
    for (size_t i = 0; i < r->rua.to_count; i++)
        wr_span(&b, r->rua.to[i]);
    wr_span(&b, buf_span(&mail));
    if (rc_ok(buf_state(&mail)) && rc_ok(buf_state(&b)))
        proc_ask(r->proc, PROC_RECEIVER, 0, MSG_REPORT_MAIL, buf_span(&b), PATIENCE, mailed, r);
    else
        settle(r, STORE_SENT_NEVER, "it is too large to be sent");
}

static void destination_rule(struct reporter *r)
{
    if (r->rua.state == REPORT_RUA_SEND)
        destination_send(r);
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
    proc_ask(r->proc, PROC_RESOLVER, 0, MSG_DNS, buf_span(&b), PATIENCE, verified, r);
}

static void destination_next(struct reporter *r)
{
    while (r->rua_next < r->about.count && settled(r, r->about.rua[r->rua_next]))
        r->rua_next++;
    if (r->rua_next == r->about.count) {
        subject_over(r);
        return;
    }
    r->rua_next++;
    destination_judge(r);
}

// ---- the role ----

// Sets what waits for its time free: yesterday's.
static bool got_now(struct reporter *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(8);
    wr_bool(&b, on(r));
    proc_send(peer, MSG_REPORT_BEGUN, m->ticket, buf_span(&b), -1);
    r->now = r->running;
    r->delay_day = io_wall(r->proc->loop).us / DAY_US;
    r->next_us = 0;
    look(r);
    return true;
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    return m->kind == MSG_REPORT_NOW && peer->kind == PROC_CONTROL &&
           got_now(peer->proc->data, peer, m);
}

static void start(struct proc *p)
{
    struct reporter *r = mem_new(sizeof *r);
    *r = (struct reporter){.proc = p, .timer = {.fire = look, .arg = r}, .delay_day = -1};
    p->data = r;
    look_in(r, BEGIN_IN);
}

static void reload(struct proc *p)
{
    struct reporter *r = p->data;
    r->delay_day = -1;
    look(r);
}

// What is under way is in the history, or is sent again under the same name.
static void drain(struct proc *p)
{
    proc_drained(p);
}

const struct proc_role proc_reporter = {
    .kind = PROC_REPORTER, .start = start, .reload = reload, .drain = drain, .got = got};
