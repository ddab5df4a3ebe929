// The inside of the zone file reader, for its files only.
//
//   dns_zone.c        the tree of names and its answers
//   dns_zone_read.c   entries: directives, owner, time to live, class, type
//   dns_zone_data.c   what stands behind the type
//   dns_zone_words.c  words of an entry, strings and names
#pragma once
#include "dns_zone.h"

struct zone_word {
    struct span text; // as it stands, without the quotes
    bool quoted;
    unsigned line;
};

struct zone_record {
    struct dns_name owner;
    enum dns_type type; // 0: one that is not looked into
    uint32_t ttl;
    unsigned line;
    struct dns_record data;
};

struct dns_zone {
    struct arena arena;
    size_t count, room;
    struct zone_record *records; // in canonical order of owners (RFC 4034 §6.1) once read
};

struct zone_reader {
    struct dns_zone *zone;
    struct dns_zone_fault *fault;
    struct span rest;
    unsigned line;
    // Of the entry.
    bool indented; // it begins with a blank: the owner is the last one
    size_t count;
    struct zone_word *words;
    // In force.
    struct dns_name origin, owner;
    bool owned, foreign; // foreign: by a name that is none here
    uint32_t ttl;
    bool ttl_set;
};

// False, with the fault filled in.
bool zone_fault(struct zone_reader *r, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The words of the next entry, comments and line ends left out. False: the end (no
// words), or a fault.
bool zone_words_next(struct zone_reader *r);
// Escapes undone, appended to `b`; false for what is no string.
bool zone_string(struct buf *b, struct span text);
bool zone_name(struct zone_reader *r, const struct zone_word *w, struct dns_name *out);
// A name of bytes that a dns_name does not hold, written with escapes as it must be.
bool zone_name_foreign(const struct zone_word *w);
bool zone_ttl(struct span text, uint32_t *out);
// Reads `count` words behind a type. 0: a fault.
bool zone_data(struct zone_reader *r, struct zone_record *out, const struct zone_word *words,
               size_t count);
// A type by its mnemonic, or TYPEn; *out 0: known, and not looked into.
bool zone_type(struct span text, enum dns_type *out);
// RFC 4034 §6.1: by labels from the right.
int zone_order(struct span a, struct span b);
