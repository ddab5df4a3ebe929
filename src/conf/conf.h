// A configuration: checked whole, frozen, swapped whole. Text comes in, files
// are opened by the caller.
#pragma once
#include "base_wire.h"
#include "conf_schema.h"

// The options by name: conf_int(c, CONF_smtp_max_size). See conf_options.h for the table.
enum conf_id {
#define X(id, ...) CONF_##id,
#include "conf_options.h"
#undef X
    CONF_OPTIONS
};
extern const struct conf_option conf_options[CONF_OPTIONS];

struct conf;
// One problem, for people: "geleit.conf:12: unknown option 'smtp.lisen'; did you
// mean 'smtp.listen'?"
struct conf_fault {
    char text[512];
};

// CONFIG, with that sentence.
struct rc conf_fault_say(struct conf_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct conf *conf_new(void); // all defaults
void conf_free(struct conf *c);
// Reads a file's text over what is set. `where` names it in faults, `folder` is
// what relative paths count from. CONFIG and *fault for anything not right.
struct rc conf_read(struct conf *c, struct span text, const char *where, const char *folder,
                    struct conf_fault *fault);
// "-o NAME=VALUE"; lists: comma separated.
struct rc conf_override(struct conf *c, struct span assignment, struct conf_fault *fault);
// What no single option can know: combinations.
struct rc conf_check(const struct conf *c, struct conf_fault *fault);

bool conf_bool(const struct conf *c, enum conf_id id);
int64_t conf_int(const struct conf *c, enum conf_id id);      // INT, SIZE, DURATION
struct span conf_span(const struct conf *c, enum conf_id id); // STRING, FILE, CHOICE
unsigned conf_choice(const struct conf *c, enum conf_id id);  // index in choices
size_t conf_count(const struct conf *c, enum conf_id id);     // LIST
struct span conf_item(const struct conf *c, enum conf_id id, size_t i);

// The section of one role, and back. Unpacking a foreign or damaged section is false.
void conf_pack(struct buf *b, const struct conf *c, unsigned role);
bool conf_unpack(struct rd *r, struct conf **out);

// As a file that conf_read takes, with the sentences as comments and the
// defaults marked; `json`: one object, names to values.
void conf_print(struct buf *b, const struct conf *c);
void conf_print_json(struct buf *b, const struct conf *c);
