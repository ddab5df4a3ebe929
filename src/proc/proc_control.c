// The control role: the local door. It lets in root, the user it runs as and a
// configured group, takes their requests and answers each once.
#include "proc_control.h"

#include "base_log.h"

#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// Beyond CLIENTS_MAX there is still room for those who are told so.
enum {
    CLIENTS_MAX = 64,
    TURNED_AWAY_MAX = 192,
    JOBS_MAX = 16,
    JOB_ROOM = 2 << 20,
    GROUPS_MAX = 256
};

struct control_client {
    struct control_client *next, *previous;
    struct control *control;
    struct io_channel *channel;
    struct control_job *jobs;
    unsigned job_count;
    bool too_many;
};

// ---- jobs ----

static void job_free(struct control_job *j)
{
    if (j->client) {
        struct control_job **at = &j->client->jobs;
        while (*at != j)
            at = &(*at)->next;
        *at = j->next;
        j->client->job_count--;
    }
    arena_free(&j->arena);
    free(j);
}

void control_tell(struct control_job *j, const struct control_answer *a)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    control_answer_pack(&b, a);
    if (!rc_ok(buf_state(&b))) {
        buf_clear(&b);
        control_answer_pack(
            &b, &(struct control_answer){.result = CONTROL_LATER,
                                         .sentence = SPAN("the answer is too large to be told")});
    }
    if (j->client)
        io_channel_send(j->client->channel, MSG_TOLD, j->ticket, buf_span(&b), -1);
    job_free(j);
}

void control_refuse(struct control_job *j, enum control_result result, const char *format, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    control_tell(j, &(struct control_answer){.result = result, .sentence = span_str(text)});
}

static void (*const verbs[CONTROL_VERBS])(struct control_job *j) = {
    [CONTROL_EXPLAIN] = control_explain,
    [CONTROL_QUEUE_LIST] = control_queue_list,
    [CONTROL_QUEUE_SHOW] = control_queue_show,
    [CONTROL_QUEUE_RETRY] = control_queue_change,
    [CONTROL_QUEUE_HOLD] = control_queue_change,
    [CONTROL_QUEUE_RELEASE] = control_queue_change,
    [CONTROL_QUEUE_DELETE] = control_queue_change,
    [CONTROL_POLICY_LIST] = control_policy_list,
    [CONTROL_POLICY_SHOW] = control_policy_show,
    [CONTROL_POLICY_REFRESH] = control_policy_refresh,
    [CONTROL_REPORT_PREVIEW] = control_report_preview,
    [CONTROL_REPORT_SEND] = control_report_send,
    [CONTROL_REPORT_LIST] = control_report_list,
    [CONTROL_REPORT_WEEK] = control_report_week,
    [CONTROL_REPORT_TAKE] = control_report_take,
    [CONTROL_REPORT_GET] = control_report_get,
    [CONTROL_REPORT_ASIDE] = control_report_list,
    [CONTROL_REPORT_ASIDE_BYTES] = control_report_get,
    [CONTROL_DNS] = control_dns,
};

static bool request(void *arg, struct io_message *m)
{
    struct control_client *c = arg;
    struct control_request q;
    struct rd r = RD(m->payload);
    if (m->kind != MSG_CONTROL || !control_request_unpack(&r, &q) || c->job_count >= JOBS_MAX)
        return false;
    struct control_job *j = mem_new(sizeof *j);
    *j = (struct control_job){.next = c->jobs,
                              .control = c->control,
                              .client = c,
                              .ticket = m->ticket,
                              .request = q,
                              .arena = ARENA(JOB_ROOM)};
    c->jobs = j;
    c->job_count++;
    j->request.word = arena_dup(&j->arena, q.word);
    j->request.section = arena_dup(&j->arena, q.section);
    j->request.questions = arena_dup(&j->arena, q.questions);
    if (!j->request.word.at || !j->request.section.at || !j->request.questions.at)
        control_refuse(j, CONTROL_WRONG, "the request is too large");
    else if (c->too_many)
        control_refuse(j, CONTROL_LATER, "the server has too many commands to answer at once");
    else
        verbs[q.verb](j);
    return true;
}

// ---- clients ----

static void client_free(struct control_client *c)
{
    struct control *control = c->control;
    for (struct control_job *j = c->jobs; j; j = j->next) {
        j->client = NULL;
        j->left = true;
    }
    io_channel_free(c->channel);
    if (c->previous)
        c->previous->next = c->next;
    else
        control->clients = c->next;
    if (c->next)
        c->next->previous = c->previous;
    control->client_count--;
    free(c);
}

static void closed(void *arg)
{
    client_free(arg);
}

static bool in_group(int fd, const struct ucred *who, gid_t gid)
{
    gid_t groups[GROUPS_MAX];
    socklen_t len = sizeof groups;
    if (who->gid == gid)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
        return false;
    for (size_t i = 0; i < len / sizeof *groups; i++)
        if (groups[i] == gid)
            return true;
    return false;
}

static bool may_enter(const struct control *c, int fd, struct ucred *who)
{
    char name[256];
    socklen_t len = sizeof *who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &len))
        return false;
    if (who->uid == 0 || who->uid == geteuid())
        return true;
    struct span group = conf_span(c->proc->conf, CONF_control_group);
    if (!group.len || !span_copy(name, sizeof name, group))
        return false;
    const struct group *g = getgrnam(name);
    return g && in_group(fd, who, g->gr_gid);
}

static void accepted(void *arg, int fd, const struct io_endpoint *peer)
{
    struct control *c = arg;
    struct ucred who = {.uid = (uid_t)-1};
    (void)peer;
    bool full = c->client_count >= CLIENTS_MAX + TURNED_AWAY_MAX;
    if (full || !may_enter(c, fd, &who)) {
        LOG(LOG_WARN, "control-refused", LOG_T("why", full ? "too many clients" : "not permitted"),
            LOG_I("uid", who.uid));
        close(fd);
        return;
    }
    struct control_client *one = mem_new(sizeof *one);
    *one = (struct control_client){
        .next = c->clients, .control = c, .too_many = c->client_count >= CLIENTS_MAX};
    if (c->clients)
        c->clients->previous = one;
    c->clients = one;
    c->client_count++;
    one->channel = io_channel_new(c->proc->loop, fd, request, closed, one);
}

// ---- the role ----

static void listen_door(struct control *c)
{
    io_listener_free(c->listener);
    c->listener = NULL;
    for (size_t i = 0; i < c->proc->listener_count; i++) {
        if (i == 0)
            c->listener = io_listener_new(c->proc->loop, c->proc->listeners[i].fd, accepted, c);
        else
            close(c->proc->listeners[i].fd);
    }
}

static void start(struct proc *p)
{
    struct control *c = mem_new(sizeof *c);
    c->proc = c->out.proc = p;
    c->links = (struct links){.out = &c->out, .user = &probe_links, .most_us = PROBE_PATIENCE};
    p->data = c;
    if (!outbound_configure(&c->out)) {
        proc_fail(p);
        return;
    }
    c->plans = plans_new(&c->out);
    c->keys = control_keys_new(c);
    listen_door(c);
}

static void reload(struct proc *p)
{
    struct control *c = p->data;
    outbound_configure(&c->out); // or what was there before stays
    plans_forget(c->plans);
    control_keys_soon(c->keys);
    listen_door(c);
}

// Nobody's mail hangs on what is under way here.
static void drain(struct proc *p)
{
    struct control *c = p->data;
    io_listener_free(c->listener);
    c->listener = NULL;
    proc_drained(p);
}

const struct proc_role proc_control = {
    .kind = PROC_CONTROL, .start = start, .reload = reload, .drain = drain};
