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
// How long a record outlives its key: queue.lifetime and dkim.margin.
int64_t proc_keys_keep(const struct conf *c);

// Reads all states; without a folder there are none. `change`: takes the lock, and
// makes the folder (mode 0700, owned like the one it is in). *fault: a sentence.
struct rc proc_keys_open(struct proc_keys *k, const struct conf *c, bool change,
                         struct conf_fault *fault);
void proc_keys_close(struct proc_keys *k); // for CLEANUP
// Writes the states that are marked as changed.
struct rc proc_keys_save(struct proc_keys *k, struct conf_fault *fault);
// A new key: both files (the private one of mode 0600), then the state in `keys`. They
// belong to whom the folder belongs to.
struct rc proc_keys_make(struct proc_keys *k, const struct auth_key *key, struct span pem,
                         struct conf_fault *fault);
struct rc proc_keys_remove(struct proc_keys *k, size_t i, struct conf_fault *fault);

// For who signs: the private key of one; one that everybody may read is a fault.
struct rc proc_keys_private(const struct proc_keys *k, size_t i, struct buf *pem,
                            struct conf_fault *fault);
// All keys that sign, each "span domain, span selector, span key (PEM)"; how many.
struct rc proc_keys_put_signers(const struct conf *c, struct buf *out, size_t *count,
                                struct conf_fault *fault);
// Changes with every change of a key; 0: there is no folder.
int64_t proc_keys_stamp(const struct conf *c);
