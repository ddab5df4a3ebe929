// SRS, the Sender Rewriting Scheme: the envelope sender of a message that is
// forwarded, in a form that leads bounces back through the forwarder and passes
// SPF there.
//
//   SRS0=HASH=TT=DOMAIN=LOCAL@us            user@DOMAIN forwarded by us
//   SRS1=HASH=FIRST==…SRS0's rest…@us       an SRS0 address of FIRST forwarded by us
//
// HASH is the first 25 bits of HMAC-SHA-256 over what follows it, without regard
// to case (mail systems on the way may change it), in base 32; TT is the day,
// modulo 1024. Only addresses we made lead anywhere: nobody can relay through
// them. A quoted local-part is quoted anew as a whole.
#pragma once
#include "base_time.h"
#include "mail_address.h"

struct auth_srs {
    struct dns_name domain;     // ours, of the rewritten address
    const struct span *secrets; // the first makes, every one of them is accepted
    size_t secret_count;        // at least one; an empty secret panics
    unsigned days;              // how long an address is good; 0: AUTH_SRS_DAYS
};

enum { AUTH_SRS_DAYS = 21, AUTH_SRS_DAYS_MAX = 1000 };

enum auth_srs_result {
    AUTH_SRS_OK,
    AUTH_SRS_AS_IT_IS, // forward: null sender, or a domain of ours: nothing to rewrite.
                       // back: no SRS address; both leave *out alone
    AUTH_SRS_TOO_LONG, // over 64 octets of local-part (RFC 5321 §4.5.3.1.1)
    AUTH_SRS_NO_FORM,  // forward: an address literal and an empty local-part have none. back: looks
                       // like SRS and is not
    AUTH_SRS_FORGED,   // back: the hash is of none of the secrets
    AUTH_SRS_EXPIRED,  // back: too old, or of a day to come
    AUTH_SRS_FULL,     // no room in the arena
    AUTH_SRS_RESULTS
};
const char *auth_srs_result_text(enum auth_srs_result r); // a phrase

enum auth_srs_result auth_srs_forward(const struct auth_srs *srs, const struct mail_address *sender,
                                      struct wall now, struct mail_address *out, struct arena *a);
// `recipient` is an address of ours that a bounce came to; *out is where it
// goes: the original sender, or with SRS1 the first forwarder's SRS0 address.
enum auth_srs_result auth_srs_back(const struct auth_srs *srs, const struct mail_address *recipient,
                                   struct wall now, struct mail_address *out, struct arena *a);
