// DNS for commands: answered from a zone file (--zone), by the running server's
// resolver, or by one of the command's own.
#pragma once
#include "admin_ask.h"
#include "auth_ask.h"
#include "dns_zone.h"

struct admin_dns {
    const struct admin_call *call;
    struct dns_zone *zone; // NULL: the network
    struct admin_server server;
    struct buf section;
    bool lost; // nobody to ask; it has been said
};
// Reads the configuration and the zone file (NULL: none); asks nobody yet.
// ADMIN_DONE, or the exit status after a sentence on standard error.
int admin_dns_open(struct admin_dns *d, const struct admin_call *call, const char *zone);
void admin_dns_close(struct admin_dns *d);
// Whatever cannot be had is INDETERMINATE. Spans live in `a`.
void admin_dns_ask(struct admin_dns *d, const struct dns_question *q, size_t count,
                   struct dns_answer *out, struct arena *a);

// An evaluator of room auth, driven to its end: all questions it has at a time are
// asked together.
struct admin_machine {
    void *machine;
    struct auth_step (*next)(void *machine);
    void (*answer)(void *machine, unsigned ticket, const struct dns_answer *a);
};
void admin_dns_run(struct admin_dns *d, const struct admin_machine *m);

// What --now says, or the clock. ADMIN_DONE or ADMIN_USAGE.
int admin_now(const char *text, struct wall *out);
// A whole file, or standard input for "-"; ADMIN_DONE or a sentence and ADMIN_USAGE.
int admin_file(const char *path, struct buf *out);
