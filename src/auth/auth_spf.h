// SPF (RFC 7208, with RFC 8616): may this client use this MAIL FROM and this
// HELO? A pure machine as auth_ask.h has it: it asks DNS questions, is answered
// by ticket, and ends in a result for each identity.
//
// Its limits are those of the RFC: 10 terms that look something up, 10 MX and
// 10 PTR names each, void lookups (§4.6.4); the limit of time is the driver's.
// Both identities are evaluated side by side, each with limits of its own, and
// the order in which answers come changes nothing.
//
// Choices where the RFC leaves one open:
// - A target name that cannot be a name after expansion does not match (§4.8).
// - A void lookup is one of "a", "mx" (also of an MX host's addresses) or
//   "exists". Those for "ptr" and %{p} are not counted: they are in the hand of
//   the client, who could so turn another's "fail" into "permerror".
// - "mx" matches if any of the hosts has the client's address, even if the
//   lookup of another failed: the order of MX records means nothing.
#pragma once
#include "auth_ask.h"
#include "auth_spf_record.h"
#include "base_time.h"

enum auth_spf_identity { AUTH_SPF_MAIL_FROM, AUTH_SPF_HELO, AUTH_SPF_IDENTITIES };

enum {
    AUTH_SPF_LOOKUPS = 10,
    AUTH_SPF_VOIDS = 2,
    AUTH_SPF_NAMES = 10,
    AUTH_SPF_STEPS = 100,
    AUTH_SPF_EXPLANATION_MAX = 400,
    AUTH_SPF_QUESTIONS_MAX = 320, // more are never asked
    AUTH_SPF_ARENA = 4 << 20      // an arena with this ceiling has room for any evaluation
};

struct auth_spf_request {
    struct dns_address client; // an IPv4-mapped one counts as IPv4 (§5)
    struct span helo;          // as the client gave it
    struct span mail_from;     // local@domain as in mail_address.text; empty: null reverse path
    struct dns_name receiver;  // our name, for %{r}; root: "unknown"
    struct wall now;           // for %{t}
    unsigned voids_max;        // 0: AUTH_SPF_VOIDS
    bool no_helo;              // the HELO identity is not checked by itself
};

enum auth_spf_outcome {
    AUTH_SPF_RECORD,   // `term` is the record found at `domain`
    AUTH_SPF_ENTERED,  // an include or redirect: what follows, one deeper, is of `target`
    AUTH_SPF_MATCHED,  // the mechanism matched
    AUTH_SPF_NO_MATCH, // it did not
    AUTH_SPF_ENDED,    // nothing matched, and there is no redirect (§4.7)
    AUTH_SPF_ERROR,    // evaluation ended here; `note` says why
    AUTH_SPF_OUTCOMES
};
const char *auth_spf_outcome_text(enum auth_spf_outcome o); // "no match"

// One step of the way to the result, in order.
struct auth_spf_step {
    unsigned depth;         // 0: the identity's own record
    struct dns_name domain; // whose record is read
    struct span term;       // as it stands there
    struct dns_name target; // the domain-spec expanded; root: none
    enum auth_spf_outcome outcome;
    const char *note; // a phrase, or NULL
};

struct auth_spf_check {
    enum auth_spf_identity identity;
    bool checked; // false: not asked for
    enum auth_result result;
    struct dns_name domain;        // of the identity, A-labels; root: it has no usable one
    struct dns_name record_domain; // whose record decided, redirects followed; of an error:
                                   // where it is, includes followed too
    struct span mechanism;         // of that record, which matched; empty: none did
    struct span reason;            // one sentence, for people
    struct span explanation;       // of a fail (§6.2): printable ASCII in the words of a third
                                   // party; empty: none
    unsigned lookups, voids;
    size_t step_count;
    struct auth_spf_step *steps;
    size_t steps_left_out; // before the last one, where there were too many
};

struct auth_spf_result {
    // With a null reverse path both are of postmaster@HELO (§2.4). For DMARC
    // it is always MAIL FROM's that counts.
    struct auth_spf_check check[AUTH_SPF_IDENTITIES];
    // MAIL FROM's, except that a "fail" of HELO stands by itself (§2.3).
    const struct auth_spf_check *decides;
};

struct auth_spf;
// All it holds lives in `a`; the request is copied. NULL: no room in `a`.
struct auth_spf *auth_spf_new(const struct auth_spf_request *r, struct arena *a);
struct auth_step auth_spf_next(struct auth_spf *s);
// The answer is copied. One to no open ticket is ignored.
void auth_spf_answer(struct auth_spf *s, unsigned ticket, const struct dns_answer *answer);
// NULL until DONE. Valid as long as the arena.
const struct auth_spf_result *auth_spf_result(const struct auth_spf *s);

// The result and how it was reached as one JSON object: the members of the check that
// decides, and under the name of each identity all of its check with its steps. Equal
// results give equal bytes. What is not there is null.
void auth_spf_put_json(struct buf *b, const struct auth_spf_result *r);
struct json;
// The members of a check, into an object that is open, without its steps.
void auth_spf_put_check(struct json *j, const struct auth_spf_check *c);
const char *auth_spf_identity_text(enum auth_spf_identity i); // "mail_from"
