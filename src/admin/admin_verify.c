// geleit verify: SPF, DKIM, ARC and DMARC of a stored message, evaluated now, or as
// it would have been then.
#include "admin_auth.h"
#include "admin_verdict.h"

#include <stdlib.h>

enum { IP, MAIL_FROM, HELO, ZONE, NOW }; // as in admin_command.c
enum { FILE_MOST = 256 << 20, CHUNK = 65536 };

// ---- the envelope: given, or told by the header ----

static int take_envelope(const struct admin_call *call, struct admin_envelope *e)
{
    const char *ip = call->flags[IP], *sender = call->flags[MAIL_FROM], *helo = call->flags[HELO];
    if (ip && !dns_address_parse(&e->client, span_str(ip)))
        return admin_complain("--ip: '%s' is no IPv4 or IPv6 address", ip);
    e->client_known = e->client_known || ip;
    if (sender) {
        buf_clear(&e->sender);
        if (!admin_sender(&e->sender, sender))
            return admin_complain("--mail-from: '%s' is neither a mail address nor a domain",
                                  sender);
        e->sender_known = true;
    }
    if (helo) {
        buf_clear(&e->helo);
        buf_put(&e->helo, span_str(helo));
    }
    return ADMIN_DONE;
}

static void no_spf(struct admin_verdict *v, const struct admin_envelope *e)
{
    v->no_spf = e->client_known ? "No sender is known: give --mail-from, or a message with a "
                                  "Return-Path field."
                                : "No client address is known: give --ip, or a message whose "
                                  "first Received field says where it came from.";
}

// ---- the machine ----

static struct auth_step next(void *machine)
{
    return auth_message_next(machine);
}

static void answer(void *machine, unsigned ticket, const struct dns_answer *a)
{
    auth_message_answer(machine, ticket, a);
}

static void feed(struct auth_message *m, struct span message)
{
    while (message.len) {
        auth_message_feed(m, span_first(message, CHUNK));
        message = span_skip(message, CHUNK);
    }
    auth_message_end(m);
}

static int exit_status(const struct auth_message_result *r)
{
    static const int statuses[AUTH_RESULTS] = {
        [AUTH_NONE] = ADMIN_DONE,          [AUTH_PASS] = ADMIN_DONE,
        [AUTH_FAIL] = ADMIN_NEGATIVE,      [AUTH_SOFTFAIL] = ADMIN_NEGATIVE,
        [AUTH_NEUTRAL] = ADMIN_NEGATIVE,   [AUTH_POLICY] = ADMIN_NEGATIVE,
        [AUTH_PERMERROR] = ADMIN_NEGATIVE, [AUTH_TEMPERROR] = ADMIN_LATER,
    };
    return statuses[r->dmarc->result];
}

static int print(const struct admin_call *call, struct auth_message *m, struct admin_verdict *v)
{
    struct admin_page page = ADMIN_PAGE(admin_colour());
    CLEANUP(buf_free) struct buf field = BUF(1 << 20);
    v->result = auth_message_result(m);
    auth_message_put_results(m, &field, v->self.len ? dns_name_span(&v->self) : SPAN("localhost"),
                             true);
    v->field = buf_span(&field);
    if (call->json)
        admin_verdict_json(&page.out, v);
    else
        admin_verdict_show(&page, v);
    int status = admin_print(&page.out);
    buf_free(&page.out);
    return status == ADMIN_DONE ? exit_status(v->result) : status;
}

static int evaluate(const struct admin_call *call, struct admin_dns *d, struct span message,
                    struct admin_envelope *e, struct wall now)
{
    struct admin_verdict v = {.title = call->words[0], .envelope = e, .self = admin_self(d)};
    struct auth_message_request r = {
        .spf = {.client = e->client,
                .helo = buf_span(&e->helo),
                .mail_from = buf_span(&e->sender),
                .receiver = v.self,
                .now = now},
        .no_spf = !e->client_known || !e->sender_known,
        .dkim = {.now = now},
        .arc = {.now = now},
        .facts = {.most = DMARC_REJECT},
    };
    if (r.no_spf)
        no_spf(&v, e);
    CLEANUP(auth_message_free) struct auth_message *m = auth_message_new(&r);
    feed(m, message);
    admin_dns_run(d, &(struct admin_machine){.machine = m, .next = next, .answer = answer});
    return print(call, m, &v);
}

// ---- the command ----

static int read_message(const char *path, struct buf *out)
{
    CLEANUP(buf_free) struct buf text = BUF(FILE_MOST);
    int status = admin_file(path, &text);
    if (status != ADMIN_DONE)
        return status;
    if (text.len == 0)
        return admin_complain("%s is empty", path);
    admin_message_normalise(out, buf_span(&text));
    if (!rc_ok(buf_state(out)))
        return admin_complain("%s is too large", path);
    return ADMIN_DONE;
}

int admin_verify(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf message = BUF(2u * FILE_MOST);
    CLEANUP(admin_envelope_free) struct admin_envelope e = ADMIN_ENVELOPE;
    struct admin_dns d;
    struct wall now;
    int status = read_message(call->words[0], &message);
    if (status != ADMIN_DONE)
        return status;
    admin_envelope_read(&e, buf_span(&message));
    status = take_envelope(call, &e);
    if (status == ADMIN_DONE)
        status = admin_now(call->flags[NOW], &now);
    if (status == ADMIN_DONE)
        status = admin_dns_open(&d, call, call->flags[ZONE]);
    if (status != ADMIN_DONE)
        return status;
    status = evaluate(call, &d, buf_span(&message), &e, now);
    admin_dns_close(&d);
    return status;
}
