// Conversations written down in Markdown, replayed against a machine at every
// chunk size. See README.md for the language.
#pragma once
#include "base_buf.h"
#include "base_time.h"

struct talk_block {
    unsigned line;          // where its text begins
    struct span kind, text; // text: raw lines, '\n' ends
};

struct talk {
    size_t chunk; // bytes handed over at a time; SIZE_MAX: whole
    struct mono now;
    bool failed;
    struct buf why;    // first failure
    unsigned line;     // of the block being replayed
    struct buf in;     // fed, not taken yet
    struct buf out;    // said by the machine, not expected yet
    struct buf events; // steps of the machine, one a line, not expected yet
    bool watched;      // events are checked in this file
    bool closed;
};

struct talk_side {
    const char *name;
    void *(*start)(struct talk *t, struct span setup);
    // Hands the machine what is in t->in and does what it wants, until it waits.
    void (*pump)(void *side);
    void (*tick)(void *side, struct mono now);
    struct mono (*deadline)(void *side);
    const char *hear; // kind of block fed to the machine
    const char *say;  // kind of block it is expected to say
    // Blocks of its own; false: no such kind.
    bool (*block)(void *side, const struct talk_block *b);
    void (*free)(void *side);
};

extern const struct talk_side talk_server, talk_client;

void talk_fail(struct talk *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A raw line of a block as bytes, with CRLF unless it ends in a backslash.
void talk_expand(struct talk *t, struct buf *out, struct span line);
void talk_expand_all(struct talk *t, struct buf *out, struct span text);
// Compares and clears what was gathered, line by line ("…" ends a line early).
void talk_expect(struct talk *t, struct buf *got, struct span text, bool crlf);
// "value" of the first line "key value" in a setup; .at == NULL: none.
struct span talk_setting(struct span setup, const char *key);
uint64_t talk_number(struct span setup, const char *key, uint64_t otherwise);
int64_t talk_duration(struct span text); // "5m", "30s", "1h"; 0: none
// "250 2.1.5 text", borrowed.
bool talk_reply(struct span text, unsigned *code, struct span *status, struct span *rest);
