// The _mta-sts TXT record, RFC 8461 §3.1.
#include "trust_fields.h"
#include "trust_sts_keeper.h"

bool trust_sts_is_id(struct span id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!trust_fields_is_alnum(id.at[i]))
            return false;
    return id.len > 0 && id.len <= STS_ID_MAX;
}

bool trust_sts_record(const struct dns_answer *txt, char id[static STS_ID_MAX + 1])
{
    struct span fields, found = {NULL, 0};
    struct trust_field f;
    int more = -1;
    id[0] = '\0';
    if (!trust_fields_find(txt, SPAN("v=STSv1"), &fields))
        return false;
    while ((more = trust_fields_next(&fields, &f)) > 0) {
        if (!found.at && span_eq(f.name, SPAN("id"))) // §3.2: the first one counts
            found = f.value;
        else if (!trust_fields_is_value(f.value))
            return false;
    }
    return more == 0 && trust_sts_is_id(found) && span_copy(id, STS_ID_MAX + 1, found);
}
