// JSON as a tree, for tests that read others' vectors. Mistakes in the text panic.
#pragma once
#include "base_arena.h"

struct tree {
    char kind;        // { [ " or the first byte of a literal: n t f, 0 for a number
    struct span key;  // inside an object
    struct span text; // of a string (unescaped), a number or a literal
    struct tree *child, *next;
};

struct tree *tree_read(struct span text, struct arena *a);
// $GELEIT_VECTORS/`path`; NULL where there is no such file.
struct tree *tree_file(const char *path, struct arena *a);
// The whole file as bytes; .at == NULL where there is none.
struct span tree_bytes(const char *path, struct arena *a);
const struct tree *tree_get(const struct tree *t, const char *key); // NULL: not there
struct span tree_text(const struct tree *t, const char *key);       // empty: not there
bool tree_is(const struct tree *t, const char *key, const char *literal);
