#include "admin_command.h"

static const char *const sources[] = {
    [ADMIN_NO_FILE] = "no configuration file: all defaults",
    [ADMIN_GIVEN_FILE] = "as read from",
    [ADMIN_DEFAULT_FILE] = "as read from",
};

// What can be printed is printed, also where a key cannot be used.
int admin_config(const struct admin_call *call)
{
    struct proc_master_conf mc;
    struct conf *c;
    struct conf_fault fault;
    int source = admin_conf_source(call, &mc);
    if (!rc_ok(proc_conf_load(&mc, &c, &fault)))
        return admin_complain("%s", fault.text);
    CLEANUP(buf_free) struct buf b = BUF(64 << 20);
    if (call->json) {
        conf_print_json(&b, c);
        buf_putc(&b, '\n');
    } else {
        buf_printf(&b, "# Geleit's configuration, %s%s%s.\n", sources[source], mc.path ? " " : "",
                   mc.path ? mc.path : "");
        conf_print(&b, c);
    }
    int status = admin_print(&b);
    if (!rc_ok(proc_conf_try(c, &fault)))
        status = admin_complain("%s", fault.text);
    conf_free(c);
    return status;
}
