// The doors of this room for the command line: a server, a role's process, and the
// configuration that both and every command read.
#pragma once
#include "conf.h"

// Descriptors of a process that are not for clients: files, channels, listeners.
enum { PROC_DESCRIPTORS_KEPT = 256 };

// The master: checks, binds, spawns, restarts, reloads, drains. Returns the exit
// status of `geleit serve`. `path`: configuration file, NULL: none; `overrides`
// as given with -o.
struct proc_master_conf {
    const char *path;
    const char *const *overrides;
    size_t override_count;
};
int proc_master_run(const struct proc_master_conf *mc);
// What the master and all commands read: the file, then the overrides, checked.
// CONFIG, or what kept the file from being read; *fault says it in one sentence.
struct rc proc_conf_load(const struct proc_master_conf *mc, struct conf **out,
                         struct conf_fault *fault);
// Whether the server could work with it: user and key files, binding nothing.
struct rc proc_conf_try(const struct conf *c, struct conf_fault *fault);
// argv of a role process: geleit serve --role KIND --index N
int proc_role_main(const char *kind, const char *index);
