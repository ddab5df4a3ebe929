// The inside of an evaluation, for its two files.
#pragma once
#include "proc_receiver_auth.h"

// As auth.spf and auth.dmarc have them.
enum spf_rule { SPF_RULE_NOTE, SPF_RULE_REJECT };
enum dmarc_rule { DMARC_RULE_IGNORE, DMARC_RULE_NOTE, DMARC_RULE_ENFORCE };

struct receiver_rules {
    unsigned users;
    bool relayed;
    enum spf_rule spf;
    enum dmarc_rule dmarc;
    int64_t timeout;
    unsigned signatures_max, rsa_bits_min;
    struct networks *forwarders;
    struct dns_name *sealers, host;
    size_t sealer_count;
    struct buf id;
};

struct receiver_auth {
    struct proc *proc;
    struct receiver_rules *rules;
    struct arena texts;
    struct span helo, sender;
    struct dns_address client;
    struct buf client_text;
    bool trusted; // one of auth.trusted_forwarders
    struct auth_message *machine;
    const struct auth_message_result *result; // NULL: under way
    struct question *open;
    struct io_timer timer;
    bool late;
    void (*done)(void *arg);
    void *arg;
};
