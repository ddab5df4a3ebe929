// The inside of an evaluation, for its two files.
#pragma once
#include "proc_receiver_auth.h"

// As auth.spf and auth.dmarc have them.
enum spf_rule { SPF_RULE_NOTE, SPF_RULE_REJECT };
enum dmarc_rule { DMARC_RULE_IGNORE, DMARC_RULE_NOTE, DMARC_RULE_ENFORCE };
enum from_rule { FROM_RULE_NOTE, FROM_RULE_AMBIGUOUS, FROM_RULE_STRICT };
enum { QUARANTINE_HEADER, QUARANTINE_HOLD };

struct known_names { // from a list of the configuration
    struct dns_name *at;
    size_t count;
};

struct receiver_rules {
    unsigned users;
    bool relayed;
    enum spf_rule spf;
    enum dmarc_rule dmarc;
    enum from_rule from;
    bool hold; // what is quarantined
    int64_t timeout;
    unsigned signatures_max, rsa_bits_min;
    struct networks *forwarders;
    struct known_names sealers, lists, exempt;
    struct dns_name host;
    struct buf id;
};

struct receiver_auth {
    struct proc *proc;
    struct receiver_rules *rules;
    struct arena texts;
    struct span helo, sender;
    struct dns_address client;
    struct buf client_text;
    bool trusted;         // one of auth.trusted_forwarders
    struct span believed; // its authserv-id, if it is one of auth.trusted_results
    struct auth_message *machine;
    const struct auth_message_result *result; // NULL: under way
    struct question *open;
    struct io_timer timer;
    bool late;
    void (*done)(void *arg);
    void *arg;
};
