// Event records, one line each on standard error:
//   2026-11-22T01:58:26.123Z info receiver message-accepted id=4f2 size=10240
// Values are quoted where they hold a blank or a quote; control characters and
// bytes that are no UTF-8 are escaped, so a foreign byte can neither forge a line
// nor steer a terminal.
#pragma once
#include "base_span.h"
#include "base_time.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key; // NULL ends the list
    struct span text;
    int64_t number;
    bool is_number;
};

#define LOG_S(k, s) ((struct log_field){.key = (k), .text = (s)})
#define LOG_T(k, s) ((struct log_field){.key = (k), .text = span_str(s)})
#define LOG_I(k, n) ((struct log_field){.key = (k), .number = (int64_t)(n), .is_number = true})

// Who speaks, and the least level written. The role's name is not copied.
void log_setup(const char *role, enum log_level least);
#define LOG(level, event, ...)                                                                     \
    log_write(level, event, (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})
void log_write(enum log_level level, const char *event, const struct log_field *fields);
// The line without its end, for tests and for who writes elsewhere.
void log_put(struct buf *b, struct wall now, enum log_level level, const char *event,
             const struct log_field *fields);
bool log_on(enum log_level level);
