#!/usr/bin/env python3
"""What the RFCs call for: from a scenario to the verdict a sender must come to.

Written from the RFC texts alone, without a look at the planner it judges. Where
the texts leave a choice, several verdicts are right, and all of them are given.

As a program: oracle.py KEY=VALUE... prints the verdict of one scenario with the
sections it follows from, e.g.  oracle.py tlsa=ee addr=secure mx=secure
"""
import functools
import itertools
import json
import sys
from typing import NamedTuple, Optional


class Scenario(NamedTuple):
    mx: str = 'secure'
    addr: str = 'secure'
    tlsa: str = 'none'      # below the host's own name
    expanded: str = 'none'  # below the name its CNAME chain ends at
    sts: str = 'absent'
    need: str = 'none'
    local: str = 'follow'
    second: str = '-'       # how a second, less preferred host behaves; '-': there is none
    first: str = '-'        # how the first address of the first host behaves; '-': it has but one


# --- What the names in a scenario mean -------------------------------------------------------

# TLSA RRsets. Records are (usage, selector, matching, whose data); '-' is nobody's.
EE, TA = (3, 1, 1, 'ee'), (2, 0, 1, 'ta')
RECORDS = {
    'ee': [EE],
    'ta': [TA],
    'both': [EE, TA],
    'unusable': [(0, 0, 1, 'ta'), (1, 1, 1, 'ee'), (3, 1, 9, 'ee'), (3, 7, 1, 'ee'),
                 (3, 1, 1, 'cut'), (4, 1, 1, 'ee')],
    'short': ['short'],
    'unread': ['short'],  # records that are there, but not one of them could be read
    'mixed': ['short', (1, 1, 1, 'ee'), EE],
    'rollover': [(3, 1, 1, '-'), EE],
    'other-ta': [(2, 0, 1, '-'), EE],
    'agile': [(3, 1, 2, '-'), EE],
    'agile-cut': [(3, 1, 2, 'cut'), EE],
    'agile-apart': [(3, 0, 2, '-'), EE],
}
TLSA_NONE = ('none', 'nxdomain', 'insecure')  # secure NODATA, secure NXDOMAIN, records unsigned
TLSA_ERROR = ('bogus', 'timeout')

# Certificates: (chains to a trusted CA, dates good, names, TLSA key, TLSA issuer).
# A name '=' is that of the host it is asked of.
CERTS = {
    'good': (True, True, '=', True, True),
    'wrongname': (True, True, 'other', True, True),
    'expired': (True, False, '=', True, True),
    'untrusted': (False, True, '=', True, True),
    'mismatch': (True, True, '=', False, False),
    'domainname': (True, True, 'domain', True, True),
    'expandedname': (True, True, 'expanded', True, True),
    'realname': (True, True, 'real', True, True),
    'lost': (True, True, '=', True, True),  # and then the connection is lost, inside TLS
}
PLAIN = ['refused', 'greeting', 'rejected', 'shut', 'missing', 'declined', 'handshake']

# MTA-STS: what is in force (None, 'none', 'testing', 'enforce'), which hosts its policy lists,
# what `explain` may call the state, and whether "nothing in force" is known for certain.
BOTH, NEITHER, SECOND = (True, True), (False, False), (False, True)
LOST = ('error', 'absent')
STS = {
    'absent': (None, NEITHER, ('absent',), True),
    'none': ('none', NEITHER, ('none',), True),
    'testing': ('testing', BOTH, ('testing',), True),
    'enforce': ('enforce', BOTH, ('enforce',), True),
    'mismatch': ('enforce', NEITHER, ('enforce',), True),
    'cached': ('enforce', BOTH, ('enforce',), True),
    'changed': ('enforce', BOTH, ('enforce',), True),
    'expired': (None, NEITHER, LOST, False),
    'invalid': (None, NEITHER, LOST, False),
    # Beyond the table of the nine:
    'testing-mismatch': ('testing', NEITHER, ('testing',), True),
    'cached-mismatch': ('enforce', NEITHER, ('enforce',), True),
    'changed-mismatch': ('enforce', NEITHER, ('enforce',), True),
    'changed-none': ('none', NEITHER, ('none',), True),
    'changed-invalid': ('enforce', BOTH, ('enforce',), True),
    'changed-webpki': ('enforce', BOTH, ('enforce',), True),
    'cached-txt-timeout': ('enforce', BOTH, ('enforce',), True),
    'cached-txt-absent': ('enforce', BOTH, ('enforce',), True),
    'cached-txt-two': ('enforce', BOTH, ('enforce',), True),
    'cached-testing': ('testing', NEITHER, ('testing',), True),
    'txt-timeout': (None, NEITHER, LOST, False),
    'txt-two': (None, NEITHER, LOST, True),
    'txt-badid': (None, NEITHER, LOST, True),
    'webpki': (None, NEITHER, LOST, False),
    'expired-txt-timeout': (None, NEITHER, LOST, False),
    'expired-refetched': ('enforce', BOTH, ('enforce',), True),
    'partial': ('enforce', SECOND, ('enforce',), True),
    'wildcard': ('enforce', BOTH, ('enforce',), True),
    'wildcard-deep': ('enforce', NEITHER, ('enforce',), True),
}

# MX answers that lead to hosts: is the answer secure; is there no MX record at all.
# 'nodata' takes its standing from the address: both live at the same name. So does 'nxdomain': the
# answers for addresses decide whether the name exists (docs/decisions/0011, cause 5).
MX_NONE = ('nodata', 'nxdomain')
MX_SECURE = ('secure', 'self-backup', 'aliased')
MX_INSECURE = ('insecure', 'aliased-out')
# ... and those that lead to none: decision, status, why.
MX_ENDS = {
    'bogus': ('defer', None, '7672 §2.1.2: no server can be determined, delivery is delayed'),
    'timeout': ('defer', None, '5321 §5.1, 7672 §2.1.2: a temporary error queues the message'),
    'unread': ('defer', None, '5321 §5.1: there are MX records, which none could be read of'),
    'null': ('fail', '5.1.10', '7505 §3, §4.1: the domain accepts no mail'),
    'self': ('fail', None, '5321 §5.1: we are the best MX, no record is left'),
    'self-equal': ('fail', None, '5321 §5.1: records at our own preference are discarded too'),
}
LOCALS = ('follow', 'clear', 'opportunistic', 'encrypt', 'verify', 'dane-only', 'pinned')
NEEDS = ('none', 'requiretls', 'no', 'both')


class Host(NamedTuple):
    """One right reading of one host."""
    usable: bool
    for_good: bool = False             # unusable, and no later try changes it
    status: Optional[str] = None       # where a text names the code
    labels: tuple = ('unusable',)      # `requirement`
    base: Optional[str] = None         # SNI and TLSA base: 'host', 'expanded'; None: not settled
    tls: str = 'must'                  # 'must', 'try', 'never'
    auth: Optional[str] = None         # 'dane', 'pkix', 'pin', None
    records: str = 'none'              # the TLSA RRset that counts
    names: tuple = ()                  # reference identifiers
    me: str = 'host'                   # the host's own identifier
    requiretls: bool = False
    why: tuple = ()


def unusable(*why, for_good=False, status=None):
    return Host(False, for_good, status, why=why)


# --- DANE: RFC 7672 §2.2.2 and §2.2.3, RFC 7671 §9 -------------------------------------------

def usable_records(name):
    """§3.1.3: usages 0 and 1 are unusable; RFC 6698 §4.1: so is what is unknown or malformed.
    RFC 7671 §9: then, per usage and selector, Full(0) and the strongest digest."""
    good = [r for r in RECORDS.get(name, []) if r != 'short' and r[0] in (2, 3)
            and r[1] in (0, 1) and r[2] in (1, 2) and r[3] != 'cut']
    best = {}
    for usage, selector, matching, _ in good:
        best[usage, selector] = max(matching, best.get((usage, selector), 0))
    return [r for r in good if r[2] == best[r[:2]]]


def candidates(addr):
    """The TLSA base domains to try, in order, or the reason why the search fails."""
    if addr in ('secure', 'aaaa-bogus', 'aaaa-timeout'):
        return ['host'], '7672 §2.2.2 "Non-CNAME": secure addresses, TLSA at the name itself'
    if addr == 'chain':
        return (['expanded', 'host'],
                '7672 §2.2.2 "Secure CNAME": the expanded name, failing that the original')
    if addr == 'cname-out':
        return (['host'], '7672 §2.2.2 "Insecure CNAME" whose first CNAME is secure: TLSA at the '
                'original name')
    if addr in ('cname-bogus', 'cname-timeout'):
        return None, '7672 §2.1.2: a query needed to find TLSA failed, the server is unreachable'
    return [], '7672 §2.2.2: insecure addresses, TLSA is not asked'


@functools.lru_cache(None)
def dane(addr, tlsa, expanded):
    """(what was found, base, RRset, why): 'error', 'usable', 'unusable' or 'none'."""
    bases, why = candidates(addr)
    if bases is None:
        return 'error', None, 'none', why
    for base in bases:
        rrset = expanded if base == 'expanded' else tlsa
        if rrset in TLSA_ERROR:
            return ('error', None, 'none', f'{why}; §2.1.2, §2.2: the TLSA lookup at the {base} '
                    'failed, the server is not used')
        if rrset in TLSA_NONE:
            continue
        if usable_records(rrset):
            return 'usable', base, rrset, f'{why}; §2.2: usable records, TLS and a match'
        return ('unusable', base, rrset,
                f'{why}; §2.2, §2.2.3: none usable, TLS without authentication')
    return 'none', 'host', 'none', f'{why}; §2.2.3: no secure TLSA, DANE does not apply'


# --- One host --------------------------------------------------------------------------------

class Place(NamedTuple):
    """What is known of a host before its policy."""
    addr: str
    tlsa: str
    expanded: str
    implicit: bool
    mx_secure: bool
    aliased: bool
    mode: Optional[str]
    match: bool
    certain: bool

    def me(self):
        return 'domain' if self.implicit else 'host'


ADDRESS_ENDS = {
    'bogus': (False, '7672 §2.1.2: address lookup failed, go to the next host'),
    'timeout': (False, '7672 §2.1.2: address lookup failed, go to the next host'),
    'nodata': (True, '7672 §2.2.2 "Not found"; 5321 §5.1: none usable is an error'),
    'nxdomain': (True, '7672 §2.2.2 "Not found"; 5321 §5.1: none usable is an error'),
}


def dane_names(p, base):
    """RFC 7672 §3.2.2."""
    names = [p.me() if base == 'host' else 'expanded']
    if p.implicit:
        names += ['domain']
    elif p.mx_secure:
        names += ['domain'] + (['real'] if p.aliased else [])
    return tuple(dict.fromkeys(names))


def protected(p, local):
    """RFC 8689 §2, §4.2.1(2), (4): is the host's name beyond an attacker on the MX answer? Where
    the operator has pinned the server's key it need not be: docs/decisions/0011, cause 4."""
    return local == 'pinned' or p.implicit or p.mx_secure or (p.mode == 'enforce' and p.match)


def policy(p, use_dane, use_sts):
    """The host as the recipient's domain wants it; the floor is put under it later."""
    me, pkix = p.me(), (p.me(),)
    found, base, rrset, why = dane(p.addr, p.tlsa, p.expanded) if use_dane else (
        'none', 'host', 'none', 'DANE is not looked at')
    if found == 'error':
        return unusable(why)
    by_dane = Host(True, labels=('dane',), base=base, auth='dane', records=rrset,
                   names=dane_names(p, base), me=me, why=(why,))
    if use_sts and p.mode == 'enforce':
        if found == 'usable' and p.mx_secure:
            return by_dane._replace(why=(why, '8461 §2: MTA-STS does not override DANE'))
        if not p.match:
            return unusable(why, '8461 §4.1, §5: the MX is not in the enforced policy')
        if found == 'usable':
            return by_dane._replace(why=(why, '8461 §4.1: the policy lists the host, whose name '
                                         'an insecure MX answer gave'))
        return Host(True, labels=('sts',), base='host' if found == 'none' else None, auth='pkix',
                    names=pkix, me=me, why=(why, '8461 §4.2, §5: TLS, a certificate valid for '
                                            'the MX host name'))
    if found == 'usable':
        return by_dane
    if found == 'unusable':
        return Host(True, labels=('encrypt',), base=base, me=me, why=(why,))
    return Host(True, labels=('opportunistic',), base='host', tls='try', me=me, why=(why,))


def require(h, p, floor):
    """The operator's floor under it."""
    me, pkix = p.me(), (p.me(),)
    if floor == 'clear':
        return Host(True, labels=('local-clear',), tls='never', me=me,
                    why=('local policy: no TLS',))
    if floor == 'pinned':
        return Host(True, labels=('local-pinned',), auth='pin', me=me,
                    why=('local policy: the pinned key',))
    if not h.usable or floor == 'follow':
        return h
    if floor == 'opportunistic' and not h.auth:
        return h._replace(labels=('local-opportunistic',), base=None)
    if floor == 'dane-only':
        if h.auth != 'dane':
            return unusable(*h.why, '7672 §6: mandatory DANE without usable TLSA is delayed')
        return h._replace(labels=('local-dane-only',))
    if h.auth:
        return h._replace(labels=h.labels + ('local-' + floor,))
    if floor == 'encrypt':
        return h._replace(labels=('local-encrypt',), tls='must', why=h.why + ('local policy',))
    return h._replace(labels=('local-verify',), tls='must', auth='pkix', names=pkix, base=None,
                      why=h.why + ('local policy',))


def with_requiretls(h, p):
    """RFC 8689 §4.2.1 on top of whatever else holds. Its (4) knows the MX host name only (the
    domain's where there is no MX), for all that DANE does not verify."""
    if not h.usable:
        return [h]
    if not h.auth:
        h = h._replace(labels=('pkix', 'local-verify') + h.labels, tls='must', auth='pkix',
                       names=(p.me(),), base=None)
    return [h._replace(requiretls=True, why=h.why + (
        '8689 §4.2.1: TLS, an authenticated server with a protected name, REQUIRETLS offered',))]


def readings(local, need):
    """(look at DANE, look at MTA-STS, floor) for each reading of the two that is defensible."""
    requiretls, no = need in ('requiretls', 'both'), need == 'no'
    if local == 'follow':
        # RFC 8689 §4.2.2, §8.4: "No" acts as if neither were supported.
        return [(False, False, 'opportunistic-follow')] if no else [(True, True, 'follow')]
    if local in ('opportunistic', 'clear', 'encrypt') and requiretls:
        # Either way of authenticating will do (RFC 8689 §2). Where the message asks for more
        # than the operator, going back to all that is published is a right reading too.
        floor = 'encrypt' if local == 'encrypt' else 'opportunistic'
        return [(local == 'encrypt', False, floor), (True, False, floor), (True, True, 'follow')]
    return {
        'clear': [(False, False, 'clear')],
        'opportunistic': [(False, False, 'opportunistic')],
        'encrypt': [(not no, False, 'encrypt')],
        # The operator wants it verified; what the recipient publishes may serve, but need not.
        'verify': [(False, False, 'verify'), (True, False, 'verify')] if no
                  else [(True, False, 'verify')],
        'dane-only': [(True, False, 'dane-only')],
        'pinned': [(False, False, 'pinned')],
    }[local]


def mandatory_dane_delays(p, local):
    """RFC 7672 §2.2.1: an insecure MX RRset, DANE mandatory: delayed. Without an MX RRset
    (insecure denial) §2.2.2 reads either way."""
    if local != 'dane-only' or p.mx_secure:
        return []
    return [unusable('7672 §2.2.1: insecure MX and mandatory DANE: delivery is delayed')]


@functools.lru_cache(None)
def hosts_right(p, need, local):
    """All right readings of one host."""
    requiretls = need in ('requiretls', 'both')
    if p.addr in ADDRESS_ENDS:
        for_good, why = ADDRESS_ENDS[p.addr]
        out = [unusable(why, for_good=for_good)]
        if requiretls and not protected(p, local):
            out.append(unusable('8689 §4.2.1(2)', for_good=True))
        return tuple(out)
    delayed = mandatory_dane_delays(p, local)
    if requiretls and not protected(p, local):
        return tuple(unprotected(p, need, local) + delayed)
    out = list(delayed)
    if delayed and not p.implicit:
        return tuple(out)
    return tuple(dict.fromkeys(out + by_readings(p, need, local)))


def by_readings(p, need, local):
    requiretls, out = need in ('requiretls', 'both'), []
    for use_dane, use_sts, floor in readings(local, need):
        h = policy(p, use_dane, use_sts)
        if floor == 'opportunistic-follow':
            h = h._replace(base=None, why=('8689 §4.2.2, §8.4: as if neither DANE nor MTA-STS '
                                           'were supported',))
        else:
            h = require(h, p, floor)
        for h in with_expanded(h, p):
            out += with_requiretls(h, p) if requiretls else with_domain(h, p)
    if requiretls and local == 'clear':
        out.append(unusable('8689 §4.2.1(4): local policy rules TLS out', for_good=True,
                            status='5.7.10'))
    return out


def with_expanded(h, p):
    """RFC 7672 §3.2.2 names no expanded name where there is no MX and the original is the base;
    but a chain secure to its end makes it as good (its example says "at least")."""
    if h.auth == 'dane' and p.implicit and p.addr == 'chain' and h.base == 'host':
        return [h, h._replace(names=h.names + ('expanded',))]
    return [h]


def with_domain(h, p):
    """RFC 6125 §6.2.1: an operator's own "verify" may take the name that was looked up, the
    next-hop domain, for a reference identifier besides the host's, or not."""
    if h.auth != 'pkix' or 'sts' in h.labels:
        return [h]
    names = h.names + ('domain',)
    return [h, h._replace(names=names)] + (
        [h._replace(names=names + ('real',))] if p.aliased else [])


def unprotected(p, need, local):
    """REQUIRETLS and a host name that nothing protects: never used. It fails; where the
    protection may only be out of reach now, or another rule delays, delaying is right too."""
    out = [unusable('8689 §4.2.1(2): insecure MX, no MTA-STS policy lists the host',
                    for_good=True, status='5.7.10')]
    others = [policy(p, *r[:2]) for r in readings(local, need)]
    if not p.certain or p.mode == 'enforce' or any(not h.usable for h in others):
        out.append(unusable('8461 §5, 7672 §2.1.2: may be otherwise later'))
    return out


# --- One connection --------------------------------------------------------------------------

def authenticated(h, server, pin):
    trusted, dates, name, key, issuer = CERTS[server]
    named = h.me in h.names if name == '=' else name in h.names
    if h.auth == 'pin':
        return pin
    if h.auth == 'pkix':
        return trusted and dates and named
    for usage, _, _, data in usable_records(h.records):
        if usage == 3 and data == 'ee' and key:       # 7672 §3.1.1, §3.2.1: no names, no dates
            return True
        if usage == 2 and data == 'ta' and issuer and dates and named:  # §3.1.2, §3.2.2
            return True
    return False


@functools.lru_cache(None)
def connection(h, kind):
    """The ways one connection may go: (steps, delivered, for good, statuses, why)."""
    server, *flags = kind.split('.')
    now = [(('next',), False, False, (), '5321 §5.1: the next address or host')]
    if server in ('refused', 'greeting', 'rejected'):
        return now
    if server == 'shut':  # never mail, 7504 §3; but where TLS is a must, its word in the clear is none
        return now if h.tls == 'must' else [
            (('next',), False, True, ('5.3.2',), '7504 §3: the host never accepts mail')]
    if h.tls == 'never':
        return [(('clear',), True, False, (), 'local policy')]
    short = h.requiretls
    lost = [(('next',), False, short, ('5.7.10',) if short else (),
             '8689 §4.2.1' if short else '7672 §2.2, 8461 §5: no delivery by this host')]
    if server == 'missing':
        return lost if h.tls == 'must' else [(('clear',), True, False, (), '7672 §2.2')]
    again = (('retry', 'clear'), True, False, (), '7672 §2.2: handshake failed, retry in clear')
    if server == 'handshake':
        return lost if h.tls == 'must' else [again]
    if server == 'declined':
        return lost if h.tls == 'must' else [again, (('clear',), True, False, (), '3207 §4')]
    offered = 'ext' in flags
    if h.auth and not authenticated(h, server, 'pin' in flags):
        statuses = () if not short else ('5.7.10',) if offered else ('5.7.10', '5.7.30')
        return [(('next',), False, short, statuses, 'the certificate does not authenticate: '
                 '7672 §3.2, 8461 §4.2, 8689 §4.2.1(4)')]
    if server == 'lost':
        again = [(('retry', 'clear'), True, False, (), '7672 §2.2: the client MAY retry in clear')]
        return now + (again if h.tls == 'try' else [])
    if short and not offered:
        return [(('next',), False, True, ('5.7.30',), '8689 §4.2.1(5)')]
    return [(('talk',), True, False, (), 'all that is called for is met')]


def walks(hosts, kinds, first):
    """All right courses over the hosts: text like "1:next+2:talk=deliver". RFC 5321 §5.1: each
    address of a host is tried in turn, then the next host."""
    tries = list(enumerate(zip(hosts, kinds), 1))
    if first != '-':
        tries.insert(0, (1, (hosts[0], first)))
    return frozenset(course(ways, tries) for ways in itertools.product(*(
        connection(h, k) if h.usable else [None] for _, (h, k) in tries)))


def course(ways, tries):
    steps, for_good, codes = [], True, []
    for way, (i, (h, _)) in zip(ways, tries):
        if way is None:
            for_good = for_good and h.for_good
            continue
        steps += [f'{i}:{s}' for s in way[0]]
        if way[1]:
            return '+'.join(steps) + '=deliver'
        for_good = for_good and way[2]
        codes += way[3]
    if not for_good:
        return '+'.join(steps) + '=defer'
    # 8689 §4.2.1: what a server that was tried lacks, whatever else is wrong with the others.
    return '+'.join(steps) + '=fail/' + '|'.join(dict.fromkeys(codes))


# --- The whole -------------------------------------------------------------------------------

@functools.lru_cache(None)
def servers(need, local):
    """The behaviours every plan is confronted with, in order."""
    flags = [[], ['ext']] if need in ('requiretls', 'both') else [[]]
    if local == 'pinned':
        flags = flags + [f + ['pin'] for f in flags]
    return tuple(PLAIN + ['.'.join([c] + f) for c in CERTS for f in flags])


class Verdict(NamedTuple):
    decision: str
    status: Optional[str] = None
    hosts: tuple = ()
    walks: tuple = ()          # one set of courses for each server; empty unless 'deliver'
    why: tuple = ()


def places(s):
    mode, match, _, certain = STS[s.sts]
    implicit = s.mx in MX_NONE
    secure = s.mx in MX_SECURE or (implicit and s.addr in (
        'secure', 'chain', 'aaaa-bogus', 'aaaa-timeout'))
    first = Place(s.addr, s.tlsa, s.expanded, implicit, secure, s.mx == 'aliased', mode, match[0],
                  certain)
    if s.second == '-':
        return (first,)
    return first, first._replace(addr='insecure', tlsa='none', expanded='none', match=match[1])


@functools.lru_cache(None)
def judge(hosts, need, local, second, first):
    if any(h.usable for h in hosts):
        first, second = (k + ('.ext.pin' if k in CERTS else '') for k in (first, second))
        return Verdict('deliver', None, hosts, tuple(
            walks(hosts, (k, second), first) for k in servers(need, local)))
    if all(h.for_good for h in hosts):
        return Verdict('fail', hosts[0].status if len(hosts) == 1 else None, hosts)
    return Verdict('defer', None, hosts)


@functools.lru_cache(None)
def of_places(ps, need, local, second, first):
    return tuple(judge(hosts, need, local, second, first) for hosts in itertools.product(
        *(hosts_right(p, need, local) for p in ps)))


@functools.lru_cache(None)
def of_end(mx):
    decision, status, why = MX_ENDS[mx]
    return (Verdict(decision, status, why=(why,)),)


def verdicts(s):
    """Every verdict that is right for the scenario; one of them must be the planner's."""
    if s.mx in MX_ENDS:
        return of_end(s.mx)
    return of_places(places(s), s.need, s.local, s.second, s.first)


def sts_states(s):
    return STS[s.sts][2]


def shown(s):
    out = []
    for v in verdicts(s):
        kinds = servers(s.need, s.local) if v.walks else ()
        out.append({
            'decision': v.decision, 'status': v.status, 'why': v.why,
            'hosts': [{'requirement': h.labels, 'sni': h.base, 'names': h.names, 'why': h.why}
                      for h in v.hosts],
            'servers': {k: {'course': sorted(w), 'why': sorted({
                way[4] for way in connection(v.hosts[0], k)}) if v.hosts[0].usable else []}
                for k, w in zip(kinds, v.walks)}})
    return {'scenario': s._asdict(), 'right': out}


if __name__ == '__main__':
    json.dump(shown(Scenario(**dict(a.split('=', 1) for a in sys.argv[1:]))), sys.stdout, indent=2)
    print()
