// The two texts of DKIM: the signature field (RFC 6376 §3.5, RFC 8616 §5) and
// the key record (§3.6.1, RFC 8463 §4), read and checked each by itself. ARC's
// message signature (RFC 8617 §4.1.2) has the same form and is read here too.
#pragma once
#include "auth_canon.h"
#include "auth_tags.h"
#include "base_arena.h"
#include "crypto_verify.h"
#include "dns_name.h"

enum {
    AUTH_DKIM_FIELD_MAX = 32 << 10, // longer signature fields and key records are not read
    AUTH_DKIM_NAMES_MAX = 256,      // names in h=
};

struct auth_dkim_signature {
    enum crypto_algorithm algorithm;
    struct dns_name domain, selector; // A-labels
    struct span identity;             // i=, decoded; "@domain" where there is none
    struct dns_name identity_domain;
    struct span headers; // h= as it stands
    enum auth_canon header, body;
    bool limited; // l= is there
    uint64_t length;
    bool timed, expires;  // t=, x= are there
    int64_t time, expiry; // seconds since 1970
    struct crypto_digest body_hash;
    struct span signature; // decoded
    struct span b_text;    // b= as it stands, with white space around it
    unsigned instance;     // ARC: i=
};

enum auth_dkim_form { AUTH_DKIM_SIGNATURE, AUTH_ARC_SIGNATURE };

// `value` is the field's, behind the colon. NULL if it is well-formed and can be
// verified by us, else the reason why not, in words; then what was read before
// (often domain and selector) is there. Spans are of `value` or live in `a`.
const char *auth_dkim_signature_read(struct auth_dkim_signature *out, struct span value,
                                     enum auth_dkim_form form, struct arena *a);

struct auth_dkim_key {
    enum crypto_algorithm algorithm;
    struct crypto_public *key;
    unsigned bits;
    bool testing; // t=y
    bool strict;  // t=s: the domain of i= must be d= itself
    bool tlsrpt;  // s= permits TLS reports (RFC 8460 §3)
    bool aside;   // but not what it was asked for
};

// A key record that may be used for `service` ("email", "tlsrpt") with SHA-256.
// NULL: it may, and out->key is the caller's to free; else the reason, with the
// flags set as far as they could be read.
const char *auth_dkim_key_read(struct auth_dkim_key *out, struct span record, struct span service);
