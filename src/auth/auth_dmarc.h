// DMARC (RFC 9989): whether the author domain of a message is one that SPF or
// DKIM vouch for, and what its owner asks to be done if it is not.
//
// Discovery of the policy begins with the From field, so it runs while the
// body streams in; the verdict comes after SPF and DKIM have ended:
//
//   m = auth_dmarc_new();
//   auth_dmarc_from(m, …);              // once, when the header has ended
//   auth_dmarc_identifiers(m, …);       // once, when SPF and DKIM are done
//   auth_dmarc_next / auth_dmarc_answer // any time, as auth_ask.h says
//
// Before both are given the machine is never DONE. It asks at most
// DMARC_LOOKUPS_MAX + 1 questions (RFC 9989 §4.10: eight a walk; walks share
// what they know), and only for identifiers that could still be aligned.
#pragma once
#include "auth_ask.h"
#include "auth_dmarc_walk.h"
#include "auth_from.h"

enum { AUTH_DMARC_DKIM_MAX = 16 }; // different signing domains that are looked at

// What SPF said. DMARC knows the MAIL FROM identity only; with a null sender
// that is postmaster at the HELO name (RFC 9989 §3.2.4, RFC 7208 §2.4), which
// counts as `mail_from`. A check of the HELO identity by itself does not.
struct auth_dmarc_spf {
    enum auth_result result;
    bool mail_from;
    struct dns_name domain;
};

struct auth_dmarc_dkim { // one signature
    enum auth_result result;
    struct dns_name domain; // d=
};

enum auth_dmarc_tag { AUTH_DMARC_P, AUTH_DMARC_SP, AUTH_DMARC_NP };
const char *auth_dmarc_tag_text(enum auth_dmarc_tag t); // "sp"

enum { AUTH_DMARC_REASON_MAX = 1024 };

struct auth_dmarc_result {
    // NONE: no record, or one that asks for nothing (§4.10.1). PERMERROR: there
    // is no single author domain, `from.problem` says why; §5.3.1 ends the
    // process there, and §11.5 has the receiver take it for a threat.
    // TEMPERROR: the DNS, or what SPF or DKIM asked of it, did not answer.
    enum auth_result result;
    struct auth_from from;
    bool found; // a usable record; what stands below, down to rua, is set
    struct dns_name policy_domain;
    // Of the author; empty where it did not matter (strict alignment).
    struct dns_name organization;
    bool policy_is_psd; // the record is that of a public suffix domain
    const struct auth_dmarc_record *record;
    enum auth_dmarc_tag applies; // NP is settled for a result of fail only
    enum auth_dmarc_policy policy;
    // What the owner asks for: after t=y, and none unless the result is fail.
    enum auth_dmarc_policy disposition;
    bool spf_aligned;  // SPF passed and is aligned
    bool dkim_aligned; // a signature passed and is aligned
    size_t dkim_count; // aligned signing domains that passed
    struct dns_name dkim[AUTH_DMARC_DKIM_MAX];
    char reason[AUTH_DMARC_REASON_MAX]; // a sentence for people, printable ASCII
};

struct auth_dmarc;
struct auth_dmarc *auth_dmarc_new(void);
void auth_dmarc_free(struct auth_dmarc **m); // for CLEANUP

// The values of all From fields of the message; nothing is kept of them.
void auth_dmarc_from(struct auth_dmarc *m, const struct span *fields, size_t count);
// The same for who has read them, or could not read the header at all.
void auth_dmarc_author(struct auth_dmarc *m, const struct auth_from *from);
void auth_dmarc_identifiers(struct auth_dmarc *m, const struct auth_dmarc_spf *spf,
                            const struct auth_dmarc_dkim *dkim, size_t count);
void auth_dmarc_next(struct auth_dmarc *m, struct auth_step *out);
// A ticket that is not under way is ignored.
void auth_dmarc_answer(struct auth_dmarc *m, unsigned ticket, const struct dns_answer *a);
// NULL before AUTH_DONE; valid as long as the machine, with the record in it.
const struct auth_dmarc_result *auth_dmarc_result(const struct auth_dmarc *m);

// --- Overrides: what the receiver does instead, and says so in its reports
// (RFC 9989 §5.4, RFC 9990's PolicyOverrideType).

enum auth_dmarc_override {
    DMARC_OVERRIDE_NONE,
    DMARC_OVERRIDE_LOCAL_POLICY,
    DMARC_OVERRIDE_MAILING_LIST,
    DMARC_OVERRIDE_OTHER,
    DMARC_OVERRIDE_TEST_MODE,
    DMARC_OVERRIDE_TRUSTED_FORWARDER,
    DMARC_OVERRIDES
};
const char *auth_dmarc_override_text(enum auth_dmarc_override o); // "local_policy"

struct auth_dmarc_facts {
    // Never more than this is done: REJECT leaves the owner's wish alone,
    // QUARANTINE and NONE are a local policy.
    enum auth_dmarc_policy most;
    bool trusted_forwarder; // a configured forwarder, or a chain sealed by one
    bool mailing_list;      // a list that local knowledge says this came by
    bool local_allow;       // a rule of the operator's
    struct span detail;     // who, or which rule, for the comment; may be empty
};

struct auth_dmarc_ruling {
    enum auth_dmarc_policy disposition; // what is done
    enum auth_dmarc_override override;  // why that is not the record's policy
    char comment[256];                  // printable ASCII; empty without an override
};

// Only ever softer than the owner's wish.
void auth_dmarc_rule(struct auth_dmarc_ruling *out, const struct auth_dmarc_result *r,
                     const struct auth_dmarc_facts *facts);
