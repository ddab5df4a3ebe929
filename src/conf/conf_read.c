#include "conf_value.h"

#include <libconfig.h>

enum { CONF_TEXT_MAX = 1 << 20, CONF_NAME_MAX = 200 };

struct reader {
    struct conf *conf;
    const char *where, *folder;
    struct conf_fault *fault;
    int lines[CONF_OPTIONS]; // where this file set an option; 0: it did not
};

static struct conf_at at_line(const struct reader *r, int line)
{
    return (struct conf_at){r->where, line, r->fault};
}

static struct rc wrong_type(const struct conf_at *at, enum conf_id id)
{
    const char *const *words = conf_type_words(conf_options[id].type);
    return conf_complain(at, "%s is %s; %s", conf_options[id].name, words[0], words[1]);
}

static struct rc read_file_name(struct reader *r, enum conf_id id, struct span text,
                                const struct conf_at *at)
{
    bool relative = text.len && text.at[0] != '/' && r->folder && r->folder[0];
    if (!relative)
        return conf_set_text(r->conf, id, text, at);
    CLEANUP(buf_free) struct buf path = BUF(CONF_TEXT_MAX + 8192);
    buf_printf(&path, "%s/", r->folder);
    buf_put(&path, text);
    return conf_set_text(r->conf, id, buf_span(&path), at);
}

// The file name at the end of an entry, or each word of it, from our folder if it is
// relative.
static struct span entry_file(const struct reader *r, struct span entry, bool all, struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(2 * CONF_TEXT_MAX + 8192);
    size_t at = entry.len;
    while (at > 0 && entry.at[at - 1] != ' ')
        at--;
    if (at == entry.len || !r->folder || !r->folder[0])
        return entry;
    if (at > 0 && all)
        buf_put(&b, entry_file(r, span_trim(span_first(entry, at)), true, a));
    else
        buf_put(&b, span_trim(span_first(entry, at)));
    if (at > 0)
        buf_putc(&b, ' ');
    if (entry.at[at] != '/')
        buf_printf(&b, "%s/", r->folder);
    buf_put(&b, span_skip(entry, at));
    return arena_dup(a, buf_span(&b));
}

static struct rc read_list(struct reader *r, enum conf_id id, config_setting_t *s,
                           const struct conf_at *at)
{
    unsigned count = (unsigned)config_setting_length(s);
    CLEANUP(arena_free) struct arena a = ARENA(CONF_CEILING);
    struct span *items = arena_alloc(&a, (count + 1) * sizeof *items);
    if (!items)
        return conf_complain(at, "%s is too long; shorten it", conf_options[id].name);
    for (unsigned i = 0; i < count; i++) {
        config_setting_t *entry = config_setting_get_elem(s, i);
        struct conf_at here = at_line(r, (int)config_setting_source_line(entry));
        if (config_setting_type(entry) != CONFIG_TYPE_STRING)
            return wrong_type(&here, id);
        items[i] = span_str(config_setting_get_string(entry));
        const char *why = conf_options[id].check ? conf_options[id].check(items[i]) : NULL;
        if (why)
            return conf_complain(&here, "%s: \"%.*s\" %s", conf_options[id].name,
                                 SPAN_FMT(span_first(items[i], 80)), why);
        if (conf_options[id].least)
            items[i] = entry_file(r, span_trim(items[i]),
                                  conf_options[id].least == CONF_LIST_OF_PAIRS, &a);
    }
    return conf_set_items(r->conf, id, items, count, at);
}

static bool is_whole_number(const config_setting_t *s)
{
    int type = config_setting_type(s);
    return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

static struct rc read_number(struct reader *r, enum conf_id id, config_setting_t *s,
                             const struct conf_at *at)
{
    int64_t n = config_setting_type(s) == CONFIG_TYPE_INT ? config_setting_get_int(s)
                                                          : config_setting_get_int64(s);
    // A bare 5 could be seconds or minutes: only 0 goes without a unit.
    if (conf_options[id].type == CONF_DURATION && n != 0)
        return wrong_type(at, id);
    return conf_set_number(r->conf, id, n, at);
}

static struct rc read_text(struct reader *r, enum conf_id id, config_setting_t *s,
                           const struct conf_at *at)
{
    struct span text = span_str(config_setting_get_string(s));
    if (conf_options[id].type == CONF_FILE)
        return read_file_name(r, id, text, at);
    return conf_set_text(r->conf, id, text, at);
}

static struct rc read_option(struct reader *r, enum conf_id id, config_setting_t *s,
                             const struct conf_at *at)
{
    enum conf_type want = conf_options[id].type;
    if (want == CONF_LIST)
        return config_setting_is_array(s) || config_setting_is_list(s) ? read_list(r, id, s, at)
                                                                       : wrong_type(at, id);
    if (want == CONF_BOOL)
        return config_setting_type(s) == CONFIG_TYPE_BOOL
                   ? conf_set_number(r->conf, id, config_setting_get_bool(s), at)
                   : wrong_type(at, id);
    if (want <= CONF_DURATION && is_whole_number(s))
        return read_number(r, id, s, at);
    if (want != CONF_INT && config_setting_type(s) == CONFIG_TYPE_STRING)
        return read_text(r, id, s, at);
    return wrong_type(at, id);
}

static struct rc unknown(const struct conf_at *at, struct span name)
{
    const char *near = conf_nearest(name);
    return conf_complain(at, "unknown option '%.*s'%s%s%s", SPAN_FMT(span_first(name, 80)),
                         near ? "; did you mean '" : "; 'geleit config' lists all there are",
                         near ? near : "", near ? "'?" : "");
}

// Some option lies below this name: it is a group of ours.
static bool is_group(struct span name)
{
    for (unsigned id = 0; id < CONF_OPTIONS; id++) {
        struct span option = span_str(conf_options[id].name);
        if (span_starts(option, name) && span_starts(span_skip(option, name.len), SPAN(".")))
            return true;
    }
    return false;
}

static struct rc read_group(struct reader *r, config_setting_t *group, struct span prefix);

static struct rc read_setting(struct reader *r, config_setting_t *s, struct span name)
{
    struct conf_at at = at_line(r, (int)config_setting_source_line(s));
    enum conf_id id;
    if (is_group(name)) {
        if (config_setting_is_group(s))
            return read_group(r, s, name);
        return conf_complain(&at, "'%.*s' is a group of options; write %.*s: { ... };",
                             SPAN_FMT(name), SPAN_FMT(name));
    }
    // What stands inside a group nobody knows tells best what was meant.
    if (config_setting_is_group(s) && config_setting_length(s) && !conf_find(name, &id))
        return read_group(r, s, name);
    if (!conf_find(name, &id))
        return unknown(&at, name);
    if (r->lines[id])
        return conf_complain(&at, "%s was set in line %d already; remove one of them",
                             conf_options[id].name, r->lines[id]);
    r->lines[id] = at.line;
    return read_option(r, id, s, &at);
}

static struct rc read_group(struct reader *r, config_setting_t *group, struct span prefix)
{
    unsigned count = (unsigned)config_setting_length(group);
    for (unsigned i = 0; i < count; i++) {
        config_setting_t *s = config_setting_get_elem(group, i);
        CLEANUP(buf_free) struct buf name = BUF(CONF_NAME_MAX);
        if (prefix.len)
            buf_printf(&name, "%.*s.", SPAN_FMT(prefix));
        buf_put(&name, span_str(config_setting_name(s)));
        if (name.overrun) {
            struct conf_at at = at_line(r, (int)config_setting_source_line(s));
            return unknown(&at, prefix);
        }
        for (size_t k = 0; k < name.len; k++)
            if (name.at[k] == '*') // conf_text_prepare()
                name.at[k] = '.';
        TRY(read_setting(r, s, buf_span(&name)));
    }
    return RC(OK);
}

static struct rc parse(struct reader *r, config_t *parsed, struct span text)
{
    CLEANUP(buf_free) struct buf copy = BUF(CONF_TEXT_MAX);
    struct conf_at at = at_line(r, 0);
    if (text.len >= CONF_TEXT_MAX)
        return conf_complain(&at, "is larger than %d bytes; is it the right file?", CONF_TEXT_MAX);
    buf_put(&copy, text);
    TRY(conf_text_prepare(&copy, &at));
    if (config_read_string(parsed, buf_str(&copy)) == CONFIG_TRUE)
        return RC(OK);
    at.line = config_error_line(parsed);
    if (span_starts(span_str(config_error_text(parsed)), SPAN("duplicate")))
        return conf_complain(&at, "this name was set before in the same group; remove one of them");
    return conf_complain(&at, "syntax error here or just before; write name = value; with texts, "
                              "sizes and durations in double quotes");
}

struct rc conf_read(struct conf *c, struct span text, const char *where, const char *folder,
                    struct conf_fault *fault)
{
    struct reader r = {.conf = c, .where = where, .folder = folder, .fault = fault};
    CLEANUP(config_destroy) config_t parsed;
    config_init(&parsed);
    TRY(parse(&r, &parsed, text));
    return read_group(&r, config_root_setting(&parsed), (struct span){NULL, 0});
}
