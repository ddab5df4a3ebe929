// What an ARC chain is good for here (RFC 8617 §7.2.1): the report of the first
// sealer in a row of those that the operator trusts. Any other sealer between
// them and us could have put its own message under the chain.
#include "auth_arc_inner.h"
#include "auth_results.h"

static bool is_trusted(const struct auth_arc *m, const struct dns_name *domain)
{
    for (size_t i = 0; i < m->options.sealer_count; i++)
        if (dns_name_eq(&m->sealers[i], domain))
            return true;
    return false;
}

static enum auth_result result_read(struct span word)
{
    for (unsigned r = 0; r < AUTH_RESULTS; r++)
        if (span_ieq(word, span_str(auth_result_text((enum auth_result)r))))
            return (enum auth_result)r;
    return AUTH_NONE;
}

static void read_from(struct dns_name *out, const struct auth_results_info *info)
{
    for (size_t i = 0; i < info->count; i++) {
        const struct auth_results_property *p = &info->properties[i];
        struct span value = p->value;
        if (!span_ieq(p->type, SPAN("header")) || !span_ieq(p->name, SPAN("from")))
            continue;
        size_t at = span_index(value, '@');
        if (!dns_name_parse(out, at < value.len ? span_skip(value, at + 1) : value))
            *out = (struct dns_name){0};
    }
}

static void read_report(struct auth_arc *m, struct auth_arc_hint *hint)
{
    struct auth_results results;
    if (!auth_results_parse(&results, m->shown[hint->instance - 1].results, &m->arena))
        return;
    for (size_t i = 0; i < results.count; i++) {
        const struct auth_results_info *info = &results.infos[i];
        if (!span_ieq(info->method, SPAN("dmarc")))
            continue;
        hint->dmarc = result_read(info->result);
        read_from(&hint->from, info);
        return;
    }
}

void arc_hint(struct auth_arc *m)
{
    struct auth_arc_hint *hint = &m->result.hint;
    for (unsigned i = m->count; i > 0 && is_trusted(m, &m->shown[i - 1].seal_domain); i--)
        hint->instance = i;
    if (hint->instance)
        read_report(m, hint);
}
