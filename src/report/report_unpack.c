#include "report_unpack_inner.h"
#include "report_utf8.h"

#include "mail_mime.h"

const struct report_limits report_limits_usual = {
    .document_max = 128 << 20, .total_max = 256 << 20, .ratio_max = 500};

enum { SNIFF_MAX = 64 << 10, FIELD_MAX = 1000, INSIDE_MAX = 2 };

static struct span begin(struct span s)
{
    if (span_starts(s, SPAN("\xef\xbb\xbf")))
        s = span_skip(s, 3);
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t' || s.at[0] == '\r' || s.at[0] == '\n'))
        s = span_skip(s, 1);
    return s;
}

enum report_form_magic report_magic(struct span bytes)
{
    static const struct {
        struct span front;
        enum report_form_magic magic;
    } table[] = {
        {{"\x1f\x8b", 2}, REPORT_MAGIC_GZIP},    {{"PK\3\4", 4}, REPORT_MAGIC_ZIP},
        {{"PK\5\6", 4}, REPORT_MAGIC_ZIP},       {{"<", 1}, REPORT_MAGIC_XML},
        {{"\xff\xfe<\0", 4}, REPORT_MAGIC_XML},  {{"\xfe\xff\0<", 4}, REPORT_MAGIC_XML},
        {{"\0<", 2}, REPORT_MAGIC_XML},          {{"{", 1}, REPORT_MAGIC_JSON},
        {{"[", 1}, REPORT_MAGIC_JSON},           {{"\xff\xfe{\0", 4}, REPORT_MAGIC_JSON},
        {{"\xfe\xff\0{", 4}, REPORT_MAGIC_JSON}, {{"\0{", 2}, REPORT_MAGIC_JSON},
    };
    bytes = begin(bytes);
    if (!bytes.len)
        return REPORT_MAGIC_NOTHING;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (span_starts(bytes, table[i].front))
            return table[i].magic;
    return REPORT_MAGIC_OTHER;
}

static bool occurs(struct span text, struct span what)
{
    for (size_t i; (i = span_index(text, what.at[0])) < text.len; text = span_skip(text, 1)) {
        text = span_skip(text, i);
        if (span_starts(text, what))
            return true;
    }
    return false;
}

bool report_looks_like(struct span bytes)
{
    struct span front = span_first(bytes, SNIFF_MAX);
    enum report_form_magic magic = report_magic(bytes);
    if (magic == REPORT_MAGIC_XML)
        return occurs(front, SPAN("feedback")) || occurs(front, SPAN("f\0e\0e\0d\0b\0a\0c\0k"));
    return magic == REPORT_MAGIC_JSON &&
           (occurs(front, SPAN("organization-name")) || occurs(front, SPAN("policies")) ||
            occurs(front, SPAN("report-id")) || occurs(front, SPAN("p\0o\0l\0i\0c\0i\0e\0s")));
}

bool report_unpack_full(struct report_job *job, struct span name)
{
    if (job->out->count < REPORT_DOCUMENTS_MAX)
        return false;
    report_remark(job->notes, REPORT_REMARK_MORE_REPORTS, name);
    return true;
}

static void document_add(struct report_job *job, enum report_kind kind,
                         const struct report_thing *thing, struct buf *bytes)
{
    struct report_unpacked *out = job->out;
    if (report_unpack_full(job, thing->name))
        return;
    struct report_document *d = &out->at[out->count++];
    *d = (struct report_document){.kind = kind, .bytes = *bytes, .wrap = thing->wrap};
    *bytes = BUF(0); // handed over
    d->name = report_line(job->arena, thing->name, FIELD_MAX, job->notes);
}

static struct rc plain_take(struct report_job *job, const struct report_thing *thing,
                            enum report_form_magic magic)
{
    CLEANUP(buf_free) struct buf copy = BUF(job->bound.max);
    if (!thing->own)
        buf_put(&copy, thing->bytes);
    if (!rc_ok(buf_state(&copy)))
        return report_too_large(job->notes, "It is larger than %zu bytes.", job->bound.max);
    document_add(job, magic == REPORT_MAGIC_JSON ? REPORT_TLSRPT : REPORT_DMARC, thing,
                 thing->own ? thing->own : &copy);
    return RC(OK);
}

static struct rc gzip_take(struct report_job *job, const struct report_thing *thing)
{
    CLEANUP(buf_free) struct buf plain = BUF(job->bound.max);
    if (thing->inside >= INSIDE_MAX)
        return report_malformed(job->notes, "It is an archive in an archive.");
    if (thing->inside) // seen of senders whose library packs once more
        report_remark(job->notes, REPORT_REMARK_PACKED_TWICE, thing->name);
    TRY(report_gunzip(&plain, thing->bytes, &job->bound, job->notes));
    return report_unpack_one(job, &(struct report_thing){.bytes = buf_span(&plain),
                                                         .own = &plain,
                                                         .name = thing->name,
                                                         .wrap = "gzip",
                                                         .inside = thing->inside + 1});
}

struct rc report_unpack_one(struct report_job *job, const struct report_thing *thing)
{
    enum report_form_magic magic = report_magic(thing->bytes);
    switch (magic) {
    case REPORT_MAGIC_XML:
    case REPORT_MAGIC_JSON:
        return plain_take(job, thing, magic);
    case REPORT_MAGIC_GZIP:
        return gzip_take(job, thing);
    case REPORT_MAGIC_ZIP:
        return thing->inside ? report_malformed(job->notes, "It is an archive in an archive.")
                             : report_unpack_zip(job, thing->bytes);
    case REPORT_MAGIC_NOTHING:
        return report_malformed(job->notes, "It is empty.");
    default:
        return report_malformed(job->notes, "It is neither XML nor JSON, packed or plain.");
    }
}

// A field, or the line that mailboxes put before a message.
static bool looks_like_mail(struct span bytes)
{
    struct mail_field f;
    struct span line = span_first(bytes, span_index(bytes, '\n'));
    return span_starts(bytes, SPAN("From ")) || mail_field_next(&line, &f);
}

static struct rc anything(struct report_job *job, struct span bytes)
{
    if (bytes.len > REPORT_INPUT_MAX)
        return report_too_large(job->notes, "It is larger than %d bytes.", REPORT_INPUT_MAX);
    if (report_magic(bytes) == REPORT_MAGIC_OTHER && looks_like_mail(begin(bytes)))
        return report_unpack_mail(job, begin(bytes));
    return report_unpack_one(job, &(struct report_thing){.bytes = bytes, .wrap = "plain"});
}

struct rc report_unpack(struct report_unpacked *out, struct span bytes,
                        const struct report_limits *limits, struct arena *a,
                        struct report_notes *notes)
{
    *out = (struct report_unpacked){0};
    struct report_job job = {out,
                             notes,
                             a,
                             {.left = limits->total_max,
                              .max = limits->document_max,
                              .ratio = limits->ratio_max ? limits->ratio_max : 1}};
    struct rc rc = anything(&job, bytes);
    if (rc_ok(rc) || !out->count)
        return rc;
    report_remark(notes, REPORT_REMARK_BROKEN_PART, span_str(notes->fault));
    notes->fault[0] = 0; // what could be had is given
    return RC(OK);
}

void report_unpacked_free(struct report_unpacked *u)
{
    for (size_t i = 0; i < u->count; i++)
        buf_free(&u->at[i].bytes);
    *u = (struct report_unpacked){0};
}
