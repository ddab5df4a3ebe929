// The folder of DKIM keys (auth_keys.h has its form): reading it, and changing it so
// that whoever reads meanwhile sees a file as it was or as it is. Who changes it
// holds its lock from reading to writing: commands and the server may meet there.
#pragma once
#include "auth_keys.h"
#include "conf.h"

struct proc_keys {
    struct buf path;
    int folder, lock; // -1: not there
    struct auth_keys keys;
};

// dkim.keys, or "keys" in store.path.
void proc_keys_path(const struct conf *c, struct buf *path);
// A record outlives its key by queue.lifetime and dkim.margin.
struct auth_key_rules proc_keys_rules(const struct conf *c);

enum proc_keys_how {
    PROC_KEYS_READ,
    PROC_KEYS_TRY,    // to change: takes the lock. UNAVAILABLE: somebody else has it
    PROC_KEYS_CHANGE, // the same, with some patience
    PROC_KEYS_MAKE,   // and makes the folder (mode 0700, owned like the one it is in)
};
// Reads all states; without a folder there are none (folder -1). One that others may
// write to is a fault. *fault: a sentence. To be closed whatever comes out.
struct rc proc_keys_open(struct proc_keys *k, const struct conf *c, enum proc_keys_how how,
                         struct conf_fault *fault);
void proc_keys_close(struct proc_keys *k); // for CLEANUP
// Writes the states that are marked as changed.
struct rc proc_keys_save(struct proc_keys *k, struct conf_fault *fault);
// A new key: both files (the private one of mode 0600), then the state in `keys`. They
// belong to whom the folder belongs to. Never in place of another.
bool proc_keys_taken(const struct proc_keys *k, const struct auth_key *key); // the name is in use
struct rc proc_keys_make(struct proc_keys *k, const struct auth_key *key, struct span pem,
                         struct conf_fault *fault);
struct rc proc_keys_remove(struct proc_keys *k, size_t i, struct conf_fault *fault);

// For who signs: the private key of one; one that everybody may read is a fault.
struct rc proc_keys_private(const struct proc_keys *k, size_t i, struct buf *pem,
                            struct conf_fault *fault);
// Whether it is there and only for its owner, without reading it.
struct rc proc_keys_look(const struct proc_keys *k, size_t i, struct conf_fault *fault);
// All keys that sign, as MSG_SIGNERS has them; how many. One that cannot be used is
// logged and left out.
struct rc proc_keys_put_signers(const struct conf *c, struct buf *out, size_t *count,
                                struct conf_fault *fault);
// Changes with every change of a key; 0: there is no folder.
int64_t proc_keys_stamp(const struct conf *c);
