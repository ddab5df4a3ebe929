// Drives the server machine with chunks and answers that the input chooses, and
// again with everything at once: both must say and accept the same.
#include "smtp_server.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 4 };

struct drive {
    struct smtp_server *s;
    struct smtp_server_conf conf;
    uint32_t seed;
    struct buf said, kept; // all replies; all committed messages
    struct buf body;
    bool mail, data, tls_asked, exchange;
    size_t recipients;
    bool tls_deny;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

// Depends on the question only, so that both drives answer alike.
static struct smtp_reply choose(struct drive *d, const struct mail_address *a)
{
    size_t n = a ? a->text.len + (a->text.len ? (unsigned char)a->text.at[0] : 0) : d->kept.len;
    static const unsigned codes[] = {250, 250, 250, 250, 250, 550, 451, 250};
    unsigned code = codes[(n + d->conf.max_size) % 8];
    return (struct smtp_reply){.code = code, .status = "", .text = SPAN("so be it")};
}

static void body_check(struct drive *d, struct span piece)
{
    check(d->data && piece.len > 0);
    for (size_t i = 0; i < piece.len; i++) {
        bool after_cr = d->body.len && d->body.at[d->body.len - 1] == '\r';
        check(after_cr == (piece.at[i] == '\n')); // never bare
        check(piece.at[i] != '\0');
        buf_putc(&d->body, piece.at[i]);
    }
    check(d->body.len <= d->conf.max_size);
}

static void said_check(struct drive *d, struct span bytes)
{
    check(bytes.len > 5 && span_ends(bytes, SPAN("\r\n")));
    buf_put(&d->said, bytes);
    while (bytes.len) {
        struct span line = span_cut(&bytes, '\n');
        check(line.len >= 5 && line.len <= 511 && line.at[0] >= '2' && line.at[0] <= '5');
        check(span_index(line, '\r') == line.len - 1);
    }
}

static void recipient_check(const struct smtp_transaction *t, const struct smtp_recipient *to)
{
    check(to->address.text.len > 0 && (t->smtputf8 || span_is_ascii(to->address.text)));
    check(to->orcpt.len <= 500 && span_is_ascii(to->orcpt));
    check(!(to->notify & SMTP_NOTIFY_NEVER) || to->notify == SMTP_NOTIFY_NEVER);
}

static void sender_check(struct drive *d, const struct smtp_transaction *t)
{
    check(t->smtputf8 || span_is_ascii(t->sender.text));
    check(t->envid.len <= 100 && span_is_ascii(t->envid));
    check(!t->requiretls || smtp_server_tls(d->s));
    check(d->conf.service == SMTP_SERVICE_MX || smtp_server_authenticated(d->s));
}

// The exchange goes on, ends well, badly, or without an answer.
static void auth_asked(struct drive *d, const struct smtp_server_step *step)
{
    static const unsigned codes[] = {235, 334, 535, 454};
    unsigned code = codes[(step->bytes.len + d->conf.max_size) % 4];
    bool first = step->kind == SMTP_SERVER_ASK_AUTH;
    check(d->conf.service != SMTP_SERVICE_MX && smtp_server_tls(d->s) && !d->mail && !d->data);
    check(!smtp_server_authenticated(d->s) && d->exchange != first && step->mechanism.len > 0);
    check(step->has_initial || step->bytes.len == 0 || !first);
    d->exchange = code == 334;
    d->exchange = d->exchange && smtp_server_challenge(d->s, step->bytes);
    if (!d->exchange)
        smtp_server_answer(d->s, &(struct smtp_reply){.code = code == 334 ? 535 : code});
}

static void asked(struct drive *d, const struct smtp_server_step *step)
{
    const struct smtp_transaction *t = smtp_server_transaction(d->s);
    struct smtp_reply r = choose(d, step->address);
    if (step->kind == SMTP_SERVER_ASK_MAIL) {
        check(!d->data && t->count == 0 && step->address);
        sender_check(d, t);
        d->mail = r.code == 250;
    } else if (step->kind == SMTP_SERVER_ASK_RCPT) {
        check(d->mail && !d->data && step->address && step->address->kind != MAIL_NULL);
    } else {
        check(t->count > 0 && t->count <= d->conf.max_recipients);
        for (size_t i = 0; i < t->count; i++)
            recipient_check(t, &t->recipients[i]);
    }
    if (step->kind == SMTP_SERVER_ASK_DATA)
        check(!d->data);
    if (step->kind == SMTP_SERVER_COMMIT) {
        check(d->data && (d->body.len == 0 || span_ends(buf_span(&d->body), SPAN("\r\n"))));
        buf_put(&d->kept, buf_span(&d->body));
        buf_putc(&d->kept, '|');
    }
    buf_clear(&d->body);
    d->data = step->kind == SMTP_SERVER_ASK_DATA && r.code == 250;
    smtp_server_answer(d->s, &r);
    if (step->kind == SMTP_SERVER_COMMIT || (step->kind == SMTP_SERVER_ASK_DATA && !d->data))
        d->mail = false;
}

// False: it waits or is over.
static bool step_take(struct drive *d, struct span *in)
{
    struct smtp_server_step step = smtp_server_next(d->s, in);
    switch (step.kind) {
    case SMTP_SERVER_SEND:
        said_check(d, step.bytes);
        return true;
    case SMTP_SERVER_BODY:
        body_check(d, step.bytes);
        return true;
    case SMTP_SERVER_ABORT:
        check(d->data);
        d->data = d->mail = false;
        buf_clear(&d->body);
        return true;
    case SMTP_SERVER_STARTTLS:
        d->tls_asked |= d->said.len > 0; // by a command, which chunks may belie
        if (d->tls_deny)
            return false;
        smtp_server_tick(d->s, (struct mono){0});
        smtp_server_secured(d->s);
        d->mail = false;
        return true;
    case SMTP_SERVER_ASK_AUTH:
    case SMTP_SERVER_ASK_AUTH_MORE:
        auth_asked(d, &step);
        return true;
    case SMTP_SERVER_AUTH_CANCEL:
        check(d->exchange);
        d->exchange = false;
        return true;
    case SMTP_SERVER_READ:
    case SMTP_SERVER_CLOSE:
        return false;
    default:
        asked(d, &step);
        return true;
    }
}

static void pump(struct drive *d, struct span *in)
{
    size_t bound = in->len * 4 + 64;
    while (step_take(d, in))
        check(bound-- > 0);
}

static void drive(struct drive *d, struct span input, uint32_t chunks)
{
    size_t have = 0, done = 0;
    struct span none = SPAN("");
    struct mono now = {0};
    d->s = smtp_server_new(&d->conf, now);
    d->said = d->kept = d->body = BUF(1 << 24);
    pump(d, &none);
    while (have < input.len) {
        size_t more = chunks ? next_random(&chunks) % 40 + 1 : input.len;
        have = more < input.len - have ? have + more : input.len;
        char *exact = mem_new(have - done + 1);
        for (size_t i = done; i < have; i++)
            exact[i - done] = input.at[i];
        struct span in = {exact, have - done};
        smtp_server_tick(d->s, now);
        pump(d, &in);
        done = have - in.len;
        free(exact);
    }
    smtp_server_tick(d->s, smtp_server_deadline(d->s));
    pump(d, &none);
    check(smtp_server_next(d->s, &none).kind == SMTP_SERVER_CLOSE || d->tls_asked);
}

static void over(struct drive *d)
{
    smtp_server_free(d->s);
    buf_free(&d->said);
    buf_free(&d->kept);
    buf_free(&d->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    struct drive a = {
        .conf = {.service = data[2] / 32u % SMTP_SERVICES,
                 .mechanisms = SPAN("PLAIN LOGIN SCRAM-SHA-256"),
                 .hostname = SPAN("mx.example.org"),
                 .max_size = 16 + data[0] * 8u,
                 .max_recipients = 1 + data[1] % 8u,
                 .max_errors = 8 + data[1] / 8u,
                 .max_messages = 1 + data[2] % 8u,
                 .command_us = SECONDS(300),
                 .data_us = SECONDS(180),
                 .session_us = SECONDS(7200),
                 .starttls = data[2] & 8},
        .tls_deny = data[2] & 16,
    };
    struct drive b = a;
    struct span input = {(const char *)data + HEAD, size - HEAD};
    drive(&a, input, 1u + data[3]);
    drive(&b, input, 0);
    if (!a.tls_asked && !b.tls_asked && (a.said.len || b.said.len)) {
        check(span_eq(buf_span(&a.said), buf_span(&b.said)));
        check(span_eq(buf_span(&a.kept), buf_span(&b.kept)));
    }
    over(&a);
    over(&b);
    return 0;
}
