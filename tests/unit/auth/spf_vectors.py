"""SPF against the test suites of others, one TAP case a scenario test.

Usage: spf_vectors.py SPF_PLAY   (the suites are found through GELEIT_VECTORS)

openspf's RFC 7208 suite, Stalwart's scenarios, mox's record table, and
chasquid's fuzzing finds, which only must not crash anything.
"""
import ast
import json
import os
import pathlib
import re
import subprocess
import sys

# Rows that we do not follow, each with the reason.
OPENSPF_EXCEPTIONS = {
    # The name looked up has spaces in it. A dns_name holds printable characters
    # without the space, so no such name is ever asked for: it does not match.
    # Nobody can publish mail servers under it either.
    'macro-mania-in-domain': 'fail',
}
STALWART_EXCEPTIONS = {
    # Eleven MX records. RFC 7208 §4.6.4: past ten, "mx" MUST be a permerror;
    # passing when the client is found among the first ten would make the result
    # depend on the order of the records. openspf's mx-limit agrees with us.
    ('DNS Lookup Limits', 'sender@mx.test.org', '10.0.0.8'): 'permerror',
    # "-all ip:10.0.0.1": there is no mechanism "ip". RFC 7208 §4.6: a syntax
    # error anywhere in the record is a permerror, even behind "all" (openspf's
    # detect-errors-anywhere).
    ('All test', 'sender@test.org', '10.0.0.1'): 'permerror',
    # "exists" asks for A only, whatever the client's family (RFC 7208 §5.7,
    # openspf's exists-ip6only); these names have AAAA alone.
    ('Exists', 'sender@ip6.test.org', '167.1.2.3'): 'fail',
    ('Macro expansion 2', 'strong-bad@email.example.com', '2001:db8::cb01'): 'fail',
    # "ip6:::ffff:10.1.2.3" and an IPv4 client: IPv4 addresses are listed by "ip4"
    # only (RFC 7208 §5, openspf's ip4-mapped-ip6).
    ('IPv6 match', 'sender@test.org', '10.1.2.3'): 'fail',
}
# Here ten names that do not exist stand for ten lookups: the row is about
# the limit of terms, and was written without one for void lookups.
STALWART_NO_VOID_LIMIT = {('DNS Lookup Limits', 'sender@ok.test.org')}
MOX_EXCEPTIONS = {
    # "a:x", "mx:x": a domain-spec that ends in no macro ends in "." and a label
    # (RFC 7208 §7.1 domain-end; openspf's a-only-toplabel).
    2: 'error',
}


class Player:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, *fields):
        line = '\t'.join(f.hex() if isinstance(f, bytes) else str(f) for f in fields)
        self.process.stdin.write(line.encode('utf-8', 'surrogateescape') + b'\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().rstrip('\n')
        if not answer:
            raise RuntimeError('spf_play died')
        return answer.split('\t')

    def run(self, ip, helo, sender, voids=0):
        got = self.tell('RUN', ip, raw(helo), raw(sender), voids)
        names = ('result', 'lookups', 'voids', 'explanation', 'mechanism', 'reason', 'helo',
                 'decides')
        out = dict(zip(names, got))
        out['order'] = len(got) > len(names) or got[0] == 'stuck'
        for n in ('explanation', 'mechanism', 'reason'):
            out[n] = bytes.fromhex(out.get(n, '')).decode('latin-1')
        return out


def raw(s):
    """YAML's "\\x80" is a byte, not a character."""
    if isinstance(s, bytes):
        return s
    try:
        return str(s).encode('latin-1')
    except UnicodeEncodeError:
        return str(s).encode('utf-8')


count = failed = 0


def case(ok, name, detail=''):
    global count, failed
    count += 1
    failed += not ok
    print(f'{"ok" if ok else "not ok"} {count} - {name}')
    if not ok:
        print(f'# {detail}')


# --- openspf

def add_openspf(player, name, entries):
    types = [next(iter(e)) for e in entries if isinstance(e, dict)]
    for entry in entries:
        if entry == 'TIMEOUT':  # every type that has no record here
            player.tell('ADD', name, '*', b'!timeout')
            continue
        (kind, value), = entry.items()
        # The suite's custom: SPF stands for TXT, unless there is a TXT line too.
        if kind == 'SPF':
            if 'TXT' in types:
                continue
            kind = 'TXT'
        if value == 'NONE':
            continue
        if kind == 'MX':
            value = f'{value[0]} {value[1] or "."}'
        if isinstance(value, list):
            value = b''.join(raw(v) for v in value)
            if not value:
                continue
        player.tell('ADD', name, kind, raw(value))


def openspf(player, folder):
    import yaml
    text = (folder / 'spf-rfc7208' / 'rfc7208-tests.yml').read_text()
    for scenario in yaml.safe_load_all(text):
        player.tell('RESET')
        for name, entries in scenario['zonedata'].items():
            add_openspf(player, name, entries)
        for name, test in scenario['tests'].items():
            got = player.run(test['host'], test['helo'], test['mailfrom'])
            want = OPENSPF_EXCEPTIONS.get(name, test['result'])
            want = want if isinstance(want, list) else [want]
            ok = got['result'] in want and not got['order']
            if 'explanation' in test and got['result'] == 'fail':
                wanted = test['explanation']
                wanted = '' if wanted == 'DEFAULT' else wanted
                # The suite writes the nibbles of %{i} in upper case, the RFC
                # (§7.4) in lower: they are the same name.
                same = got['explanation'].lower() == wanted.lower() if ':' in test['host'] \
                    else got['explanation'] == wanted
                ok = ok and same
            case(ok, f'openspf {name}', f'want {want}, got {got}')


# --- Stalwart: "kind: name values" lines, keys repeat, so it is no YAML

def add_stalwart(player, kind, name, value):
    values = [v.strip() for v in value.split(',') if v.strip()]
    if kind in ('spf', 'exp', 'txt'):
        player.tell('ADD', name, 'TXT', raw(value))
    elif kind in ('a', 'aaaa'):
        for v in values:
            player.tell('ADD', name, kind, raw(v))
    elif kind == 'ptr':
        import ipaddress
        for v in values:
            player.tell('ADD', ipaddress.ip_address(name).reverse_pointer, 'PTR', raw(v))
    elif kind == 'mx':  # addresses stand for hosts that have them
        for i, v in enumerate(values):
            host = f'host{i}.of.{name}'
            player.tell('ADD', name, 'MX', raw(f'{i} {host}'))
            player.tell('ADD', host, 'AAAA' if ':' in v else 'A', raw(v))
    else:
        raise RuntimeError(f'what is {kind}?')


def stalwart_begin(player, records):
    player.tell('RESET')
    # What the suite calls a name whose lookups fail.
    for name in ('_dns_error.org', '_dns_error.test.org'):
        player.tell('ADD', name, '*', b'!timeout')
    for kind, line in records:
        name, _, data = line.partition(' ')
        add_stalwart(player, kind, name, data.strip())


def stalwart_file(player, path):
    """Yields each expectation with the zone made for it. What a test says holds
    for those below it; its records, given at the test, hold until its end."""
    title, test, part, records, own = '', {}, None, [], []
    for line in path.read_text().splitlines():
        word, _, value = line.strip().partition(':')
        word, value = word.removeprefix('- ').strip(), value.strip()
        if not word or word.startswith('#') or word == '---':
            continue
        if word in ('records', 'tests'):
            part = word
        elif word == 'name' and (part is None or not line.startswith(' ')):
            title, test, part, records, own = value, {}, None, [], []
        elif word == 'name':
            own = []
        elif word in ('spf', 'exp', 'txt', 'a', 'aaaa', 'mx', 'ptr'):
            (records if part == 'records' else own).append((word, value))
        else:
            test[word] = value
            if word == 'expect':
                stalwart_begin(player, records + own)
                yield title, test


def stalwart(player, folder):
    for path in sorted((folder / 'spf-stalwart').glob('*.yml')):
        for n, (title, test) in enumerate(stalwart_file(player, path)):
            key = (title, test['sender'], test['ip'])
            want, _, words = STALWART_EXCEPTIONS.get(key, test['expect']).partition(' ')
            voids = 1000 if key[:2] in STALWART_NO_VOID_LIMIT else 0
            got = player.run(test['ip'], test['domain'], test['sender'], voids)
            ok = got['decides'] == want and not got['order']
            if words:
                ok = ok and got['explanation'] == words.strip()
            case(ok, f'stalwart {path.stem}: {title} {n}', f'{test} got {got}')


def mox(player, folder):
    for n, row in enumerate(json.loads((folder / 'mox-tables' / 'spf_record.json').read_text())):
        got = player.tell('PARSE', row['input'].encode())[0]
        case(got == MOX_EXCEPTIONS.get(n, row['expect']), f'mox record {n}', f'{row} got {got}')


def seeds(player, folder):
    for part in sorted(p for p in (folder / 'fuzz-seeds').iterdir() if p.is_dir()):
        ran = 0
        for path in sorted(part.iterdir()):
            for literal in re.findall(r'^(?:string|\[\]byte)\((.*)\)$', path.read_text(), re.M):
                try:
                    value = ast.literal_eval('b' + literal) if literal.isascii() else \
                        ast.literal_eval(literal).encode('utf-8', 'surrogateescape')
                except (SyntaxError, ValueError):
                    value = literal.encode()
                ran += 1
                player.tell('RESET')
                player.tell('ADD', 'domain.example', 'TXT', value)
                for name in ('e4.example.com', 'exp1.example.com'):
                    player.tell('ADD', name, 'TXT', b'v=spf1 -all exp=msg.%{d}')
                player.tell('PARSE', value)
                for sender in (b'user@domain.example', value, b'user@' + value,
                               value + b'@domain.example'):
                    for ip in ('192.0.2.1', '2001:db8::1'):
                        got = player.run(ip, value, sender)
                        if got['order']:
                            raise RuntimeError(f'{path}: {got}')
        case(ran > 0, f'{part.name}: {ran} seeds do no harm')


def main():
    folder = pathlib.Path(os.environ.get('GELEIT_VECTORS', ''))
    try:
        import yaml  # noqa: F401
    except ImportError:
        print('1..0 # SKIP python3-yaml is not installed')
        return 0
    if not (folder / 'spf-rfc7208').is_dir():
        print('1..0 # SKIP no vectors')
        return 0
    player = Player(sys.argv[1])
    for suite in (openspf, stalwart, mox, seeds):
        suite(player, folder)
    print(f'1..{count}')
    return 0


sys.exit(main())
