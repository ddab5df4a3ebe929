// DKIM keys of our own and their life, from the record that waits to be published
// to the one that may be taken out of DNS again:
//
//   waiting    made; signs nothing before DNS was seen to have its record
//   active     signs
//   retired    signs no more; its record stays, for mail that is still on its way
//   removable  no such mail can be left: the record may be taken out of DNS
//   gone       DNS was seen without the record: the files may go
//
// Time and what DNS shows are arguments: this file only decides.
//
// On disk a key is two files of one folder (the option dkim.keys), named by the
// owner name of its record: `s1._domainkey.example.org.key`, the private key (PEM,
// read by its owner only), and `….state`, the text of auth_key_read(). Both are
// replaced whole, by renaming: a change of either changes the folder's time, which
// is what a running server looks at. Who signs takes the private keys of those that
// are active, and no others; which of them sign a message says auth_signing.h.
#pragma once
#include "auth_signing.h"
#include "base_time.h"
#include "crypto_verify.h"
#include "dns_answer.h"

enum {
    AUTH_KEYS_MAX = 10000,        // in one folder
    AUTH_KEY_PUBLIC_MAX = 1600,   // base64 of 8192 bits of RSA
    AUTH_KEY_STATE_MAX = 8 << 10, // bytes of a state file
};

struct auth_key {
    struct dns_name domain, selector;
    enum crypto_algorithm algorithm;
    unsigned bits;
    char public_key[AUTH_KEY_PUBLIC_MAX]; // base64, as in p= of the record
    char sender[AUTH_SENDER_MAX + 1];     // local part of the only author it signs for; "": all
    unsigned services;                    // AUTH_SERVICE_…, as in s= of the record; 0: all
    // When it happened; 0: it did not. `seen`: since when DNS shows the record without a break,
    // as far as was looked.
    struct wall created, seen, active, retired, gone;
};

enum auth_key_phase {
    AUTH_KEY_WAITING,
    AUTH_KEY_ACTIVE,
    AUTH_KEY_RETIRED,
    AUTH_KEY_REMOVABLE,
    AUTH_KEY_GONE,
    AUTH_KEY_PHASES
};
const char *auth_key_phase_text(enum auth_key_phase p); // "waiting"

// The state file. False: it is none; *out is not to be used.
bool auth_key_read(struct auth_key *out, struct span text);
void auth_key_put(struct buf *b, const struct auth_key *k);

// A selector and a domain that a key, its record and its files can be named by.
bool auth_key_named(struct auth_key *k, struct span selector, struct span domain);
// The services of s=, "email:tlsrpt"; "*": all. False: there are no such.
bool auth_key_services(struct auth_key *k, struct span text);
const char *auth_key_algorithm_text(enum crypto_algorithm a); // "ed25519", as in k=
struct dns_name auth_key_owner(const struct auth_key *k);     // s1._domainkey.example.org
#define AUTH_KEY_PRIVATE ".key"
#define AUTH_KEY_STATE   ".state"
void auth_key_put_file(struct buf *b, const struct auth_key *k, const char *suffix);
// The text of the TXT record, and the record as a zone file has it, in strings of
// at most 255 bytes, with its line end.
void auth_key_put_text(struct buf *b, const struct auth_key *k);
void auth_key_put_record(struct buf *b, const struct auth_key *k);

// ---- what DNS shows ----
enum auth_key_sight {
    AUTH_KEY_UNKNOWN, // no answer, or none that can be believed
    AUTH_KEY_ABSENT,  // there is no record
    AUTH_KEY_OTHER,   // there is one, and it is not the key's; or more than one
    AUTH_KEY_SHOWN,
    AUTH_KEY_SIGHTS
};
const char *auth_key_sight_text(enum auth_key_sight s); // "shown"
struct dns_question auth_key_question(const struct auth_key *k);
enum auth_key_sight auth_key_look(const struct auth_key *k, const struct dns_answer *a);

// ---- all keys there are ----
struct auth_keys { // {0} is empty
    size_t count;
    struct auth_key *at; // by domain and algorithm, the oldest first
    bool *changed;       // of each: since it was added, or since the caller set it to false
};
void auth_keys_free(struct auth_keys *keys); // for CLEANUP
// Copies it in its place. False: one of that name is there, or there are too many.
bool auth_keys_add(struct auth_keys *keys, const struct auth_key *k);
// The index of the key of this name; keys->count: there is none.
size_t auth_keys_find(const struct auth_keys *keys, const struct dns_name *domain,
                      const struct dns_name *selector);
// Whether one follows the other: same domain, algorithm, sender and services.
bool auth_key_same_use(const struct auth_key *a, const struct auth_key *b);

struct auth_key_rules { // in microseconds
    int64_t keep;       // that mail may be on its way and its signatures be looked at
    int64_t settle;     // that DNS must show a key before it takes the place of another: not all
                        // servers of a zone change at once
};
enum auth_key_phase auth_key_phase(const struct auth_key *k, struct wall now, int64_t keep);
struct wall auth_key_removable(const struct auth_key *k, int64_t keep); // NEVER before it is known
// Whether what DNS shows of the key can lead any further now.
bool auth_key_awaits(const struct auth_key *k, struct wall now, int64_t keep);
// What follows from a sight: a waiting key that is shown becomes active, and the one
// of the same use that was, retired; a removable one that is absent is gone. No
// answer changes nothing. True: something changed.
bool auth_keys_saw(struct auth_keys *keys, size_t i, enum auth_key_sight sight, struct wall now,
                   const struct auth_key_rules *rules);
// When a waiting key that DNS shows will sign if it goes on doing so; NEVER for any other.
struct wall auth_key_settled(const struct auth_keys *keys, size_t i,
                             const struct auth_key_rules *rules);
// By the operator's will. A key that never signed is removable at once.
void auth_keys_retire(struct auth_keys *keys, size_t i, struct wall now);
