// The syntax of an SPF record (RFC 7208 §4.5, §4.6.1, §5, §6, §7.1), apart from
// its evaluation. Reading a record takes no memory: terms are read one by one
// from its text, which everything here borrows.
#pragma once
#include "dns_answer.h"

enum auth_spf_kind {
    AUTH_SPF_ALL,
    AUTH_SPF_INCLUDE,
    AUTH_SPF_A,
    AUTH_SPF_MX,
    AUTH_SPF_PTR,
    AUTH_SPF_IP4,
    AUTH_SPF_IP6,
    AUTH_SPF_EXISTS,
    AUTH_SPF_REDIRECT, // modifiers from here on
    AUTH_SPF_EXP,
    AUTH_SPF_UNKNOWN, // any other modifier: means nothing to us (§6)
    AUTH_SPF_KINDS
};

struct auth_spf_term {
    enum auth_spf_kind kind;
    char qualifier;             // '+', '-', '~' or '?'; '+' for modifiers
    struct span text;           // the whole term as it stands in the record
    struct span domain;         // domain-spec, unexpanded; empty: none given
    struct dns_address network; // ip4, ip6
    uint8_t prefix4, prefix6;   // 32 and 128 where none is given
};

struct auth_spf_record {
    struct span text;
    size_t terms;
    bool all;                  // an "all" is somewhere: redirect is ignored (§6.1)
    struct span redirect, exp; // domain-specs; empty: no such modifier
    struct span redirect_text; // the whole modifier
};

// Longer than any of use: what is longer is a permerror. The second keeps the
// work that one expansion can make bounded.
enum { AUTH_SPF_TEXT_MAX = 16 << 10, AUTH_SPF_TERM_MAX = 1024 };

// "v=spf1" and a space or the end (§4.5): whether a TXT record counts at all.
bool auth_spf_record_is(struct span text);
// Checks every term. False: a syntax error, *term is where and *why what it is
// (a phrase, static).
bool auth_spf_record_parse(struct auth_spf_record *out, struct span text, struct span *term,
                           const char **why);
// The next term of a record that parsed; begin with *rest empty (.at == NULL).
// False: no more.
bool auth_spf_record_next(const struct auth_spf_record *r, struct span *rest,
                          struct auth_spf_term *out);

// Whether a text is an explain-string (§6.2, §7.1).
bool auth_spf_explain_ok(struct span text);
