// One role process, as its master sees it from outside.
#pragma once
#include "base_rc.h"
#include "proc_peers.h"

#include <sys/types.h>

struct proc_spawn {
    enum proc_kind kind;
    unsigned index;
    const char *user; // NULL or "": whoever the master is
    int control;      // becomes descriptor 3 of the new process
};
// Starts `geleit serve --role KIND --index N` from the running binary: nothing
// but standard input (empty), output, error and the channel is handed on.
struct rc proc_spawn(const struct proc_spawn *s, pid_t *out);
