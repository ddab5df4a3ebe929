// Reports of others: their bytes are read by a child, one after the other, and what is in them is
// kept by the store. Who asked hears when it has everything; until then it is his to lose or keep.
#include "proc_reporter.h"
#include "proc_taken_child.h"

#include "base_log.h"
#include "base_meter.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAITING_MAX = 64, WHO_MAX = 1000, ARENA_MAX = 64 << 20 };

struct intake {
    struct intake *next;
    struct reporter *reporter;
    struct proc_asker asker;
    enum report_way way;
    struct buf who, head;
    int fd;
    uint64_t at, length;
    // in hand
    struct buf bytes, found;
    struct io_child *child;
    uint32_t ticket; // of the question to the store; 0: none
    struct arena arena;
    struct rd rest; // of `found`
    struct report_taking taking;
    size_t done;           // of its documents
    enum report_kind kind; // of the one that the store is asked to take
    unsigned taken, aside;
    struct buf why; // of the first that is put aside
};

static void intake_next(struct reporter *r);
static void document_next(struct intake *k);

static void intake_free(struct intake *k)
{
    io_child_stop(k->child);
    if (k->ticket)
        proc_forget(k->reporter->proc, k->ticket);
    if (k->fd >= 0)
        close(k->fd);
    buf_free(&k->who);
    buf_free(&k->head);
    buf_free(&k->bytes);
    buf_free(&k->found);
    buf_free(&k->why);
    arena_free(&k->arena);
    free(k);
}

static void answer(const struct proc_asker *to, struct rc rc, unsigned taken, unsigned aside,
                   struct span why)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    wr_u8(&b, (uint8_t)rc.code);
    wr_u32(&b, taken);
    wr_u32(&b, aside);
    wr_span(&b, why);
    proc_reply(to, MSG_REPORT_INTAKEN, buf_span(&b), -1);
}

static void next_later(void *arg)
{
    intake_next(arg);
}

static void intake_over(struct intake *k, struct rc rc, const char *why)
{
    struct reporter *r = k->reporter;
    answer(&k->asker, rc, k->taken, k->aside, rc_ok(rc) ? buf_span(&k->why) : span_str(why));
    LOG(rc_ok(rc) ? LOG_INFO : LOG_WARN, rc_ok(rc) ? "reports-taken-in" : "reports-put-off",
        LOG_T("way", reports_way_text(k->way)), LOG_S("from", buf_span(&k->who)),
        LOG_I("taken", k->taken), LOG_I("aside", k->aside),
        LOG_S("why", rc_ok(rc) ? buf_span(&k->why) : span_str(why)));
    r->intake = NULL;
    intake_free(k);
    io_loop_later(r->proc->loop, next_later, r);
}

// ---- put aside: the whole of it, once, with the first sentence ----

static bool aside_kept(void *arg, struct io_message *m)
{
    struct intake *k = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&rd, RC_COUNT)};
    rd_bool(&rd);
    bool fine = m && rd_end(&rd);
    k->ticket = 0;
    if (fine && rc_ok(rc))
        document_next(k);
    else
        intake_over(k, fine ? rc : RC(UNAVAILABLE), "it could not be put aside now");
    return !m || fine;
}

static void put_aside(struct intake *k, struct span why)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    if (k->aside++ > 0) {
        document_next(k);
        return;
    }
    buf_put(&k->why, span_first(why, WHO_MAX));
    reports_aside_pack(&b, &(struct store_aside){.way = k->way,
                                                 .who = buf_span(&k->who),
                                                 .why = buf_span(&k->why),
                                                 .size = k->head.len + k->length,
                                                 .bytes = buf_span(&k->bytes)});
    k->ticket = proc_ask(k->reporter->proc, PROC_STORE, 0, MSG_REPORT_ASIDE, buf_span(&b),
                         REPORTER_PATIENCE, aside_kept, k);
}

// ---- the documents in it ----

// Broken: put aside for whatever reason.
static void count(enum report_kind kind, bool accepted)
{
    static const enum meter meters[REPORT_KINDS][2] = {
        [REPORT_TLSRPT] = {METER_REPORT_TLSRPT_BROKEN, METER_REPORT_TLSRPT_ACCEPTED},
        [REPORT_DMARC] = {METER_REPORT_DMARC_BROKEN, METER_REPORT_DMARC_ACCEPTED},
    };
    meter_count(meters[kind][accepted], 1);
}

static bool taken(void *arg, struct io_message *m)
{
    struct intake *k = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&rd, RC_COUNT)};
    rd_bool(&rd);
    bool fine = m && rd_end(&rd);
    k->ticket = 0;
    if (fine && rc_ok(rc)) {
        count(k->kind, true);
        k->taken++;
        document_next(k);
    } else {
        intake_over(k, fine ? rc : RC(UNAVAILABLE),
                    fine && rc.code == RC_FULL ? "as many reports as are taken in a day were today"
                                               : "it could not be kept now");
    }
    return !m || fine;
}

static void document_take(struct intake *k, const struct report_taken *d)
{
    CLEANUP(buf_free) struct buf content = BUF(PROC_TAKEN_MAX), b = BUF(2 * PROC_TAKEN_MAX);
    struct proc_taken t;
    const char *remark = NULL, *no = NULL;
    if (k->way == REPORT_WAY_MAIL)
        no = reporter_signature(buf_span(&k->head), &k->taking, d->kind, &remark);
    if (no) {
        count(d->kind, false);
        put_aside(k, span_str(no));
        return;
    }
    k->kind = d->kind;
    proc_taken_of(&t, &content, d);
    t.way = k->way;
    t.who = buf_span(&k->who);
    t.remark = span_str(remark);
    proc_taken_pack(&b, &t);
    if (rc_ok(buf_state(&b)))
        k->ticket = proc_ask(k->reporter->proc, PROC_STORE, 0, MSG_REPORT_TAKE, buf_span(&b),
                             REPORTER_PATIENCE, taken, k);
    else
        put_aside(k, SPAN("Its names are too long to be kept."));
}

static void document_next(struct intake *k)
{
    CLEANUP(arena_free) struct arena a = ARENA(REPORT_DMARC_ARENA);
    struct report_taken d;
    if (k->done == k->taking.count) {
        intake_over(k, RC(OK), "");
        return;
    }
    k->done++;
    if (!report_taking_next(&k->rest, &d, &a)) {
        k->done = k->taking.count;
        put_aside(k, SPAN("Its reader died on it."));
    } else if (d.good) {
        document_take(k, &d);
    } else {
        count(d.kind, false);
        put_aside(k, span_str(d.notes.fault));
    }
}

// Nobody knows what it would have been.
static void put_unread_aside(struct intake *k, const char *why)
{
    meter_count(METER_REPORT_UNKNOWN_BROKEN, 1);
    put_aside(k, span_str(why));
}

static void found(void *arg, enum io_child_end end, struct buf *out)
{
    struct intake *k = arg;
    const char *fault = proc_taken_fault(end);
    k->child = NULL;
    if (end == IO_CHILD_NONE) {
        intake_over(k, RC(UNAVAILABLE), "no process to read it can be started now");
        return;
    }
    k->found = *out;
    *out = BUF(0);
    k->rest = RD(buf_span(&k->found));
    if (fault) {
        put_unread_aside(k, fault);
    } else if (!report_taking_open(&k->rest, &k->taking, &k->arena)) {
        k->taking.count = 0;
        put_unread_aside(k, "Its reader died on it.");
    } else if (!k->taking.count) {
        put_unread_aside(k, k->taking.fault);
    } else {
        document_next(k);
    }
}

// ---- its bytes ----

static bool bytes_read(struct intake *k, uint64_t most)
{
    k->bytes = BUF(k->head.len + most);
    buf_put(&k->bytes, buf_span(&k->head));
    if (!rc_ok(buf_reserve(&k->bytes, most)))
        return false;
    for (uint64_t got = 0; got < most;) {
        ssize_t n = pread(k->fd, k->bytes.at + k->bytes.len, most - got, (off_t)(k->at + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        k->bytes.len += (size_t)n;
        got += (uint64_t)n;
    }
    return true;
}

static void intake_begin(struct intake *k)
{
    bool large = k->length > REPORT_INPUT_MAX || k->head.len > REPORT_INPUT_MAX - k->length;
    if (!bytes_read(k, large ? STORE_ASIDE_BYTES : k->length)) {
        intake_over(k, RC(IO), "its bytes cannot be read");
        return;
    }
    if (large) {
        put_unread_aside(k, "It is larger than a report may be.");
        return;
    }
    struct io_child_task task = proc_taken_task(buf_span(&k->bytes));
    k->child = io_child_start(k->reporter->proc->loop, &task, found, k);
}

static void intake_next(struct reporter *r)
{
    while (!r->intake && r->waiting) {
        struct intake *k = r->waiting;
        r->waiting = k->next;
        r->waiting_count--;
        if (!proc_asker_alive(&k->asker)) { // his successor asks again
            intake_free(k);
            continue;
        }
        r->intake = k;
        intake_begin(k);
    }
}

// ---- the question ----

static bool unpack(struct intake *k, struct io_message *m)
{
    struct rd rd = RD(m->payload);
    k->way = (enum report_way)rd_enum(&rd, REPORT_WAYS);
    struct span who = rd_span(&rd), head = rd_span(&rd);
    k->at = rd_u64(&rd);
    k->length = rd_u64(&rd);
    buf_put(&k->who, span_first(who, WHO_MAX));
    buf_put(&k->head, head);
    return rd_end(&rd) && m->fd >= 0 && k->at <= INT64_MAX && k->length <= INT64_MAX - k->at;
}

bool reporter_intake(struct reporter *r, struct proc_peer *peer, struct io_message *m)
{
    struct intake *k = mem_new(sizeof *k);
    *k = (struct intake){.reporter = r,
                         .asker = proc_asker_of(peer, m),
                         .who = BUF(WHO_MAX),
                         .head = BUF(IO_MESSAGE_MAX),
                         .why = BUF(WHO_MAX),
                         .arena = ARENA(ARENA_MAX),
                         .fd = -1};
    bool fine = unpack(k, m), full = r->waiting_count >= WAITING_MAX;
    if (!fine || full || r->proc->draining) {
        if (fine)
            answer(&k->asker, full ? RC(FULL) : RC(UNAVAILABLE), 0, 0,
                   SPAN("too many reports are being read now"));
        intake_free(k);
        return fine;
    }
    k->fd = m->fd;
    m->fd = -1;
    struct intake **end = &r->waiting;
    while (*end)
        end = &(*end)->next;
    *end = k;
    r->waiting_count++;
    intake_next(r);
    return true;
}

void reporter_intake_end(struct reporter *r)
{
    struct intake *all = r->intake;
    if (all)
        all->next = r->waiting;
    else
        all = r->waiting;
    r->intake = r->waiting = NULL;
    r->waiting_count = 0;
    while (all) {
        struct intake *k = all;
        all = k->next;
        answer(&k->asker, RC(UNAVAILABLE), 0, 0, SPAN("the server is ending"));
        intake_free(k);
    }
}
