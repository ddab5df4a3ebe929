// Inside the room: how a configuration holds its values, and the way of one
// value from text to there and back.
#pragma once
#include "base_arena.h"
#include "conf.h"

enum { CONF_CEILING = 16 << 20, CONF_ITEMS_MAX = 65535 };

struct conf_value {
    bool here;          // false: not in this role's section
    bool set;           // by a file or -o; else it is the default
    int64_t number;     // BOOL, INT, SIZE, DURATION; CHOICE: the index
    struct span text;   // STRING, FILE, CHOICE
    struct span *items; // LIST
    size_t count;
    const char *where; // of the line that set it
    int line;
};

struct conf {
    struct arena arena;
    struct conf_value values[CONF_OPTIONS];
};

// Where something was said, and where to complain about it.
struct conf_at {
    const char *where;
    int line; // 0: none
    struct conf_fault *fault;
};
// Writes "WHERE:LINE: ..." and returns CONFIG.
struct rc conf_complain(const struct conf_at *at, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *const *conf_type_words(enum conf_type type); // [0] "a number", [1] how to write one
bool conf_find(struct span name, enum conf_id *out);
// What the writer of an unknown name may have meant; NULL: nothing near.
const char *conf_nearest(struct span name);

// Each checks type, bounds and form, and sets the option; `text` is copied.
struct rc conf_set_text(struct conf *c, enum conf_id id, struct span text,
                        const struct conf_at *at);
struct rc conf_set_number(struct conf *c, enum conf_id id, int64_t n, const struct conf_at *at);
struct rc conf_set_items(struct conf *c, enum conf_id id, const struct span *items, size_t count,
                         const struct conf_at *at);

bool conf_parse_number(enum conf_type type, struct span text, int64_t *out);
void conf_put_number(struct buf *b, enum conf_type type, int64_t n); // "50M", "5m", "true"

// Makes a file's text fit for libconfig, in place; says what it must not hold.
struct rc conf_text_prepare(struct buf *text, const struct conf_at *at);
void conf_fault_tame(struct conf_fault *fault); // no bytes that a terminal could choke on
