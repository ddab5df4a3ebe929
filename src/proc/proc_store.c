// The store role: the only opener of the store. It may block, and does.
#include "proc_store.h"

#include "store_tally.h"

#include "base_log.h"
#include "base_meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TRIM_ROWS = 1000, LOAD_CEILING = 8 << 20, EXPIRING_MAX = 10000, IDS_A_SEGMENT = 1 << 18 };

#define REOPEN_AFTER SECONDS(5)
#define TRIM_FIRST   SECONDS(60)
#define TRIM_MORE    SECONDS(1)
#define TRIM_AGAIN   SECONDS(86400)

static void timer_in(struct store_role *r, struct io_timer *t, int64_t us)
{
    io_timer_set(r->proc->loop, t, (struct mono){io_now(r->proc->loop).us + us});
}

// Each sentence once, however often it is tried again.
static void cannot_open(struct store_role *r, const char *why)
{
    struct span s = span_first(span_str(why), sizeof r->said - 1);
    if (span_eq(s, span_str(r->said)))
        return;
    LOG(LOG_ERROR, "store-not-open", LOG_S("error", s));
    if (!span_copy(r->said, sizeof r->said, s))
        r->said[0] = '\0';
}

static bool path_of(struct store_role *r, const char *file, char *out, size_t room)
{
    struct span folder = conf_span(r->proc->conf, CONF_store_path);
    int n = snprintf(out, room, "%.*s%s", SPAN_FMT(folder), file);
    return n > 0 && (size_t)n < room;
}

static struct rc open_queue(struct store_role *r, const char **why)
{
    char path[4096];
    if (r->store)
        return RC(OK);
    if (!path_of(r, "", path, sizeof path)) {
        *why = "store.path is too long";
        return RC(CONFIG);
    }
    TRY(store_open(&r->store, path, why));
    store_watch(r->store, proc_held_gone, r);
    LOG(LOG_INFO, "store-open", LOG_I("messages", store_count(r->store)));
    if (store_damaged(r->store))
        LOG(LOG_ERROR, "bodies-missing", LOG_I("segments", store_damaged(r->store)));
    return RC(OK);
}

static struct rc open_history(struct store_role *r, const char **why)
{
    char path[4096];
    if (r->history || !path_of(r, "/history.db", path, sizeof path))
        return RC(OK);
    return store_history_open(&r->history, path, why);
}

static struct rc open_policy(struct store_role *r, const char **why)
{
    char path[4096];
    if (r->policy || !path_of(r, "/policy.db", path, sizeof path))
        return RC(OK);
    return store_policy_open(&r->policy, path, why);
}

// Mail does not wait for the others: it flows without history and policies.
static struct rc open_all(struct store_role *r)
{
    struct rc (*const parts[])(struct store_role *, const char **) = {open_queue, open_policy,
                                                                      open_history};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *why = "";
        struct rc rc = parts[i](r, &why);
        if (!rc_ok(rc)) {
            cannot_open(r, why);
            return rc;
        }
    }
    r->said[0] = '\0';
    return RC(OK);
}

static void reopen(void *role)
{
    struct store_role *r = role;
    if (!rc_ok(open_all(r)))
        timer_in(r, &r->reopen, REOPEN_AFTER);
    if (r->fill.waiting)
        proc_group_schedule(r);
}

static void trim(void *role)
{
    struct store_role *r = role;
    size_t removed = 0;
    struct wall before = {io_wall(r->proc->loop).us - conf_int(r->proc->conf, CONF_store_history)};
    struct rc rc =
        r->history ? store_history_trim(r->history, before, TRIM_ROWS, &removed) : RC(OK);
    if (!rc_ok(rc))
        LOG(LOG_WARN, "history-not-trimmed", LOG_T("error", rc_text(rc)));
    int64_t today = store_day(io_wall(r->proc->loop));
    if (rc_ok(rc) && r->history && removed < TRIM_ROWS)
        rc = store_tally_trim(
            r->history, today - conf_int(r->proc->conf, CONF_report_retention) / SECONDS(86400),
            today - conf_int(r->proc->conf, CONF_report_overview) / SECONDS(86400));
    timer_in(r, &r->trim, rc_ok(rc) && removed == TRIM_ROWS ? TRIM_MORE : TRIM_AGAIN);
}

static void configure(struct proc *p)
{
    struct store_role *r = p->data;
    r->retry = (struct queue_retry){
        .first_us = conf_int(p->conf, CONF_queue_retry_first),
        .longest_us = conf_int(p->conf, CONF_queue_retry_longest),
        .lifetime_us = conf_int(p->conf, CONF_queue_lifetime),
    };
    r->delay_warning_us = conf_int(p->conf, CONF_queue_delay_warning);
}

static void start(struct proc *p)
{
    struct store_role *r = mem_new(sizeof *r);
    *r = (struct store_role){
        .proc = p, .reopen = {.fire = reopen, .arg = r}, .trim = {.fire = trim, .arg = r}};
    p->data = r;
    configure(p);
    reopen(r);
    timer_in(r, &r->trim, TRIM_FIRST);
}

static void drain(struct proc *p)
{
    proc_group_flush(p->data);
    proc_drained(p);
}

static void peer_down(struct proc_peer *peer)
{
    struct store_role *r = peer->proc->data;
    if (!r)
        return;
    proc_held_peer_died(r, peer);
    proc_group_peer_died(r, peer);
}

static void segment_answer(struct proc_peer *peer, uint32_t ticket, struct rc rc, uint32_t id,
                           uint64_t first, int fd)
{
    CLEANUP(buf_free) struct buf b = BUF(32);
    wr_u8(&b, (uint8_t)rc.code);
    wr_u32(&b, id);
    wr_u64(&b, first);
    wr_u32(&b, first ? IDS_A_SEGMENT : 0);
    proc_send(peer, MSG_SEGMENT_IS, ticket, buf_span(&b), fd);
}

static bool got_segment(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct rd rd = RD(m->payload);
    uint32_t id = 0;
    int fd = -1;
    bool own_file = rd_bool(&rd);
    if (!rd_end(&rd))
        return false;
    struct rc rc = r->store ? store_segment_new(r->store, &id, &fd) : RC(UNAVAILABLE);
    if (rc_ok(rc)) {
        struct held *h = proc_held_add(r, id);
        h->writer = peer;
        h->own_file = own_file;
    }
    uint64_t first = rc_ok(rc) && !own_file ? store_reserve(r->store, IDS_A_SEGMENT) : 0;
    segment_answer(peer, m->ticket, rc, id, first, fd);
    if (fd >= 0)
        close(fd); // the channel has its own
    return true;
}

static bool got_seal(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct rd rd = RD(m->payload);
    uint32_t id = rd_u32(&rd);
    if (!rd_end(&rd))
        return false;
    struct held *h = proc_held_find(r, id);
    if (h && h->writer == peer) {
        h->writer = NULL;
        store_segment_seal(r->store, id);
    }
    return true;
}

// The segment's descriptor, if this peer has not got it yet. Without its body a message
// is loaded all the same: for who tries to send it that is an attempt, which ends some day.
static struct rc load_fd(struct store_role *r, struct proc_peer *peer, uint32_t segment, int *fd)
{
    struct held *h = proc_held_add(r, segment);
    if (!proc_held_read(h, peer))
        return RC(OK);
    struct rc rc = store_segment_open(r->store, segment, fd);
    if (rc_ok(rc))
        return rc;
    h->reader_count--;
    LOG(LOG_ERROR, "body-missing", LOG_I("segment", segment), LOG_T("error", rc_text(rc)));
    return rc_retry(rc) ? rc : RC(OK);
}

// What is due, and nothing that an outcome has put off while the queue was told
// its old time: then it is told the present one.
static struct rc load_due(struct store_role *r, uint64_t id, struct span domain, struct arena *a,
                          struct store_envelope *e)
{
    struct store_due next;
    if (!r->store)
        return RC(UNAVAILABLE);
    struct rc rc = store_load(r->store, id, domain, io_wall(r->proc->loop), a, e);
    if (rc.code != RC_NOT_FOUND || domain.len == 0)
        return rc;
    proc_group_flush(r); // who hears of a time hears of one that lasts
    if (rc_ok(store_next(r->store, id, domain, &next)))
        proc_due_tell(r, &next);
    return rc;
}

// `b`: as MSG_LOADED has it.
static struct rc load(struct store_role *r, struct proc_peer *peer, uint64_t id, struct span domain,
                      struct buf *b, int *fd)
{
    CLEANUP(arena_free) struct arena a = ARENA(LOAD_CEILING);
    struct store_envelope e;
    if (proc_damaged_waits(r, id, domain))
        return RC(NOT_FOUND);
    struct rc rc = load_due(r, id, domain, &a, &e);
    if (rc_ok(rc)) {
        wr_u8(b, RC_OK);
        proc_envelope_pack(b, &e);
        rc = buf_state(b);
    }
    if (rc_ok(rc))
        rc = load_fd(r, peer, e.body.segment, fd);
    proc_damaged_saw(r, id, domain, rc);
    return rc;
}

static bool got_load(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX - 64);
    struct rd rd = RD(m->payload);
    uint64_t id = rd_u64(&rd);
    struct span domain = rd_span(&rd);
    int fd = -1;
    if (!rd_end(&rd))
        return false;
    struct rc rc = load(r, peer, id, domain, &b, &fd);
    if (!rc_ok(rc)) {
        buf_clear(&b);
        wr_u8(&b, (uint8_t)rc.code);
    }
    proc_send(peer, MSG_LOADED, m->ticket, buf_span(&b), fd);
    if (fd >= 0)
        close(fd);
    return true;
}

// No wait is longer than the longest retry: what is due later was given its time
// before the clock was set back.
static void pull_in(struct store_role *r)
{
    struct wall now = io_wall(r->proc->loop);
    struct wall latest = {now.us + conf_int(r->proc->conf, CONF_queue_retry_longest) + SECONDS(60)};
    uint64_t count = 0;
    if (r->store && rc_ok(store_pull_in(r->store, latest, now, &count)) && count)
        LOG(LOG_WARN, "clock-was-set-back", LOG_I("recipients-due-now", count));
}

static bool got_fill(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct rd rd = RD(m->payload);
    r->fill.until.us = rd_i64(&rd);
    r->fill.limit = rd_u32(&rd);
    r->fill.ticket = m->ticket;
    r->fill.waiting = rd_end(&rd) && r->fill.limit > 0;
    (void)peer;
    if (!r->fill.waiting)
        return false;
    pull_in(r);
    proc_group_schedule(r);
    return true;
}

static bool got_policy_get(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(arena_free) struct arena a = ARENA(IO_MESSAGE_MAX);
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX - 64);
    struct rd rd = RD(m->payload);
    struct span domain = rd_span(&rd), value = {NULL, 0};
    if (!rd_end(&rd))
        return false;
    struct rc rc = r->policy ? store_policy_get(r->policy, domain, &a, &value) : RC(NOT_FOUND);
    if (!rc_ok(rc) && rc.code != RC_NOT_FOUND)
        LOG(LOG_ERROR, "policy-unreadable", LOG_S("domain", domain), LOG_T("error", rc_text(rc)));
    wr_bool(&b, rc_ok(rc));
    if (rc_ok(rc))
        buf_put(&b, value);
    proc_send(peer, MSG_POLICY_IS, m->ticket, buf_span(&b), -1);
    return true;
}

static bool got_policy_put(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct rd rd = RD(m->payload);
    struct span domain = rd_span(&rd);
    struct wall expires = {rd_i64(&rd)};
    struct span value = rd_span(&rd);
    (void)peer;
    if (!rd_end(&rd))
        return false;
    struct rc rc =
        r->policy ? store_policy_put(r->policy, domain, value, expires) : RC(UNAVAILABLE);
    if (!rc_ok(rc))
        LOG(LOG_ERROR, "policy-not-kept", LOG_S("domain", domain), LOG_T("error", rc_text(rc)));
    return true;
}

struct expiring {
    struct buf list;
    uint16_t count;
};

static void expiring_one(void *arg, struct span domain)
{
    struct expiring *x = arg;
    wr_span(&x->list, domain);
    x->count++;
}

static bool got_policy_expiring(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    struct expiring x = {.list = BUF(IO_MESSAGE_MAX - 64)};
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    struct rd rd = RD(m->payload);
    struct wall until = {rd_i64(&rd)};
    uint32_t limit = rd_u32(&rd);
    if (!rd_end(&rd))
        return false;
    limit = limit < EXPIRING_MAX ? limit : EXPIRING_MAX;
    struct rc rc =
        r->policy ? store_policy_expiring(r->policy, until, limit, expiring_one, &x) : RC(OK);
    if (!rc_ok(rc))
        LOG(LOG_ERROR, "policies-unreadable", LOG_T("error", rc_text(rc)));
    wr_u16(&b, x.count);
    buf_put(&b, buf_span(&x.list));
    proc_send(peer, MSG_POLICIES, m->ticket, buf_span(&b), -1);
    buf_free(&x.list);
    return true;
}

enum { POLICY_USERS = 1 << PROC_SENDER | 1 << PROC_CONTROL | 1 << PROC_RECEIVER };

static const struct {
    enum proc_message kind;
    unsigned from; // 1 << proc_kind
    bool (*got)(struct store_role *r, struct proc_peer *peer, struct io_message *m);
} messages[] = {
    {MSG_SEGMENT, 1 << PROC_RECEIVER, got_segment},
    {MSG_COMMIT, 1 << PROC_RECEIVER, proc_group_commit},
    {MSG_EVALUATION, 1 << PROC_RECEIVER, proc_group_evaluation},
    {MSG_SEAL, 1 << PROC_RECEIVER, got_seal},
    {MSG_LOAD, 1 << PROC_RECEIVER | 1 << PROC_SENDER, got_load},
    {MSG_OUTCOME, 1 << PROC_SENDER, proc_group_outcome},
    {MSG_POLICY_GET, POLICY_USERS, got_policy_get},
    {MSG_POLICY_PUT, POLICY_USERS, got_policy_put},
    {MSG_POLICY_EXPIRING, 1 << PROC_SENDER, got_policy_expiring},
    {MSG_FILL, 1 << PROC_QUEUE, got_fill},
    {MSG_INTERRUPTED, 1 << PROC_QUEUE, proc_group_interrupted},
    {MSG_QUEUE_LIST, 1 << PROC_CONTROL, proc_people_list},
    {MSG_QUEUE_SHOW, 1 << PROC_CONTROL, proc_people_show},
    {MSG_QUEUE_CHANGE, 1 << PROC_CONTROL, proc_people_change},
    {MSG_REPORT_SUBJECTS, 1 << PROC_REPORTER | 1 << PROC_CONTROL, proc_report_subjects},
    {MSG_REPORT_TALLIES, 1 << PROC_REPORTER, proc_report_tallies},
    {MSG_REPORT_SENT_LIST, 1 << PROC_REPORTER, proc_report_sent_list},
    {MSG_REPORT_SENT, 1 << PROC_REPORTER, proc_report_sent},
    {MSG_REPORT_TAKE, 1 << PROC_CONTROL | 1 << PROC_REPORTER, proc_report_take},
    {MSG_REPORT_ASIDE, 1 << PROC_CONTROL | 1 << PROC_REPORTER, proc_report_aside},
    {MSG_REPORT_LIST, 1 << PROC_CONTROL, proc_report_list},
    {MSG_REPORT_GET, 1 << PROC_CONTROL, proc_report_get},
    {MSG_REPORT_WEEK, 1 << PROC_CONTROL, proc_report_week},
    {MSG_POLICY_LIST, 1 << PROC_CONTROL, proc_people_policies},
};

static bool got(struct proc_peer *peer, struct io_message *m)
{
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        if (messages[i].kind == m->kind)
            return messages[i].from & 1U << peer->kind &&
                   messages[i].got(peer->proc->data, peer, m);
    return false;
}

static void measure(struct proc *p)
{
    const struct store_role *r = p->data;
    struct wall oldest = {0};
    uint64_t policies = 0;
    if (r->store && !rc_ok(store_oldest(r->store, &oldest)))
        oldest.us = 0;
    if (r->policy && !rc_ok(store_policy_count(r->policy, &policies)))
        policies = 0;
    meter_set(METER_STORE_OPEN, r->store != NULL);
    meter_set(METER_QUEUE, r->store ? (int64_t)store_count(r->store) : 0);
    meter_set(METER_QUEUE_OLDEST, oldest.us / US_PER_S);
    meter_set(METER_POLICIES, (int64_t)policies);
}

const struct proc_role proc_store = {
    .kind = PROC_STORE,
    .start = start,
    .reload = configure,
    .drain = drain,
    .peer_down = peer_down,
    .got = got,
    .measure = measure,
};
