#include "proc_client.h"

#include "base_log.h"
#include "proc_door.h"
#include "proc_master.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct proc_client {
    struct io_loop *loop;
    struct io_channel *channel; // NULL: closed
    uint32_t ticket;
    bool told, overdue;
    struct buf payload; // of the last answer
    struct io_timer limit;
    struct proc_master *master; // of a private server; else NULL
};

static char why_text[1024];

static const char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *say(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why_text, sizeof why_text, format, ap);
    va_end(ap);
    return why_text;
}

static bool got(void *arg, struct io_message *m)
{
    struct proc_client *c = arg;
    if (m->kind != MSG_TOLD)
        return false;
    if (m->ticket != c->ticket)
        return true; // of a question nobody waits for any more
    buf_clear(&c->payload);
    buf_put(&c->payload, m->payload);
    c->told = true;
    return true;
}

static void closed(void *arg)
{
    struct proc_client *c = arg;
    io_channel_free(c->channel);
    c->channel = NULL;
}

static struct proc_client *client_new(void)
{
    struct proc_client *c = mem_new(sizeof *c);
    *c = (struct proc_client){.loop = io_loop_new(), .payload = BUF(IO_MESSAGE_MAX)};
    return c;
}

struct rc proc_client_open(struct proc_client **out, const struct conf *conf, const char **why)
{
    CLEANUP(buf_free) struct buf path = BUF(4096);
    *out = NULL;
    proc_door_path(conf, &path);
    int fd = proc_door_connect(buf_span(&path));
    if (fd < 0 && (errno == EACCES || errno == EPERM)) {
        *why = say("%s: you may not ask the server here (permission denied)", buf_str(&path));
        return RC(DENIED);
    }
    if (fd < 0) {
        *why = say("no server answers at %s (%s)", buf_str(&path), strerror(errno));
        return RC(UNAVAILABLE);
    }
    *out = client_new();
    (*out)->channel = io_channel_new((*out)->loop, fd, got, closed, *out);
    return RC(OK);
}

// ---- a private server ----

static struct rc private_start(struct proc_client *c, const char **why)
{
    static const enum proc_kind kinds[] = {PROC_RESOLVER, PROC_FETCHER, PROC_CONTROL};
    struct proc_master *m = c->master;
    m->loop = c->loop;
    io_signal(m->loop, SIGCHLD, proc_master_reap, m);
    proc_master_start(m, kinds, sizeof kinds / sizeof *kinds);
    int fd = proc_door_connect(m->setup->door.text);
    if (fd < 0) {
        *why = say("a resolver of its own cannot be asked: %s", strerror(errno));
        return rc_errno(errno);
    }
    c->channel = io_channel_new(c->loop, fd, got, closed, c);
    return RC(OK);
}

struct rc proc_client_private(struct proc_client **out, const struct proc_master_conf *mc,
                              const char **why)
{
    struct conf_fault fault;
    struct conf *conf;
    *out = NULL;
    log_setup("explain", LOG_ERROR);
    struct rc rc = proc_conf_load(mc, &conf, &fault);
    // Its roles speak up for what goes wrong only.
    if (rc_ok(rc) && conf_choice(conf, CONF_log_level) == LOG_INFO)
        rc = conf_override(conf, SPAN("log.level=error"), &fault);
    if (!rc_ok(rc)) {
        *why = say("%s", fault.text);
        return rc;
    }
    struct proc_client *c = client_new();
    c->master = mem_new(sizeof *c->master);
    rc = proc_setup_private(&c->master->setup, conf, &fault);
    if (rc_ok(rc))
        rc = private_start(c, why);
    else
        *why = say("%s", fault.text);
    if (rc_ok(rc))
        *out = c;
    else
        proc_client_close(c);
    return rc;
}

static void private_end(struct proc_master *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct proc_instance *one = &m->instances[i];
        io_timer_cancel(m->loop, &one->again);
        io_timer_cancel(m->loop, &one->grace);
        if (one->pid && kill(one->pid, SIGKILL) == 0)
            waitpid(one->pid, NULL, 0);
        io_channel_free(one->channel);
    }
    io_timer_cancel(m->loop, &m->limit);
    free(m->instances);
    proc_setup_free(m->setup);
    free(m);
}

void proc_client_close(struct proc_client *c)
{
    if (!c)
        return;
    io_channel_free(c->channel);
    io_timer_cancel(c->loop, &c->limit);
    if (c->master)
        private_end(c->master);
    io_loop_free(c->loop);
    buf_free(&c->payload);
    free(c);
}

// ---- questions ----

static void overdue(void *arg)
{
    struct proc_client *c = arg;
    c->overdue = true;
}

// A private server whose role cannot work has said so itself, and drains.
static bool goes_on(const struct proc_client *c)
{
    return !c->told && !c->overdue && c->channel && !(c->master && c->master->draining);
}

struct rc proc_client_ask(struct proc_client *c, const struct control_request *q,
                          struct control_answer *out, int64_t patience_us)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    if (!c->channel)
        return RC(CLOSED);
    control_request_pack(&b, q);
    c->told = c->overdue = false;
    c->limit = (struct io_timer){.node = c->limit.node, .fire = overdue, .arg = c};
    io_timer_set(c->loop, &c->limit, (struct mono){io_now(c->loop).us + patience_us});
    io_channel_send(c->channel, MSG_CONTROL, ++c->ticket, buf_span(&b), -1);
    while (goes_on(c))
        io_loop_turn(c->loop, true);
    io_timer_cancel(c->loop, &c->limit);
    if (!c->told)
        return c->overdue                         ? RC(TIMEOUT)
               : c->master && c->master->draining ? RC(CONFIG)
                                                  : RC(CLOSED);
    struct rd r = RD(buf_span(&c->payload));
    return control_answer_unpack(&r, out) ? RC(OK) : RC(MALFORMED);
}
