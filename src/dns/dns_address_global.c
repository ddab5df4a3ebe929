#include "dns_answer.h"

struct network {
    unsigned char at[16];
    unsigned bits;
};

// RFC 6890 and the IANA IPv4 Special-Purpose Address Registry.
static const struct network not_global_v4[] = {
    {{0}, 8},            // this network
    {{10}, 8},           // private (RFC 1918)
    {{100, 64}, 10},     // shared by carriers (RFC 6598)
    {{127}, 8},          // loopback
    {{169, 254}, 16},    // link-local
    {{172, 16}, 12},     // private
    {{192, 0, 0}, 24},   // protocol assignments
    {{192, 0, 2}, 24},   // documentation (RFC 5737)
    {{192, 88, 99}, 24}, // relays of 6to4, withdrawn (RFC 7526)
    {{192, 168}, 16},    // private
    {{198, 18}, 15},     // benchmarks (RFC 2544)
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 4}, // multicast
    {{240}, 4}, // reserved, and broadcast
};

// Global unicast is 2000::/3 (RFC 4291 section 2.4); all else is not: unspecified, loopback,
// mapped, unique local (RFC 4193), link-local, site-local, multicast, discard (RFC 6666).
static const struct network global_v6 = {{0x20}, 3};
static const struct network not_global_v6[] = {
    {{0x20, 0x01}, 23},             // protocol assignments: Teredo, benchmarks, ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, // documentation (RFC 3849)
    {{0x3f, 0xff}, 20},             // documentation (RFC 9637)
};

static const struct {
    struct network within;
    unsigned v4; // where its four bytes begin
} translated[] = {
    {{{0, 0x64, 0xff, 0x9b}, 96}, 12}, // NAT64 (RFC 6052)
    {{{0x20, 0x02}, 16}, 2},           // 6to4 (RFC 3056)
};

static bool is_within(const unsigned char *at, const struct network *n)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    for (unsigned i = 0; i < whole; i++)
        if (at[i] != n->at[i])
            return false;
    return rest == 0 || (at[whole] ^ n->at[whole]) >> (8 - rest) == 0;
}

static bool is_in_any(const unsigned char *at, const struct network *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_within(at, &list[i]))
            return true;
    return false;
}

static bool v4_is_global(const unsigned char *at)
{
    return !is_in_any(at, not_global_v4, sizeof not_global_v4 / sizeof *not_global_v4);
}

bool dns_address_is_global(const struct dns_address *a)
{
    if (!a->v6)
        return v4_is_global(a->at);
    for (size_t i = 0; i < sizeof translated / sizeof *translated; i++)
        if (is_within(a->at, &translated[i].within))
            return v4_is_global(a->at + translated[i].v4);
    return is_within(a->at, &global_v6) &&
           !is_in_any(a->at, not_global_v6, sizeof not_global_v6 / sizeof *not_global_v6);
}
