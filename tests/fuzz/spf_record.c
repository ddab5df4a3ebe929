// Records and macro strings: the parser takes or leaves any text, and reads
// from a record it took exactly the terms that it counted.
#include "auth_spf_record.h"

#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_term(const struct auth_spf_record *r, const struct auth_spf_term *t)
{
    if (t->text.len == 0 || t->text.at < r->text.at ||
        t->text.at + t->text.len > r->text.at + r->text.len)
        panic("a term from outside the record");
    if (t->prefix4 > 32 || t->prefix6 > 128 || t->kind >= AUTH_SPF_KINDS)
        panic("a term that cannot be");
    if (t->network.v6 && t->kind != AUTH_SPF_IP6)
        panic("an address in the wrong place");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size}, fault;
    struct auth_spf_record r;
    struct auth_spf_term t;
    const char *why;
    bool ok = auth_spf_record_parse(&r, text, &fault, &why);
    if (ok == (why != NULL))
        panic("an error without a reason, or a reason without an error");
    (void)auth_spf_explain_ok(text);
    if (!ok)
        return 0;
    size_t terms = 0;
    for (struct span rest = {0}; auth_spf_record_next(&r, &rest, &t); terms++)
        look_at_term(&r, &t);
    if (terms != r.terms || auth_spf_record_is(text) != true)
        panic("%zu terms of %zu", terms, r.terms);
    return 0;
}
