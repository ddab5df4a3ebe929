// The words of Authentication-Results: tokens, quoted strings, comments.
#pragma once
#include "base_arena.h"

bool auth_token_fits(struct span s); // RFC 2045 §5.1 token, or UTF-8 (RFC 8616)
bool auth_atoms_fit(struct span s);  // atoms parted by single dots (RFC 5322 §3.2.3)

// A cursor. Each `read` moves behind what it read; where it finds none it moves
// nowhere and gives an empty span (.at == NULL).
struct auth_words {
    struct span rest;
    struct arena *arena;
    struct span comment; // the last one passed
    bool bad;            // a comment or quoted string without end, or no room
};
void auth_words_blank(struct auth_words *w);        // CFWS
bool auth_words_char(struct auth_words *w, char c); // between blanks
struct span auth_words_token(struct auth_words *w);
struct span auth_words_keyword(struct auth_words *w);  // letters, digits, hyphens
struct span auth_words_value(struct auth_words *w);    // token or quoted string
struct span auth_words_property(struct auth_words *w); // pvalue (RFC 8601 §2.2)
