// A table of aliases, and walks through whatever was read: they end, and every
// goal is an address.
#include "alias_walk.h"

#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum alias_class class_of(void *arg, struct span domain)
{
    (void)arg;
    return (enum alias_class)(domain.len % 4);
}

static void walk(const struct alias_conf *conf, struct span path, unsigned luck)
{
    struct arena a = ARENA(8192);
    struct mail_address to, goal;
    struct span question, why;
    size_t count;
    if (mail_address_parse(&to, path, true, &a)) {
        struct alias_walk *w = alias_walk_new(conf, &to);
        for (unsigned i = 0; alias_walk_asks(w, &question); i++)
            alias_walk_answer(w, (enum alias_mailbox)((luck >> (i % 8)) % 3));
        const struct alias_goal *g = alias_walk_goals(w, &count);
        arena_free(&a);
        for (size_t i = 0; i < count && i < 20; i++)
            if (!mail_address_parse(&goal, g[i].address, true, &a) || goal.kind != MAIL_DOMAIN)
                panic("%.*s is no goal", SPAN_FMT(g[i].address));
        if (count > conf->most)
            panic("%zu goals", count);
        if (alias_walk_end(w, &why) == ALIAS_GOES && count == 0)
            panic("goes nowhere");
        alias_walk_free(w);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alias_source source = {SPAN("fuzz"), {(const char *)data, size}};
    struct alias_conf conf = {.domains = {.class_of = class_of},
                              .home = SPAN("home.example"),
                              .postmaster = SPAN("root@a.b"),
                              .detail = '+',
                              .most = 50};
    struct alias_fault fault;
    struct alias_table *t;
    if (size == 0 || !rc_ok(alias_table_new(&t, &source, 1, &conf.domains, &fault)))
        return 0;
    conf.table = t;
    struct span rest = source.text;
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        walk(&conf, span_trim(span_cut(&line, ':')), data[0]);
    }
    alias_table_free(t);
    return 0;
}
