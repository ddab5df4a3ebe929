// LMTP replies (RFC 2033 §4.2): many recipients, a server that says anything. Each
// recipient that was accepted has the reply that is its own, in their order.
#include "smtp_client.h"
#include "smtp_server.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 4, RECIPIENTS = 12 };

struct drive {
    struct smtp_client *c;
    struct smtp_client_recipient recipients[RECIPIENTS];
    struct smtp_client_transaction t;
    struct buf said; // behind the final dot
    bool begun, over, ended;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

// Replies behind the dot, read once more and apart from the machine.
static void replies_check(struct drive *d)
{
    CLEANUP(buf_free) struct buf text = BUF(SMTP_REPLY_TEXT_MAX + SMTP_LINE_MAX);
    struct span said = buf_span(&d->said);
    struct smtp_reply r;
    for (size_t i = 0; i < d->t.count; i++) {
        const struct smtp_client_recipient *to = &d->recipients[i];
        if (to->outcome != SMTP_ACCEPTED)
            continue;
        bool found = false;
        while (!found && smtp_reply_take(&r, &said, &text) == 1)
            found = r.code == to->reply.code;
        check(found);
    }
}

static void outcomes_check(struct drive *d)
{
    bool dsn = smtp_client_capabilities(d->c)->dsn;
    for (size_t i = 0; d->begun && i < d->t.count; i++) {
        const struct smtp_client_recipient *to = &d->recipients[i];
        check(to->outcome != SMTP_PENDING);
        check(to->outcome != SMTP_ACCEPTED || (d->ended && to->reply.code / 100 == 2));
        check(to->outcome != SMTP_REJECTED || to->reply.code >= 500);
        check(to->dsn == (to->outcome == SMTP_ACCEPTED && dsn));
    }
    replies_check(d);
}

static void body(struct drive *d)
{
    CLEANUP(buf_free) struct buf out = BUF(4096);
    smtp_client_body(d->c, SPAN("Subject: x\r\n\r\n.x"), &out);
    smtp_client_body_end(d->c, &out);
    d->ended = true;
}

static bool step_take(struct drive *d, struct span *in)
{
    struct smtp_client_step step = smtp_client_next(d->c, in);
    switch (step.kind) {
    case SMTP_CLIENT_READ:
        return false;
    case SMTP_CLIENT_CAPABLE:
        d->begun = true;
        smtp_client_begin(d->c, &d->t);
        break;
    case SMTP_CLIENT_BODY:
        body(d);
        buf_put(&d->said, *in); // came in one piece with the 354
        break;
    case SMTP_CLIENT_DONE:
        outcomes_check(d);
        smtp_client_quit(d->c);
        d->t.count = 0;
        break;
    case SMTP_CLIENT_CLOSE:
        outcomes_check(d);
        d->over = true;
        return false;
    case SMTP_CLIENT_SEND:
    case SMTP_CLIENT_HANDSHAKE:
    case SMTP_CLIENT_NO_TLS:
        break;
    }
    return true;
}

static void hear(struct drive *d, struct span piece, struct buf *unread)
{
    buf_put(unread, piece);
    struct span in = buf_span(unread);
    if (d->ended)
        buf_put(&d->said, piece);
    size_t bound = in.len * 2 + 64;
    while (!d->over && step_take(d, &in))
        check(bound-- > 0);
    buf_consume(unread, unread->len - in.len);
}

static void end(struct drive *d)
{
    struct span none = SPAN("");
    bool uncertain;
    smtp_client_lost(d->c, RC(CLOSED), &uncertain);
    check(!uncertain || d->ended);
    while (!d->over)
        step_take(d, &none);
}

static void drive(struct drive *d, struct span input, uint32_t chunks)
{
    CLEANUP(buf_free) struct buf unread = BUF(1 << 20);
    while (input.len && !d->over) {
        chunks = chunks * 1664525u + 1013904223u;
        size_t n = (chunks >> 8) % 40 + 1;
        hear(d, span_first(input, n), &unread);
        input = span_skip(input, n);
    }
    if (!d->over)
        end(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    struct smtp_client_conf conf = {.hostname = SPAN("x"),
                                    .lmtp = true,
                                    .connect_us = SECONDS(300),
                                    .command_us = SECONDS(300),
                                    .data_us = SECONDS(180),
                                    .end_us = SECONDS(600)};
    struct drive d = {.said = BUF(1 << 20)};
    d.t = (struct smtp_client_transaction){.sender = SPAN("s@example.net"),
                                           .envid = SPAN("e"),
                                           .ret = data[1] % 4,
                                           .recipients = d.recipients,
                                           .count = data[0] % (RECIPIENTS + 1)};
    for (size_t i = 0; i < d.t.count; i++) {
        d.recipients[i].address = SPAN("a@example.org");
        d.recipients[i].notify = data[2] & 15;
    }
    d.c = smtp_client_new(&conf, (struct mono){0});
    drive(&d, (struct span){(const char *)data + HEAD, size - HEAD}, data[3]);
    smtp_client_free(d.c);
    buf_free(&d.said);
    return 0;
}
