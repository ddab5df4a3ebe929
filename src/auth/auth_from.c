#include "auth_from.h"

#include <string.h>

const char *auth_from_text(enum auth_from_problem p)
{
    static const char *const texts[AUTH_FROM_PROBLEMS] = {
        [AUTH_FROM_OK] = "the message has one author domain",
        [AUTH_FROM_MISSING] = "the message has no From field",
        [AUTH_FROM_REPEATED] = "the message has more than one From field",
        [AUTH_FROM_MALFORMED] = "the From field is malformed",
        [AUTH_FROM_NO_DOMAIN] = "the From field names no domain",
        [AUTH_FROM_SEVERAL] = "the From field names several domains",
        [AUTH_FROM_UNREAD] = "the header is too large, or has a line that is no field",
    };
    return texts[p];
}

// Token kinds that are no special character of their own.
enum { END = -1, BAD = '!', ATOM = 'a', QUOTED = '"', SPACE = ' ', LITERAL = '[' };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Length of what stands at the front up to and with `close`, by the rule that a
// backslash takes the next byte along; 0 if it does not end. `open` nests.
static size_t enclosed(struct span s, char open, char close)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '\\')
            i++;
        else if (c == close && (i > 0 || close != open) && --depth == 0)
            return i + 1;
        else if (c == open)
            depth++;
    }
    return 0;
}

static size_t spaces(struct span s)
{
    size_t n = 0;
    while (n < s.len && is_space(s.at[n]))
        n++;
    return n;
}

static size_t atom(struct span s)
{
    size_t n = 0;
    while (n < s.len && !is_space(s.at[n]) && (s.at[n] == '\0' || !strchr("()<>[:;@,.\"", s.at[n])))
        n++;
    return n;
}

// Takes the next token off the front; white space and comments are SPACE.
static int lex(struct span *rest, struct span *text)
{
    int kind = rest->len == 0 ? END : (unsigned char)rest->at[0];
    size_t n = kind == END ? 0 : 1;
    if (spaces(*rest) > 0)
        kind = SPACE, n = spaces(*rest);
    else if (kind == '(')
        kind = SPACE, n = enclosed(*rest, '(', ')');
    else if (kind == QUOTED)
        n = enclosed(*rest, '"', '"');
    else if (kind == LITERAL)
        n = enclosed(*rest, '[', ']');
    else if (atom(*rest) > 0)
        kind = ATOM, n = atom(*rest);
    if (n == 0 && kind != END)
        return BAD;
    *text = span_first(*rest, n);
    *rest = span_skip(*rest, n);
    return kind;
}

// An addr-spec as it comes token by token.
struct spec {
    bool local, at, literal, junk;
    bool gap;          // white space or a comment since the last token
    struct span words; // the local part; .at NULL: not in one piece
    size_t len;
    char domain[512]; // with room for U-labels
};

static void spec_domain(struct spec *s, int kind, struct span text)
{
    bool joined = kind == '.' || s->len == 0 || s->domain[s->len - 1] == '.';
    if (s->literal || (kind == LITERAL && s->len > 0) || (s->gap && !joined) ||
        (kind != ATOM && kind != '.' && kind != LITERAL) || text.len > sizeof s->domain - s->len) {
        s->junk = true;
        return;
    }
    s->literal = kind == LITERAL;
    if (s->literal)
        return;
    span_bytes(s->domain + s->len, text.len, text);
    s->len += text.len;
}

static void spec_local(struct spec *s, struct span text)
{
    if (!s->local)
        s->words = text;
    else if (s->words.at && s->words.at + s->words.len == text.at)
        s->words.len += text.len;
    else
        s->words = (struct span){NULL, 0};
    s->local = true;
}

static void spec_feed(struct spec *s, int kind, struct span text)
{
    if (kind == SPACE) {
        s->gap = true;
        return;
    }
    if (kind == '@' && !s->at)
        s->at = true;
    else if (s->at)
        spec_domain(s, kind, text);
    else
        spec_local(s, text);
    s->gap = false;
}

// Letters, digits, hyphens, and the underscore that domains in use have.
static bool is_domain(const struct dns_name *n)
{
    for (size_t i = 0; i < n->len; i++) {
        char c = n->text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return n->len > 0;
}

static bool spec_end(const struct spec *s, struct auth_mailbox *out)
{
    *out = (struct auth_mailbox){.literal = s->literal, .local = s->words};
    if (s->junk || !s->local)
        return false;
    return s->literal || (dns_name_parse(&out->domain, (struct span){s->domain, s->len}) &&
                          is_domain(&out->domain));
}

// Behind '<': 1 an address, 0 none in there, -1 bad. An obsolete route
// ("@a,@b:") is passed over.
static int angle(struct span *rest, struct auth_mailbox *out)
{
    struct spec s = {0};
    struct span text = {NULL, 0};
    bool route = false; // begun and not ended
    for (;;) {
        int kind = lex(rest, &text);
        if (kind == END || kind == BAD || kind == '<')
            return -1;
        if (kind == '>')
            return !s.at && !route ? 0 : !route && spec_end(&s, out) ? 1 : -1;
        if (s.at && !s.local && (kind == ',' || kind == ':')) {
            s = (struct spec){0};
            route = kind == ',';
        } else {
            spec_feed(&s, kind, text);
        }
    }
}

static bool take(struct auth_mailboxes *list, bool good)
{
    list->bad = !good;
    return good;
}

bool auth_mailbox_next(struct auth_mailboxes *list, struct auth_mailbox *out)
{
    struct spec s = {0};
    struct span text = {NULL, 0};
    while (!list->bad) {
        int kind = lex(&list->rest, &text);
        if (kind == BAD)
            return take(list, false);
        if (kind == '<') {
            int found = angle(&list->rest, out);
            if (found != 0)
                return take(list, found > 0);
            s = (struct spec){0};
        } else if (kind == ',' || kind == ';' || kind == END) {
            if (s.at)
                return take(list, spec_end(&s, out));
            if (kind == END)
                return false;
            s = (struct spec){0};
        } else if (kind == ':' && !s.at) { // a group's name ends
            s = (struct spec){0};
        } else {
            spec_feed(&s, kind, text);
        }
    }
    return false;
}

static enum auth_from_problem read_field(struct auth_from *out, struct span value)
{
    struct dns_name *domain = &out->domain;
    struct auth_mailboxes list = {.rest = value};
    struct auth_mailbox m = {0};
    while (auth_mailbox_next(&list, &m)) {
        if (m.literal)
            continue;
        if (domain->len > 0 && !dns_name_eq(domain, &m.domain))
            return AUTH_FROM_SEVERAL;
        out->local = domain->len > 0 ? (struct span){NULL, 0} : m.local;
        *domain = m.domain;
    }
    if (list.bad)
        return AUTH_FROM_MALFORMED;
    return domain->len > 0 ? AUTH_FROM_OK : AUTH_FROM_NO_DOMAIN;
}

void auth_from_read(struct auth_from *out, const struct span *fields, size_t count)
{
    *out = (struct auth_from){.problem = AUTH_FROM_MISSING};
    if (count > 1)
        out->problem = AUTH_FROM_REPEATED;
    if (count != 1)
        return;
    out->problem = read_field(out, fields[0]);
    if (out->problem != AUTH_FROM_OK)
        *out = (struct auth_from){.problem = out->problem};
}
