#include "proc_authenticator.h"

enum { KEYS = 65536, KEY_ROOM = 512 };

// A user and an address that fitted together stay known for a month.
static const struct abuse_rate known = {1, SECONDS(30 * 86400)};

void limits_open(struct limits *l, const struct conf *c)
{
    if (!l->addresses) {
        l->addresses = abuse_buckets_new(KEYS, io_random());
        l->names = abuse_buckets_new(KEYS, io_random());
        l->good = abuse_buckets_new(KEYS, io_random());
        l->messages = abuse_buckets_new(KEYS, io_random());
        l->recipients = abuse_buckets_new(KEYS, io_random());
    }
    l->address = abuse_hourly((uint64_t)conf_int(c, CONF_users_failures));
    l->name = abuse_hourly((uint64_t)conf_int(c, CONF_users_failures_each));
    l->message = abuse_hourly((uint64_t)conf_int(c, CONF_submission_messages));
    l->recipient = abuse_hourly((uint64_t)conf_int(c, CONF_submission_recipients));
}

// An IPv6 network of /64 is one customer.
static struct span network(const struct dns_address *a)
{
    return (struct span){(const char *)a->at, a->v6 ? 8 : 4};
}

// As the user is found by it, whatever form was typed.
static void put_name(struct buf *b, struct span name)
{
    char key[SASL_KEY_MAX];
    buf_put(b, sasl_key(key, name) ? span_str(key) : span_first(name, SASL_KEY_MAX));
}

static bool is_known(const struct limits *l, const struct dns_address *client, struct span name,
                     struct mono now)
{
    CLEANUP(buf_free) struct buf key = BUF(KEY_ROOM);
    buf_put(&key, network(client));
    put_name(&key, name);
    return abuse_bucket_used(l->good, buf_span(&key), &known, now) > 0;
}

bool limits_hear(const struct limits *l, const struct dns_address *client, struct mono now)
{
    return abuse_bucket_used(l->addresses, network(client), &l->address, now) < l->address.burst;
}

bool limits_try(const struct limits *l, const struct dns_address *client, struct span name,
                struct mono now)
{
    CLEANUP(buf_free) struct buf key = BUF(KEY_ROOM);
    put_name(&key, name);
    return is_known(l, client, name, now) ||
           abuse_bucket_used(l->names, buf_span(&key), &l->name, now) < l->name.burst;
}

int64_t limits_failed(struct limits *l, const struct dns_address *client, struct span name,
                      struct mono now)
{
    enum { LONGEST_S = 8 };
    CLEANUP(buf_free) struct buf key = BUF(KEY_ROOM);
    put_name(&key, name);
    (void)abuse_bucket_take(l->addresses, network(client), &l->address, 1, now);
    if (key.len)
        (void)abuse_bucket_take(l->names, buf_span(&key), &l->name, 1, now);
    unsigned used = abuse_bucket_used(l->addresses, network(client), &l->address, now);
    return SECONDS(used < LONGEST_S ? used : LONGEST_S);
}

void limits_succeeded(struct limits *l, const struct dns_address *client, struct span name,
                      struct mono now)
{
    CLEANUP(buf_free) struct buf key = BUF(KEY_ROOM);
    buf_put(&key, network(client));
    put_name(&key, name);
    abuse_bucket_fill(l->good, buf_span(&key));
    (void)abuse_bucket_take(l->good, buf_span(&key), &known, 1, now);
}

int64_t limits_send(struct limits *l, struct span user, uint32_t messages, uint32_t recipients,
                    struct mono now)
{
    CLEANUP(buf_free) struct buf key = BUF(KEY_ROOM);
    put_name(&key, user);
    int64_t wait = 0;
    if (messages)
        wait = abuse_bucket_take(l->messages, buf_span(&key), &l->message, messages, now);
    if (!wait && recipients)
        wait = abuse_bucket_take(l->recipients, buf_span(&key), &l->recipient, recipients, now);
    return wait;
}
