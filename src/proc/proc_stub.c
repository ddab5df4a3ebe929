// Roles that are still to come: they start, do nothing and drain. A role's line
// goes when its file comes.
#include "proc_role.h"

#define STUB(name, which)                                                                          \
    const struct proc_role proc_##name = {.kind = which, .drain = proc_drained}

STUB(receiver, PROC_RECEIVER);
STUB(store, PROC_STORE);
STUB(queue, PROC_QUEUE);
STUB(sender, PROC_SENDER);
STUB(resolver, PROC_RESOLVER);
STUB(fetcher, PROC_FETCHER);
