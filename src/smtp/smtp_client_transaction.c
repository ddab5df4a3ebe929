#include "smtp_client_private.h"

enum { TEXT_KEEP_MAX = 1000, ADDRESS_ROOM = 512 };

struct smtp_reply smtp_client_keep(struct smtp_client *c, const struct smtp_reply *r)
{
    struct smtp_reply kept = *r;
    kept.text = arena_dup(&c->memory, span_first(r->text, TEXT_KEEP_MAX));
    return kept;
}

enum smtp_outcome smtp_client_outcome(const struct smtp_reply *r)
{
    return r->code < 300 ? SMTP_ACCEPTED : r->code < 500 ? SMTP_DEFERRED : SMTP_REJECTED;
}

static void decide(const struct smtp_client *c, struct smtp_client_recipient *to,
                   const struct smtp_reply *r, enum smtp_outcome o)
{
    to->outcome = o;
    to->reply = *r;
    to->dsn = o == SMTP_ACCEPTED && c->capabilities.dsn;
}

void smtp_client_settle(struct smtp_client *c, const struct smtp_reply *r, enum smtp_outcome o)
{
    for (size_t i = 0; c->t && i < c->t->count; i++)
        if (c->t->recipients[i].outcome == SMTP_PENDING)
            decide(c, &c->t->recipients[i], r, o);
}

static void settle_by_reply(struct smtp_client *c)
{
    struct smtp_reply kept = smtp_client_keep(c, &c->reply);
    smtp_client_settle(c, &kept, smtp_client_outcome(&kept));
}

static size_t pending_from(const struct smtp_client *c, size_t i)
{
    while (i < c->t->count && c->t->recipients[i].outcome != SMTP_PENDING)
        i++;
    return i;
}

static void finish(struct smtp_client *c, bool unfinished)
{
    c->t = NULL;
    c->unfinished = unfinished;
    smtp_client_pause(c, SMTP_CLIENT_DONE);
}

// All at once with PIPELINING (RFC 2920), else only the first.
static void commands_put(struct smtp_client *c)
{
    if (c->unfinished)
        buf_put(&c->out, SPAN("RSET\r\n"));
    if (c->pipelined || !c->unfinished)
        smtp_client_mail_put(c);
    for (size_t i = 0; c->pipelined && i < c->t->count; i++)
        if (c->t->recipients[i].outcome == SMTP_PENDING)
            smtp_client_rcpt_put(c, i);
    if (c->pipelined)
        buf_put(&c->out, SPAN("DATA\r\n"));
}

static void transaction_take(struct smtp_client *c, struct smtp_client_transaction *t)
{
    size_t room = (t->count + 4) * SMTP_CLIENT_COMMAND_MAX;
    arena_free(&c->memory);
    c->memory = ARENA((t->count + 2) * (TEXT_KEEP_MAX + ADDRESS_ROOM) + 4096);
    c->out.max = room;
    c->t = t;
    c->at = c->accepted = 0;
    c->mail_refused = c->uncertain = false;
    c->pipelined = c->capabilities.pipelining;
    for (size_t i = 0; i < t->count; i++) {
        t->recipients[i].outcome = SMTP_PENDING;
        t->recipients[i].reply = (struct smtp_reply){0};
        t->recipients[i].own = t->recipients[i].dsn = false;
    }
}

void smtp_client_begin(struct smtp_client *c, struct smtp_client_transaction *t)
{
    if (c->state != STATE_IDLE && c->state != STATE_CLOSED)
        panic("begin in state %d", (int)c->state);
    transaction_take(c, t);
    if (c->state == STATE_CLOSED) {
        smtp_client_fail(c, c->failure);
        return;
    }
    smtp_client_refuse_own(c);
    if (pending_from(c, 0) == t->count) {
        finish(c, c->unfinished);
        return;
    }
    commands_put(c);
    c->hand = SMTP_CLIENT_READ;
    c->unheard = true;
    smtp_client_touch(c);
    c->state = c->unfinished ? STATE_RSET : STATE_MAIL;
}

void smtp_client_on_rset(struct smtp_client *c)
{
    if (smtp_client_outcome(&c->reply) != SMTP_ACCEPTED) {
        smtp_client_refuse(c);
        return;
    }
    if (!c->pipelined)
        smtp_client_mail_put(c);
    c->unfinished = false;
    c->state = STATE_MAIL;
}

static void data_next(struct smtp_client *c)
{
    if (!c->pipelined && c->accepted == 0) {
        finish(c, true);
        return;
    }
    if (!c->pipelined)
        buf_put(&c->out, SPAN("DATA\r\n"));
    c->state = STATE_DATA;
}

static void rcpt_next(struct smtp_client *c, size_t from)
{
    c->at = pending_from(c, from);
    c->state = STATE_RCPT;
    if (c->at == c->t->count)
        data_next(c);
    else if (!c->pipelined)
        smtp_client_rcpt_put(c, c->at);
}

void smtp_client_on_mail(struct smtp_client *c)
{
    c->unfinished = c->reply.code < 300;
    c->mail_refused = !c->unfinished;
    c->mail_reply = smtp_client_keep(c, &c->reply);
    if (c->mail_refused && !c->pipelined) {
        settle_by_reply(c);
        finish(c, false);
        return;
    }
    rcpt_next(c, 0);
}

// "Too many recipients" is to be 452; older servers say 552, which then is
// temporary (RFC 5321 §4.5.3.1.10). A full mailbox (5.2.2) is none of that.
static bool too_many(const struct smtp_client *c)
{
    struct span status = span_str(c->reply.status);
    return c->reply.code == 552 && c->accepted &&
           (status.len == 0 || span_eq(status, SPAN("5.5.3")));
}

void smtp_client_on_rcpt(struct smtp_client *c)
{
    struct smtp_client_recipient *to = &c->t->recipients[c->at];
    to->reply = c->mail_refused ? c->mail_reply : smtp_client_keep(c, &c->reply);
    enum smtp_outcome o = too_many(c) ? SMTP_DEFERRED : smtp_client_outcome(&to->reply);
    if (o == SMTP_ACCEPTED)
        c->accepted++; // so far: it stays PENDING
    else
        to->outcome = o;
    rcpt_next(c, c->at + 1);
}

// RFC 2920 §3.1: DATA went out before the recipients were known to be refused.
// The server that said 354 all the same gets an empty message to nobody.
static void data_empty(struct smtp_client *c)
{
    buf_put(&c->out, SPAN(".\r\n"));
    c->state = STATE_EMPTY_END;
}

void smtp_client_on_data(struct smtp_client *c)
{
    if (c->reply.code >= 400) {
        settle_by_reply(c);
        finish(c, !c->mail_refused);
    } else if (c->accepted == 0) {
        data_empty(c);
    } else {
        c->dot = (struct smtp_dot){0};
        c->state = STATE_BODY;
        c->hand = SMTP_CLIENT_BODY;
    }
}

void smtp_client_on_body(struct smtp_client *c)
{
    settle_by_reply(c);
    smtp_client_refuse(c);
}

// A reply for all, or with LMTP one for each accepted recipient in turn (RFC 2033 §4.2).
void smtp_client_on_end(struct smtp_client *c)
{
    struct smtp_client_recipient *to = &c->t->recipients[c->at];
    if (c->conf.lmtp) {
        struct smtp_reply kept = smtp_client_keep(c, &c->reply);
        decide(c, to, &kept, smtp_client_outcome(&kept));
        c->at = pending_from(c, c->at + 1);
    } else {
        settle_by_reply(c);
        c->at = c->t->count;
    }
    if (c->at == c->t->count)
        finish(c, false);
}

void smtp_client_on_empty_end(struct smtp_client *c)
{
    finish(c, false);
}

void smtp_client_body(struct smtp_client *c, struct span piece, struct buf *out)
{
    if (c->state == STATE_CLOSED)
        return;
    if (c->state != STATE_BODY)
        panic("body in state %d", (int)c->state);
    smtp_dot_put(&c->dot, piece, out);
    smtp_client_touch(c);
}

void smtp_client_body_end(struct smtp_client *c, struct buf *out)
{
    smtp_client_body(c, SPAN(""), out);
    if (c->state == STATE_CLOSED)
        return;
    smtp_dot_end(&c->dot, out);
    c->at = pending_from(c, 0);
    c->state = STATE_END;
}
