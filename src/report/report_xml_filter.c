#include "report_xml_filter.h"

enum { FAULTS_MAX = 1000000 }; // each costs the parser a call

static enum report_shape shape_of(struct span tag)
{
    static const struct {
        struct span front;
        enum report_shape shape;
    } table[] = {{{"<!--", 4}, REPORT_COMMENT},
                 {{"<![CDATA[", 9}, REPORT_CDATA},
                 {{"<?", 2}, REPORT_INSTRUCTION}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (span_starts(tag, table[i].front))
            return table[i].shape;
        if (span_starts(table[i].front, tag))
            return REPORT_UNDECIDED;
    }
    return span_starts(tag, SPAN("<!")) ? REPORT_DOCTYPE : REPORT_ELEMENT;
}

static bool is_whole(struct report_filter *f, char c)
{
    struct span tag = buf_span(&f->tag);
    if (c != '>' && f->shape != REPORT_ELEMENT)
        return false;
    if (f->shape == REPORT_COMMENT)
        return tag.len >= 7 && span_ends(tag, SPAN("-->"));
    if (f->shape == REPORT_CDATA)
        return span_ends(tag, SPAN("]]>"));
    if (f->shape == REPORT_INSTRUCTION)
        return tag.len >= 4 && span_ends(tag, SPAN("?>"));
    if (f->quote) {
        f->quote = c == f->quote ? 0 : f->quote;
        return false;
    }
    if (c == '"' || c == '\'')
        f->quote = c;
    else if (c == '=')
        f->attributes++;
    return !f->quote && c == '>';
}

// Some put a fragment of the schema around or into their reports, mostly without its other end.
static bool is_schema(struct span tag)
{
    return span_starts(tag, SPAN("<xs:schema")) || span_starts(tag, SPAN("</xs:schema"));
}

static void tag_done(struct report_filter *f, struct report_notes *notes)
{
    struct span tag = buf_span(&f->tag);
    if (f->shape == REPORT_ELEMENT && is_schema(tag))
        report_remark(notes, REPORT_REMARK_NOT_WELL_FORMED, tag);
    else if (f->shape == REPORT_ELEMENT || (f->shape == REPORT_CDATA && f->begun)) {
        f->begun = true;
        buf_put(&f->out, tag);
    }
    buf_clear(&f->tag);
    f->quote = 0;
    f->attributes = 0;
    f->shape = REPORT_UNDECIDED;
}

// One byte of a tag; OK also when it ended the tag.
static struct rc tag_byte(struct report_filter *f, char c, struct report_notes *notes)
{
    buf_putc(&f->tag, c);
    if (!rc_ok(buf_state(&f->tag)))
        return report_too_large(notes, "The XML has a tag of more than %zu bytes.", f->tag.max);
    if (f->shape == REPORT_UNDECIDED)
        f->shape = shape_of(buf_span(&f->tag));
    if (f->shape == REPORT_DOCTYPE)
        return report_malformed(notes, "It has a document type declaration.");
    if (f->shape != REPORT_UNDECIDED && is_whole(f, c))
        tag_done(f, notes);
    if (f->attributes > REPORT_XML_ATTRIBUTES)
        return report_malformed(notes, "The XML has a tag with more attributes than any report.");
    return RC(OK);
}

// --- References: the five entities of XML, and characters it permits (XML 1.0 §4.1, §4.6).

static bool is_character(struct span s)
{
    uint64_t v = 0;
    unsigned base = span_istarts(s, SPAN("x")) ? 16 : 10;
    s = span_skip(s, base == 16);
    for (size_t i = 0; i < s.len && v < 0x110000; i++) {
        char c = s.at[i];
        unsigned digit =
            c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
        if (digit >= base)
            return false;
        v = v * base + digit;
    }
    bool low = v >= 0x20 || v == '\t' || v == '\n' || v == '\r';
    return s.len && low && v < 0x110000 && (v < 0xd800 || v > 0xdfff) && v != 0xfffe && v != 0xffff;
}

static bool is_reference(struct span s) // between "&" and ";"
{
    static const char *const names[] = {"amp", "lt", "gt", "quot", "apos"};
    if (span_starts(s, SPAN("#")))
        return is_character(span_skip(s, 1));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (span_eq(s, span_str(names[i])))
            return true;
    return false;
}

static void reference_done(struct report_filter *f, struct report_notes *notes)
{
    struct span whole = {f->reference, f->reference_len};
    bool ended = span_ends(whole, SPAN(";"));
    if (ended && is_reference(span_first(span_skip(whole, 1), whole.len - 2)))
        buf_put(&f->out, whole);
    else {
        report_remark(notes, REPORT_REMARK_NOT_WELL_FORMED, whole);
        buf_put(&f->out, SPAN("&amp;"));
        buf_put(&f->out, span_skip(whole, 1));
    }
    f->reference_len = 0;
}

static bool may_continue(const struct report_filter *f, char c)
{
    bool name = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return f->reference_len < sizeof f->reference && (name || c == '#' || c == ';');
}

// Takes what belongs to the reference; true while there may be more of it.
static bool reference_byte(struct report_filter *f, char c, struct report_notes *notes)
{
    bool takes = may_continue(f, c);
    if (takes)
        f->reference[f->reference_len++] = c;
    if (!takes || c == ';')
        reference_done(f, notes);
    return takes;
}

// Text up to what may be a tag or a reference; what stands before the root is blank or junk.
static size_t plain_take(struct report_filter *f, struct span s)
{
    size_t run = 0;
    while (run < s.len && s.at[run] != '<' && s.at[run] != '&')
        run++;
    if (f->begun)
        buf_put(&f->out, span_first(s, run));
    if (run < s.len && s.at[run] == '&') {
        f->reference[0] = '&';
        f->reference_len = f->begun;
        run++;
    }
    return run;
}

struct rc report_filter_feed(struct report_filter *f, struct span text, struct report_notes *notes)
{
    for (size_t i = 0; i < text.len;) {
        if (f->reference_len)
            i += reference_byte(f, text.at[i], notes);
        else if (f->tag.len || text.at[i] == '<')
            TRY(tag_byte(f, text.at[i++], notes));
        else
            i += plain_take(f, span_skip(text, i));
    }
    if (notes->at[REPORT_REMARK_NOT_WELL_FORMED].times > FAULTS_MAX)
        return report_malformed(notes, "The XML is wrong in more places than are looked at.");
    return RC(OK);
}

void report_filter_free(struct report_filter *f)
{
    buf_free(&f->out);
    buf_free(&f->tag);
}
