#include "smtp_capability.h"

static const struct {
    const char *keyword;
    size_t flag;
} flags[] = {
    {"STARTTLS", offsetof(struct smtp_capabilities, starttls)},
    {"PIPELINING", offsetof(struct smtp_capabilities, pipelining)},
    {"8BITMIME", offsetof(struct smtp_capabilities, eight_bit)},
    {"SIZE", offsetof(struct smtp_capabilities, size_given)},
    {"REQUIRETLS", offsetof(struct smtp_capabilities, requiretls)},
    {"DSN", offsetof(struct smtp_capabilities, dsn)},
    {"SMTPUTF8", offsetof(struct smtp_capabilities, smtputf8)},
    {"CHUNKING", offsetof(struct smtp_capabilities, chunking)},
};

// Some servers put '=' between keyword and argument.
static struct span keyword_cut(struct span *line)
{
    size_t at = span_index(*line, ' ');
    at = span_index(span_first(*line, at), '=');
    struct span keyword = span_first(*line, at);
    *line = span_trim(span_skip(*line, at + 1));
    return keyword;
}

static void line_parse(struct smtp_capabilities *out, struct span line)
{
    line = span_trim(line);
    struct span keyword = keyword_cut(&line);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (span_ieq(keyword, span_str(flags[i].keyword)))
            *(bool *)((char *)out + flags[i].flag) = true;
    if (span_ieq(keyword, SPAN("SIZE")) && !span_number(line, UINT64_MAX, &out->size))
        out->size = 0; // no limit that could be told (RFC 1870 §4)
}

void smtp_peer_name_take(char out[static SMTP_PEER_NAME_MAX + 1], struct span text)
{
    struct span line = span_trim(span_cut(&text, '\n')), name = span_cut(&line, ' ');
    bool fine = true;
    for (size_t i = 0; i < name.len; i++)
        fine = fine && name.at[i] > ' ' && name.at[i] <= '~';
    if (!fine || !span_copy(out, SMTP_PEER_NAME_MAX + 1, name))
        out[0] = '\0';
}

struct smtp_capabilities smtp_capabilities_parse(struct span text)
{
    struct smtp_capabilities c = {.esmtp = true};
    span_cut(&text, '\n');
    while (text.at)
        line_parse(&c, span_cut(&text, '\n'));
    return c;
}
