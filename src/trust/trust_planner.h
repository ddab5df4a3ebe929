// The planner's inside, shared by its steps; nobody else includes it.
//
//   trust_planner.c        questions out, answers in
//   trust_planner_sts.c    MTA-STS and TLS-RPT records, the stored policy, the fetch
//   trust_planner_mx.c     from the MX answer, or a route, to hosts
//   trust_planner_host.c   addresses of a host
//   trust_planner_dane.c   its TLSA records
//   trust_planner_judge.c  what is required of it
//   trust_planner_end.c    the decision
#pragma once
#include "trust_sts_keeper.h"

enum planner_what {
    PLAN_MX,
    PLAN_STS_TXT,
    PLAN_RPT_TXT,
    PLAN_STORED,
    PLAN_FETCH,
    PLAN_SAVE,
    PLAN_AAAA, // with a host, as all below
    PLAN_A,
    PLAN_CNAME,
    PLAN_TLSA,
    PLAN_WHATS
};

struct planner_ask {
    uint8_t what, host;
    bool answered;
};

// MX, two TXT, stored, fetch, save; and A, AAAA, CNAME, two TLSA a host.
enum { PLANNER_ASKS_MAX = 6 + 5 * TRUST_HOSTS_MAX };

enum planner_reach { REACH_OK, REACH_BAD, REACH_NONE, REACH_UNASKED };
enum planner_tlsa { TLSA_NONE, TLSA_USABLE, TLSA_NONE_USABLE, TLSA_BAD, TLSA_TOO_LARGE };

struct planner_family {
    bool due;
    enum dns_presence presence; // NO_ANSWER: bad
    enum dns_standing standing;
    bool aliased;
    struct dns_name expanded;
    size_t count;
    struct dns_address *at;
    struct span why;
};

struct planner_host {
    struct trust_host *host;
    bool self;                       // one of our own names or addresses
    struct planner_family family[2]; // IPv6, IPv4
    enum planner_reach reach;
    // Names whose TLSA records are tried in turn (RFC 7672 §2.2.3).
    struct dns_name candidates[2];
    size_t candidate_count, candidate;
    enum planner_tlsa tlsa;
    struct span why; // of a bad answer
};

struct trust_planner {
    struct trust_request r;
    enum trust_local local; // what is left of r.local beside REQUIRETLS
    bool relaxed;           // TLS-Required: No, and no REQUIRETLS
    struct arena *arena;
    struct dns_name nexthop; // whose MX and policies count (RFC 8461 §3.4)
    struct dns_name nexthop_expanded;
    uint16_t port;
    bool from_mx, implicit;
    bool names_known;  // host names nobody on the path can have chosen
    bool hosts_proved; // nor can anybody have put them in place of others
    bool mx_nxdomain;
    const char *status, *verdict; // set: decided before any host
    enum trust_decision decision;
    struct span why;

    struct planner_host *hosts; // as many as plan.host_count
    struct trust_keeper keeper;
    struct trust_plan plan;

    struct planner_ask asks[PLANNER_ASKS_MAX];
    size_t ask_count, given, answered;
    bool full; // the arena is
    bool done, told;
};

// NULL if the arena is full, which ends in DEFER.
void *planner_alloc(struct trust_planner *p, size_t size);
struct span planner_keep(struct trust_planner *p, struct span s);
// One sentence: the phrase with a capital and a full stop, `why` in brackets.
struct span planner_sentence(struct trust_planner *p, const char *before, const char *phrase,
                             struct span why);
void planner_ask(struct trust_planner *p, enum planner_what what, size_t host);
static inline bool planner_is_bad(const struct dns_answer *a)
{
    return a->presence == DNS_NO_ANSWER;
}
// Decides before any host is known; hosts there may be stay for the record.
void planner_verdict(struct trust_planner *p, enum trust_decision d, const char *status,
                     const char *phrase, struct span why);

bool planner_is_inside(const struct trust_route *r); // a mailbox server on this machine

void planner_sts_begin(struct trust_planner *p);
void planner_sts_txt(struct trust_planner *p, size_t host, const struct dns_answer *a);
void planner_rpt_txt(struct trust_planner *p, size_t host, const struct dns_answer *a);
void planner_sts_wants(struct trust_planner *p, enum trust_keeper_wants w);

void planner_hosts_begin(struct trust_planner *p); // MX, or the route
void planner_mx(struct trust_planner *p, size_t host, const struct dns_answer *a);
// Ourselves and whoever is no better placed (RFC 5321 §5.1).
void planner_mx_drop_self(struct trust_planner *p);

void planner_host_begin(struct trust_planner *p, size_t host);
void planner_host_aaaa(struct trust_planner *p, size_t host, const struct dns_answer *a);
void planner_host_a(struct trust_planner *p, size_t host, const struct dns_answer *a);

void planner_dane_begin(struct trust_planner *p, size_t host);
void planner_dane_cname(struct trust_planner *p, size_t host, const struct dns_answer *a);
void planner_dane_tlsa(struct trust_planner *p, size_t host, const struct dns_answer *a);
bool planner_dane_question(const struct trust_planner *p, size_t host, struct dns_name *out);

void planner_judge(struct trust_planner *p, struct planner_host *h);
void planner_end(struct trust_planner *p);
