// What it costs to take reports of others: unpacked, parsed, checked, in one thread. Prints one
// line a kind: CPU seconds and the most memory.
//
//   report_bench [reports] [records]
#include "bench_process.h"

#include "report_dmarc.h"
#include "report_mail.h"
#include "report_tlsrpt.h"

#include <stdio.h>

static void said(const char *what, double seconds, size_t packed, size_t plain)
{
    printf("%-34s %7.3f s of CPU  %6.1f MB packed  %6.1f MB plain  %6.1f MiB of memory\n", what,
           seconds, (double)packed / 1e6, (double)plain / 1e6, memory_most());
    fflush(stdout);
}

// A record as large receivers write them; some senders return often, others never.
static void record_put(struct buf *b, unsigned i)
{
    unsigned n = i * 2654435761U;
    buf_printf(
        b,
        "  <record>\n    <row>\n      <source_ip>%u.%u.%u.%u</source_ip>\n      <count>%u"
        "</count>\n      <policy_evaluated>\n        <disposition>none</disposition>\n"
        "        <dkim>%s</dkim>\n        <spf>%s</spf>\n      </policy_evaluated>\n"
        "    </row>\n    <identifiers>\n      <envelope_from>bounce%u.example.net"
        "</envelope_from>\n      <header_from>example.com</header_from>\n    </identifiers>\n"
        "    <auth_results>\n      <dkim>\n        <domain>example.com</domain>\n"
        "        <selector>s%u</selector>\n        <result>%s</result>\n      </dkim>\n"
        "      <spf>\n        <domain>bounce%u.example.net</domain>\n        <scope>mfrom"
        "</scope>\n        <result>pass</result>\n      </spf>\n    </auth_results>\n"
        "  </record>\n",
        n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255, 1 + n % 97, n & 64 ? "pass" : "fail",
        n & 128 ? "pass" : "fail", n % 5000, n % 3, n & 64 ? "pass" : "permerror", n % 5000);
}

static void report_put(struct buf *b, unsigned id, unsigned records)
{
    buf_printf(
        b,
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<feedback>\n  <report_metadata>\n"
        "    <org_name>receiver%u.example</org_name>\n    <email>dmarc@receiver.example</email>"
        "\n    <report_id>%u</report_id>\n    <date_range>\n      <begin>1795132800</begin>\n"
        "      <end>1795219199</end>\n    </date_range>\n  </report_metadata>\n"
        "  <policy_published>\n    <domain>example.com</domain>\n    <adkim>r</adkim>\n"
        "    <aspf>r</aspf>\n    <p>none</p>\n    <sp>none</sp>\n    <pct>100</pct>\n"
        "  </policy_published>\n",
        id, id);
    for (unsigned i = 0; i < records; i++)
        record_put(b, id * 1000 + i);
    buf_put(b, SPAN("</feedback>\n"));
}

static void mail_put(struct buf *b, struct span gz)
{
    struct report_mail m = {.cover.kind = REPORT_DMARC,
                            .from = SPAN("dmarc@receiver.example"),
                            .to = &(struct span){"reports@example.com", 19},
                            .to_count = 1,
                            .message_id = SPAN("1@receiver.example"),
                            .packed = gz};
    if (!dns_name_parse(&m.cover.submitter, SPAN("receiver.example")) ||
        !dns_name_parse(&m.cover.policy_domain, SPAN("example.com")))
        panic("names");
    report_mail_put(b, &m);
}

static size_t take(struct span bytes, unsigned records)
{
    CLEANUP(arena_free) struct arena a = ARENA(REPORT_DMARC_ARENA);
    CLEANUP(report_unpacked_free) struct report_unpacked u;
    struct report_notes notes = {0};
    struct report_dmarc d;
    if (!rc_ok(report_unpack(&u, bytes, &report_limits_usual, &a, &notes)) ||
        !rc_ok(report_dmarc_read(&d, buf_span(&u.at[0].bytes), &a, &notes)))
        panic("%s", notes.fault);
    if (d.record_count != records || report_notes_count(&notes))
        panic("%zu records, %zu remarks", d.record_count, report_notes_count(&notes));
    return u.at[0].bytes.len;
}

static void many(unsigned reports)
{
    double spent = 0;
    size_t packed = 0, plain = 0;
    char what[64];
    memory_begin();
    for (unsigned i = 0; i < reports; i++) {
        CLEANUP(buf_free) struct buf xml = BUF(1 << 20), gz = BUF(1 << 20), mail = BUF(1 << 20);
        unsigned records = 1 + i % 50;
        report_put(&xml, i, records);
        report_gzip(&gz, buf_span(&xml));
        mail_put(&mail, buf_span(&gz));
        double begin = now();
        plain += take(buf_span(&mail), records);
        spent += now() - begin;
        packed += mail.len;
    }
    snprintf(what, sizeof what, "%u reports by mail", reports);
    said(what, spent, packed, plain);
}

static void large(unsigned records)
{
    CLEANUP(buf_free) struct buf xml = BUF(256 << 20), gz = BUF(64 << 20);
    char what[64];
    report_put(&xml, 1, records);
    report_gzip(&gz, buf_span(&xml));
    buf_free(&xml);
    memory_begin();
    double begin = now();
    size_t plain = take(buf_span(&gz), records);
    snprintf(what, sizeof what, "one report of %u records", records);
    said(what, now() - begin, gz.len, plain);
}

int main(int argc, char **argv)
{
    many(argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000);
    large(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100000);
    return 0;
}
