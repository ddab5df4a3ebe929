// The end: who brings in work first, who keeps it last.
#include "proc_master.h"

#include "base_log.h"

#include <signal.h>
#include <sys/socket.h>

static const unsigned stages[] = {
    1 << PROC_RECEIVER | 1 << PROC_CONTROL | 1 << PROC_REPORTER | 1 << PROC_WEB,
    1 << PROC_SENDER | 1 << PROC_QUEUE,
    1 << PROC_RESOLVER | 1 << PROC_FETCHER | 1 << PROC_AUTHENTICATOR,
    1 << PROC_STORE,
};
enum { STAGES = sizeof stages / sizeof *stages };
static const int64_t limit_us = SECONDS(30);
// Who asks again wants the end now. One that comes at once is the same wish twice: a
// shell and its terminal both pass a signal on.
static const int64_t patience_us = SECONDS(1);

static void kill_all(void *arg)
{
    struct proc_master *m = arg;
    for (size_t i = 0; i < m->count; i++) {
        struct proc_instance *one = &m->instances[i];
        if (!one->pid)
            continue;
        LOG(LOG_WARN, "role-killed", LOG_T("role", proc_kind_text(one->kind)),
            LOG_I("index", one->index));
        kill(one->pid, SIGKILL);
    }
}

// Somebody of this stage is still there.
static bool alive(const struct proc_master *m, unsigned stage)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->instances[i].pid && stage & 1u << m->instances[i].kind)
            return true;
    return false;
}

static void ask(struct proc_master *m, unsigned stage)
{
    for (size_t i = 0; i < m->count; i++)
        if (stage & 1u << m->instances[i].kind)
            proc_instance_send(&m->instances[i], MSG_DRAIN, SPAN(""), -1);
}

// For whoever holds them: a client that comes now is refused at once, and tries the
// next host, instead of waiting in the backlog of a server that ends.
static void stop_listening(const struct proc_master *m)
{
    for (size_t i = 0; i < m->setup->bound_count; i++)
        if (shutdown(m->setup->bound[i].fd, SHUT_RDWR))
            LOG(LOG_DEBUG, "still-listening", LOG_S("at", m->setup->bound[i].text));
}

void proc_drain_advance(struct proc_master *m)
{
    while (m->draining && m->stage < STAGES && !alive(m, stages[m->stage]))
        if (++m->stage < STAGES)
            ask(m, stages[m->stage]);
    if (m->draining && m->stage == STAGES)
        io_loop_stop(m->loop);
}

void proc_drain_begin(struct proc_master *m, int status)
{
    if (m->draining) {
        if (io_now(m->loop).us - m->since.us >= patience_us)
            kill_all(m);
        return;
    }
    LOG(LOG_INFO, "draining");
    m->since = io_now(m->loop);
    m->draining = true;
    m->status = status;
    for (size_t i = 0; i < m->count; i++)
        io_timer_cancel(m->loop, &m->instances[i].again);
    stop_listening(m);
    m->limit = (struct io_timer){.fire = kill_all, .arg = m};
    io_timer_set(m->loop, &m->limit, (struct mono){io_now(m->loop).us + limit_us});
    ask(m, stages[0]);
    proc_drain_advance(m);
}
