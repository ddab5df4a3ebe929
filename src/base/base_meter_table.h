// The rows of base_meter.h: X(id, kind, metric name without "geleit_", labels, help), rows of
// one name together, help at the first; and Y(id, metric name, help, buckets) for histograms.
#pragma once

// COUNTER: only goes up. GAUGE: of several processes their sum. GAUGE_ONE: all have the same,
// the largest counts. LEAST: the least that is not 0 counts.
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
    X(REFUSED_FROM, COUNTER, "refused_total", "reason=\"from\"", "")                               \
    X(REFUSED_LOOP, COUNTER, "refused_total", "reason=\"loop\"", "")                               \
    X(REFUSED_STORE, COUNTER, "refused_total", "reason=\"store\"", "")                             \
    X(LOGINS, COUNTER, "logins_total", "result=\"success\"", "Logins of users")                    \
    X(LOGINS_FAILED, COUNTER, "logins_total", "result=\"failure\"", "")                            \
    X(LOGINS_LATER, COUNTER, "logins_total", "result=\"later\"", "")                               \
    X(SPF_NONE, COUNTER, "spf_total", "result=\"none\"", "SPF results of mail from outside")       \
    X(SPF_PASS, COUNTER, "spf_total", "result=\"pass\"", "")                                       \
    X(SPF_FAIL, COUNTER, "spf_total", "result=\"fail\"", "")                                       \
    X(SPF_SOFTFAIL, COUNTER, "spf_total", "result=\"softfail\"", "")                               \
    X(SPF_NEUTRAL, COUNTER, "spf_total", "result=\"neutral\"", "")                                 \
    X(SPF_POLICY, COUNTER, "spf_total", "result=\"policy\"", "")                                   \
    X(SPF_TEMPERROR, COUNTER, "spf_total", "result=\"temperror\"", "")                             \
    X(SPF_PERMERROR, COUNTER, "spf_total", "result=\"permerror\"", "")                             \
    X(DKIM_NONE, COUNTER, "dkim_total", "result=\"none\"",                                         \
      "DKIM results of mail from outside, the best of a message's signatures")                     \
    X(DKIM_PASS, COUNTER, "dkim_total", "result=\"pass\"", "")                                     \
    X(DKIM_FAIL, COUNTER, "dkim_total", "result=\"fail\"", "")                                     \
    X(DKIM_SOFTFAIL, COUNTER, "dkim_total", "result=\"softfail\"", "")                             \
    X(DKIM_NEUTRAL, COUNTER, "dkim_total", "result=\"neutral\"", "")                               \
    X(DKIM_POLICY, COUNTER, "dkim_total", "result=\"policy\"", "")                                 \
    X(DKIM_TEMPERROR, COUNTER, "dkim_total", "result=\"temperror\"", "")                           \
    X(DKIM_PERMERROR, COUNTER, "dkim_total", "result=\"permerror\"", "")                           \
    X(DMARC_NONE, COUNTER, "dmarc_total", "result=\"none\"", "DMARC results of mail from outside") \
    X(DMARC_PASS, COUNTER, "dmarc_total", "result=\"pass\"", "")                                   \
    X(DMARC_FAIL, COUNTER, "dmarc_total", "result=\"fail\"", "")                                   \
    X(DMARC_SOFTFAIL, COUNTER, "dmarc_total", "result=\"softfail\"", "")                           \
    X(DMARC_NEUTRAL, COUNTER, "dmarc_total", "result=\"neutral\"", "")                             \
    X(DMARC_POLICY, COUNTER, "dmarc_total", "result=\"policy\"", "")                               \
    X(DMARC_TEMPERROR, COUNTER, "dmarc_total", "result=\"temperror\"", "")                         \
    X(DMARC_PERMERROR, COUNTER, "dmarc_total", "result=\"permerror\"", "")                         \
    X(EVALUATED_NONE, COUNTER, "evaluated_total", "disposition=\"none\"",                          \
      "What DMARC led to, of messages that were evaluated")                                        \
    X(EVALUATED_QUARANTINE, COUNTER, "evaluated_total", "disposition=\"quarantine\"", "")          \
    X(EVALUATED_REJECT, COUNTER, "evaluated_total", "disposition=\"reject\"", "")                  \
    X(EVALUATED_LATE, COUNTER, "evaluated_late_total", "",                                         \
      "Evaluations that auth.timeout ended before everything was known")                           \
    X(CERTIFICATE_EXPIRES, LEAST, "certificate_expires_timestamp_seconds", "",                     \
      "When the first of our certificates expires, in seconds since 1970; 0: there is none")       \
    X(CERTIFICATES, GAUGE_ONE, "certificates", "", "Our certificates that clients are shown")      \
    X(ATTEMPT_DELIVERED, COUNTER, "attempts_total", "result=\"delivered\"",                        \
      "Attempts to deliver a message to a domain, by their worst recipient")                       \
    X(ATTEMPT_DEFERRED, COUNTER, "attempts_total", "result=\"deferred\"", "")                      \
    X(ATTEMPT_FAILED, COUNTER, "attempts_total", "result=\"failed\"", "")                          \
    X(RECIPIENT_DELIVERED, COUNTER, "recipients_total", "result=\"delivered\"",                    \
      "Recipients of attempts, by what became of them")                                            \
    X(RECIPIENT_DEFERRED, COUNTER, "recipients_total", "result=\"deferred\"", "")                  \
    X(RECIPIENT_FAILED, COUNTER, "recipients_total", "result=\"failed\"", "")                      \
    X(DELIVERED_BYTES, COUNTER, "delivered_bytes_total", "",                                       \
      "Bytes of messages that other servers took")                                                 \
    X(DEFERRED_OTHER, COUNTER, "deferred_total", "reason=\"other\"",                               \
      "Recipients put off, by the subject of the status code (RFC 3463)")                          \
    X(DEFERRED_ADDRESS, COUNTER, "deferred_total", "reason=\"address\"", "")                       \
    X(DEFERRED_MAILBOX, COUNTER, "deferred_total", "reason=\"mailbox\"", "")                       \
    X(DEFERRED_SYSTEM, COUNTER, "deferred_total", "reason=\"system\"", "")                         \
    X(DEFERRED_NETWORK, COUNTER, "deferred_total", "reason=\"network\"", "")                       \
    X(DEFERRED_PROTOCOL, COUNTER, "deferred_total", "reason=\"protocol\"", "")                     \
    X(DEFERRED_CONTENT, COUNTER, "deferred_total", "reason=\"content\"", "")                       \
    X(DEFERRED_POLICY, COUNTER, "deferred_total", "reason=\"policy\"", "")                         \
    X(FAILED_OTHER, COUNTER, "failed_total", "reason=\"other\"",                                   \
      "Recipients given up, by the subject of the status code (RFC 3463)")                         \
    X(FAILED_ADDRESS, COUNTER, "failed_total", "reason=\"address\"", "")                           \
    X(FAILED_MAILBOX, COUNTER, "failed_total", "reason=\"mailbox\"", "")                           \
    X(FAILED_SYSTEM, COUNTER, "failed_total", "reason=\"system\"", "")                             \
    X(FAILED_NETWORK, COUNTER, "failed_total", "reason=\"network\"", "")                           \
    X(FAILED_PROTOCOL, COUNTER, "failed_total", "reason=\"protocol\"", "")                         \
    X(FAILED_CONTENT, COUNTER, "failed_total", "reason=\"content\"", "")                           \
    X(FAILED_POLICY, COUNTER, "failed_total", "reason=\"policy\"", "")                             \
    X(SENT_AS_DANE, COUNTER, "delivered_total", "protection=\"dane\"",                             \
      "Recipients delivered, by what protected the connection; local: the mailbox server")         \
    X(SENT_AS_PINNED, COUNTER, "delivered_total", "protection=\"pinned\"", "")                     \
    X(SENT_AS_PKIX, COUNTER, "delivered_total", "protection=\"pkix\"", "")                         \
    X(SENT_AS_ENCRYPTED, COUNTER, "delivered_total", "protection=\"encrypted\"", "")               \
    X(SENT_AS_CLEAR, COUNTER, "delivered_total", "protection=\"clear\"", "")                       \
    X(SENT_AS_LOCAL, COUNTER, "delivered_total", "protection=\"local\"", "")                       \
    X(SESSIONS_OUT, COUNTER, "sessions_sent_total", "", "Sessions with other servers")             \
    X(SESSIONS_OUT_FAILED, COUNTER, "sessions_sent_failed_total", "",                              \
      "Sessions with other servers that came to no transaction")                                   \
    X(TLS_OUT_12, COUNTER, "tls_sent_total", "version=\"TLSv1.2\"",                                \
      "Handshakes with other servers")                                                             \
    X(TLS_OUT_13, COUNTER, "tls_sent_total", "version=\"TLSv1.3\"", "")                            \
    X(TLS_OUT_OLD, COUNTER, "tls_sent_total", "version=\"older\"", "")                             \
    X(GROUP_OUT_X25519, COUNTER, "tls_sent_groups_total", "group=\"x25519\"",                      \
      "Groups of key exchange with other servers")                                                 \
    X(GROUP_OUT_P256, COUNTER, "tls_sent_groups_total", "group=\"secp256r1\"", "")                 \
    X(GROUP_OUT_P384, COUNTER, "tls_sent_groups_total", "group=\"secp384r1\"", "")                 \
    X(GROUP_OUT_P521, COUNTER, "tls_sent_groups_total", "group=\"secp521r1\"", "")                 \
    X(GROUP_OUT_OTHER, COUNTER, "tls_sent_groups_total", "group=\"other\"", "")                    \
    X(VERIFIED_NONE, COUNTER, "verified_total", "outcome=\"none\"",                                \
      "What the certificates of other servers proved; failed: less than was asked of them")        \
    X(VERIFIED_PKIX, COUNTER, "verified_total", "outcome=\"pkix\"", "")                            \
    X(VERIFIED_DANE, COUNTER, "verified_total", "outcome=\"dane\"", "")                            \
    X(VERIFIED_PINNED, COUNTER, "verified_total", "outcome=\"pinned\"", "")                        \
    X(VERIFIED_FAILED, COUNTER, "verified_total", "outcome=\"failed\"", "")                        \
    X(JOBS, GAUGE, "jobs", "", "Jobs that senders and receivers have in hand")                     \
    X(WINDOW, GAUGE, "queue_window_entries", "", "Entries that the scheduler holds in memory")     \
    X(QUEUE, GAUGE, "queue_messages", "", "Messages in the queue")                                 \
    X(QUEUE_OLDEST, GAUGE, "queue_oldest_timestamp_seconds", "",                                   \
      "When the oldest message in the queue came, in seconds since 1970; 0: there is none")        \
    X(STORE_OPEN, GAUGE, "store_open", "", "1: the store is open")                                 \
    X(COMMITS_OK, COUNTER, "commits_total", "result=\"ok\"", "Groups that the store committed")    \
    X(COMMITS_FAILED, COUNTER, "commits_total", "result=\"failed\"", "")                           \
    X(COMMIT_MEMBERS, COUNTER, "commit_members_total", "",                                         \
      "Messages and outcomes in these groups")                                                     \
    X(POLICIES, GAUGE, "policies", "", "MTA-STS policies in the cache")                            \
    X(FETCH_OK, COUNTER, "policy_fetches_total", "result=\"ok\"", "MTA-STS policies fetched")      \
    X(FETCH_FAILED, COUNTER, "policy_fetches_total", "result=\"failed\"", "")                      \
    X(FETCH_SPARED, COUNTER, "policy_fetches_spared_total", "",                                    \
      "Fetches not made because the last one failed a moment ago")                                 \
    X(POST_OK, COUNTER, "report_posts_total", "result=\"ok\"",                                     \
      "Reports posted by HTTPS; failed: what is tried again is counted each time")                 \
    X(POST_FAILED, COUNTER, "report_posts_total", "result=\"failed\"", "")                         \
    X(DNS_SECURE, COUNTER, "dns_answers_total", "result=\"secure\"",                               \
      "Answers of the resolver; no-answer: bogus, or nothing that can be believed")                \
    X(DNS_INSECURE, COUNTER, "dns_answers_total", "result=\"insecure\"", "")                       \
    X(DNS_NONE, COUNTER, "dns_answers_total", "result=\"no-answer\"", "")                          \
    X(SELF_TEST_UNKNOWN, GAUGE, "dnssec_self_test", "state=\"unknown\"",                           \
      "1: what the test of the resolver by the root keys says")                                    \
    X(SELF_TEST_VALIDATING, GAUGE, "dnssec_self_test", "state=\"validating\"", "")                 \
    X(SELF_TEST_NOT_VALIDATING, GAUGE, "dnssec_self_test", "state=\"not-validating\"", "")         \
    X(SELF_TEST_STRIPPED, GAUGE, "dnssec_self_test", "state=\"stripped\"", "")                     \
    X(REPORT_TLSRPT_SENT, COUNTER, "reports_sent_total", "kind=\"tlsrpt\",result=\"sent\"",        \
      "Reports to others, by destination; sent: posted, or put into the queue")                    \
    X(REPORT_TLSRPT_FAILED, COUNTER, "reports_sent_total", "kind=\"tlsrpt\",result=\"failed\"",    \
      "")                                                                                          \
    X(REPORT_DMARC_SENT, COUNTER, "reports_sent_total", "kind=\"dmarc\",result=\"sent\"", "")      \
    X(REPORT_DMARC_FAILED, COUNTER, "reports_sent_total", "kind=\"dmarc\",result=\"failed\"", "")  \
    X(REPORT_MAIL_LOST, COUNTER, "report_mails_lost_total", "",                                    \
      "Recipients of queued reports that refused them, or could not be reached in a day")          \
    X(REPORT_TLSRPT_ACCEPTED, COUNTER, "reports_received_total",                                   \
      "kind=\"tlsrpt\",result=\"accepted\"", "Reports of others")                                  \
    X(REPORT_TLSRPT_BROKEN, COUNTER, "reports_received_total",                                     \
      "kind=\"tlsrpt\",result=\"broken\"", "")                                                     \
    X(REPORT_DMARC_ACCEPTED, COUNTER, "reports_received_total",                                    \
      "kind=\"dmarc\",result=\"accepted\"", "")                                                    \
    X(REPORT_DMARC_BROKEN, COUNTER, "reports_received_total", "kind=\"dmarc\",result=\"broken\"",  \
      "")                                                                                          \
    X(REPORT_UNKNOWN_BROKEN, COUNTER, "reports_received_total",                                    \
      "kind=\"unknown\",result=\"broken\"", "")                                                    \
    X(POSTS_TAKEN, COUNTER, "report_posts_received_total", "result=\"taken\"",                     \
      "What others posted by HTTPS, by what became of it; aside: not understood, kept; later: "    \
      "no room or no answer; limited: too many of one client; refused: no report at all")          \
    X(POSTS_ASIDE, COUNTER, "report_posts_received_total", "result=\"aside\"", "")                 \
    X(POSTS_LATER, COUNTER, "report_posts_received_total", "result=\"later\"", "")                 \
    X(POSTS_LIMITED, COUNTER, "report_posts_received_total", "result=\"limited\"", "")             \
    X(POSTS_REFUSED, COUNTER, "report_posts_received_total", "result=\"refused\"", "")             \
    X(POSTERS, GAUGE, "report_connections", "", "Connections of those who post reports")

// Buckets in milliseconds.
#define METER_HISTOGRAMS(Y)                                                                        \
    Y(DELIVERY, "delivery_duration_seconds", "How long attempts to deliver took", 10, 50, 100,     \
      250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 1800000)                            \
    Y(FIRST_ATTEMPT, "first_attempt_delay_seconds",                                                \
      "From the 250 for a message to the first attempt to deliver it", 1, 5, 10, 25, 50, 100, 250, \
      500, 1000, 5000, 30000, 300000, 3600000)                                                     \
    Y(COMMIT, "commit_duration_seconds", "How long groups took to be safe on disk", 1, 2, 5, 10,   \
      20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)                                              \
    Y(DNS, "dns_answer_duration_seconds", "How long the resolver took to answer", 1, 5, 10, 25,    \
      50, 100, 250, 500, 1000, 2500, 5000, 10000, 20000)
