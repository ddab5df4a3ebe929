#include "help.h"

#include "report_dmarc.h"
#include "report_tlsrpt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define X(name, sentence) #name,
    REPORT_REMARK_TABLE(X)
#undef X
};

bool vector_read(struct buf *b, const char *name)
{
    char path[1024], piece[65536];
    const char *folder = getenv("GELEIT_VECTORS");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
    FILE *f = fopen(path, "rb");
    *b = BUF(16 << 20);
    if (!f)
        return false;
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        buf_put(b, (struct span){piece, n});
    fclose(f);
    return true;
}

const char *notes_line(const struct report_notes *n)
{
    static char line[4096];
    size_t len = 0;
    line[0] = 0;
    for (size_t i = 0; i < REPORT_REMARKS; i++)
        if (n->at[i].times)
            len += (size_t)snprintf(line + len, sizeof line - len, "%s%s:%u", len ? " " : "",
                                    names[i], n->at[i].times);
    return line;
}

static void one(struct buf *out, const struct report_document *d, struct report_notes *n)
{
    struct arena a = ARENA(REPORT_DMARC_ARENA);
    struct report_tlsrpt tls;
    struct report_dmarc dmarc;
    bool is_tls = d->kind == REPORT_TLSRPT;
    struct rc rc = is_tls ? report_tlsrpt_read(&tls, buf_span(&d->bytes), &a, n)
                          : report_dmarc_read(&dmarc, buf_span(&d->bytes), &a, n);
    if (rc_ok(rc))
        buf_printf(out, "%s%s %s %zu", out->len ? "; " : "", report_kind_text(d->kind), d->wrap,
                   is_tls ? tls.policy_count : dmarc.record_count);
    else
        buf_printf(out, "%sfault: %s", out->len ? "; " : "", n->fault);
    arena_free(&a);
}

const char *take(struct span bytes, struct report_notes *n)
{
    static char line[4096];
    struct arena a = ARENA(16 << 20);
    struct report_unpacked u;
    struct buf out = BUF(sizeof line - 1);
    *n = (struct report_notes){0};
    struct rc rc = report_unpack(&u, bytes, &report_limits_usual, &a, n);
    for (size_t i = 0; rc_ok(rc) && i < u.count; i++)
        one(&out, &u.at[i], n);
    if (!rc_ok(rc))
        buf_printf(&out, "fault: %s", n->fault);
    if (!span_copy(line, sizeof line, buf_span(&out)))
        line[0] = 0;
    report_unpacked_free(&u);
    buf_free(&out);
    arena_free(&a);
    return line;
}
