// DKIM signing (RFC 6376 §5, with 8301 and 8463): a pure machine that sees the
// message once and hands out digests to be signed, one for each key. It never
// sees a private key: who holds them may be another process and answer later.
//
// Order: new, feed…, end, then next() until AUTH_SIGN_DONE; the answers may come
// in any order. Whether a message may be signed for a domain, and with which
// keys, is the caller's to decide.
#pragma once
#include "auth_canon.h"
#include "base_time.h"
#include "crypto_digest.h"
#include "crypto_verify.h"
#include "dns_name.h"

enum { AUTH_SIGN_KEYS_MAX = 8 };

// RFC 6376 §5.4.1, with what says how the body is to be read, and what RFC 8460 §5.3 wants signed
// of a report. Those to oversign
// are signed once more than they occur, so that none can be added.
#define AUTH_SIGN_HEADERS                                                                          \
    "From:Sender:Reply-To:Subject:Date:Message-ID:To:Cc:MIME-Version:Content-Type:"                \
    "Content-Transfer-Encoding:Content-ID:Content-Description:Resent-Date:Resent-From:"            \
    "Resent-Sender:Resent-To:Resent-Cc:Resent-Message-ID:In-Reply-To:References:List-Id:"          \
    "List-Help:List-Unsubscribe:List-Unsubscribe-Post:List-Subscribe:List-Post:List-Owner:"        \
    "List-Archive:Autocrypt:TLS-Report-Domain:TLS-Report-Submitter:TLS-Required"
#define AUTH_SIGN_OVERSIGNED "From:Subject:Date:To:Cc:Reply-To:MIME-Version:Content-Type"

struct auth_sign_key {
    enum crypto_algorithm algorithm;
    struct dns_name domain, selector;
    const char *identity; // i=; NULL: left out. Must be within the domain, in ASCII
};

struct auth_sign_options { // {0}: relaxed/relaxed, the lists above, no x=
    struct wall now;       // t=
    int64_t lifetime;      // microseconds until x=; 0: none
    enum auth_canon header, body;
    const char *headers;    // "a:b:c"; NULL: AUTH_SIGN_HEADERS. From is signed in any case
    const char *oversigned; // NULL: AUTH_SIGN_OVERSIGNED. From is in any case
    const struct auth_sign_key *keys; // in the order of the fields to come
    size_t count;                     // at most AUTH_SIGN_KEYS_MAX; more is a panic
};

enum auth_sign_kind { AUTH_SIGN_WAIT, AUTH_SIGN_ASK, AUTH_SIGN_DONE };
struct auth_sign_step {
    enum auth_sign_kind kind;
    unsigned ticket; // AUTH_SIGN_ASK: the index of the key, and what to answer with
    struct crypto_digest digest;
};

struct auth_signer;
struct auth_signer *
auth_signer_new(const struct auth_sign_options *o); // keeps the strings by reference
void auth_signer_free(struct auth_signer *s);       // NULL is fine

void auth_signer_feed(struct auth_signer *s, struct span chunk); // the message, CRLF line ends
void auth_signer_end(struct auth_signer *s);
struct auth_sign_step auth_signer_next(struct auth_signer *s);
// The bytes that crypto_sign() gave; empty: it could not be signed.
void auth_signer_answer(struct auth_signer *s, unsigned ticket, struct span signature);

// After AUTH_SIGN_DONE: appends the fields, each with its CRLF, to be put before
// the message. MALFORMED: the header cannot be signed (too large, not made of
// fields, no From): no field. UNAVAILABLE: a key did not sign; the fields of the
// others are there.
struct rc auth_signer_put(const struct auth_signer *s, struct buf *b);

// For who has the keys at hand: does all that next() asks.
typedef struct rc auth_sign_fn(void *context, unsigned key, const struct crypto_digest *d,
                               struct buf *signature);
void auth_signer_run(struct auth_signer *s, auth_sign_fn *sign, void *context);
