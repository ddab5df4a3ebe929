// What the parts of the sender role share. A *delivery* is one job: a message
// and its recipients in one domain. It gets a plan (proc_plans.h), walks
// its hosts over *links* (proc_link.h: one connection each, kept open for
// the next message), and reports its outcome to the store.
#pragma once
#include "proc_link.h"
#include "proc_plans.h"
#include "proc_segments.h"

struct sender;
struct delivery;

// ---- deliveries ----
void delivery_start(struct sender *s, uint64_t job, uint64_t message, struct span domain);
extern const struct link_user delivery_links;
void deliveries_busy(struct sender *s, struct buf *b);

struct sender {
    struct proc *proc;
    struct outbound out;
    struct plans *plans;
    struct proc_segments *segments;
    struct links links;
    struct delivery *deliveries;
    struct io_timer refresh;
    bool mailbox_down; // the mailbox server did not answer the last time
};
void sender_idle(struct sender *s); // a delivery ended: drained now?
