#include "conf_value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct rc conf_fault_say(struct conf_fault *fault, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(fault->text, sizeof fault->text, format, ap);
    va_end(ap);
    conf_fault_tame(fault);
    return RC(CONFIG);
}

struct conf *conf_new(void)
{
    struct conf *c = mem_new(sizeof *c);
    c->arena = ARENA(CONF_CEILING);
    struct conf_fault fault;
    const struct conf_at at = {.where = "default", .fault = &fault};
    for (unsigned id = 0; id < CONF_OPTIONS; id++) {
        if (!rc_ok(conf_set_text(c, (enum conf_id)id, span_str(conf_options[id].initial), &at)))
            panic("%s", fault.text);
        c->values[id].here = true;
        c->values[id].set = false;
    }
    return c;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    arena_free(&c->arena);
    free(c);
}

struct rc conf_override(struct conf *c, struct span assignment, struct conf_fault *fault)
{
    const struct conf_at at = {.where = "-o", .fault = fault};
    struct span value = assignment;
    struct span name = span_trim(span_cut(&value, '='));
    enum conf_id id;
    if (!value.at)
        return conf_complain(&at, "\"%.*s\" sets nothing; write -o NAME=VALUE",
                             SPAN_FMT(span_first(assignment, 80)));
    if (conf_find(name, &id))
        return conf_set_text(c, id, span_trim(value), &at);
    const char *near = conf_nearest(name);
    return conf_complain(&at, "unknown option '%.*s'%s%s%s", SPAN_FMT(span_first(name, 80)),
                         near ? "; did you mean '" : "; 'geleit config' lists all there are",
                         near ? near : "", near ? "'?" : "");
}

// A role that asks for what is not in its section would go on with a default
// nobody chose.
static const struct conf_value *value(const struct conf *c, enum conf_id id)
{
    if (id >= CONF_OPTIONS || !c->values[id].here)
        panic("option %d is not in this section", (int)id);
    return &c->values[id];
}

bool conf_bool(const struct conf *c, enum conf_id id)
{
    return value(c, id)->number != 0;
}

int64_t conf_int(const struct conf *c, enum conf_id id)
{
    return value(c, id)->number;
}

struct span conf_span(const struct conf *c, enum conf_id id)
{
    return value(c, id)->text;
}

unsigned conf_choice(const struct conf *c, enum conf_id id)
{
    return (unsigned)value(c, id)->number;
}

size_t conf_count(const struct conf *c, enum conf_id id)
{
    return value(c, id)->count;
}

struct span conf_item(const struct conf *c, enum conf_id id, size_t i)
{
    const struct conf_value *v = value(c, id);
    if (i >= v->count)
        panic("%s has no entry %zu", conf_options[id].name, i);
    return v->items[i];
}
