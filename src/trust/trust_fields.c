#include "trust_fields.h"

enum { NAME_MAX_LEN = 32 };

bool trust_fields_is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool trust_fields_is_name(struct span name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN || !trust_fields_is_alnum(name.at[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        char c = name.at[i];
        if (!trust_fields_is_alnum(c) && c != '_' && c != '-' && c != '.')
            return false;
    }
    return true;
}

bool trust_fields_is_value(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c < 0x21 || c > 0x7e || c == ';' || c == '=')
            return false;
    }
    return text.len > 0;
}

bool trust_fields_find(const struct dns_answer *txt, struct span version, struct span *fields)
{
    size_t found = 0;
    for (size_t i = 0; i < txt->count; i++) {
        struct span s = txt->records[i].data;
        if (!span_starts(s, version))
            continue;
        struct span behind = span_skip(s, version.len);
        if (!span_starts(behind, SPAN(";")))
            continue;
        *fields = span_skip(behind, 1);
        found++;
    }
    return found == 1;
}

int trust_fields_next(struct span *fields, struct trust_field *out)
{
    struct span value = span_trim(span_cut(fields, ';'));
    if (value.len == 0) // allowed behind the last ';' only
        return span_trim(*fields).len == 0 && !fields->at ? 0 : -1;
    struct span name = span_cut(&value, '=');
    if (!value.at || !trust_fields_is_name(name))
        return -1;
    *out = (struct trust_field){name, value};
    return 1;
}
