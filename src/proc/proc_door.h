// The local door: the Unix socket that commands reach a running server by. The
// master binds it, control listens on it, the command line connects to it.
#pragma once
#include "proc_setup.h"

// control.socket, or control.sock in store.path.
void proc_door_path(const struct conf *c, struct buf *path);
// Into s->door; a door that stays where it was is taken from `old`.
struct rc proc_door_bind(struct proc_setup *s, const struct proc_setup *old,
                         struct conf_fault *fault);
// A connected, non-blocking socket; else -1 and errno. The text is that of a door.
int proc_door_connect(struct span text);
