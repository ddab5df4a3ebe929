// SASL exchanges (RFC 4422) as the server's pure machines: PLAIN (RFC 4616), LOGIN
// (never written down; as everybody does it), SCRAM-SHA-256 and -PLUS (RFC 5802,
// 7677, 9266). The client's messages in, challenges and questions about users out.
// No file, no clock, no random source: the nonce is an argument.
//
// Driver: sasl_next() until it returns SASL_SUCCESS or SASL_FAILURE. After
// SASL_CHALLENGE the client's answer comes by sasl_feed(), after SASL_CHECK
// sasl_checked(), after SASL_FIND sasl_found(). Spans of a step are valid until the
// next call. Secrets are wiped by sasl_free().
//
// Why an exchange failed is for the log; the client hears one sentence for all.
#pragma once
#include "crypto_password.h"

enum sasl_mechanism {
    SASL_PLAIN,
    SASL_LOGIN,
    SASL_SCRAM,      // SCRAM-SHA-256
    SASL_SCRAM_PLUS, // with channel binding
    SASL_MECHANISMS
};
const char *sasl_mechanism_name(enum sasl_mechanism m);
bool sasl_mechanism_find(enum sasl_mechanism *out, struct span name); // without regard to case

enum { SASL_MESSAGE_MAX = 12288, SASL_NAME_MAX = 320 }; // RFC 4954 §4; of a name that can be ours

struct sasl_conf {
    enum sasl_mechanism mechanism;
    struct span nonce; // fresh, printable, without a comma; SCRAM only
    // The channel bindings of the TLS session; empty: there is none of this kind.
    struct span exporter;  // tls-exporter (RFC 9266)
    struct span end_point; // tls-server-end-point (RFC 5929 §4)
    bool plus_offered;     // a client that can bind and says we cannot was lied to
};

enum sasl_kind {
    SASL_CHALLENGE, // bytes: send them (they may be none), feed() what comes back
    SASL_CHECK,     // is `password` that of `name`? checked()
    SASL_FIND,      // the verifier of `name`? found()
    SASL_SUCCESS,   // of `name`
    SASL_FAILURE,   // bytes: why, for the log; name: whose, may be empty
};

struct sasl_step {
    enum sasl_kind kind;
    struct span bytes, name, password; // prepared (sasl_prep.h)
};

struct sasl;
// `initial`: the initial response; .at NULL: there was none (that is not the empty one).
// `conf` is copied.
struct sasl *sasl_new(const struct sasl_conf *conf, struct span initial);
void sasl_free(struct sasl *s); // NULL: nothing
struct sasl_step sasl_next(struct sasl *s);
void sasl_feed(struct sasl *s, struct span message);
void sasl_checked(struct sasl *s, bool right);
// `known` false: nobody is called so; with the verifier of sasl_decoy() the exchange
// goes on to its end as with a wrong password.
void sasl_found(struct sasl *s, const struct crypto_scram *verifier, bool known);

// A verifier for somebody who is not there: the same for the same name as long as
// `secret` is, so that asking twice tells no more than asking once.
void sasl_decoy(struct crypto_scram *out, struct span secret, struct span name);
