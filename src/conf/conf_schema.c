#include "conf_form.h"
#include "conf_value.h"

#include "base_near.h"

const struct conf_option conf_options[CONF_OPTIONS] = {
#define X(id, ...) [CONF_##id] = {__VA_ARGS__},
#include "conf_options.h"
#undef X
};

const char *const *conf_type_words(enum conf_type type)
{
    static const char *const words[][2] = {
        [CONF_BOOL] = {"a switch", "write true or false, without quotes"},
        [CONF_INT] = {"a number", "write digits, without quotes"},
        [CONF_SIZE] = {"a size", "write bytes, or \"64K\", \"50M\", \"4G\""},
        [CONF_DURATION] = {"a duration", "write \"30s\", \"5m\", \"2h\", \"5d\""},
        [CONF_STRING] = {"a text", "write it in double quotes"},
        [CONF_FILE] = {"a file name", "write it in double quotes"},
        [CONF_CHOICE] = {"a choice", "write one of its words in double quotes"},
        [CONF_LIST] = {"a list", "write [ \"one\", \"two\" ]"},
    };
    return words[type];
}

bool conf_find(struct span name, enum conf_id *out)
{
    for (unsigned id = 0; id < CONF_OPTIONS; id++) {
        if (span_eq(name, span_str(conf_options[id].name))) {
            *out = (enum conf_id)id;
            return true;
        }
    }
    return false;
}

// The last part alone ("listen") is near, too: who writes it forgot the group.
static size_t distance(struct span name, struct span option)
{
    struct span last = span_skip(option, span_index(option, '.') + 1);
    size_t whole = near_distance(name, option);
    return last.len && span_ieq(name, last) && whole > 1 ? 1 : whole;
}

const char *conf_nearest(struct span name)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (unsigned id = 0; id < CONF_OPTIONS; id++) {
        size_t d = distance(name, span_str(conf_options[id].name));
        if (d < least) {
            least = d;
            best = conf_options[id].name;
        }
    }
    return near_enough(name, least) ? best : NULL;
}
