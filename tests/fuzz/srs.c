// SRS: whatever address comes, nothing leads back that was not made here; and
// what was made here leads back to where it came from.
#include "auth_srs.h"

#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wall now = {86400 * US_PER_S * 20000};
static const struct span secrets[] = {{"new", 3}, {"old", 3}};

static bool same(const struct mail_address *a, const struct mail_address *b)
{
    return dns_name_eq(&a->domain, &b->domain) && span_eq(a->local, b->local);
}

// Back once or, through a second forwarder's address, to an SRS0 address.
static void look(const struct auth_srs *srs, const struct mail_address *from,
                 const struct mail_address *there, struct arena *a)
{
    struct mail_address back;
    if (there->local.len > MAIL_LOCAL_MAX || !dns_name_eq(&there->domain, &srs->domain))
        panic("no address of ours");
    if (auth_srs_back(srs, there, now, &back, a) != AUTH_SRS_OK)
        panic("'%.*s' does not lead back", SPAN_FMT(there->text));
    bool nested =
        span_istarts(from->local, SPAN("SRS")) || span_istarts(from->local, SPAN("\"SRS"));
    // A quoted form need not come back with the same quotes.
    if (!nested && span_index(from->local, '"') == from->local.len && !same(from, &back))
        panic("'%.*s' came back as '%.*s'", SPAN_FMT(from->text), SPAN_FMT(back.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct auth_srs srs = {.secrets = secrets, .secret_count = 2};
    struct mail_address from, out;
    if (!dns_name_parse(&srs.domain, SPAN("us.example")) ||
        !mail_address_parse(&from, (struct span){(const char *)data, size}, true, &a))
        return 0;
    if (auth_srs_back(&srs, &from, now, &out, &a) == AUTH_SRS_OK)
        panic("a guessed hash"); // one in 2^25: worth a look
    if (auth_srs_forward(&srs, &from, now, &out, &a) == AUTH_SRS_OK)
        look(&srs, &from, &out, &a);
    return 0;
}
