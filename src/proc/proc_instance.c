#include "proc_master.h"

#include "base_log.h"
#include "proc_inner.h"
#include "proc_spawn.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// A role that lived for a minute was all right; its death is news, not a habit.
static const int64_t lived_us = SECONDS(60);
static const int64_t grace_us = SECONDS(2);
static const int64_t linked_us = SECONDS(1);
static const int pauses_s[] = {0, 1, 2, 4, 8, 16, 30};
enum { PAUSES = sizeof pauses_s / sizeof *pauses_s };

#define LOG_WHO(i) LOG_T("role", proc_kind_text((i)->kind)), LOG_I("index", (i)->index)

static void link_pair(struct proc_instance *a, struct proc_instance *b);

// What it says of a channel may have crossed the one that a new process brought: who is
// still cut off then says so again.
static bool is_new(const struct proc_instance *i)
{
    return io_now(i->master->loop).us - i->since.us < linked_us;
}

static bool got_cut_off(struct proc_instance *i, const struct io_message *m)
{
    struct rd r = RD(m->payload);
    unsigned kind = rd_enum(&r, PROC_KINDS), index = rd_u16(&r);
    if (!rd_end(&r) || !proc_may_talk(i->kind, (enum proc_kind)kind))
        return false;
    for (size_t k = 0; !i->master->draining && k < i->master->count; k++) {
        struct proc_instance *other = &i->master->instances[k];
        if (other == i || (unsigned)other->kind != kind || other->index != index || !other->channel)
            continue; // one that is dead is linked when it comes again
        if (is_new(i) || is_new(other))
            continue;
        LOG(LOG_ERROR, "cut-off", LOG_WHO(i), LOG_T("from", proc_kind_text(other->kind)));
        link_pair(i, other);
    }
    return true;
}

static bool got(void *arg, struct io_message *m)
{
    struct proc_instance *i = arg;
    if (m->kind == MSG_CUT_OFF)
        return got_cut_off(i, m);
    if (m->kind == MSG_ALIVE_IS) {
        proc_master_watch_answered(i);
        return true;
    }
    if (m->kind == MSG_READY) {
        i->ready = true;
        proc_master_ready(i->master);
        return true;
    }
    // Closing the channel tells it that it may end.
    i->drained = m->kind == MSG_DRAINED && i->master->draining;
    return false;
}

static void give_up(void *arg)
{
    struct proc_instance *i = arg;
    if (i->pid)
        kill(i->pid, SIGKILL);
}

// Who does not speak to us any more is of no use; one that is ending by itself has
// a moment to do so, and to tell by its status why.
static void closed(void *arg)
{
    struct proc_instance *i = arg;
    io_channel_free(i->channel);
    i->channel = NULL;
    i->grace.fire = give_up;
    i->grace.arg = i;
    io_timer_set(i->master->loop, &i->grace, (struct mono){io_now(i->master->loop).us + grace_us});
}

void proc_instance_send(struct proc_instance *i, enum proc_message kind, struct span payload,
                        int fd)
{
    if (i->channel)
        io_channel_send(i->channel, (uint16_t)kind, 0, payload, fd);
}

// Web has them while it needs them.
static void send_keys(struct proc_instance *i, const struct proc_setup *s)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    static const struct proc_certificates none;
    bool needed = i->kind == PROC_RECEIVER || conf_count(s->conf, CONF_report_listen);
    b.secret = true;
    proc_certificates_put(needed ? &s->certificates : &none,
                          needed ? proc_master_tickets(i->master) : SPAN(""), &b);
    proc_instance_send(i, MSG_KEYS, buf_span(&b), -1);
}

void proc_instance_send_keys(struct proc_instance *i)
{
    send_keys(i, i->master->setup);
}

static void send_listeners(struct proc_instance *i, const struct proc_bound *bound, size_t count)
{
    proc_instance_send(i, MSG_LISTEN_RESET, SPAN(""), -1);
    for (size_t k = 0; k < count; k++) {
        CLEANUP(buf_free) struct buf b = BUF(8192);
        wr_u8(&b, bound[k].kind);
        wr_span(&b, bound[k].text);
        proc_instance_send(i, MSG_LISTEN, buf_span(&b), bound[k].fd);
    }
}

void proc_instance_configure(struct proc_instance *i)
{
    const struct proc_setup *s = i->master->setup;
    CLEANUP(buf_free) struct buf section = BUF(IO_MESSAGE_MAX);
    conf_pack(&section, s->conf, proc_kind_conf(i->kind));
    proc_instance_send(i, MSG_SECTION, buf_span(&section), -1);
    if (i->kind == PROC_CONTROL)
        send_listeners(i, &s->door, s->door.text.len > 0);
    if (i->kind == PROC_WEB) {
        send_keys(i, s);
        send_listeners(i, s->web, s->web_count);
    }
    if (i->kind != PROC_RECEIVER)
        return;
    send_keys(i, s);
    proc_instance_send(i, MSG_SIGNERS, buf_span(&s->signers), -1);
    proc_instance_send(i, MSG_ALIASES, buf_span(&s->aliases.payload), s->aliases.fd);
    send_listeners(i, s->bound, s->bound_count);
}

static struct rc spawn(struct proc_instance *i)
{
    int fds[2];
    char user[256] = "";
    if (!span_copy(user, sizeof user, conf_span(i->master->setup->conf, CONF_user)))
        return RC(CONFIG);
    TRY(io_channel_pair(fds));
    struct proc_spawn s = {.kind = i->kind, .index = i->index, .user = user, .control = fds[1]};
    struct rc rc = proc_spawn(&s, &i->pid);
    close(fds[1]);
    if (!rc_ok(rc)) {
        i->pid = 0;
        close(fds[0]);
        return rc;
    }
    i->channel = io_channel_new(i->master->loop, fds[0], got, closed, i);
    io_channel_secret(i->channel); // keys
    return RC(OK);
}

static void again(void *arg)
{
    struct proc_instance *i = arg;
    proc_instance_spawn(i);
    proc_instance_link(i);
    proc_instance_send(i, MSG_START, SPAN(""), -1);
}

static int64_t pause_next(struct proc_instance *i)
{
    if (i->quick && io_now(i->master->loop).us - i->since.us >= lived_us)
        i->quick = 0;
    unsigned n = i->quick < PAUSES - 1 ? i->quick : PAUSES - 1;
    i->quick++;
    return SECONDS(pauses_s[n]);
}

static void schedule(struct proc_instance *i, int64_t pause_us)
{
    i->again.fire = again;
    i->again.arg = i;
    io_timer_set(i->master->loop, &i->again, (struct mono){io_now(i->master->loop).us + pause_us});
}

void proc_instance_spawn(struct proc_instance *i)
{
    i->ready = i->drained = i->asked = false;
    i->since = io_now(i->master->loop);
    struct rc rc = spawn(i);
    if (rc_ok(rc)) {
        proc_instance_configure(i);
        return;
    }
    int64_t pause_us = pause_next(i);
    LOG(LOG_ERROR, "role-not-started", LOG_WHO(i), LOG_T("why", rc_text(rc)),
        LOG_I("again_in_s", pause_us / US_PER_S));
    schedule(i, pause_us);
}

static void send_peer(struct proc_instance *to, const struct proc_instance *about, int fd)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u8(&b, (uint8_t)about->kind);
    wr_u16(&b, (uint16_t)about->index);
    proc_instance_send(to, MSG_PEER, buf_span(&b), fd);
    close(fd);
}

static void link_pair(struct proc_instance *a, struct proc_instance *b)
{
    int fds[2];
    struct rc rc = io_channel_pair(fds);
    if (!rc_ok(rc)) {
        // Without this channel the role would wait for ever: it starts again.
        LOG(LOG_ERROR, "no-channel", LOG_WHO(a), LOG_T("why", rc_text(rc)));
        kill(a->pid, SIGKILL);
        return;
    }
    send_peer(a, b, fds[0]);
    send_peer(b, a, fds[1]);
}

void proc_instance_link(struct proc_instance *i)
{
    for (size_t k = 0; i->channel && k < i->master->count; k++) {
        struct proc_instance *other = &i->master->instances[k];
        if (other != i && other->channel && proc_may_talk(i->kind, other->kind))
            link_pair(i, other);
    }
}

static void log_death(const struct proc_instance *i, int status, int64_t pause_us)
{
    bool killed = WIFSIGNALED(status);
    LOG(LOG_ERROR, "role-died", LOG_WHO(i),
        LOG_T("how", killed ? strsignal(WTERMSIG(status)) : "exit"),
        LOG_I("status", killed ? WTERMSIG(status) : WEXITSTATUS(status)),
        LOG_I("again_in_s", pause_us / US_PER_S));
}

void proc_instance_died(struct proc_instance *i, int status)
{
    i->pid = 0;
    io_timer_cancel(i->master->loop, &i->grace);
    io_channel_free(i->channel);
    i->channel = NULL;
    if (i->master->draining) {
        if (!i->drained)
            LOG(LOG_WARN, "role-died-draining", LOG_WHO(i));
        return;
    }
    bool hopeless = WIFEXITED(status) && WEXITSTATUS(status) == PROC_EXIT_CONFIG;
    if (hopeless && !i->master->serving) {
        LOG(LOG_ERROR, "role-cannot-start", LOG_WHO(i));
        proc_drain_begin(i->master, PROC_EXIT_CONFIG);
        return;
    }
    int64_t pause_us = pause_next(i);
    log_death(i, status, pause_us);
    schedule(i, pause_us);
}
