// The SPF evaluator behind a line protocol, for the vector tests. Fields are
// separated by tabs, foreign bytes are hex, one answer line a command:
//
//   RESET                                       ok
//   ADD NAME TYPE HEX-VALUE                     ok | no (zone.h cannot hold it)
//   PARSE HEX-RECORD                            ok | error
//   RUN IP HEX-HELO HEX-MAIL-FROM VOIDS-MAX     see put_check(); "order" if the order
//                                               of answers made a difference
#include <stdio.h>
#include <stdlib.h>

#include "auth_spf.h"
#include "base_code.h"
#include "base_rc.h"
#include "zone.h"

enum { LINE_MOST = 1 << 20, ORDERS = 4 };

static struct zone *zone;

static void unhex(struct buf *b, struct span hex)
{
    if (!code_get_hex(b, hex))
        panic("spf_play: not hex: %.*s", SPAN_FMT(hex));
}

static bool drive(struct auth_spf *s, unsigned seed, struct arena *answers)
{
    struct zone_pending pending = {.seed = seed};
    for (;;) {
        struct auth_step step = auth_spf_next(s), chosen;
        if (step.kind == AUTH_DONE)
            return true;
        if (step.kind == AUTH_ASK_DNS) {
            zone_pending_add(&pending, &step);
            continue;
        }
        if (!zone_pending_take(&pending, &chosen))
            return false;
        struct dns_answer a = zone_answer(zone, &chosen.question, answers);
        auth_spf_answer(s, chosen.ticket, &a);
    }
}

static void put_check(struct buf *b, const struct auth_spf_check *c)
{
    buf_printf(b, "%s\t%u\t%u\t", auth_result_text(c->result), c->lookups, c->voids);
    code_put_hex(b, c->explanation);
    buf_putc(b, '\t');
    code_put_hex(b, c->mechanism);
    buf_putc(b, '\t');
    code_put_hex(b, c->reason);
}

static void run_once(const struct auth_spf_request *r, unsigned seed, struct buf *out)
{
    CLEANUP(arena_free) struct arena a = ARENA(AUTH_SPF_ARENA), answers = ARENA(256 << 20);
    struct auth_spf *s = auth_spf_new(r, &a);
    if (!s || !drive(s, seed, &answers)) {
        buf_printf(out, "stuck");
        return;
    }
    const struct auth_spf_result *got = auth_spf_result(s);
    put_check(out, &got->check[AUTH_SPF_MAIL_FROM]);
    buf_printf(out, "\t%s\t%s", auth_result_text(got->check[AUTH_SPF_HELO].result),
               auth_result_text(got->decides->result));
}

static void run(struct span line, struct buf *out)
{
    CLEANUP(buf_free) struct buf helo = BUF(LINE_MOST), from = BUF(LINE_MOST);
    struct auth_spf_request r = {.now = {1700000000 * US_PER_S}};
    uint64_t voids = 0;
    if (!dns_address_parse(&r.client, span_cut(&line, '\t')) ||
        !dns_name_parse(&r.receiver, SPAN("mx.receiver.example")))
        panic("spf_play: bad address");
    unhex(&helo, span_cut(&line, '\t'));
    unhex(&from, span_cut(&line, '\t'));
    (void)span_number(line, 1000, &voids);
    r.helo = buf_span(&helo);
    r.mail_from = buf_span(&from);
    r.voids_max = (unsigned)voids;
    run_once(&r, 0, out);
    for (unsigned seed = 1; seed < ORDERS; seed++) {
        CLEANUP(buf_free) struct buf other = BUF(LINE_MOST);
        run_once(&r, seed, &other);
        if (!span_eq(buf_span(&other), buf_span(out)))
            buf_printf(out, "\torder");
    }
}

static void add(struct span line, struct buf *out)
{
    CLEANUP(buf_free) struct buf value = BUF(LINE_MOST);
    struct span name = span_cut(&line, '\t'), type = span_cut(&line, '\t');
    unhex(&value, line);
    buf_printf(out, "%s", zone_add(zone, name, type, buf_span(&value)) ? "ok" : "no");
}

static void parse(struct span line, struct buf *out)
{
    CLEANUP(buf_free) struct buf text = BUF(LINE_MOST);
    struct auth_spf_record r;
    struct span term;
    const char *why;
    unhex(&text, line);
    bool ok = auth_spf_record_parse(&r, buf_span(&text), &term, &why);
    buf_printf(out, "%s", ok ? "ok" : "error");
}

static void obey(struct span line, struct buf *out)
{
    struct span command = span_cut(&line, '\t');
    if (span_eq(command, SPAN("RESET"))) {
        zone_free(&zone);
        zone = zone_new(NULL);
        buf_printf(out, "ok");
    } else if (span_eq(command, SPAN("ADD")))
        add(line, out);
    else if (span_eq(command, SPAN("PARSE")))
        parse(line, out);
    else if (span_eq(command, SPAN("RUN")))
        run(line, out);
    else
        panic("spf_play: what is %.*s?", SPAN_FMT(command));
}

static void free_line(char **line)
{
    free(*line);
}

int main(void)
{
    CLEANUP(free_line) char *line = NULL;
    size_t room = 0;
    zone = zone_new(NULL);
    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        CLEANUP(buf_free) struct buf out = BUF(LINE_MOST);
        struct span s = {line, (size_t)n};
        obey(span_ends(s, SPAN("\n")) ? span_first(s, s.len - 1) : s, &out);
        printf("%s\n", buf_str(&out));
        fflush(stdout);
    }
    zone_free(&zone);
    return 0;
}
