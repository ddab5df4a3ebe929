// The inside of the SPF evaluator, shared by its files; nobody else includes it.
//
//   auth_spf.c            questions out, answers in
//   auth_spf_check.c      check_host(): record, terms, include, redirect
//   auth_spf_mechanism.c  whether a mechanism matches
//   auth_spf_ptr.c        the validated names of the client
//   auth_spf_macro.c      macro strings: their syntax and their expansion
//   auth_spf_record.c     records
//   auth_spf_end.c        explanation and reason
//
// An evaluation is *replayed*: it runs from its beginning over the answers there
// are, and stops where one is missing, which is then asked for. So a result can
// not depend on the order of answers, and recursion is plain recursion, at most
// AUTH_SPF_LOOKUPS deep.
#pragma once
#include "auth_spf.h"

enum { SPF_LOCAL_MAX = 320, SPF_NAME_MAX = 255 };

// What an answer says as far as SPF is concerned.
struct spf_answer {
    struct dns_question question;
    bool answered;
    unsigned wanted;            // by which side: 1 << identity
    enum dns_presence presence; // NO_ANSWER: failed
    struct span why;
    size_t count; // records in it, of which at most so many are kept:
    size_t address_count, name_count;
    struct dns_address *addresses;
    struct dns_name *names; // AUTH_SPF_NAMES at most
    size_t spf_count;       // TXT records that are SPF's
    struct span spf, first; // the first of those; the first TXT record of all
    const char *fault;      // NULL: `record` is spf, read
    struct span fault_term;
    struct auth_spf_record record;
};

enum spf_state { SPF_NO_MATCH, SPF_MATCH, SPF_PENDING, SPF_ERROR };

struct spf_side {
    struct span local; // of the sender
    bool local_ascii;
    bool done;
    struct auth_spf_check check;
};

struct auth_spf {
    struct arena *arena;
    struct auth_spf_request r;
    struct spf_side side[AUTH_SPF_IDENTITIES];
    struct spf_answer *answers[AUTH_SPF_QUESTIONS_MAX];
    size_t asked, given;
    bool full; // the arena is
    bool told;
    struct auth_spf_result result;
};

struct spf_frame {
    struct dns_name domain; // <domain>
    unsigned depth;
    struct auth_spf_record record;
};

struct spf_run {
    struct auth_spf *spf;
    struct spf_side *side;
    unsigned lookups, voids;
    // What decided, so far.
    struct dns_name record_domain;
    struct span mechanism, exp;
    // Of SPF_ERROR.
    enum auth_result error;
    const char *note;
    struct span why, fault; // a failed answer's reason; the term with the error
    size_t steps, left_out;
};

// The answer to a question; NULL: it is still under way, or cannot be asked for
// want of room (then spf->full is set).
const struct spf_answer *spf_ask(struct spf_run *run, const struct dns_name *name,
                                 enum dns_type type);
enum spf_state spf_error(struct spf_run *run, enum auth_result result, const char *note);
enum spf_state spf_failed(struct spf_run *run, const struct spf_answer *a); // temperror
// NULL, and the state to return, where there is no answer to work with.
const struct spf_answer *spf_lookup(struct spf_run *run, const struct dns_name *name,
                                    enum dns_type type, enum spf_state *state);
// Counts a term that looks something up; false: one too many.
bool spf_count_lookup(struct spf_run *run);
bool spf_count_void(struct spf_run *run, const struct spf_answer *a);
void spf_note(struct spf_run *run, const struct spf_frame *f, struct span term,
              const struct dns_name *target, enum auth_spf_outcome outcome, const char *note);

// check_host() of RFC 7208 §4; the result by *out on SPF_MATCH (then it ended
// properly), else SPF_PENDING or SPF_ERROR.
enum spf_state spf_check_host(struct spf_run *run, const struct dns_name *domain, unsigned depth,
                              enum auth_result *out);
// `target` has been expanded; not for include.
enum spf_state spf_mechanism(struct spf_run *run, const struct auth_spf_term *t,
                             const struct dns_name *target);

struct spf_names {
    size_t count;
    const struct dns_name *at[AUTH_SPF_NAMES];
};
// The names of the client that lead back to it (§5.5). Failures give fewer names.
enum spf_state spf_validated(struct spf_run *run, struct spf_names *out);
bool spf_is_within(const struct dns_name *name, const struct dns_name *domain);

// --- macro strings
bool spf_domain_spec_ok(struct span text);  // §7.1 domain-spec
bool spf_macro_string_ok(struct span text); // of a modifier
// Expands to a name to ask for: SPF_NO_MATCH where it cannot be one (§4.8, and
// RFC 8616 §4: a local-part that is not ASCII matches nothing).
enum spf_state spf_expand_name(struct spf_run *run, const struct dns_name *domain, struct span text,
                               struct dns_name *out);
// Expands an explain-string, cut to what `out` may hold.
enum spf_state spf_expand_text(struct spf_run *run, const struct dns_name *domain, struct span text,
                               struct buf *out);
// Whether a domain-spec has %{p} in it.
bool spf_uses_ptr(struct span text);

// The explanation of a fail into *out; empty where there is none (§6.2).
enum spf_state spf_explain(struct spf_run *run, struct span *out);
struct span spf_reason(struct spf_run *run, enum auth_result result);
