#include "alias_table.h"

#include "base_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_MAX = 512 << 20, LOOP_MAX = 100 };

struct alias_table {
    struct arena memory;
    const struct alias_source *sources;
    struct alias_entry *entries; // sorted once all are there
    size_t count, cap;
};

struct reader {
    struct alias_table *table;
    struct alias_fault *fault;
    unsigned source, line;        // where the entry under way begins
    struct alias_target *targets; // of the entry under way
    size_t count, cap;
};

static struct rc complain(const struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct rc complain(const struct reader *r, const char *format, ...)
{
    struct alias_fault *f = r->fault;
    struct span name = r->table->sources[r->source].name;
    int n =
        snprintf(f->text, sizeof f->text, "%.*s:%u: ", SPAN_FMT(span_first(name, 255)), r->line);
    size_t at = n > 0 && (size_t)n < sizeof f->text ? (size_t)n : 0;
    va_list ap;
    va_start(ap, format);
    vsnprintf(f->text + at, sizeof f->text - at, format, ap);
    va_end(ap);
    return RC(CONFIG);
}

static struct rc keep(const struct reader *r, struct span *out, struct span s, bool lower)
{
    struct span mine = arena_dup(&r->table->memory, s);
    if (!mine.at)
        return RC(FULL);
    char *at = (char *)(uintptr_t)mine.at;
    for (size_t i = 0; lower && i < mine.len; i++)
        if (at[i] >= 'A' && at[i] <= 'Z')
            at[i] = (char)(at[i] | 0x20);
    *out = mine;
    return RC(OK);
}

// Where `c` stands outside of a quoted local-part; s.len: nowhere.
static size_t index_unquoted(struct span s, char c)
{
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '"')
            quoted = !quoted;
        else if (quoted && s.at[i] == '\\')
            i++;
        else if (!quoted && s.at[i] == c)
            return i;
    }
    return s.len;
}

static bool local_ok(struct span local)
{
    CLEANUP(buf_free) struct buf text = BUF(512);
    CLEANUP(arena_free) struct arena a = ARENA(4096);
    struct mail_address m;
    buf_printf(&text, "%.*s@x.example", SPAN_FMT(local));
    return rc_ok(buf_state(&text)) && mail_address_parse(&m, buf_span(&text), true, &a) &&
           m.kind == MAIL_DOMAIN && m.local.len == local.len;
}

// "local", "local@domain", "@domain": what is there.
static struct rc read_address(const struct reader *r, struct span text, struct span *local,
                              struct span *domain)
{
    CLEANUP(arena_free) struct arena a = ARENA(8192);
    struct mail_address m;
    struct dns_name name;
    size_t at = index_unquoted(text, '@');
    *local = *domain = SPAN("");
    if (at == text.len) {
        if (!local_ok(text))
            return complain(r,
                            "\"%.*s\" is no address; write local-part@domain, or the local-part "
                            "alone",
                            SPAN_FMT(span_first(text, 100)));
        return keep(r, local, text, false);
    }
    if (at == 0 ? !dns_name_parse_host(&name, span_skip(text, 1))
                : !mail_address_parse(&m, text, true, &a) || m.kind != MAIL_DOMAIN)
        return complain(r,
                        "\"%.*s\" is no address; write local-part@domain, or @domain for all of "
                        "a domain",
                        SPAN_FMT(span_first(text, 100)));
    if (at)
        TRY(keep(r, local, m.local, false));
    return keep(r, domain, dns_name_span(at ? &m.domain : &name), false);
}

static struct rc refuse_foreign(const struct reader *r, struct span text)
{
    static const char *const forms[][2] = {
        {"|",
         "mail is not given to programs; deliver to a mailbox and let its filter (Sieve) do it"},
        {"/", "mail is not written to files; deliver to a mailbox"},
        {":include:", "name the file in alias.files, or write its addresses here"},
        {"\"|",
         "mail is not given to programs; deliver to a mailbox and let its filter (Sieve) do it"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (span_istarts(text, span_str(forms[i][0])))
            return complain(r, "\"%.*s\": %s", SPAN_FMT(span_first(text, 60)), forms[i][1]);
    return RC(OK);
}

static struct rc add_target(struct reader *r, struct alias_target t)
{
    if (r->count >= ALIAS_TARGETS_MAX)
        return complain(r, "more than %d targets; a list of that size wants a list manager",
                        ALIAS_TARGETS_MAX);
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 4;
        r->targets = mem_resize(r->targets, r->cap * sizeof *r->targets);
    }
    r->targets[r->count++] = t;
    return RC(OK);
}

static struct rc read_target(struct reader *r, const struct alias_entry *e, struct span text)
{
    struct alias_target t = {0};
    TRY(refuse_foreign(r, text));
    TRY(read_address(r, text, &t.local, &t.domain));
    t.kind = !t.domain.len ? ALIAS_TO_LOCAL : t.local.len ? ALIAS_TO_ADDRESS : ALIAS_TO_DOMAIN;
    if (t.kind == ALIAS_TO_DOMAIN && e->local.len)
        return complain(r, "\"%.*s\" can only stand for all of a domain (\"@domain: %.*s\")",
                        SPAN_FMT(text), SPAN_FMT(text));
    if (t.kind == ALIAS_TO_LOCAL && !e->local.len)
        return complain(r, "\"%.*s\" wants its domain here; write %.*s@domain", SPAN_FMT(text),
                        SPAN_FMT(text));
    return add_target(r, t);
}

static struct rc read_targets(struct reader *r, const struct alias_entry *e, struct span rest)
{
    static const struct span fail = {":fail:", 6};
    if (span_istarts(rest, fail)) {
        struct alias_target t = {.kind = ALIAS_TO_FAILURE};
        struct span text = span_trim(span_skip(rest, fail.len));
        TRY(keep(r, &t.local, text.len ? text : SPAN("This address is not used any more"), false));
        return add_target(r, t);
    }
    while (rest.len) {
        size_t comma = index_unquoted(rest, ',');
        struct span text = span_trim(span_first(rest, comma));
        rest = span_skip(rest, comma + 1);
        if (text.len)
            TRY(read_target(r, e, text));
    }
    return RC(OK);
}

static struct rc keep_entry(struct reader *r, struct alias_entry *e)
{
    struct alias_table *t = r->table;
    struct alias_target *mine = arena_alloc(&t->memory, r->count * sizeof *mine);
    if (!mine)
        return RC(FULL);
    for (size_t i = 0; i < r->count; i++)
        mine[i] = r->targets[i];
    e->targets = mine;
    e->count = r->count;
    e->source = r->source;
    e->line = r->line;
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->entries = mem_resize(t->entries, t->cap * sizeof *t->entries);
    }
    t->entries[t->count++] = *e;
    return RC(OK);
}

static struct rc read_entry(struct reader *r, struct span line)
{
    struct alias_entry e = {0};
    size_t colon = index_unquoted(line, ':');
    struct span key = span_trim(span_first(line, colon));
    if (colon == line.len)
        return complain(r, "there is no \":\"; write address: target, target");
    r->count = 0;
    TRY(read_address(r, key, &e.local, &e.domain));
    TRY(keep(r, &e.local, e.local, true));
    TRY(read_targets(r, &e, span_trim(span_skip(line, colon + 1))));
    if (r->count == 0)
        return complain(r, "\"%.*s\" has no target; name one, or write :fail: and why",
                        SPAN_FMT(span_first(key, 100)));
    return keep_entry(r, &e);
}

static struct rc flush(struct reader *r, struct buf *line)
{
    struct rc rc = line->len ? read_entry(r, buf_span(line)) : RC(OK);
    buf_clear(line);
    return rc;
}

static struct rc read_line(struct reader *r, struct span line, unsigned number, struct buf *whole)
{
    bool goes_on = line.len && (line.at[0] == ' ' || line.at[0] == '\t');
    struct span text = span_trim(line);
    if (text.len == 0 || text.at[0] == '#')
        return RC(OK);
    if (!goes_on)
        TRY(flush(r, whole));
    else if (whole->len == 0) {
        r->line = number;
        return complain(r,
                        "this line begins with a blank, and there is none before it to continue");
    }
    if (!goes_on)
        r->line = number;
    buf_put(whole, goes_on ? SPAN(" ") : SPAN(""));
    buf_put(whole, text);
    if (!rc_ok(buf_state(whole)))
        return complain(r, "the entry is longer than %d bytes", ALIAS_LINE_MAX);
    return RC(OK);
}

static struct rc read_source(struct reader *r)
{
    CLEANUP(buf_free) struct buf whole = BUF(ALIAS_LINE_MAX);
    struct span text = r->table->sources[r->source].text;
    for (unsigned number = 1; text.len; number++) {
        struct span line = span_cut(&text, '\n');
        if (line.len && line.at[line.len - 1] == '\r')
            line.len--;
        if (span_index(line, '\0') < line.len) {
            r->line = number;
            return complain(r, "a NUL byte; this is no text file");
        }
        TRY(read_line(r, line, number, &whole));
    }
    return flush(r, &whole);
}

static int entry_order(const void *a, const void *b)
{
    const struct alias_entry *x = a, *y = b;
    int order = span_compare(x->local, y->local);
    return order ? order : span_compare(x->domain, y->domain);
}

// The later of two in the order of reading, so that the complaint is about it.
static struct rc check_twice(struct reader *r)
{
    struct alias_table *t = r->table;
    for (size_t i = 1; i < t->count; i++) {
        struct alias_entry *a = &t->entries[i - 1], *b = &t->entries[i];
        if (entry_order(a, b))
            continue;
        bool later = b->source > a->source || (b->source == a->source && b->line > a->line);
        const struct alias_entry *first = later ? a : b, *second = later ? b : a;
        r->source = second->source;
        r->line = second->line;
        return complain(r, "%.*s%s%.*s is set already, in %.*s:%u; make one line of both",
                        SPAN_FMT(b->local), b->domain.len ? "@" : "", SPAN_FMT(b->domain),
                        SPAN_FMT(span_first(t->sources[first->source].name, 200)), first->line);
    }
    return RC(OK);
}

const struct alias_entry *alias_table_find(const struct alias_table *t, struct span local,
                                           struct span domain)
{
    char lower[MAIL_PATH_MAX];
    if (!t || local.len > sizeof lower || t->count == 0)
        return NULL;
    for (size_t i = 0; i < local.len; i++)
        lower[i] =
            local.at[i] >= 'A' && local.at[i] <= 'Z' ? (char)(local.at[i] | 0x20) : local.at[i];
    struct alias_entry key = {.local = {lower, local.len}, .domain = domain};
    return bsearch(&key, t->entries, t->count, sizeof key, entry_order);
}

// The entry a target leads to for certain: a catch-all comes behind the mailbox.
static const struct alias_entry *leads_to(const struct alias_table *t,
                                          const struct alias_domains *ours,
                                          const struct alias_entry *from,
                                          const struct alias_target *to)
{
    struct span domain = to->kind == ALIAS_TO_LOCAL ? from->domain : to->domain;
    if (to->kind == ALIAS_TO_FAILURE)
        return NULL;
    if (to->kind == ALIAS_TO_DOMAIN)
        return alias_table_find(t, SPAN(""), to->domain);
    const struct alias_entry *e = domain.len ? alias_table_find(t, to->local, domain) : NULL;
    bool everywhere = !domain.len || ours->class_of(ours->arg, domain) >= ALIAS_CLASS_LOCAL;
    return e || !everywhere ? e : alias_table_find(t, to->local, SPAN(""));
}

struct loop_search {
    const struct alias_table *table;
    const struct alias_domains *ours;
    unsigned char *seen; // of each entry: 1 on the way, 2 done
    const struct alias_entry *found;
};

static bool search(struct loop_search *s, const struct alias_entry *e, unsigned depth)
{
    unsigned char *mark = &s->seen[e - s->table->entries];
    if (*mark == 2)
        return false;
    if (*mark == 1 || depth > LOOP_MAX) {
        s->found = e;
        return true;
    }
    *mark = 1;
    for (size_t i = 0; i < e->count; i++) {
        const struct alias_entry *next = leads_to(s->table, s->ours, e, &e->targets[i]);
        bool itself = next == e && e->targets[i].kind != ALIAS_TO_DOMAIN;
        if (next && !itself && search(s, next, depth + 1))
            return true;
    }
    *mark = 2;
    return false;
}

static struct rc check_loops(struct reader *r, const struct alias_domains *domains)
{
    const struct alias_table *t = r->table;
    struct loop_search s = {.table = t, .ours = domains, .seen = mem_new(t->count + 1)};
    for (size_t i = 0; i < t->count && !s.found; i++)
        (void)search(&s, &t->entries[i], 0);
    free(s.seen);
    if (!s.found)
        return RC(OK);
    r->source = s.found->source;
    r->line = s.found->line;
    return complain(r,
                    "%.*s%s%.*s leads back to itself (or through more than %d others); take one "
                    "step out",
                    SPAN_FMT(s.found->local), s.found->domain.len ? "@" : "",
                    SPAN_FMT(s.found->domain), LOOP_MAX);
}

static struct rc read_all(struct reader *r, size_t count, const struct alias_domains *domains)
{
    struct alias_table *t = r->table;
    for (r->source = 0; r->source < count; r->source++)
        TRY(read_source(r));
    if (t->count)
        qsort(t->entries, t->count, sizeof *t->entries, entry_order);
    TRY(check_twice(r));
    return check_loops(r, domains);
}

struct rc alias_table_new(struct alias_table **out, const struct alias_source *sources,
                          size_t count, const struct alias_domains *domains,
                          struct alias_fault *fault)
{
    struct alias_table *t = mem_new(sizeof *t);
    struct reader r = {.table = t, .fault = fault};
    *t = (struct alias_table){.memory = ARENA(TABLE_MAX), .sources = sources};
    struct rc rc = read_all(&r, count, domains);
    free(r.targets);
    t->sources = NULL;
    *out = rc_ok(rc) ? t : NULL;
    if (!rc_ok(rc))
        alias_table_free(t);
    return rc;
}

void alias_table_free(struct alias_table *t)
{
    if (!t)
        return;
    arena_free(&t->memory);
    free(t->entries);
    free(t);
}

size_t alias_table_count(const struct alias_table *t)
{
    return t ? t->count : 0;
}
