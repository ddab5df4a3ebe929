// Drives the client machine: the input is what the server says, its head chooses
// chunks and decisions. Every transaction must end with an outcome for all.
#include "smtp_client.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 4, RECIPIENTS = 3 };

struct drive {
    struct smtp_client *c;
    struct smtp_client_recipient recipients[RECIPIENTS];
    struct smtp_client_transaction t;
    unsigned flags, messages;
    bool begun, sent_all, over;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void outcomes_check(const struct drive *d)
{
    for (size_t i = 0; d->begun && i < d->t.count; i++) {
        const struct smtp_client_recipient *r = &d->recipients[i];
        check(r->outcome != SMTP_PENDING);
        check(r->outcome != SMTP_ACCEPTED || (d->sent_all && r->reply.code / 100 == 2));
        check(r->reply.code == 0 || (r->reply.code >= 200 && r->reply.code < 600));
        check(r->outcome != SMTP_REJECTED || r->reply.code >= 500);
        for (size_t k = 0; k < r->reply.text.len; k++)
            check(r->reply.text.at[k] != '\r' && r->reply.text.at[k] != '\0');
    }
}

static void begin(struct drive *d)
{
    if (d->messages++ > 2) {
        smtp_client_quit(d->c);
        return;
    }
    d->begun = true;
    d->sent_all = false;
    smtp_client_begin(d->c, &d->t);
}

static void capable(struct drive *d)
{
    if (d->flags & 1 && smtp_client_capabilities(d->c)->starttls) {
        d->flags &= ~1u;
        smtp_client_starttls(d->c);
    } else {
        begin(d);
    }
}

static void body(struct drive *d)
{
    CLEANUP(buf_free) struct buf out = BUF(4096);
    size_t open = 0;
    for (size_t i = 0; i < d->t.count; i++)
        open += d->recipients[i].outcome == SMTP_PENDING;
    check(open > 0);
    smtp_client_body(d->c, SPAN("Subject: x\r\n\r\n.\r\nx\n.\nx"), &out);
    smtp_client_body_end(d->c, &out);
    check(span_eq(buf_span(&out), SPAN("Subject: x\r\n\r\n..\r\nx\r\n..\r\nx\r\n.\r\n")));
    d->sent_all = true;
}

static bool step_take(struct drive *d, struct span *in)
{
    struct smtp_client_step step = smtp_client_next(d->c, in);
    switch (step.kind) {
    case SMTP_CLIENT_READ:
        return false;
    case SMTP_CLIENT_SEND:
        check(span_ends(step.bytes, SPAN("\r\n")));
        break;
    case SMTP_CLIENT_CAPABLE:
        capable(d);
        break;
    case SMTP_CLIENT_HANDSHAKE:
        check(in->len == 0);
        smtp_client_secured(d->c);
        break;
    case SMTP_CLIENT_NO_TLS:
        begin(d);
        break;
    case SMTP_CLIENT_BODY:
        if (!(d->flags & 2))
            body(d);
        break;
    case SMTP_CLIENT_DONE:
        outcomes_check(d);
        begin(d);
        break;
    case SMTP_CLIENT_CLOSE:
        outcomes_check(d);
        d->over = true;
        return false;
    }
    return true;
}

static void pump(struct drive *d, struct span *in)
{
    size_t bound = in->len * 2 + 64;
    while (!d->over && step_take(d, in))
        check(bound-- > 0);
}

static void drive(struct drive *d, struct span input, uint32_t chunks)
{
    size_t have = 0, done = 0;
    while (have < input.len && !d->over) {
        chunks = chunks * 1664525u + 1013904223u;
        size_t more = (chunks >> 8) % 40 + 1;
        have = more < input.len - have ? have + more : input.len;
        char *exact = mem_new(have - done + 1);
        for (size_t i = done; i < have; i++)
            exact[i - done] = input.at[i];
        struct span in = {exact, have - done};
        pump(d, &in);
        done = have - in.len;
        free(exact);
    }
}

static void end(struct drive *d)
{
    struct span none = SPAN("");
    bool uncertain;
    if (d->flags & 4)
        smtp_client_lost(d->c, RC(CLOSED), &uncertain);
    while (!d->over) {
        if (smtp_client_deadline(d->c).us == MONO_NEVER.us)
            smtp_client_lost(d->c, RC(CLOSED), &uncertain);
        else
            smtp_client_tick(d->c, smtp_client_deadline(d->c));
        pump(d, &none);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    struct smtp_client_conf conf = {.hostname = SPAN("x"),
                                    .lmtp = data[0] & 1,
                                    .connect_us = SECONDS(300),
                                    .command_us = SECONDS(300),
                                    .data_us = SECONDS(180),
                                    .end_us = SECONDS(600)};
    struct drive d = {.recipients = {{.address = SPAN("a@example.org")},
                                     {.address = SPAN("b@example.org")},
                                     {.address = SPAN("bad\r\nQUIT")}},
                      .flags = data[1]};
    d.t = (struct smtp_client_transaction){.sender = SPAN("s@example.net"),
                                           .size = data[3],
                                           .eight_bit = data[0] & 2,
                                           .requiretls = data[0] & 4,
                                           .recipients = d.recipients,
                                           .count = (size_t)(data[0] >> 3) % (RECIPIENTS + 1)};
    d.c = smtp_client_new(&conf, (struct mono){0});
    drive(&d, (struct span){(const char *)data + HEAD, size - HEAD}, data[2]);
    end(&d);
    smtp_client_free(d.c);
    return 0;
}
