#include "proc_master.h"

#include "base_log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_CONFIG = 2 };

// Who answers comes before who asks, the receivers last: the door opens when
// somebody is at home.
static const enum proc_kind order[] = {PROC_STORE,    PROC_RESOLVER, PROC_FETCHER,       PROC_QUEUE,
                                       PROC_SENDER,   PROC_CONTROL,  PROC_AUTHENTICATOR, PROC_WEB,
                                       PROC_REPORTER, PROC_RECEIVER};
enum { KINDS = sizeof order / sizeof *order };

static void log_listening(const struct proc_master *m, const char *event)
{
    CLEANUP(buf_free) struct buf b = BUF(8192);
    for (size_t i = 0; i < m->setup->bound_count; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", SPAN_FMT(m->setup->bound[i].text));
    LOG(LOG_INFO, event, LOG_S("listen", buf_span(&b)),
        LOG_T("tls", m->setup->certificates.count ? "yes" : "no"), LOG_I("processes", m->count));
}

void proc_master_ready(struct proc_master *m)
{
    if (m->serving || m->draining)
        return;
    for (size_t i = 0; i < m->count; i++)
        if (!m->instances[i].ready)
            return;
    m->serving = true;
    log_listening(m, "serving");
}

void proc_master_reap(void *arg)
{
    struct proc_master *m = arg;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < m->count; i++)
            if (m->instances[i].pid == pid) {
                proc_instance_died(&m->instances[i], status);
                break;
            }
    proc_drain_advance(m);
}

static void finish(void *arg)
{
    proc_drain_begin(arg, 0);
}

// What a running server cannot change: the store is open, and belongs to a user.
static struct rc check_reload(const struct proc_setup *old, const struct proc_setup *now,
                              struct conf_fault *fault)
{
    static const enum conf_id fixed[] = {CONF_store_path, CONF_user};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (span_eq(conf_span(old->conf, fixed[i]), conf_span(now->conf, fixed[i])))
            continue;
        snprintf(fault->text, sizeof fault->text,
                 "%s cannot change while the server runs; restart it", conf_options[fixed[i]].name);
        return RC(CONFIG);
    }
    return RC(OK);
}

static void warn_counts(const struct proc_master *m, const struct proc_setup *now)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (proc_setup_count(m->setup, order[k]) != proc_setup_count(now, order[k]))
            LOG(LOG_WARN, "needs-restart", LOG_T("role", proc_kind_text(order[k])),
                LOG_T("why", "another number of processes takes effect at the next start"));
}

// Sessions are many; how many is for smtp.max_sessions to say. Roles inherit the limit.
static int64_t raise_descriptors(int64_t wanted)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r))
        return wanted;
    r.rlim_cur = r.rlim_max;
    if (r.rlim_max < (rlim_t)wanted) // root may go beyond what it was given
        r.rlim_cur = r.rlim_max = (rlim_t)wanted;
    if (setrlimit(RLIMIT_NOFILE, &r) && getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r))
            LOG(LOG_WARN, "descriptors", LOG_T("why", rc_text(rc_errno(errno))));
    }
    return r.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)r.rlim_cur;
}

static void check_descriptors(const struct proc_master *m)
{
    int64_t sessions = conf_int(m->setup->conf, CONF_smtp_max_sessions);
    int64_t wanted = sessions + PROC_DESCRIPTORS_KEPT, is = raise_descriptors(wanted);
    if (is < wanted)
        LOG(LOG_WARN, "descriptors", LOG_I("max_sessions", sessions), LOG_I("open_files", is),
            LOG_T("why", "fewer files may be open than smtp.max_sessions needs: clients beyond "
                         "that get 421; raise the limit (LimitNOFILE= of systemd, ulimit -n)"));
}

static void reload(void *arg)
{
    struct proc_master *m = arg;
    struct proc_setup *now;
    struct conf_fault fault;
    if (m->draining)
        return;
    struct rc rc = proc_setup_new(&now, m->mc, m->setup, &fault);
    if (rc_ok(rc))
        rc = check_reload(m->setup, now, &fault);
    if (!rc_ok(rc)) {
        LOG(LOG_ERROR, "reload-refused", LOG_T("why", fault.text));
        proc_setup_free(now);
        return;
    }
    warn_counts(m, now);
    proc_setup_free(m->setup);
    m->setup = now;
    log_setup("master", (enum log_level)conf_choice(now->conf, CONF_log_level));
    check_descriptors(m);
    proc_master_tls_tell(m);
    for (size_t i = 0; i < m->count; i++) {
        proc_instance_configure(&m->instances[i]);
        proc_instance_send(&m->instances[i], MSG_START, SPAN(""), -1);
    }
    log_listening(m, "reloaded");
}

static void make_instances(struct proc_master *m, const enum proc_kind *kinds, size_t count)
{
    for (size_t k = 0; k < count; k++)
        m->count += proc_setup_count(m->setup, kinds[k]);
    m->instances = mem_new(m->count * sizeof *m->instances);
    struct proc_instance *next = m->instances;
    for (size_t k = 0; k < count; k++)
        for (unsigned n = 0; n < proc_setup_count(m->setup, kinds[k]); n++)
            *next++ = (struct proc_instance){.master = m, .kind = kinds[k], .index = n};
}

// Each is linked with those before it; nobody begins before all are linked.
void proc_master_start(struct proc_master *m, const enum proc_kind *kinds, size_t count)
{
    make_instances(m, kinds, count);
    for (size_t i = 0; i < m->count; i++) {
        proc_instance_spawn(&m->instances[i]);
        proc_instance_link(&m->instances[i]);
    }
    for (size_t i = 0; i < m->count; i++)
        proc_instance_send(&m->instances[i], MSG_START, SPAN(""), -1);
}

static void serve(struct proc_master *m)
{
    static const struct {
        int number;
        void (*got)(void *arg);
    } signals[] = {
        {SIGCHLD, proc_master_reap}, {SIGHUP, reload}, {SIGTERM, finish}, {SIGINT, finish}};
    m->loop = io_loop_new();
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        io_signal(m->loop, signals[i].number, signals[i].got, m);
    proc_master_tls_begin(m);
    proc_master_start(m, order, KINDS);
    proc_master_keys_watch(m);
    proc_master_watch(m);
    io_loop_run(m->loop);
    LOG(LOG_INFO, "stopped");
    for (size_t i = 0; i < m->count; i++)
        io_channel_free(m->instances[i].channel);
    io_loop_free(m->loop);
    free(m->instances);
}

int proc_master_run(const struct proc_master_conf *mc)
{
    struct proc_master m = {.mc = mc};
    struct conf_fault fault;
    umask(077);
    log_setup("master", LOG_INFO);
    if (!rc_ok(proc_setup_new(&m.setup, mc, NULL, &fault))) {
        fprintf(stderr, "geleit: %s\n", fault.text);
        return EXIT_CONFIG;
    }
    log_setup("master", (enum log_level)conf_choice(m.setup->conf, CONF_log_level));
    check_descriptors(&m);
    serve(&m);
    proc_setup_free(m.setup);
    return m.status;
}
