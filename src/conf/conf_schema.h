// Every option there is, once: name, type, bounds, default, unit, the roles
// that get it, one sentence. Parser, printer, documentation, `-o` and the
// sections handed to roles all run from this table.
#pragma once
#include "base_rc.h"
#include "base_span.h"
#include "base_time.h"

enum conf_type {
    CONF_BOOL,
    CONF_INT,      // bounds apply
    CONF_SIZE,     // bytes; "10M", "64k"
    CONF_DURATION, // microseconds inside; "30s", "5m", "2h", "5d"
    CONF_STRING,
    CONF_FILE,   // path; relative ones count from the configuration file's folder
    CONF_CHOICE, // one of `choices`
    CONF_LIST,   // of strings, each checked by `check`
};

// Who gets an option in its section.
enum conf_role {
    CONF_MASTER = 1 << 0,
    CONF_RECEIVER = 1 << 1,
    CONF_STORE = 1 << 2,
    CONF_QUEUE = 1 << 3,
    CONF_SENDER = 1 << 4,
    CONF_RESOLVER = 1 << 5,
    CONF_FETCHER = 1 << 6,
    CONF_CONTROL = 1 << 7,
    CONF_AUTHENTICATOR = 1 << 8,
    CONF_WEB = 1 << 9,
    CONF_REPORTER = 1 << 10,
    CONF_EVERYONE = (1 << 11) - 1,
};

// In `least` of a LIST: its entries end in a file name, behind the last blank; relative
// ones count from the configuration file's folder.
// With 2 every word of it is one.
enum { CONF_LIST_OF_FILES = 1, CONF_LIST_OF_PAIRS = 2 };

struct conf_option {
    const char *name; // "smtp.listen"
    enum conf_type type;
    int64_t least, most;        // INT; SIZE in bytes; DURATION in microseconds
    const char *initial;        // default, as it would be written; lists: comma separated
    const char *const *choices; // CHOICE, NULL-ended
    unsigned roles;
    // NULL: fine; else what is wrong with this value (or list entry).
    const char *(*check)(struct span value);
    const char *sentence;
};
