#include "proc_inner.h"

#include "base_log.h"

#include <signal.h>
#include <stdlib.h>

static void started(struct proc *p)
{
    struct proc_inner *in = proc_inner(p);
    if (!p->conf)
        panic("started without a section");
    proc_peers_open(p);
    in->started = true;
    if (p->role->start)
        p->role->start(p);
    if (in->status)
        return;
    proc_peers_up(p);
    if (in->status == 0)
        io_channel_send(in->master, MSG_READY, 0, SPAN(""), -1);
}

static bool got_start(struct proc *p, struct io_message *m)
{
    (void)m;
    proc_coming_take(p);
    if (!proc_inner(p)->started)
        started(p);
    else if (p->role->reload)
        p->role->reload(p);
    return true;
}

static bool got_peer(struct proc *p, struct io_message *m)
{
    struct rd r = RD(m->payload);
    unsigned kind = rd_enum(&r, PROC_KINDS);
    unsigned index = rd_u16(&r);
    if (!rd_end(&r) || m->fd < 0 || !proc_may_talk(p->role->kind, (enum proc_kind)kind))
        return false;
    int fd = m->fd;
    m->fd = -1;
    proc_peer_give(p, (enum proc_kind)kind, index, fd);
    return true;
}

static bool got_drain(struct proc *p, struct io_message *m)
{
    (void)m;
    if (p->draining)
        return true;
    p->draining = true;
    if (p->role->drain && proc_inner(p)->started)
        p->role->drain(p);
    else
        proc_drained(p);
    return true;
}

static bool got_alive(struct proc *p, struct io_message *m)
{
    (void)m;
    io_channel_send(proc_inner(p)->master, MSG_ALIVE_IS, 0, SPAN(""), -1);
    return true;
}

static bool from_master(void *arg, struct io_message *m)
{
    static const struct {
        uint16_t kind;
        bool (*got)(struct proc *p, struct io_message *m);
    } kinds[] = {
        {MSG_SECTION, proc_coming_got}, {MSG_KEYS, proc_coming_got},
        {MSG_SIGNERS, proc_coming_got}, {MSG_ALIASES, proc_coming_got},
        {MSG_LISTEN, proc_coming_got},  {MSG_LISTEN_RESET, proc_coming_got},
        {MSG_PEER, got_peer},           {MSG_START, got_start},
        {MSG_DRAIN, got_drain},         {MSG_ALIVE, got_alive},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == m->kind)
            return kinds[i].got(arg, m);
    return false;
}

// The master is gone, or has taken note that this role is drained.
static void master_closed(void *arg)
{
    struct proc *p = arg;
    if (!p->draining)
        LOG(LOG_WARN, "master-gone");
    io_loop_stop(p->loop);
}

// The end is the master's closing of the channel: what peers still have to get
// leaves in the meantime.
void proc_drained(struct proc *p)
{
    io_channel_send(proc_inner(p)->master, MSG_DRAINED, 0, SPAN(""), -1);
}

void proc_fail(struct proc *p)
{
    proc_inner(p)->status = PROC_EXIT_CONFIG;
    io_loop_stop(p->loop);
}

static void inner_free(struct proc_inner *in)
{
    proc_questions_free(&in->proc);
    proc_peers_free(&in->proc);
    proc_coming_free(&in->proc);
    io_channel_free(in->master);
    io_loop_free(in->proc.loop);
    free(in);
}

int proc_role_run(const struct proc_role *role, unsigned index)
{
    // The terminal's signals reach every process of a group; the master decides.
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    log_setup(proc_kind_text(role->kind), LOG_INFO);
    struct proc_inner *in = mem_new(sizeof *in);
    in->proc = (struct proc){.role = role, .index = index, .loop = io_loop_new()};
    in->began = io_wall(in->proc.loop);
    in->master =
        io_channel_new(in->proc.loop, PROC_CONTROL_FD, from_master, master_closed, &in->proc);
    io_channel_secret(in->master); // keys
    io_loop_run(in->proc.loop);
    int status = in->status;
    inner_free(in);
    return status;
}
