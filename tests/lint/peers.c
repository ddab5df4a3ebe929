// Prints who may talk to whom, and holds it against what is meant: a change of
// the security architecture is a change here, too.
#include "proc_peers.h"

#include <stdio.h>
#include <string.h>

static const char *const meant[] = {
    "receiver store",    "queue store",
    "sender store",      "sender queue",
    "receiver queue",    "sender resolver",
    "fetcher resolver",  "sender fetcher",
    "control store",     "control queue",
    "control resolver",  "control fetcher",
    "receiver resolver", "receiver authenticator",
    "receiver fetcher",  "web receiver",
    "web store",         "web queue",
    "web sender",        "web resolver",
    "web fetcher",       "web control",
    "web authenticator", "web reporter",
    "reporter store",    "reporter resolver",
    "reporter receiver", "control reporter",
    "reporter fetcher",  "sender reporter",
};
enum { MEANT = sizeof meant / sizeof *meant };

static unsigned number;

static int tell(bool ok, const char *what)
{
    printf("%s %u - %s\n", ok ? "ok" : "not ok", ++number, what);
    return !ok;
}

static bool is_meant(const char *a, const char *b)
{
    char both[64];
    snprintf(both, sizeof both, "%s %s", a, b);
    for (unsigned i = 0; i < MEANT; i++)
        if (strcmp(meant[i], both) == 0)
            return true;
    return false;
}

static bool symmetric(void)
{
    for (unsigned a = 0; a < PROC_KINDS; a++)
        for (unsigned b = 0; b < PROC_KINDS; b++)
            if (proc_may_talk((enum proc_kind)a, (enum proc_kind)b) !=
                proc_may_talk((enum proc_kind)b, (enum proc_kind)a))
                return false;
    return true;
}

static bool as_meant(void)
{
    for (unsigned a = 0; a < PROC_KINDS; a++)
        for (unsigned b = 0; b < PROC_KINDS; b++) {
            const char *one = proc_kind_text((enum proc_kind)a);
            const char *two = proc_kind_text((enum proc_kind)b);
            if (proc_may_talk((enum proc_kind)a, (enum proc_kind)b) !=
                (is_meant(one, two) || is_meant(two, one)))
                return false;
        }
    return proc_peers_count == MEANT;
}

static bool nobody_has_a_socket_to_the_master(void)
{
    for (unsigned k = 0; k < PROC_KINDS; k++)
        if (proc_may_talk(PROC_MASTER, (enum proc_kind)k) ||
            proc_may_talk((enum proc_kind)k, (enum proc_kind)k))
            return false;
    return true;
}

static bool names_come_back(void)
{
    enum proc_kind back;
    for (unsigned k = 0; k < PROC_KINDS; k++)
        if (!proc_kind_parse(&back, proc_kind_text((enum proc_kind)k)) || back != k)
            return false;
    return !proc_kind_parse(&back, "") && !proc_kind_parse(&back, "root");
}

int main(void)
{
    int failed = 0;
    for (size_t i = 0; i < proc_peers_count; i++)
        printf("# %-9s asks %-9s about %s\n", proc_kind_text(proc_peers[i].asks),
               proc_kind_text(proc_peers[i].answers), proc_peers[i].about);
    failed += tell(symmetric(), "who may talk may be talked to");
    failed += tell(as_meant(), "the table is what is meant");
    failed += tell(nobody_has_a_socket_to_the_master(), "none is for the master or for itself");
    failed += tell(names_come_back(), "names come back");
    printf("1..%u\n", number);
    return failed ? 1 : 0;
}
