#include "smtp_client_private.h"

#include <stdlib.h>

enum { OUT_MAX = 4096, QUIT_US_MAX = 30 * 1000000 };

struct smtp_client *smtp_client_new(const struct smtp_client_conf *conf, struct mono now)
{
    struct smtp_client *c = mem_new(sizeof *c);
    *c = (struct smtp_client){
        .conf = *conf,
        .since = now,
        .now = now,
        .ticked = true,
        .out = BUF(OUT_MAX),
        .text = BUF(SMTP_REPLY_TEXT_MAX + SMTP_LINE_MAX),
    };
    return c;
}

void smtp_client_free(struct smtp_client *c)
{
    if (!c)
        return;
    arena_free(&c->memory);
    buf_free(&c->out);
    buf_free(&c->text);
    free(c);
}

void smtp_client_touch(struct smtp_client *c)
{
    c->since = c->now;
    c->stale |= !c->ticked;
}

void smtp_client_pause(struct smtp_client *c, enum smtp_client_kind hand)
{
    c->state = STATE_IDLE;
    c->hand = hand;
}

// Recipients of a MAIL that was refused have their outcome, even if the replies
// to RCPT never came.
static void close_with(struct smtp_client *c, struct rc why, const struct smtp_reply *r)
{
    if (c->mail_refused)
        smtp_client_settle(c, &c->mail_reply, smtp_client_outcome(&c->mail_reply));
    smtp_client_settle(c, r, SMTP_DEFERRED);
    c->t = NULL;
    c->failure = why;
    c->hand = SMTP_CLIENT_READ;
    c->state = STATE_CLOSED;
    buf_clear(&c->out);
}

void smtp_client_fail(struct smtp_client *c, struct rc why)
{
    struct smtp_reply r = {.text = span_str(rc_text(why))};
    if (!span_copy(r.status, sizeof r.status, span_str(rc_retry(why) ? rc_status(why) : "4.5.0")))
        panic("status of %s", rc_text(why));
    c->uncertain = c->state == STATE_END;
    c->reply = (struct smtp_reply){0};
    close_with(c, why, &r);
}

void smtp_client_refuse(struct smtp_client *c)
{
    struct smtp_reply kept = smtp_client_keep(c, &c->reply);
    bool waits = c->reply.code != 421 && c->state != STATE_BODY;
    close_with(c, RC(REFUSED), &kept);
    if (waits) // RFC 5321 §3.1: the server does not close before it
        buf_put(&c->out, SPAN("QUIT\r\n"));
}

static void ehlo_put(struct smtp_client *c)
{
    buf_put(&c->out, c->conf.lmtp ? SPAN("LHLO ") : SPAN("EHLO "));
    buf_put(&c->out, c->conf.hostname);
    buf_put(&c->out, SPAN("\r\n"));
    c->state = STATE_EHLO;
}

static void on_greeting(struct smtp_client *c)
{
    if (c->reply.code < 300)
        ehlo_put(c);
    else
        smtp_client_refuse(c);
}

// RFC 5321 §3.2: who does not know EHLO is greeted by HELO.
static void on_ehlo(struct smtp_client *c)
{
    if (c->reply.code < 300) {
        c->capabilities = smtp_capabilities_parse(c->reply.text);
        smtp_peer_name_take(c->peer_name, c->reply.text);
        smtp_client_pause(c, SMTP_CLIENT_CAPABLE);
    } else if (c->reply.code < 500 || c->conf.lmtp) {
        smtp_client_refuse(c);
    } else {
        buf_put(&c->out, SPAN("HELO "));
        buf_put(&c->out, c->conf.hostname);
        buf_put(&c->out, SPAN("\r\n"));
        c->state = STATE_HELO;
    }
}

static void on_helo(struct smtp_client *c)
{
    if (c->reply.code < 300) {
        smtp_peer_name_take(c->peer_name, c->reply.text);
        smtp_client_pause(c, SMTP_CLIENT_CAPABLE);
    } else {
        smtp_client_refuse(c);
    }
}

static void on_starttls(struct smtp_client *c)
{
    smtp_client_pause(c, c->reply.code == 220 ? SMTP_CLIENT_HANDSHAKE : SMTP_CLIENT_NO_TLS);
    if (c->reply.code == 220)
        c->state = STATE_HANDSHAKE;
}

static void on_quit(struct smtp_client *c)
{
    close_with(c, RC(OK), &c->reply);
    c->reply = (struct smtp_reply){0};
}

// A reply that no command asked for would be taken for that to the next one.
static void on_unasked(struct smtp_client *c)
{
    smtp_client_fail(c, RC(MALFORMED));
}

static const struct {
    void (*take)(struct smtp_client *c);
    bool intermediate; // 3yz is a reply to this
    size_t patience;   // offset in the configuration; 0: for ever
} states[STATE_COUNT] = {
    [STATE_GREETING] = {on_greeting, false, offsetof(struct smtp_client_conf, connect_us)},
    [STATE_EHLO] = {on_ehlo, false, offsetof(struct smtp_client_conf, command_us)},
    [STATE_HELO] = {on_helo, false, offsetof(struct smtp_client_conf, command_us)},
    [STATE_STARTTLS] = {on_starttls, false, offsetof(struct smtp_client_conf, command_us)},
    [STATE_RSET] = {smtp_client_on_rset, false, offsetof(struct smtp_client_conf, command_us)},
    [STATE_MAIL] = {smtp_client_on_mail, false, offsetof(struct smtp_client_conf, command_us)},
    [STATE_RCPT] = {smtp_client_on_rcpt, false, offsetof(struct smtp_client_conf, command_us)},
    [STATE_DATA] = {smtp_client_on_data, true, offsetof(struct smtp_client_conf, command_us)},
    [STATE_END] = {smtp_client_on_end, false, offsetof(struct smtp_client_conf, end_us)},
    [STATE_EMPTY_END] = {smtp_client_on_empty_end, false,
                         offsetof(struct smtp_client_conf, command_us)},
    [STATE_QUIT] = {on_quit, true, offsetof(struct smtp_client_conf, command_us)},
    [STATE_IDLE] = {on_unasked, true, 0},
    [STATE_HANDSHAKE] = {on_unasked, true, offsetof(struct smtp_client_conf, command_us)},
    [STATE_BODY] = {smtp_client_on_body, false, offsetof(struct smtp_client_conf, data_us)},
};

// DATA is answered by 3yz or a refusal, a reply before the message is out can
// only be a refusal, everything else is never answered by 3yz.
static bool reply_fits(const struct smtp_client *c)
{
    unsigned class = c->reply.code / 100;
    if (c->state == STATE_DATA || c->state == STATE_BODY)
        return class != 2 && (class != 3 || c->state == STATE_DATA);
    return class != 3 || states[c->state].intermediate;
}

// False: more input is wanted.
static bool reply_next(struct smtp_client *c, struct span *in)
{
    int got = smtp_reply_take(&c->reply, in, &c->text);
    if (got == 0)
        return false;
    smtp_client_touch(c);
    if (c->state == STATE_QUIT)
        on_quit(c);
    else if (got == 1 && c->reply.code == 421)
        smtp_client_refuse(c);
    else if (got < 0 || !reply_fits(c))
        smtp_client_fail(c, RC(MALFORMED));
    else
        states[c->state].take(c);
    return true;
}

static void hear_before_talking(struct smtp_client *c, struct span *in)
{
    c->unheard = false;
    if (in->len == 0)
        return;
    c->state = STATE_IDLE;
    if (!reply_next(c, in))
        on_unasked(c);
}

static struct smtp_client_step hand_out(struct smtp_client *c)
{
    struct smtp_client_step step = {.kind = c->hand};
    if (c->hand == SMTP_CLIENT_NO_TLS)
        step.reply = c->reply;
    c->hand = SMTP_CLIENT_READ;
    c->ticked &= step.kind != SMTP_CLIENT_READ;
    return step;
}

struct smtp_client_step smtp_client_next(struct smtp_client *c, struct span *in)
{
    if (c->sent)
        buf_clear(&c->out);
    c->sent = false;
    if (c->unheard)
        hear_before_talking(c, in);
    for (;;) {
        if (c->state == STATE_HANDSHAKE || c->state == STATE_CLOSED)
            *in = span_skip(*in, in->len);
        if (c->out.len) {
            c->sent = true;
            return (struct smtp_client_step){.kind = SMTP_CLIENT_SEND, .bytes = buf_span(&c->out)};
        }
        if (c->state == STATE_CLOSED)
            return (struct smtp_client_step){
                .kind = SMTP_CLIENT_CLOSE, .reply = c->reply, .failure = c->failure};
        if (c->hand != SMTP_CLIENT_READ || !reply_next(c, in))
            return hand_out(c);
    }
}

void smtp_client_starttls(struct smtp_client *c)
{
    if (c->state == STATE_CLOSED)
        return;
    if (c->state != STATE_IDLE)
        panic("starttls in state %d", (int)c->state);
    buf_put(&c->out, SPAN("STARTTLS\r\n"));
    c->hand = SMTP_CLIENT_READ;
    c->unheard = true;
    c->state = STATE_STARTTLS;
    smtp_client_touch(c);
}

void smtp_client_secured(struct smtp_client *c)
{
    if (c->state == STATE_CLOSED)
        return;
    if (c->state != STATE_HANDSHAKE)
        panic("secured in state %d", (int)c->state);
    c->capabilities = (struct smtp_capabilities){0}; // RFC 3207 §4.2
    c->unfinished = false;
    c->unheard = true;
    ehlo_put(c);
    smtp_client_touch(c);
}

void smtp_client_quit(struct smtp_client *c)
{
    if (c->state == STATE_CLOSED)
        return;
    if (c->state != STATE_IDLE)
        panic("quit in state %d", (int)c->state);
    buf_put(&c->out, SPAN("QUIT\r\n"));
    c->hand = SMTP_CLIENT_READ;
    c->state = STATE_QUIT;
    smtp_client_touch(c);
}

static void end_without_reply(struct smtp_client *c, struct rc why)
{
    if (c->state == STATE_QUIT)
        on_quit(c);
    else if (c->state != STATE_CLOSED)
        smtp_client_fail(c, why);
}

void smtp_client_lost(struct smtp_client *c, struct rc why, bool *uncertain)
{
    end_without_reply(c, why);
    buf_clear(&c->out);
    *uncertain = c->uncertain;
}

bool smtp_client_uncertain(const struct smtp_client *c)
{
    return c->uncertain;
}

struct mono smtp_client_deadline(const struct smtp_client *c)
{
    size_t at = states[c->state].patience;
    if (at == 0)
        return MONO_NEVER;
    int64_t patience = *(const int64_t *)(const void *)((const char *)&c->conf + at);
    if (c->state == STATE_QUIT && patience > QUIT_US_MAX)
        patience = QUIT_US_MAX;
    return (struct mono){c->since.us + patience};
}

void smtp_client_tick(struct smtp_client *c, struct mono now)
{
    c->now = now;
    c->ticked = true;
    if (c->stale)
        c->since = now;
    c->stale = false;
    if (now.us >= smtp_client_deadline(c).us)
        end_without_reply(c, RC(TIMEOUT));
}

struct span smtp_client_peer_name(const struct smtp_client *c)
{
    return span_str(c->peer_name);
}

const struct smtp_capabilities *smtp_client_capabilities(const struct smtp_client *c)
{
    return &c->capabilities;
}
