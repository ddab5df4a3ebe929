#include "admin_command.h"

#include <stdlib.h>
#include <string.h>

struct args {
    struct admin_call *call;
    char **at; // what is left, NULL-ended
};

// "-cFILE" or "-c FILE"; NULL where nothing follows.
static const char *value_of(struct args *a, const char *name)
{
    const char *arg = *a->at++;
    if (arg[strlen(name)])
        return arg + strlen(name);
    return *a->at ? *a->at++ : NULL;
}

static bool take_path(struct args *a)
{
    const char *path = value_of(a, "-c");
    if (!path || a->call->path) {
        admin_complain(path ? "-c can be given once" : "-c needs a file name behind it");
        return false;
    }
    a->call->path = path;
    return true;
}

static bool take_override(struct args *a)
{
    const char *value = value_of(a, "-o");
    if (!value) {
        admin_complain("-o needs NAME=VALUE behind it");
        return false;
    }
    a->call->overrides[a->call->override_count++] = value;
    return true;
}

static bool take_json(struct args *a)
{
    a->at++;
    a->call->json = true;
    return true;
}

static bool take_help(struct args *a)
{
    a->at++;
    a->call->help = true;
    return true;
}

// "--name", "--name value" or "--name=value".
static bool take_value(struct args *a, unsigned i, const char *joined)
{
    const struct admin_flag *f = &a->call->command->flags[i];
    if (joined && !f->value) {
        admin_complain("%s takes no value", f->name);
        return false;
    }
    a->call->flags[i] = !f->value ? "" : joined ? joined : *a->at;
    if (!a->call->flags[i]) {
        admin_complain("%s needs %s behind it", f->name, f->value);
        return false;
    }
    a->at += f->value && !joined;
    return true;
}

static bool take_flag(struct args *a)
{
    const struct admin_command *c = a->call->command;
    const char *name = *a->at++;
    for (unsigned i = 0; c && i < c->flag_count; i++) {
        struct span flag = span_str(c->flags[i].name), given = span_str(name);
        bool joined = given.len > flag.len && given.at[flag.len] == '=';
        if (span_starts(given, flag) && (joined || given.len == flag.len))
            return take_value(a, i, joined ? name + flag.len + 1 : NULL);
    }
    admin_complain("unknown option '%s'; see 'geleit %s%s--help'", name, c ? c->name : "",
                   c ? " " : "");
    return false;
}

static bool take_option(struct args *a)
{
    static const struct {
        const char *name;
        bool starts; // its value may follow without a blank
        bool (*take)(struct args *a);
    } options[] = {
        {"-c", true, take_path},      {"-o", true, take_override}, {"--json", false, take_json},
        {"--help", false, take_help}, {"-h", false, take_help},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *name = options[i].name;
        if (options[i].starts ? strncmp(*a->at, name, strlen(name)) == 0
                              : strcmp(*a->at, name) == 0)
            return options[i].take(a);
    }
    return take_flag(a);
}

static bool unknown_command(const char *name)
{
    const char *near = admin_nearest(name);
    if (near)
        admin_complain("unknown command '%s'; did you mean '%s'?", name, near);
    else
        admin_complain("unknown command '%s'; 'geleit help' lists all there are", name);
    return false;
}

// The first word is the command.
static bool take_word(struct args *a)
{
    struct admin_call *call = a->call;
    const char *word = *a->at++;
    if (call->command) {
        call->words[call->word_count++] = word;
        return true;
    }
    call->command = admin_find(word);
    return call->command || unknown_command(word);
}

static bool fits(const struct admin_call *call)
{
    const struct admin_command *c = call->command;
    if (!c || call->help)
        return true;
    if (call->word_count < c->least || call->word_count > c->most)
        admin_complain("'%s' takes %s%s; see 'geleit %s --help'", c->name,
                       *c->words ? "" : "no argument", c->words, c->name);
    else if (call->json && !c->json)
        admin_complain("'%s' has no --json", c->name);
    else
        return true;
    return false;
}

bool admin_args(struct admin_call *call, int argc, char **argv)
{
    struct args a = {.call = call, .at = argv + (argc > 0)};
    bool options = true;
    call->overrides = mem_new(((size_t)argc + 1) * sizeof *call->overrides);
    call->words = mem_new(((size_t)argc + 1) * sizeof *call->words);
    while (*a.at) {
        if (options && strcmp(*a.at, "--") == 0) {
            options = false;
            a.at++;
        } else if (options && (*a.at)[0] == '-' && (*a.at)[1]) {
            if (!take_option(&a))
                return false;
        } else if (!take_word(&a)) {
            return false;
        }
    }
    return fits(call);
}

void admin_args_free(struct admin_call *call)
{
    free(call->overrides);
    free(call->words);
}
