// What is said about a foreign document beside its content: remarks, one kind each, where it was
// sloppy and we were liberal, and the fault, one sentence, where it could not be taken.
#pragma once
#include "base_json.h"
#include "base_rc.h"
#include "base_wire.h"

// name, sentence
#define REPORT_REMARK_TABLE(X)                                                                     \
    /* how it came */                                                                              \
    X(MISLABELLED, "the attachment is labelled as something else than it is")                      \
    X(MAIL_DAMAGED, "the mail around the report is damaged")                                       \
    X(BROKEN_PART, "another file or attachment could not be read")                                 \
    X(GZIP_TRAILER, "there is something behind the end of the gzip stream")                        \
    X(PACKED_TWICE, "it is packed twice")                                                          \
    X(ZIP_OTHER_FILES, "the archive holds other files beside the report")                          \
    X(MORE_REPORTS, "the mail holds more reports than are taken at once")                          \
    /* text */                                                                                     \
    X(NOT_UTF8, "the text is not UTF-8")                                                           \
    X(CONTROL_CHARACTERS, "the text has control characters")                                       \
    X(TEXT_CUT, "a text is too long and was cut")                                                  \
    X(TEXT_BEHIND, "there is text behind the end of the document")                                 \
    /* any report */                                                                               \
    X(ORGANIZATION_MISSING, "the organization's name is missing")                                  \
    X(CONTACT_MISSING, "the contact is missing or null")                                           \
    X(ID_MISSING, "the report's identifier is missing")                                            \
    X(DATES_TURNED, "the report's range ends before it begins")                                    \
    X(DATE_FORM, "a date is not written as it should be")                                          \
    X(NO_COUNT, "a count is missing and taken for zero")                                           \
    X(COUNT_FORM, "a count is not written as a plain number")                                      \
    X(COUNT_SUM, "the sum of the failure details is less than the failures of the summary")        \
    X(NOT_DOMAIN, "something is no domain name where one should be")                               \
    X(NOT_ADDRESS, "something is no IP address where one should be")                               \
    X(UNKNOWN_FIELD, "a field is not known and was passed over")                                   \
    X(WRONG_TYPE, "a field is of the wrong type and was passed over")                              \
    X(TOO_MANY, "a list is too long and was cut")                                                  \
    /* TLS-RPT */                                                                                  \
    X(NO_POLICIES, "there are no policies in it")                                                  \
    X(POLICY_MISSING, "an entry says nothing of its policy")                                       \
    X(POLICY_TYPE, "a policy type is not one of RFC 8460")                                         \
    X(POLICY_DOMAIN_MISSING, "policy-domain is missing")                                           \
    X(SUMMARY_MISSING, "the summary of a policy is missing")                                       \
    X(RESULT_TYPE, "a result type is not one of RFC 8460")                                         \
    X(SENDING_IP_MISSING, "sending-mta-ip is missing")                                             \
    X(MX_HOSTNAME_MISSING, "receiving-mx-hostname is missing")                                     \
    X(NULL_FIELD, "a field is null where it should be left out")                                   \
    X(SINGLE_FOR_LIST, "a single value stands where a list should be")                             \
    /* DMARC */                                                                                    \
    X(NOT_WELL_FORMED, "the XML is not well-formed")                                               \
    X(NAMESPACE, "the XML namespace is not one of DMARC's")                                        \
    X(VERSION, "the version is not 1.0")                                                           \
    X(NO_RECORDS, "there are no records in it")                                                    \
    X(POLICY_VALUE, "a value of the published policy is not one of the standard's")                \
    X(RESULT_VALUE, "a result is not one of the standard's")                                       \
    X(RESULT_MISSING, "a result is missing or empty")                                              \
    X(DISPOSITION_VALUE, "a disposition is not one of the standard's, or is missing")              \
    X(REASON_VALUE, "the reason for an override is empty or not one of the standard's")            \
    X(HEADER_FROM_MISSING, "header_from is missing")                                               \
    X(SELECTOR_MISSING, "the selector of a DKIM signature is missing")                             \
    X(UPPER_CASE, "a value is in capitals")                                                        \
    X(REPEATED, "an element occurs twice where it may occur once")

enum report_remark {
#define X(name, sentence) REPORT_REMARK_##name,
    REPORT_REMARK_TABLE(X)
#undef X
        REPORT_REMARKS
};
const char *report_remark_text(enum report_remark r); // the sentence

enum { REPORT_FIRST_MAX = 64, REPORT_FAULT_MAX = 256 };

struct report_notes { // begin with {0}
    struct {
        unsigned times;
        char first[REPORT_FIRST_MAX]; // the first such thing, cut, one line; may be empty
    } at[REPORT_REMARKS];
    char fault[REPORT_FAULT_MAX]; // one sentence, if the call failed
};

void report_remark(struct report_notes *n, enum report_remark r, struct span first);
// Notes the sentence (the first one stays) and gives back MALFORMED or TOO_LARGE, to be returned.
struct rc report_malformed(struct report_notes *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct rc report_too_large(struct report_notes *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

size_t report_notes_count(const struct report_notes *n); // kinds of remarks
// "sending-mta-ip is missing (12 times)", one a line.
void report_notes_put(struct buf *b, const struct report_notes *n);
// [{"remark": "…", "text": "…", "times": 12, "first": "…"}]
void report_notes_put_json(struct json *j, const char *key, const struct report_notes *n);
// For the way from the child that reads foreign bytes to its parent.
void report_notes_pack(struct buf *b, const struct report_notes *n);
bool report_notes_unpack(struct rd *r, struct report_notes *out);
