#include "conf_value.h"

static bool has(const struct conf *c, enum conf_id id)
{
    return conf_span(c, id).len > 0;
}

// Complains at the line of the option that most likely is the wrong one.
static struct conf_at line_of(const struct conf *c, enum conf_id id, struct conf_fault *fault)
{
    const struct conf_value *v = &c->values[id];
    return (struct conf_at){v->where, v->line, fault};
}

static struct rc check_tls(const struct conf *c, struct conf_fault *fault)
{
    bool chain = has(c, CONF_tls_certificate), key = has(c, CONF_tls_key);
    struct conf_at at = line_of(c, chain ? CONF_tls_certificate : CONF_tls_key, fault);
    if (chain && !key)
        return conf_complain(&at, "tls.certificate without tls.key; set tls.key to the file with "
                                  "its private key");
    if (key && !chain)
        return conf_complain(&at, "tls.key without tls.certificate; set tls.certificate to the "
                                  "file with the certificate and those above it");
    return RC(OK);
}

// What nobody could ever use.
static struct rc check_needs_tls(const struct conf *c, struct conf_fault *fault)
{
    static const struct {
        enum conf_id list;
        const char *why;
    } needs[] = {
        {CONF_tls_require, "nobody could ever meet it"},
        {CONF_submission_listen, "users log in only inside TLS"},
        {CONF_submissions_listen, "TLS begins there with the first byte"},
        {CONF_report_listen, "reports are posted by HTTPS"},
    };
    if (has(c, CONF_tls_certificate) || conf_count(c, CONF_tls_certificates))
        return RC(OK);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        struct conf_at at = line_of(c, needs[i].list, fault);
        if (conf_count(c, needs[i].list))
            return conf_complain(&at,
                                 "%s without a certificate: %s; set tls.certificate and tls.key",
                                 conf_options[needs[i].list].name, needs[i].why);
    }
    return RC(OK);
}

static struct rc check_retry(const struct conf *c, struct conf_fault *fault)
{
    static const struct {
        enum conf_id less, more;
    } orders[] = {
        {CONF_queue_retry_first, CONF_queue_retry_longest},
        {CONF_queue_retry_longest, CONF_queue_lifetime},
        {CONF_smtp_command_timeout, CONF_smtp_session_timeout},
    };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        enum conf_id less = orders[i].less, more = orders[i].more;
        struct conf_at at = line_of(c, c->values[less].set ? less : more, fault);
        if (conf_int(c, less) > conf_int(c, more))
            return conf_complain(&at, "%s is longer than %s; make one fit the other",
                                 conf_options[less].name, conf_options[more].name);
    }
    return RC(OK);
}

// One network of length 0 makes every spammer in the world a client of ours.
static struct rc check_relay(const struct conf *c, struct conf_fault *fault)
{
    struct conf_at at = line_of(c, CONF_relay_networks, fault);
    for (size_t i = 0; i < conf_count(c, CONF_relay_networks); i++) {
        struct span net = conf_item(c, CONF_relay_networks, i);
        if (span_ends(net, SPAN("/0")))
            return conf_complain(&at,
                                 "relay.networks: \"%.*s\" would let everybody send through "
                                 "this host; name the networks that may",
                                 SPAN_FMT(net));
    }
    return RC(OK);
}

static const enum conf_id doors[] = {CONF_smtp_listen, CONF_submission_listen,
                                     CONF_submissions_listen, CONF_web_listen};
enum { DOORS = sizeof doors / sizeof *doors };

// `place` is among the first `count` entries of the list.
static bool listens(const struct conf *c, enum conf_id list, size_t count, struct span place)
{
    for (size_t i = 0; i < count; i++)
        if (span_eq(conf_item(c, list, i), place))
            return true;
    return false;
}

static struct rc check_door(const struct conf *c, size_t door, size_t entry,
                            struct conf_fault *fault)
{
    struct span place = conf_item(c, doors[door], entry);
    struct conf_at at = line_of(c, doors[door], fault);
    for (size_t i = 0; i <= door; i++)
        if (listens(c, doors[i], i < door ? conf_count(c, doors[i]) : entry, place))
            return i == door
                       ? conf_complain(&at, "%s has \"%.*s\" twice; remove one",
                                       conf_options[doors[door]].name, SPAN_FMT(place))
                       : conf_complain(&at, "%s has \"%.*s\", and so has %s; give each its own",
                                       conf_options[doors[door]].name, SPAN_FMT(place),
                                       conf_options[doors[i]].name);
    return RC(OK);
}

static struct rc check_listen(const struct conf *c, struct conf_fault *fault)
{
    for (size_t door = 0; door < DOORS; door++)
        for (size_t i = 0; i < conf_count(c, doors[door]); i++)
            TRY(check_door(c, door, i, fault));
    return RC(OK);
}

static struct rc check_store(const struct conf *c, struct conf_fault *fault)
{
    struct conf_at at = line_of(c, CONF_store_path, fault);
    if (!has(c, CONF_store_path))
        return conf_complain(&at, "store.path is empty; name the folder of the queue");
    return RC(OK);
}

static struct span behind_at(struct span s)
{
    size_t at = span_index(s, '@');
    return at < s.len ? span_skip(s, at + 1) : s;
}

// The pair a record is published for: two keys cannot share it.
static struct rc check_signers(const struct conf *c, struct conf_fault *fault)
{
    struct conf_at at = line_of(c, CONF_dkim_sign, fault);
    for (size_t i = 0; i < conf_count(c, CONF_dkim_sign); i++) {
        struct span a = conf_item(c, CONF_dkim_sign, i), domain = span_cut(&a, ' ');
        a = span_trim(a);
        struct span selector = span_cut(&a, ' ');
        domain = behind_at(domain);
        for (size_t k = 0; k < i; k++) {
            struct span b = conf_item(c, CONF_dkim_sign, k), other = span_cut(&b, ' ');
            other = behind_at(other);
            b = span_trim(b);
            if (span_ieq(domain, other) && span_ieq(selector, span_cut(&b, ' ')))
                return conf_complain(&at,
                                     "dkim.sign has selector %.*s of %.*s twice; give each key a "
                                     "selector of its own",
                                     SPAN_FMT(selector), SPAN_FMT(domain));
        }
    }
    return RC(OK);
}

// The address of a Unix socket has room for 107 bytes.
static struct rc check_users(const struct conf *c, struct conf_fault *fault)
{
    static const enum conf_id sockets[] = {CONF_users_dovecot, CONF_users_dovecot_userdb};
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        struct conf_at at = line_of(c, sockets[i], fault);
        if (conf_span(c, sockets[i]).len > 107)
            return conf_complain(&at,
                                 "%s is longer than the 107 bytes that the path of a socket "
                                 "can have",
                                 conf_options[sockets[i]].name);
    }
    return RC(OK);
}

// Their own MX is this host: with nowhere else to go their mail would go in circles.
static struct rc check_local(const struct conf *c, struct conf_fault *fault)
{
    struct conf_at at = line_of(c, CONF_local_domains, fault);
    if (conf_count(c, CONF_local_domains) && !has(c, CONF_local_lmtp) &&
        !conf_count(c, CONF_send_routes))
        return conf_complain(&at, "local.domains without local.lmtp; set local.lmtp to the "
                                  "mailbox server, like \"unix:/run/dovecot/lmtp\"");
    return RC(OK);
}

struct rc conf_check(const struct conf *c, struct conf_fault *fault)
{
    static struct rc (*const checks[])(const struct conf *, struct conf_fault *) = {
        check_tls,   check_needs_tls, check_retry, check_relay, check_listen,
        check_store, check_signers,   check_local, check_users,
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        TRY(checks[i](c, fault));
    return RC(OK);
}
