// The reports attached to a mail, whatever they are labelled.
#include "report_unpack_inner.h"
#include "report_utf8.h"

#include "mail_mime.h"

enum { FIELD_MAX = 1000 };

static struct span head_field(struct report_job *job, struct span head, struct span name)
{
    struct span value;
    if (!mail_field_find(head, name, &value))
        return SPAN("");
    return report_line(job->arena, mail_field_unfold(value, job->arena), FIELD_MAX, job->notes);
}

static void head_read(struct report_job *job, struct span head)
{
    struct report_unpacked *out = job->out;
    out->mail = true;
    out->from = head_field(job, head, SPAN("From"));
    out->subject = head_field(job, head, SPAN("Subject"));
    out->tls_domain = head_field(job, head, SPAN("TLS-Report-Domain"));
    out->tls_submitter = head_field(job, head, SPAN("TLS-Report-Submitter"));
}

// What a label promises; types that promise nothing are not in the table.
static enum report_form_magic promised(struct span type)
{
    static const struct {
        const char *type;
        enum report_form_magic magic;
    } table[] = {
        {"application/gzip", REPORT_MAGIC_GZIP},
        {"application/x-gzip", REPORT_MAGIC_GZIP},
        {"application/gzip-compressed", REPORT_MAGIC_GZIP},
        {"application/tlsrpt+gzip", REPORT_MAGIC_GZIP},
        {"application/zip", REPORT_MAGIC_ZIP},
        {"application/x-zip", REPORT_MAGIC_ZIP},
        {"application/x-zip-compressed", REPORT_MAGIC_ZIP},
        {"text/xml", REPORT_MAGIC_XML},
        {"application/xml", REPORT_MAGIC_XML},
        {"application/json", REPORT_MAGIC_JSON},
        {"application/tlsrpt+json", REPORT_MAGIC_JSON},
        {"text/plain", REPORT_MAGIC_OTHER},
        {"text/html", REPORT_MAGIC_OTHER},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (span_eq(type, span_str(table[i].type)))
            return table[i].magic;
    return REPORT_MAGIC_NOTHING;
}

static bool worth_it(enum report_form_magic magic, struct span bytes)
{
    return magic == REPORT_MAGIC_GZIP || magic == REPORT_MAGIC_ZIP || report_looks_like(bytes);
}

static struct rc part_take(struct report_job *job, const struct mail_mime_part *part, bool *seen)
{
    CLEANUP(buf_free) struct buf bytes = BUF(part->body.len + 16);
    if (!mail_mime_decode(&bytes, part))
        report_remark(job->notes, REPORT_REMARK_MAIL_DAMAGED, part->name);
    enum report_form_magic magic = report_magic(buf_span(&bytes)), label = promised(part->type);
    if (!worth_it(magic, buf_span(&bytes)))
        return RC(OK);
    *seen = true;
    if (report_unpack_full(job, part->name))
        return RC(OK);
    if (label != REPORT_MAGIC_NOTHING && label != magic)
        report_remark(job->notes, REPORT_REMARK_MISLABELLED, part->type);
    return report_unpack_one(
        job, &(struct report_thing){
                 .bytes = buf_span(&bytes), .own = &bytes, .name = part->name, .wrap = "plain"});
}

// One bad attachment does not spoil the next; without any good one the first fault is the answer.
struct rc report_unpack_mail(struct report_job *job, struct span message)
{
    struct mail_mime m = mail_mime_open(message, job->arena);
    struct mail_mime_part part;
    struct rc first = RC(OK);
    bool seen = false;
    while (job->bound.left && mail_mime_next(&m, &part)) {
        if (part.depth == 0)
            head_read(job, part.head);
        struct rc rc = part.container ? RC(OK) : part_take(job, &part, &seen);
        first = rc_ok(first) ? rc : first;
    }
    if (m.damaged || m.cut)
        report_remark(job->notes, REPORT_REMARK_MAIL_DAMAGED, SPAN(""));
    if (!rc_ok(first) || job->out->count)
        return first;
    return report_malformed(job->notes, "There is no report in the mail.");
}
