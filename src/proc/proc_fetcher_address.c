#include "proc_fetcher.h"

#define DNS_PATIENCE SECONDS(30)

static void take(struct fetcher_addresses *a, const struct dns_answer *answer)
{
    if (answer->presence == DNS_NO_ANSWER)
        a->unanswered = true;
    for (size_t i = 0; i < answer->count && a->count < FETCHER_ADDRESSES_MAX; i++)
        a->at[a->count++] = answer->records[i].address;
}

static bool answered(void *arg, struct io_message *m)
{
    struct fetcher_addresses *a = arg;
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct dns_answer answer;
    bool fine = true;
    if (!m) {
        a->unanswered = true;
    } else {
        struct rd r = RD(m->payload);
        fine = m->kind == MSG_DNS_IS && dns_answer_unpack(&r, &answer, &arena) && rd_end(&r);
        if (fine)
            take(a, &answer);
        else
            a->unanswered = true;
    }
    if (--a->waiting == 0)
        a->known(a->arg);
    return fine;
}

static void ask(struct fetcher_addresses *a, const struct dns_name *host, enum dns_type type)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    dns_question_pack(&b, &(struct dns_question){*host, type});
    a->waiting++;
    proc_ask(a->proc, PROC_RESOLVER, 0, MSG_DNS, buf_span(&b), DNS_PATIENCE, answered, a);
}

void fetcher_ask(struct fetcher_addresses *a, const struct dns_name *host)
{
    ask(a, host, DNS_AAAA);
    ask(a, host, DNS_A);
}
