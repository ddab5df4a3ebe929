// A zone file that is read answers: every name of it, and one that is not there.
#include "base_rc.h"
#include "dns_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct dns_zone *z, struct span word)
{
    static const enum dns_type types[] = {DNS_A, DNS_MX, DNS_TXT, DNS_CNAME, DNS_TLSA};
    struct dns_question q;
    if (!dns_name_parse(&q.name, word))
        return;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
        struct dns_answer answer;
        q.type = types[i];
        dns_zone_answer(z, &q, &answer, &a);
        if ((answer.presence == DNS_DATA) != (answer.count > 0))
            panic("presence %d with %zu records", answer.presence, answer.count);
        if ((answer.presence == DNS_NO_ANSWER) != (answer.standing == DNS_INDETERMINATE))
            panic("presence %d, standing %d", answer.presence, answer.standing);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {(const char *)data, size};
    struct dns_zone_fault fault;
    if (size > 4096)
        return 0;
    struct dns_zone *z = dns_zone_new(in, &fault);
    if (!z) {
        if (*fault.text == '\0')
            panic("refused without a word");
        return 0;
    }
    while (in.at) {
        struct span line = span_cut(&in, '\n');
        ask(z, span_cut(&line, ' '));
    }
    ask(z, SPAN("not.there.example"));
    dns_zone_free(z);
    return 0;
}
