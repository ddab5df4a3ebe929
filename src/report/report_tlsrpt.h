// TLS reports (RFC 8460): one shape between what the history counts, the documents we send and
// those others send us.
//
//   out: sessions -> tallies (packed keys with counts, kept by the history) -> report_tlsrpt ->
//        report_tlsrpt_pack_gzip() -> report_mail.h, or POST
//   in:  report_unpack.h -> report_tlsrpt_read() -> report_tlsrpt, with notes
//
// Spans borrow: of a document that was read, from the arena; of one to be written, from the caller.
#pragma once
#include "base_arena.h"
#include "base_time.h"
#include "dns_answer.h"
#include "report_notes.h"

enum report_tls_type { // §4.4 policy-type
    REPORT_TLS_TLSA,
    REPORT_TLS_STS,
    REPORT_TLS_NONE, // "no-policy-found"
    REPORT_TLS_TYPE_OTHER,
    REPORT_TLS_TYPES
};
const char *report_tls_type_text(enum report_tls_type t); // "tlsa"; OTHER: "unknown"

// §4.3, and OTHER for what stands in reports of the field.
#define REPORT_TLS_RESULT_TABLE(X)                                                                 \
    X(STARTTLS_NOT_SUPPORTED, "starttls-not-supported")                                            \
    X(CERTIFICATE_HOST_MISMATCH, "certificate-host-mismatch")                                      \
    X(CERTIFICATE_EXPIRED, "certificate-expired")                                                  \
    X(CERTIFICATE_NOT_TRUSTED, "certificate-not-trusted")                                          \
    X(VALIDATION_FAILURE, "validation-failure")                                                    \
    X(TLSA_INVALID, "tlsa-invalid")                                                                \
    X(DNSSEC_INVALID, "dnssec-invalid")                                                            \
    X(DANE_REQUIRED, "dane-required")                                                              \
    X(STS_POLICY_FETCH_ERROR, "sts-policy-fetch-error")                                            \
    X(STS_POLICY_INVALID, "sts-policy-invalid")                                                    \
    X(STS_WEBPKI_INVALID, "sts-webpki-invalid")                                                    \
    X(RESULT_OTHER, "unknown")
enum report_tls_result {
#define X(name, text) REPORT_TLS_##name,
    REPORT_TLS_RESULT_TABLE(X)
#undef X
        REPORT_TLS_RESULTS
};
const char *report_tls_result_text(enum report_tls_result r);
enum report_tls_result report_tls_result_of(struct span text); // RESULT_OTHER if not known

// The reason codes of our own reports (RFC 8460 leaves them open).
#define REPORT_TLS_TLSA_MISMATCH   "tlsa-mismatch"
#define REPORT_TLS_STS_MX_MISMATCH "sts-mx-mismatch"

struct report_tls_address {
    bool given;
    struct dns_address at;
};

struct report_tls_failure { // an entry of failure-details
    enum report_tls_result result;
    struct span result_text; // RESULT_OTHER: as it was written, cleaned
    struct report_tls_address sending_ip, receiving_ip;
    struct span mx_hostname; // A-labels; empty: not known
    struct span mx_helo;     // foreign text, cleaned; empty: not known
    struct span information; // URI; empty: none
    struct span reason_code; // empty: none
    uint64_t count;
};

struct report_tls_policy { // an entry of policies
    enum report_tls_type type;
    struct span type_text; // TYPE_OTHER: as it was written
    // §4.5. tlsa: "3 1 1 <hex>" each, as trust_tlsa_put() has it; sts: the policy's lines,
    // "version: STSv1", "mode: enforce", "mx: mx1.example.com", "max_age: 86400".
    size_t string_count;
    struct span *strings;
    struct span domain; // §1.1, A-labels: the recipient domain; for tlsa the TLSA base domain
    size_t mx_count;
    struct span *mx;              // patterns; sts: those of the policy; tlsa, none: the hosts
    uint64_t successes, failures; // sessions
    size_t detail_count;
    struct report_tls_failure *details;
};

struct report_tlsrpt {
    struct span organization;
    struct span contact; // an address; empty: none
    struct span id;
    struct wall begin, end; // first and last second, both inside: 00:00:00 and 23:59:59
    size_t policy_count;
    struct report_tls_policy *policies;
};

enum {
    REPORT_TLS_POLICIES_MAX = 1000,  // of a document that is read, and that we write
    REPORT_TLS_DETAILS_MAX = 50000,  // of a document that is read, over all policies
    REPORT_TLS_STRINGS_MAX = 100,    // policy-string and mx-host entries that are kept
    REPORT_TLS_OWN_DETAILS_MAX = 500 // of a policy in a report of ours: beyond, they are merged
};

// --- Tallies. A session is counted once under the policy that was applied to it: as a success, or
// with each failure that was seen. The packed forms are keys: equal policies and failures give
// equal bytes, so a history adds up by (day, recipient domain, policy, failure) with two counters.

// Without sessions, count and details.
void report_tls_policy_pack(struct buf *b, const struct report_tls_policy *p);
bool report_tls_policy_unpack(struct rd *r, struct report_tls_policy *out, struct arena *a);
void report_tls_failure_pack(struct buf *b, const struct report_tls_failure *f); // without count
bool report_tls_failure_unpack(struct rd *r, struct report_tls_failure *out, struct arena *a);

struct report_tls_tally {
    struct span policy;  // report_tls_policy_pack()
    struct span failure; // report_tls_failure_pack(); empty: a success
    uint64_t sessions;   // that ended so; a session with several failures counts with the first
    uint64_t times;      // the failure was seen; successes: not looked at
};

// The policies of one document from the tallies of one recipient domain and one day, in any order.
// Policies are told apart by their bytes. Of a policy with more than `details_max` different
// failures the most frequent are kept apart, the others are merged by result type and MX. What does
// not unpack, or for which `a` has no room, is left out and counted in *bad. False: no room at all.
bool report_tlsrpt_tally(struct report_tlsrpt *out, const struct report_tls_tally *tallies,
                         size_t count, size_t details_max, struct arena *a, size_t *bad);

// --- Out.

// The document of §4.4. What is not known is left out, never null. Text of others was cleaned or is
// cleaned here.
void report_tlsrpt_put_json(struct buf *b, const struct report_tlsrpt *d);
// The same inside a value that is being written (report show --json).
void report_tlsrpt_put_value(struct json *j, const char *key, const struct report_tlsrpt *d);
// JSON, gzip, at most `size_max` bytes; the details of a document that is larger are thinned out
// until it fits (the summaries stay). TOO_LARGE: not even so.
struct rc report_tlsrpt_pack_gzip(struct buf *gz, const struct report_tlsrpt *d, size_t size_max);

// --- In.

enum { REPORT_TLS_JSON_MAX = 32 << 20 };

// Reads a document (at most REPORT_TLS_JSON_MAX bytes). Everything in *out lives in `a`, whose
// ceiling bounds what a hostile one can cost; 16 MiB are enough for any that is in use.
// MALFORMED or TOO_LARGE: the sentence is in notes->fault.
struct rc report_tlsrpt_read(struct report_tlsrpt *out, struct span json, struct arena *a,
                             struct report_notes *notes);

// Between processes. Unpacking checks bounds again; false: not that, or no room.
void report_tlsrpt_pack(struct buf *b, const struct report_tlsrpt *d);
bool report_tlsrpt_unpack(struct rd *r, struct report_tlsrpt *out, struct arena *a);
