#include "conf_form.h"

#include <arpa/inet.h>

const char *const conf_log_levels[] = {"debug", "info", "warn", "error", NULL};
const char *const conf_tls_versions[] = {"1.2", "1.3", "1.1", "1.0", NULL}; // io_tls_least
const char *const conf_auth_spf[] = {"note", "reject", NULL};
const char *const conf_fcrdns[] = {"ignore", "note", "refuse", NULL};
const char *const conf_auth_dmarc[] = {"ignore", "note", "enforce", NULL};
const char *const conf_auth_from[] = {"note", "ambiguous", "strict", NULL};
const char *const conf_auth_quarantine[] = {"header", "hold", NULL};

static bool letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// U-labels are written as UTF-8; turning them into A-labels is for who uses them.
static bool is_label(struct span s)
{
    if (s.len == 0 || s.len > 63 || s.at[0] == '-' || s.at[s.len - 1] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!letter_or_digit(s.at[i]) && s.at[i] != '-' && s.at[i] != '_' &&
            (unsigned char)s.at[i] < 0x80)
            return false;
    return true;
}

static bool is_name(struct span s)
{
    if (s.len == 0 || s.len > 253)
        return false;
    while (s.at)
        if (!is_label(span_cut(&s, '.')))
            return false;
    return true;
}

static bool is_domain(struct span s)
{
    return is_name(span_starts(s, SPAN(".")) ? span_skip(s, 1) : s);
}

// Bytes of an address: 4, 16, or 0 where it is none.
static size_t address(struct span s, unsigned char bytes[16])
{
    char text[INET6_ADDRSTRLEN];
    if (!span_copy(text, sizeof text, s))
        return 0;
    if (inet_pton(AF_INET, text, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
}

static bool is_address(struct span s)
{
    unsigned char bytes[16];
    return address(s, bytes) > 0;
}

static bool is_port(struct span s)
{
    uint64_t n;
    return span_number(s, 65535, &n) && n > 0;
}

// "[ADDRESS]:PORT" with either kind of address.
static bool is_bracketed(struct span s)
{
    if (!span_starts(s, SPAN("[")))
        return false;
    s = span_skip(s, 1);
    struct span inside = span_cut(&s, ']');
    return is_address(inside) && span_starts(s, SPAN(":")) && is_port(span_skip(s, 1));
}

const char *conf_check_hostname(struct span s)
{
    return s.len == 0 || (is_name(s) && span_is_ascii(s))
               ? NULL
               : "is no host name; write it like \"mail.example.org\", without a dot at its end";
}

const char *conf_check_domain(struct span s)
{
    return is_domain(s)
               ? NULL
               : "is no domain; write \"example.org\", or \".example.org\" for all below it";
}

const char *conf_check_name(struct span s)
{
    return is_name(s) ? NULL : "is no domain; write \"example.org\"";
}

const char *conf_check_signer(struct span s)
{
    struct span domain = span_cut(&s, ' ');
    s = span_trim(s);
    struct span selector = span_cut(&s, ' ');
    if (span_index(domain, '@') < domain.len && span_cut(&domain, '@').len == 0)
        return "has no user before the @; write \"USER@DOMAIN SELECTOR KEYFILE\"";
    return is_name(domain) && is_name(selector) && span_trim(s).len
               ? NULL
               : "is no key to sign with; write \"DOMAIN SELECTOR KEYFILE\"";
}

// RFC 5322 §2.2; a colon or semicolon would end it inside a signature's h=.
const char *conf_check_field(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~' || s.at[i] == ':' || s.at[i] == ';')
            return "is no name of a header field";
    return s.len && s.len <= 64 ? NULL : "is no name of a header field";
}

const char *conf_check_endpoint(struct span s)
{
    struct span port = s;
    struct span host = span_cut(&port, ':');
    unsigned char bytes[16];
    return is_bracketed(s) || (address(host, bytes) == 4 && is_port(port))
               ? NULL
               : "is no address with a port; write \"192.0.2.1:25\" or \"[2001:db8::1]:25\"";
}

static bool clear_behind(const unsigned char *bytes, size_t size, uint64_t bits)
{
    for (uint64_t i = bits; i < 8 * size; i++)
        if (bytes[i / 8] & (0x80 >> (i % 8)))
            return false;
    return true;
}

const char *conf_check_network(struct span s)
{
    struct span bits = s;
    struct span host = span_cut(&bits, '/');
    unsigned char bytes[16];
    size_t size = address(host, bytes);
    uint64_t n;
    if (size == 0 || !span_number(bits, 8 * size, &n))
        return "is no network; write \"192.0.2.0/24\" or \"2001:db8::/32\", \"/32\" or \"/128\" "
               "for one host";
    return clear_behind(bytes, size, n)
               ? NULL
               : "has address bits set behind its prefix; is the length of the prefix right?";
}

// RFC 8601 §2.5: an authserv-id need not be a name, but those of servers are.
const char *conf_check_results(struct span s)
{
    struct span id = span_cut(&s, ' ');
    return is_name(id) && !conf_check_network(span_trim(s))
               ? NULL
               : "is no server whose results are believed; write \"mx.example.org 192.0.2.1/32\"";
}

const char *conf_check_address(struct span s)
{
    return is_address(s) ? NULL : "is no address; write \"192.0.2.1\" or \"2001:db8::1\"";
}

const char *conf_check_forward(struct span s)
{
    struct span port = s;
    struct span host = span_cut(&port, '@');
    return is_address(host) && (!port.at || is_port(port))
               ? NULL
               : "is no resolver; write \"192.0.2.53@53\", an address and its port";
}

// Cuts "DOMAIN REST" at the blanks; an entry for all is "*".
static bool cut_domain(struct span *s)
{
    struct span domain = span_cut(s, ' ');
    *s = span_trim(*s);
    return span_eq(domain, SPAN("*")) || is_domain(domain);
}

static bool is_next_hop(struct span s)
{
    if (span_starts(s, SPAN("[")))
        return is_bracketed(s);
    if (span_starts(s, SPAN("mx:")))
        return is_name(span_skip(s, 3));
    struct span port = s;
    struct span host = span_cut(&port, ':');
    return is_name(host) && (!port.at || is_port(port));
}

// A Unix socket's path has at most 107 bytes (unix(7)); LMTP has no port of its own.
static bool is_lmtp(struct span s)
{
    if (span_starts(s, SPAN("unix:")))
        return span_starts(span_skip(s, 5), SPAN("/")) && s.len > 6 && s.len <= 5 + 107;
    struct span port = s;
    struct span host = span_cut(&port, ':');
    return is_bracketed(s) || (is_name(host) && is_port(port));
}

const char *conf_check_lmtp(struct span s)
{
    return s.len == 0 || is_lmtp(s)
               ? NULL
               : "is no mailbox server; write \"unix:/run/dovecot/lmtp\", \"127.0.0.1:24\" or "
                 "\"mail.example.org:24\"";
}

const char *conf_check_route(struct span s)
{
    bool fine = cut_domain(&s);
    fine = fine && (span_starts(s, SPAN("lmtp:")) ? is_lmtp(span_skip(s, 5)) : is_next_hop(s));
    return fine ? NULL
                : "is no route; write \"DOMAIN HOST\", \"DOMAIN HOST:PORT\", \"DOMAIN mx:HOST\", "
                  "\"DOMAIN [ADDRESS]:PORT\" or \"DOMAIN lmtp:MAILBOX-SERVER\"";
}

const char *conf_check_dnsbl(struct span s)
{
    struct span zone = span_cut(&s, ' ');
    s = span_trim(s);
    return is_name(zone) && (span_eq(s, SPAN("refuse")) || span_eq(s, SPAN("note")))
               ? NULL
               : "is no block list; write \"ZONE refuse\" or \"ZONE note\"";
}

static bool is_digest(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!letter_or_digit(s.at[i]) || (s.at[i] | 0x20) > 'f')
            return false;
    return s.len == 64;
}

const char *conf_check_policy(struct span s)
{
    static const char *const words[] = {"follow",  "clear",  "opportunistic",
                                        "encrypt", "verify", "dane-only"};
    if (cut_domain(&s)) {
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (span_eq(s, span_str(words[i])))
                return NULL;
        struct span rest = s;
        if (span_eq(span_cut(&rest, ' '), SPAN("pinned")) && is_digest(span_trim(rest)))
            return NULL;
    }
    return "is no policy; write \"DOMAIN follow\", clear, opportunistic, encrypt, verify, "
           "dane-only, or \"DOMAIN pinned\" and 64 hex digits";
}

const char *conf_check_pair(struct span s)
{
    struct span chain = span_cut(&s, ' ');
    s = span_trim(s);
    return chain.len && s.len && span_index(s, ' ') == s.len
               ? NULL
               : "is no certificate with its key; write \"CERTFILE KEYFILE\", names without blanks";
}

static bool is_require(struct span s)
{
    struct span who = span_cut(&s, ' ');
    s = span_trim(s);
    struct span what = span_cut(&s, ' ');
    s = span_trim(s);
    if (!span_eq(who, SPAN("*")) && !is_domain(who) && conf_check_network(who))
        return false;
    if (span_eq(what, SPAN("encrypt")))
        return s.len == 0;
    for (; s.len; s = span_trim(s))
        if (!is_domain(span_cut(&s, ' ')))
            return false;
    return span_eq(what, SPAN("verify"));
}

const char *conf_check_require(struct span s)
{
    return is_require(s) ? NULL
                         : "is no requirement; write \"DOMAIN encrypt\", \"ADDRESS/BITS encrypt\", "
                           "\"DOMAIN verify\" or \"DOMAIN verify NAME...\"";
}

static bool is_mailbox(struct span s)
{
    size_t at = span_index(s, '@');
    bool whole =
        at > 0 && at + 1 < s.len && span_index(span_skip(s, at + 1), '@') == s.len - at - 1;
    for (size_t i = 0; whole && i < s.len; i++)
        whole = (unsigned char)s.at[i] > ' ' && s.at[i] != 0x7f &&
                span_index(SPAN("<>\","), s.at[i]) == 4;
    return whole;
}

const char *conf_check_report_address(struct span s)
{
    bool fine = s.len == 0 || (is_mailbox(s) && span_is_ascii(s));
    return fine ? NULL : "must be a mail address like \"reports@example.org\"";
}

const char *conf_check_postmaster(struct span s)
{
    return s.len == 0 || is_mailbox(s) ? NULL : "is no address; write \"ann@example.org\"";
}

// What RFC 5322 §3.2.3 lets stand in a local-part, and no letter or digit does.
const char *conf_check_detail(struct span s)
{
    static const struct span marks = {"!#$%&'*+-/=?^_`{|}~", 19};
    bool fine = s.len == 0 || (s.len == 1 && span_index(marks, s.at[0]) < marks.len);
    return fine ? NULL : "is no mark that addresses have; write \"+\" or \"-\"";
}

const char *conf_check_report_to(struct span s)
{
    return s.len ? conf_check_report_address(s) : "must be a mail address";
}
