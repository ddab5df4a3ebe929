// DMARC policy records (RFC 9989 §4.8), several in an answer, parted by zeros:
// through the parser, and through an evaluation of a message.
#include "auth_dmarc.h"

#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_uris(const struct auth_dmarc_uri *u, size_t count)
{
    if (count > DMARC_URIS_MAX)
        panic("too many report addresses");
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < u[i].address.len; n++)
            if (u[i].address.at[n] < ' ')
                panic("a control character in a report address");
}

static void check_record(struct span text)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 16);
    struct auth_dmarc_record r;
    if (!auth_dmarc_record_parse(&r, text, &a))
        return;
    if (!auth_dmarc_record_is(text) || r.p >= DMARC_POLICIES || r.sp >= DMARC_POLICIES ||
        r.np >= DMARC_POLICIES || r.fo == 0)
        panic("a record that is none");
    check_uris(r.rua, r.rua_count);
    check_uris(r.ruf, r.ruf_count);
}

static void evaluate(const struct dns_answer *a)
{
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    struct span from = SPAN("u@a.b.example.com");
    struct auth_dmarc_dkim dkim = {AUTH_PASS, {.len = 13, .text = "c.example.com"}};
    struct auth_step step;
    auth_dmarc_from(m, &from, 1);
    auth_dmarc_identifiers(m, NULL, &dkim, 1);
    for (int asked = 0;; asked++) {
        auth_dmarc_next(m, &step);
        if (step.kind == AUTH_DONE)
            return;
        if (step.kind == AUTH_WAIT || asked > DMARC_LOOKUPS_MAX)
            panic("an evaluation that does not end");
        auth_dmarc_answer(m, step.ticket, a);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_record records[8] = {{0}};
    struct dns_answer a = {.standing = DNS_INSECURE, .presence = DNS_DATA, .records = records};
    struct span rest = {(const char *)data, size};
    check_record(rest);
    while (rest.at && a.count < 8)
        records[a.count++].data = span_cut(&rest, '\0');
    evaluate(&a);
    return 0;
}
