// The command line: one table of commands, each with its usage, its sentence and
// its function; help, errors and the reading of options all run from it.
#pragma once
#include "admin.h"
#include "proc_serve.h"

// Exit statuses, a contract (the same for every command).
enum { ADMIN_DONE = 0, ADMIN_NEGATIVE = 1, ADMIN_USAGE = 2, ADMIN_LATER = 75 };
enum { ADMIN_FLAGS_MAX = 16 };

// An option of one command, besides -c, -o, --json and --help.
struct admin_flag {
    const char *name;     // "--probe"
    const char *value;    // what it takes, "N"; NULL: nothing
    const char *sentence; // NULL: not shown
};

struct admin_call;
struct admin_command {
    const char *name;
    const char *words; // what it takes besides options: "ADDRESS"; "" for nothing
    unsigned least, most;
    const char *sentence;
    bool json; // knows --json
    const struct admin_flag *flags;
    unsigned flag_count;
    int (*run)(const struct admin_call *call);
};

struct admin_call {
    const struct admin_command *command;
    const char *path; // of -c; NULL: not given
    const char **overrides;
    unsigned override_count;
    const char **words;
    unsigned word_count;
    const char *flags[ADMIN_FLAGS_MAX]; // value, or "" for a flag that is just there; NULL: absent
    bool json, help;
};

extern const struct admin_command admin_commands[];
extern const size_t admin_command_count;
const struct admin_command *admin_find(const char *name);
const char *admin_nearest(const char *name); // NULL: nothing near

// Fills the call; false: it has complained on standard error.
bool admin_args(struct admin_call *call, int argc, char **argv);
void admin_args_free(struct admin_call *call);

// One sentence on standard error; returns ADMIN_USAGE.
void admin_put_harmless(struct buf *b, struct span text); // what steers a terminal is '?'
int admin_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Writes to standard output; the exit status.
int admin_print(const struct buf *b);
bool admin_colour(void); // standard output is a terminal that wants it (NO_COLOR)

// The file of -c, or the default one if it is there; else defaults. The strings
// are the call's.
enum { ADMIN_NO_FILE, ADMIN_GIVEN_FILE, ADMIN_DEFAULT_FILE };
#define ADMIN_FILE "/etc/geleit/geleit.conf"
int admin_conf_source(const struct admin_call *call, struct proc_master_conf *mc);

int admin_explain(const struct admin_call *call);
int admin_queue(const struct admin_call *call);
int admin_policy(const struct admin_call *call);
int admin_keys(const struct admin_call *call);
int admin_serve(const struct admin_call *call);
int admin_spf(const struct admin_call *call);
int admin_verify(const struct admin_call *call);
int admin_user(const struct admin_call *call);
int admin_report(const struct admin_call *call);
int admin_config(const struct admin_call *call);
int admin_help(const struct admin_call *call);
int admin_version(const struct admin_call *call);
