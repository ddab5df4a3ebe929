// The roles there are, and the way into one from the command line.
#include "proc_inner.h"
#include "proc_serve.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const struct proc_role *const roles[PROC_KINDS] = {
    [PROC_RECEIVER] = &proc_receiver, [PROC_STORE] = &proc_store,
    [PROC_QUEUE] = &proc_queue,       [PROC_SENDER] = &proc_sender,
    [PROC_RESOLVER] = &proc_resolver, [PROC_FETCHER] = &proc_fetcher,
    [PROC_CONTROL] = &proc_control,   [PROC_AUTHENTICATOR] = &proc_authenticator,
    [PROC_WEB] = &proc_web,           [PROC_REPORTER] = &proc_reporter,
};

static bool from_a_master(void)
{
    struct stat st;
    return fstat(PROC_CONTROL_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

int proc_role_main(const char *kind, const char *index)
{
    enum proc_kind k;
    uint64_t n;
    if (!proc_kind_parse(&k, kind) || !roles[k] || !span_number(span_str(index), UINT16_MAX, &n) ||
        !from_a_master()) {
        fprintf(stderr, "geleit: --role is for geleit itself; run 'geleit serve'\n");
        return PROC_EXIT_CONFIG;
    }
    prctl(PR_SET_NAME, "geleit"); // else "exe", the name it was started by
    return proc_role_run(roles[k], (unsigned)n);
}
