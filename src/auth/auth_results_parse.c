#include "auth_results.h"

#include "auth_results_token.h"

// "/" version behind a method, digits behind the authserv-id.
static bool number(struct auth_words *w, unsigned *out)
{
    uint64_t n = 0;
    if (!span_number(auth_words_keyword(w), 999, &n))
        return false;
    *out = (unsigned)n;
    return true;
}

static bool read_property(struct auth_words *w, struct span type, struct auth_results_info *info)
{
    if (info->count == AUTH_RESULTS_PROPERTIES_MAX || !auth_words_char(w, '.'))
        return false;
    struct auth_results_property *p = &info->properties[info->count++];
    p->type = type;
    p->name = auth_words_keyword(w);
    if (!p->name.at || !auth_words_char(w, '='))
        return false;
    p->value = auth_words_property(w);
    return p->value.at && !w->bad;
}

// What stands behind the result: reason="…" once and first, then properties.
static bool read_details(struct auth_words *w, struct auth_results_info *info)
{
    auth_words_blank(w);
    while (w->rest.len && w->rest.at[0] != ';' && !w->bad) {
        struct span word = auth_words_keyword(w);
        bool reason = span_ieq(word, SPAN("reason")) && !info->reason.at && !info->count;
        if (!word.at)
            return false;
        if (reason && auth_words_char(w, '=')) {
            info->reason = auth_words_value(w);
            if (!info->reason.at)
                return false;
        } else if (!read_property(w, word, info)) {
            return false;
        }
        auth_words_blank(w);
    }
    return !w->bad;
}

static bool read_info(struct auth_words *w, struct auth_results_info *info)
{
    info->properties =
        arena_alloc(w->arena, AUTH_RESULTS_PROPERTIES_MAX * sizeof *info->properties);
    info->version = 1;
    w->comment = (struct span){0};
    info->method = auth_words_keyword(w);
    if (!info->properties || !info->method.at)
        return false;
    if (auth_words_char(w, '/') && !number(w, &info->version))
        return false;
    if (!auth_words_char(w, '='))
        return false;
    info->result = auth_words_keyword(w);
    bool fits = info->result.at && read_details(w, info);
    info->comment = w->comment;
    return fits;
}

static bool at_none(struct auth_words *w)
{
    struct auth_words ahead = *w;
    bool none = span_ieq(auth_words_token(&ahead), SPAN("none"));
    auth_words_blank(&ahead);
    return none && !ahead.bad && ahead.rest.len == 0;
}

static bool read_infos(struct auth_words *w, struct auth_results *out)
{
    while (auth_words_char(w, ';')) {
        if (!w->rest.len && out->count) {
            out->loose = true;
            return !w->bad;
        }
        if (!out->count && at_none(w)) {
            out->none = true;
            return true;
        }
        if (out->count == AUTH_RESULTS_INFOS_MAX || !read_info(w, &out->infos[out->count]))
            return false;
        out->count++;
    }
    auth_words_blank(w);
    return out->count && w->rest.len == 0 && !w->bad;
}

bool auth_results_parse(struct auth_results *out, struct span value, struct arena *a)
{
    struct auth_words w = {value, a};
    *out = (struct auth_results){.version = 1};
    if (value.len > AUTH_RESULTS_VALUE_MAX)
        return false;
    auth_words_blank(&w);
    out->id = auth_words_value(&w);
    out->infos = arena_alloc(a, AUTH_RESULTS_INFOS_MAX * sizeof *out->infos);
    if (!out->id.at || !out->infos || w.bad)
        return false;
    auth_words_blank(&w);
    if (w.rest.len && w.rest.at[0] != ';' && !number(&w, &out->version))
        return false;
    return read_infos(&w, out);
}

static bool same_name(struct span a, struct span b)
{
    struct dns_name x, y;
    if (dns_name_parse(&x, a) && dns_name_parse(&y, b))
        return dns_name_eq(&x, &y);
    return span_ieq(a, b);
}

enum auth_claim auth_results_claim(struct span value, struct span id)
{
    CLEANUP(arena_free) struct arena a = ARENA(256 << 10);
    struct auth_words w = {value, &a};
    auth_words_blank(&w);
    struct span claimed = auth_words_value(&w);
    struct span before = w.rest;
    auth_words_blank(&w);
    bool parted = before.len != w.rest.len;
    // Nothing, a version, or results may follow; "dkim=pass" at once names nobody.
    bool ends = !w.rest.len || w.rest.at[0] == ';' ||
                (parted && w.rest.at[0] >= '0' && w.rest.at[0] <= '9');
    if (!claimed.at || w.bad || !ends)
        return AUTH_CLAIM_UNCLEAR;
    return same_name(claimed, id) ? AUTH_CLAIM_OURS : AUTH_CLAIM_FOREIGN;
}
