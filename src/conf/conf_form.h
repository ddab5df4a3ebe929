// Inside the room: what the entries of lists must look like. NULL: fine; else
// the rest of a sentence that begins with the entry.
#pragma once
#include "base_span.h"

const char *conf_check_hostname(struct span s);
const char *conf_check_domain(struct span s);         // "example.org", ".example.org"
const char *conf_check_name(struct span s);           // "example.org" alone
const char *conf_check_signer(struct span s);         // "example.org SELECTOR FILE"
const char *conf_check_pair(struct span s);           // "CERTFILE KEYFILE"
const char *conf_check_require(struct span s);        // "example.org verify mx.example.org"
const char *conf_check_field(struct span s);          // "Reply-To"
const char *conf_check_endpoint(struct span s);       // "192.0.2.1:25", "[2001:db8::1]:25"
const char *conf_check_network(struct span s);        // "192.0.2.0/24"
const char *conf_check_results(struct span s);        // "mx.example.org 192.0.2.1/32"
const char *conf_check_address(struct span s);        // "192.0.2.1"
const char *conf_check_forward(struct span s);        // "192.0.2.1@53"
const char *conf_check_lmtp(struct span s);           // "unix:/path", "HOST:PORT", empty
const char *conf_check_route(struct span s);          // "DOMAIN HOST[:PORT]" ...
const char *conf_check_dnsbl(struct span s);          // "ZONE refuse", "ZONE note"
const char *conf_check_report_address(struct span s); // "reports@example.org", or empty
const char *conf_check_report_to(struct span s);      // the same, never empty
const char *conf_check_postmaster(struct span s);     // "ann@example.org", or empty
const char *conf_check_detail(struct span s);         // "+", or empty
const char *conf_check_policy(struct span s);         // "DOMAIN verify" ...

extern const char *const conf_log_levels[];
extern const char *const conf_tls_versions[];
extern const char *const conf_auth_spf[];
extern const char *const conf_auth_dmarc[];
extern const char *const conf_auth_from[];
extern const char *const conf_auth_quarantine[];
extern const char *const conf_fcrdns[];
