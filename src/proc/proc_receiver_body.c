// Where a receiver puts message bodies, and how they are made durable.
#include "proc_receiver.h"

#include "base_log.h"

#include <stdlib.h>
#include <unistd.h>

enum { IDS_LEAST = 65536 }; // for what comes until the next segment is there
// A store that is slow but commits must not be taken for one that did not: the
// client would send again.
#define COMMIT_PATIENCE SECONDS(300)

void receiver_body_start(struct receiver_body *b, struct receiver *r, void (*ready)(void *),
                         void *arg)
{
    *b = (struct receiver_body){.receiver = r,
                                // One more piece may come before the input is held back.
                                .memory = BUF(STORE_BUFFER_MAX + 2 * IO_STREAM_HOLD),
                                .fd = -1,
                                .ready = ready,
                                .arg = arg};
}

static void seal(struct receiver *r, uint32_t segment);
static void want_segments(struct receiver *r);

static void stop_waiting(struct receiver_body *b)
{
    for (struct receiver_body **w = &b->receiver->waiting; *w; w = &(*w)->next_waiting) {
        if (*w == b) {
            *w = b->next_waiting;
            break;
        }
    }
    b->waiting = false;
}

void receiver_body_forget(struct receiver_body *b)
{
    if (b->waiting)
        stop_waiting(b);
    buf_free(&b->memory);
    if (b->own_file) {
        store_writer_free(&b->writer);
        close(b->fd);
        seal(b->receiver, b->segment);
        want_segments(b->receiver); // the next large message finds a file
    }
    b->own_file = false;
    b->fd = -1;
}

static void take_spare(struct receiver_body *b)
{
    struct receiver *r = b->receiver;
    b->own_file = true;
    b->segment = r->spare.id;
    b->fd = r->spare.fd;
    r->spare.fd = -1;
    b->failed = store_writer_begin(&b->writer, b->fd);
    if (rc_ok(b->failed))
        b->failed = store_writer_add(&b->writer, buf_span(&b->memory));
    buf_free(&b->memory);
}

bool receiver_body_add(struct receiver_body *b, struct span piece)
{
    if (!rc_ok(b->failed))
        return true;
    if (b->own_file) {
        b->failed = store_writer_add(&b->writer, piece);
        return true;
    }
    buf_put(&b->memory, piece);
    b->failed = buf_state(&b->memory);
    if (!rc_ok(b->failed) || b->memory.len <= STORE_BUFFER_MAX)
        return true;
    if (b->receiver->spare.fd >= 0) {
        take_spare(b);
        return true;
    }
    if (!b->waiting) {
        b->waiting = true;
        b->next_waiting = b->receiver->waiting;
        b->receiver->waiting = b;
    }
    return false;
}

// A file for large messages came, or cannot come.
static void serve_waiting(struct receiver *r, struct rc rc)
{
    while (r->waiting && (r->spare.fd >= 0 || !rc_ok(rc))) {
        struct receiver_body *b = r->waiting;
        stop_waiting(b);
        if (rc_ok(rc))
            take_spare(b);
        else
            b->failed = rc;
        b->ready(b->arg);
    }
}

// ---- segments ----

static void retry_segments(void *arg)
{
    want_segments(arg);
}

static void seal(struct receiver *r, uint32_t segment)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u32(&b, segment);
    proc_send(proc_peer(r->proc, PROC_STORE, 0), MSG_SEAL, 0, buf_span(&b), -1);
}

// The old one is sealed only now: what was appended to it went to the store before.
static void change_current(struct receiver *r, uint32_t id, int fd, uint64_t first, uint32_t ids)
{
    if (r->current.fd >= 0) {
        seal(r, r->current.id);
        close(r->current.fd);
    }
    r->current.id = id;
    r->current.fd = fd;
    r->current.end = 0;
    r->current.next_id = first;
    r->current.last_id = first + ids;
}

static bool segment_came(struct receiver *r, bool own_file, struct io_message *m)
{
    struct rc rc = RC(UNAVAILABLE);
    uint32_t id = 0, ids = 0;
    uint64_t first = 0;
    bool fine = true;
    if (m) {
        struct rd rd = RD(m->payload);
        rc.code = (enum rc_code)rd_enum(&rd, RC_COUNT);
        id = rd_u32(&rd);
        first = rd_u64(&rd);
        ids = rd_u32(&rd);
        fine = m->kind == MSG_SEGMENT_IS && rd_end(&rd) && (m->fd >= 0) == rc_ok(rc);
        if (!fine)
            rc = RC(UNAVAILABLE);
    }
    if (own_file)
        r->spare.asked = false;
    else
        r->current.asked = false;
    if (rc_ok(rc)) {
        if (own_file) {
            r->spare.id = id;
            r->spare.fd = m->fd;
        } else {
            change_current(r, id, m->fd, first, ids);
        }
        m->fd = -1;
    } else {
        LOG(LOG_WARN, "no-segment", LOG_T("why", rc_text(rc)));
        r->retry = (struct io_timer){.node = r->retry.node, .fire = retry_segments, .arg = r};
        io_timer_set(r->proc->loop, &r->retry,
                     (struct mono){io_now(r->proc->loop).us + SECONDS(1)});
    }
    if (own_file)
        serve_waiting(r, rc);
    else
        receiver_open_doors(r);
    if (rc_ok(rc))
        want_segments(r);
    return fine;
}

static bool current_came(void *arg, struct io_message *m)
{
    return segment_came(arg, false, m);
}

static bool spare_came(void *arg, struct io_message *m)
{
    return segment_came(arg, true, m);
}

static void ask_segment(struct receiver *r, bool own_file)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_bool(&b, own_file);
    proc_ask(r->proc, PROC_STORE, 0, MSG_SEGMENT, buf_span(&b), SECONDS(30),
             own_file ? spare_came : current_came, r);
}

static bool current_full(const struct receiver *r)
{
    return r->current.end >= STORE_SEGMENT_MAX ||
           r->current.last_id - r->current.next_id <= IDS_LEAST;
}

static void want_segments(struct receiver *r)
{
    // A full one is written to until its successor is there.
    if ((r->current.fd < 0 || current_full(r)) && !r->current.asked) {
        r->current.asked = true;
        ask_segment(r, false);
    }
    if (r->spare.fd < 0 && !r->spare.asked) {
        r->spare.asked = true;
        ask_segment(r, true);
    }
}

// A new store knows nothing of what we hold: begin anew.
void receiver_segments_renew(struct receiver *r)
{
    if (r->current.fd >= 0)
        close(r->current.fd);
    if (r->spare.fd >= 0)
        close(r->spare.fd);
    r->current.fd = r->spare.fd = -1;
    r->current.end = r->current.next_id = r->current.last_id = 0;
    want_segments(r);
}

bool receiver_can_store(const struct receiver *r)
{
    return r->current.fd >= 0;
}

struct rc receiver_body_end(struct receiver_body *b, struct store_range *out)
{
    struct receiver *r = b->receiver;
    TRY(b->failed);
    if (b->own_file) {
        TRY(store_writer_end(&b->writer, out));
        out->segment = b->segment;
        return RC(OK);
    }
    if (!receiver_can_store(r))
        return RC(UNAVAILABLE);
    TRY(store_append(r->current.fd, r->current.end, buf_span(&b->memory), out));
    out->segment = r->current.id;
    r->current.end = out->offset + out->length;
    return RC(OK);
}

// ---- commit ----

struct commit {
    receiver_committed done;
    void *arg;
    struct io_timer too_large; // nobody is asked; the answer comes later all the same
};

static bool commit_answered(void *arg, struct io_message *m)
{
    struct commit *c = arg;
    struct rc rc = RC(UNAVAILABLE);
    uint64_t id = 0;
    bool fine = true;
    if (m) {
        struct rd r = RD(m->payload);
        rc.code = (enum rc_code)rd_enum(&r, RC_COUNT);
        id = rd_u64(&r);
        fine = m->kind == MSG_COMMITTED && rd_end(&r);
        if (!fine)
            rc = RC(UNAVAILABLE);
    }
    c->done(c->arg, rc, id);
    free(c);
    return fine;
}

static void commit_too_large(void *arg)
{
    struct commit *c = arg;
    LOG(LOG_ERROR, "commit-too-large");
    c->done(c->arg, RC(TOO_LARGE), 0);
    free(c);
}

uint32_t receiver_commit(struct receiver *r, const struct store_envelope *e,
                         const uint64_t *replaces, size_t count, receiver_committed done, void *arg)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    struct commit *c = mem_new(sizeof *c);
    *c = (struct commit){.done = done, .arg = arg};
    proc_envelope_pack(&b, e);
    wr_u16(&b, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        wr_u64(&b, replaces[i]);
    if (!rc_ok(buf_state(&b))) { // half of it would end the store's patience with us
        c->too_large = (struct io_timer){.fire = commit_too_large, .arg = c};
        io_timer_set(r->proc->loop, &c->too_large, io_now(r->proc->loop));
        return 0;
    }
    uint32_t ticket = proc_ask(r->proc, PROC_STORE, 0, MSG_COMMIT, buf_span(&b), COMMIT_PATIENCE,
                               commit_answered, c);
    if (current_full(r))
        want_segments(r);
    return ticket;
}

uint64_t receiver_new_id(struct receiver *r)
{
    bool any = r->current.fd >= 0 && r->current.next_id < r->current.last_id;
    return any ? r->current.next_id++ : 0;
}

void receiver_id_text(char text[static 17], uint64_t id)
{
    CLEANUP(buf_free) struct buf b = BUF(32);
    buf_printf(&b, "%llx", (unsigned long long)id);
    if (!span_copy(text, 17, buf_span(&b)))
        panic("a number of more than 64 bits");
}
