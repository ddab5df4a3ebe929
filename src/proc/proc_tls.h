// What a role that listens makes of the certificates and ticket keys in MSG_KEYS.
#pragma once
#include "io_tls.h"
#include "proc_role.h"

struct proc_tls_use { // see io_tls_server_conf
    bool clients;
    struct span protocol;
};
struct proc_tls_about {
    size_t count;  // certificates
    int64_t first; // the first date of expiry, seconds since 1970; 0: none
};
// NULL: there are none, or none that can be used, which is logged. `about` may be NULL.
struct io_tls_server *proc_tls_server(const struct proc *p, const struct proc_tls_use *use,
                                      struct proc_tls_about *about);
