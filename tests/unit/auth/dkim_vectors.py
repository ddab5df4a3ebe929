"""DKIM and Authentication-Results against the test suites of others, and against
dkimpy as a neighbour. One TAP case a vector.

Usage: dkim_vectors.py DKIM_PLAY   (the suites are found through GELEIT_VECTORS)
"""
import base64
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

RELAXED, SIMPLE = '0', '1'
REFUSE, WHOLE, ACCEPT = '0', '1', '2'


class Player:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, *fields):
        line = '\t'.join(f.hex() if isinstance(f, bytes) else str(f) for f in fields)
        self.process.stdin.write(line.encode() + b'\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode('utf-8', 'replace').rstrip('\n')
        if not answer.startswith('.'):
            raise RuntimeError('dkim_play died')
        return answer.split('\t')[1:]

    def close(self):
        self.process.stdin.close()
        return self.process.wait(timeout=10)

    def world(self, keys, **options):
        """keys: name -> list of records, or one of zone.h's words."""
        self.tell('reset')
        for name, records in keys.items():
            for record in [records] if isinstance(records, str) else records:
                if self.tell('zone', name, 'TXT', record):
                    raise ValueError(f'the zone does not take {name}')
        for name, value in options.items():
            self.tell('option', name, value)

    def verify(self, message):
        names = 'result reason domain selector identity algorithm bits testing weak length'.split()
        got = self.tell('verify', message)
        return [dict(zip(names, got[i:i + 10])) for i in range(0, len(got), 10)]

    def results(self, message):
        return [r['result'] for r in self.verify(message)]


PLAY = Player(sys.argv[1])
VECTORS = pathlib.Path(os.environ.get('GELEIT_VECTORS', 'no such folder'))
cases = []


def case(name, check, *arguments):
    cases.append((name, check, arguments))


def crlf(data):
    return re.sub(rb'\r?\n', b'\r\n', data)


def same(got, expected):
    if got != expected:
        raise AssertionError(f'{got!r} instead of {expected!r}')


# A verdict must not depend on how the message was cut.
def verdicts(message, keys, expected, **options):
    for chunk in (0, 1, 7, 64):
        PLAY.world(keys, chunk=chunk, **options)
        same(PLAY.results(message), expected)


# --- crypto-wycheproof ---------------------------------------------------------

def wycheproof(algorithm, key, test):
    got = PLAY.tell('crypto', algorithm, key, bytes.fromhex(test['msg']),
                    bytes.fromhex(test['sig']))[0]
    # "acceptable": DigestInfo without the NULL. RFC 8017 §9.2 allows to accept it,
    # libcrypto does not; no signer makes such signatures.
    same(got, '1' if test['result'] == 'valid' else '0')


def add_wycheproof():
    folder = VECTORS / 'crypto-wycheproof'
    for file, algorithm in [('rsa_signature_2048_sha256_test.json', 0), ('ed25519_test.json', 1)]:
        for group in json.loads((folder / file).read_text())['testGroups']:
            if algorithm == 0:
                keys = [('spki', group['publicKeyDer']), ('pkcs1', group['publicKeyAsn'])]
            else:
                keys = [('raw', group['publicKey']['pk']), ('spki', group['publicKeyDer'])]
            for test in group['tests']:
                for form, key in keys:
                    case(f'wycheproof {file.split("_")[0]} {test["tcId"]} {form}', wycheproof,
                         algorithm, bytes.fromhex(key), test)


# --- dkim-chasquid --------------------------------------------------------------

def chasquid_keys(text):
    keys = {}
    for line in re.sub(r'\\\n\s*', '', text).splitlines():
        name, _, record = line.partition(':')
        if name.strip():
            word = {'TEMPERROR': '!servfail', 'PERMERROR': '!nodata'}
            keys.setdefault(name.strip(), []).append(word.get(record.strip(), record.strip()))
    return keys


CHASQUID = {
    # Its limit is five signatures, ours is set to that here; the others get a
    # result that says so instead of none.
    '02-too_many_headers': (['pass'] * 5 + ['policy'] * 2, {'signatures': 5}),
    # l=: it takes such a signature, we only where the options say so.
    '09-limited_body': (['pass'] * 3, {'length': ACCEPT}),
    # No message at all, to it; to us there is nothing signed in it.
    '03-bad_message': ([], {}),
}
STATES = {'SUCCESS': 'pass', 'TEMPFAIL': 'temperror', 'PERMFAIL': 'permerror'}


def chasquid(name):
    folder = VECTORS / 'dkim-chasquid'
    message = crlf((folder / f'{name}.msg').read_bytes())
    dns = folder / f'{name}.dns'
    keys = chasquid_keys(dns.read_text()) if dns.exists() else {}
    expected, options = CHASQUID.get(name, (None, {}))
    if expected is None:
        results = json.loads((folder / f'{name}.result').read_text())['Results']
        expected = [STATES[r['State']] for r in results]
    verdicts(message, keys, expected, **options)


def chasquid_length_refused():
    folder = VECTORS / 'dkim-chasquid'
    message = crlf((folder / '09-limited_body.msg').read_bytes())
    keys = chasquid_keys((folder / '09-limited_body.dns').read_text())
    verdicts(message, keys, ['policy', 'pass', 'pass'])
    verdicts(message, keys, ['policy', 'pass', 'pass'], length=WHOLE)


# --- dkim-lieser, rfc-vectors ---------------------------------------------------

def lieser(name, expected):
    folder = VECTORS / 'dkim-lieser'
    keys = json.loads((folder / 'dns.json').read_text())
    verdicts(crlf((folder / 'eml' / name).read_bytes()), keys, expected)


def add_lieser():
    # "pass (warning …)" and "plain DKIM pass; …" are policies of a mail reader.
    words = {'fail (body hash)': ['fail'], 'permerror (v= missing)': ['permerror']}
    rows = (VECTORS / 'dkim-lieser' / 'expected.tsv').read_text().splitlines()[1:]
    for row in rows:
        name, expected = row.split('\t')
        passes = ['pass'] * (2 if expected == 'pass,pass' else 1)
        case(f'lieser {name}', lieser, name, words.get(expected, passes))


def rfc(name, count):
    folder = VECTORS / 'rfc-vectors' / 'dkim'
    keys = json.loads((folder / 'dns.json').read_text())
    verdicts(crlf((folder / name).read_bytes()), keys, ['pass'] * count)


# Its h= has From once: a second one above would not be covered (RFC 6376 §8.15).
def rfc6376_another_from():
    folder = VECTORS / 'rfc-vectors' / 'dkim'
    keys = json.loads((folder / 'dns.json').read_text())
    message = b'From: e@example.net\r\n' + crlf((folder / 'rfc6376-a2.eml').read_bytes())
    verdicts(message, keys, ['policy'])


# Ed25519 is deterministic: its key and our digest must give its signature.
def rfc8463_sign():
    folder = VECTORS / 'rfc-vectors' / 'dkim'
    message = crlf((folder / 'rfc8463-a3.eml').read_bytes())
    secrets = (folder / 'rfc8463-secret-keys.txt').read_text()
    same(ED25519_SEED in secrets, True)
    header = bytes.fromhex(PLAY.tell('header', RELAXED, message)[0])
    expected = tags_of(message.partition(b'\r\nDKIM')[0].decode().partition(':')[2])['b']
    got = PLAY.tell('sign-digest', ed25519_pem(), hashlib.sha256(header).digest())[0]
    same(base64.b64encode(bytes.fromhex(got)).decode(), expected)


# --- dkim-stalwart --------------------------------------------------------------

STALWART = {
    # x=1667930064 has passed; it verifies with the clock set back.
    '005': (['policy'], {}),
    '005 in time': (['pass'], {'now': 1667900000}),
}


def stalwart(name):
    text = (VECTORS / 'dkim-stalwart' / f'{name.split()[0]}.txt').read_bytes()
    keys_text, _, message = text.partition(b'\n\n')
    keys = dict(line.decode().split(' ', 1) for line in keys_text.splitlines())
    message = crlf(message)
    expected, options = STALWART.get(name, (None, {}))
    if expected is None:
        expected = ['pass'] * len(re.findall(rb'^DKIM-Signature:', message, re.M | re.I))
    verdicts(message, keys, expected, now=options.get('now', 1700000000))


# --- dkim-opendkim-sign ---------------------------------------------------------

def tags_of(value):
    return {k.strip(): re.sub(r'\s', '', v) for k, _, v in
            (t.partition('=') for t in value.split(';'))}


def opendkim_message(row, field='DKIM-Signature'):
    head = [f'{field}: {row["expected_signature_value"]}'] + row['headers']
    text = '\r\n'.join(head) + '\r\n\r\n' + row['body']
    # "CRLF fixing": the signer was given bare LF and told to mend them. So do the
    # stages of ours that come before signing.
    mended = 'DKIM_LIBFLAGS_FIXCRLF' in row['lib_flags']
    return re.sub(rb'\r\n|\r|\n', b'\r\n', text.encode()) if mended else text.encode()


def rsa_numbers(record):
    der = base64.b64decode(tags_of(record)['p'])
    position = 0

    def header(tag):
        nonlocal position
        assert der[position] == tag
        length, position = der[position + 1], position + 2
        if length & 0x80:
            n = length & 0x7f
            length, position = int.from_bytes(der[position:position + n], 'big'), position + n
        return length
    header(0x30)
    length = header(0x30)
    position += length
    header(0x03)
    position += 1
    header(0x30)
    n = header(0x02)
    modulus = int.from_bytes(der[position:position + n], 'big')
    position += n
    n = header(0x02)
    return modulus, int.from_bytes(der[position:position + n], 'big')


# rsa-sha1 tells whether the canonical forms are right: hashed and verified here.
def opendkim_sha1(row, keys):
    message = opendkim_message(row)
    body = message.partition(b'\r\n\r\n')[2]
    tags = tags_of(row['expected_signature_value'])
    how = {'relaxed': RELAXED, 'simple': SIMPLE}
    for chunk in (0, 1, 7, 64):
        PLAY.world({}, chunk=chunk)
        canonical = bytes.fromhex(PLAY.tell('body', how[row['body_canon']], body)[0])
        limit = int(tags.get('l', len(canonical)))
        got = base64.b64encode(hashlib.sha1(canonical[:limit]).digest()).decode()
        same(got, tags['bh'])
    header = bytes.fromhex(PLAY.tell('header', how[row['header_canon']], message)[0])
    n, e = rsa_numbers(keys[f'{tags["s"]}._domainkey.{tags["d"]}'])
    signature = base64.b64decode(tags['b'])
    opened = pow(int.from_bytes(signature, 'big'), e, n).to_bytes(len(signature), 'big')
    same(opened[-20:], hashlib.sha1(header).digest())


def opendkim_sha256(row, keys):
    tags = tags_of(row['expected_signature_value'])
    now = int(tags['t'])
    expected = ['pass']
    verdicts(opendkim_message(row), keys, expected, now=now, length=ACCEPT)


# Nothing of SHA-1 ever verifies (RFC 8301 §3.1).
def opendkim_historic(row, keys):
    verdicts(opendkim_message(row), keys, ['permerror'])


# Signed by us with their key: their body hash, and our own signature verifies.
def opendkim_resign(row, keys, pem):
    how = {'relaxed': RELAXED, 'simple': SIMPLE}
    message = opendkim_message(row).partition(b'\r\n')[2]
    while message[:1] in b' \t':  # the rest of the signature's folds
        message = message.partition(b'\r\n')[2]
    PLAY.world(keys, now=row['sign_time'])
    state, fields = PLAY.tell('sign', pem.encode(), 'example.com', 'test', how[row['header_canon']],
                              how[row['body_canon']], row['sign_time'], 0, message)
    fields = bytes.fromhex(fields)
    same(state, 'ok')
    same(max(map(len, fields.split(b'\r\n'))) <= 78, True)
    tags, theirs = tags_of(fields.decode()), tags_of(row['expected_signature_value'])
    if 'l' not in theirs and row['algorithm'] == 'rsa-sha256':
        same(tags['bh'], theirs['bh'])
    verdicts(fields + message, keys, ['pass'], now=row['sign_time'])


def add_opendkim():
    suite = json.loads((VECTORS / 'dkim-opendkim-sign' / 'sign-kat.json').read_text())
    keys = suite['public_key_txt']
    for row in suite['cases']:
        name = f'opendkim {row["id"]} {row["title"]}'
        if row['algorithm'] == 'rsa-sha1':
            case(name, opendkim_sha1, row, keys)
            case(name + ': historic', opendkim_historic, row, keys)
        else:
            case(name, opendkim_sha256, row, keys)
        case(name + ': signed by us', opendkim_resign, row, keys, suite['private_key_pem'])


# --- mox-tables -----------------------------------------------------------------

MOX = {
    # UTF-8 in i=: RFC 8616 §5 allows it in internationalized headers, and a
    # verifier has no need to be told whether the header is one.
    ('dkim_signature', 'No UTF-8 allowed.'): 'ok',
}


def mox(table, row):
    data = row['input'].encode()
    expected = MOX.get((table, row['remark']), row['expect'].split()[0])
    if table == 'dkim_signature':
        if data.lower().startswith(b'dkim-signature:'):
            fault = PLAY.tell('signature', data.partition(b':')[2].removesuffix(b'\r\n'))[0]
        else:
            fault = 'another field'
    else:
        fault = PLAY.tell('key', data)[0]
    same('error' if fault else 'ok', expected)


def add_mox():
    for table in ('dkim_key_record', 'dkim_signature'):
        rows = json.loads((VECTORS / 'mox-tables' / f'{table}.json').read_text())
        for i, row in enumerate(rows):
            case(f'mox {table} {i}', mox, table, row)


# --- authres-lieser -------------------------------------------------------------

PASS = ['dkim', 'pass', '']
SPF = ['spf', 'pass', '', 'smtp.mailfrom=example.com']
AUTHRES = {
    'alignment-auid_not_in_sdid': [
        ['example.net', '1', '0', '0', *PASS,
         'header.d=example.net,header.i=joe@football.example.com']],
    # Unknown results and methods are to be ignored (§2.7.7), not misparsed.
    'dkim-unknown_result': [
        ['example.net', '1', '0', '0', 'dkim', 'timeout', '', 'header.d=example.com']],
    'multiple_arh-newest_no_authserv': [
        ['bad'], ['unrelated.com', '1', '0', '0', *PASS, 'header.d=unrelated.com'], ['bad']],
    # header.b=/d5r: "/" makes it no token (RFC 2045 §5.1): it had to be quoted.
    'multiple_arh-newest_parsing_error_01': [
        ['bad'], ['unrelated.com', '1', '0', '0', *PASS, 'header.d=unrelated.com'],
        ['example.net', '1', '0', '0', *PASS, 'header.d=example.com']],
    'multiple_arh-newest_unknown_method': [
        ['example.net', '1', '0', '0', 'foo', 'pass', '', ''],
        ['unrelated.com', '1', '0', '0', *PASS, 'header.d=unrelated.com'],
        ['example.net', '1', '0', '0', *PASS, 'header.d=example.com']],
    'multiple_dkim_results': [
        ['example.net', '1', '0', '0',
         'dkim', 'fail', '', 'header.d=example.com', *PASS, 'header.d=unrelated.org',
         *PASS, 'header.d=example.com', 'dkim', 'fail', 'test failure', 'header.d=example.com',
         'dkim', 'fail', 'test failure signed by unrelated', 'header.d=unrelated.org',
         'dkim', 'fail', '', 'header.d=example.com', *PASS, 'header.d=example.org']],
    'rfc6376-A.2-arh-failed-no_reason': [
        ['example.net', '1', '0', '0', *SPF, 'dkim', 'fail', '', 'header.d=example.com']],
    'rfc6376-A.2-arh-valid-a_tag': [
        ['example.net', '1', '0', '0', *SPF, *PASS,
         'header.d=example.com,header.a=rsa-sha256']],
    'rfc6376-A.2-arh-valid-auid': [
        ['example.net', '1', '0', '0', *SPF, *PASS, 'header.i=joe@football.example.com']],
    'rfc6376-A.2-arh-valid-sdid_and_auid': [
        ['example.net', '1', '0', '0', *SPF, *PASS,
         'header.d=example.com,header.i=joe@football.example.com']],
    # A ";" at the end, which the grammar does not have: read, and said ("loose").
    'rfc6376-A.2-arh-valid_relaxed': [
        ['example.net', '1', '0', '1', *SPF, *PASS, 'header.d=example.com']],
}
AUTHRES_FIELD = re.compile(rb'^Authentication-Results:((?:[^\r]|\r\n[ \t])*)\r\n', re.M)


def authres(path):
    head = crlf(path.read_bytes()).partition(b'\r\n\r\n')[0] + b'\r\n'
    fields = [m.group(1) for m in AUTHRES_FIELD.finditer(head)]
    same([PLAY.tell('authres', f) for f in fields], AUTHRES[path.stem])


def strip(path):
    message = crlf(path.read_bytes())
    head, empty, body = message.partition(b'\r\n\r\n')

    def ours(match):
        named = match.group(1).strip().startswith(b'unrelated.com')
        return match.group(0) if named else b''
    expected = AUTHRES_FIELD.sub(ours, head + b'\r\n') + b'\r\n' + body
    for chunk in (0, 1, 7, 64):
        PLAY.world({}, chunk=chunk)
        same(bytes.fromhex(PLAY.tell('strip', 'EXAMPLE.net', message)[1]), expected)
        rest = bytes.fromhex(PLAY.tell('strip', 'unrelated.com', expected)[1])
        same(rest.count(b'unrelated.com;'), 0)


def add_authres():
    for path in sorted((VECTORS / 'authres-lieser').glob('*.eml')):
        case(f'authres {path.stem}', authres, path)
        case(f'authres {path.stem}: taken out', strip, path)


# --- dkimpy as a neighbour -------------------------------------------------------

try:
    import dkim
except ImportError:
    dkim = None

# RFC 8463 A.3's key and, without it, no Ed25519: dkimpy needs python3-nacl for that.
ED25519_SEED = 'nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A='
ED25519_RECORD = 'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='


def pem(label, der):
    text = base64.encodebytes(der).decode()
    return f'-----BEGIN {label}-----\n{text}-----END {label}-----\n'.encode()


def ed25519_pem():
    prefix = bytes.fromhex('302e020100300506032b657004220420')
    return pem('PRIVATE KEY', prefix + base64.b64decode(ED25519_SEED))


# Bodies and headers where canonical forms differ: white space, folds, ends.
NEIGHBOUR_MESSAGES = {
    'plain': b'From: a@example.com\r\nTo: b@example.net\r\nSubject: x\r\n\r\nHello\r\n',
    'no body': b'From: a@example.com\r\nSubject: x\r\n\r\n',
    'blank lines': b'From: a@example.com\r\n\r\n\r\n\r\nx\r\n\r\n \r\n\t\r\n\r\n',
    'only blank lines': b'From: a@example.com\r\n\r\n\r\n\r\n\r\n',
    'only blanks': b'From: a@example.com\r\n\r\n \t \r\n \r\n',
    'no last line end': b'From: a@example.com\r\n\r\nabc \r\ndef',
    'white space': b'From: a@example.com\r\n\r\n a \t b\t\r\n\t c  \r\n  \r\nd\r\n',
    'folds': b'From:a@example.com\r\nSubject:  x\r\n\ty \r\n   z\t\r\nTo:\r\n b@example.net\r\n'
             b'\r\nx\r\n',
    'twice': b'From: a@example.com\r\nTo: one@example.net\r\nTo: two@example.net\r\n'
             b'subject: lower\r\n\r\nx\r\n',
    'eight bit': 'From: a@example.com\r\nSubject: Grüße\r\n\r\nÄ Ö\r\n'.encode(),
    'long': b'From: a@example.com\r\n\r\n' + b'line of text  with blanks \r\n' * 5000,
}
CANONS = [(h, b) for h in (b'relaxed', b'simple') for b in (b'relaxed', b'simple')]


def neighbour_keys(suite):
    keys = {'test._domainkey.example.com': suite['public_key_txt']['test._domainkey.example.com'],
            'ed._domainkey.example.com': ED25519_RECORD}
    return keys, {'test': suite['private_key_pem'].encode(), 'ed': ed25519_pem()}


def lookup(keys):
    def answer(name, timeout=5):
        return keys.get(name.decode().rstrip('.'), '').encode()
    return answer


def we_sign(suite, message, selector, canon):
    keys, pems = neighbour_keys(suite)
    how = {b'relaxed': RELAXED, b'simple': SIMPLE}
    PLAY.world({})
    state, fields = PLAY.tell('sign', pems[selector], 'example.com', selector, how[canon[0]],
                              how[canon[1]], 1700000000, 0, message)
    same(state, 'ok')
    signed = bytes.fromhex(fields) + message
    same(dkim.verify(signed, dnsfunc=lookup(keys)), True)
    verdicts(signed, keys, ['pass'], now=1700000000)


def they_sign(suite, message, selector, canon):
    keys, pems = neighbour_keys(suite)
    private = ED25519_SEED.encode() if selector == 'ed' else pems[selector]
    algorithm = b'ed25519-sha256' if selector == 'ed' else b'rsa-sha256'
    field = dkim.sign(message, selector.encode(), b'example.com', private, canonicalize=canon,
                      signature_algorithm=algorithm)
    verdicts(field + message, keys, ['pass'])


def add_neighbour(suite):
    for name, message in NEIGHBOUR_MESSAGES.items():
        for selector in ('test', 'ed'):
            for canon in CANONS:
                how = f'{name}, {selector}, {canon[0].decode()}/{canon[1].decode()}'
                case(f'we sign, dkimpy verifies: {how}', we_sign, suite, message, selector, canon)
                case(f'dkimpy signs, we verify: {how}', they_sign, suite, message, selector, canon)


# --- run ------------------------------------------------------------------------

def add_all():
    add_wycheproof()
    for path in sorted((VECTORS / 'dkim-chasquid').glob('*.msg')):
        case(f'chasquid {path.stem}', chasquid, path.stem)
    case('chasquid 09-limited_body: l= refused', chasquid_length_refused)
    add_lieser()
    case('RFC 6376 A.2', rfc, 'rfc6376-a2.eml', 1)
    case('RFC 6376 A.2: another From above', rfc6376_another_from)
    case('RFC 8463 A.3', rfc, 'rfc8463-a3.eml', 2)
    case('RFC 8463 A.3: the digest', rfc8463_sign)
    for name in ['001', '002', '003', '004', '005', '005 in time', '006']:
        case(f'stalwart {name}', stalwart, name)
    add_opendkim()
    add_mox()
    add_authres()
    if dkim:
        add_neighbour(json.loads((VECTORS / 'dkim-opendkim-sign' / 'sign-kat.json').read_text()))
    else:
        case('dkimpy as a neighbour # SKIP no python3-dkim', lambda: None)


def main():
    if not (VECTORS / 'dkim-lieser').is_dir():
        print('1..0 # SKIP no test suites at GELEIT_VECTORS')
        return 0
    add_all()
    print(f'1..{len(cases)}')
    bad = 0
    for i, (name, check, arguments) in enumerate(cases, 1):
        try:
            check(*arguments)
            print(f'ok {i} - {name}', flush=True)
        except Exception as error:
            bad += 1
            print(f'not ok {i} - {name}\n# {type(error).__name__}: {str(error)[:600]}', flush=True)
    return 1 if PLAY.close() or bad else 0


sys.exit(main())
