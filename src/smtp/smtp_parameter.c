// The parameters of MAIL and RCPT, a table each.
#include "mail_encode.h"
#include "smtp_command.h"

#include <string.h>

static const struct smtp_reply fine = {.code = 0};

// The next parameter KEY or KEY=VALUE (without "=", value->at is NULL); false: there
// is none left.
static bool parameter_take(struct span *rest, struct span *key, struct span *value)
{
    while (span_starts(*rest, SPAN(" ")))
        *rest = span_skip(*rest, 1);
    if (rest->len == 0)
        return false;
    struct span word = span_cut(rest, ' ');
    *key = span_cut(&word, '=');
    *value = word;
    return true;
}

static struct smtp_reply keep(struct span *out, struct span value, struct arena *a)
{
    *out = arena_dup(a, value);
    return out->at ? fine : SMTP_REPLY(452, "4.5.3", "Too many recipients");
}

static bool upper_hex(struct span s, unsigned *out)
{
    static const char digits[] = "0123456789ABCDEF";
    *out = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *at = s.at[i] ? strchr(digits, s.at[i]) : NULL;
        if (!at)
            return false;
        *out = *out * 16 + (unsigned)(at - digits);
    }
    return s.len > 0;
}

// Of xtext (RFC 3461 §4) that stands for printable ASCII, as ENVID (§4.4) and ORCPT
// (§4.2) must.
static bool xtext_ok(struct span s)
{
    unsigned byte;
    while (s.len) {
        size_t n = s.at[0] == '+' ? 3 : 1;
        bool hex = n == 3 && s.len >= 3 && upper_hex(span_first(span_skip(s, 1), 2), &byte);
        if (n == 3 && (!hex || byte < ' ' || byte > '~'))
            return false;
        if (n == 1 && (s.at[0] <= ' ' || s.at[0] > '~' || s.at[0] == '='))
            return false;
        s = span_skip(s, n);
    }
    return true;
}

static struct smtp_reply take_size(struct smtp_transaction *t, struct span value, struct arena *a)
{
    (void)a;
    bool ok = value.len <= 20 && span_number(value, UINT64_MAX, &t->declared_size);
    return ok ? fine : SMTP_REPLY(501, "5.5.4", "Syntax: SIZE=bytes, once");
}

static struct smtp_reply take_body(struct smtp_transaction *t, struct span value, struct arena *a)
{
    (void)a;
    t->eight_bit = span_ieq(value, SPAN("8BITMIME"));
    bool ok = t->eight_bit || span_ieq(value, SPAN("7BIT"));
    return ok ? fine : SMTP_REPLY(501, "5.5.4", "Syntax: BODY=7BIT or BODY=8BITMIME, once");
}

static struct smtp_reply take_smtputf8(struct smtp_transaction *t, struct span value,
                                       struct arena *a)
{
    (void)a;
    t->smtputf8 = true;
    return value.at ? SMTP_REPLY(501, "5.5.4", "SMTPUTF8 has no value") : fine;
}

static struct smtp_reply take_requiretls(struct smtp_transaction *t, struct span value,
                                         struct arena *a)
{
    (void)a;
    t->requiretls = true;
    return value.at ? SMTP_REPLY(501, "5.5.4", "REQUIRETLS has no value") : fine;
}

static struct smtp_reply take_ret(struct smtp_transaction *t, struct span value, struct arena *a)
{
    (void)a;
    bool full = span_ieq(value, SPAN("FULL"));
    t->ret = full ? SMTP_RET_FULL : SMTP_RET_HEADERS;
    bool ok = full || span_ieq(value, SPAN("HDRS"));
    return ok ? fine : SMTP_REPLY(501, "5.5.4", "Syntax: RET=FULL or RET=HDRS, once");
}

static struct smtp_reply take_envid(struct smtp_transaction *t, struct span value, struct arena *a)
{
    if (value.len == 0 || value.len > SMTP_ENVID_MAX || !xtext_ok(value))
        return SMTP_REPLY(501, "5.5.4", "Syntax: ENVID=xtext, at most 100 characters");
    return keep(&t->envid, value, a);
}

// Who submitted the message elsewhere: nobody is trusted to say so, which is what
// RFC 4954 §5 allows.
static struct smtp_reply take_auth(struct smtp_transaction *t, struct span value, struct arena *a)
{
    struct mail_address who;
    CLEANUP(buf_free) struct buf text = BUF(512);
    (void)t;
    if (span_eq(value, SPAN("<>")))
        return fine;
    mail_xtext_decode(&text, value);
    bool ok = value.len && xtext_ok(value) && rc_ok(buf_state(&text)) &&
              mail_address_parse(&who, buf_span(&text), true, a);
    return ok ? fine : SMTP_REPLY(501, "5.5.4", "Syntax: AUTH=<> or AUTH=mailbox in xtext");
}

static const struct {
    const char *name;
    struct smtp_reply (*take)(struct smtp_transaction *t, struct span value, struct arena *a);
} of_mail[] = {
    {"SIZE", take_size},   {"BODY", take_body}, {"SMTPUTF8", take_smtputf8},     {"RET", take_ret},
    {"ENVID", take_envid}, {"AUTH", take_auth}, {"REQUIRETLS", take_requiretls},
};

static struct smtp_reply mail_parameter(struct smtp_transaction *t, unsigned *given,
                                        struct span key, struct span value, struct arena *a)
{
    for (size_t i = 0; i < sizeof of_mail / sizeof *of_mail; i++) {
        if (!span_ieq(key, span_str(of_mail[i].name)))
            continue;
        if (*given & 1u << i)
            return SMTP_REPLY(501, "5.5.4", "A parameter of MAIL was given twice");
        *given |= 1u << i;
        return of_mail[i].take(t, value, a);
    }
    return SMTP_REPLY(555, "5.5.4", "Unknown parameter of MAIL");
}

struct smtp_reply smtp_mail_parameters(struct smtp_transaction *t, struct span rest,
                                       struct arena *a)
{
    struct span key, value;
    struct smtp_reply bad = fine;
    unsigned given = 0;
    while (!bad.code && parameter_take(&rest, &key, &value))
        bad = mail_parameter(t, &given, key, value, a);
    return bad;
}

// NEVER stands by itself (RFC 3461 §4.1).
static bool notify_word(struct span word, uint8_t *bits)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } words[] = {{"SUCCESS", SMTP_NOTIFY_SUCCESS},
                 {"FAILURE", SMTP_NOTIFY_FAILURE},
                 {"DELAY", SMTP_NOTIFY_DELAY}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!span_ieq(word, span_str(words[i].name)))
            continue;
        *bits |= words[i].bit;
        return true;
    }
    return false;
}

static struct smtp_reply take_notify(struct smtp_recipient *to, struct span value, bool utf8,
                                     struct arena *a)
{
    (void)utf8, (void)a;
    bool ok = value.len > 0;
    if (span_ieq(value, SPAN("NEVER")))
        to->notify = SMTP_NOTIFY_NEVER;
    else
        while (ok && value.at)
            ok = notify_word(span_cut(&value, ','), &to->notify);
    return ok ? fine
              : SMTP_REPLY(501, "5.5.4",
                           "Syntax: NOTIFY=NEVER, or any of SUCCESS,FAILURE,DELAY, once");
}

// EmbeddedUnicodeChar of RFC 6533 §3; its length, 0: none is there.
static size_t embedded_len(struct span s)
{
    unsigned point;
    size_t end = span_index(s, '}');
    if (!span_starts(s, SPAN("\\x{")) || end == s.len || end < 5 || end > 9)
        return 0;
    bool ok = upper_hex(span_skip(span_first(s, end), 3), &point);
    bool surrogate = point >= 0xd800 && point < 0xe000;
    return ok && point && point <= 0x10ffff && !surrogate ? end + 1 : 0;
}

// utf-8-enc-addr (RFC 6533 §3) as utf-8-addr-xtext, the form that goes everywhere.
static bool utf8_address_put(struct buf *out, struct span s, bool raw)
{
    while (s.len) {
        bool eight_bit = (unsigned char)s.at[0] >= 0x80;
        size_t n = s.at[0] == '\\' ? embedded_len(s) : eight_bit ? span_utf8(s) : 1;
        bool special = s.at[0] == '+' || s.at[0] == '=' || (s.at[0] >= 0 && s.at[0] <= ' ');
        if (n == 0 || special || s.at[0] == 0x7f || (eight_bit && !raw))
            return false;
        if (eight_bit)
            mail_ascii_put(out, span_first(s, n), n);
        else
            buf_put(out, span_first(s, n));
        s = span_skip(s, n);
    }
    return rc_ok(buf_state(out));
}

static bool type_ok(struct span type)
{
    for (size_t i = 0; i < type.len; i++) {
        char c = type.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
            return false;
    }
    return type.len > 0;
}

static struct smtp_reply take_orcpt(struct smtp_recipient *to, struct span value, bool utf8,
                                    struct arena *a)
{
    CLEANUP(buf_free) struct buf text = BUF(SMTP_ORCPT_MAX);
    struct span rest = value, type = span_cut(&rest, ';');
    bool ok = rest.len > 0 && value.len <= SMTP_ORCPT_MAX && type_ok(type);
    if (ok && span_ieq(type, SPAN("utf-8"))) {
        buf_put(&text, SPAN("utf-8;"));
        ok = utf8_address_put(&text, rest, utf8);
        value = buf_span(&text);
    } else if (ok) {
        ok = xtext_ok(rest);
    }
    return ok ? keep(&to->orcpt, value, a)
              : SMTP_REPLY(501, "5.5.4", "Syntax: ORCPT=type;xtext, at most 500 characters, once");
}

static const struct {
    const char *name;
    struct smtp_reply (*take)(struct smtp_recipient *to, struct span value, bool utf8,
                              struct arena *a);
} of_rcpt[] = {{"NOTIFY", take_notify}, {"ORCPT", take_orcpt}};

static struct smtp_reply rcpt_parameter(struct smtp_recipient *to, unsigned *given, struct span key,
                                        struct span value, bool utf8, struct arena *a)
{
    for (size_t i = 0; i < sizeof of_rcpt / sizeof *of_rcpt; i++) {
        if (!span_ieq(key, span_str(of_rcpt[i].name)))
            continue;
        if (*given & 1u << i)
            return SMTP_REPLY(501, "5.5.4", "A parameter of RCPT was given twice");
        *given |= 1u << i;
        return of_rcpt[i].take(to, value, utf8, a);
    }
    return SMTP_REPLY(555, "5.5.4", "Unknown parameter of RCPT");
}

struct smtp_reply smtp_rcpt_parameters(struct smtp_recipient *to, struct span rest, bool utf8,
                                       struct arena *a)
{
    struct span key, value;
    struct smtp_reply bad = fine;
    unsigned given = 0;
    while (!bad.code && parameter_take(&rest, &key, &value))
        bad = rcpt_parameter(to, &given, key, value, utf8, a);
    return bad;
}
