// The reader of DMARC reports: its parts, for this room only.
#pragma once
#include "report_dmarc.h"
#include "report_intern.h"
#include "report_xml.h"

enum report_place { // the elements that hold others
    REPORT_IN_NOTHING,
    REPORT_IN_FEEDBACK,
    REPORT_IN_METADATA,
    REPORT_IN_DATES,
    REPORT_IN_PUBLISHED,
    REPORT_IN_RECORD,
    REPORT_IN_ROW,
    REPORT_IN_EVALUATED,
    REPORT_IN_REASON,
    REPORT_IN_IDENTIFIERS,
    REPORT_IN_RESULTS,
    REPORT_IN_DKIM,
    REPORT_IN_SPF,
    REPORT_IN_UNKNOWN,
    REPORT_PLACES,
};

struct report_element; // a row of the table

struct report_dmarc_reader {
    struct report_dmarc *out;
    struct arena *arena;
    struct report_notes *notes;
    struct report_xml *xml;
    struct report_intern texts;
    struct rc rc;
    char space[128]; // namespace of the root
    unsigned depth;
    enum report_place place[REPORT_XML_DEPTH + 1]; // of each open element
    const struct report_element *leaf;             // NULL: the open element is none
    unsigned seen;                                 // places, of the document or of the record
    bool begin_given, end_given, count_given, modern;
    struct report_record **tail;
    // The record that is being read; lists are copied when it is whole.
    struct report_record record;
    struct report_reason reasons[REPORT_DMARC_LIST_MAX], reason;
    struct report_dkim dkims[REPORT_DMARC_LIST_MAX], dkim;
    struct report_spf spfs[REPORT_DMARC_LIST_MAX], spf;
};

// The element of that name in that place; NULL: not known.
const struct report_element *report_element_find(enum report_place place, struct span name);
enum report_place report_element_place(const struct report_element *e); // NOTHING: a leaf
// What the element says, put where it belongs. False: the arena is full.
bool report_element_set(struct report_dmarc_reader *r, const struct report_element *e,
                        struct span text);
