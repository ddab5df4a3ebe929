// What the master does about TLS while the server runs: new files, new ticket keys,
// dates that come near.
#include "proc_master.h"

#include "base_log.h"

#include <string.h>

static const int64_t day_us = SECONDS(86400);

struct span proc_master_tickets(const struct proc_master *m)
{
    return (struct span){(const char *)m->tls.tickets,
                         m->tls.ticket_count * sizeof *m->tls.tickets};
}

// Half a key at a time is what io_random() gives.
static void fill_random(void *to, size_t size)
{
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t r = io_random();
        span_bytes((char *)to + done, sizeof r, (struct span){(const char *)&r, sizeof r});
    }
}

// The key before is taken for as long again; what it opened is renewed.
static void rotate(struct proc_master *m)
{
    _Static_assert(sizeof *m->tls.tickets % sizeof(uint64_t) == 0, "whole random numbers");
    m->tls.tickets[1] = m->tls.tickets[0];
    fill_random(&m->tls.tickets[0], sizeof m->tls.tickets[0]);
    if (m->tls.ticket_count < IO_TLS_TICKET_KEYS)
        m->tls.ticket_count++;
    m->tls.rotated = io_now(m->loop);
}

// True: what receivers have is not up to date any more.
static bool tickets_look(struct proc_master *m)
{
    int64_t every = conf_int(m->setup->conf, CONF_tls_ticket_rotation);
    bool none = m->tls.ticket_count == 0;
    if (every == 0) {
        explicit_bzero(m->tls.tickets, sizeof m->tls.tickets);
        m->tls.ticket_count = 0;
        return !none;
    }
    if (!none && io_now(m->loop).us - m->tls.rotated.us < every)
        return false;
    rotate(m);
    LOG(LOG_DEBUG, "ticket-key-rotated");
    return true;
}

void proc_master_tls_tell(struct proc_master *m)
{
    m->tls.told = io_now(m->loop);
    proc_certificates_tell(&m->setup->certificates, io_wall(m->loop));
}

void proc_master_tls_begin(struct proc_master *m)
{
    (void)tickets_look(m);
    m->tls.seen = m->setup->certificates.stamp;
    proc_master_tls_tell(m);
}

static bool load(struct proc_master *m)
{
    struct proc_certificates now;
    struct conf_fault fault;
    struct rc rc = proc_certificates_load(&now, m->setup->conf, &m->setup->certificates, &fault);
    if (!rc_ok(rc)) {
        m->setup->certificates.stamp = now.stamp; // what is wrong is said once
        LOG(LOG_ERROR, "certificates-not-loaded", LOG_T("why", fault.text));
        proc_certificates_free(&now);
        return false;
    }
    proc_certificates_free(&m->setup->certificates);
    m->setup->certificates = now;
    LOG(LOG_INFO, "certificates-loaded", LOG_I("certificates", now.count));
    proc_master_tls_tell(m);
    return true;
}

// A certificate and its key are two files, and whoever renews them writes one after
// the other: they are read when nothing has changed since the last look.
static bool files_look(struct proc_master *m)
{
    uint64_t stamp = proc_certificates_stamp(m->setup->conf);
    bool settled = stamp == m->tls.seen;
    m->tls.seen = stamp;
    return settled && stamp != m->setup->certificates.stamp && load(m);
}

bool proc_master_tls_look(struct proc_master *m)
{
    bool tickets = tickets_look(m), files = files_look(m);
    if (io_now(m->loop).us - m->tls.told.us >= day_us)
        proc_master_tls_tell(m);
    return tickets || files;
}
