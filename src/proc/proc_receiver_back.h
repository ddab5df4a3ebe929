// Where a notice goes: to the return path, and where that is an address of ours, on
// through SRS and the aliases as mail from outside would.
#pragma once
#include "proc_receiver.h"

// `done` gets the recipients, in `a`, once: before the call returns or later. NULL: it
// cannot be found out now. `path` and `a` are borrowed until then.
void receiver_back(struct receiver *r, struct span path, struct arena *a,
                   void (*done)(void *arg, struct store_recipient *to, size_t count), void *arg);
