// Answers in any order and of any kind: as many questions as there may be, an end, and no
// listing or confirmation without an answer that says so. Byte 0: bits of the
// configuration; then for each answer: which of the open questions, what kind, how many
// records, and a byte for each.
#include "abuse_client.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPEN_MAX = 1 + ABUSE_NAMES_MAX + ABUSE_LISTS_MAX };

struct drive {
    struct rd in;
    struct abuse_conf conf;
    struct dns_address address;
    struct abuse_client *client;
    unsigned tickets[OPEN_MAX], open, asked;
    struct dns_question questions[OPEN_MAX];
    bool led_back, lists;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void setup(struct drive *d, unsigned bits)
{
    d->conf.names = bits & 1;
    d->conf.list_count = bits >> 2 & 31;
    if (d->conf.list_count > ABUSE_LISTS_MAX)
        d->conf.list_count = ABUSE_LISTS_MAX;
    for (size_t i = 0; i < d->conf.list_count; i++) {
        char zone[] = {'a', (char)('a' + i), '.', 'x', 0};
        d->conf.lists[i].refuse = i % 3 == 1;
        check(dns_name_parse(&d->conf.lists[i].zone, span_str(zone)));
    }
    d->address = (struct dns_address){.v6 = bits & 2, .at = {192, 0, 2, 7}};
    d->client = abuse_client_new(&d->conf, &d->address);
}

static struct dns_record record(struct drive *d, enum dns_type type)
{
    unsigned b = rd_u8(&d->in);
    char name[] = {(char)('a' + b % 26), (char)('a' + b / 26), 0};
    struct dns_record r = {.address = {.v6 = type == DNS_AAAA, .at = {127, 0, 0, 1}}};
    check(dns_name_parse(&r.name, span_str(name)));
    if (b & 128)
        r.address = d->address;
    else if (b & 64)
        r.address.at[1] = r.address.at[2] = 255;
    else
        r.address.at[3] = (unsigned char)b;
    d->led_back |= type != DNS_PTR && dns_address_eq(&r.address, &d->address);
    d->lists |= type == DNS_A && r.address.at[0] == 127;
    return r;
}

static void answer(struct drive *d)
{
    static const enum dns_presence kinds[] = {DNS_NO_ANSWER, DNS_NODATA, DNS_NXDOMAIN, DNS_DATA};
    struct dns_record records[32];
    unsigned i = rd_u8(&d->in) % d->open, kind = rd_u8(&d->in), count = rd_u8(&d->in) % 32;
    unsigned ticket = d->tickets[i];
    struct dns_answer a = {.presence = kinds[kind % 4],
                           .unread = kind & 4,
                           .records = records,
                           .standing = DNS_SECURE};
    enum dns_type type = d->questions[i].type;
    if (a.presence == DNS_DATA)
        for (; a.count < count; a.count++)
            records[a.count] = record(d, type);
    d->open--;
    d->tickets[i] = d->tickets[d->open];
    d->questions[i] = d->questions[d->open];
    abuse_client_answer(d->client, ticket, &a);
}

static void collect(struct drive *d)
{
    while (abuse_client_asks(d->client, &d->tickets[d->open], &d->questions[d->open])) {
        check(++d->asked <= OPEN_MAX);
        check(++d->open < OPEN_MAX || d->asked == OPEN_MAX);
    }
}

static void judge(const struct drive *d)
{
    struct abuse_finding f = abuse_client_finding(d->client);
    check(abuse_client_done(d->client) == (d->open == 0));
    check((f.name_is == ABUSE_NAME_NOT_ASKED) == !d->conf.names);
    check(f.name_is != ABUSE_NAME_CONFIRMED || d->led_back);
    check(!f.listed || d->lists);
    check(!f.listed || (f.code.at[0] == 127 && f.code.at[1] != 255));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct drive d = {.in = RD(((struct span){(const char *)data, size}))};
    setup(&d, rd_u8(&d.in));
    collect(&d);
    while (d.open) {
        answer(&d); // at the end of the input: zeros
        collect(&d);
        judge(&d);
    }
    judge(&d);
    abuse_client_free(d.client);
    return 0;
}
