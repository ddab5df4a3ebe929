// A world in which a scenario is true: what the DNS, the policy store and the
// policy's web server say there. Names and tokens are those of oracle.py.
#pragma once
#include "trust_plan.h"

enum who { NOBODY, DOMAIN, REAL, EXPANDED, HOST1, HOST2, HOST3, SELF, OTHER, ROOT, WHOS };
const struct dns_name *world_name(enum who w);

// The fields of a line, in this order.
enum field {
    F_MX,
    F_ADDR,
    F_TLSA,
    F_EXPANDED,
    F_STS,
    F_NEED,
    F_LOCAL,
    F_SECOND,
    F_FIRST,
    F_ORDER,
    FIELDS
};
struct scenario {
    const char *at[FIELDS];
};
bool world_is(const char *token, const char *is);

// False: the world does not know a token of this scenario.
bool world_set(const struct scenario *s);
const struct dns_answer *world_dns(const struct dns_question *q);
const struct trust_sts_stored *world_stored(void);
const struct trust_fetched *world_fetched(void);
enum who world_first_host(void); // DOMAIN where there is no MX
// The first of two addresses of the first host, the one that F_FIRST is about.
bool world_is_first_address(const struct dns_address *a);
struct wall world_now(void);

// Bytes of TLSA data: what the servers' keys and issuer hash to, and what nobody's does.
enum { KEY_BYTE = 0xaa, ISSUER_BYTE = 0xbb, NOBODYS_BYTE = 0xcc };
