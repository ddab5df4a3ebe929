#include "report_https.h"

static const struct span scheme = {"https://", 8};
enum { PORT = 443 };

bool report_is_uri_text(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~' || s.at[i] == '"' || s.at[i] == '<' || s.at[i] == '>')
            return false;
    return s.len > 0 && s.len <= REPORT_URI_MAX;
}

// "https://host:" is the scheme's port, too (RFC 3986 §3.2.3).
static bool port_read(uint16_t *out, struct span text)
{
    uint64_t n = PORT;
    if (text.len && (!span_number(text, UINT16_MAX, &n) || n == 0))
        return false;
    *out = (uint16_t)n;
    return true;
}

static bool is_made_of(struct span s, struct span letters)
{
    for (size_t i = 0; i < s.len; i++)
        if (span_index(letters, s.at[i]) == letters.len)
            return false;
    return true;
}

// "127.0.0.1", "127.1", "0x7f.1", "2130706433": what ends in a number is an IPv4 address to one
// reader or the other, and no host's name.
static bool ends_in_number(const struct dns_name *host)
{
    struct span last = dns_name_span(host);
    for (struct span rest = last; rest.at;)
        last = span_cut(&rest, '.');
    return is_made_of(last, SPAN("0123456789")) ||
           (span_istarts(last, SPAN("0x")) &&
            is_made_of(span_skip(last, 2), SPAN("0123456789abcdefABCDEF")));
}

bool report_https_parse(struct report_https *out, struct span uri)
{
    struct span rest = span_skip(uri, scheme.len), port;
    size_t end = 0;
    if (!report_is_uri_text(uri) || !span_istarts(uri, scheme))
        return false;
    rest = span_first(rest, span_index(rest, '#'));
    while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
        end++;
    port = span_first(rest, end);
    struct span host = span_cut(&port, ':');
    out->target = span_skip(rest, end);
    return port_read(&out->port, port) && dns_name_parse_host(&out->host, host) &&
           !ends_in_number(&out->host);
}
