// What the parts of the control role share. A *client* is a connection at the
// local door, let in by SO_PEERCRED; a *job* is one request of it, answered once.
// A client that leaves does not end its jobs: they end by themselves, unheard.
#pragma once
#include "proc_control_request.h"
#include "proc_link.h"
#include "proc_plans.h"

struct control;
struct control_client;
struct control_job {
    struct control_job *next;
    struct control *control;
    struct control_client *client; // NULL: it left
    bool left;
    uint32_t ticket;
    struct control_request request; // its spans are in `arena`
    struct arena arena;
    void *data; // the verb's own
};
// Each answers and frees the job.
void control_tell(struct control_job *j, const struct control_answer *a);
void control_refuse(struct control_job *j, enum control_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// ---- probes: connections that stop after EHLO ----
struct probe_end {
    enum trust_decision decision;
    const char *status;
    struct span reason;        // one sentence
    const struct span *probes; // JSON, one for each host; .at NULL: not tried
};
typedef void (*probe_done)(void *arg, const struct probe_end *end);
// Walks the plan's hosts as a delivery would, and on to the rest of them after one
// that would take the message. `plan` stays until `done`. *stop is looked at
// between connections.
void probe_start(struct control *c, const struct trust_plan *plan, struct trust_need need,
                 const bool *stop, probe_done done, void *arg);
extern const struct link_user probe_links;
#define PROBE_PATIENCE SECONDS(30) // for a connection; somebody sits and waits

// ---- the watch over DKIM keys ----
struct control_keys;
struct control_keys *control_keys_new(struct control *c); // lives as long as the role
void control_keys_soon(struct control_keys *w);           // after a reload

struct control {
    struct proc *proc;
    struct outbound out;
    struct plans *plans;
    struct links links;
    struct control_keys *keys;
    struct io_listener *listener;
    struct control_client *clients;
    size_t client_count;
};

// The verbs.
void control_explain(struct control_job *j);
void control_queue_list(struct control_job *j);
void control_queue_show(struct control_job *j);
void control_queue_change(struct control_job *j);
void control_policy_list(struct control_job *j);
void control_policy_show(struct control_job *j);
void control_policy_refresh(struct control_job *j);
void control_dns(struct control_job *j);
void control_report_preview(struct control_job *j);
void control_report_send(struct control_job *j);
void control_report_list(struct control_job *j);
void control_report_week(struct control_job *j);
void control_report_take(struct control_job *j);
void control_report_get(struct control_job *j);
// With -o the asker may mean another configuration than the server's: false, and
// the job has been told so and is gone.
bool control_same_section(struct control_job *j);
