#include "smtp_command.h"

static const struct {
    const char *name;
    enum smtp_verb verb;
} verbs[] = {
    {"EHLO", SMTP_VERB_EHLO},        {"HELO", SMTP_VERB_HELO},     {"MAIL", SMTP_VERB_MAIL},
    {"RCPT", SMTP_VERB_RCPT},        {"DATA", SMTP_VERB_DATA},     {"RSET", SMTP_VERB_RSET},
    {"NOOP", SMTP_VERB_NOOP},        {"QUIT", SMTP_VERB_QUIT},     {"VRFY", SMTP_VERB_VRFY},
    {"EXPN", SMTP_VERB_EXPN},        {"HELP", SMTP_VERB_HELP},     {"STARTTLS", SMTP_VERB_STARTTLS},
    {"AUTH", SMTP_VERB_ABSENT},      {"ETRN", SMTP_VERB_ABSENT},   {"TURN", SMTP_VERB_ABSENT},
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

// RFC 6531 §3.5: an address with other than ASCII, where SMTPUTF8 is not offered.
static struct smtp_reply refuse_eight_bit(enum smtp_verb verb)
{
    if (verb == SMTP_VERB_MAIL)
        return SMTP_REPLY(550, "5.6.7", "Non-ASCII addresses are not supported here");
    if (verb == SMTP_VERB_RCPT)
        return SMTP_REPLY(553, "5.6.7", "Non-ASCII addresses are not supported here");
    return SMTP_REPLY(500, "5.5.2", "Commands are ASCII only");
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
        .max = verb == SMTP_VERB_MAIL ? SMTP_COMMAND_MAIL_MAX : SMTP_COMMAND_MAX,
    };
    if (has_control(line))
        return SMTP_REPLY(500, "5.5.2", "Control characters in a command");
    if (!span_is_ascii(line))
        return refuse_eight_bit(verb);
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
        if (!mail_path_parse(out, rest, false, a))
            return false;
    } else {
        struct span word = span_first(*rest, span_index(*rest, ' '));
        if (word.len == 0 || !mail_address_parse(out, word, false, a))
            return false;
        *rest = span_skip(*rest, word.len);
    }
    return rest->len == 0 || rest->at[0] == ' ';
}

// The next parameter KEY or KEY=VALUE; false: there is none left.
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

static struct smtp_reply size_parse(struct smtp_mail_arguments *m, struct span value)
{
    bool ok = !m->size_given && value.len <= 20 && span_number(value, UINT64_MAX, &m->size);
    m->size_given = true;
    return ok ? (struct smtp_reply){0} : SMTP_REPLY(501, "5.5.4", "Syntax: SIZE=bytes, once");
}

static struct smtp_reply body_parse(struct smtp_mail_arguments *m, struct span value)
{
    m->eight_bit = span_ieq(value, SPAN("8BITMIME"));
    bool ok = !m->body_given && (m->eight_bit || span_ieq(value, SPAN("7BIT")));
    m->body_given = true;
    return ok ? (struct smtp_reply){0}
              : SMTP_REPLY(501, "5.5.4", "Syntax: BODY=7BIT or BODY=8BITMIME, once");
}

static struct smtp_reply mail_parameter(struct smtp_mail_arguments *m, struct span key,
                                        struct span value)
{
    if (span_ieq(key, SPAN("SIZE")))
        return size_parse(m, value);
    if (span_ieq(key, SPAN("BODY")))
        return body_parse(m, value);
    return SMTP_REPLY(555, "5.5.4", "Unknown parameter of MAIL");
}

struct smtp_reply smtp_mail_parse(struct smtp_mail_arguments *out, struct span rest, bool extended,
                                  struct arena *a)
{
    struct span key, value;
    struct smtp_reply bad = {0};
    *out = (struct smtp_mail_arguments){0};
    if (!keyword_take(&rest, SPAN("FROM:")))
        return SMTP_REPLY(501, "5.5.4", "Syntax: MAIL FROM:<address>");
    if (!path_take(&out->sender, &rest, a) || out->sender.kind == MAIL_BARE)
        return SMTP_REPLY(501, "5.1.7", "Bad sender address syntax");
    while (!bad.code && parameter_take(&rest, &key, &value))
        bad = extended ? mail_parameter(out, key, value)
                       : SMTP_REPLY(555, "5.5.4", "Parameters need EHLO");
    return bad;
}

struct smtp_reply smtp_rcpt_parse(struct mail_address *out, struct span rest, struct arena *a)
{
    struct span key, value;
    if (!keyword_take(&rest, SPAN("TO:")))
        return SMTP_REPLY(501, "5.5.4", "Syntax: RCPT TO:<address>");
    if (!path_take(out, &rest, a) || out->kind == MAIL_NULL)
        return SMTP_REPLY(501, "5.1.3", "Bad recipient address syntax");
    if (parameter_take(&rest, &key, &value))
        return SMTP_REPLY(555, "5.5.4", "Unknown parameter of RCPT");
    return (struct smtp_reply){0};
}
