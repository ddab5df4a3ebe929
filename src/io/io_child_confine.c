// What a child may still do: nearly nothing.
#include "io_child_inner.h"

#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SECONDS_LEAST = 1 };

static bool limit(__rlimit_resource_t what, rlim_t value)
{
    struct rlimit r = {value, value};
    return setrlimit(what, &r) == 0;
}

#ifndef IO_CHILD_SANITIZED // those reserve terabytes
static rlim_t memory_now(void)
{
    struct rlimit r;
    return getrlimit(RLIMIT_AS, &r) ? RLIM_INFINITY : r.rlim_cur;
}
#endif

static bool limits_take(const struct io_child_task *t)
{
    int64_t seconds = t->patience_us / US_PER_S;
#ifndef IO_CHILD_SANITIZED
    if (memory_now() > t->memory_max && !limit(RLIMIT_AS, t->memory_max))
        return false;
#endif
    return limit(RLIMIT_NOFILE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0) &&
           limit(RLIMIT_NPROC, 0) &&
           limit(RLIMIT_CPU, (rlim_t)(seconds < SECONDS_LEAST ? SECONDS_LEAST : seconds));
}

// All but one; where sanitizers tell what they found, that too.
static bool descriptors_close(int out)
{
#ifdef IO_CHILD_SANITIZED
    if (out <= STDERR_FILENO)
        return false;
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    unsigned first = STDERR_FILENO + 1;
#else
    unsigned first = 0;
#endif
    unsigned own = (unsigned)out;
    return (own == first || close_range(first, own - 1, 0) == 0) &&
           close_range(own + 1, ~0U, 0) == 0;
}

bool io_child_confine(const struct io_child_task *t, int out, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || getppid() != parent)
        return false;
    signal(SIGPIPE, SIG_DFL);
    return descriptors_close(out) && limits_take(t) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && io_child_filter();
}
