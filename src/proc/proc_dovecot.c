#include "proc_dovecot.h"

#include "base_log.h"
#include "io_stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MECHANISMS_ROOM = 4096, PENDING_MAX = 1 << 20 };
static const int64_t pause_us = SECONDS(2);

struct dovecot {
    struct io_loop *loop;
    struct dovecot_conf conf;
    struct buf path;
    struct io_stream *stream; // NULL: none
    bool greeted;             // requests may be sent
    bool known;               // was, ever
    bool reported;            // that it cannot be reached
    struct buf mechanisms;    // " PLAIN LOGIN "
    struct buf pending;       // requests until the greeting is over
    struct dovecot_question *open;
    uint32_t last_id;
    struct io_timer again;
};

// ---- questions ----

static void drop(struct dovecot_question *q)
{
    *q->at = q->next;
    if (q->next)
        q->next->at = q->at;
    io_timer_cancel(q->dovecot->loop, &q->timer);
    q->dovecot = NULL;
}

static void tell(struct dovecot_question *q, const struct sasl_dovecot *line)
{
    io_timer_cancel(q->dovecot->loop, &q->timer);
    q->waiting = line && line->kind == SASL_DOVECOT_CONT;
    if (!q->waiting)
        drop(q);
    q->told(q->arg, line);
}

static void send(struct dovecot *d, struct buf *b)
{
    if (d->greeted) {
        if (!rc_ok(io_stream_write(d->stream, buf_span(b))))
            LOG(LOG_WARN, "dovecot-slow", LOG_S("socket", buf_span(&d->path)));
    } else {
        buf_put(&d->pending, buf_span(b));
    }
    explicit_bzero(b->at, b->len);
}

static void overdue(void *arg)
{
    struct dovecot_question *q = arg;
    struct dovecot *d = q->dovecot;
    LOG(LOG_ERROR, "dovecot-silent", LOG_S("socket", buf_span(&d->path)),
        LOG_I("after_ms", d->conf.patience_us / US_PER_MS));
    if (!d->conf.userdb && d->greeted) {
        CLEANUP(buf_free) struct buf b = BUF(64);
        sasl_dovecot_put_cancel(&b, q->id);
        send(d, &b);
    }
    tell(q, NULL);
}

static void wait_for(struct dovecot_question *q)
{
    struct dovecot *d = q->dovecot;
    q->timer.fire = overdue;
    q->timer.arg = q;
    io_timer_set(d->loop, &q->timer, (struct mono){io_now(d->loop).us + d->conf.patience_us});
}

static void connect_now(struct dovecot *d);

static uint32_t begin(struct dovecot *d, struct dovecot_question *q)
{
    d->last_id = d->last_id == UINT32_MAX ? 1 : d->last_id + 1;
    q->dovecot = d;
    q->id = d->last_id;
    q->waiting = false;
    q->next = d->open;
    q->at = &d->open;
    if (q->next)
        q->next->at = &q->next;
    d->open = q;
    wait_for(q);
    return q->id;
}

void dovecot_auth(struct dovecot *d, struct dovecot_question *q, struct sasl_dovecot_request *r)
{
    CLEANUP(buf_free) struct buf b = {.max = 64 << 10, .secret = true};
    r->id = begin(d, q);
    sasl_dovecot_put_auth(&b, r);
    send(d, &b);
    connect_now(d);
}

void dovecot_user(struct dovecot *d, struct dovecot_question *q, struct span user)
{
    CLEANUP(buf_free) struct buf b = {.max = 64 << 10, .secret = true};
    sasl_dovecot_put_user(&b, begin(d, q), user);
    send(d, &b);
    connect_now(d);
}

void dovecot_more(struct dovecot_question *q, struct span response)
{
    CLEANUP(buf_free) struct buf b = {.max = 64 << 10, .secret = true};
    sasl_dovecot_put_more(&b, q->id, response);
    q->waiting = false;
    wait_for(q);
    send(q->dovecot, &b);
}

void dovecot_forget(struct dovecot_question *q)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    struct dovecot *d = q->dovecot;
    if (!d)
        return;
    if (d->greeted && !d->conf.userdb) {
        sasl_dovecot_put_cancel(&b, q->id);
        send(d, &b);
    }
    drop(q);
}

// ---- the connection ----

// Who has asked hears that there is no answer; told ones may ask again at once.
static void lost(struct dovecot *d, const char *why)
{
    if (!d->reported)
        LOG(LOG_ERROR, "dovecot-down", LOG_S("socket", buf_span(&d->path)), LOG_T("why", why));
    d->reported = true;
    io_stream_free(d->stream);
    d->stream = NULL;
    d->greeted = false;
    buf_free(&d->pending);
    struct dovecot_question *all = d->open;
    d->open = NULL;
    if (all)
        all->at = &all;
    io_timer_set(d->loop, &d->again, (struct mono){io_now(d->loop).us + pause_us});
    while (all)
        tell(all, NULL);
}

static struct dovecot_question *find(const struct dovecot *d, uint32_t id)
{
    struct dovecot_question *q = d->open;
    while (q && q->id != id)
        q = q->next;
    return q;
}

static void greeting_over(struct dovecot *d)
{
    if (d->greeted)
        return;
    LOG(LOG_INFO, "dovecot-up", LOG_S("socket", buf_span(&d->path)));
    d->greeted = d->known = true;
    d->reported = false;
    struct rc rc = io_stream_write(d->stream, buf_span(&d->pending));
    if (!rc_ok(rc))
        LOG(LOG_WARN, "dovecot-slow", LOG_S("socket", buf_span(&d->path)));
    buf_free(&d->pending);
    if (d->conf.greeted)
        d->conf.greeted(d->conf.arg);
}

static const char *take_line(struct dovecot *d, struct span line)
{
    struct sasl_dovecot l;
    if (!sasl_dovecot_read(&l, line))
        return "it says what we do not understand";
    if (l.kind == SASL_DOVECOT_VERSION && !l.ours)
        return "it speaks another version of the protocol";
    if (l.kind == SASL_DOVECOT_MECH)
        buf_printf(&d->mechanisms, "%.*s ", SPAN_FMT(l.text));
    if (l.kind == SASL_DOVECOT_DONE || (d->conf.userdb && l.kind == SASL_DOVECOT_VERSION))
        greeting_over(d);
    struct dovecot_question *q = l.id ? find(d, l.id) : NULL;
    if (q && !q->waiting)
        tell(q, &l);
    return NULL;
}

static size_t on_input(void *arg, struct span bytes)
{
    struct dovecot *d = arg;
    struct span rest = bytes;
    const char *wrong = NULL;
    while (!wrong && d->stream && span_index(rest, '\n') < rest.len)
        wrong = take_line(d, span_cut(&rest, '\n'));
    if (!wrong && rest.len >= IO_STREAM_HOLD)
        wrong = "its lines have no end";
    if (wrong)
        lost(d, wrong);
    return rest.at ? bytes.len - rest.len : bytes.len;
}

static void on_closed(void *arg, struct rc why)
{
    lost(arg, rc_text(why));
}

static void on_connected(void *arg, struct rc how)
{
    struct dovecot *d = arg;
    CLEANUP(buf_free) struct buf b = BUF(256);
    if (!rc_ok(how)) {
        lost(d, rc_text(how));
        return;
    }
    if (d->conf.userdb)
        sasl_dovecot_put_user_hello(&b);
    else
        sasl_dovecot_put_hello(&b, (uint32_t)getpid());
    if (!rc_ok(io_stream_write(d->stream, buf_span(&b))))
        lost(d, "it takes nothing");
}

static const struct io_stream_owner owner = {
    .input = on_input, .connected = on_connected, .closed = on_closed};

static void connect_now(struct dovecot *d)
{
    struct io_endpoint to = {.local = true};
    if (d->stream)
        return;
    io_timer_cancel(d->loop, &d->again);
    buf_clear(&d->mechanisms);
    buf_putc(&d->mechanisms, ' ');
    if (!span_copy(to.path, sizeof to.path, buf_span(&d->path)))
        panic("a path that is too long for a socket");
    d->stream = io_stream_connect(d->loop, &to, NULL, &owner, d);
    io_stream_secret(d->stream);
}

static void try_again(void *arg)
{
    connect_now(arg);
}

struct dovecot *dovecot_new(struct io_loop *l, const struct dovecot_conf *c)
{
    struct dovecot *d = mem_new(sizeof *d);
    *d = (struct dovecot){.loop = l,
                          .conf = *c,
                          .path = BUF(256),
                          .mechanisms = BUF(MECHANISMS_ROOM),
                          .pending = BUF(PENDING_MAX)};
    d->pending.secret = true;
    d->again = (struct io_timer){.fire = try_again, .arg = d};
    buf_put(&d->path, c->path);
    connect_now(d);
    return d;
}

void dovecot_free(struct dovecot *d)
{
    if (!d)
        return;
    while (d->open)
        drop(d->open);
    io_timer_cancel(d->loop, &d->again);
    io_stream_free(d->stream);
    buf_free(&d->pending);
    buf_free(&d->mechanisms);
    buf_free(&d->path);
    free(d);
}

bool dovecot_offers(const struct dovecot *d, struct span mechanism)
{
    struct span rest = buf_span(&d->mechanisms);
    while (rest.at)
        if (span_ieq(span_cut(&rest, ' '), mechanism))
            return true;
    return false;
}

bool dovecot_known(const struct dovecot *d)
{
    return d->known;
}
