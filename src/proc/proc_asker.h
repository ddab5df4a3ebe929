// Who asked, kept until the answer is ready. The asker may have died meanwhile:
// its successor uses the same tickets for other questions, so a late answer is
// dropped, never misdelivered.
#pragma once
#include "proc_role.h"

struct proc_asker {
    struct proc_peer *peer;
    unsigned generation;
    uint32_t ticket;
};

struct proc_asker proc_asker_of(struct proc_peer *peer, const struct io_message *question);
bool proc_asker_alive(const struct proc_asker *a);
void proc_reply(const struct proc_asker *a, enum proc_message kind, struct span payload, int fd);
