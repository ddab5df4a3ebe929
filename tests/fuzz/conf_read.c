// A configuration file is the administrator's, yet a slip of the editor must end
// in a sentence. What is read must print as a file that reads the same.
#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

// libconfig 1.5 forgets the string it just read where the syntax error comes right
// behind it: a few bytes for each bad file.
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static void put_again(const struct conf *c)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20), one = BUF(4 << 20), two = BUF(4 << 20);
    struct conf_fault fault;
    conf_print(&text, c);
    conf_print_json(&one, c);
    struct conf *again = conf_new();
    if (!text.overrun && !rc_ok(conf_read(again, buf_span(&text), "again", "", &fault)))
        panic("%s", fault.text);
    conf_print_json(&two, again);
    if (!text.overrun && !span_eq(buf_span(&one), buf_span(&two)))
        panic("printed and read differ");
    conf_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *c = conf_new();
    struct conf_fault fault;
    struct span text = {(const char *)data, size};
    if (rc_ok(conf_read(c, text, "fuzz", "/folder", &fault))) {
        put_again(c);
        (void)!rc_ok(conf_check(c, &fault));
    }
    (void)!rc_ok(conf_override(c, text, &fault));
    conf_free(c);
    struct rd r = RD(text);
    if (conf_unpack(&r, &c))
        conf_free(c);
    return 0;
}
