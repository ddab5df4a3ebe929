// The web role. It has sockets, the certificates that it shows there, and knows nothing but
// numbers; what others post passes through it unread.
#include "proc_web.h"

#include <stdlib.h>

struct web {
    struct web_meters *meters;
    struct web_reports *reports;
    unsigned listeners; // generation
};

static void start(struct proc *p)
{
    struct web *w = mem_new(sizeof *w);
    p->data = w;
    w->meters = web_meters_new(p);
    w->reports = web_reports_new(p);
    w->listeners = p->listeners_generation;
    web_meters_listen(w->meters);
    web_reports_configure(w->reports, true);
}

static void reload(struct proc *p)
{
    struct web *w = p->data;
    bool listeners = w->listeners != p->listeners_generation;
    w->listeners = p->listeners_generation;
    if (listeners)
        web_meters_listen(w->meters);
    web_reports_configure(w->reports, listeners);
}

static void drain(struct proc *p)
{
    struct web *w = p->data;
    web_meters_stop(w->meters);
    web_reports_drain(w->reports, proc_drained);
}

static void measure(struct proc *p)
{
    const struct web *w = p->data;
    web_reports_measure(w->reports);
}

const struct proc_role proc_web = {
    .kind = PROC_WEB, .start = start, .reload = reload, .drain = drain, .measure = measure};
