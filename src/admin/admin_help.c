#include "admin_command.h"

#include "base_json.h"
#include "base_version.h"

struct ink {
    const char *bold, *plain;
};

static struct ink ink(void)
{
    return admin_colour() ? (struct ink){"\033[1m", "\033[0m"} : (struct ink){"", ""};
}

enum { COLUMN_LEAST = 15 };

// An option with the word for its value.
static void put_flag(struct buf *b, const struct admin_flag *f)
{
    buf_clear(b);
    buf_printf(b, "%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
}

static int column(const struct admin_command *c)
{
    CLEANUP(buf_free) struct buf b = BUF(200);
    size_t most = COLUMN_LEAST;
    for (unsigned i = 0; c && i < c->flag_count; i++) {
        put_flag(&b, &c->flags[i]);
        most = c->flags[i].sentence && b.len > most ? b.len : most;
    }
    return (int)most;
}

static void put_options(struct buf *b, const struct admin_command *c)
{
    static const struct admin_flag common[] = {
        {"-c", "FILE", "configuration file; without it " ADMIN_FILE ", if there is one"},
        {"-o", "NAME=VALUE", "set an option for this run, over the file"},
        {"--json", NULL, "one JSON document on standard output"},
        {"--help", NULL, "this text"},
    };
    CLEANUP(buf_free) struct buf left = BUF(200);
    const struct ink k = ink();
    unsigned own = c ? c->flag_count : 0;
    const int width = column(c);
    buf_put(b, SPAN("\nOptions:\n"));
    for (unsigned i = 0; i < own + sizeof common / sizeof *common; i++) {
        const struct admin_flag *f = i < own ? &c->flags[i] : &common[i - own];
        bool json = span_eq(span_str(f->name), SPAN("--json"));
        if (!f->sentence || (json && c && !c->json))
            continue;
        put_flag(&left, f);
        buf_printf(b, "  %s%-*s%s %s\n", k.bold, width, buf_str(&left), k.plain, f->sentence);
    }
}

static void put_all(struct buf *b)
{
    const struct ink k = ink();
    buf_printf(b,
               "%sGeleit%s, a mail server whose subject is safe conduct between mail servers.\n\n"
               "Usage: geleit COMMAND [OPTIONS]\n\nCommands:\n",
               k.bold, k.plain);
    for (size_t i = 0; i < admin_command_count; i++)
        buf_printf(b, "  %s%-*s%s %s\n", k.bold, COLUMN_LEAST, admin_commands[i].name, k.plain,
                   admin_commands[i].sentence);
    put_options(b, NULL);
    buf_put(b, SPAN("\nExit status: 0 done, 1 the answer is negative, 2 usage or configuration "
                    "error, 75 try again.\n"));
}

static void put_one(struct buf *b, const struct admin_command *c)
{
    const struct ink k = ink();
    buf_printf(b, "Usage: geleit %s%s%s%s%s [OPTIONS]\n\n%s: %s.\n", k.bold, c->name, k.plain,
               *c->words ? " " : "", c->words, c->name, c->sentence);
    put_options(b, c);
}

// "geleit help COMMAND", "geleit COMMAND --help", and "geleit --help".
int admin_help(const struct admin_call *call)
{
    const struct admin_command *about = call->help ? call->command : NULL;
    if (!call->help && call->word_count) {
        about = admin_find(call->words[0]);
        const char *near = about ? NULL : admin_nearest(call->words[0]);
        if (!about)
            return admin_complain("unknown command '%s'; %s%s%s", call->words[0],
                                  near ? "did you mean '" : "'geleit help' lists all there are",
                                  near ? near : "", near ? "'?" : "");
    }
    CLEANUP(buf_free) struct buf b = BUF(65536);
    if (about)
        put_one(&b, about);
    else
        put_all(&b);
    return admin_print(&b);
}

int admin_version(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct json j = JSON(&b);
    if (call->json) {
        json_open(&j, NULL, '{');
        json_str(&j, "version", SPAN(GELEIT_VERSION));
        json_close(&j, '}');
        buf_putc(&b, '\n');
    } else {
        buf_put(&b, SPAN("geleit " GELEIT_VERSION "\n"));
    }
    return admin_print(&b);
}
