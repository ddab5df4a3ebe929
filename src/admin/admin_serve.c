#include "admin_command.h"

#include "base_log.h"

enum { ROLE, INDEX }; // as in admin_command.c

int admin_serve(const struct admin_call *call)
{
    if (call->flags[ROLE] || call->flags[INDEX])
        return proc_role_main(call->flags[ROLE] ? call->flags[ROLE] : "",
                              call->flags[INDEX] ? call->flags[INDEX] : "");
    struct proc_master_conf mc;
    if (admin_conf_source(call, &mc) == ADMIN_NO_FILE)
        LOG(LOG_WARN, "no-configuration-file", LOG_T("path", ADMIN_FILE),
            LOG_T("so", "all options have their defaults"));
    return proc_master_run(&mc);
}
