#include "auth_results.h"

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

bool auth_results_hear(struct auth_heard *out, const struct auth_results *results)
{
    *out = (struct auth_heard){.dmarc = AUTH_NONE};
    for (size_t i = 0; i < results->count; i++) {
        const struct auth_results_info *info = &results->infos[i];
        if (!span_ieq(info->method, SPAN("dmarc")))
            continue;
        out->dmarc = result_read(info->result);
        read_from(&out->from, info);
        return true;
    }
    return false;
}

bool auth_heard_vouches(const struct auth_heard *h, const struct dns_name *author)
{
    return h->dmarc == AUTH_PASS && author->len > 0 && dns_name_eq(&h->from, author);
}
