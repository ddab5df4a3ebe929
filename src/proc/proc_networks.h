// Which clients and which domains: lists from the configuration, checked there.
#pragma once
#include "conf.h"
#include "dns_name.h"
#include "io_stream.h"

struct networks;
struct networks *networks_new(const struct conf *c, enum conf_id list); // "address/bits"
void networks_free(struct networks *n);
// An IPv4 client that came over an IPv6 socket counts as IPv4.
bool networks_hold(const struct networks *n, const struct io_endpoint *peer);

bool network_holds(struct span network, const struct io_endpoint *peer); // "address/bits"

// Lists of domains, for many questions.
struct domains;
struct domains *domains_new(const struct conf *c, enum conf_id list);
void domains_free(struct domains *d);
bool domains_hold(const struct domains *d, struct span name); // A-labels, lower case

// A list entry "example.org" (itself), ".example.org" (all below it), "*" (all).
bool domain_matches(struct span entry, const struct dns_name *domain);
bool domain_listed(const struct conf *c, enum conf_id list, const struct dns_name *domain);
