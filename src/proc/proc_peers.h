// Who may talk to whom: the one table of the security architecture. The master
// makes a socketpair for each line and each pair of instances, and for no other.
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum proc_kind {
    PROC_MASTER,
    PROC_RECEIVER,
    PROC_STORE,
    PROC_QUEUE,
    PROC_SENDER,
    PROC_RESOLVER,
    PROC_FETCHER,
    PROC_CONTROL,
    PROC_AUTHENTICATOR,
    PROC_WEB,
    PROC_REPORTER,
    PROC_KINDS
};
const char *proc_kind_text(enum proc_kind k); // "receiver"
bool proc_kind_parse(enum proc_kind *out, const char *text);
unsigned proc_kind_conf(enum proc_kind k); // its bit in conf_schema.h

// What a socket of the web role is for.
enum proc_web_door { PROC_WEB_METRICS, PROC_WEB_REPORTS };

struct proc_pair {
    enum proc_kind asks, answers;
    const char *about; // what passes between them, for people
};
extern const struct proc_pair proc_peers[];
extern const size_t proc_peers_count;
bool proc_may_talk(enum proc_kind a, enum proc_kind b);
