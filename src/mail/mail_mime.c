// The walk: a stack of the multiparts that are open; every line that begins with "--" is held
// against all of them, so that an inner one that never ends is ended by its outer one.
#include "mail_mime.h"

#include "base_code.h"
#include "base_rc.h"

struct mail_mime mail_mime_open(struct span message, struct arena *a)
{
    return (struct mail_mime){.rest = message, .arena = a};
}

static size_t line_length(struct span s)
{
    size_t end = span_index(s, '\n');
    return end < s.len ? end + 1 : end;
}

// RFC 2046 §5.1.1: it is enough that the boundary stands at the front of the line; of several
// that do, the longest is meant. -1: none.
static int level_of(const struct mail_mime *m, struct span line, bool *closes)
{
    int best = -1;
    size_t longest = 0;
    struct span text = span_skip(line, 2);
    if (!span_starts(line, SPAN("--")))
        return -1;
    for (unsigned i = 0; i < m->depth; i++) {
        struct span b = m->level[i].boundary;
        if (b.len > longest && span_starts(text, b)) {
            best = (int)i;
            longest = b.len;
        }
    }
    if (best >= 0)
        *closes = span_starts(span_skip(text, longest), SPAN("--"));
    return best;
}

// Bytes up to the next line that is a boundary, or all.
static size_t distance(const struct mail_mime *m)
{
    bool closes;
    struct span s = m->rest;
    while (s.len && level_of(m, span_first(s, line_length(s)), &closes) < 0)
        s = span_skip(s, line_length(s));
    return m->rest.len - s.len;
}

// Moves behind the next boundary line that opens a part; ends what is closed on the way.
static bool part_find(struct mail_mime *m)
{
    while (m->depth) {
        bool closes = false;
        m->rest = span_skip(m->rest, distance(m));
        if (!m->rest.len) {
            for (unsigned i = 0; i < m->depth; i++)
                m->damaged = m->damaged || m->level[i].boundary.len;
            return false;
        }
        size_t length = line_length(m->rest);
        int level = level_of(m, span_first(m->rest, length), &closes);
        m->rest = span_skip(m->rest, length);
        m->depth = (unsigned)level + !closes;
        if (!closes)
            return true;
    }
    return false;
}

static bool is_empty_line(struct span line)
{
    return span_eq(line, SPAN("\n")) || span_eq(line, SPAN("\r\n"));
}

// Takes the header; it ends at an empty line, or where the part does.
static struct span head_take(struct mail_mime *m)
{
    bool closes;
    struct span s = m->rest;
    size_t len = 0;
    while (len < s.len && len < MAIL_MIME_HEAD) {
        struct span line = span_first(span_skip(s, len), line_length(span_skip(s, len)));
        if (level_of(m, line, &closes) >= 0)
            break;
        len += line.len;
        if (is_empty_line(line))
            break;
    }
    m->cut = m->cut || len >= MAIL_MIME_HEAD;
    m->rest = span_skip(s, len);
    return span_first(s, len);
}

// RFC 2046 §5.1.1: the line end before a boundary belongs to the boundary.
static struct span body_take(struct mail_mime *m)
{
    size_t len = distance(m);
    struct span body = span_first(m->rest, len);
    m->rest = span_skip(m->rest, len);
    if (m->depth && m->rest.len && body.len && body.at[body.len - 1] == '\n') {
        body.len--;
        if (body.len && body.at[body.len - 1] == '\r')
            body.len--;
    }
    return body;
}

static enum mail_mime_encoding encoding_of(struct span head, struct arena *a)
{
    struct span value;
    if (!mail_field_find(head, SPAN("Content-Transfer-Encoding"), &value))
        return MAIL_MIME_IDENTITY;
    struct span word = mail_mime_token(value, a);
    if (span_eq(word, SPAN("base64")))
        return MAIL_MIME_BASE64;
    if (span_eq(word, SPAN("quoted-printable")))
        return MAIL_MIME_QUOTED;
    bool same = !word.len || span_eq(word, SPAN("7bit")) || span_eq(word, SPAN("8bit")) ||
                span_eq(word, SPAN("binary"));
    return same ? MAIL_MIME_IDENTITY : MAIL_MIME_UNKNOWN;
}

static struct span name_of(struct span head, struct span type, struct arena *a)
{
    struct span value, name = {NULL, 0};
    if (mail_field_find(head, SPAN("Content-Disposition"), &value))
        name = mail_mime_parameter(value, SPAN("filename"), a);
    return name.at ? name : mail_mime_parameter(type, SPAN("name"), a);
}

static bool level_push(struct mail_mime *m, struct span boundary, bool digest)
{
    if (m->depth == MAIL_MIME_DEPTH) {
        m->cut = true;
        return false;
    }
    m->level[m->depth++] = (struct mail_mime_level){.boundary = boundary, .digest = digest};
    return true;
}

// RFC 2046 §5.2.1 has no encoding on message/rfc822, so one that is encoded is a leaf.
static bool container_open(struct mail_mime *m, const struct mail_mime_part *part,
                           struct span content_type)
{
    if (span_eq(part->type, SPAN("message/rfc822")))
        return part->encoding == MAIL_MIME_IDENTITY && level_push(m, SPAN(""), false);
    if (!span_starts(part->type, SPAN("multipart/")))
        return false;
    struct span boundary = mail_mime_parameter(content_type, SPAN("boundary"), m->arena);
    if (!boundary.len) {
        m->damaged = true;
        return false;
    }
    return level_push(m, boundary, span_eq(part->type, SPAN("multipart/digest")));
}

static void entity_read(struct mail_mime *m, struct mail_mime_part *out)
{
    bool digest = m->depth && m->level[m->depth - 1].digest; // RFC 2046 §5.1.5
    struct span value = {NULL, 0};
    *out = (struct mail_mime_part){.depth = m->depth};
    out->head = head_take(m);
    if (mail_field_find(out->head, SPAN("Content-Type"), &value))
        out->type = mail_mime_token(value, m->arena);
    if (span_index(out->type, '/') == out->type.len) // RFC 2045 §5.2: none, or none that parses
        out->type = digest ? SPAN("message/rfc822") : SPAN("text/plain");
    out->encoding = encoding_of(out->head, m->arena);
    out->name = name_of(out->head, value, m->arena);
    out->container = container_open(m, out, value);
    if (!out->container)
        out->body = body_take(m);
}

bool mail_mime_next(struct mail_mime *m, struct mail_mime_part *out)
{
    struct mail_mime_level *top = m->depth ? &m->level[m->depth - 1] : NULL;
    if (top && !top->boundary.len && !top->inside)
        top->inside = true; // the message in message/rfc822 begins at once
    else if (m->begun && !part_find(m))
        return false;
    m->begun = true;
    if (m->parts == MAIL_MIME_PARTS) {
        m->cut = true;
        return false;
    }
    m->parts++;
    entity_read(m, out);
    return true;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// RFC 2045 §6.8: what is no base64 is passed over. Some mailers join texts that are padded each:
// padding ends a group, not the text.
static bool base64_decode(struct buf *b, struct span s)
{
    unsigned bits = 0, count = 0;
    bool clean = true;
    for (size_t i = 0; i < s.len; i++) {
        int v = base64_value(s.at[i]);
        if (v >= 0) {
            bits = bits << 6 | (unsigned)v;
            count += 6;
            if (count >= 8)
                buf_putc(b, (char)(bits >> (count -= 8) & 0xff));
        } else if (s.at[i] == '=') {
            clean = clean && count < 6;
            count = bits = 0;
        } else
            clean =
                clean && (s.at[i] == '\r' || s.at[i] == '\n' || s.at[i] == ' ' || s.at[i] == '\t');
    }
    return clean && count < 6;
}

static bool quoted_line(struct buf *b, struct span line)
{
    bool clean = true;
    while (line.len) {
        struct span hex = span_first(span_skip(line, 1), 2);
        if (line.at[0] == '=' && hex.len == 2 && code_get_hex(b, hex)) {
            line = span_skip(line, 3);
            continue;
        }
        clean = clean && line.at[0] != '=';
        buf_putc(b, line.at[0]);
        line = span_skip(line, 1);
    }
    return clean;
}

static struct span line_end(struct span line)
{
    return span_ends(line, SPAN("\r\n")) ? SPAN("\r\n")
           : span_ends(line, SPAN("\n")) ? SPAN("\n")
                                         : SPAN("");
}

// RFC 2045 §6.7; rule 3: blanks before a line end are not of the text.
static bool quoted_decode(struct buf *b, struct span s)
{
    bool clean = true;
    while (s.len) {
        struct span line = span_first(s, line_length(s)), end = line_end(line);
        s = span_skip(s, line.len);
        line.len -= end.len;
        while (line.len && (line.at[line.len - 1] == ' ' || line.at[line.len - 1] == '\t'))
            line.len--;
        bool soft = line.len && line.at[line.len - 1] == '=';
        clean = quoted_line(b, span_first(line, line.len - soft)) && clean;
        if (!soft)
            buf_put(b, end);
    }
    return clean;
}

bool mail_mime_decode(struct buf *b, const struct mail_mime_part *part)
{
    bool clean = true;
    if (part->encoding == MAIL_MIME_BASE64)
        clean = base64_decode(b, part->body);
    else if (part->encoding == MAIL_MIME_QUOTED)
        clean = quoted_decode(b, part->body);
    else
        buf_put(b, part->body);
    return clean && part->encoding != MAIL_MIME_UNKNOWN && rc_ok(buf_state(b));
}
