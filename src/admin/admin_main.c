#include "admin_command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int admin_complain(const char *format, ...)
{
    static char text[65536];
    CLEANUP(buf_free) struct buf b = BUF(sizeof text);
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    admin_put_harmless(&b, span_str(text));
    fprintf(stderr, "geleit: %s\n", buf_str(&b));
    return ADMIN_USAGE;
}

int admin_print(const struct buf *b)
{
    if (!rc_ok(buf_state(b)))
        return admin_complain("the output is too large");
    if ((b->len && fwrite(b->at, 1, b->len, stdout) != b->len) || fflush(stdout)) {
        admin_complain("standard output cannot be written: %s", strerror(errno));
        return ADMIN_LATER;
    }
    return ADMIN_DONE;
}

bool admin_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    bool dumb = !term || !*term || strcmp(term, "dumb") == 0;
    return isatty(STDOUT_FILENO) && !(no && *no) && !dumb;
}

int admin_conf_source(const struct admin_call *call, struct proc_master_conf *mc)
{
    *mc = (struct proc_master_conf){
        .path = call->path, .overrides = call->overrides, .override_count = call->override_count};
    if (call->path)
        return ADMIN_GIVEN_FILE;
    // A file that is there and cannot be read is a fault for who opens it to tell.
    if (access(ADMIN_FILE, F_OK) && (errno == ENOENT || errno == ENOTDIR))
        return ADMIN_NO_FILE;
    mc->path = ADMIN_FILE;
    return ADMIN_DEFAULT_FILE;
}

static int run(const struct admin_call *call)
{
    if (!call->command && !call->help) {
        admin_help(call);
        return ADMIN_USAGE;
    }
    if (call->help)
        return admin_help(call);
    return call->command->run(call);
}

static void version_option(int argc, char **argv)
{
    static char word[] = "version";
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        argv[1] = word;
}

int admin_main(int argc, char **argv)
{
    struct admin_call call = {0};
    version_option(argc, argv);
    int status = admin_args(&call, argc, argv) ? run(&call) : ADMIN_USAGE;
    admin_args_free(&call);
    return status;
}
