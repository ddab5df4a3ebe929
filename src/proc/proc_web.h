// The two things the web role does: a page of metrics, in clear text (proc_web_meters.c), and
// a place where others post their reports, by HTTPS (proc_web_reports.c).
#pragma once
#include "http_server.h"
#include "proc_role.h"

struct web_meters;
struct web_meters *web_meters_new(struct proc *p); // lasts as long as the process
void web_meters_stop(struct web_meters *w);        // answers to what it asked may still come
// Sockets of p->listeners that are for it, in the place of those before.
void web_meters_listen(struct web_meters *w);

struct web_reports;
struct web_reports *web_reports_new(struct proc *p); // lasts as long as the process
// Takes nothing more, waits a moment for the answers that are on their way, and calls.
void web_reports_drain(struct web_reports *w, void (*drained)(struct proc *p));
// As p->conf, p->tls and, if they are new, p->listeners have it; connections stay.
void web_reports_configure(struct web_reports *w, bool listeners);
void web_reports_measure(const struct web_reports *w);
