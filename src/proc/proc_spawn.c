#include "proc_spawn.h"

#include "io_privilege.h"
#include "proc_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void die(const char *what, const char *why)
{
    dprintf(STDERR_FILENO, "geleit: a role cannot start: %s: %s\n", what, why);
    _exit(PROC_EXIT_CONFIG);
}

static void own_descriptors(int control)
{
    int none = open("/dev/null", O_RDWR);
    if (none < 0 || dup2(none, STDIN_FILENO) < 0)
        die("/dev/null", strerror(errno));
    int failed = control == PROC_CONTROL_FD ? fcntl(control, F_SETFD, 0)
                                            : dup2(control, PROC_CONTROL_FD) - PROC_CONTROL_FD;
    if (failed || close_range(PROC_CONTROL_FD + 1, ~0U, 0))
        die("descriptors", strerror(errno));
}

static void own_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Until the role has said so itself: a reload may come before it runs.
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

// In the new process, before it is ours again by execve.
static void become(const struct proc_spawn *s, pid_t master)
{
    char title[64], index[16];
    const char *why = "";
    own_signals();
    own_descriptors(s->control);
    if (!rc_ok(io_privilege_drop(&(struct io_privilege){s->user, master}, &why)))
        die("privileges", why);
    snprintf(title, sizeof title, "geleit: %s %u", proc_kind_text(s->kind), s->index);
    snprintf(index, sizeof index, "%u", s->index);
    char *const argv[] = {title,
                          (char *)"serve",
                          (char *)"--role",
                          (char *)proc_kind_text(s->kind),
                          (char *)"--index",
                          index,
                          NULL};
    execv("/proc/self/exe", argv);
    die("/proc/self/exe", strerror(errno));
}

struct rc proc_spawn(const struct proc_spawn *s, pid_t *out)
{
    pid_t master = getpid();
    *out = fork();
    if (*out < 0)
        return rc_errno(errno);
    if (*out == 0)
        become(s, master);
    return RC(OK);
}
