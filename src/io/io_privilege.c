#include "io_privilege.h"

#include "base_buf.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char sentence[256];

static struct rc refused(struct rc rc, const char **why, const char *what, const char *about)
{
    snprintf(sentence, sizeof sentence, "%s%s%s.", what, *about ? ": " : "", about);
    *why = sentence;
    return rc;
}

static struct rc errno_refused(const char **why, const char *what)
{
    int error = errno;
    return refused(rc_errno(error), why, what, strerror(error));
}

// Before the user id goes: afterwards the groups could not be changed any more.
static struct rc become(const struct passwd *pw, const char **why)
{
    if (setgroups(1, &pw->pw_gid))
        return errno_refused(why, "The supplementary groups cannot be given up");
    if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid))
        return errno_refused(why, "The group cannot be changed");
    if (setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid))
        return errno_refused(why, "The user cannot be changed");
    if (pw->pw_uid != 0 && setuid(0) == 0)
        return refused(RC(DENIED), why, "The user was changed, but the way back to root is open",
                       "");
    return RC(OK);
}

static struct rc user_drop(const char *user, const char **why)
{
    if (!user || !*user || geteuid() != 0)
        return RC(OK);
    char room[4096];
    struct passwd pw, *found = NULL;
    if (getpwnam_r(user, &pw, room, sizeof room, &found) || !found)
        return refused(RC(NOT_FOUND), why, "There is no such user", user);
    return become(found, why);
}

// A change of user clears the death signal: it is set last. The parent may have
// died before that, then nobody would tell.
static struct rc parent_tie(pid_t parent, const char **why)
{
    if (!parent)
        return RC(OK);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return errno_refused(why, "The process cannot be tied to its parent");
    if (getppid() != parent)
        return refused(RC(UNAVAILABLE), why, "The parent process is gone", "");
    return RC(OK);
}

struct rc io_privilege_drop(const struct io_privilege *p, const char **why)
{
    *why = "";
    TRY(user_drop(p->user, why));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return errno_refused(why, "The right to gain privileges cannot be given up");
    return parent_tie(p->parent, why);
}
