// The files of aliases and the secret of SRS: read and tried by the master, handed to
// the receivers as one piece of sealed memory (MSG_ALIASES), and what they make of it.
#pragma once
#include "alias_walk.h"
#include "auth_srs.h"
#include "proc_networks.h"

// What the master hands on. {.fd = -1}: nothing yet.
struct proc_aliases {
    struct buf payload; // of MSG_ALIASES; holds a secret
    int fd;             // -1: no files
    int64_t stamp;      // of the files, before they were read
};
// Reads and tries everything that alias.files, local.*, alias.* and srs.* name.
// `secret`: the server's own secret is made where there is none; a check of the
// configuration leaves the store alone.
struct rc proc_aliases_load(const struct conf *c, bool secret, struct proc_aliases *out,
                            struct conf_fault *fault);
void proc_aliases_free(struct proc_aliases *a);
int64_t proc_aliases_stamp(const struct conf *c); // changes when a file does

// A receiver's: of one configuration and one state of the files. Counted, since
// walks go on after a reload.
struct aliases {
    unsigned held;
    struct domains *local, *virtuals, *relayed;
    struct dns_name home, srs_home;
    struct alias_conf conf;
    struct auth_srs srs; // secret_count 0: nothing is rewritten
    struct span secrets[8];
    struct alias_table *table;
    struct arena memory;
    struct span *reports; // report.addresses with A-labels
    struct buf secret;
};
// `payload` and `fd` as of MSG_ALIASES (empty, -1: none); both are borrowed. *fault, and
// NULL: they cannot be used. The master has tried them, so that is only seen there.
struct aliases *aliases_new(const struct conf *c, struct span payload, int fd,
                            struct conf_fault *fault);
struct aliases *aliases_hold(struct aliases *a);
void aliases_release(struct aliases *a); // NULL: nothing
