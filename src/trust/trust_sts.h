// MTA-STS (RFC 8461): the TXT record, the policy file, matching, and the rule
// which policy is in force when the record, the cache and a fetch disagree.
#pragma once
#include "base_arena.h"
#include "base_json.h"
#include "base_time.h"
#include "dns_answer.h"

enum { STS_ID_MAX = 32, STS_POLICY_MAX = 65536, STS_MX_MAX = 256 };

enum trust_sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE, STS_MODES };
const char *trust_sts_mode_text(enum trust_sts_mode m);

struct trust_sts_pattern {
    bool wildcard;        // "*." for exactly one leftmost label (§4.1)
    struct dns_name name; // without the "*."
};

struct trust_sts_policy {
    enum trust_sts_mode mode;
    uint32_t max_age; // seconds, 0…31557600
    size_t count;
    struct trust_sts_pattern *mx; // in the arena it was parsed into
};

// §3.1. From the TXT answer's strings: exactly one record that begins with
// "v=STSv1;", else there is none. False: none (or its id is malformed).
bool trust_sts_record(const struct dns_answer *txt, char id[static STS_ID_MAX + 1]);

// §3.2. NULL: valid; else one sentence that says what is wrong with the file.
// (trust_sts_no_room, compared by address: the file may be right, `a` is full.)
const char *trust_sts_parse(struct trust_sts_policy *out, struct span file, struct arena *a);
extern const char trust_sts_no_room[];
bool trust_sts_match(const struct trust_sts_policy *p, const struct dns_name *mx);

// A policy as it is kept: the file itself, so that nothing is lost by parsing.
struct trust_sts_stored {
    char id[STS_ID_MAX + 1];
    struct span file;
    struct wall fetched; // the last time it was seen to be right
    struct wall expires; // fetched + max_age
};
void trust_sts_pack(struct buf *b, const struct trust_sts_stored *s);
bool trust_sts_unpack(struct rd *r, struct trust_sts_stored *out, struct arena *a);

// What a fetch brought back (lookup_fetch gives it, untouched).
enum trust_fetch_result {
    TRUST_FETCH_OK,
    TRUST_FETCH_DNS,     // no address for mta-sts.<domain>
    TRUST_FETCH_CONNECT, // could not connect, timed out, cut off
    TRUST_FETCH_WEBPKI,  // certificate not valid for the host (sts-webpki-invalid)
    TRUST_FETCH_HTTP,    // status other than 200, a redirect among them
    TRUST_FETCH_TYPE,    // not text/plain
    TRUST_FETCH_TOO_LARGE,
    TRUST_FETCH_RESULTS
};
struct trust_fetched {
    enum trust_fetch_result result;
    struct span file;   // OK only
    struct span detail; // one sentence, for people
};
void trust_fetched_pack(struct buf *b, const struct trust_fetched *f);
bool trust_fetched_unpack(struct rd *r, struct trust_fetched *out, struct arena *a);
