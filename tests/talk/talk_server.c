#include "talk.h"

#include "smtp_server.h"

#include <stdlib.h>
#include <string.h>

struct side {
    struct talk *t;
    struct span setup;
    struct smtp_server_conf conf;
    struct smtp_server *s;
    struct buf body;
    bool hold;        // questions wait for an `answer` block
    const char *asks; // the question that waits; NULL: none
    struct mail_address address;
    bool handshake;
};

static int64_t patience(struct span setup, const char *key, int64_t otherwise)
{
    int64_t us = talk_duration(talk_setting(setup, key));
    return us ? us : otherwise;
}

static enum smtp_service service(struct span setup)
{
    struct span name = talk_setting(setup, "service");
    if (span_eq(name, SPAN("submissions")))
        return SMTP_SERVICE_SUBMISSIONS;
    return span_eq(name, SPAN("submission")) ? SMTP_SERVICE_SUBMISSION : SMTP_SERVICE_MX;
}

static void *server_start(struct talk *t, struct span setup)
{
    struct side *x = mem_new(sizeof *x);
    *x = (struct side){.t = t, .setup = setup, .body = BUF(16 << 20)};
    x->hold = talk_setting(setup, "hold").at != NULL;
    x->conf = (struct smtp_server_conf){
        .service = service(setup),
        .mechanisms = talk_setting(setup, "mechanisms"),
        .hostname = SPAN("mx.example.org"),
        .max_size = talk_number(setup, "max_size", 100000),
        .max_recipients = (unsigned)talk_number(setup, "max_recipients", 100),
        .max_errors = (unsigned)talk_number(setup, "max_errors", 20),
        .max_messages = (unsigned)talk_number(setup, "max_messages", 100),
        .command_us = patience(setup, "command_timeout", SECONDS(300)),
        .data_us = patience(setup, "data_timeout", SECONDS(180)),
        .data_rate = talk_number(setup, "data_rate", 0),
        .session_us = patience(setup, "session_timeout", SECONDS(7200)),
        .starttls = talk_setting(setup, "no_starttls").at == NULL,
    };
    x->s = smtp_server_new(&x->conf, t->now);
    return x;
}

static void answer(struct side *x, struct span text)
{
    struct smtp_reply r = {0};
    struct span status;
    if (!talk_reply(text, &r.code, &status, &r.text) ||
        !span_copy(r.status, sizeof r.status, status)) {
        talk_fail(x->t, "bad answer \"%.*s\"", SPAN_FMT(text));
        return;
    }
    x->asks = NULL;
    smtp_server_tick(x->s, x->t->now);
    if (r.code != 334)
        smtp_server_answer(x->s, &r);
    else if (!smtp_server_challenge(x->s, r.text))
        talk_fail(x->t, "a challenge of %zu bytes does not fit", r.text.len);
}

// "answer rcpt nobody@example.org 550 5.1.1 Unknown" or "answer commit * 451 …"
static struct span answer_find(struct side *x, const char *question, struct span address)
{
    struct span rest = x->setup;
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        if (!span_eq(span_cut(&line, ' '), SPAN("answer")))
            continue;
        struct span q = span_cut(&line, ' '), a = span_cut(&line, ' ');
        if (span_eq(q, span_str(question)) && (span_eq(a, SPAN("*")) || span_eq(a, address)))
            return line;
    }
    bool auth = span_starts(span_str(question), SPAN("auth"));
    return auth ? SPAN("235 2.7.0 Welcome") : SPAN("250 2.0.0 OK");
}

static void notify_put(struct buf *b, unsigned bits)
{
    static const char *const names[] = {"never", "success", "failure", "delay"};
    for (unsigned i = 0; i < 4; i++)
        if (bits & 1u << i)
            buf_printf(b, " %s", names[i]);
}

static void parameters_put(struct buf *b, const struct smtp_transaction *t)
{
    if (t->declared_size)
        buf_printf(b, " size=%llu", (unsigned long long)t->declared_size);
    buf_printf(b, "%s%s%s%s", t->eight_bit ? " 8bit" : "", t->smtputf8 ? " utf8" : "",
               t->requiretls ? " requiretls" : "",
               t->ret == SMTP_RET_FULL      ? " full"
               : t->ret == SMTP_RET_HEADERS ? " headers"
                                            : "");
    if (t->envid.len)
        buf_printf(b, " envid=%.*s", SPAN_FMT(t->envid));
}

// With what was agreed for each recipient, where that is more than the address.
static void recipients_put(struct buf *b, const struct smtp_transaction *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct smtp_recipient *to = &t->recipients[i];
        if (!to->notify && !to->orcpt.len)
            continue;
        buf_printf(b, "\n<%.*s>", SPAN_FMT(to->address.text));
        notify_put(b, to->notify);
        if (to->orcpt.len)
            buf_printf(b, " %.*s", SPAN_FMT(to->orcpt));
    }
}

static void ask_auth(struct side *x, const char *question, const struct smtp_server_step *step)
{
    struct buf *b = &x->t->events;
    buf_printf(b, "%s %.*s", question, SPAN_FMT(step->mechanism));
    if (step->has_initial || step->kind == SMTP_SERVER_ASK_AUTH_MORE)
        buf_putc(b, ' ');
    for (size_t i = 0; i < step->bytes.len; i++)
        buf_putc(b, step->bytes.at[i] ? step->bytes.at[i] : '|');
    buf_putc(b, '\n');
    x->asks = question;
    if (!x->hold)
        answer(x, answer_find(x, question, step->mechanism));
}

static void ask(struct side *x, const char *question, const struct mail_address *a)
{
    const struct smtp_transaction *t = smtp_server_transaction(x->s);
    struct span text = a ? a->text : SPAN("");
    buf_printf(&x->t->events, "%s", question);
    if (a)
        buf_printf(&x->t->events, " <%.*s>", SPAN_FMT(text));
    if (a && strcmp(question, "mail") == 0)
        parameters_put(&x->t->events, t);
    if (!a)
        buf_printf(&x->t->events, " %zu", t->count);
    if (strcmp(question, "commit") == 0)
        recipients_put(&x->t->events, t);
    buf_putc(&x->t->events, '\n');
    x->asks = question;
    if (!x->hold)
        answer(x, answer_find(x, question, text));
}

static void event(struct side *x, const char *name)
{
    buf_printf(&x->t->events, "%s\n", name);
}

static bool data_step(struct side *x, const struct smtp_server_step *step)
{
    if (step->kind == SMTP_SERVER_BODY) {
        buf_put(&x->body, step->bytes);
    } else if (step->kind == SMTP_SERVER_ABORT) {
        event(x, "abort");
        buf_clear(&x->body);
    } else if (step->kind == SMTP_SERVER_COMMIT) {
        ask(x, "commit", NULL);
    } else if (step->kind == SMTP_SERVER_ASK_DATA) {
        buf_clear(&x->body);
        ask(x, "data", NULL);
    } else {
        return false;
    }
    return true;
}

// False: it waits.
static bool step_take(struct side *x, const struct smtp_server_step *step)
{
    if (data_step(x, step))
        return true;
    if (step->kind == SMTP_SERVER_SEND) {
        buf_put(&x->t->out, step->bytes);
    } else if (step->kind == SMTP_SERVER_ASK_MAIL) {
        ask(x, "mail", step->address);
    } else if (step->kind == SMTP_SERVER_ASK_RCPT) {
        ask(x, "rcpt", step->address);
    } else if (step->kind == SMTP_SERVER_ASK_AUTH) {
        ask_auth(x, "auth", step);
    } else if (step->kind == SMTP_SERVER_ASK_AUTH_MORE) {
        ask_auth(x, "auth-more", step);
    } else if (step->kind == SMTP_SERVER_AUTH_CANCEL) {
        event(x, "auth-cancel");
    } else if (step->kind == SMTP_SERVER_STARTTLS) {
        event(x, "starttls");
        x->handshake = true;
    } else if (step->kind == SMTP_SERVER_CLOSE) {
        event(x, "close");
        x->t->closed = true;
    }
    return step->kind != SMTP_SERVER_READ && step->kind != SMTP_SERVER_CLOSE;
}

static void server_pump(void *side)
{
    struct side *x = side;
    bool more = !x->t->closed;
    while (more && !x->t->failed) {
        size_t n = x->t->in.len;
        char *exact = mem_new(n ? n : 1); // so that a read past the end is seen
        for (size_t i = 0; i < n; i++)
            exact[i] = x->t->in.at[i];
        struct span in = {exact, n};
        struct smtp_server_step step = smtp_server_next(x->s, &in);
        more = step_take(x, &step);
        buf_consume(&x->t->in, n - in.len);
        free(exact);
    }
    if (!x->t->closed && smtp_server_deadline(x->s).us <= x->t->now.us)
        talk_fail(x->t, "waits with a deadline that is over");
}

static void server_tick(void *side, struct mono now)
{
    smtp_server_tick(((struct side *)side)->s, now);
}

static struct mono server_deadline(void *side)
{
    return smtp_server_deadline(((struct side *)side)->s);
}

static void state_show(struct side *x, struct buf *b)
{
    buf_printf(b, "helo \"%.*s\"%s%s%s\n", SPAN_FMT(smtp_server_helo(x->s)),
               smtp_server_esmtp(x->s) ? " esmtp" : "", smtp_server_tls(x->s) ? " tls" : "",
               smtp_server_authenticated(x->s) ? " authenticated" : "");
}

static bool server_block(void *side, const struct talk_block *b)
{
    struct side *x = side;
    if (span_eq(b->kind, SPAN("message"))) {
        talk_expect(x->t, &x->body, b->text, true);
        return true;
    }
    if (span_eq(b->kind, SPAN("state"))) {
        CLEANUP(buf_free) struct buf now = BUF(4096);
        state_show(x, &now);
        talk_expect(x->t, &now, b->text, false);
        return true;
    }
    if (span_eq(b->kind, SPAN("handshake"))) {
        if (!x->handshake)
            talk_fail(x->t, "no handshake is due");
        else
            smtp_server_secured(x->s);
        x->handshake = false;
    } else if (span_eq(b->kind, SPAN("answer"))) {
        struct span text = b->text;
        if (!x->asks)
            talk_fail(x->t, "no question waits");
        else
            answer(x, span_cut(&text, '\n'));
    } else if (span_eq(b->kind, SPAN("drain"))) {
        smtp_server_drain(x->s);
    } else {
        return false;
    }
    server_pump(x);
    return true;
}

static void server_free(void *side)
{
    struct side *x = side;
    smtp_server_free(x->s);
    buf_free(&x->body);
    free(x);
}

const struct talk_side talk_server = {
    .name = "server",
    .start = server_start,
    .pump = server_pump,
    .tick = server_tick,
    .deadline = server_deadline,
    .hear = "client",
    .say = "server",
    .block = server_block,
    .free = server_free,
};
