#include "report_xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 16 << 10, ERRORS_MAX = 1000 };

enum report_shape {
    REPORT_UNDECIDED,
    REPORT_ELEMENT,
    REPORT_COMMENT,
    REPORT_CDATA,
    REPORT_INSTRUCTION,
    REPORT_DOCTYPE
};

struct report_xml {
    const struct report_xml_events *events;
    void *context;
    struct report_notes *notes;
    xmlParserCtxt *parser;
    struct report_utf8 form;
    struct buf clean; // UTF-8, before the filter
    struct buf tag;   // from its "<", until it is whole
    enum report_shape shape;
    char quote;       // inside an attribute of it
    struct buf ready; // for libxml2
    struct buf text;
    unsigned depth, errors;
    bool begun, ended; // the root
    bool stopped;      // by an event
    struct rc rc;
};

static void stop(struct report_xml *x, struct rc rc)
{
    if (rc_ok(x->rc))
        x->rc = rc;
    x->stopped = true;
    xmlStopParser(x->parser);
}

static struct span of_xml(const xmlChar *s)
{
    return span_str((const char *)s);
}

// --- Events of libxml2.

static void on_open(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                    int spaces, const xmlChar **space, int attributes, int defaulted,
                    const xmlChar **attribute)
{
    struct report_xml *x = context;
    (void)prefix, (void)spaces, (void)space, (void)attributes, (void)defaulted, (void)attribute;
    if (x->stopped || x->ended)
        return;
    buf_clear(&x->text);
    x->begun = true;
    if (++x->depth > REPORT_XML_DEPTH)
        stop(x, report_malformed(x->notes, "The XML is nested deeper than any report."));
    else if (!x->events->open(x->context, of_xml(name), of_xml(uri)))
        stop(x, RC(MALFORMED));
}

static void on_close(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct report_xml *x = context;
    (void)name, (void)prefix, (void)uri;
    if (x->stopped || x->ended)
        return;
    x->depth--;
    x->ended = x->depth == 0;
    if (!x->events->close(x->context, buf_span(&x->text)))
        stop(x, RC(MALFORMED));
    buf_clear(&x->text);
}

static void on_text(void *context, const xmlChar *s, int len)
{
    struct report_xml *x = context;
    struct span text = {(const char *)s, len > 0 ? (size_t)len : 0};
    size_t room = REPORT_XML_TEXT - x->text.len;
    if (text.len > room)
        report_remark(x->notes, REPORT_REMARK_TEXT_CUT, buf_span(&x->text));
    buf_put(&x->text, span_first(text, room));
}

// What can be read past without the tree becoming another one.
static bool is_harmless(int code)
{
    static const int codes[] = {
        XML_ERR_UNDECLARED_ENTITY,
        XML_WAR_UNDECLARED_ENTITY,
        XML_ERR_NAME_REQUIRED,
        XML_ERR_ENTITYREF_SEMICOL_MISSING,
        XML_ERR_INVALID_CHAR,
        XML_ERR_INVALID_CHARREF,
        XML_ERR_ENTITYREF_NO_NAME,
        XML_ERR_INVALID_HEX_CHARREF,
        XML_ERR_INVALID_DEC_CHARREF,
        XML_NS_ERR_XML_NAMESPACE,
        XML_NS_ERR_UNDEFINED_NAMESPACE,
        XML_NS_ERR_QNAME,
        XML_NS_ERR_ATTRIBUTE_REDEFINED,
        XML_NS_ERR_EMPTY,
        XML_NS_ERR_COLON,
        XML_ERR_ATTRIBUTE_REDEFINED,
        XML_WAR_NS_URI,
        XML_WAR_NS_URI_RELATIVE,
        XML_ERR_NS_DECL_ERROR,
        XML_WAR_SPACE_VALUE,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static void on_error(void *context, xmlErrorPtr e)
{
    struct report_xml *x = context;
    struct span said = e->message ? span_str(e->message) : SPAN("");
    while (said.len && said.at[said.len - 1] <= ' ')
        said.len--;
    if (x->stopped || e->level == XML_ERR_WARNING)
        return;
    if (x->ended) {
        if (!x->notes->at[REPORT_REMARK_TEXT_BEHIND].times)
            report_remark(x->notes, REPORT_REMARK_TEXT_BEHIND, SPAN(""));
        return;
    }
    report_remark(x->notes, REPORT_REMARK_NOT_WELL_FORMED, said);
    if (!is_harmless(e->code) || ++x->errors > ERRORS_MAX)
        stop(x, report_malformed(x->notes, "The XML is not well-formed: line %d: %.*s.", e->line,
                                 SPAN_FMT(said)));
}

// --- The filter.

static void parse(struct report_xml *x)
{
    if (!x->stopped && x->ready.len)
        xmlParseChunk(x->parser, x->ready.at, (int)x->ready.len, 0);
    buf_clear(&x->ready);
}

static void ready_put(struct report_xml *x, struct span s)
{
    if (x->ended) // one root; the rest is only looked at
        return;
    buf_put(&x->ready, s);
    if (x->ready.len >= STEP)
        parse(x);
}

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

static bool is_whole(struct report_xml *x, char c)
{
    struct span tag = buf_span(&x->tag);
    if (c != '>' && x->shape != REPORT_ELEMENT)
        return false;
    if (x->shape == REPORT_COMMENT)
        return tag.len >= 7 && span_ends(tag, SPAN("-->"));
    if (x->shape == REPORT_CDATA)
        return span_ends(tag, SPAN("]]>"));
    if (x->shape == REPORT_INSTRUCTION)
        return tag.len >= 4 && span_ends(tag, SPAN("?>"));
    if (x->quote)
        x->quote = c == x->quote ? 0 : x->quote;
    else if (c == '"' || c == '\'')
        x->quote = c;
    else
        return c == '>';
    return false;
}

// Some put a fragment of the schema around or into their reports, mostly without its other end.
static bool is_schema(struct span tag)
{
    return span_starts(tag, SPAN("<xs:schema")) || span_starts(tag, SPAN("</xs:schema"));
}

static void tag_done(struct report_xml *x)
{
    struct span tag = buf_span(&x->tag);
    bool element = x->shape == REPORT_ELEMENT;
    if (x->ended && element)
        report_remark(x->notes, REPORT_REMARK_TEXT_BEHIND, tag);
    if (element && is_schema(tag))
        report_remark(x->notes, REPORT_REMARK_NOT_WELL_FORMED, tag);
    else if (element || x->shape == REPORT_CDATA)
        ready_put(x, tag);
    buf_clear(&x->tag);
    x->quote = 0;
    x->shape = REPORT_UNDECIDED;
}

static void tag_check(struct report_xml *x)
{
    if (x->shape == REPORT_DOCTYPE)
        stop(x, report_malformed(x->notes, "It has a document type declaration."));
    else if (!rc_ok(buf_state(&x->tag)))
        stop(x, report_too_large(x->notes, "The XML has a tag of more than %d bytes.",
                                 REPORT_XML_TAG));
}

// Up to the end of the tag, or of the piece.
static struct span tag_feed(struct report_xml *x, struct span s)
{
    for (size_t i = 0; i < s.len && !x->stopped; i++) {
        buf_putc(&x->tag, s.at[i]);
        if (x->shape == REPORT_UNDECIDED)
            x->shape = shape_of(buf_span(&x->tag));
        if (x->shape != REPORT_UNDECIDED && x->shape != REPORT_DOCTYPE && is_whole(x, s.at[i])) {
            tag_done(x);
            return span_skip(s, i + 1);
        }
        if (x->shape == REPORT_DOCTYPE || x->tag.overrun)
            tag_check(x);
    }
    return SPAN("");
}

static void filter(struct report_xml *x, struct span s)
{
    while (s.len && !x->stopped) {
        size_t run = x->tag.len ? 0 : span_index(s, '<');
        if (x->begun) // what stands before the root is blank or junk
            ready_put(x, span_first(s, run));
        s = span_skip(s, run);
        if (s.len)
            s = tag_feed(x, s);
        if (!x->begun)
            parse(x); // until the root is seen
    }
}

static void clean_feed(struct report_xml *x, struct span piece, bool last)
{
    report_utf8_feed(&x->form, &x->clean, piece, last, x->notes);
    filter(x, buf_span(&x->clean));
    buf_clear(&x->clean);
}

struct rc report_xml_feed(struct report_xml *x, struct span piece)
{
    while (piece.len && !x->stopped) {
        clean_feed(x, span_first(piece, STEP), false);
        piece = span_skip(piece, STEP);
    }
    return x->rc;
}

struct rc report_xml_end(struct report_xml *x)
{
    clean_feed(x, SPAN(""), true);
    parse(x);
    if (!x->stopped && !x->begun)
        stop(x, report_malformed(x->notes, "There is no XML element in it."));
    if (!x->stopped && !x->ended)
        stop(x, report_malformed(x->notes, "The XML is cut short."));
    return x->rc;
}

struct report_xml *report_xml_new(const struct report_xml_events *events, void *context,
                                  struct report_notes *notes)
{
    xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                         .startElementNs = on_open,
                         .endElementNs = on_close,
                         .characters = on_text,
                         .cdataBlock = on_text,
                         .serror = on_error};
    struct report_xml *x = mem_new(sizeof *x);
    *x = (struct report_xml){.events = events,
                             .context = context,
                             .notes = notes,
                             .form = REPORT_UTF8_NEW,
                             .clean = BUF(16 * STEP),
                             .tag = BUF(REPORT_XML_TAG),
                             .ready = BUF(4 * STEP + REPORT_XML_TAG),
                             .text = BUF(REPORT_XML_TEXT)};
    x->parser = xmlCreatePushParserCtxt(&sax, x, NULL, 0, NULL);
    if (!x->parser)
        panic("no memory for the XML parser");
    xmlCtxtUseOptions(x->parser, XML_PARSE_NONET | XML_PARSE_RECOVER | XML_PARSE_IGNORE_ENC);
    xmlSwitchEncoding(x->parser, XML_CHAR_ENCODING_UTF8);
    return x;
}

void report_xml_free(struct report_xml **x)
{
    if (!*x)
        return;
    xmlFreeParserCtxt((*x)->parser);
    report_utf8_free(&(*x)->form);
    buf_free(&(*x)->clean);
    buf_free(&(*x)->tag);
    buf_free(&(*x)->ready);
    buf_free(&(*x)->text);
    free(*x);
    *x = NULL;
}
