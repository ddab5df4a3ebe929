// DMARC aggregate reports of others, element by element.
#include "report_dmarc_reader.h"

#include <stdlib.h>

static bool fail(struct report_dmarc_reader *r, struct rc rc)
{
    r->rc = rc;
    return false;
}

static bool no_room(struct report_dmarc_reader *r)
{
    return fail(r, report_too_large(r->notes, "The report is larger than we have room for."));
}

static struct span trim(struct span s)
{
    while (s.len && (unsigned char)s.at[0] <= ' ')
        s = span_skip(s, 1);
    while (s.len && (unsigned char)s.at[s.len - 1] <= ' ')
        s.len--;
    return s;
}

// --- Opening.

static bool root_open(struct report_dmarc_reader *r, struct span name, struct span space)
{
    if (!span_eq(name, SPAN("feedback")))
        return fail(r,
                    report_malformed(r->notes, "The XML is no DMARC report: its root is \"%.*s\".",
                                     SPAN_FMT(span_first(name, 60))));
    if (!span_copy(r->space, sizeof r->space, space))
        r->space[0] = 0;
    if (span_eq(space, SPAN("urn:ietf:params:xml:ns:dmarc-2.0")))
        r->out->dialect = REPORT_RFC9990;
    else if (space.len && !span_starts(space, SPAN("http://dmarc.org/dmarc-xml/")))
        report_remark(r->notes, REPORT_REMARK_NAMESPACE, space);
    return true;
}

static void repeated_look(struct report_dmarc_reader *r, enum report_place place, struct span name)
{
    static const unsigned many = 1U << REPORT_IN_RECORD | 1U << REPORT_IN_REASON |
                                 1U << REPORT_IN_DKIM | 1U << REPORT_IN_SPF |
                                 1U << REPORT_IN_UNKNOWN;
    unsigned bit = 1U << place;
    if (r->seen & bit & ~many)
        report_remark(r->notes, REPORT_REMARK_REPEATED, name);
    r->seen |= bit;
}

static void record_begin(struct report_dmarc_reader *r)
{
    static const unsigned once = 1U << REPORT_IN_METADATA | 1U << REPORT_IN_DATES |
                                 1U << REPORT_IN_PUBLISHED | 1U << REPORT_IN_FEEDBACK;
    r->record = (struct report_record){0};
    r->count_given = false;
    r->seen &= once;
}

static void place_begin(struct report_dmarc_reader *r, enum report_place place)
{
    if (place == REPORT_IN_RECORD)
        record_begin(r);
    else if (place == REPORT_IN_REASON)
        r->reason = (struct report_reason){0};
    else if (place == REPORT_IN_DKIM)
        r->dkim = (struct report_dkim){0};
    else if (place == REPORT_IN_SPF)
        r->spf = (struct report_spf){0};
}

static bool on_open(void *context, struct span name, struct span space)
{
    struct report_dmarc_reader *r = context;
    enum report_place in = r->place[r->depth], place = REPORT_IN_UNKNOWN;
    if (r->depth == 0 && !root_open(r, name, space))
        return false;
    // An element of another namespace is an extension (RFC 9990 §5), whatever it is called.
    bool ours = span_eq(space, span_str(r->space));
    const struct report_element *e = ours ? report_element_find(in, name) : NULL;
    if (e)
        place = report_element_place(e);
    else if (ours && in != REPORT_IN_UNKNOWN)
        report_remark(r->notes, REPORT_REMARK_UNKNOWN_FIELD, name);
    r->leaf = place == REPORT_IN_NOTHING ? e : NULL;
    if (place == REPORT_IN_NOTHING)
        place = REPORT_IN_UNKNOWN; // nothing is looked for inside
    repeated_look(r, place, name);
    place_begin(r, place);
    r->place[++r->depth] = place;
    return true;
}

// --- Closing.

static void *copied(struct report_dmarc_reader *r, const void *list, size_t count, size_t size)
{
    char *p = count ? arena_alloc(r->arena, count * size) : NULL;
    if (p)
        span_bytes(p, count * size, (struct span){list, count * size});
    return p;
}

static void record_judge(struct report_dmarc_reader *r)
{
    const struct report_record *rec = &r->record;
    struct report_notes *n = r->notes;
    if (!rec->header_from.len)
        report_remark(n, REPORT_REMARK_HEADER_FROM_MISSING, SPAN(""));
    if (!rec->disposition && !n->at[REPORT_REMARK_DISPOSITION_VALUE].times)
        report_remark(n, REPORT_REMARK_DISPOSITION_VALUE, SPAN(""));
    if (!rec->dkim_aligned || !rec->spf_aligned)
        report_remark(n, REPORT_REMARK_RESULT_MISSING, SPAN(""));
    if (!r->count_given)
        report_remark(n, REPORT_REMARK_NO_COUNT, SPAN(""));
    if (!rec->source_given && !n->at[REPORT_REMARK_NOT_ADDRESS].times)
        report_remark(n, REPORT_REMARK_NOT_ADDRESS, SPAN(""));
}

static bool record_end(struct report_dmarc_reader *r)
{
    struct report_record *rec = arena_alloc(r->arena, sizeof *rec), *from = &r->record;
    if (r->out->record_count == REPORT_DMARC_RECORDS_MAX)
        return fail(r, report_too_large(r->notes, "The report has more than %d records.",
                                        REPORT_DMARC_RECORDS_MAX));
    if (!rec)
        return no_room(r);
    record_judge(r);
    *rec = *from;
    rec->reasons = copied(r, r->reasons, from->reason_count, sizeof r->reasons[0]);
    rec->dkim = copied(r, r->dkims, from->dkim_count, sizeof r->dkims[0]);
    rec->spf = copied(r, r->spfs, from->spf_count, sizeof r->spfs[0]);
    if ((from->reason_count && !rec->reasons) || (from->dkim_count && !rec->dkim) ||
        (from->spf_count && !rec->spf))
        return no_room(r);
    *r->tail = rec;
    r->tail = &rec->next;
    r->out->record_count++;
    bool fits = rec->count <= INT64_MAX - r->out->messages;
    r->out->messages = fits ? r->out->messages + rec->count : INT64_MAX;
    return true;
}

static bool one_more(struct report_dmarc_reader *r, size_t *count)
{
    if (*count == REPORT_DMARC_LIST_MAX) {
        report_remark(r->notes, REPORT_REMARK_TOO_MANY, SPAN("record"));
        return false;
    }
    ++*count;
    return true;
}

static void reason_end(struct report_dmarc_reader *r)
{
    if (!r->reason.type && !r->reason.comment.len)
        return; // an empty element; its type was remarked
    if (one_more(r, &r->record.reason_count))
        r->reasons[r->record.reason_count - 1] = r->reason;
}

static void dkim_end(struct report_dmarc_reader *r)
{
    if (!r->dkim.result)
        report_remark(r->notes, REPORT_REMARK_RESULT_MISSING, SPAN("dkim"));
    if (!r->dkim.selector.len && (r->modern || r->out->dialect == REPORT_RFC9990))
        report_remark(r->notes, REPORT_REMARK_SELECTOR_MISSING, r->dkim.domain);
    if (one_more(r, &r->record.dkim_count))
        r->dkims[r->record.dkim_count - 1] = r->dkim;
}

static void spf_end(struct report_dmarc_reader *r)
{
    if (!r->spf.result)
        report_remark(r->notes, REPORT_REMARK_RESULT_MISSING, SPAN("spf"));
    if (one_more(r, &r->record.spf_count))
        r->spfs[r->record.spf_count - 1] = r->spf;
}

static bool on_close(void *context, struct span text)
{
    struct report_dmarc_reader *r = context;
    enum report_place place = r->place[r->depth--];
    const struct report_element *leaf = r->leaf;
    r->leaf = NULL;
    if (leaf)
        return report_element_set(r, leaf, trim(text)) || no_room(r);
    if (place == REPORT_IN_RECORD)
        return record_end(r);
    if (place == REPORT_IN_REASON)
        reason_end(r);
    else if (place == REPORT_IN_DKIM)
        dkim_end(r);
    else if (place == REPORT_IN_SPF)
        spf_end(r);
    return true;
}

// --- The whole.

struct report_dmarc_reader *report_dmarc_reader_new(struct report_dmarc *out, struct arena *a,
                                                    struct report_notes *notes)
{
    static const struct report_xml_events events = {on_open, on_close};
    struct report_dmarc_reader *r = mem_new(sizeof *r);
    *out = (struct report_dmarc){0};
    r->out = out;
    r->arena = a;
    r->notes = notes;
    r->tail = &out->records;
    r->texts.arena = a;
    r->texts.notes = notes;
    r->xml = report_xml_new(&events, r, notes);
    return r;
}

struct rc report_dmarc_reader_feed(struct report_dmarc_reader *r, struct span piece)
{
    struct rc rc = report_xml_feed(r->xml, piece);
    return rc_ok(r->rc) ? rc : r->rc;
}

static void document_judge(struct report_dmarc_reader *r)
{
    const struct report_dmarc *d = r->out;
    if (!d->organization.len)
        report_remark(r->notes, REPORT_REMARK_ORGANIZATION_MISSING, SPAN(""));
    if (!d->email.len)
        report_remark(r->notes, REPORT_REMARK_CONTACT_MISSING, SPAN(""));
    if (!d->id.len)
        report_remark(r->notes, REPORT_REMARK_ID_MISSING, SPAN(""));
    if (!d->policy.p && !r->notes->at[REPORT_REMARK_POLICY_VALUE].times)
        report_remark(r->notes, REPORT_REMARK_POLICY_VALUE, SPAN(""));
    if (!d->record_count)
        report_remark(r->notes, REPORT_REMARK_NO_RECORDS, SPAN(""));
}

static struct rc document_end(struct report_dmarc_reader *r)
{
    struct report_dmarc *d = r->out;
    if (!r->begin_given)
        return report_malformed(r->notes, "The report does not say which days it is about.");
    if (!d->policy.domain.len)
        return report_malformed(r->notes, "The report does not say which domain it is about.");
    if (!r->end_given)
        d->end = (struct wall){d->begin.us + SECONDS(86399)};
    if (d->end.us < d->begin.us) {
        report_remark(r->notes, REPORT_REMARK_DATES_TURNED, SPAN(""));
        d->end = d->begin;
    }
    if (r->modern && !r->space[0])
        d->dialect = REPORT_RFC9990;
    document_judge(r);
    return RC(OK);
}

struct rc report_dmarc_reader_end(struct report_dmarc_reader *r)
{
    struct rc rc = report_xml_end(r->xml);
    if (!rc_ok(r->rc))
        return r->rc;
    return rc_ok(rc) ? document_end(r) : rc;
}

void report_dmarc_reader_free(struct report_dmarc_reader **r)
{
    if (!*r)
        return;
    report_xml_free(&(*r)->xml);
    free(*r);
    *r = NULL;
}

struct rc report_dmarc_read(struct report_dmarc *out, struct span xml, struct arena *a,
                            struct report_notes *notes)
{
    *out = (struct report_dmarc){0};
    if (xml.len > REPORT_DMARC_XML_MAX)
        return report_too_large(notes, "The XML is larger than %d bytes.", REPORT_DMARC_XML_MAX);
    CLEANUP(report_dmarc_reader_free)
    struct report_dmarc_reader *r = report_dmarc_reader_new(out, a, notes);
    TRY(report_dmarc_reader_feed(r, xml));
    return report_dmarc_reader_end(r);
}
