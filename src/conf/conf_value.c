#include "conf_value.h"

#include <stdarg.h>
#include <stdio.h>

struct unit {
    const char *text;
    int64_t factor;
};
// Largest first: printing takes the first that divides.
static const struct unit sizes[] = {{"T", INT64_C(1) << 40},
                                    {"G", INT64_C(1) << 30},
                                    {"M", INT64_C(1) << 20},
                                    {"K", INT64_C(1) << 10},
                                    {"", 1},
                                    {NULL, 0}};
static const struct unit durations[] = {{"d", SECONDS(86400)},
                                        {"h", SECONDS(3600)},
                                        {"m", SECONDS(60)},
                                        {"s", SECONDS(1)},
                                        {"ms", US_PER_MS},
                                        {"us", 1},
                                        {NULL, 0}};

// What was read may hold anything, and goes to a terminal. C1 controls (U+0080 to U+009F)
// are obeyed by some.
void conf_fault_tame(struct conf_fault *fault)
{
    for (char *at = fault->text; *at;) {
        size_t n = span_utf8(span_str(at)), len = n ? n : 1;
        unsigned char c = (unsigned char)at[0];
        bool control = c < ' ' || c == 0x7f || (n == 2 && c == 0xc2 && (unsigned char)at[1] < 0xa0);
        for (size_t i = 0; i < len && (n == 0 || control); i++)
            at[i] = '?';
        at += len;
    }
}

struct rc conf_complain(const struct conf_at *at, const char *format, ...)
{
    char *to = at->fault->text;
    const size_t room = sizeof at->fault->text;
    int n = at->line ? snprintf(to, room, "%.200s:%d: ", at->where, at->line)
                     : snprintf(to, room, "%.200s: ", at->where);
    va_list ap;
    va_start(ap, format);
    vsnprintf(to + n, room - (size_t)n, format, ap);
    va_end(ap);
    conf_fault_tame(at->fault);
    return RC(CONFIG);
}

static const struct unit *unit_find(const struct unit *units, struct span text)
{
    for (const struct unit *u = units; u->text; u++)
        if (span_ieq(text, span_str(u->text)))
            return u;
    return NULL;
}

static size_t digits(struct span s)
{
    size_t n = 0;
    while (n < s.len && s.at[n] >= '0' && s.at[n] <= '9')
        n++;
    return n;
}

static bool parse_size(struct span text, int64_t *out)
{
    size_t n = digits(text);
    const struct unit *u = unit_find(sizes, span_trim(span_skip(text, n)));
    uint64_t v;
    if (!u || !span_number(span_first(text, n), (uint64_t)(INT64_MAX / u->factor), &v))
        return false;
    *out = (int64_t)v * u->factor;
    return true;
}

// "90s", "1h30m"; 0 needs no unit.
static bool parse_duration(struct span text, int64_t *out)
{
    int64_t sum = 0;
    if (span_eq(text, SPAN("0"))) {
        *out = 0;
        return true;
    }
    do {
        size_t n = digits(text), end = n;
        while (end < text.len && (text.at[end] < '0' || text.at[end] > '9'))
            end++;
        struct span name = span_trim((struct span){text.at + n, end - n});
        const struct unit *u = unit_find(durations, name);
        uint64_t v;
        if (!u || !span_number(span_first(text, n), (uint64_t)((INT64_MAX - sum) / u->factor), &v))
            return false;
        sum += (int64_t)v * u->factor;
        text = span_skip(text, end);
    } while (text.len);
    *out = sum;
    return true;
}

static bool parse_int(struct span text, int64_t *out)
{
    bool minus = span_starts(text, SPAN("-"));
    uint64_t v;
    if (!span_number(span_skip(text, minus), INT64_MAX, &v))
        return false;
    *out = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

static bool parse_bool(struct span text, int64_t *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},
                 {"false", false}, {"no", false}, {"off", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (span_ieq(text, span_str(words[i].word))) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

bool conf_parse_number(enum conf_type type, struct span text, int64_t *out)
{
    static bool (*const parsers[])(struct span, int64_t *) = {
        [CONF_BOOL] = parse_bool,
        [CONF_INT] = parse_int,
        [CONF_SIZE] = parse_size,
        [CONF_DURATION] = parse_duration,
    };
    return type <= CONF_DURATION && parsers[type](span_trim(text), out);
}

void conf_put_number(struct buf *b, enum conf_type type, int64_t n)
{
    if (type == CONF_BOOL) {
        buf_put(b, n ? SPAN("true") : SPAN("false"));
        return;
    }
    if (type == CONF_INT || n == 0) {
        buf_printf(b, "%lld", (long long)n);
        return;
    }
    const struct unit *u = type == CONF_SIZE ? sizes : durations;
    while (n % u->factor)
        u++;
    buf_printf(b, "%lld%s", (long long)(n / u->factor), u->text);
}

static struct conf_value *settle(struct conf *c, enum conf_id id, const struct conf_at *at)
{
    struct conf_value *v = &c->values[id];
    v->set = true;
    v->line = at->line;
    v->where = arena_dup(&c->arena, span_str(at->where)).at;
    return v;
}

struct rc conf_set_number(struct conf *c, enum conf_id id, int64_t n, const struct conf_at *at)
{
    const struct conf_option *o = &conf_options[id];
    if (n < o->least || n > o->most) {
        CLEANUP(buf_free) struct buf b = BUF(200);
        conf_put_number(&b, o->type, o->least);
        buf_put(&b, SPAN(" and "));
        conf_put_number(&b, o->type, o->most);
        buf_put(&b, SPAN(", not "));
        conf_put_number(&b, o->type, n);
        return conf_complain(at, "%s must be between %s", o->name, buf_str(&b));
    }
    settle(c, id, at)->number = n;
    return RC(OK);
}

static struct rc too_much(enum conf_id id, const struct conf_at *at)
{
    return conf_complain(at, "%s makes the configuration too large; shorten it",
                         conf_options[id].name);
}

static struct rc check_entry(enum conf_id id, struct span entry, const struct conf_at *at)
{
    const struct conf_option *o = &conf_options[id];
    const char *why = o->check ? o->check(entry) : NULL;
    if (!why && span_index(entry, '\0') < entry.len)
        why = "holds a NUL byte; remove it";
    if (why)
        return conf_complain(at, "%s: \"%.*s\" %s", o->name, SPAN_FMT(span_first(entry, 80)), why);
    return RC(OK);
}

struct rc conf_set_items(struct conf *c, enum conf_id id, const struct span *items, size_t count,
                         const struct conf_at *at)
{
    if (count > CONF_ITEMS_MAX)
        return too_much(id, at);
    struct span *copy = arena_alloc(&c->arena, count * sizeof *copy);
    if (!copy)
        return too_much(id, at);
    for (size_t i = 0; i < count; i++) {
        TRY(check_entry(id, items[i], at));
        copy[i] = arena_dup(&c->arena, items[i]);
        if (!copy[i].at)
            return too_much(id, at);
    }
    struct conf_value *v = settle(c, id, at);
    v->items = copy;
    v->count = count;
    return RC(OK);
}

static size_t commas(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.at[i] == ',';
    return n;
}

// "one, two"; the empty text is the empty list.
static struct rc set_list(struct conf *c, enum conf_id id, struct span text,
                          const struct conf_at *at)
{
    CLEANUP(arena_free) struct arena a = ARENA(CONF_CEILING);
    struct span *items = arena_alloc(&a, (commas(text) + 1) * sizeof *items);
    if (!items)
        return too_much(id, at);
    size_t count = 0;
    for (text = span_trim(text); text.len;) {
        bool more = span_index(text, ',') < text.len;
        items[count++] = span_trim(span_cut(&text, ','));
        if (items[count - 1].len == 0 || (more && span_trim(text).len == 0))
            return conf_complain(at, "%s has an empty entry; remove the comma too many",
                                 conf_options[id].name);
    }
    return conf_set_items(c, id, items, count, at);
}

static struct rc set_choice(struct conf *c, enum conf_id id, struct span text,
                            const struct conf_at *at)
{
    const struct conf_option *o = &conf_options[id];
    CLEANUP(buf_free) struct buf all = BUF(200);
    for (int i = 0; o->choices[i]; i++) {
        if (span_eq(text, span_str(o->choices[i]))) {
            struct conf_value *v = settle(c, id, at);
            v->number = i;
            v->text = span_str(o->choices[i]);
            return RC(OK);
        }
        buf_printf(&all, "%s\"%s\"", i ? ", " : "", o->choices[i]);
    }
    return conf_complain(at, "%s cannot be \"%.*s\"; write one of %s", o->name,
                         SPAN_FMT(span_first(text, 80)), buf_str(&all));
}

static struct rc set_string(struct conf *c, enum conf_id id, struct span text,
                            const struct conf_at *at)
{
    const struct conf_option *o = &conf_options[id];
    if (o->most && text.len > (uint64_t)o->most)
        return conf_complain(at, "%s is longer than %lld bytes; shorten it", o->name,
                             (long long)o->most);
    TRY(check_entry(id, text, at));
    struct span copy = arena_dup(&c->arena, text);
    if (!copy.at)
        return too_much(id, at);
    settle(c, id, at)->text = copy;
    return RC(OK);
}

struct rc conf_set_text(struct conf *c, enum conf_id id, struct span text, const struct conf_at *at)
{
    const struct conf_option *o = &conf_options[id];
    if (o->type == CONF_LIST)
        return set_list(c, id, text, at);
    if (o->type == CONF_CHOICE)
        return set_choice(c, id, text, at);
    if (o->type == CONF_STRING || o->type == CONF_FILE)
        return set_string(c, id, text, at);
    int64_t n;
    if (!conf_parse_number(o->type, text, &n))
        return conf_complain(at, "%s is %s, which \"%.*s\" is not; %s", o->name,
                             conf_type_words(o->type)[0], SPAN_FMT(span_first(text, 80)),
                             conf_type_words(o->type)[1]);
    return conf_set_number(c, id, n, at);
}
