// What a process gives up when it starts, in this order: the user it was started
// as, the right to gain another one by execve, and life beyond its parent's.
// Filters for system calls and paths (seccomp, Landlock) will be asked for here.
#pragma once
#include "base_rc.h"

#include <sys/types.h>

struct io_privilege {
    // Whom to become where started as root: own groups only. NULL or empty: stay.
    // Where not started as root nothing can be changed; that is no failure.
    const char *user;
    pid_t parent; // die (SIGKILL) with it; 0: live on
};
// NOT_FOUND: no such user; DENIED: the kernel refused; UNAVAILABLE: the parent is
// gone already. *why says in one sentence what could not be done; it is valid
// until the next call. After a failure the caller must not go on.
struct rc io_privilege_drop(const struct io_privilege *p, const char **why);
