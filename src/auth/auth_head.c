#include "auth_head.h"

#include "auth_tags.h"

#include <string.h>

// Index behind the empty line, or 0: the header does not end here.
static size_t head_end(struct span s, size_t from)
{
    if (span_starts(s, SPAN("\r\n")))
        return 2; // not one field
    const char *at = s.len ? memmem(s.at + from, s.len - from, "\r\n\r\n", 4) : NULL;
    return at ? (size_t)(at - s.at) + 4 : 0;
}

struct span auth_split_feed(struct auth_split *s, struct span chunk)
{
    if (s->done)
        return chunk;
    size_t before = s->head.len, from = before > 3 ? before - 3 : 0;
    size_t room = s->head.max - before;
    struct span taken = span_first(chunk, room);
    buf_put(&s->head, taken);
    size_t end = head_end(buf_span(&s->head), from);
    if (end) {
        s->done = true;
        s->head.len = end;
        return span_skip(chunk, end - before);
    }
    if (taken.len < chunk.len) {
        s->done = s->too_large = true;
        buf_clear(&s->head);
    }
    return SPAN("");
}

void auth_split_free(struct auth_split *s)
{
    buf_free(&s->head);
}

// Takes the next line from *rest, without its CRLF; a last line may have none.
static struct span line_cut(struct span *rest)
{
    const char *at = memmem(rest->at, rest->len, "\r\n", 2);
    size_t n = at ? (size_t)(at - rest->at) : rest->len;
    struct span line = span_first(*rest, n);
    *rest = span_skip(*rest, at ? n + 2 : n);
    return line;
}

// RFC 5322 §2.2: printable, no colon; §4.5.8: old mail has blanks before the colon.
static bool field_read(struct auth_field *f, struct span line)
{
    struct span value = line, name = span_cut(&value, ':');
    while (name.len && (name.at[name.len - 1] == ' ' || name.at[name.len - 1] == '\t'))
        name.len--;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] > '~')
            return false;
    *f = (struct auth_field){line, name, value};
    return value.at && name.len;
}

static bool continues(struct span rest)
{
    return rest.len && (rest.at[0] == ' ' || rest.at[0] == '\t');
}

void auth_head_read(struct auth_head *out, struct span bytes, struct arena *a)
{
    *out = (struct auth_head){.at = arena_alloc(a, AUTH_FIELDS_MAX * sizeof *out->at)};
    while (bytes.len && !out->fault) {
        struct span field = line_cut(&bytes);
        if (field.len == 0)
            return; // the empty line
        while (continues(bytes)) {
            struct span more = line_cut(&bytes);
            field.len = (size_t)(more.at + more.len - field.at);
        }
        if (!out->at || out->count == AUTH_FIELDS_MAX)
            out->fault = "too many header fields";
        else if (!field_read(&out->at[out->count], field))
            out->fault = "a header line is no field";
        else
            out->count++;
    }
}

size_t auth_head_count(const struct auth_head *h, struct span name)
{
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++)
        n += span_ieq(h->at[i].name, name);
    return n;
}

void auth_head_select(const struct auth_head *h, struct span list, size_t own, enum auth_canon how,
                      const struct auth_sink *to)
{
    bool taken[AUTH_FIELDS_MAX] = {false};
    while (list.at) {
        struct span name = auth_list_next(&list, ':');
        size_t i = h->count;
        while (i && (taken[i - 1] || i - 1 == own || !span_ieq(h->at[i - 1].name, name)))
            i--;
        if (i == 0)
            continue; // absent: the empty string (RFC 6376 §5.4)
        taken[i - 1] = true;
        auth_canon_field(how, h->at[i - 1].text, true, to);
    }
}
