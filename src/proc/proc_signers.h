// The keys that sign, as the master hands them to the receivers (MSG_SIGNERS).
#pragma once
#include "base_wire.h"
#include "conf.h"

// One key: all but the selector and the key as auth_signing.h has it.
struct proc_signer {
    struct span domain, selector, sender;
    unsigned services;
    struct span pem;
};
void proc_signer_pack(struct buf *b, const struct proc_signer *s);
bool proc_signer_unpack(struct rd *r, struct proc_signer *out); // borrows from r

// Reads and tries all of dkim.sign, and takes what signs from the folder of keys. *out holds keys
// afterwards, whatever comes out: to be wiped. *fault: a sentence. Without `folder` only dkim.sign:
// who checks a configuration need not be able to read what is the server's own.
struct rc proc_signers_load(const struct conf *c, bool folder, struct buf *out,
                            struct conf_fault *fault);
