// Where reports go: rua URIs of records, TLS-RPT's and DMARC's.
#include "report_https.h"
#include "report_rua.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mail(const struct report_rua *r)
{
    if (r->to_count > REPORT_RUA_TO_MAX || (r->https && r->to_count))
        panic("more destinations than there are");
    if (r->state == REPORT_RUA_SEND && !r->https && !r->to_count)
        panic("a report to nobody");
    if ((r->state == REPORT_RUA_DROP) != (r->why != NULL))
        panic("dropped without a word");
}

// Nothing that could end a line or a host's name early.
static void post(const struct report_https *h)
{
    if (!h->port || !dns_name_is_host(&h->host) || h->target.len > REPORT_URI_MAX)
        panic("no place to post to");
    for (size_t i = 0; i < h->target.len; i++)
        if (h->target.at[i] <= ' ' || h->target.at[i] > '~' || h->target.at[i] == '#')
            panic("a target that does not fit into a line");
    if (h->target.len && h->target.at[0] != '/' && h->target.at[0] != '?')
        panic("a target that begins within the host");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct span s = {(const char *)data, size};
    struct dns_name domain, none = {0};
    struct report_https https;
    struct report_rua r;
    if (!dns_name_parse(&domain, SPAN("a.example")))
        panic("no name");
    report_rua_tls(&r, s, &a);
    mail(&r);
    if (r.https && !report_https_parse(&https, r.uri))
        panic("https that is none");
    if (report_https_parse(&https, s))
        post(&https);
    report_rua_dmarc(&r, s, &domain, &none, &a);
    mail(&r);
    return 0;
}
