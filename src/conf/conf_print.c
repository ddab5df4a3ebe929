#include "conf_value.h"

#include "base_json.h"

static void put_string(struct buf *b, struct span s)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '"');
}

static void put_value(struct buf *b, const struct conf_option *o, const struct conf_value *v)
{
    bool quoted = (o->type == CONF_SIZE || o->type == CONF_DURATION) && v->number;
    if (o->type <= CONF_DURATION) {
        buf_put(b, quoted ? SPAN("\"") : SPAN(""));
        conf_put_number(b, o->type, v->number);
        buf_put(b, quoted ? SPAN("\"") : SPAN(""));
        return;
    }
    if (o->type != CONF_LIST) {
        put_string(b, v->text);
        return;
    }
    buf_put(b, SPAN("["));
    for (size_t i = 0; i < v->count; i++) {
        buf_put(b, i ? SPAN(", ") : SPAN(" "));
        put_string(b, v->items[i]);
    }
    buf_put(b, v->count ? SPAN(" ]") : SPAN("]"));
}

static struct span group_of(struct span name)
{
    size_t dot = span_index(name, '.');
    return dot < name.len ? span_first(name, dot) : (struct span){NULL, 0};
}

static void change_group(struct buf *b, struct span *open, struct span next)
{
    if (span_eq(*open, next))
        return;
    if (open->len)
        buf_put(b, SPAN("};\n"));
    if (next.len)
        buf_printf(b, "\n%.*s: {\n", SPAN_FMT(next));
    *open = next;
}

static void put_choices(struct buf *b, const struct conf_option *o)
{
    for (int i = 0; o->choices && o->choices[i]; i++)
        buf_printf(b, "%s%s", i ? ", " : " One of: ", o->choices[i]);
    buf_put(b, o->choices ? SPAN(".\n") : SPAN("\n"));
}

void conf_print(struct buf *b, const struct conf *c)
{
    struct span open = {NULL, 0};
    for (unsigned id = 0; id < CONF_OPTIONS; id++) {
        const struct conf_option *o = &conf_options[id];
        struct span name = span_str(o->name), group = group_of(name);
        const char *indent = group.len ? "    " : "";
        if (!c->values[id].here)
            continue;
        change_group(b, &open, group);
        buf_printf(b, "%s# %s", indent, o->sentence);
        put_choices(b, o);
        buf_printf(b, "%s%.*s = ", indent, SPAN_FMT(span_skip(name, group.len + !!group.len)));
        put_value(b, o, &c->values[id]);
        buf_put(b, c->values[id].set ? SPAN(";\n") : SPAN("; # default\n"));
    }
    change_group(b, &open, (struct span){NULL, 0});
}

static void put_json(struct json *j, const struct conf_option *o, const struct conf_value *v)
{
    CLEANUP(buf_free) struct buf text = BUF(64);
    if (o->type == CONF_BOOL) {
        json_bool(j, o->name, v->number != 0);
    } else if (o->type == CONF_INT || o->type == CONF_SIZE) {
        json_int(j, o->name, v->number);
    } else if (o->type == CONF_DURATION) {
        conf_put_number(&text, o->type, v->number);
        json_str(j, o->name, buf_span(&text));
    } else if (o->type == CONF_LIST) {
        json_open(j, o->name, '[');
        for (size_t i = 0; i < v->count; i++)
            json_str(j, NULL, v->items[i]);
        json_close(j, ']');
    } else {
        json_str(j, o->name, v->text.at ? v->text : SPAN(""));
    }
}

void conf_print_json(struct buf *b, const struct conf *c)
{
    struct json j = JSON(b);
    json_open(&j, NULL, '{');
    for (unsigned id = 0; id < CONF_OPTIONS; id++)
        if (c->values[id].here)
            put_json(&j, &conf_options[id], &c->values[id]);
    json_close(&j, '}');
}
