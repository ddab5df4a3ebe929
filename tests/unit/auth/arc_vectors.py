"""What another sealer's suite says a seal must be, verified. One TAP case a test.

Usage: arc_vectors.py ARC_PLAY   (the suite is found through GELEIT_VECTORS)
"""
import os
import pathlib
import re
import subprocess
import sys

try:
    import yaml
except ImportError:
    print('1..0 # SKIP no YAML reader here')
    sys.exit(0)

PATH = pathlib.Path(os.environ.get('GELEIT_VECTORS', ''), 'arc-valimail-sign',
                    'arc-draft-sign-tests.yml')
play = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def tell(*fields):
    play.stdin.write('\t'.join(fields) + '\n')
    play.stdin.flush()
    return play.stdout.readline().rstrip('\n').split('\t')[1:]


def field(name, text):
    return name + ': ' + re.sub(r'\s*\n\s*', '\r\n  ', text.strip()) + '\r\n'


def solid(name, text):
    """In the suite's own form: no white space but one blank behind a semicolon."""
    return name + ': ' + re.sub(r'\s+', '', text).replace(';', '; ') + '\r\n'


def sealed(test):
    """The message as it was, under the set that the suite expects."""
    message = re.sub(r'\r?\n', '\r\n', test['message'])
    return (solid('ARC-Seal', test['AS']) + solid('ARC-Message-Signature', test['AMS']) +
            field('ARC-Authentication-Results', test['AAR']) + message)


def check(test):
    if not test['AS']:
        return None  # the suite expects that nothing is sealed
    result = tell('verify', sealed(test).encode().hex())
    if 'cv=fail' in test['AS']:
        return None if result[0] == 'fail' and 'cv=fail' in result[2] else result
    if result[0] != 'pass':
        return result
    # The seal covers what it should: with another letter in it it fails.
    broken = dict(test, AAR=test['AAR'].replace('spf=pass', 'spf=fail', 1))
    if broken['AAR'] == test['AAR']:
        return None
    result = tell('verify', sealed(broken).encode().hex())
    return result if result[0] != 'fail' else None


def main():
    if not PATH.exists():
        print('1..0 # SKIP the suite is not here')
        return 0
    cases = []
    for document in yaml.safe_load_all(PATH.read_text()):
        for name, record in document['txt-records'].items():
            tell('zone', name, re.sub(r'\s*\n\s*', '', record))
        cases += document['tests'].items()
    print(f'1..{len(cases)}')
    failed = 0
    for number, (name, test) in enumerate(cases, 1):
        wrong = check(test)
        failed += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {number} - {name}')
        if wrong:
            print(f'# {wrong}')
    play.stdin.close()
    return 1 if play.wait(timeout=10) or failed else 0


sys.exit(main())
