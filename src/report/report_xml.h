// Hostile XML as a stream of elements: libxml2 behind a filter. The filter makes UTF-8 of it,
// refuses document types (so there are no entities but XML's five) and long tags, and drops
// declarations, comments and processing instructions. No network, no files, no tree. For this room
// only.
#pragma once
#include "report_utf8.h"

struct report_xml_events {
    // `space` is the namespace, .at == NULL: none. False stops the parser; the caller knows why.
    bool (*open)(void *context, struct span name, struct span space);
    bool (*close)(void *context, struct span text); // text directly in the element, entities undone
};
enum { REPORT_XML_DEPTH = 24, REPORT_XML_TEXT = 8 << 10 };

struct report_xml;
struct report_xml *report_xml_new(const struct report_xml_events *events, void *context,
                                  struct report_notes *notes);
struct rc report_xml_feed(struct report_xml *x, struct span piece);
struct rc report_xml_end(struct report_xml *x); // MALFORMED also where the root never ended
void report_xml_free(struct report_xml **x);
