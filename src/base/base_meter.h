// What a process counts and measures, by the names that /metrics has
// (docs/metrics.md is made from this table). One set for the whole process: the
// one thing in base with a memory, because a counter that must be handed down to
// where something is refused would not be there.
//
// Pure rooms count nothing; who drives them does. Nothing here fails or blocks.
#pragma once
#include "base_wire.h"

// id, kind, metric name (without "geleit_"), labels, help. Rows of one name stand together.
#define METER_TABLE(X)                                                                             \
    X(SESSIONS_MX, COUNTER, "sessions_total", "service=\"mx\"", "Sessions of clients")             \
    X(SESSIONS_SUBMISSION, COUNTER, "sessions_total", "service=\"submission\"", "")                \
    X(SESSIONS_SUBMISSIONS, COUNTER, "sessions_total", "service=\"submissions\"", "")              \
    X(SESSIONS_OPEN, GAUGE, "sessions", "", "Sessions of clients that are open now")               \
    X(TLS_IN_12, COUNTER, "tls_received_total", "version=\"TLSv1.2\"", "Handshakes by clients")    \
    X(TLS_IN_13, COUNTER, "tls_received_total", "version=\"TLSv1.3\"", "")                         \
    X(TLS_IN_OLD, COUNTER, "tls_received_total", "version=\"older\"", "")                          \
    X(TLS_IN_FAILED, COUNTER, "tls_received_failed_total", "",                                     \
      "Handshakes by clients that failed")                                                         \
    X(RECEIVED, COUNTER, "messages_received_total", "", "Messages accepted")                       \
    X(RECEIVED_BYTES, COUNTER, "received_bytes_total", "", "Bytes of the messages accepted")       \
    X(REFUSED_EARLY, COUNTER, "refused_total", "reason=\"early-talker\"",                          \
      "Clients, senders, recipients and messages refused")                                         \
    X(REFUSED_FULL, COUNTER, "refused_total", "reason=\"too-many-sessions\"", "")                  \
    X(REFUSED_CLIENT_FULL, COUNTER, "refused_total", "reason=\"too-many-of-client\"", "")          \
    X(REFUSED_CONNECT_RATE, COUNTER, "refused_total", "reason=\"connect-rate\"", "")               \
    X(REFUSED_MESSAGE_RATE, COUNTER, "refused_total", "reason=\"message-rate\"", "")               \
    X(REFUSED_RECIPIENT_RATE, COUNTER, "refused_total", "reason=\"recipient-rate\"", "")           \
    X(REFUSED_DNSBL, COUNTER, "refused_total", "reason=\"dnsbl\"", "")                             \
    X(REFUSED_FCRDNS, COUNTER, "refused_total", "reason=\"fcrdns\"", "")                           \
    X(REFUSED_SLOW, COUNTER, "refused_total", "reason=\"slow\"", "")                               \
    X(REFUSED_PROXY, COUNTER, "refused_total", "reason=\"proxy-header\"", "")                      \
    X(REFUSED_RELAY, COUNTER, "refused_total", "reason=\"relay\"", "")                             \
    X(REFUSED_UNKNOWN, COUNTER, "refused_total", "reason=\"unknown-mailbox\"", "")                 \
    X(REFUSED_LATER, COUNTER, "refused_total", "reason=\"mailbox-not-known-now\"", "")             \
    X(REFUSED_TLS, COUNTER, "refused_total", "reason=\"tls-required\"", "")                        \
    X(REFUSED_SENDER, COUNTER, "refused_total", "reason=\"sender-not-own\"", "")                   \
    X(REFUSED_SPF, COUNTER, "refused_total", "reason=\"spf\"", "")                                 \
    X(REFUSED_DMARC, COUNTER, "refused_total", "reason=\"dmarc\"", "")                             \
    X(REFUSED_LOOP, COUNTER, "refused_total", "reason=\"loop\"", "")                               \
    X(REFUSED_STORE, COUNTER, "refused_total", "reason=\"store\"", "")                             \
    X(LOGINS, COUNTER, "logins_total", "result=\"success\"", "Logins of users")                    \
    X(LOGINS_FAILED, COUNTER, "logins_total", "result=\"failure\"", "")                            \
    X(LOGINS_LATER, COUNTER, "logins_total", "result=\"later\"", "")

enum meter {
#define X(id, ...) METER_##id,
    METER_TABLE(X)
#undef X
        METERS
};
enum meter_kind { METER_IS_COUNTER, METER_IS_GAUGE };

struct meter_row {
    enum meter_kind kind;
    const char *name, *labels, *help;
};
extern const struct meter_row meter_rows[METERS];

void meter_count(enum meter m, uint64_t n);  // counters only go up
void meter_set(enum meter m, int64_t value); // gauges
int64_t meter_value(enum meter m);

// Those that are not zero: [u16 meter, i64 value]. Adding up what several processes
// have is the reader's; false: malformed.
void meter_pack(struct buf *b);
bool meter_unpack_add(struct rd *r, int64_t sum[static METERS]);
// The text form of Prometheus (0.0.4), every row.
void meter_put(struct buf *b, const int64_t value[static METERS]);
