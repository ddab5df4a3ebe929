// geleit keys dkim: what its parts share. Commands change the folder of keys itself
// (proc_keys.h), whether a server runs or not: a running one notices.
#pragma once
#include "admin_dns.h"
#include "proc_keys.h"

enum admin_keys_flag {
    KEYS_ALGORITHM,
    KEYS_BITS,
    KEYS_SELECTOR,
    KEYS_SERVICE,
    KEYS_RECORDS,
    KEYS_FORCE,
    KEYS_ZONE
};

struct admin_keys {
    const struct admin_call *call;
    const struct conf *conf;
    struct wall now;
    struct auth_key_rules rules;
    struct proc_keys folder;
};
// A sentence about the folder on standard error; the exit status.
int admin_keys_fault(struct rc rc, const struct conf_fault *fault);

int admin_keys_generate(struct admin_keys *k);
int admin_keys_rotate(struct admin_keys *k);
int admin_keys_retire(struct admin_keys *k);
int admin_keys_list(struct admin_keys *k, struct admin_dns *dns);

// ---- admin_keys_make.c ----
// Makes a key as `wish` has it (domain, selector, sender, services, algorithm, bits)
// and keeps it. An empty selector becomes one made of the date that is not in use.
// *at: its place in the folder.
int admin_keys_make(struct admin_keys *k, struct auth_key *wish, size_t *at);

// ---- admin_keys_show.c ----
struct admin_key_sight { // what DNS shows
    bool asked;
    enum auth_key_sight sight;
    enum dns_standing standing;
    char why[200];
};
// Prints the records of new keys, in the form of a zone file.
int admin_keys_print_new(struct admin_keys *k, const size_t *at, size_t count);
enum auth_key_phase admin_key_phase(const struct admin_keys *k, size_t i);
struct wall admin_key_since(const struct admin_keys *k, size_t i);
const char *admin_key_dns_word(const struct admin_key_sight *s);
// The next step, a sentence, and what keeps a server from signing with it, or nothing.
void admin_key_put_next(struct buf *b, const struct admin_keys *k, size_t i,
                        const struct admin_key_sight *seen);
void admin_key_put_problem(struct buf *b, const struct admin_keys *k, size_t i);

// ---- admin_keys_json.c ----
json_t *admin_key_json(const struct admin_keys *k, size_t i, const struct admin_key_sight *seen);
json_t *admin_key_json_retired(const struct auth_key *key, const char *did, bool may_be_deleted);
int admin_keys_print_json(json_t *document); // and frees it
