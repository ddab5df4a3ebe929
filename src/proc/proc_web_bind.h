// The sockets of the web role, bound by the master. One that cannot be had is said in a
// sentence, and mail goes on without it: neither the page of metrics nor the reports of
// others, who try again and mostly know an address for mail too, are worth a server that
// does not start. A reload tries again.
#pragma once
#include "proc_setup.h"

void proc_web_bind(struct proc_setup *s, const struct proc_setup *old); // into s->web
