// The ARC verifier behind a protocol of lines, for tests in Python: a command and
// its arguments, parted by tabs, bytes in hex; a line comes back.
#include "auth_arc.h"
#include "base_code.h"
#include "zone.h"

#include <stdio.h>
#include <stdlib.h>

enum { BYTES_MAX = 16 << 20 };

static struct zone *zone;
static struct arena arena;

static void answer_all(struct auth_arc *m)
{
    for (;;) {
        struct auth_step step = auth_arc_next(m);
        if (step.kind != AUTH_ASK_DNS)
            return;
        struct dns_answer a = zone_answer(zone, &step.question, &arena);
        auth_arc_answer(m, step.ticket, &a);
    }
}

// verify MESSAGE: result, sets, reason
static void verify(struct span hex)
{
    CLEANUP(buf_free) struct buf message = BUF(BYTES_MAX);
    struct auth_arc_options o = {0};
    CLEANUP(auth_arc_free) struct auth_arc *m = auth_arc_new(&o);
    if (!code_get_hex(&message, hex))
        panic("no hex");
    auth_arc_feed(m, buf_span(&message));
    auth_arc_end(m);
    answer_all(m);
    const struct auth_arc_result *r = auth_arc_result(m);
    printf(".\t%s\t%u\t%s\n", auth_result_text(r->result), r->count, r->reason);
}

// zone NAME RECORD (of type TXT)
static void add(struct span rest)
{
    struct span name = span_cut(&rest, '\t');
    printf(".\t%s\n", zone_add(zone, name, SPAN("TXT"), rest) ? "ok" : "bad");
}

int main(void)
{
    char *room = NULL;
    size_t size = 0;
    ssize_t n;
    zone = zone_new(NULL);
    while ((n = getline(&room, &size, stdin)) > 0) {
        struct span rest = {room, (size_t)n - (room[n - 1] == '\n')};
        struct span command = span_cut(&rest, '\t');
        arena = ARENA(64 << 20);
        if (span_eq(command, SPAN("zone")))
            add(rest);
        else
            verify(rest);
        fflush(stdout);
        arena_free(&arena);
    }
    zone_free(&zone);
    free(room);
    return 0;
}
