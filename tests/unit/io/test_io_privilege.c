#include "io_test.h"

#include "io_privilege.h"

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

// Each in a child of its own: there is no way back.
static int in_child(int (*body)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static int stay(void)
{
    const char *why;
    struct rc rc = io_privilege_drop(&(struct io_privilege){0}, &why);
    return rc_ok(rc) && !*why && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

static int tied(void)
{
    const char *why;
    int signal_number = 0;
    struct io_privilege p = {.user = geteuid() ? NULL : "nobody", .parent = getppid()};
    if (!rc_ok(io_privilege_drop(&p, &why)))
        return 1;
    prctl(PR_GET_PDEATHSIG, &signal_number, 0, 0, 0);
    return signal_number == 9 ? 0 : 2;
}

static int orphan(void)
{
    const char *why;
    struct io_privilege p = {.parent = 1 << 30};
    return io_privilege_drop(&p, &why).code == RC_UNAVAILABLE && *why ? 0 : 1;
}

static int nobody(void)
{
    const char *why;
    struct passwd *pw = getpwnam("nobody");
    if (geteuid() != 0 || !pw)
        return 0;
    if (!rc_ok(io_privilege_drop(&(struct io_privilege){.user = "nobody"}, &why)))
        return 1;
    gid_t groups[64];
    int n = getgroups(64, groups);
    bool own = n == 0 || (n == 1 && groups[0] == pw->pw_gid);
    return own && getuid() == pw->pw_uid && getegid() == pw->pw_gid && setuid(0) != 0 ? 0 : 2;
}

static int no_such(void)
{
    const char *why;
    struct rc rc = io_privilege_drop(&(struct io_privilege){.user = "no such user"}, &why);
    return geteuid() != 0 || (rc.code == RC_NOT_FOUND && strstr(why, "no such user")) ? 0 : 1;
}

#define CHILD(name)                                                                                \
    static void child_##name(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        assert_int_equal(in_child(name), 0);                                                       \
    }
CHILD(stay)
CHILD(tied)
CHILD(orphan)
CHILD(nobody)
CHILD(no_such)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_stay),    cmocka_unit_test(child_tied),
        cmocka_unit_test(child_orphan),  cmocka_unit_test(child_nobody),
        cmocka_unit_test(child_no_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
