// The policy file of MTA-STS, RFC 8461 §3.2, and matching, §4.1.
#include "trust_fields.h"
#include "trust_sts.h"

enum { MAX_AGE_MOST = 31557600, MAX_AGE_DIGITS = 10 };

static const char *const modes[STS_MODES] = {
    [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce"};

const char *trust_sts_mode_text(enum trust_sts_mode m)
{
    return modes[m];
}

const char trust_sts_no_room[] = "There is no room left to read the policy.";

struct reader {
    struct trust_sts_policy *policy;
    bool version, mode, max_age;
    size_t room;
};

static const char *read_version(struct reader *r, struct span value)
{
    if (r->version)
        return NULL; // §3.2: of a field that stands twice the first one counts
    r->version = true;
    return span_eq(value, SPAN("STSv1")) ? NULL : "The policy's version is not STSv1.";
}

static const char *read_mode(struct reader *r, struct span value)
{
    if (r->mode)
        return NULL;
    r->mode = true;
    for (unsigned i = 0; i < STS_MODES; i++)
        if (span_eq(value, span_str(modes[i]))) {
            r->policy->mode = (enum trust_sts_mode)i;
            return NULL;
        }
    return "The policy's mode is none of enforce, testing and none.";
}

static const char *read_max_age(struct reader *r, struct span value)
{
    uint64_t n = 0;
    if (r->max_age)
        return NULL;
    r->max_age = true;
    if (value.len > MAX_AGE_DIGITS || !span_number(value, UINT64_MAX, &n))
        return "The policy's max_age is no number of seconds.";
    // Ten digits are good syntax, which must be accepted (§3.2): more than the
    // maximum is read as the maximum, since dropping the policy protects nobody.
    r->policy->max_age = (uint32_t)(n < MAX_AGE_MOST ? n : MAX_AGE_MOST);
    return NULL;
}

static bool is_address(const struct dns_name *n)
{
    struct span last = dns_name_span(n), label;
    do
        label = span_cut(&last, '.');
    while (last.at);
    uint64_t number;
    return span_number(label, UINT64_MAX, &number);
}

static const char *read_mx(struct reader *r, struct span value)
{
    if (r->policy->count == r->room)
        return "The policy has more mx patterns than a domain can need.";
    struct trust_sts_pattern *p = &r->policy->mx[r->policy->count];
    p->wildcard = span_starts(value, SPAN("*."));
    // A U-label must not stand here (§3.2) but means what its A-label means.
    if (!dns_name_parse_host(&p->name, span_skip(value, p->wildcard ? 2 : 0)) ||
        dns_name_is_root(&p->name) || is_address(&p->name))
        return "An mx pattern of the policy is no host name, with or without \"*.\" before it.";
    r->policy->count++;
    return NULL;
}

static const struct {
    const char *key;
    const char *(*read)(struct reader *r, struct span value);
} keys[] = {
    {"version", read_version},
    {"mode", read_mode},
    {"max_age", read_max_age},
    {"mx", read_mx},
};

// §3.2 sts-policy-ext-value: printable, UTF-8 allowed, not empty.
static bool is_value(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
            return false;
    return s.len > 0;
}

static const char *read_line(struct reader *r, struct span line)
{
    struct span value = line, key = span_cut(&value, ':');
    if (!value.at || !trust_fields_is_name(key))
        return "A line of the policy is no \"key: value\".";
    value = span_trim(value);
    if (!is_value(value))
        return "A value in the policy is empty or holds control characters.";
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (span_eq(key, span_str(keys[i].key)))
            return keys[i].read(r, value);
    return NULL; // unknown keys are ignored (§3.2)
}

// Lines end in CRLF or LF; an empty one hurts nobody.
static struct span next_line(struct span *rest)
{
    struct span line = span_cut(rest, '\n');
    return span_trim(span_ends(line, SPAN("\r")) ? span_first(line, line.len - 1) : line);
}

static size_t count_mx(struct span file)
{
    size_t n = 0;
    while (file.at && n < STS_MX_MAX)
        n += span_starts(next_line(&file), SPAN("mx:"));
    return n;
}

static const char *complete(const struct reader *r)
{
    if (!r->version)
        return "The policy has no version.";
    if (!r->mode)
        return "The policy has no mode.";
    if (!r->max_age)
        return "The policy has no max_age.";
    if (r->policy->mode != STS_NONE && r->policy->count == 0)
        return "The policy has no mx, which only mode none may leave out.";
    return NULL;
}

const char *trust_sts_parse(struct trust_sts_policy *out, struct span file, struct arena *a)
{
    *out = (struct trust_sts_policy){.mode = STS_NONE};
    if (file.len > STS_POLICY_MAX)
        return "The policy is larger than 64 kilobytes.";
    struct reader r = {.policy = out, .room = count_mx(file)};
    out->mx = arena_alloc(a, (r.room ? r.room : 1) * sizeof *out->mx);
    if (!out->mx)
        return trust_sts_no_room;
    while (file.at) {
        struct span line = next_line(&file);
        const char *wrong = line.len ? read_line(&r, line) : NULL;
        if (wrong)
            return wrong;
    }
    return complete(&r);
}

bool trust_sts_match(const struct trust_sts_policy *p, const struct dns_name *mx)
{
    struct dns_name parent;
    bool has_parent = dns_name_parent(&parent, mx);
    for (size_t i = 0; i < p->count; i++) {
        const struct trust_sts_pattern *mine = &p->mx[i];
        // §4.1: "*." stands for exactly one label, the leftmost.
        if (mine->wildcard ? has_parent && dns_name_eq(&mine->name, &parent)
                           : dns_name_eq(&mine->name, mx))
            return true;
    }
    return false;
}
