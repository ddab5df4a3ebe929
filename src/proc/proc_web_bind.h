// The sockets of the web role, bound by the master. They are a convenience: one that
// cannot be had is said in a sentence, and mail goes on without it.
#pragma once
#include "proc_setup.h"

void proc_web_bind(struct proc_setup *s, const struct proc_setup *old); // into s->web
