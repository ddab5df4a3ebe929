// Next hops and local TLS policy of the operator: send.routes, local.lmtp and send.policy.
#include "io_stream.h"
#include "proc_networks.h"
#include "proc_outbound.h"

#include "base_code.h"

#include <stdlib.h>

// The entry whose first word matches the domain, the longest of them; empty: none.
static struct span best_entry(const struct conf *c, enum conf_id list,
                              const struct dns_name *domain)
{
    struct span best = {NULL, 0};
    size_t best_len = 0;
    for (size_t i = 0; i < conf_count(c, list); i++) {
        struct span rest = conf_item(c, list, i), name = span_cut(&rest, ' ');
        if (!domain_matches(name, domain) || (best.at && name.len <= best_len))
            continue;
        best = span_trim(rest);
        best_len = name.len;
    }
    return best;
}

static void set_address(struct trust_route *route, struct span text)
{
    struct io_endpoint e;
    if (!io_endpoint_parse(&e, text, 25) || e.local)
        return;
    route->given = route->literal = true;
    route->port = e.port;
    route->address.v6 = e.v6;
    span_bytes(route->address.at, sizeof route->address.at, SPAN_OF(e.address));
}

static void set_host(struct trust_route *route, struct span text)
{
    uint64_t port = 0;
    route->mx = span_starts(text, SPAN("mx:"));
    struct span rest = route->mx ? span_skip(text, 3) : text, name = span_cut(&rest, ':');
    if (rest.at && !span_number(rest, 65535, &port))
        return;
    route->given = dns_name_parse_host(&route->host, name);
    route->port = (uint16_t)port;
}

// "[127.0.0.1]:2526" as "127.0.0.1:2526"; an IPv6 address keeps its brackets.
static void set_literal(struct trust_route *route, struct span text)
{
    struct span inside = span_skip(text, 1), address = span_cut(&inside, ']');
    CLEANUP(buf_free) struct buf plain = BUF(256);
    bool v6 = span_index(address, ':') < address.len;
    buf_printf(&plain, v6 ? "[%.*s]%.*s" : "%.*s%.*s", SPAN_FMT(address), SPAN_FMT(inside));
    set_address(route, buf_span(&plain));
}

// "unix:/path", "ADDRESS:PORT", "[ADDRESS]:PORT" or "HOST:PORT".
static void set_lmtp(struct trust_route *route, struct span text)
{
    if (span_starts(text, SPAN("unix:"))) {
        route->given = route->literal = true;
        route->path = span_skip(text, 5);
    } else {
        set_address(route, text);
        if (!route->given)
            set_host(route, text);
    }
    route->lmtp = route->given;
}

// Mail of local domains goes to the mailbox server, whatever routes there are
// for all others; another mailbox server for some of them is a route "lmtp:".
static void set_route(const struct conf *c, struct trust_request *r)
{
    struct span hop = best_entry(c, CONF_send_routes, &r->domain);
    struct span here = conf_span(c, CONF_local_lmtp);
    if (span_starts(hop, SPAN("lmtp:")))
        set_lmtp(&r->route, span_skip(hop, 5));
    else if (here.len && domain_listed(c, CONF_local_domains, &r->domain))
        set_lmtp(&r->route, here);
    else if (hop.len && hop.at[0] == '[')
        set_literal(&r->route, hop);
    else if (hop.len)
        set_host(&r->route, hop);
}

void routes_apply(const struct conf *c, struct trust_request *r)
{
    set_route(c, r);

    struct span rest = best_entry(c, CONF_send_policy, &r->domain), word = span_cut(&rest, ' ');
    if (word.len && !trust_local_parse(&r->local, word))
        r->local = TRUST_LOCAL_DANE_ONLY; // unreadable: the strictest, never the loosest
    r->pin = span_trim(rest);
}
