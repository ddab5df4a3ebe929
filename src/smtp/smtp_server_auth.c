// AUTH (RFC 4954): its lines. The exchange is somebody else's.
#include "base_code.h"
#include "smtp_line.h"
#include "smtp_server_private.h"

#include <string.h>

// A response may hold a password.
void smtp_server_auth_forget(struct smtp_server *s)
{
    if (s->auth.at)
        explicit_bzero(s->auth.at, s->auth.cap);
    buf_free(&s->auth);
}

// The mechanism as we spell it; empty: it is not offered.
static struct span mechanism_find(const struct smtp_server *s, struct span name)
{
    struct span rest = s->conf->mechanisms;
    while (rest.len) {
        struct span one = span_cut(&rest, ' ');
        if (one.len && span_ieq(one, name))
            return one;
    }
    return SPAN("");
}

// False: no base64, which is not ignored (§4).
static bool response_keep(struct smtp_server *s, struct span text)
{
    smtp_server_auth_forget(s);
    s->auth = BUF(SMTP_AUTH_LINE_MAX);
    // At once, so that growing leaves no copy behind.
    bool ok = rc_ok(buf_reserve(&s->auth, text.len)) && code_get_base64(&s->auth, text) &&
              rc_ok(buf_state(&s->auth));
    if (!ok)
        smtp_server_auth_forget(s);
    return ok;
}

bool smtp_server_offers_auth(const struct smtp_server *s)
{
    return s->conf->service != SMTP_SERVICE_MX && s->conf->mechanisms.len > 0;
}

static struct smtp_reply objection(const struct smtp_server *s)
{
    if (!smtp_server_offers_auth(s))
        return SMTP_REPLY(502, "5.5.1", "AUTH is not offered on this port");
    if (!s->tls)
        return SMTP_REPLY(538, "5.7.11", "AUTH only inside TLS: STARTTLS first");
    if (!s->esmtp)
        return SMTP_REPLY(503, "5.5.1", "EHLO first");
    if (s->authenticated)
        return SMTP_REPLY(503, "5.5.1", "AUTH was done already");
    if (s->open)
        return SMTP_REPLY(503, "5.5.1", "AUTH comes before MAIL");
    return (struct smtp_reply){0};
}

struct smtp_reply smtp_server_do_auth(struct smtp_server *s, const struct smtp_command *c)
{
    struct span response = c->rest, name = span_cut(&response, ' ');
    struct smtp_reply no = objection(s);
    if (no.code)
        return no;
    s->mechanism = mechanism_find(s, name);
    if (name.len == 0)
        return SMTP_REPLY(501, "5.5.4", "Syntax: AUTH mechanism [response]");
    if (s->mechanism.len == 0)
        return SMTP_REPLY(504, "5.5.4", "This mechanism is not offered");
    s->auth_initial = response.at != NULL;
    bool none = !s->auth_initial || span_eq(response, SPAN("="));
    if (!response_keep(s, none ? SPAN("") : response) || (!none && response.len == 0))
        return SMTP_REPLY(501, "5.5.2", "The response is no base64");
    smtp_server_ask(s, SMTP_SERVER_ASK_AUTH, NULL);
    return (struct smtp_reply){0};
}

void smtp_server_auth_fill(struct smtp_server *s, struct smtp_server_step *step)
{
    if (step->kind != SMTP_SERVER_ASK_AUTH && step->kind != SMTP_SERVER_ASK_AUTH_MORE)
        return;
    step->bytes = buf_span(&s->auth);
    step->mechanism = s->mechanism;
    step->has_initial = step->kind == SMTP_SERVER_ASK_AUTH && s->auth_initial;
}

static bool cancel(struct smtp_server *s, struct smtp_reply r)
{
    s->cancel_due = true;
    s->state = STATE_COMMAND;
    smtp_server_say(s, &r);
    return false;
}

static bool response_take(struct smtp_server *s, struct span line)
{
    if (span_eq(line, SPAN("*")))
        return cancel(s, SMTP_REPLY(501, "5.7.0", "AUTH was given up"));
    if (!response_keep(s, line))
        return cancel(s, SMTP_REPLY(501, "5.5.2", "The response is no base64"));
    smtp_server_ask(s, SMTP_SERVER_ASK_AUTH_MORE, NULL);
    return false;
}

bool smtp_server_run_auth(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    struct span line;
    enum smtp_line_kind kind = smtp_line_take(in, SMTP_AUTH_LINE_MAX, &line);
    if (kind == SMTP_LINE_MORE)
        return smtp_server_wait_input(s, step);
    smtp_server_touch(s);
    if (kind == SMTP_LINE_WHOLE)
        return response_take(s, line);
    s->cancel_due = true;
    if (kind == SMTP_LINE_BARE)
        smtp_server_refuse_bare(s);
    else
        smtp_server_skip_line(s, SMTP_REPLY(500, "5.5.6", "The response is too long"));
    return false;
}

bool smtp_server_challenge(struct smtp_server *s, struct span bytes)
{
    bool asked = s->question == SMTP_SERVER_ASK_AUTH || s->question == SMTP_SERVER_ASK_AUTH_MORE;
    if (s->state == STATE_CLOSING || s->state == STATE_CLOSED)
        return true; // it came too late
    if (s->state != STATE_WAIT || !asked)
        panic("a challenge to nobody (state %d)", (int)s->state);
    if (bytes.len > SMTP_CHALLENGE_MAX)
        return false;
    buf_put(&s->out, SPAN("334 "));
    code_put_base64(&s->out, bytes);
    buf_put(&s->out, SPAN("\r\n"));
    smtp_server_auth_forget(s); // not before: the bytes may be those of the step
    s->state = STATE_AUTH;
    smtp_server_touch(s);
    return true;
}

struct smtp_reply smtp_server_answer_auth(struct smtp_server *s, struct smtp_reply r)
{
    s->authenticated = r.code == 235;
    return r;
}
