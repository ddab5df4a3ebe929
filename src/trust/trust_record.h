// The decision record of a delivery attempt: which plan (by digest), which host
// and rule won, what the session was like, how it ended. Its byte form is one
// JSON document; history stores it, everyone else reads it from there.
#pragma once
#include "trust_walk.h"

// One connection of the attempt.
struct trust_session {
    struct dns_name host;
    struct dns_address address;
    bool source_given; // `source`: of this side, as the kernel has it
    struct dns_address source;
    struct span helo; // what the server calls itself; foreign text, visible ASCII; empty: unknown
    enum trust_requirement requirement;
    bool local; // at a Unix socket, which `host` names: there is no address
    bool connected, starttls, requiretls;
    struct span tls_version, cipher, group; // empty: no TLS
    enum trust_verified verified;
    struct span matched;       // the name or the TLSA record that matched
    struct span certificate;   // SHA-256 of the certificate, hex; empty: none seen
    int64_t certificate_until; // notAfter, seconds since 1970; 0: none
    bool reused;               // an open connection carried this message
    enum trust_result_type result;
    struct span rule;  // sentence of the ruling that decided
    struct span error; // what went wrong, empty: nothing
};
void trust_session_put_json(struct json *j, const char *key, const struct trust_session *s);
