// The file of users on disk (sasl_users.h has its form): for the authenticator, who
// follows its changes, and for the command that makes them.
#pragma once
#include "conf.h"
#include "sasl_users.h"

enum { PROC_USERS_MAX = 256 << 20 }; // bytes

// users.file, or "users" in store.path.
void proc_users_path(const struct conf *c, struct buf *path);

struct proc_users; // as it was last readable
struct proc_users *proc_users_new(const struct conf *c);
void proc_users_free(struct proc_users *u); // NULL: nothing
// The table, read again where the file has changed; no file is no users. A file
// that cannot be read is said on the log, once, and what was known stays. NULL:
// nothing was ever known. *changed (NULL: never mind): another table than before.
const struct sasl_users *proc_users_now(struct proc_users *u, bool *changed);

// A change: lock, read, check; then the new text, whole or not at all (mode 0600,
// the owner stays; a new file is of `user`, or of whom the folder belongs to).
struct proc_users_edit {
    struct buf path, text; // text: as it is; wiped
    int lock;
    struct sasl_users *users;
};
struct rc proc_users_edit(struct proc_users_edit *e, const struct conf *c, bool change,
                          struct conf_fault *fault);
struct rc proc_users_save(struct proc_users_edit *e, const struct conf *c, struct span text,
                          struct conf_fault *fault);
void proc_users_edit_end(struct proc_users_edit *e); // for CLEANUP
