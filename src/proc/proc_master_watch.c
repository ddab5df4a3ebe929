#include "proc_master.h"

#include "base_log.h"

#include <signal.h>
#include <stdio.h>

// Silence is counted in rounds, not in time: while the whole machine sleeps, or the
// master itself is stopped, no round passes and nobody is late.
enum { ROUNDS = 4, ROUNDS_OFF_S = 10 };

static int64_t patience(const struct proc_master *m)
{
    return conf_int(m->setup->conf, CONF_roles_patience);
}

// The store waits for the disk, the authenticator computes for everybody who guesses, and
// whoever begins reads what may be long: a queue, a history that was cut short.
static unsigned rounds(const struct proc_instance *i)
{
    bool blocks = i->kind == PROC_STORE || i->kind == PROC_AUTHENTICATOR;
    return ROUNDS * (blocks ? 5U : 1U) * (i->ready ? 1U : 10U);
}

// Somebody looks at it with a debugger, and would lose what he looks at.
static bool is_traced(const struct proc_instance *i)
{
    char path[64], line[128];
    unsigned tracer = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)i->pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        struct span rest = span_str(line), key = span_cut(&rest, ':');
        uint64_t pid = 0;
        rest = span_trim(span_first(rest, span_index(rest, '\n')));
        if (span_eq(key, SPAN("TracerPid")) && span_number(rest, INT32_MAX, &pid))
            tracer = (unsigned)pid;
    }
    if (f)
        fclose(f);
    return tracer != 0;
}

static void end(struct proc_instance *i)
{
    int64_t silent_us = patience(i->master) / ROUNDS * i->missed;
    i->missed = 0; // killed once more after as long, if that was not enough
    if (is_traced(i))
        return;
    LOG(LOG_ERROR, "role-hangs", LOG_T("role", proc_kind_text(i->kind)), LOG_I("index", i->index),
        LOG_I("process", i->pid), LOG_I("silent_s", silent_us / US_PER_S),
        LOG_T("why", "it has not answered the master for so long (roles.patience); it is killed "
                     "and started again"));
    kill(i->pid, SIGKILL);
}

static void look_at(struct proc_instance *i)
{
    if (!i->channel || !i->pid)
        return;
    if (!i->asked) {
        i->asked = true;
        i->missed = 0;
        proc_instance_send(i, MSG_ALIVE, SPAN(""), -1);
    } else if (++i->missed >= rounds(i)) {
        end(i);
    }
}

void proc_master_watch_answered(struct proc_instance *i)
{
    i->asked = false;
}

static void watch(void *arg)
{
    struct proc_master *m = arg;
    for (size_t i = 0; !m->draining && patience(m) && i < m->count; i++)
        look_at(&m->instances[i]);
    proc_master_watch(m);
}

void proc_master_watch(struct proc_master *m)
{
    int64_t round_us = patience(m) ? patience(m) / ROUNDS : SECONDS(ROUNDS_OFF_S);
    m->watch.fire = watch;
    m->watch.arg = m;
    io_timer_set(m->loop, &m->watch, (struct mono){io_now(m->loop).us + round_us});
}
