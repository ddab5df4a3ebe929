#include "talk.h"

#include "smtp_client.h"

#include <stdlib.h>

enum { RECIPIENTS_MAX = 16 };

struct side {
    struct talk *t;
    struct span setup;
    struct smtp_client *c;
    struct smtp_client_transaction transaction;
    struct smtp_client_recipient recipients[RECIPIENTS_MAX];
    struct buf message;
    bool hold, body_due;
};

static int64_t patience(struct span setup, const char *key, int64_t otherwise)
{
    int64_t us = talk_duration(talk_setting(setup, key));
    return us ? us : otherwise;
}

static uint8_t notify_of(struct span list)
{
    static const char *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
    uint8_t bits = 0;
    while (list.at) {
        struct span word = span_cut(&list, ',');
        for (unsigned i = 0; i < 4; i++)
            if (span_eq(word, span_str(words[i])))
                bits |= (uint8_t)(1u << i);
    }
    return bits;
}

// "notify" and "orcpt" are of the recipient above them.
static void recipients_read(struct side *x)
{
    struct span rest = x->setup;
    size_t *n = &x->transaction.count;
    while (rest.len && *n < RECIPIENTS_MAX) {
        struct span line = span_cut(&rest, '\n'), word = span_cut(&line, ' ');
        if (span_eq(word, SPAN("recipient")))
            x->recipients[(*n)++].address = line;
        else if (*n && span_eq(word, SPAN("notify")))
            x->recipients[*n - 1].notify = notify_of(line);
        else if (*n && span_eq(word, SPAN("orcpt")))
            x->recipients[*n - 1].orcpt = line;
    }
}

static uint8_t ret_of(struct span word)
{
    return span_eq(word, SPAN("FULL")) ? 1 : span_eq(word, SPAN("HDRS")) ? 2 : 0;
}

static void *client_start(struct talk *t, struct span setup)
{
    struct side *x = mem_new(sizeof *x);
    *x = (struct side){.t = t, .setup = setup, .message = BUF(16 << 20)};
    struct smtp_client_conf conf = {
        .hostname = SPAN("out.example.net"),
        .lmtp = talk_setting(setup, "lmtp").at != NULL,
        .connect_us = patience(setup, "connect_timeout", SECONDS(300)),
        .command_us = patience(setup, "command_timeout", SECONDS(300)),
        .data_us = patience(setup, "data_timeout", SECONDS(180)),
        .end_us = patience(setup, "end_timeout", SECONDS(600)),
    };
    x->hold = talk_setting(setup, "hold").at != NULL;
    x->transaction = (struct smtp_client_transaction){
        .sender = talk_setting(setup, "sender"),
        .eight_bit = talk_setting(setup, "eight_bit").at != NULL,
        .requiretls = talk_setting(setup, "requiretls").at != NULL,
        .utf8 = talk_setting(setup, "utf8").at != NULL,
        .ret = ret_of(talk_setting(setup, "ret")),
        .envid = talk_setting(setup, "envid"),
        .recipients = x->recipients,
    };
    recipients_read(x);
    buf_put(&x->message, SPAN("Subject: x\r\n\r\n.dot\r\n"));
    x->c = smtp_client_new(&conf, t->now);
    return x;
}

static void body_give(struct side *x)
{
    CLEANUP(buf_free) struct buf out = BUF(16 << 20);
    struct span rest = buf_span(&x->message);
    while (rest.len) {
        smtp_client_body(x->c, span_first(rest, x->t->chunk), &out);
        rest = span_skip(rest, x->t->chunk);
    }
    smtp_client_body_end(x->c, &out);
    buf_put(&x->t->out, buf_span(&out));
}

static void capable_show(struct side *x)
{
    const struct smtp_capabilities *c = smtp_client_capabilities(x->c);
    struct {
        bool on;
        const char *name;
    } all[] = {{c->esmtp, "esmtp"},
               {c->starttls, "starttls"},
               {c->pipelining, "pipelining"},
               {c->eight_bit, "8bitmime"},
               {c->size_given, "size"},
               {c->requiretls, "requiretls"},
               {c->dsn, "dsn"},
               {c->smtputf8, "smtputf8"},
               {c->chunking, "chunking"}};
    buf_printf(&x->t->events, "capable");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].on)
            buf_printf(&x->t->events, " %s", all[i].name);
    if (c->size)
        buf_printf(&x->t->events, "=%llu", (unsigned long long)c->size);
    buf_putc(&x->t->events, '\n');
}

static void event(struct side *x, const char *name, const struct smtp_reply *r)
{
    buf_printf(&x->t->events, "%s", name);
    if (r->code) {
        buf_putc(&x->t->events, ' ');
        smtp_reply_put_line(&x->t->events, r);
    }
    buf_putc(&x->t->events, '\n');
}

static void close_show(struct side *x, const struct smtp_client_step *step)
{
    static const char *const names[RC_COUNT] = {
#define X(name, blame, retry, status, text) [RC_##name] = "close " #name,
        RC_TABLE(X)
#undef X
    };
    event(x, names[step->failure.code], &step->reply);
    if (smtp_client_uncertain(x->c))
        buf_printf(&x->t->events, "uncertain\n");
    x->t->closed = true;
}

// False: it waits.
static bool step_take(struct side *x, const struct smtp_client_step *step)
{
    switch (step->kind) {
    case SMTP_CLIENT_SEND:
        buf_put(&x->t->out, step->bytes);
        return true;
    case SMTP_CLIENT_CAPABLE:
        capable_show(x);
        return true;
    case SMTP_CLIENT_HANDSHAKE:
        event(x, "handshake", &step->reply);
        return true;
    case SMTP_CLIENT_NO_TLS:
        event(x, "no_tls", &step->reply);
        return true;
    case SMTP_CLIENT_BODY:
        event(x, "body", &step->reply);
        x->body_due = true;
        if (!x->hold)
            body_give(x);
        return true;
    case SMTP_CLIENT_DONE:
        event(x, "done", &step->reply);
        return true;
    case SMTP_CLIENT_CLOSE:
        close_show(x, step);
        return false;
    case SMTP_CLIENT_READ:
        break;
    }
    return false;
}

static void client_pump(void *side)
{
    struct side *x = side;
    bool more = !x->t->closed;
    while (more && !x->t->failed) {
        size_t n = x->t->in.len;
        char *exact = mem_new(n ? n : 1);
        for (size_t i = 0; i < n; i++)
            exact[i] = x->t->in.at[i];
        struct span in = {exact, n};
        struct smtp_client_step step = smtp_client_next(x->c, &in);
        more = step_take(x, &step);
        buf_consume(&x->t->in, n - in.len);
        free(exact);
    }
    if (!x->t->closed && smtp_client_deadline(x->c).us <= x->t->now.us)
        talk_fail(x->t, "waits with a deadline that is over");
}

static void client_tick(void *side, struct mono now)
{
    smtp_client_tick(((struct side *)side)->c, now);
}

static struct mono client_deadline(void *side)
{
    return smtp_client_deadline(((struct side *)side)->c);
}

static struct rc why_lost(struct span word)
{
    return span_eq(word, SPAN("TIMEOUT")) ? RC(TIMEOUT) : RC(CLOSED);
}

static void lost(struct side *x, struct span why)
{
    bool uncertain;
    smtp_client_lost(x->c, why_lost(why), &uncertain);
    if (uncertain != smtp_client_uncertain(x->c))
        talk_fail(x->t, "two opinions on what is uncertain");
}

static void call(struct side *x, struct span line)
{
    struct span word = span_cut(&line, ' ');
    smtp_client_tick(x->c, x->t->now);
    if (span_eq(word, SPAN("starttls")))
        smtp_client_starttls(x->c);
    else if (span_eq(word, SPAN("secured")))
        smtp_client_secured(x->c);
    else if (span_eq(word, SPAN("quit")))
        smtp_client_quit(x->c);
    else if (span_eq(word, SPAN("lost")))
        lost(x, line);
    else if (span_eq(word, SPAN("body")))
        body_give(x);
    else if (span_eq(word, SPAN("begin"))) {
        x->transaction.size = talk_number(x->setup, "size", x->message.len);
        smtp_client_begin(x->c, &x->transaction);
    } else {
        talk_fail(x->t, "unknown call \"%.*s\"", SPAN_FMT(word));
    }
}

static void outcomes_show(struct side *x, struct buf *b)
{
    static const char *const names[] = {"pending", "accepted", "deferred", "rejected"};
    for (size_t i = 0; i < x->transaction.count; i++) {
        const struct smtp_client_recipient *r = &x->recipients[i];
        buf_printf(b, "%.*s %s%s ", SPAN_FMT(r->address), names[r->outcome], r->dsn ? " dsn" : "");
        smtp_reply_put_line(b, &r->reply);
        buf_putc(b, '\n');
    }
}

static bool client_block(void *side, const struct talk_block *b)
{
    struct side *x = side;
    struct span text = b->text;
    if (span_eq(b->kind, SPAN("do"))) {
        while (text.len) {
            call(x, span_cut(&text, '\n'));
            client_pump(x);
        }
    } else if (span_eq(b->kind, SPAN("mail"))) {
        buf_clear(&x->message);
        talk_expand_all(x->t, &x->message, text);
    } else if (span_eq(b->kind, SPAN("outcome"))) {
        CLEANUP(buf_free) struct buf now = BUF(1 << 20);
        outcomes_show(x, &now);
        talk_expect(x->t, &now, text, false);
    } else {
        return false;
    }
    return true;
}

static void client_free(void *side)
{
    struct side *x = side;
    smtp_client_free(x->c);
    buf_free(&x->message);
    free(x);
}

const struct talk_side talk_client = {
    .name = "client",
    .start = client_start,
    .pump = client_pump,
    .tick = client_tick,
    .deadline = client_deadline,
    .hear = "server",
    .say = "client",
    .block = client_block,
    .free = client_free,
};
