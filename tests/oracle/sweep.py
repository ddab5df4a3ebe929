#!/usr/bin/env python3
"""Confronts the planner and the walk with the oracle over all scenarios, as TAP.

Usage: sweep.py SWEEP            one case a group; the first scenario of a group that disagrees
                                 is printed in full
       sweep.py SWEEP --all      every scenario that disagrees, as lines of JSON
       sweep.py SWEEP KEY=VALUE… one scenario, both sides
"""
import functools
import itertools
import json
import subprocess
import sys
import threading
from typing import NamedTuple

import oracle
from oracle import Scenario

T_CORE = ('none', 'ee', 'ta', 'both', 'unusable', 'bogus', 'timeout', 'short')
T_MORE = ('nxdomain', 'unread', 'insecure', 'mixed', 'rollover', 'other-ta', 'agile', 'agile-cut',
          'agile-apart')
S_CORE = ('absent', 'none', 'testing', 'enforce', 'mismatch', 'cached', 'changed', 'expired',
          'invalid')
S_MORE = tuple(s for s in oracle.STS if s not in S_CORE)
M_CORE = ('secure', 'insecure', 'bogus', 'timeout', 'nodata', 'null', 'self')
M_MORE = ('nxdomain', 'unread', 'self-equal', 'self-backup', 'aliased', 'aliased-out')
A_MORE = ('cname-insecure', 'cname-bogus', 'cname-timeout', 'bogus', 'timeout', 'nodata',
          'nxdomain', 'aaaa-bogus', 'aaaa-timeout')
FEW_M = ('secure', 'insecure', 'nodata')
FIRSTS = ('refused', 'greeting', 'shut', 'missing', 'declined', 'handshake', 'untrusted', 'lost')
FEW_S = ('absent', 'enforce', 'mismatch')

# Where an RRset may lie: (address state, at the host's name, at the expanded name).
HOMES = {
    'secure': lambda t: [('secure', t, 'none')],
    'insecure': lambda t: [('insecure', t, 'none')],
    'cname-out': lambda t: [('cname-out', t, 'none'), ('cname-out', t, 'both')],
    'chain': lambda t: [('chain', 'none', t), ('chain', t, 'none'), ('chain', t, t)],
}


class Group(NamedTuple):
    """One TAP case: what these have in common; `places` are (address, TLSA at the host's name,
    TLSA at the expanded name). Needs and local policies are swept inside."""
    name: str
    mx: str
    sts: str
    places: list
    seconds: tuple = ('-',)
    firsts: tuple = ('-',)

    def scenarios(self):
        return [Scenario(self.mx, *place, self.sts, need, local, second, first)
                for place in self.places for second in self.seconds for first in self.firsts
                for need in oracle.NEEDS for local in oracle.LOCALS]


def group(mx, sts, where, places, seconds=('-',), firsts=('-',)):
    return Group(f'{where} mx={mx} sts={sts}', mx, sts, places, seconds, firsts)


def groups():
    for t, a, m, s in itertools.product(T_CORE, HOMES, M_CORE, S_CORE):
        yield group(m, s, f'tlsa={t} addr={a}', HOMES[a](t))
    for t, a, m, s in itertools.product(T_CORE, HOMES, M_MORE, FEW_S):
        yield group(m, s, f'tlsa={t} addr={a}', HOMES[a](t))
    for t, a, m, s in itertools.product(T_MORE, HOMES, FEW_M, FEW_S):
        yield group(m, s, f'tlsa={t} addr={a}', HOMES[a](t))
    for m, s, a in itertools.product(FEW_M, FEW_S, A_MORE):
        yield group(m, s, f'addr={a}', [(a, t, t) for t in T_CORE])
    for s, m, a in itertools.product(S_MORE, ('secure', 'insecure', 'aliased'), HOMES):
        yield group(m, s, f'addr={a}', [p for t in T_CORE for p in HOMES[a](t)])
    for t, m, s in itertools.product(T_CORE + T_MORE, FEW_M, FEW_S):
        yield group(m, s, f'tlsa=any expanded={t} addr=chain',
                    [('chain', here, t) for here in T_CORE + T_MORE])
    for t, a, m, s in itertools.product(
            ('none', 'both', 'unusable', 'bogus'), ('secure', 'insecure', 'timeout', 'nxdomain'),
            ('secure', 'insecure'), FEW_S + ('partial',)):
        yield group(m, s, f'two hosts, tlsa={t} addr={a}', [(a, t, 'none')],
                    ('good', 'missing', 'refused', 'shut', 'handshake', 'untrusted', 'lost'))
    for t, m, s in itertools.product(('none', 'both', 'unusable'), FEW_M, FEW_S):
        yield group(m, s, f'two addresses, tlsa={t}', [('secure', t, 'none')], firsts=FIRSTS)
    for t, m, s in itertools.product(('none', 'both'), ('secure', 'insecure'),
                                     ('absent', 'partial')):
        yield group(m, s, f'two hosts, two addresses, tlsa={t}', [('secure', t, 'none')],
                    ('good', 'greeting'), FIRSTS)
    yield group('nxdomain', 'absent', 'addr=nxdomain', [('nxdomain', 'none', 'none')])


def line(s, number):
    return ' '.join((*s, 'newest' if number % 2 else 'oldest')) + '\n'


class Driver:
    """The C side: scenarios in, verdict lines out, in order."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1 << 16)

    def run(self, lines):
        def feed():
            try:
                for text in lines:
                    self.process.stdin.write(text)
                self.process.stdin.close()
            except BrokenPipeError:
                pass  # its end of the output tells
        threading.Thread(target=feed, daemon=True).start()
        return self.process.stdout


CLASS = {'deliver': '-', 'defer': '4.', 'fail': '5.'}  # RFC 3463 §2


@functools.lru_cache(None)
def course_right(right, seen):
    bare, _, status = seen.partition('/')
    if not (status or '-').startswith(CLASS[bare.partition('=')[2]]):
        return False
    for r in right:
        want, _, codes = r.partition('/')
        if want == bare and (not codes or status in codes.split('|')):
            return True
    return False


def against(v, kinds, seen):
    """What of the planner's line is not as this verdict has it; None: nothing."""
    decision, status, _, hosts, courses = seen
    if decision != v.decision:
        return f'decision {decision}, not {v.decision}'
    if not status.startswith(CLASS[decision]):
        return f'status {status} for {decision}'
    if v.status and status != v.status:
        return f'status {status}, not {v.status}'
    plan = dict(h.split(':', 1) for h in hosts.split(',') if h)
    for i, h in enumerate(v.hosts, 1):
        label, _, base = plan.pop(str(i), 'missing:').partition(':')
        if label not in h.labels:
            return f'host {i} is {label}, not {"|".join(h.labels)}'
        if h.usable and h.base and base != h.base:
            return f'host {i}: TLSA base and SNI {base}, not {h.base}'
    for i, rest in plan.items():
        if not rest.startswith('unusable:'):
            return f'host {i} is not to be used at all'
    for kind, right, course in zip(kinds, v.walks, courses.split(' ')):
        if not course_right(right, course):
            return f'server {kind}: {course}, not {" or ".join(sorted(right))}'
    return None


known = {}


def disagreement(s, text):
    """None, or what is wrong of the planner's line."""
    seen = tuple(text.split('\t'))
    if len(seen) != 5:
        return f'the driver says: {text!r}'
    if seen[2] not in oracle.sts_states(s) and s.mx not in oracle.MX_ENDS:
        return f'MTA-STS state {seen[2]}, not {"|".join(oracle.sts_states(s))}'
    right = oracle.verdicts(s)
    key = id(right), seen[:2] + seen[3:]  # the oracle keeps its verdicts, so ids are good
    if key not in known:
        kinds = oracle.servers(s.need, s.local)
        wrong = [against(v, kinds, seen) for v in right]
        known[key] = None if None in wrong else '; or: '.join(dict.fromkeys(wrong))
    return known[key]


def sweep(program):
    """(group, [(scenario, planner's line, what is wrong)]) of every group."""
    driver, all_groups = Driver(program), list(groups())
    lines = (line(s, n + i) for i, g in enumerate(all_groups) for n, s in enumerate(g.scenarios()))
    out = driver.run(lines)
    for g in all_groups:
        bad = []
        for s in g.scenarios():
            text = out.readline().rstrip('\n')
            wrong = disagreement(s, text)
            if wrong:
                bad.append((s, text, wrong))
        yield g, bad
    if driver.process.wait(30) != 0:
        raise SystemExit('Bail out! the driver failed')


def report(s, text, wrong):
    print('# ' + ' '.join(f'{k}={v}' for k, v in s._asdict().items()))
    print(f'# {wrong}')
    kinds = oracle.servers(s.need, s.local)
    parts = (text.split('\t') + [''] * 5)[:5]
    print(f'# planner: {parts[0]} {parts[1]} mta-sts={parts[2]} hosts={parts[3]}')
    print('#   ' + ' '.join(f'{k}:{c}' for k, c in zip(kinds, parts[4].split(' '))))
    for v in oracle.verdicts(s):
        print(f'# oracle: {v.decision} {v.status or ""} '
              + ' '.join('|'.join(h.labels) for h in v.hosts))
        print('#   ' + ' '.join(f'{k}:{"|".join(sorted(w))}' for k, w in zip(kinds, v.walks)))
        for why in v.why + tuple(w for h in v.hosts for w in h.why):
            print('#   ' + ('RFC ' if why[0].isdigit() else '') + why)


def tap(program):
    n = 0
    for n, (g, bad) in enumerate(sweep(program), 1):
        print(('not ok' if bad else 'ok'), n, '-', g.name)
        if bad:
            print(f'# {len(bad)} of {len(g.scenarios())} scenarios disagree; the first:')
            report(*bad[0])
    print(f'1..{n}')
    return 0


def main(program, *rest):
    if not rest:
        return tap(program)
    if rest == ('--all',):
        for g, bad in sweep(program):
            for s, text, wrong in bad:
                print(json.dumps({'scenario': s._asdict(), 'planner': text, 'wrong': wrong}))
        return 0
    s = Scenario(**dict(a.split('=', 1) for a in rest))
    driver = Driver(program)
    text = driver.run([line(s, 0)]).readline().rstrip('\n')
    report(s, text, disagreement(s, text) or 'both agree')
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
