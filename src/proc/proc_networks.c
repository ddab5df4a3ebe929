#include "proc_networks.h"

#include "base_arena.h"

#include <stdlib.h>
#include <string.h>

struct network {
    bool v6;
    unsigned bits;
    unsigned char address[16];
};

struct networks {
    size_t count;
    struct network at[];
};

static bool parse(struct network *out, struct span text)
{
    struct span rest = text, address = span_cut(&rest, '/');
    struct io_endpoint e;
    uint64_t bits;
    if (!io_endpoint_parse(&e, address, 1) || e.local)
        return false;
    out->v6 = e.v6;
    out->bits = e.v6 ? 128 : 32;
    span_bytes(out->address, sizeof out->address, SPAN_OF(e.address));
    if (rest.at) {
        if (!span_number(rest, out->bits, &bits))
            return false;
        out->bits = (unsigned)bits;
    }
    return true;
}

struct networks *networks_new(const struct conf *c, enum conf_id list)
{
    size_t count = conf_count(c, list);
    struct networks *n = mem_new(sizeof *n + count * sizeof n->at[0]);
    for (size_t i = 0; i < count; i++)
        if (parse(&n->at[n->count], conf_item(c, list, i)))
            n->count++;
    return n;
}

void networks_free(struct networks *n)
{
    free(n);
}

static bool holds(const struct network *n, bool v6, const unsigned char *address)
{
    if (n->v6 != v6)
        return false;
    for (unsigned bit = 0; bit < n->bits; bit++) {
        unsigned char mask = (unsigned char)(0x80 >> bit % 8);
        if ((n->address[bit / 8] ^ address[bit / 8]) & mask)
            return false;
    }
    return true;
}

static bool holds_peer(const struct network *n, const struct io_endpoint *peer)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool v4_in_v6 = peer->v6 && memcmp(peer->address, mapped, sizeof mapped) == 0;
    return holds(n, peer->v6 && !v4_in_v6, v4_in_v6 ? peer->address + 12 : peer->address);
}

bool networks_hold(const struct networks *n, const struct io_endpoint *peer)
{
    for (size_t i = 0; i < n->count; i++)
        if (holds_peer(&n->at[i], peer))
            return true;
    return false;
}

bool network_holds(struct span network, const struct io_endpoint *peer)
{
    struct network n;
    return parse(&n, network) && holds_peer(&n, peer);
}

struct domains {
    bool all;
    size_t count;
    struct span *at; // sorted; with a dot in front: all below it
    struct arena memory;
};

static int span_order(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return span_compare(*x, *y);
}

static void domains_add(struct domains *d, struct span entry)
{
    struct dns_name name;
    bool below = span_starts(entry, SPAN("."));
    d->all |= span_eq(entry, SPAN("*"));
    if (!dns_name_parse(&name, span_skip(entry, below)))
        return;
    CLEANUP(buf_free) struct buf text = BUF(512);
    buf_printf(&text, "%s%s", below ? "." : "", name.text);
    d->at[d->count] = arena_dup(&d->memory, buf_span(&text));
    if (!d->at[d->count].at)
        panic("a list of domains beyond all measure");
    d->count++;
}

struct domains *domains_new(const struct conf *c, enum conf_id list)
{
    struct domains *d = mem_new(sizeof *d);
    size_t count = conf_count(c, list);
    d->memory = ARENA(count * 1024 + 4096);
    d->at = mem_new((count + 1) * sizeof *d->at);
    for (size_t i = 0; i < count; i++)
        domains_add(d, conf_item(c, list, i));
    if (d->count)
        qsort(d->at, d->count, sizeof *d->at, span_order);
    return d;
}

void domains_free(struct domains *d)
{
    if (!d)
        return;
    arena_free(&d->memory);
    free(d->at);
    free(d);
}

static bool domains_have(const struct domains *d, struct span entry)
{
    return d->count && entry.len && bsearch(&entry, d->at, d->count, sizeof entry, span_order);
}

bool domains_hold(const struct domains *d, struct span name)
{
    if (d->all || domains_have(d, name))
        return true;
    for (size_t i = 1; i < name.len; i++)
        if (name.at[i] == '.' && domains_have(d, span_skip(name, i)))
            return true;
    return false;
}

bool domain_matches(struct span entry, const struct dns_name *domain)
{
    struct span name = dns_name_span(domain);
    if (span_eq(entry, SPAN("*")))
        return true;
    struct dns_name wanted;
    if (span_starts(entry, SPAN(".")))
        return dns_name_parse(&wanted, span_skip(entry, 1)) && name.len > wanted.len + 1u &&
               name.at[name.len - wanted.len - 1u] == '.' &&
               span_ends(name, dns_name_span(&wanted));
    return dns_name_parse(&wanted, entry) && dns_name_eq(&wanted, domain);
}

bool domain_listed(const struct conf *c, enum conf_id list, const struct dns_name *domain)
{
    for (size_t i = 0; i < conf_count(c, list); i++)
        if (domain_matches(conf_item(c, list, i), domain))
            return true;
    return false;
}
