// What a configuration means for the master: itself, the certificate's texts, the
// bound sockets. Made whole or not at all, so that a reload can change its mind.
#pragma once
#include "proc_aliases.h"
#include "proc_certificates.h"
#include "proc_peers.h"
#include "proc_serve.h"
#include "smtp_server.h"

struct proc_bound {
    struct span text; // as written in the option
    int fd;
    uint8_t kind; // as in MSG_LISTEN
};
struct proc_setup {
    struct conf *conf;
    struct proc_certificates certificates;
    struct buf signers; // payload of MSG_SIGNERS
    struct proc_aliases aliases;
    int64_t keys_stamp; // of the folder they are from, before it was read
    struct proc_bound *bound;
    size_t bound_count;
    struct proc_bound *web; // those of web.listen and report.listen that could be had
    size_t web_count;
    struct proc_bound door; // of control; no text: none
    struct buf door_path;   // behind its text
};

// `old` (or NULL): sockets whose address stays are taken from it, by duplicate.
struct rc proc_setup_new(struct proc_setup **out, const struct proc_master_conf *mc,
                         const struct proc_setup *old, struct conf_fault *fault);
// For a command that asks by itself, without a server: nothing but the door, at an
// address nobody knows. Takes `conf`.
struct rc proc_setup_private(struct proc_setup **out, struct conf *conf, struct conf_fault *fault);
void proc_setup_free(struct proc_setup *s);                                 // NULL: nothing
unsigned proc_setup_count(const struct proc_setup *s, enum proc_kind kind); // instances of a role
// A whole file, in memory that was reserved at once (it may be a key).
struct rc proc_file_read(const char *path, struct buf *b, struct conf_fault *fault);
struct rc proc_file_read_most(const char *path, size_t most, struct buf *b,
                              struct conf_fault *fault);
