#include "proc_asker.h"

struct proc_asker proc_asker_of(struct proc_peer *peer, const struct io_message *question)
{
    return (struct proc_asker){peer, peer->generation, question->ticket};
}

bool proc_asker_alive(const struct proc_asker *a)
{
    return a->peer->channel && a->peer->generation == a->generation;
}

void proc_reply(const struct proc_asker *a, enum proc_message kind, struct span payload, int fd)
{
    if (proc_asker_alive(a))
        proc_send(a->peer, kind, a->ticket, payload, fd);
}
