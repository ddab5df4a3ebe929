#include "smtp_command.h"

static const struct {
    const char *name;
    enum smtp_verb verb;
} verbs[] = {
    {"EHLO", SMTP_VERB_EHLO},        {"HELO", SMTP_VERB_HELO},     {"MAIL", SMTP_VERB_MAIL},
    {"RCPT", SMTP_VERB_RCPT},        {"DATA", SMTP_VERB_DATA},     {"RSET", SMTP_VERB_RSET},
    {"NOOP", SMTP_VERB_NOOP},        {"QUIT", SMTP_VERB_QUIT},     {"VRFY", SMTP_VERB_VRFY},
    {"EXPN", SMTP_VERB_EXPN},        {"HELP", SMTP_VERB_HELP},     {"STARTTLS", SMTP_VERB_STARTTLS},
    {"AUTH", SMTP_VERB_AUTH},        {"ETRN", SMTP_VERB_ABSENT},   {"TURN", SMTP_VERB_ABSENT},
    {"ATRN", SMTP_VERB_ABSENT},      {"SEND", SMTP_VERB_ABSENT},   {"SOML", SMTP_VERB_ABSENT},
    {"SAML", SMTP_VERB_ABSENT},      {"LHLO", SMTP_VERB_ABSENT},   {"BDAT", SMTP_VERB_BDAT},
    {"GET", SMTP_VERB_FOREIGN},      {"POST", SMTP_VERB_FOREIGN},  {"CONNECT", SMTP_VERB_FOREIGN},
    {"HEAD", SMTP_VERB_FOREIGN},     {"PUT", SMTP_VERB_FOREIGN},   {"OPTIONS", SMTP_VERB_FOREIGN},
    {"DELETE", SMTP_VERB_FOREIGN},   {"TRACE", SMTP_VERB_FOREIGN}, {"PATCH", SMTP_VERB_FOREIGN},
    {"PROPFIND", SMTP_VERB_FOREIGN}, {"PRI", SMTP_VERB_FOREIGN},
};

static enum smtp_verb verb_find(struct span word)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (span_ieq(word, span_str(verbs[i].name)))
            return verbs[i].verb;
    return SMTP_VERB_UNKNOWN;
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
            return true;
    return false;
}

// Those that may hold an address in UTF-8 (RFC 6531 §3.3, §3.7.4.2), which is judged
// with its parameters.
static bool takes_utf8(enum smtp_verb verb)
{
    return verb == SMTP_VERB_MAIL || verb == SMTP_VERB_RCPT || verb == SMTP_VERB_VRFY ||
           verb == SMTP_VERB_EXPN;
}

static size_t line_max(enum smtp_verb verb)
{
    switch (verb) {
    case SMTP_VERB_MAIL:
        return SMTP_COMMAND_MAIL_MAX;
    case SMTP_VERB_RCPT:
        return SMTP_COMMAND_RCPT_MAX;
    case SMTP_VERB_VRFY:
    case SMTP_VERB_EXPN:
        return SMTP_COMMAND_VRFY_MAX;
    case SMTP_VERB_AUTH:
        return SMTP_AUTH_LINE_MAX;
    default:
        return SMTP_COMMAND_MAX;
    }
}

// RFC 5321 §4.1.1: blanks at the end of a line are tolerated.
static struct span trim_end(struct span s)
{
    while (s.len && s.at[s.len - 1] == ' ')
        s.len--;
    return s;
}

struct smtp_reply smtp_command_parse(struct smtp_command *out, struct span line)
{
    struct span rest = trim_end(line), word = span_cut(&rest, ' ');
    enum smtp_verb verb = verb_find(word);
    *out = (struct smtp_command){
        .verb = verb,
        .rest = rest,
        .max = line_max(verb),
    };
    if (has_control(line))
        return SMTP_REPLY(500, "5.5.2", "Control characters in a command");
    if (!span_is_ascii(line) && !takes_utf8(verb))
        return SMTP_REPLY(500, "5.5.2", "Commands are ASCII only");
    if (line.len + 2 > out->max)
        return SMTP_REPLY(500, "5.5.2", "Line too long");
    return (struct smtp_reply){0};
}

bool smtp_helo_ok(struct span name)
{
    return name.len > 0 && name.len <= 255 && span_index(name, ' ') == name.len;
}

// "FROM:" or "TO:". Blanks behind it are against RFC 5321 §3.3 and common.
static bool keyword_take(struct span *rest, struct span keyword)
{
    if (!span_istarts(*rest, keyword))
        return false;
    *rest = span_skip(*rest, keyword.len);
    while (span_starts(*rest, SPAN(" ")))
        *rest = span_skip(*rest, 1);
    return true;
}

// A path, or, as old clients have it, an address without its brackets; then the
// end of the line or a blank.
static bool path_take(struct mail_address *out, struct span *rest, struct arena *a)
{
    if (span_starts(*rest, SPAN("<"))) {
        if (!mail_path_parse(out, rest, true, a))
            return false;
    } else {
        struct span word = span_first(*rest, span_index(*rest, ' '));
        if (word.len == 0 || !mail_address_parse(out, word, true, a))
            return false;
        *rest = span_skip(*rest, word.len);
    }
    return rest->len == 0 || rest->at[0] == ' ';
}

// What of `line` was taken: its tail `rest` is left.
static bool taken_is_ascii(struct span line, struct span rest)
{
    return span_is_ascii(span_first(line, line.len - rest.len));
}

struct smtp_reply smtp_mail_parse(struct smtp_transaction *out, struct span rest, bool extended,
                                  struct arena *a)
{
    *out = (struct smtp_transaction){0};
    if (!keyword_take(&rest, SPAN("FROM:")))
        return SMTP_REPLY(501, "5.5.4", "Syntax: MAIL FROM:<address>");
    struct span path = rest;
    if (!path_take(&out->sender, &rest, a) || out->sender.kind == MAIL_BARE)
        return SMTP_REPLY(501, "5.1.7", "Bad sender address syntax");
    if (rest.len && !extended)
        return SMTP_REPLY(555, "5.5.4", "Parameters need EHLO");
    struct smtp_reply bad = smtp_mail_parameters(out, rest, a);
    if (!bad.code && !out->smtputf8 && !taken_is_ascii(path, rest)) // RFC 6531 §3.5
        return SMTP_REPLY(550, "5.6.7", "A non-ASCII address needs the SMTPUTF8 parameter");
    return bad;
}

struct smtp_reply smtp_rcpt_parse(struct smtp_recipient *out, struct span rest, bool extended,
                                  bool utf8, struct arena *a)
{
    *out = (struct smtp_recipient){0};
    if (!keyword_take(&rest, SPAN("TO:")))
        return SMTP_REPLY(501, "5.5.4", "Syntax: RCPT TO:<address>");
    struct span path = rest;
    if (!path_take(&out->address, &rest, a) || out->address.kind == MAIL_NULL)
        return SMTP_REPLY(501, "5.1.3", "Bad recipient address syntax");
    if (!utf8 && !taken_is_ascii(path, rest)) // RFC 6531 §3.5
        return SMTP_REPLY(553, "5.6.7", "A non-ASCII address needs MAIL with SMTPUTF8");
    if (rest.len && !extended)
        return SMTP_REPLY(555, "5.5.4", "Parameters need EHLO");
    return smtp_rcpt_parameters(out, rest, utf8, a);
}

bool smtp_bdat_parse(struct span rest, uint64_t *size, bool *last, bool *bad)
{
    struct span number = span_cut(&rest, ' ');
    *last = span_ieq(rest, SPAN("LAST"));
    *bad = rest.at && !*last;
    return number.len > 0 && number.len <= 20 && span_number(number, UINT64_MAX, size);
}
