// The certificates that receivers show, with their keys, as the master reads them
// from tls.certificate, tls.certificates and the file of trust anchors for clients.
#pragma once
#include "conf.h"
#include "io_tls.h"

struct proc_certificate {
    char chain_path[4096], key_path[4096];
    struct buf chain, key;
    struct io_tls_about about;
};
struct proc_certificates {
    struct proc_certificate *at; // the first is the default
    size_t count;
    struct buf client_ca; // empty: the system's anchors
    uint64_t stamp;       // of the files, before they were read
};

// Changes whenever one of the files does.
uint64_t proc_certificates_stamp(const struct conf *c);
// Where a certificate or key cannot be used: with `old` (of the same configuration) its
// one stays, and the log says so; without, that is the fault. *out is the caller's to
// free in any case.
struct rc proc_certificates_load(struct proc_certificates *out, const struct conf *c,
                                 const struct proc_certificates *old, struct conf_fault *fault);
void proc_certificates_free(struct proc_certificates *s); // wipes keys
// The payload of MSG_KEYS; `tickets`: io_tls_ticket_key, the newest first.
void proc_certificates_put(const struct proc_certificates *s, struct span tickets, struct buf *b);
// A log line for each that has expired, is not valid yet, or will have expired soon.
void proc_certificates_tell(const struct proc_certificates *s, struct wall now);
