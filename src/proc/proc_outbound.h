// What the roles that look outwards share: who we are, and the trust anchors.
// The sender delivers with it, control explains and probes with it.
#pragma once
#include "io_tls.h"
#include "proc_role.h"
#include "trust_plan.h"

struct outbound {
    struct proc *proc;
    struct io_tls_client *tls;
    struct dns_name self;               // a host of an MX list with this name, or with one of
    struct dns_address *self_addresses; // these addresses, is ourselves (RFC 5321 §5.1)
    size_t self_address_count;
};
// From the configuration, at start and reload. False: nothing could be verified
// with it and it has said so; what was there before stays.
bool outbound_configure(struct outbound *o);

// Sets route, local policy and pin in `r`, by the longest matching entry of
// send.routes and send.policy, and by local.lmtp for local.domains. Borrows from `c`.
void routes_apply(const struct conf *c, struct trust_request *r);
