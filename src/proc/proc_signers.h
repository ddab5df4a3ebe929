// The keys that sign, as the master hands them to the receivers (MSG_SIGNERS).
#pragma once
#include "base_buf.h"
#include "conf.h"

// Reads and tries all of dkim.sign. *out holds keys afterwards, whatever comes out:
// to be wiped. *fault: a sentence.
struct rc proc_signers_load(const struct conf *c, struct buf *out, struct conf_fault *fault);
