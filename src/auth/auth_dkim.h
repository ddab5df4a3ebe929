// DKIM verification (RFC 6376 §6, with 8301, 8463, 8616): a pure machine that
// sees header and body once, in any chunks, asks for the keys of all signatures
// at once (auth_ask.h) and gives a result for each signature. It never decides
// what becomes of a message.
//
// Order: new, feed… , end; next() may be called at any time and asks as soon as
// the header is whole; AUTH_DONE comes only after end() and the last answer.
#pragma once
#include "auth_ask.h"
#include "auth_canon.h"
#include "auth_dkim_record.h"
#include "base_time.h"

enum {
    AUTH_DKIM_SIGNATURES_MAX = 10, // evaluated, from the top; more get `policy`
    AUTH_DKIM_RESULTS_MAX = 32,    // those beyond get no result
    AUTH_DKIM_KEYS_MAX = 4,        // records looked at in one answer (RFC 6376 §3.6.2.2)
};

// A signature with l= does not protect what was appended (RFC 6376 §8.2).
enum auth_dkim_length {
    AUTH_DKIM_LENGTH_REFUSE, // any l= is `policy`, never `pass`
    AUTH_DKIM_LENGTH_WHOLE,  // may pass if nothing of the body is left out
    AUTH_DKIM_LENGTH_ACCEPT, // may pass; who uses the result looks at `length`
};

struct auth_dkim_options { // {0} is the strict default, but for the time
    struct wall now;
    int64_t skew; // microseconds by which clocks may differ (x=)
    enum auth_dkim_length length;
    enum auth_dkim_form form; // ARC: evaluates ARC-Message-Signature fields
    unsigned signatures_max;  // 0: AUTH_DKIM_SIGNATURES_MAX, which is also the most
    unsigned rsa_bits_min;    // 0: 1024 (RFC 8301 §3.2); fewer are `policy`
    const char *service;      // s= of the key; NULL: "email"; RFC 8460 §3: "tlsrpt"
};

// The reason of a POLICY that would be a PASS of a TLS report, and the comment of a PASS that would
// be none (RFC 8460 §3, RFC 6376 §3.6.1 s=).
#define AUTH_DKIM_TLSRPT_ONLY "the key is for TLS reports only"
#define AUTH_DKIM_NOT_TLSRPT  "not for TLS reports"

enum { AUTH_DKIM_RSA_BITS_MIN = 1024, AUTH_DKIM_RSA_BITS_GOOD = 2048 };

struct auth_dkim_result {
    // PASS; FAIL: hash or signature is wrong; POLICY: they are right, but we do
    // not take it; TEMPERROR: the key could not be had now; PERMERROR: broken,
    // or no key. NEUTRAL does not occur.
    enum auth_result result;
    const char *reason; // in a few words; of a pass too if there is something to note; else NULL
    struct auth_dkim_signature signature; // as far as it could be read
    bool named;                           // signature.domain and .selector could be read
    const char *algorithm;                // "rsa-sha256", NULL if not read
    unsigned key_bits;                    // 0: no key seen
    bool weak_key;                        // RSA below AUTH_DKIM_RSA_BITS_GOOD
    bool tlsrpt;                          // the key is for TLS reports, too
    bool testing;                   // t=y: "no different from unsigned" (§3.6.1) is up to you
    enum dns_standing key_standing; // of the key's answer; INDETERMINATE before
    uint64_t body_length;           // canonical, in the signature's form
    size_t field;                   // index of the field in the header, from 0 at the top
};

struct auth_dkim;
struct auth_dkim *auth_dkim_new(const struct auth_dkim_options *o);
void auth_dkim_free(struct auth_dkim *d); // NULL is fine

void auth_dkim_feed(struct auth_dkim *d, struct span chunk); // the message, CRLF line ends
void auth_dkim_end(struct auth_dkim *d);
struct auth_step auth_dkim_next(struct auth_dkim *d);
// Answers to tickets that were not given, or twice, are ignored.
void auth_dkim_answer(struct auth_dkim *d, unsigned ticket, const struct dns_answer *a);

// After AUTH_DONE, valid until free. No result at all: no signature ("none"). A
// header that cannot be judged and may hold one gives a PERMERROR without names.
size_t auth_dkim_count(const struct auth_dkim *d);
const struct auth_dkim_result *auth_dkim_result(const struct auth_dkim *d, size_t i);

// One verdict for many: the result of the best signature, NONE without any.
enum auth_result auth_dkim_overall(const struct auth_dkim *d);
