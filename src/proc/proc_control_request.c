#include "proc_control_request.h"

#include "mail_address.h"

enum { PROBE = 1, REQUIRETLS = 2, TLS_REQUIRED_NO = 4, FLAGS_END = 8, WORD_MAX = 1024 };

void control_request_pack(struct buf *b, const struct control_request *q)
{
    wr_u8(b, (uint8_t)q->verb);
    wr_u8(b, (uint8_t)((q->probe ? PROBE : 0) | (q->requiretls ? REQUIRETLS : 0) |
                       (q->tls_required_no ? TLS_REQUIRED_NO : 0)));
    wr_u64(b, q->id);
    wr_span(b, q->word);
    wr_span(b, q->section);
    wr_span(b, q->questions);
}

bool control_request_unpack(struct rd *r, struct control_request *out)
{
    *out = (struct control_request){.verb = (enum control_verb)rd_enum(r, CONTROL_VERBS)};
    unsigned flags = rd_enum(r, FLAGS_END);
    out->probe = flags & PROBE;
    out->requiretls = flags & REQUIRETLS;
    out->tls_required_no = flags & TLS_REQUIRED_NO;
    out->id = rd_u64(r);
    out->word = rd_span(r);
    out->section = rd_span(r);
    out->questions = rd_span(r);
    return rd_end(r) && out->word.len <= WORD_MAX;
}

void control_answer_pack(struct buf *b, const struct control_answer *a)
{
    wr_u8(b, (uint8_t)a->result);
    wr_span(b, a->sentence);
    wr_span(b, a->json);
    wr_u64(b, a->next_id);
    wr_span(b, a->next_word);
}

bool control_answer_unpack(struct rd *r, struct control_answer *out)
{
    *out = (struct control_answer){.result = (enum control_result)rd_enum(r, CONTROL_RESULTS)};
    out->sentence = rd_span(r);
    out->json = rd_span(r);
    out->next_id = rd_u64(r);
    out->next_word = rd_span(r);
    return rd_end(r);
}

const char *control_domain(struct span text, struct dns_name *out)
{
    CLEANUP(arena_free) struct arena a = ARENA(65536);
    struct mail_address address;
    if (text.len == 0 || text.len > WORD_MAX)
        return "is no mail address";
    if (span_index(text, '@') == text.len)
        return dns_name_parse_host(out, text) ? NULL : "is neither a mail address nor a domain";
    if (!mail_address_parse(&address, text, true, &a))
        return "is no mail address";
    if (address.kind == MAIL_LITERAL)
        return "names an address instead of a domain, which mail is not relayed to";
    if (address.kind != MAIL_DOMAIN)
        return "is no mail address";
    *out = address.domain;
    return NULL;
}
