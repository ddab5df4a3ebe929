// How to reach a mail domain safely, decided from what it publishes: MX order
// (RFC 5321 §5.1), null MX (7505), DANE (7672), MTA-STS (8461), REQUIRETLS
// (8689), local policy. One pure machine that asks questions and is answered;
// the same plan serves delivery, explain, check and TLS-RPT.
//
// Driver: call next() until WAIT, carry out each ASK (several may be under way
// at once), give each answer by its `ticket`, call next() again; DONE hands out
// the plan. A question never answered keeps the plan waiting: the driver owns
// the deadline and answers an overdue question with standing INDETERMINATE,
// TRUST_FETCH_CONNECT or "nothing stored".
#pragma once
#include "base_json.h"
#include "dns_answer.h"
#include "trust_need.h"
#include "trust_sts.h"

enum trust_requirement {
    TRUST_REQ_UNUSABLE, // this host must not be used now
    TRUST_REQ_OPPORTUNISTIC,
    TRUST_REQ_ENCRYPT, // TLS mandatory, certificate not checked (TLSA secure, none usable)
    TRUST_REQ_PKIX,    // REQUIRETLS with a DNSSEC-protected name, no other policy
    TRUST_REQ_STS,
    TRUST_REQ_DANE,
    TRUST_REQ_LOCAL_CLEAR,
    TRUST_REQ_LOCAL_OPPORTUNISTIC,
    TRUST_REQ_LOCAL_ENCRYPT,
    TRUST_REQ_LOCAL_VERIFY,
    TRUST_REQ_LOCAL_DANE_ONLY,
    TRUST_REQ_LOCAL_PINNED,
    TRUST_REQUIREMENTS
};
const char *trust_requirement_text(enum trust_requirement r); // as in explain --json

// RFC 8460 §4.3 result types; OK counts as a success.
enum trust_result_type {
    TRUST_RESULT_OK,
    TRUST_STARTTLS_NOT_SUPPORTED,
    TRUST_CERTIFICATE_HOST_MISMATCH,
    TRUST_CERTIFICATE_EXPIRED,
    TRUST_CERTIFICATE_NOT_TRUSTED,
    TRUST_VALIDATION_FAILURE,
    TRUST_TLSA_INVALID,
    TRUST_DNSSEC_INVALID,
    TRUST_DANE_REQUIRED,
    TRUST_STS_FETCH_ERROR,
    TRUST_STS_POLICY_INVALID,
    TRUST_STS_WEBPKI_INVALID,
    TRUST_RESULT_TYPES
};
const char *trust_result_type_text(enum trust_result_type t); // "starttls-not-supported"

struct trust_tlsa {
    uint8_t usage, selector, matching;
    // Usage 2 or 3, selector 0 or 1, matching 0 to 2 with data of its form, and
    // no stronger digest beside it (RFC 7671 §9): only these go to the handshake.
    bool usable;
    bool short_rdata; // shorter than any TLSA: `data` is empty
    struct span data;
};
// "3 1 1 0123…", the form of explain, records and TLS-RPT's policy-string.
void trust_tlsa_put(struct buf *b, const struct trust_tlsa *t);

enum trust_decision { TRUST_DELIVER, TRUST_DEFER, TRUST_FAIL, TRUST_DECISIONS };
const char *trust_decision_text(enum trust_decision d); // "deliver"

enum { TRUST_HOSTS_MAX = 64, TRUST_ADDRESSES_MAX = 32, TRUST_NAMES_MAX = 3 };

struct trust_host {
    struct dns_name name;
    uint16_t preference;
    bool implicit_mx;
    bool lmtp;  // a mailbox server: it is spoken to in LMTP (RFC 2033)
    bool local; // at a Unix socket of this machine: `name` is "unix:/path", the address nothing
    uint16_t port;
    size_t address_count; // IPv6 and IPv4 in the order to try them
    struct dns_address *addresses;
    bool addresses_asked; // false: a literal route, or left out before it was asked
    enum dns_standing address_dnssec;
    bool tlsa_asked;
    enum dns_standing tlsa_dnssec; // when asked
    size_t tlsa_count;
    struct trust_tlsa *tlsa;
    // The name whose TLSA record counts, else the host's: SNI (RFC 7672 §2.2.3,
    // RFC 8461 §7.1). Root for a literal address: no SNI.
    struct dns_name tlsa_base;
    enum trust_requirement requirement;
    // UNUSABLE: whether no try later can change it, and the enhanced code.
    bool for_good;
    const char *status; // NULL where usable
    // What TLS-RPT has to hear of the host without any connection; OK: nothing.
    // On a usable host (TLSA_INVALID) it stands in for a session's OK.
    enum trust_result_type result;
    // What the handshake is to look at: usable TLSA records where `requirement`
    // is DANE or LOCAL_DANE_ONLY, and the names for DANE-TA and PKIX.
    size_t name_count;
    struct dns_name names[TRUST_NAMES_MAX];
    // The host name came by secure MX, a matching enforce policy or the
    // operator, or it is the domain's own.
    bool name_protected;
    bool sts_testing;   // verify as STS would, count, but do not enforce
    bool sts_mismatch;  // not in the policy's mx list (testing: used all the same)
    struct span pin;    // LOCAL_PINNED: SHA-256 of the SPKI, 32 bytes
    struct span reason; // one sentence, with the RFC section
};

enum trust_sts_state {
    TRUST_STS_ABSENT,
    TRUST_STS_MODE_NONE,
    TRUST_STS_TESTING,
    TRUST_STS_ENFORCE,
    TRUST_STS_ERROR
};
enum trust_sts_source {
    TRUST_STS_NOWHERE,
    TRUST_STS_CACHE,
    TRUST_STS_FETCHED,
    TRUST_STS_LAST_GOOD
};

// What holds of MTA-STS for this delivery, and where it is from.
struct trust_sts_held {
    enum trust_sts_state state;
    enum trust_sts_source source;
    char id[STS_ID_MAX + 1];
    struct trust_sts_policy policy;
    struct span error;                  // .at NULL: none
    enum trust_result_type result_type; // for TLS-RPT; OK: nothing to report
};

struct trust_plan {
    struct dns_name domain;
    enum trust_decision decision;
    struct span reason; // one sentence
    const char *status; // enhanced code where the decision is not DELIVER: "4.7.5", "5.1.10"
    bool mx_asked;      // false: the route leads past the MX
    enum dns_standing mx_dnssec;
    // For such a message: the next server must offer REQUIRETLS. Not asked of a mailbox
    // server on this machine: nothing is sent over a network.
    bool requiretls;
    struct trust_sts_held sts;
    size_t tlsrpt_count;
    struct span *tlsrpt; // rua URIs of _smtp._tls (RFC 8460 §3)
    size_t host_count;
    struct trust_host *hosts; // in the order to try; unusable ones stay, for the record
    uint32_t ttl;             // seconds this plan may be used again without asking
};

// Where a route of the operator's leads instead of the domain's MX.
struct trust_route {
    bool given;
    bool lmtp;            // to a mailbox server: final delivery, no policy of the domain's counts
    struct span path;     // LMTP at a Unix socket: "/path", as a literal; empty: at host or address
    struct dns_name host; // its addresses are asked for, unless:
    bool literal;         // `address` is used as it is, no DNS at all
    struct dns_address address;
    bool mx;       // treat `host` as a domain: use its MX
    uint16_t port; // 0: 25
};

struct trust_request {
    struct dns_name domain;
    struct trust_need need;
    enum trust_local local;
    struct span pin; // LOCAL_PINNED
    struct trust_route route;
    const struct dns_name *self; // our own names in MX sets (RFC 5321 §5.1)
    size_t self_count;
    const struct dns_address *self_addresses; // and our own addresses
    size_t self_address_count;
    bool no_ipv6, no_ipv4;
    uint16_t port;   // 25; tests may move it
    uint64_t seed;   // order among equal preferences (RFC 5321 §5.1)
    struct wall now; // for the age of stored policies
    // Only the MTA-STS part runs, and fetches even if the id is unchanged: the
    // refresh before expiry (RFC 8461 §3.3). The plan has no hosts.
    bool sts_refresh;
};

enum trust_ask {
    TRUST_ASK_WAIT,   // answers are under way, or DONE was reached: see trust_planner_plan()
    TRUST_ASK_DNS,    // question -> trust_planner_dns()
    TRUST_ASK_STORED, // the stored policy of `domain` -> trust_planner_stored()
    TRUST_ASK_FETCH,  // https://mta-sts.<domain>/.well-known/mta-sts.txt -> trust_planner_fetched()
    TRUST_ASK_SAVE,   // keep `stored` for `domain`; no answer is due
    TRUST_ASK_DONE,
};

struct trust_planner_step {
    enum trust_ask kind;
    unsigned ticket;
    struct dns_question question;
    struct dns_name domain;
    const struct trust_sts_stored *stored;
    const char *id; // FETCH: of the record that calls for it; "": a refresh, whatever the id
};

struct trust_planner;
// Everything the planner and its plan hold lives in `a` (ceiling: 1 MiB is
// ample); answers are copied. `r` is copied, what it points to is borrowed as
// long as the planner works. NULL: no room in `a`. Every question is answered
// before DONE, so the order of answers does not change the plan.
struct trust_planner *trust_planner_new(const struct trust_request *r, struct arena *a);
struct trust_planner_step trust_planner_next(struct trust_planner *p);
void trust_planner_dns(struct trust_planner *p, unsigned ticket, const struct dns_answer *answer);
void trust_planner_stored(struct trust_planner *p, unsigned ticket,
                          const struct trust_sts_stored *stored); // NULL: none
void trust_planner_fetched(struct trust_planner *p, unsigned ticket,
                           const struct trust_fetched *fetched);
// NULL until DONE. Valid as long as the arena.
const struct trust_plan *trust_planner_plan(const struct trust_planner *p);

// The plan as the one JSON document of SPEC.md (explain --json): the byte form
// of the decision record. Equal plans give equal bytes, in whatever order a
// resolver told the records.
void trust_plan_put_json(struct buf *b, const struct trust_plan *plan);
// The same with what was seen of the hosts (explain --probe): probes[i] is one
// JSON value for hosts[i] (trust_session_put_json() makes them), .at NULL: null.
void trust_plan_put_json_probed(struct buf *b, const struct trust_plan *plan,
                                const struct span *probes);
