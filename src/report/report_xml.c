#include "report_xml.h"

#include "report_xml_filter.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <stdlib.h>
#include <string.h>

// NAMES: libxml2 keeps each different one in a table that does not grow with them.
enum { STEP = 16 << 10, ERRORS_MAX = 1000, NAMES_MAX = 20000 };

struct report_xml {
    const struct report_xml_events *events;
    void *context;
    struct report_notes *notes;
    xmlParserCtxt *parser;
    struct report_utf8 form;
    struct buf clean; // UTF-8, before the filter
    struct report_filter filter;
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
    else if (xmlDictSize(x->parser->dict) > NAMES_MAX)
        stop(x, report_malformed(x->notes, "The XML has more names than any report."));
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

static struct span behind_blanks(struct span s)
{
    while (s.len && (unsigned char)s.at[0] <= ' ')
        s = span_skip(s, 1);
    return s;
}

// Blanks at the front are dropped, so that those between elements cost nothing.
static void on_text(void *context, const xmlChar *s, int len)
{
    struct report_xml *x = context;
    struct span text = {(const char *)s, len > 0 ? (size_t)len : 0};
    text = x->text.len ? text : behind_blanks(text);
    size_t room = REPORT_XML_TEXT - x->text.len;
    if (behind_blanks(span_skip(text, room)).len)
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

// Errors at the end are said in words of ours.
static bool is_end(int code)
{
    return code == XML_ERR_DOCUMENT_END || code == XML_ERR_DOCUMENT_EMPTY;
}

static void on_error(void *context, xmlErrorPtr e)
{
    struct report_xml *x = context;
    struct span said = e->message ? span_str(e->message) : SPAN("");
    while (said.len && said.at[said.len - 1] <= ' ')
        said.len--;
    if (x->stopped || e->level == XML_ERR_WARNING || (is_end(e->code) && !x->ended))
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

static void parse(struct report_xml *x)
{
    struct span ready = buf_span(&x->filter.out);
    if (x->ended) { // one root; the rest is only looked at
        ready = behind_blanks(ready);
        if (ready.len && !x->notes->at[REPORT_REMARK_TEXT_BEHIND].times)
            report_remark(x->notes, REPORT_REMARK_TEXT_BEHIND, ready);
    } else if (!x->stopped && ready.len)
        xmlParseChunk(x->parser, ready.at, (int)ready.len, 0);
    buf_clear(&x->filter.out);
}

static void piece_feed(struct report_xml *x, struct span piece, bool last)
{
    report_utf8_feed(&x->form, &x->clean, piece, last, x->notes);
    struct rc rc = report_filter_feed(&x->filter, buf_span(&x->clean), x->notes);
    buf_clear(&x->clean);
    parse(x);
    if (!rc_ok(rc) && !x->stopped)
        stop(x, rc);
}

struct rc report_xml_feed(struct report_xml *x, struct span piece)
{
    while (piece.len && !x->stopped) {
        piece_feed(x, span_first(piece, STEP), false);
        piece = span_skip(piece, STEP);
    }
    return x->rc;
}

struct rc report_xml_end(struct report_xml *x)
{
    piece_feed(x, SPAN(""), true);
    if (!x->stopped && !x->ended) // what it still holds back for want of more
        xmlParseChunk(x->parser, "", 0, 1);
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
                             .filter = REPORT_FILTER,
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
    report_filter_free(&(*x)->filter);
    buf_free(&(*x)->text);
    free(*x);
    *x = NULL;
}
