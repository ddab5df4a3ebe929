#include "smtp_client_private.h"
#include "smtp_server.h"

enum { ADDRESS_MAX = 448, ENVID_MAX = 100, ORCPT_MAX = 500, PARSE_ROOM = 4096 };

#define REPLY(n, s, t) ((struct smtp_reply){.code = (n), .status = s, .text = SPAN(t)})

// ---- addresses ----

// U-labels become A-labels, which every server takes (RFC 6531 §3.2).
static struct span wire_form(struct smtp_client *c, struct span a)
{
    CLEANUP(arena_free) struct arena scratch = ARENA(PARSE_ROOM);
    CLEANUP(buf_free) struct buf b = BUF(ADDRESS_MAX);
    struct mail_address parsed;
    if (span_is_ascii(a) || a.len > ADDRESS_MAX)
        return a;
    if (!mail_address_parse(&parsed, a, true, &scratch) || parsed.kind != MAIL_DOMAIN)
        return a;
    buf_put(&b, parsed.local);
    buf_putc(&b, '@');
    buf_put(&b, dns_name_span(&parsed.domain));
    struct span kept = arena_dup(&c->memory, buf_span(&b));
    return rc_ok(buf_state(&b)) && kept.at ? kept : a;
}

// What would let an address end its command, or mean something else in it.
static bool address_fits(struct span a, bool utf8)
{
    bool quoted = false;
    for (size_t i = 0; i < a.len; i++) {
        unsigned char b = (unsigned char)a.at[i];
        if (b < 0x20 || b == 0x7f || (b >= 0x80 && !utf8))
            return false;
        if (!quoted && (b == ' ' || b == '<' || b == '>'))
            return false;
        if (quoted && b == '\\')
            i++;
        else if (b == '"')
            quoted = !quoted;
    }
    return !quoted && a.len < ADDRESS_MAX;
}

static bool all_printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
            return false;
    return true;
}

// Code 0: the address can be sent.
static struct smtp_reply address_check(const struct smtp_client *c, struct span a, bool recipient)
{
    if (all_printable(a) && !span_is_ascii(a) && !c->capabilities.smtputf8)
        return REPLY(553, "5.6.7", "The next server does not take non-ASCII addresses");
    if ((recipient && a.len == 0) || !address_fits(a, c->capabilities.smtputf8))
        return recipient ? REPLY(553, "5.1.3", "Not an address that can be sent to")
                         : REPLY(553, "5.1.7", "Not a sender address that can be sent");
    return (struct smtp_reply){0};
}

// ---- refusals before a word is said ----

// Code 0: none.
static struct smtp_reply message_check(const struct smtp_client *c)
{
    const struct smtp_capabilities *can = &c->capabilities;
    if (c->t->requiretls && !can->requiretls)
        return REPLY(550, "5.7.30", "The next server does not offer REQUIRETLS");
    struct smtp_reply sender = address_check(c, c->sender, false);
    if (sender.code)
        return sender;
    if (c->t->utf8 && !can->smtputf8) // RFC 6531 §3.5
        return REPLY(550, "5.6.9",
                     "The message needs SMTPUTF8, which the next server does not offer");
    if (c->t->eight_bit && !can->eight_bit) // RFC 6152 §3
        return REPLY(554, "5.6.3", "8-bit content, and the next server has no 8BITMIME");
    if (can->size && c->t->size > can->size)
        return REPLY(552, "5.3.4", "Bigger than the next server takes");
    return (struct smtp_reply){0};
}

void smtp_client_refuse_own(struct smtp_client *c)
{
    c->sender = wire_form(c, c->t->sender);
    struct smtp_reply r = message_check(c);
    for (size_t i = 0; i < c->t->count; i++) {
        struct smtp_client_recipient *to = &c->t->recipients[i];
        to->wire = wire_form(c, to->address);
        to->reply = address_check(c, to->wire, true);
        if (!to->reply.code)
            to->reply = r;
        to->own = to->reply.code != 0;
        to->outcome = to->own ? SMTP_REJECTED : SMTP_PENDING;
    }
}

// ---- commands ----

static bool needs_utf8(const struct smtp_client *c)
{
    bool needs = c->t->utf8 || !span_is_ascii(c->sender);
    for (size_t i = 0; i < c->t->count; i++)
        needs |=
            c->t->recipients[i].outcome == SMTP_PENDING && !span_is_ascii(c->t->recipients[i].wire);
    return needs;
}

// The value of a parameter (RFC 5321 §4.1.2, esmtp-value): what is none is left out.
static bool value_fits(struct span s, size_t most)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~' || s.at[i] == '=')
            return false;
    return s.len > 0 && s.len <= most;
}

// RFC 3461 §5.2.1: passed on as they came, or not at all.
static void mail_put_dsn(struct smtp_client *c)
{
    static const char *const rets[] = {
        [SMTP_RET_DEFAULT] = "", [SMTP_RET_FULL] = " RET=FULL", [SMTP_RET_HEADERS] = " RET=HDRS"};
    const struct smtp_client_transaction *t = c->t;
    if (t->ret < sizeof rets / sizeof *rets)
        buf_put(&c->out, span_str(rets[t->ret]));
    if (value_fits(t->envid, ENVID_MAX))
        buf_printf(&c->out, " ENVID=%.*s", SPAN_FMT(t->envid));
}

void smtp_client_mail_put(struct smtp_client *c)
{
    const struct smtp_client_transaction *t = c->t;
    buf_printf(&c->out, "MAIL FROM:<%.*s>", SPAN_FMT(c->sender));
    if (c->capabilities.size_given)
        buf_printf(&c->out, " SIZE=%llu", (unsigned long long)t->size);
    if (t->eight_bit)
        buf_put(&c->out, SPAN(" BODY=8BITMIME"));
    if (t->requiretls)
        buf_put(&c->out, SPAN(" REQUIRETLS"));
    if (needs_utf8(c))
        buf_put(&c->out, SPAN(" SMTPUTF8"));
    if (c->capabilities.dsn)
        mail_put_dsn(c);
    buf_put(&c->out, SPAN("\r\n"));
}

// RFC 3461 §4.1; NEVER stands alone.
static void notify_put(struct buf *b, uint8_t notify)
{
    static const struct {
        uint8_t bit;
        const char *word;
    } words[] = {{SMTP_NOTIFY_SUCCESS, "SUCCESS"},
                 {SMTP_NOTIFY_FAILURE, "FAILURE"},
                 {SMTP_NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    if (notify & SMTP_NOTIFY_NEVER) {
        buf_put(b, SPAN(" NOTIFY=NEVER"));
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!(notify & words[i].bit))
            continue;
        buf_printf(b, "%s%s", before, words[i].word);
        before = ",";
    }
}

void smtp_client_rcpt_put(struct smtp_client *c, size_t recipient)
{
    const struct smtp_client_recipient *to = &c->t->recipients[recipient];
    buf_printf(&c->out, "RCPT TO:<%.*s>", SPAN_FMT(to->wire));
    if (c->capabilities.dsn)
        notify_put(&c->out, to->notify);
    if (c->capabilities.dsn && value_fits(to->orcpt, ORCPT_MAX))
        buf_printf(&c->out, " ORCPT=%.*s", SPAN_FMT(to->orcpt));
    buf_put(&c->out, SPAN("\r\n"));
}
