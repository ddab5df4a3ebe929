// The file of users: one line each, fields between blanks or tabs, "-" for none:
//
//   NAME  HASH  VERIFIER  SENDERS
//
// NAME is what somebody logs in with, usually an address, which is then also the
// one he sends from. HASH is crypt(5)'s, VERIFIER SCRAM-SHA-256's
// (crypto_password.h), SENDERS a list between commas of what else he may send from:
// "ann@example.org", "ann+*@example.org", "*@example.org", "*@.example.org" (all
// domains below it), "*" (anybody). "#" begins a line for people. A line
// "@decoys BASE64" holds the secret behind sasl_decoy().
//
// Pure: text in, a table out. Names compare without regard to case (ASCII), domains
// as A-labels.
#pragma once
#include "base_arena.h"
#include "crypto_password.h"

struct sasl_user {
    struct span name; // as it compares
    struct span hash; // empty: none
    bool has_scram;
    struct crypto_scram scram;
    const struct span *senders; // as they compare
    size_t sender_count;
    unsigned line;
};

struct sasl_users; // owns everything in it
struct sasl_users_fault {
    unsigned line;
    char text[200]; // a sentence without its full stop
};
// NULL: not readable as a whole, *fault says where. The empty text is nobody.
struct sasl_users *sasl_users_read(struct span text, struct sasl_users_fault *fault);
void sasl_users_free(struct sasl_users *u); // NULL: nothing. Wiped
size_t sasl_users_count(const struct sasl_users *u);
const struct sasl_user *sasl_users_at(const struct sasl_users *u, size_t i); // by name
const struct sasl_user *sasl_users_find(const struct sasl_users *u, struct span name);
struct span sasl_users_decoys(const struct sasl_users *u); // the secret; may be empty
bool sasl_users_all_scram(const struct sasl_users *u);     // everyone has a verifier

enum { SASL_KEY_MAX = 320, SASL_SENDERS_MAX = 1000, SASL_SECRET_BYTES = 32 };
// What a name or an address is compared by: false for what can be neither.
bool sasl_key(char key[static SASL_KEY_MAX], struct span name);
// One entry of SENDERS; the same for it.
bool sasl_sender_key(char key[static SASL_KEY_MAX], struct span pattern);
// May `user` (as it compares), who has these senders, write as `address`?
bool sasl_may_send(struct span user, const struct span *senders, size_t count, struct span address);

// Writing: a line of the file. What the text has besides (people's lines, order)
// stays as it is: sasl_users_change() copies `text` with the line of `name` replaced
// by `line` (empty: left out), or `line` added at the end.
struct sasl_user_line {
    struct span name, hash, verifier, senders; // empty: "-"
};
void sasl_user_put(struct buf *b, const struct sasl_user_line *l);
// False: nobody was there (and `line` was added, if there is one).
bool sasl_users_change(struct buf *out, struct span text, struct span name, struct span line);
