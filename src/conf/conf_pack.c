// A section: u16 count, then for each option u16 id and its value: i64 for
// numbers, span for texts, u16 count and spans for lists.
#include "conf_value.h"

static void pack_value(struct buf *b, enum conf_type type, const struct conf_value *v)
{
    if (type <= CONF_DURATION) {
        wr_i64(b, v->number);
    } else if (type == CONF_LIST) {
        wr_u16(b, (uint16_t)v->count);
        for (size_t i = 0; i < v->count; i++)
            wr_span(b, v->items[i]);
    } else {
        wr_span(b, v->text);
    }
}

void conf_pack(struct buf *b, const struct conf *c, unsigned role)
{
    uint16_t count = 0;
    for (unsigned id = 0; id < CONF_OPTIONS; id++)
        count = (uint16_t)(count + (c->values[id].here && (conf_options[id].roles & role)));
    wr_u16(b, count);
    for (unsigned id = 0; id < CONF_OPTIONS; id++) {
        if (!c->values[id].here || !(conf_options[id].roles & role))
            continue;
        wr_u16(b, (uint16_t)id);
        pack_value(b, conf_options[id].type, &c->values[id]);
    }
}

static bool unpack_list(struct rd *r, struct conf *c, enum conf_id id, const struct conf_at *at)
{
    size_t count = rd_u16(r);
    if (r->rest.len < 4 * count) // each has a length of four bytes
        return false;
    CLEANUP(arena_free) struct arena a = ARENA(CONF_CEILING);
    struct span *items = arena_alloc(&a, (count + 1) * sizeof *items);
    if (!items)
        return false;
    for (size_t i = 0; i < count; i++)
        items[i] = rd_span(r);
    return !r->bad && rc_ok(conf_set_items(c, id, items, count, at));
}

static bool unpack_value(struct rd *r, struct conf *c)
{
    struct conf_fault fault;
    const struct conf_at at = {.where = "section", .fault = &fault};
    unsigned id = rd_u16(r);
    if (r->bad || id >= CONF_OPTIONS || c->values[id].here)
        return false;
    c->values[id].here = true;
    enum conf_type type = conf_options[id].type;
    if (type == CONF_LIST)
        return unpack_list(r, c, (enum conf_id)id, &at);
    if (type <= CONF_DURATION) {
        int64_t n = rd_i64(r);
        return !r->bad && rc_ok(conf_set_number(c, (enum conf_id)id, n, &at));
    }
    struct span text = rd_span(r);
    return !r->bad && rc_ok(conf_set_text(c, (enum conf_id)id, text, &at));
}

bool conf_unpack(struct rd *r, struct conf **out)
{
    struct conf *c = mem_new(sizeof *c);
    c->arena = ARENA(CONF_CEILING);
    unsigned count = rd_u16(r);
    bool good = !r->bad;
    for (unsigned i = 0; good && i < count; i++)
        good = unpack_value(r, c);
    if (!good) {
        conf_free(c);
        c = NULL;
    }
    *out = c;
    return good;
}
