#include "admin_command.h"

#include "base_near.h"

#include <string.h>

static const struct admin_flag serve_flags[] = {
    {"--role", "KIND", NULL},
    {"--index", "N", NULL},
};

static const struct admin_flag explain_flags[] = {
    {"--probe", NULL, "also connect to each host and shake hands, as a delivery would"},
    {"--requiretls", NULL, "as for a message sent with REQUIRETLS (RFC 8689)"},
    {"--tls-required-no", NULL, "as for a message with the field TLS-Required: No"},
};
static const struct admin_flag queue_flags[] = {
    {"--yes", NULL, "delete without asking"},
};
#define ADMIN_ZONE                                                                                 \
    {                                                                                              \
        "--zone", "FILE", "answer every DNS question from this zone file, not from the network"    \
    }
#define ADMIN_NOW                                                                                  \
    {                                                                                              \
        "--now", "TIME", "as if it were then: 2026-11-22T01:58:26Z, or seconds since 1970"         \
    }
static const struct admin_flag spf_flags[] = {ADMIN_ZONE, ADMIN_NOW};
static const struct admin_flag verify_flags[] = {
    {"--ip", "ADDRESS", "the client that it came from; else as its first Received field says"},
    {"--mail-from", "ADDRESS", "its envelope sender; else as its Return-Path field says"},
    {"--helo", "NAME", "what the client called itself; else as its first Received field says"},
    ADMIN_ZONE,
    ADMIN_NOW,
};

// In this order in enum admin_keys_flag.
static const struct admin_flag keys_flags[] = {
    {"--algorithm", "NAME", "rsa, ed25519 or both"},
    {"--bits", "N", "of an RSA key, 2048 to 4096; else 2048"},
    {"--selector", "NAME", "of a new key; else made of the date"},
    {"--service", "LIST", "email, tlsrpt or email:tlsrpt: restricts a new key's record; else all"},
    {"--records", NULL, "list: the records that DNS should have, for a zone file"},
    {"--force", NULL, "retire: even if mail may still need it"},
    ADMIN_ZONE,
};

static const struct admin_flag user_flags[] = {
    {"--senders", "LIST", "what else the user may send as: ann@example.org,*@example.net"},
    {"--no-password", NULL, "none here: Dovecot has it, or nobody can log in so"},
};

const struct admin_command admin_commands[] = {
    {"serve", "", 0, 0, "the mail server: receive, decide, queue, deliver; stays in the foreground",
     false, serve_flags, 2, admin_serve},
    {"explain", "ADDRESS", 1, 1, "the decision that would be made now for this recipient, and why",
     true, explain_flags, 3, admin_explain},
    {"queue", "list | show ID | retry ID... | hold ID... | release ID... | delete ID...", 1, 100000,
     "what waits to be delivered, why, and what happened to it", true, queue_flags, 1, admin_queue},
    {"policy", "list | show DOMAIN | refresh DOMAIN", 1, 2, "cached MTA-STS policies", true, NULL,
     0, admin_policy},
    {"keys",
     "dkim generate [USER@]DOMAIN | list [DOMAIN] | rotate [USER@]DOMAIN | retire DOMAIN "
     "[SELECTOR]",
     2, 4, "DKIM keys: made, published, changed and taken out of use", true, keys_flags, 7,
     admin_keys},
    {"spf", "IP MAIL-FROM HELO", 3, 3, "the SPF result for such a message, and how it was reached",
     true, spf_flags, 2, admin_spf},
    {"verify", "FILE", 1, 1, "SPF, DKIM, ARC and DMARC of a stored message ('-': standard input)",
     true, verify_flags, 5, admin_verify},
    {"user", "add NAME | list | remove NAME...", 1, 1000,
     "who may log in to send mail; a password is read from the terminal or standard input", true,
     user_flags, 2, admin_user},
    {"report",
     "show FILE|ID... | import FILE... | list [DOMAIN] | aside [ID] | week [DOMAIN] | preview | "
     "send",
     1, 100000,
     "TLS and DMARC reports: in files (packed or not, or as mail), of others, and our own", true,
     NULL, 0, admin_report},
    {"config", "", 0, 0, "check the configuration, print it with defaults", true, NULL, 0,
     admin_config},
    {"help", "[COMMAND]", 0, 1, "this list, or what one command takes", false, NULL, 0, admin_help},
    {"version", "", 0, 0, "the version", true, NULL, 0, admin_version},
};
const size_t admin_command_count = sizeof admin_commands / sizeof *admin_commands;

const struct admin_command *admin_find(const char *name)
{
    for (size_t i = 0; i < admin_command_count; i++)
        if (strcmp(admin_commands[i].name, name) == 0)
            return &admin_commands[i];
    return NULL;
}

const char *admin_nearest(const char *name)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < admin_command_count; i++) {
        size_t d = near_distance(span_str(name), span_str(admin_commands[i].name));
        if (d < least) {
            least = d;
            best = admin_commands[i].name;
        }
    }
    return near_enough(span_str(name), least) ? best : NULL;
}
