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

static void read_report(struct auth_arc *m, struct auth_arc_hint *hint)
{
    struct auth_results results;
    if (auth_results_parse(&results, m->shown[hint->instance - 1].results, &m->arena))
        (void)auth_results_hear(&hint->heard, &results);
}

void arc_hint(struct auth_arc *m)
{
    struct auth_arc_hint *hint = &m->result.hint;
    for (unsigned i = m->count; i > 0 && is_trusted(m, &m->shown[i - 1].seal_domain); i--)
        hint->instance = i;
    if (hint->instance)
        read_report(m, hint);
}
