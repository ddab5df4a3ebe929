#include "smtp_server_private.h"

static struct smtp_reply answer_mail(struct smtp_server *s, struct smtp_reply r)
{
    s->open = smtp_reply_ok(&r);
    if (!s->open)
        smtp_server_reset(s);
    return r;
}

// False past a ceiling of memory.
static bool recipient_keep(struct smtp_server *s)
{
    struct smtp_recipient to = s->recipient;
    struct smtp_transaction *t = &s->transaction;
    to.address.local = arena_dup(&s->memory, to.address.local);
    to.address.text = arena_dup(&s->memory, to.address.text);
    to.address.literal = arena_dup(&s->memory, to.address.literal);
    to.orcpt = arena_dup(&s->memory, to.orcpt);
    if (!to.address.local.at || !to.address.text.at || !to.address.literal.at || !to.orcpt.at)
        return false;
    if (t->count == s->recipients_cap) {
        s->recipients_cap = s->recipients_cap ? s->recipients_cap * 2 : 2;
        s->recipients = mem_resize(s->recipients, s->recipients_cap * sizeof *s->recipients);
    }
    s->recipients[t->count++] = to;
    t->recipients = s->recipients;
    return true;
}

static struct smtp_reply answer_rcpt(struct smtp_server *s, struct smtp_reply r)
{
    if (smtp_reply_ok(&r) && !recipient_keep(s))
        r = SMTP_REPLY(452, "4.5.3", "Too many recipients");
    s->refused_recipients += !smtp_reply_ok(&r);
    arena_free(&s->scratch);
    return r;
}

// A transaction whose DATA was refused is over: no later message inherits it.
static struct smtp_reply answer_data(struct smtp_server *s, struct smtp_reply r)
{
    if (s->chunking)
        return smtp_server_begin_chunks(s, r);
    if (!smtp_reply_ok(&r)) {
        smtp_server_reset(s);
        return r;
    }
    s->body_open = true;
    s->data_since = s->now;
    s->state = STATE_DATA;
    s->undot = (struct smtp_undot){0};
    s->received = 0;
    return SMTP_REPLY(354, "", "Go ahead, end with <CRLF>.<CRLF>");
}

static struct smtp_reply answer_commit(struct smtp_server *s, struct smtp_reply r)
{
    s->messages++;
    s->idle_commands = 0;
    smtp_server_reset(s);
    return r;
}

void smtp_server_answer(struct smtp_server *s, const struct smtp_reply *r)
{
    struct smtp_reply (*const take[])(struct smtp_server *, struct smtp_reply) = {
        [SMTP_SERVER_ASK_MAIL] = answer_mail,
        [SMTP_SERVER_ASK_RCPT] = answer_rcpt,
        [SMTP_SERVER_ASK_DATA] = answer_data,
        [SMTP_SERVER_COMMIT] = answer_commit,
        [SMTP_SERVER_ASK_AUTH] = smtp_server_answer_auth,
        [SMTP_SERVER_ASK_AUTH_MORE] = smtp_server_answer_auth,
    };
    if (s->state == STATE_CLOSING || s->state == STATE_CLOSED)
        return; // the answer came too late
    if (s->state != STATE_WAIT)
        panic("an answer to no question (state %d)", (int)s->state);
    bool fit = r->code >= 200 && r->code < 600 &&
               (r->code < 300 || r->code >= 400 || s->question == SMTP_SERVER_ASK_DATA);
    if (!fit)
        panic("%u is no answer to question %d", r->code, (int)s->question);
    s->state = STATE_COMMAND;
    smtp_server_touch(s);
    struct smtp_reply said = take[s->question](s, *r);
    smtp_server_say(s, &said);
    smtp_server_auth_forget(s);
}
