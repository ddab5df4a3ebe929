// What the store has and cannot read: the queue would ask for it every minute, for ever.
// It is read again after a minute, and each time after twice as long, up to an hour.
// Forgotten with the process: then it is read once more.
#include "proc_store.h"

#include "base_log.h"

enum { KEPT_MOST = 1024 };
static const int64_t first_us = SECONDS(60), longest_us = SECONDS(3600);

struct damaged {
    uint64_t message, domain; // domain: its hash
    int64_t wait_us;
    struct mono again;
};

static struct damaged *find(struct store_role *r, uint64_t message, struct span domain)
{
    uint64_t hash = span_ihash(domain);
    for (size_t i = 0; i < r->damaged_count; i++)
        if (r->damaged[i].message == message && r->damaged[i].domain == hash)
            return &r->damaged[i];
    return NULL;
}

// A thousand are a broken disk: who was not asked for the longest makes room.
static struct damaged *add(struct store_role *r)
{
    if (!r->damaged)
        r->damaged = mem_new(KEPT_MOST * sizeof *r->damaged);
    if (r->damaged_count < KEPT_MOST)
        return &r->damaged[r->damaged_count++];
    struct damaged *oldest = r->damaged;
    for (size_t i = 1; i < KEPT_MOST; i++)
        if (r->damaged[i].again.us < oldest->again.us)
            oldest = &r->damaged[i];
    return oldest;
}

bool proc_damaged_waits(struct store_role *r, uint64_t message, struct span domain)
{
    const struct damaged *d = find(r, message, domain);
    int64_t left = d ? d->again.us - io_now(r->proc->loop).us : 0;
    if (left <= 0)
        return false;
    struct wall due = {io_wall(r->proc->loop).us + left};
    proc_due_tell(r, &(struct store_due){.message = message, .domain = domain, .due = due});
    return true;
}

static int64_t note(struct store_role *r, uint64_t message, struct span domain)
{
    struct damaged *d = find(r, message, domain);
    int64_t wait = d ? 2 * d->wait_us : first_us;
    if (!d)
        d = add(r);
    *d = (struct damaged){.message = message,
                          .domain = span_ihash(domain),
                          .wait_us = wait < longest_us ? wait : longest_us};
    d->again.us = io_now(r->proc->loop).us + d->wait_us;
    return d->wait_us;
}

void proc_damaged_saw(struct store_role *r, uint64_t message, struct span domain, struct rc rc)
{
    struct damaged *d = find(r, message, domain);
    if (rc_ok(rc) || rc.code == RC_NOT_FOUND) {
        if (d)
            *d = r->damaged[--r->damaged_count];
    } else if (rc_retry(rc)) {
        if (r->store) // else it was said what is wrong with it
            LOG(LOG_ERROR, "message-not-loaded", LOG_T("id", proc_id_text(message)),
                LOG_T("error", rc_text(rc)));
    } else {
        int64_t wait = note(r, message, domain);
        LOG(LOG_ERROR, "message-not-loaded", LOG_T("id", proc_id_text(message)),
            LOG_S("domain", domain), LOG_T("error", rc_text(rc)),
            LOG_I("again_in_s", wait / US_PER_S),
            LOG_T("why", "what the queue has of it cannot be read; it stays there until it can, "
                         "or until 'geleit queue delete'"));
    }
}

void proc_damaged_forget(struct store_role *r)
{
    r->damaged_count = 0;
}
