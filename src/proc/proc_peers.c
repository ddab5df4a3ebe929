#include "proc_peers.h"

#include "conf_schema.h"

#include <string.h>

const struct proc_pair proc_peers[] = {
    {PROC_RECEIVER, PROC_STORE, "segments to write, messages to commit, failed ones to report"},
    {PROC_QUEUE, PROC_STORE, "what is due"},
    {PROC_SENDER, PROC_STORE, "messages to send, outcomes, policies"},
    {PROC_SENDER, PROC_QUEUE, "jobs and their end, slots of hosts"},
    {PROC_RECEIVER, PROC_QUEUE, "bounces to write and their end"},
    {PROC_RECEIVER, PROC_RESOLVER, "DNS questions of SPF, DKIM, ARC and DMARC"},
    {PROC_SENDER, PROC_RESOLVER, "DNS questions"},
    {PROC_RECEIVER, PROC_AUTHENTICATOR,
     "logins, whether a mailbox is there, what a user may still send"},
    {PROC_RECEIVER, PROC_FETCHER, "MTA-STS policies of plans for users' REQUIRETLS"},
    {PROC_FETCHER, PROC_RESOLVER, "addresses of policy hosts, and of those reports are posted to"},
    {PROC_SENDER, PROC_FETCHER, "MTA-STS policies"},
    {PROC_CONTROL, PROC_RESOLVER, "DNS questions of plans to explain, the self-test"},
    {PROC_CONTROL, PROC_FETCHER, "MTA-STS policies"},
    {PROC_CONTROL, PROC_STORE, "policies, what the queue holds, what happened to it"},
    {PROC_REPORTER, PROC_STORE, "tallies, what was sent"},
    {PROC_REPORTER, PROC_RESOLVER, "whether others take reports"},
    {PROC_REPORTER, PROC_RECEIVER, "reports to send as mail"},
    {PROC_REPORTER, PROC_FETCHER, "reports to send by HTTPS POST"},
    {PROC_SENDER, PROC_REPORTER, "reports of others that came by mail"},
    {PROC_CONTROL, PROC_REPORTER, "to send reports now"},
    {PROC_CONTROL, PROC_QUEUE, "slots of hosts to probe"},
    {PROC_WEB, PROC_RECEIVER, "meters"},
    {PROC_WEB, PROC_STORE, "meters"},
    {PROC_WEB, PROC_QUEUE, "meters"},
    {PROC_WEB, PROC_SENDER, "meters"},
    {PROC_WEB, PROC_RESOLVER, "meters"},
    {PROC_WEB, PROC_FETCHER, "meters"},
    {PROC_WEB, PROC_CONTROL, "meters"},
    {PROC_WEB, PROC_AUTHENTICATOR, "meters"},
    {PROC_WEB, PROC_REPORTER, "meters, reports of others that came by POST"},
};
const size_t proc_peers_count = sizeof proc_peers / sizeof *proc_peers;

static const struct {
    const char *text;
    unsigned conf;
} kinds[PROC_KINDS] = {
    [PROC_MASTER] = {"master", CONF_MASTER},
    [PROC_RECEIVER] = {"receiver", CONF_RECEIVER},
    [PROC_STORE] = {"store", CONF_STORE},
    [PROC_QUEUE] = {"queue", CONF_QUEUE},
    [PROC_SENDER] = {"sender", CONF_SENDER},
    [PROC_RESOLVER] = {"resolver", CONF_RESOLVER},
    [PROC_FETCHER] = {"fetcher", CONF_FETCHER},
    [PROC_CONTROL] = {"control", CONF_CONTROL},
    [PROC_AUTHENTICATOR] = {"authenticator", CONF_AUTHENTICATOR},
    [PROC_WEB] = {"web", CONF_WEB},
    [PROC_REPORTER] = {"reporter", CONF_REPORTER},
};

const char *proc_kind_text(enum proc_kind k)
{
    return kinds[k].text;
}

unsigned proc_kind_conf(enum proc_kind k)
{
    return kinds[k].conf;
}

bool proc_kind_parse(enum proc_kind *out, const char *text)
{
    for (unsigned k = 0; k < PROC_KINDS; k++) {
        if (strcmp(kinds[k].text, text) == 0) {
            *out = (enum proc_kind)k;
            return true;
        }
    }
    return false;
}

bool proc_may_talk(enum proc_kind a, enum proc_kind b)
{
    for (size_t i = 0; i < proc_peers_count; i++)
        if ((proc_peers[i].asks == a && proc_peers[i].answers == b) ||
            (proc_peers[i].asks == b && proc_peers[i].answers == a))
            return true;
    return false;
}
