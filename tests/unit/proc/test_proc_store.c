// The store role against a store on disk, between fakes of what the role calls:
// channels are lists, the loop is the test, and time stands until it is moved.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc_role.h"
#include "queue_schedule.h"
#include "store_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sent {
    struct proc_peer *peer;
    enum proc_message kind;
    uint32_t ticket;
    char payload[4096];
    size_t len;
    int fd;
} sent[256];
static size_t sent_count, sent_read;
static void (*later)(void *);
static void *later_arg;
static struct io_timer *timers[8];
static int64_t clock_us, passes; // microseconds at each look
static char folder[80];
static struct wall backoff;

static char last_sent[IO_MESSAGE_MAX]; // whole, however long
static size_t last_length;

void proc_send(struct proc_peer *peer, enum proc_message kind, uint32_t ticket, struct span payload,
               int fd)
{
    assert_true(sent_count < 256 && payload.len <= sizeof last_sent);
    last_length = payload.len;
    memcpy(last_sent, payload.at, payload.len);
    payload = span_first(payload, sizeof sent->payload);
    struct sent *s = &sent[sent_count++];
    *s = (struct sent){.peer = peer, .kind = kind, .ticket = ticket, .len = payload.len, .fd = -1};
    memcpy(s->payload, payload.at, payload.len);
    if (fd >= 0)
        s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static bool drained;
void proc_drained(struct proc *p)
{
    (void)p;
    drained = true;
}

void io_loop_later(struct io_loop *l, void (*work)(void *), void *arg)
{
    (void)l;
    assert_null(later);
    later = work;
    later_arg = arg;
}

struct mono io_now(const struct io_loop *l)
{
    (void)l;
    return (struct mono){clock_us};
}

struct wall io_wall(const struct io_loop *l)
{
    (void)l;
    return (struct wall){clock_us += passes};
}

uint64_t io_random(void)
{
    return 4;
}

void io_timer_set(struct io_loop *l, struct io_timer *t, struct mono when)
{
    (void)l;
    t->node.key = when.us;
    for (size_t i = 0; i < 8; i++) {
        if (timers[i] && timers[i] != t)
            continue;
        timers[i] = t;
        return;
    }
}

struct span conf_span(const struct conf *c, enum conf_id id)
{
    (void)c;
    assert_int_equal(id, CONF_store_path);
    return span_str(folder);
}

int64_t conf_int(const struct conf *c, enum conf_id id)
{
    (void)c;
    if (id == CONF_queue_delay_warning)
        return SECONDS(1000);
    return id == CONF_store_history ? SECONDS(1000) : SECONDS(10);
}

struct wall queue_backoff(const struct queue_retry *r, struct wall received, struct wall now,
                          unsigned attempts, uint64_t random)
{
    assert_int_equal(r->first_us, SECONDS(10));
    assert_true(received.us <= now.us && random == 4);
    return backoff.us == WALL_NEVER.us ? backoff : (struct wall){now.us + attempts * backoff.us};
}

// ---- the world around the role

static struct proc role;
static struct proc_peer receiver = {&role, PROC_RECEIVER, 0, NULL, NULL},
                        other = {&role, PROC_RECEIVER, 1, NULL, NULL},
                        sender = {&role, PROC_SENDER, 0, NULL, NULL},
                        queue = {&role, PROC_QUEUE, 0, NULL, NULL},
                        reporter = {&role, PROC_REPORTER, 0, NULL, NULL},
                        control = {&role, PROC_CONTROL, 0, NULL, NULL};

struct proc_peer *proc_peer(struct proc *p, enum proc_kind kind, unsigned index)
{
    (void)p, (void)index;
    return kind == PROC_QUEUE ? &queue : NULL;
}

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static char root[64];

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/geleit-role-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    snprintf(folder, sizeof folder, "%s/store", root);
    clock_us = SECONDS(5000);
    backoff.us = SECONDS(60);
    sent_count = sent_read = 0;
    later = NULL;
    memset(timers, 0, sizeof timers);
    role = (struct proc){.role = &proc_store};
    proc_store.start(&role);
    return 0;
}

// The role lives as long as its process does: a child's end is its clean-up, so
// the test reaches into what it left.
#include "proc_reports.h"
#include "proc_store.h"

static void stop(void)
{
    struct store_role *r = role.data;
    store_close(r->store);
    store_history_close(r->history);
    store_policy_close(r->policy);
    for (size_t i = 0; i < r->held_count; i++)
        free(r->held[i].readers);
    free(r->held);
    free(r->replies);
    free(r->seals);
    buf_free(&r->fresh);
    buf_free(&r->touched);
    buf_free(&r->attempts);
    free(r->damaged);
    free(r);
    for (size_t i = 0; i < sent_count; i++)
        if (sent[i].fd >= 0)
            close(sent[i].fd);
    sent_count = sent_read = 0;
}

static int teardown(void **state)
{
    (void)state;
    stop();
    nftw(root, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void turn(void)
{
    void (*work)(void *) = later;
    later = NULL;
    if (work)
        work(later_arg);
}

static bool say(struct proc_peer *from, enum proc_message kind, uint32_t ticket, struct buf *b)
{
    struct io_message m = {
        .kind = (uint16_t)kind, .ticket = ticket, .payload = buf_span(b), .fd = -1};
    bool fine = proc_store.got(from, &m);
    buf_clear(b);
    return fine;
}

// The next message the role sent must be this.
static struct rd heard(struct proc_peer *to, enum proc_message kind, uint32_t ticket, int *fd)
{
    assert_true(sent_read < sent_count);
    struct sent *s = &sent[sent_read++];
    assert_ptr_equal(s->peer, to);
    assert_int_equal(s->kind, kind);
    assert_int_equal(s->ticket, ticket);
    if (fd)
        *fd = s->fd;
    return RD(((struct span){s->payload, s->len}));
}

static void silence(void)
{
    assert_int_equal(sent_read, sent_count);
}

struct segment {
    uint32_t id;
    int fd;
    uint64_t end;
};

static struct segment segment_of(struct proc_peer *peer, bool own_file)
{
    CLEANUP(buf_free) struct buf b = BUF(100);
    struct segment s = {.fd = -1};
    wr_bool(&b, own_file);
    assert_true(say(peer, MSG_SEGMENT, 9, &b));
    struct rd r = heard(peer, MSG_SEGMENT_IS, 9, &s.fd);
    assert_int_equal(rd_u8(&r), RC_OK);
    s.id = rd_u32(&r);
    uint64_t first = rd_u64(&r);
    assert_int_equal(first == 0, own_file);
    assert_int_equal(rd_u32(&r) == 0, own_file);
    assert_true(rd_end(&r));
    assert_int_equal(fcntl(s.fd, F_GETFL) & O_ACCMODE, O_RDWR);
    return s;
}

static void commit_to(struct proc_peer *peer, struct segment *s, uint32_t ticket, struct span from,
                      struct store_recipient *who, size_t count, const uint64_t *replaced,
                      size_t replaced_count)
{
    CLEANUP(buf_free) struct buf b = BUF(100000);
    struct store_envelope e = {.received = {clock_us},
                               .sender = from,
                               .count = count,
                               .recipients = who,
                               .body.segment = s->id};
    assert_true(rc_ok(store_append(s->fd, s->end, SPAN("Subject: x\r\n\r\n"), &e.body)));
    s->end = e.body.offset + e.body.length;
    proc_envelope_pack(&b, &e);
    wr_u16(&b, (uint16_t)replaced_count);
    for (size_t i = 0; i < replaced_count; i++)
        wr_u64(&b, replaced[i]);
    assert_true(say(peer, MSG_COMMIT, ticket, &b));
}

static void commit(struct proc_peer *peer, struct segment *s, uint32_t ticket, const char *domain)
{
    struct store_recipient who = {.address = SPAN("somebody"), .domain = span_str(domain)};
    commit_to(peer, s, ticket, SPAN("me@here.example"), &who, 1, NULL, 0);
}

static uint64_t committed(struct proc_peer *peer, uint32_t ticket, enum rc_code code)
{
    struct rd r = heard(peer, MSG_COMMITTED, ticket, NULL);
    assert_string_equal(rc_text((struct rc){(enum rc_code)rd_u8(&r)}), rc_text((struct rc){code}));
    uint64_t id = rd_u64(&r);
    assert_true(rd_end(&r));
    return id;
}

static void due(uint64_t message, const char *domain, int64_t when)
{
    struct rd r = heard(&queue, MSG_DUE, 0, NULL);
    assert_int_equal(rd_u64(&r), message);
    assert_true(span_eq(rd_span(&r), span_str(domain)));
    assert_int_equal(rd_i64(&r), when);
    assert_int_equal(rd_u64(&r), 14);
    assert_true(rd_end(&r));
}

static void ask_load(struct proc_peer *peer, uint64_t message, const char *domain)
{
    CLEANUP(buf_free) struct buf b = BUF(1000);
    wr_u64(&b, message);
    wr_span(&b, span_str(domain));
    assert_true(say(peer, MSG_LOAD, 3, &b));
}

static struct rc loaded(struct proc_peer *peer, struct arena *a, struct store_envelope *e, int *fd)
{
    struct rd r = heard(peer, MSG_LOADED, 3, fd);
    struct rc rc = {(enum rc_code)rd_u8(&r)};
    if (rc_ok(rc))
        assert_true(proc_envelope_unpack(&r, e, a));
    assert_true(rd_end(&r));
    return rc;
}

static struct rc load(struct proc_peer *peer, uint64_t message, const char *domain, struct arena *a,
                      struct store_envelope *e, int *fd)
{
    ask_load(peer, message, domain);
    return loaded(peer, a, e, fd);
}

static void outcome(uint64_t message, const char *domain, uint64_t recipient,
                    enum store_result result)
{
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct store_attempt t = {.when = {clock_us},
                              .message = message,
                              .domain = span_str(domain),
                              .plan = SPAN("{}"),
                              .decision = SPAN("x")};
    struct store_outcome o = {.recipient = recipient, .result = result, .status = SPAN("4.0.0")};
    proc_attempt_pack(&b, &t);
    wr_u16(&b, 1);
    proc_outcome_pack(&b, &o);
    assert_true(say(&sender, MSG_OUTCOME, 4, &b));
}

static void outcome_done(enum rc_code code)
{
    struct rd r = heard(&sender, MSG_OUTCOME_DONE, 4, NULL);
    assert_int_equal(rd_u8(&r), code);
    assert_true(rd_end(&r));
}

// One message on its way; its only recipient's id.
static uint64_t one_message(struct segment *s, const char *domain, uint64_t *message)
{
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    commit(&receiver, s, 1, domain);
    turn();
    *message = committed(&receiver, 1, RC_OK);
    due(*message, domain, clock_us);
    assert_true(rc_ok(load(&sender, *message, domain, &a, &e, NULL)));
    return e.recipients[0].id;
}

static void commits_are_answered_together_after_the_turn(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false), t = segment_of(&other, false);
    commit(&receiver, &s, 1, "a.example");
    commit(&other, &t, 2, "b.example");
    silence();
    turn();
    uint64_t first = committed(&receiver, 1, RC_OK), second = committed(&other, 2, RC_OK);
    assert_true(second > first);
    due(first, "a.example", clock_us);
    due(second, "b.example", clock_us);
    silence();
}

static void a_domain_is_due_once(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false);
    struct store_recipient who[] = {{.address = SPAN("1"), .domain = SPAN("b.example")},
                                    {.address = SPAN("2"), .domain = SPAN("a.example")},
                                    {.address = SPAN("3"), .domain = SPAN("b.example")}};
    commit_to(&receiver, &s, 1, SPAN(""), who, 3, NULL, 0);
    turn();
    uint64_t id = committed(&receiver, 1, RC_OK);
    due(id, "a.example", clock_us);
    due(id, "b.example", clock_us);
    silence();
}

static void foreign_segment_is_refused(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false), none = s;
    none.id = 4711;
    commit(&other, &s, 1, "a.example");
    commit(&receiver, &none, 2, "a.example");
    turn();
    committed(&other, 1, RC_UNAVAILABLE);
    committed(&receiver, 2, RC_UNAVAILABLE);
    silence();
}

static int fails;
static int failing_sync(int fd)
{
    if (fails-- > 0) {
        errno = ENOSPC;
        return -1;
    }
    return fdatasync(fd);
}

static void failed_group_is_refused_and_the_next_is_not(void **state)
{
    (void)state;
    struct store_calls calls = store_calls;
    struct segment s = segment_of(&receiver, false);
    fails = 1;
    store_calls.fdatasync = failing_sync;
    commit(&receiver, &s, 1, "a.example");
    commit(&receiver, &s, 2, "a.example");
    turn();
    committed(&receiver, 1, RC_DISK_FULL);
    committed(&receiver, 2, RC_DISK_FULL);
    silence();
    commit(&receiver, &s, 3, "a.example");
    turn();
    store_calls = calls;
    uint64_t id = committed(&receiver, 3, RC_OK);
    due(id, "a.example", clock_us);
    assert_int_equal(store_count(((struct store_role *)role.data)->store), 1);
}

static void descriptor_comes_once_to_each_peer(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    int fd;
    commit(&receiver, &s, 1, "a.example");
    turn();
    uint64_t id = committed(&receiver, 1, RC_OK);
    due(id, "a.example", clock_us);
    assert_true(rc_ok(load(&sender, id, "a.example", &a, &e, &fd)));
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(rc_ok(store_range_verify(fd, &e.body)));
    assert_true(rc_ok(load(&sender, id, "a.example", &a, &e, &fd)));
    assert_int_equal(fd, -1);
    proc_store.peer_down(&sender); // its successor has nothing
    assert_true(rc_ok(load(&sender, id, "a.example", &a, &e, &fd)));
    assert_true(fd >= 0);
    assert_int_equal(load(&sender, id, "b.example", &a, &e, &fd).code, RC_NOT_FOUND);
}

static void delivered_message_takes_its_sealed_segment_along(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(100);
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    wr_u32(&b, s.id);
    assert_true(say(&receiver, MSG_SEAL, 0, &b));
    outcome(message, "a.example", id, STORE_DELIVERED);
    turn();
    struct rd r = heard(&sender, MSG_SEGMENT_GONE, 0, NULL);
    assert_int_equal(rd_u32(&r), s.id);
    outcome_done(RC_OK);
    silence();
    outcome(message, "a.example", id, STORE_DELIVERED); // it had not heard us
    turn();
    outcome_done(RC_OK);
    silence();
}

static void own_file_is_sealed_with_its_message(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, true);
    uint64_t message, id = one_message(&s, "a.example", &message);
    commit(&receiver, &s, 2, "b.example");
    turn();
    committed(&receiver, 2, RC_UNAVAILABLE);
    outcome(message, "a.example", id, STORE_DELIVERED);
    turn();
    heard(&sender, MSG_SEGMENT_GONE, 0, NULL);
    outcome_done(RC_OK);
}

static void dead_receivers_segments_are_sealed(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false), unused = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    struct stat st;
    assert_int_equal(fstat(unused.fd, &st), 0);
    assert_int_equal(st.st_nlink, 1);
    commit(&receiver, &s, 5, "b.example");
    proc_store.peer_down(&receiver);
    turn();
    due(message + 1, "b.example", clock_us); // but no answer to his successor
    silence();
    assert_int_equal(fstat(unused.fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    commit(&receiver, &s, 6, "c.example");
    turn();
    committed(&receiver, 6, RC_UNAVAILABLE);
    (void)id;
}

static void deferred_is_due_by_backoff(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    for (int attempts = 1; attempts < 4; attempts++) {
        clock_us += SECONDS(100);
        outcome(message, "a.example", id, STORE_DEFERRED);
        turn();
        outcome_done(RC_OK);
        due(message, "a.example", clock_us + attempts * SECONDS(60));
        silence();
    }
}

// A FILL while a message is tried tells the old time, and the job that comes of
// it is behind the outcome.
static void what_is_not_due_is_not_given_out(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    outcome(message, "a.example", id, STORE_DEFERRED);
    turn();
    outcome_done(RC_OK);
    int64_t next = clock_us + SECONDS(60);
    due(message, "a.example", next);
    for (int i = 0; i < 2; i++) {
        ask_load(&sender, message, "a.example");
        due(message, "a.example", next); // the queue's time was wrong
        assert_int_equal(loaded(&sender, &a, &e, NULL).code, RC_NOT_FOUND);
        clock_us = next - 1;
    }
    clock_us = next;
    assert_true(rc_ok(load(&sender, message, "a.example", &a, &e, NULL)));
    assert_int_equal(e.recipients[0].attempts, 1);
    outcome(message, "a.example", id, STORE_DELIVERED);
    turn();
    outcome_done(RC_OK);
    assert_int_equal(load(&sender, message, "a.example", &a, &e, NULL).code, RC_NOT_FOUND);
    silence();
}

// The outcome that moved it is not durable yet: nobody hears of it before.
static void a_load_behind_an_outcome_waits_for_its_sync(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    outcome(message, "a.example", id, STORE_DEFERRED);
    ask_load(&sender, message, "a.example");
    outcome_done(RC_OK);
    due(message, "a.example", clock_us + SECONDS(60));
    due(message, "a.example", clock_us + SECONDS(60));
    assert_int_equal(loaded(&sender, &a, &e, NULL).code, RC_NOT_FOUND);
    turn();
    silence();
}

// Whoever tried it died twice: an attempt like others, unless its outcome is there.
static void an_interrupted_attempt_counts(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    for (int twice = 0; twice < 2; twice++) {
        wr_u64(&b, message);
        wr_span(&b, SPAN("a.example"));
        assert_true(say(&queue, MSG_INTERRUPTED, 0, &b));
        turn();
        if (!twice)
            due(message, "a.example", clock_us + SECONDS(60));
        silence();
    }
    clock_us += SECONDS(60);
    assert_true(rc_ok(load(&sender, message, "a.example", &a, &e, NULL)));
    assert_int_equal(e.recipients[0].id, id);
    assert_int_equal(e.recipients[0].attempts, 1);
    assert_true(span_eq(e.recipients[0].status, SPAN("4.3.0")));
    assert_true(span_starts(e.recipients[0].reason, SPAN("the process that tried it died")));
    backoff = WALL_NEVER; // and it ends with the message's life
    wr_u64(&b, message);
    wr_span(&b, SPAN("a.example"));
    assert_true(say(&queue, MSG_INTERRUPTED, 0, &b));
    turn();
    due(message, "", 0);
    silence();
    wr_u64(&b, message);
    wr_span(&b, SPAN(""));
    assert_false(say(&queue, MSG_INTERRUPTED, 0, &b));
    wr_u64(&b, message);
    wr_span(&b, SPAN("a.example"));
    assert_false(say(&sender, MSG_INTERRUPTED, 0, &b));
}

static void damage(uint64_t message, const char *how)
{
    CLEANUP(buf_free) struct buf b = BUF(1000);
    sqlite3 *db;
    buf_printf(&b, "%s/store/queue.db", root);
    assert_int_equal(sqlite3_open(buf_str(&b), &db), SQLITE_OK);
    buf_clear(&b);
    buf_printf(&b, "UPDATE message SET digest = %s WHERE id = %llu", how,
               (unsigned long long)message);
    assert_int_equal(sqlite3_exec(db, buf_str(&b), NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

// It is asked for again and again: each time it takes twice as long until it is read
// again, and what its queue hears is when.
static void what_cannot_be_loaded_backs_off(void **state)
{
    (void)state;
    static const int64_t waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    uint64_t message;
    one_message(&s, "a.example", &message);
    damage(message, "x'00'");
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_int_equal(load(&sender, message, "a.example", &a, &e, NULL).code, RC_CORRUPT);
        clock_us += SECONDS(20);
        ask_load(&sender, message, "a.example");
        struct rd r = heard(&queue, MSG_DUE, 0, NULL);
        assert_int_equal(rd_u64(&r), message);
        assert_true(span_eq(rd_span(&r), SPAN("a.example")));
        assert_int_equal(rd_i64(&r), clock_us + SECONDS(60 * waits[i] - 20));
        assert_int_equal(loaded(&sender, &a, &e, NULL).code, RC_NOT_FOUND);
        silence();
        clock_us += SECONDS(60 * waits[i] - 20);
    }
    damage(message, "zeroblob(32)");
    assert_true(rc_ok(load(&sender, message, "a.example", &a, &e, NULL)));
    damage(message, "x'00'");
    assert_int_equal(load(&sender, message, "a.example", &a, &e, NULL).code, RC_CORRUPT);
    clock_us += SECONDS(60); // from the beginning
    assert_int_equal(load(&sender, message, "a.example", &a, &e, NULL).code, RC_CORRUPT);
}

// Its message is an attempt like others, and ends some day: the body is not the store's
// to judge.
static void a_body_that_is_missing_is_no_reason_to_ask_again(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    uint64_t message;
    int fd;
    commit(&receiver, &s, 1, "a.example");
    turn();
    message = committed(&receiver, 1, RC_OK);
    due(message, "a.example", clock_us);
    buf_printf(&b, "%s/store/body/%u.seg", root, s.id);
    assert_int_equal(unlink(buf_str(&b)), 0);
    assert_true(rc_ok(load(&sender, message, "a.example", &a, &e, &fd)));
    assert_int_equal(fd, -1);
    silence();
}

static void recipients_stay_together(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    struct store_recipient who[] = {{.address = SPAN("1"), .domain = SPAN("b.example")},
                                    {.address = SPAN("2"), .domain = SPAN("b.example")}};
    passes = 1;
    commit_to(&receiver, &s, 1, SPAN(""), who, 2, NULL, 0);
    passes = 0;
    turn();
    uint64_t message = committed(&receiver, 1, RC_OK);
    due(message, "b.example", clock_us);
    assert_true(rc_ok(load(&sender, message, "b.example", &a, &e, NULL)));
    assert_int_equal(e.count, 2);
    struct store_attempt t = {
        .message = message, .domain = SPAN("b.example"), .plan = SPAN("{}"), .decision = SPAN("x")};
    proc_attempt_pack(&b, &t);
    wr_u16(&b, 2);
    for (int i = 0; i < 2; i++)
        proc_outcome_pack(
            &b, &(struct store_outcome){.recipient = e.recipients[i].id, .result = STORE_DEFERRED});
    passes = 1;
    assert_true(say(&sender, MSG_OUTCOME, 4, &b));
    passes = 0;
    turn();
    outcome_done(RC_OK);
    clock_us += SECONDS(60);
    due(message, "b.example", clock_us);
    assert_true(rc_ok(load(&sender, message, "b.example", &a, &e, NULL)));
    assert_int_equal(e.count, 2);
}

static void expired_message_owes_a_bounce(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    backoff = WALL_NEVER;
    outcome(message, "a.example", id, STORE_DEFERRED);
    turn();
    outcome_done(RC_OK);
    due(message, "", 0);
    silence();
    assert_true(rc_ok(load(&receiver, message, "", &a, &e, NULL)));
    assert_int_equal(e.recipients[0].id, id);
}

// Who waits too long goes on waiting, and a notice is owed, once.
static void delay_is_told_once(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    for (int attempts = 1; attempts < 5; attempts++) {
        bool first = attempts == 2, told = attempts >= 2;
        clock_us += attempts == 1 ? SECONDS(999) : SECONDS(1);
        outcome(message, "a.example", id, STORE_DEFERRED);
        turn();
        outcome_done(RC_OK);
        due(message, "a.example", clock_us + attempts * SECONDS(60));
        if (told && attempts < 4)
            due(message, "", 0);
        silence();
        if (!first && attempts < 3)
            continue;
        struct rc rc = load(&receiver, message, "", &a, &e, NULL);
        assert_int_equal(rc_ok(rc), attempts < 4);
        if (!rc_ok(rc))
            continue;
        assert_int_equal(e.count, 1);
        assert_int_equal(e.recipients[0].notice, STORE_NOTICE_DELAYED);
        assert_int_equal(e.recipients[0].tried.us, clock_us - (attempts - 2) * SECONDS(1));
        if (first)
            continue; // whoever was to write it died: it is owed still
        struct store_recipient back = {.address = SPAN("me@here.example"),
                                       .domain = SPAN("here.example")};
        commit_to(&receiver, &s, 7, SPAN(""), &back, 1, &e.recipients[0].id, 1);
        turn();
        due(committed(&receiver, 7, RC_OK), "here.example", clock_us);
        silence();
    }
}

// An alias for many is done with when the message is there: what is told of it is owed at once.
static void a_notice_can_be_owed_from_the_start(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    struct store_recipient who[] = {
        {.address = SPAN("1"), .domain = SPAN("b.example")},
        {.address = SPAN("all"), .domain = SPAN("b.example"), .notice = STORE_NOTICE_EXPANDED}};
    commit_to(&receiver, &s, 1, SPAN("me@here.example"), who, 2, NULL, 0);
    turn();
    uint64_t message = committed(&receiver, 1, RC_OK);
    due(message, "", 0);
    due(message, "b.example", clock_us);
    silence();
    assert_true(rc_ok(load(&sender, message, "b.example", &a, &e, NULL)));
    assert_int_equal(e.count, 1);
    assert_true(rc_ok(load(&receiver, message, "", &a, &e, NULL)));
    assert_int_equal(e.recipients[0].notice, STORE_NOTICE_EXPANDED);
}

static void bounce_replaces_and_is_not_taken_twice(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    outcome(message, "a.example", id, STORE_FAILED);
    turn();
    outcome_done(RC_OK);
    due(message, "", 0);
    struct store_recipient back = {.address = SPAN("me@here.example"),
                                   .domain = SPAN("here.example")};
    commit_to(&receiver, &s, 7, SPAN(""), &back, 1, &id, 1);
    commit_to(&receiver, &s, 8, SPAN(""), &back, 1, &id, 1);
    turn();
    uint64_t bounce = committed(&receiver, 7, RC_OK);
    committed(&receiver, 8, RC_NOT_FOUND);
    due(bounce, "here.example", clock_us);
    silence();
}

static void bounce_for_some_leaves_the_rest_due(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false);
    struct store_recipient who[] = {{.address = SPAN("1"), .domain = SPAN("a.example")},
                                    {.address = SPAN("2"), .domain = SPAN("b.example")}};
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    commit_to(&receiver, &s, 1, SPAN("me@here.example"), who, 2, NULL, 0);
    turn();
    uint64_t message = committed(&receiver, 1, RC_OK), ids[2];
    due(message, "a.example", clock_us);
    due(message, "b.example", clock_us);
    for (int i = 0; i < 2; i++) {
        const char *domain = i ? "b.example" : "a.example";
        assert_true(rc_ok(load(&sender, message, domain, &a, &e, NULL)));
        ids[i] = e.recipients[0].id;
        outcome(message, domain, ids[i], STORE_FAILED);
        turn();
        outcome_done(RC_OK);
        due(message, "", 0);
    }
    commit_to(&receiver, &s, 7, SPAN(""), who, 1, ids, 1);
    turn();
    uint64_t bounce = committed(&receiver, 7, RC_OK);
    due(bounce, "a.example", clock_us);
    due(message, "", 0);
    silence();
}

static void failed_bounce_is_dropped(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    static const struct {
        const char *from;
        uint8_t notify;
    } cases[] = {{"", 0},
                 {"me@here.example", STORE_NOTIFY_NEVER},
                 {"me@here.example", STORE_NOTIFY_SUCCESS | STORE_NOTIFY_DELAY}};
    for (size_t i = 0; i < 3; i++) {
        struct store_recipient who = {
            .address = SPAN("1"), .domain = SPAN("a.example"), .notify = cases[i].notify};
        commit_to(&receiver, &s, 1, span_str(cases[i].from), &who, 1, NULL, 0);
        turn();
        uint64_t message = committed(&receiver, 1, RC_OK);
        due(message, "a.example", clock_us);
        assert_true(rc_ok(load(&sender, message, "a.example", &a, &e, NULL)));
        outcome(message, "a.example", e.recipients[0].id, STORE_FAILED);
        turn();
        outcome_done(RC_OK);
        silence();
    }
}

static void fill_gives_what_is_due_and_the_horizon(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(100);
    struct segment s = segment_of(&receiver, false);
    uint64_t ids[3];
    for (int i = 0; i < 3; i++) {
        clock_us += SECONDS(1);
        one_message(&s, "a.example", &ids[i]);
    }
    commit(&receiver, &s, 8, "late.example"); // gathered: the queue hears of it only when durable
    wr_i64(&b, clock_us + 5);
    wr_u32(&b, 2);
    assert_true(say(&queue, MSG_FILL, 5, &b));
    silence();
    turn();
    uint64_t last = committed(&receiver, 8, RC_OK);
    due(last, "late.example", clock_us);
    due(ids[0], "a.example", clock_us - SECONDS(2));
    due(ids[1], "a.example", clock_us - SECONDS(1));
    struct rd r = heard(&queue, MSG_FILLED, 5, NULL);
    assert_int_equal(rd_i64(&r), clock_us - SECONDS(1));
    silence();
    wr_i64(&b, clock_us - 1);
    wr_u32(&b, 1000);
    assert_true(say(&queue, MSG_FILL, 6, &b));
    turn();
    due(ids[0], "a.example", clock_us - SECONDS(2));
    due(ids[1], "a.example", clock_us - SECONDS(1));
    r = heard(&queue, MSG_FILLED, 6, NULL);
    assert_int_equal(rd_i64(&r), clock_us - 1);
}

static void restart_finds_everything(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(100);
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e;
    struct segment s = segment_of(&receiver, false);
    uint64_t message;
    int fd;
    one_message(&s, "a.example", &message);
    stop();
    proc_store.start(&role);
    wr_i64(&b, INT64_MAX);
    wr_u32(&b, 10);
    assert_true(say(&queue, MSG_FILL, 5, &b));
    turn();
    due(message, "a.example", clock_us);
    heard(&queue, MSG_FILLED, 5, NULL);
    assert_true(rc_ok(load(&sender, message, "a.example", &a, &e, &fd)));
    assert_true(rc_ok(store_range_verify(fd, &e.body)));
}

static void policies_are_kept(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    wr_span(&b, SPAN("a.example"));
    assert_true(say(&sender, MSG_POLICY_GET, 1, &b));
    struct rd r = heard(&sender, MSG_POLICY_IS, 1, NULL);
    assert_true(!rd_bool(&r) && rd_end(&r));
    wr_span(&b, SPAN("a.example"));
    wr_i64(&b, 77);
    wr_span(&b, SPAN("the policy"));
    assert_true(say(&sender, MSG_POLICY_PUT, 0, &b));
    stop();
    proc_store.start(&role);
    wr_span(&b, SPAN("a.example"));
    assert_true(say(&sender, MSG_POLICY_GET, 2, &b));
    r = heard(&sender, MSG_POLICY_IS, 2, NULL);
    assert_true(rd_bool(&r) && span_eq(r.rest, SPAN("the policy")));
    wr_i64(&b, 78);
    wr_u32(&b, 5);
    assert_true(say(&sender, MSG_POLICY_EXPIRING, 3, &b));
    r = heard(&sender, MSG_POLICIES, 3, NULL);
    assert_int_equal(rd_u16(&r), 1);
    assert_true(span_eq(rd_span(&r), SPAN("a.example")) && rd_end(&r));
}

static void nonsense_is_malformed(void **state)
{
    (void)state;
    static const struct {
        struct proc_peer *from;
        enum proc_message kind;
        struct span payload;
    } cases[] = {
        {&receiver, MSG_SEGMENT, {"\2", 1}},
        {&receiver, MSG_SEGMENT, {"", 0}},
        {&receiver, MSG_SEGMENT, {"\0\0", 2}},
        {&receiver, MSG_COMMIT, {"abc", 3}},
        {&receiver, MSG_SEAL, {"abc", 3}},
        {&sender, MSG_LOAD, {"abc", 3}},
        {&sender, MSG_OUTCOME, {"abc", 3}},
        {&sender, MSG_POLICY_GET, {"abc", 3}},
        {&sender, MSG_POLICY_PUT, {"abc", 3}},
        {&sender, MSG_POLICY_EXPIRING, {"abc", 3}},
        {&queue, MSG_FILL, {"abc", 3}},
        {&queue, MSG_FILL, {"\0\0\0\0\0\0\0\0\0\0\0\0", 12}},
        {&sender, MSG_SEGMENT, {"\0", 1}}, // not his to ask
        {&queue, MSG_LOAD, {"\0\0\0\0\0\0\0\1\0\0\0\0", 12}},
        {&receiver, MSG_JOB, {"", 0}},
        {&reporter, MSG_REPORT_TAKE, {"abc", 3}},
        {&reporter, MSG_REPORT_ASIDE, {"abc", 3}},
        {&control, MSG_REPORT_GET, {"abc", 3}},
        {&control, MSG_REPORT_LIST, {"\0\0\0\0\0\0\0\0\3", 9}},
        {&sender, MSG_REPORT_TAKE, {"", 0}}, // not his to ask
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct io_message m = {
            .kind = (uint16_t)cases[i].kind, .payload = cases[i].payload, .fd = -1};
        if (proc_store.got(cases[i].from, &m))
            fail_msg("case %zu was taken", i);
    }
    turn();
    silence();
}

static void outcome_for_another_message_is_malformed(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    struct store_attempt t = {.message = message + 1};
    struct store_outcome o = {.recipient = id};
    proc_attempt_pack(&b, &t);
    wr_u16(&b, 1);
    proc_outcome_pack(&b, &o);
    assert_false(say(&sender, MSG_OUTCOME, 4, &b));
}

static void store_in_use_is_tried_again(void **state)
{
    (void)state;
    struct store *first;
    const char *why;
    CLEANUP(buf_free) struct buf b = BUF(100);
    stop();
    assert_true(rc_ok(store_open(&first, folder, &why)));
    memset(timers, 0, sizeof timers);
    proc_store.start(&role);
    wr_bool(&b, false);
    assert_true(say(&receiver, MSG_SEGMENT, 1, &b));
    struct rd r = heard(&receiver, MSG_SEGMENT_IS, 1, NULL);
    assert_int_equal(rd_u8(&r), RC_UNAVAILABLE);
    wr_i64(&b, 1);
    wr_u32(&b, 1);
    assert_true(say(&queue, MSG_FILL, 5, &b));
    turn();
    silence(); // the queue waits until the store is there
    store_close(first);
    assert_non_null(timers[0]);
    timers[0]->fire(timers[0]->arg);
    turn();
    heard(&queue, MSG_FILLED, 5, NULL);
    segment_of(&receiver, false);
}

static void drain_finishes_the_group(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false);
    commit(&receiver, &s, 1, "a.example");
    proc_store.drain(&role);
    committed(&receiver, 1, RC_OK);
    assert_true(drained);
    turn();
}

// ---- reports of others ----

static struct rd told(struct proc_peer *peer, enum proc_message kind, const struct buf *b,
                      enum rc_code want)
{
    struct io_message m = {.kind = (uint16_t)kind, .payload = buf_span(b), .fd = -1};
    sent_count = 0;
    assert_true(proc_store.got(peer, &m));
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent[0].kind, kind + 1);
    struct rd r = RD(((struct span){last_sent, last_length}));
    assert_int_equal(rd_u8(&r), want);
    return r;
}

static bool take(struct proc_peer *peer, const char *id)
{
    CLEANUP(buf_free) struct buf b = BUF(4000);
    reports_taken_pack(&b, &(struct store_taken){.organization = SPAN("Org"),
                                                 .report = span_str(id),
                                                 .domain = SPAN("a.example"),
                                                 .content = SPAN("..."),
                                                 .who = SPAN("x@a.example"),
                                                 .remark = SPAN("not signed")});
    struct rd r = told(peer, MSG_REPORT_TAKE, &b, RC_OK);
    return rd_bool(&r);
}

static struct span listing(bool aside)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u64(&b, 0);
    wr_bool(&b, aside);
    struct rd r = told(&control, MSG_REPORT_LIST, &b, RC_OK);
    assert_int_equal(rd_u64(&r), 0);
    return rd_span(&r);
}

static void get(bool aside, uint64_t id, enum rc_code want, struct rd *r)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_bool(&b, aside);
    wr_u64(&b, id);
    *r = told(&control, MSG_REPORT_GET, &b, want);
}

static bool has(struct span text, const char *part)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    buf_put(&b, text);
    return strstr(buf_str(&b), part) != NULL;
}

static void reports_of_others_are_kept(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct store_taken t;
    struct store_aside a;
    struct rd r;
    assert_true(take(&reporter, "one"));
    assert_false(take(&control, "one"));
    assert_true(has(listing(false), "\"remark\":\"not signed\""));
    get(false, 1, RC_OK, &r);
    assert_true(reports_taken_unpack(&r, &t) && rd_end(&r));
    assert_true(span_eq(t.who, SPAN("x@a.example")) && span_eq(t.content, SPAN("...")));
    get(false, 2, RC_NOT_FOUND, &r);
    reports_aside_pack(&b, &(struct store_aside){.way = REPORT_WAY_POST,
                                                 .who = SPAN("192.0.2.1"),
                                                 .why = SPAN("It is empty."),
                                                 .size = 7,
                                                 .bytes = SPAN("nothing")});
    (void)told(&reporter, MSG_REPORT_ASIDE, &b, RC_OK);
    assert_true(has(listing(true), "\"way\":\"post\""));
    get(true, 1, RC_OK, &r);
    assert_true(reports_aside_unpack(&r, &a) && rd_end(&r));
    assert_true(span_eq(a.bytes, SPAN("nothing")) && a.size == 7);
    get(true, 9, RC_NOT_FOUND, &r);
}

// Names that take six bytes of JSON for each of theirs.
static void a_list_of_long_names_comes_in_pieces(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf name = BUF(2000);
    struct rd r;
    unsigned seen = 0, pieces = 0;
    for (unsigned i = 0; i < 400; i++) {
        buf_clear(&name);
        buf_printf(&name, "%u", i);
        while (name.len < 1500)
            buf_putc(&name, '\1');
        take(&control, buf_str(&name));
    }
    for (uint64_t behind = 0, first = 1; first || behind; first = 0) {
        CLEANUP(buf_free) struct buf b = BUF(16);
        wr_u64(&b, behind);
        wr_bool(&b, false);
        r = told(&control, MSG_REPORT_LIST, &b, RC_OK);
        behind = rd_u64(&r);
        struct span json = rd_span(&r);
        assert_true(rd_end(&r) && json.at[json.len - 1] == ']');
        for (size_t i = 0; i < json.len; i++)
            seen += span_starts(span_skip(json, i), SPAN("{\"id\":"));
        pieces++;
    }
    assert_int_equal(seen, 400);
    assert_true(pieces > 1);
}

static void history_is_written_and_trimmed(void **state)
{
    (void)state;
    struct segment s = segment_of(&receiver, false);
    uint64_t message, id = one_message(&s, "a.example", &message);
    struct store_role *r = role.data;
    size_t removed;
    outcome(message, "a.example", id, STORE_DEFERRED);
    outcome(message, "a.example", id, STORE_DELIVERED);
    outcome(message, "a.example", id, STORE_DELIVERED); // a repetition: no record
    turn();
    r->trim.fire(r->trim.arg);
    assert_true(rc_ok(store_history_trim(r->history, (struct wall){clock_us + 1}, 1, &removed)));
    assert_int_equal(removed, 1);
    clock_us += SECONDS(1001);
    r->trim.fire(r->trim.arg); // takes the other
    assert_true(rc_ok(store_history_trim(r->history, WALL_NEVER, 10, &removed)));
    assert_int_equal(removed, 0);
    sent_read = sent_count;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(commits_are_answered_together_after_the_turn),
        T(a_domain_is_due_once),
        T(foreign_segment_is_refused),
        T(failed_group_is_refused_and_the_next_is_not),
        T(descriptor_comes_once_to_each_peer),
        T(delivered_message_takes_its_sealed_segment_along),
        T(own_file_is_sealed_with_its_message),
        T(dead_receivers_segments_are_sealed),
        T(deferred_is_due_by_backoff),
        T(what_is_not_due_is_not_given_out),
        T(an_interrupted_attempt_counts),
        T(what_cannot_be_loaded_backs_off),
        T(a_body_that_is_missing_is_no_reason_to_ask_again),
        T(recipients_stay_together),
        T(a_load_behind_an_outcome_waits_for_its_sync),
        T(expired_message_owes_a_bounce),
        T(delay_is_told_once),
        T(a_notice_can_be_owed_from_the_start),
        T(bounce_replaces_and_is_not_taken_twice),
        T(bounce_for_some_leaves_the_rest_due),
        T(failed_bounce_is_dropped),
        T(fill_gives_what_is_due_and_the_horizon),
        T(restart_finds_everything),
        T(policies_are_kept),
        T(nonsense_is_malformed),
        T(outcome_for_another_message_is_malformed),
        T(store_in_use_is_tried_again),
        T(drain_finishes_the_group),
        T(history_is_written_and_trimmed),
        T(reports_of_others_are_kept),
        T(a_list_of_long_names_comes_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
