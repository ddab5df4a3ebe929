#include "smtp_server_private.h"

enum { IDLE_COMMANDS_MAX = 200 }; // without a message among them

static void helo_put(struct smtp_server *s, struct span name, bool esmtp)
{
    if (!span_copy(s->helo, sizeof s->helo, name))
        panic("a checked HELO name of %zu bytes", name.len);
    s->helo_span = (struct span){s->helo, name.len};
    s->esmtp = esmtp;
    smtp_server_reset(s); // RFC 5321 §4.1.4
}

static struct smtp_reply do_helo(struct smtp_server *s, const struct smtp_command *c)
{
    if (!smtp_helo_ok(c->rest))
        return SMTP_REPLY(501, "5.5.4", "Syntax: HELO hostname");
    helo_put(s, c->rest, false);
    buf_printf(&s->out, "250 %.*s\r\n", SPAN_FMT(s->conf->hostname));
    return (struct smtp_reply){0};
}

static struct smtp_reply do_ehlo(struct smtp_server *s, const struct smtp_command *c)
{
    if (!smtp_helo_ok(c->rest))
        return SMTP_REPLY(501, "5.5.4", "Syntax: EHLO hostname");
    helo_put(s, c->rest, true);
    buf_printf(&s->out, "250-%.*s\r\n", SPAN_FMT(s->conf->hostname));
    buf_printf(&s->out,
               "250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
               "250-CHUNKING\r\n250-DSN\r\n",
               (unsigned long long)s->conf->max_size);
    if (s->conf->starttls && !s->tls)
        buf_printf(&s->out, "250-STARTTLS\r\n");
    if (s->tls) // RFC 8689 §2
        buf_printf(&s->out, "250-REQUIRETLS\r\n");
    if (s->tls && smtp_server_offers_auth(s))
        buf_printf(&s->out, "250-AUTH %.*s\r\n", SPAN_FMT(s->conf->mechanisms));
    buf_printf(&s->out, "250 ENHANCEDSTATUSCODES\r\n");
    return (struct smtp_reply){0};
}

// RFC 6409 §4.3: who submits is known.
static struct smtp_reply mail_objection(const struct smtp_server *s)
{
    bool users = s->conf->service != SMTP_SERVICE_MX;
    if (s->helo_span.len == 0)
        return SMTP_REPLY(503, "5.5.1", "EHLO first");
    if (s->open)
        return SMTP_REPLY(503, "5.5.1", "MAIL was given already");
    if (users && !s->tls)
        return SMTP_REPLY(530, "5.7.0", "STARTTLS first, then AUTH");
    if (users && !s->authenticated)
        return SMTP_REPLY(530, "5.7.0", "AUTH first");
    if (s->messages >= s->conf->max_messages)
        return SMTP_REPLY(421, "4.7.0", "Enough messages for one session");
    return (struct smtp_reply){0};
}

static struct smtp_reply mail_take(struct smtp_server *s, struct span rest)
{
    struct smtp_transaction *t = &s->transaction;
    struct smtp_reply bad = smtp_mail_parse(t, rest, s->esmtp, &s->memory);
    if (!bad.code && t->declared_size > s->conf->max_size)
        return SMTP_REPLY(552, "5.3.4", "Message too big");
    if (!bad.code && t->requiretls && !s->tls) // RFC 8689 §2
        return SMTP_REPLY(530, "5.7.10", "REQUIRETLS needs TLS: STARTTLS first");
    return bad;
}

static struct smtp_reply do_mail(struct smtp_server *s, const struct smtp_command *c)
{
    struct smtp_reply bad = mail_objection(s);
    if (bad.code)
        return bad;
    smtp_server_reset(s);
    bad = mail_take(s, c->rest);
    if (bad.code)
        smtp_server_reset(s);
    else
        smtp_server_ask(s, SMTP_SERVER_ASK_MAIL, &s->transaction.sender);
    return bad;
}

static struct smtp_reply do_rcpt(struct smtp_server *s, const struct smtp_command *c)
{
    if (!s->open)
        return SMTP_REPLY(503, "5.5.1", "MAIL first");
    if (s->chunking)
        return SMTP_REPLY(503, "5.5.1", "RCPT comes before BDAT");
    arena_free(&s->scratch);
    struct smtp_reply bad =
        smtp_rcpt_parse(&s->recipient, c->rest, s->esmtp, s->transaction.smtputf8, &s->scratch);
    if (!bad.code && s->transaction.count >= s->conf->max_recipients)
        bad = SMTP_REPLY(452, "4.5.3", "Too many recipients");
    s->refused_recipients += bad.code != 0;
    if (!bad.code)
        smtp_server_ask(s, SMTP_SERVER_ASK_RCPT, &s->recipient.address);
    return bad;
}

static struct smtp_reply do_data(struct smtp_server *s, const struct smtp_command *c)
{
    (void)c;
    if (!s->open)
        return SMTP_REPLY(503, "5.5.1", "MAIL first");
    if (s->chunking) { // RFC 3030 §2
        smtp_server_reset(s);
        return SMTP_REPLY(503, "5.5.1", "DATA after BDAT, the message is dropped");
    }
    if (s->transaction.count == 0 && s->refused_recipients == 0)
        return SMTP_REPLY(503, "5.5.1", "RCPT first");
    if (s->transaction.count == 0) {
        smtp_server_reset(s);
        return SMTP_REPLY(554, "5.5.1", "No valid recipients");
    }
    smtp_server_ask(s, SMTP_SERVER_ASK_DATA, NULL);
    return (struct smtp_reply){0};
}

static struct smtp_reply do_rset(struct smtp_server *s, const struct smtp_command *c)
{
    (void)c;
    smtp_server_reset(s);
    return SMTP_REPLY(250, "2.0.0", "Flushed");
}

static struct smtp_reply do_noop(struct smtp_server *s, const struct smtp_command *c)
{
    (void)s, (void)c;
    return SMTP_REPLY(250, "2.0.0", "OK");
}

static struct smtp_reply do_quit(struct smtp_server *s, const struct smtp_command *c)
{
    (void)c;
    smtp_server_say_last(s, &SMTP_REPLY(221, "2.0.0", "Bye"));
    return (struct smtp_reply){0};
}

// RFC 5321 §3.5.3: whether an address exists is not told, but mail is tried.
static struct smtp_reply do_vrfy(struct smtp_server *s, const struct smtp_command *c)
{
    (void)s;
    return c->rest.len ? SMTP_REPLY(252, "2.0.0", "Send some mail, delivery will be tried")
                       : SMTP_REPLY(501, "5.5.4", "Syntax: VRFY address");
}

static struct smtp_reply do_help(struct smtp_server *s, const struct smtp_command *c)
{
    (void)s, (void)c;
    return SMTP_REPLY(
        214, "2.0.0",
        "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP STARTTLS AUTH, see RFC 5321");
}

static struct smtp_reply do_starttls(struct smtp_server *s, const struct smtp_command *c)
{
    (void)c;
    if (s->tls)
        return SMTP_REPLY(503, "5.5.1", "TLS is active already");
    if (!s->conf->starttls)
        return SMTP_REPLY(502, "5.5.1", "TLS is not offered");
    buf_printf(&s->out, "220 2.0.0 Ready for TLS\r\n");
    s->state = STATE_STARTTLS;
    return (struct smtp_reply){0};
}

static struct smtp_reply do_absent(struct smtp_server *s, const struct smtp_command *c)
{
    (void)s, (void)c;
    return SMTP_REPLY(502, "5.5.1", "Command not implemented");
}

static struct smtp_reply do_unknown(struct smtp_server *s, const struct smtp_command *c)
{
    (void)s, (void)c;
    return SMTP_REPLY(500, "5.5.2", "Unknown command");
}

static struct smtp_reply do_foreign(struct smtp_server *s, const struct smtp_command *c)
{
    (void)c;
    smtp_server_say_last(s, &SMTP_REPLY(502, "5.5.1", "This is a mail server, it speaks no HTTP"));
    return (struct smtp_reply){0};
}

// A handler returns the reply, or code 0 where it has put out one itself or asks.
static const struct {
    struct smtp_reply (*run)(struct smtp_server *s, const struct smtp_command *c);
    bool alone; // takes no argument
    bool idle;  // brings no message nearer
} handlers[SMTP_VERB_COUNT] = {
    [SMTP_VERB_UNKNOWN] = {do_unknown, false, true},
    [SMTP_VERB_EHLO] = {do_ehlo, false, true},
    [SMTP_VERB_HELO] = {do_helo, false, true},
    [SMTP_VERB_MAIL] = {do_mail, false, false},
    [SMTP_VERB_RCPT] = {do_rcpt, false, false},
    [SMTP_VERB_DATA] = {do_data, true, false},
    [SMTP_VERB_RSET] = {do_rset, true, true},
    [SMTP_VERB_NOOP] = {do_noop, false, true},
    [SMTP_VERB_QUIT] = {do_quit, true, true},
    [SMTP_VERB_VRFY] = {do_vrfy, false, true},
    [SMTP_VERB_EXPN] = {do_absent, false, true},
    [SMTP_VERB_HELP] = {do_help, false, true},
    [SMTP_VERB_STARTTLS] = {do_starttls, true, true},
    [SMTP_VERB_AUTH] = {smtp_server_do_auth, false, true},
    [SMTP_VERB_ABSENT] = {do_absent, false, true},
    [SMTP_VERB_BDAT] = {smtp_server_do_bdat, false, false},
    [SMTP_VERB_FOREIGN] = {do_foreign, false, true},
};

static bool idle_too_long(struct smtp_server *s, enum smtp_verb verb)
{
    s->idle_commands += handlers[verb].idle;
    return s->idle_commands > IDLE_COMMANDS_MAX && verb != SMTP_VERB_QUIT;
}

void smtp_server_execute(struct smtp_server *s, struct span line)
{
    struct smtp_command c;
    struct smtp_reply r = smtp_command_parse(&c, line);
    if (r.code)
        s->refused_recipients += c.verb == SMTP_VERB_RCPT;
    else if (idle_too_long(s, c.verb))
        r = SMTP_REPLY(421, "4.7.0", "Too many commands without a message");
    else if (handlers[c.verb].alone && c.rest.len)
        r = SMTP_REPLY(501, "5.5.4", "This command has no argument");
    else
        r = handlers[c.verb].run(s, &c);
    if (r.code)
        smtp_server_say(s, &r);
}
