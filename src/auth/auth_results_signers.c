#include "auth_dkim.h"
#include "auth_results.h"

static void add(struct auth_signers *out, const struct auth_results_info *info,
                struct auth_signer signer)
{
    for (size_t i = 0; i < info->count && out->count < AUTH_SIGNERS_MAX; i++) {
        const struct auth_results_property *p = &info->properties[i];
        if (span_ieq(p->type, SPAN("header")) && span_ieq(p->name, SPAN("d")) &&
            dns_name_parse(&signer.domain, p->value)) {
            out->at[out->count++] = signer;
            return;
        }
    }
}

void auth_results_signers(struct auth_signers *out, const struct auth_results *r)
{
    *out = (struct auth_signers){0};
    for (size_t i = 0; i < r->count; i++) {
        const struct auth_results_info *info = &r->infos[i];
        if (!span_ieq(info->method, SPAN("dkim")))
            continue;
        out->judged = true;
        out->open = out->open || span_ieq(info->result, SPAN("temperror"));
        if (span_ieq(info->result, SPAN("pass")))
            add(out, info,
                (struct auth_signer){
                    .mail = true, .tlsrpt = !span_ends(info->comment, SPAN(AUTH_DKIM_NOT_TLSRPT))});
        else if (span_ieq(info->result, SPAN("policy")) &&
                 span_eq(info->reason, SPAN(AUTH_DKIM_TLSRPT_ONLY)))
            add(out, info, (struct auth_signer){.tlsrpt = true});
    }
}

static bool is_below(struct span name, struct span above)
{
    return name.len > above.len && name.at[name.len - above.len - 1] == '.' &&
           span_ends(name, above);
}

bool auth_domains_related(const struct dns_name *a, const struct dns_name *b)
{
    struct span x = dns_name_span(a), y = dns_name_span(b);
    bool tops = span_index(x, '.') == x.len || span_index(y, '.') == y.len;
    return !tops && (span_eq(x, y) || is_below(x, y) || is_below(y, x));
}
