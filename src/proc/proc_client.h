// The command line's way to a server: through the local door of the running one,
// or to a private one, that is a resolver, a fetcher and a control of its own
// which nobody else sees and which end with the command.
#pragma once
#include "proc_control_request.h"
#include "proc_serve.h"

struct proc_client;
// UNAVAILABLE: nobody answers there; DENIED: one who may not ask. *why: one
// sentence, valid until the next call.
struct rc proc_client_open(struct proc_client **out, const struct conf *c, const char **why);
struct rc proc_client_private(struct proc_client **out, const struct proc_master_conf *mc,
                              const char **why);
void proc_client_close(struct proc_client *c); // NULL: nothing

// Asks and waits. The answer's spans are the client's until the next question.
struct rc proc_client_ask(struct proc_client *c, const struct control_request *q,
                          struct control_answer *out, int64_t patience_us);
