"""docs/metrics.md, the dashboard and the alert rules name the metrics that exist.

Usage: meters.py SOURCE_ROOT PROGRAM [--write]
PROGRAM is tests/lint/meters.c; --write puts its tables into docs/metrics.md.
"""
import json
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(sys.argv[1])
TEXT = subprocess.run([sys.argv[2]], capture_output=True, text=True, check=True, timeout=60).stdout
DOC = SOURCE / 'docs' / 'metrics.md'
FOLDER = SOURCE / 'contrib' / 'monitoring'
BEGIN, END = '<!-- made by tests/lint/meters.py --write -->\n', '<!-- end -->\n'
SUFFIXES = ('_bucket', '_sum', '_count')

kinds, helps, labels = {}, {}, {}  # labels: name -> {label: {values}}
for line in TEXT.splitlines():
    if found := re.match(r'# HELP (\w+) (.*)', line):
        helps[found[1]] = found[2]
    elif found := re.match(r'# TYPE (\w+) (\w+)', line):
        kinds[found[1]] = found[2]
    else:
        name, inside = re.match(r'(\w+)(?:\{(.*)\})? ', line).groups()
        known = labels.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="([^"]*)"', inside or ''):
            known.setdefault(label, set()).add(value)
FREE = {'role', 'index', 'instance', 'job'}  # whose values are not known here


def table():
    out = ['| metric | kind | labels | what it is |', '| --- | --- | --- | --- |']
    for name, kind in kinds.items():
        shown = labels.get(name, {})
        text = '; '.join(f'`{label}`' if label in FREE else
                         f'`{label}`: ' + ', '.join(sorted(values)) for label, values in shown.items())
        out.append(f'| `{name}` | {kind} | {text} | {helps[name]} |')
    return '\n'.join(out) + '\n'


def written():
    before, rest = DOC.read_text().split(BEGIN)
    return before, rest.split(END)


def expressions(value, keys=('expr',)):
    """All PromQL in a JSON document."""
    if isinstance(value, list):
        for one in value:
            yield from expressions(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key in keys and isinstance(one, str):
                yield one
            else:
                yield from expressions(one)


def rules():
    """The rules, by the lines that matter here (no YAML reader is needed)."""
    text = (FOLDER / 'geleit-alerts.yml').read_text()
    return re.findall(r'^ +- alert: (\w+)\n +expr: (.*?)\n +for: (\w+)', text, re.M | re.S)


def wrong(expression):
    for name, inside in re.findall(r'\b(geleit_\w+)(?:\{([^}]*)\})?', expression):
        plain = next((name[:-len(s)] for s in SUFFIXES if name.endswith(s) and
                      kinds.get(name[:-len(s)]) == 'histogram'), name)
        if plain not in kinds or (plain == name and kinds[name] == 'histogram'):
            yield f'{name} is no metric'
            continue
        for label, how, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', inside):
            known = labels.get(name, {})
            if label in FREE or '$' in value:
                continue
            if label not in known:
                yield f'{name} has no label {label}'
            for one in value.split('|') if '~' in how else [value]:
                if label in known and one not in known[label]:
                    yield f'{name}: {label} is never {one}'
    for labels_by in re.findall(r'\bby \(([^)]*)\)', expression):
        known = set().union(FREE, {'le'}, *(labels.get(n, {}) for n in re.findall(r'geleit_\w+', expression)))
        for label in labels_by.split(','):
            if label.strip() not in known:
                yield f'by ({label.strip()}): none of its metrics has it'


def check_doc():
    if written()[1][0] != table():
        yield 'docs/metrics.md is not up to date: run tests/lint/meters.py with --write'


def check_dashboard():
    board = json.loads((FOLDER / 'grafana-dashboard.json').read_text())
    found = list(expressions(board))
    if len(found) < 20:
        yield f'only {len(found)} queries found'
    for one in found:
        yield from wrong(one)
    ids = [p['id'] for p in board['panels']]
    if len(set(ids)) != len(ids):
        yield 'panels share an id'


def check_rules():
    found = rules()
    text = (FOLDER / 'geleit-alerts.yml').read_text()
    if len(found) < 8 or len(found) != text.count('- alert:'):
        yield f'{len(found)} rules read of {text.count("- alert:")}'
    tests = (FOLDER / 'geleit-alerts-test.yml').read_text()
    for name, expression, _ in found:
        yield from wrong(expression)
        if f'alertname: {name}\n' not in tests:
            yield f'{name} has no test'
        if f'`{name}`' not in DOC.read_text():
            yield f'{name} is not in docs/metrics.md'


def check_checker():
    for bad in ('rate(geleit_nothing_total[5m])', 'geleit_recipients_total{result="lost"}',
                'geleit_commit_duration_seconds', 'sum by (colour) (geleit_up)', 'geleit_jobs{x="y"}'):
        if not list(wrong(bad)):
            yield f'{bad} passes'


def main():
    if '--write' in sys.argv:
        before, rest = written()
        DOC.write_text(before + BEGIN + table() + END + rest[1])
        return 0
    failed = 0
    cases = [('docs/metrics.md has the metrics that exist', check_doc),
             ('the dashboard asks for metrics that exist', check_dashboard),
             ('the rules ask for metrics that exist, and each has a test', check_rules),
             ('what does not exist is found', check_checker)]
    print(f'1..{len(cases)}')
    for number, (name, check) in enumerate(cases, 1):
        findings = list(check())
        failed += bool(findings)
        print(f'{"not ok" if findings else "ok"} {number} - {name}')
        for finding in findings:
            print(f'# {finding}')
    return 1 if failed else 0


sys.exit(main())
