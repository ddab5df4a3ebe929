"""What the compiler does not check of CONTRIBUTING.md: one TAP case a rule.

Usage: lint.py SOURCE_ROOT BUILD_ROOT
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

SOURCE, BUILD = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
SRC = SOURCE / 'src'

# Functions that may be longer than FUNCTION_MAX, each with its reason.
FUNCTION_MAX = 80
FUNCTION_EXCEPTIONS = {}

LINE_MAX = 100
# Tables that are easier to read unbroken.
LINE_EXCEPTIONS = {'src/conf/conf_options.h'}

FLOOR_1 = ['crypto', 'dns', 'mail', 'smtp', 'sasl', 'abuse', 'trust', 'auth', 'alias', 'queue',
           'conf', 'report']

RAW = ('strcpy strncpy stpcpy strcat strncat sprintf vsprintf atoi atol atoll strtok strtok_r gets '
       'alloca scanf sscanf').split()
RAW_BASE = ['memcpy', 'memmove', 'bcopy']  # base is where they are wrapped

# What reaches the world: clock, files, sockets, chance, other processes, the log.
WORLD = set('''
time clock clock_gettime clock_getres gettimeofday timespec_get nanosleep clock_nanosleep sleep
usleep alarm setitimer localtime localtime_r mktime tzset
open open64 openat openat64 creat creat64 fopen fopen64 freopen fdopen tmpfile mkstemp read pread
pread64 readv write pwrite pwrite64 writev close fread fwrite fgets fputs fputc puts printf fprintf
vfprintf perror lseek lseek64 fsync fdatasync ftruncate ftruncate64 stat stat64 fstat lstat access
unlink rename link mkdir rmdir opendir readdir mmap mmap64 ioctl fcntl fcntl64 pipe pipe2
socket socketpair connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg
setsockopt getsockopt shutdown poll ppoll select epoll_create1 epoll_wait getaddrinfo
gethostbyname gethostname getifaddrs
getrandom getentropy rand srand rand_r random srandom drand48 arc4random RAND_bytes RAND_priv_bytes
getenv setenv system popen fork vfork execv execve execvp posix_spawn kill raise exit _exit
pthread_create signal sigaction syslog log_write
'''.split())

cases = []


def case(name):
    def add(check):
        cases.append((name, check))
        return check
    return add


def sources(*patterns, under=SRC):
    return sorted(p for pattern in patterns for p in under.rglob(pattern))


def name_of(path):
    return str(path.relative_to(SOURCE))


def code(path):
    """The text with comments and literals blanked, lines kept."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    include = re.compile(r'#\s*include[^\n]*')

    def blank(match):
        return re.sub(r'[^\n]', ' ', match.group())
    return token.sub(blank, include.sub('', path.read_text()))


def rooms():
    """The table of src/meson.build: room -> (rooms, libraries) it may use."""
    text = re.sub(r'#.*', '', (SRC / 'meson.build').read_text())
    text = re.search(r'^rooms = \[(.*?)^\]', text, re.S | re.M).group(1)
    row = re.compile(r"\[\s*'(\w+)',\s*\[(.*?)\],\s*\[(.*?)\]\s*\]", re.S)

    def names(s):
        return re.findall(r"'(\w+)'", s)
    return {r: (names(uses), names(libs)) for r, uses, libs in row.findall(text)}


ROOMS = rooms()
ROOM_OF = {h.name: h.parent.name for h in sources('*.h')}


def room_of(header):
    """Generated headers are in no source folder: their name tells."""
    prefix = re.split(r'[_.]', header)[0]
    return ROOM_OF.get(header, prefix if prefix in ROOMS else 'unknown')


def includes(path):
    for i, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]*)', line)
        if found:
            yield i, found.group(1), found.group(2)


@case('the table of rooms is read, and its floors have no cycles')
def _():
    seen = set()
    for room, (uses, _) in ROOMS.items():
        for used in uses:
            if used not in seen:
                yield f'{room} uses {used}, which does not stand below it'
        seen.add(room)
    for room in sorted({p.parent.name for p in sources('*.c')} - {'src'}):
        if room not in ROOMS:
            yield f'src/{room} is in no row of the table'
    if len(ROOMS) < 10:
        yield f'only {len(ROOMS)} rooms found'


@case('headers carry their room in their name')
def _():
    for h in sources('*.h'):
        room = h.parent.name
        if h.stem != room and not h.name.startswith(room + '_'):
            yield name_of(h)


@case('no include has a path in it')
def _():
    for p in sources('*.[ch]'):
        for line, kind, what in includes(p):
            if kind == '"' and '/' in what:
                yield f'{name_of(p)}:{line}: {what}'


@case('no include leads to a room that the table does not allow')
def _():
    for p in sources('*.[ch]'):
        room = p.parent.name
        allowed = ['proc', 'admin', 'base'] if p.parent == SRC else ROOMS[room][0] + [room]
        for line, kind, what in includes(p):
            if kind == '"' and room_of(what) not in allowed:
                yield f'{name_of(p)}:{line}: {what} of room {room_of(what)}'


@case('no include leads to a library that the table does not allow')
def _():
    owner = {'idn2': ['idn2'], 'openssl/': ['crypto', 'ssl'], 'event2/': ['event'],
             'event.h': ['event'], 'unbound': ['unbound'], 'curl/': ['curl'],
             'sqlite3': ['sqlite'], 'libconfig': ['config'], 'jansson': ['jansson'],
             'microhttpd': ['microhttpd']}
    for p in sources('*.[ch]'):
        libs = ROOMS.get(p.parent.name, ([], []))[1]
        for line, _, what in includes(p):
            for prefix, any_of in owner.items():
                if what.startswith(prefix) and not set(any_of) & set(libs):
                    yield f'{name_of(p)}:{line}: <{what}>'


@case('no raw copying, scanning or allocation on the stack outside base')
def _():
    plain = re.compile(r'\b(' + '|'.join(RAW) + r')\s*\(')
    outside = re.compile(r'\b(' + '|'.join(RAW + RAW_BASE) + r')\s*\(')
    for p in sources('*.[ch]'):
        pattern = plain if p.parent.name == 'base' else outside
        for i, line in enumerate(code(p).splitlines(), 1):
            if found := pattern.search(line):
                yield f'{name_of(p)}:{i}: {found.group(1)}'


@case('no goto')
def _():
    for p in sources('*.[ch]'):
        for i, line in enumerate(code(p).splitlines(), 1):
            if re.search(r'\b(goto|setjmp|longjmp)\b', line):
                yield f'{name_of(p)}:{i}'


@case(f'no line over {LINE_MAX} columns')
def _():
    for p in sources('*.[ch]') + sources('*.[ch]', under=SOURCE / 'tests'):
        for i, line in enumerate(p.read_text(errors='replace').split('\n'), 1):
            if len(line.expandtabs(4)) > LINE_MAX and name_of(p) not in LINE_EXCEPTIONS:
                yield f'{name_of(p)}:{i}: {len(line)}'


@case(f'no function over {FUNCTION_MAX} lines')
def _():
    for p in sources('*.c'):
        start, title, lines = None, '', code(p).splitlines()
        for i, line in enumerate(lines):
            if line == '{':
                start, title = i, lines[i - 1]
            if line == '}' and start is not None:
                found = re.findall(r'(\w+)\(', title + ' ') or ['?']
                if i - start + 1 > FUNCTION_MAX and found[0] not in FUNCTION_EXCEPTIONS:
                    yield f'{name_of(p)}:{start}: {found[0]} has {i - start + 1}'
                start = None


@case('no line end is put where text is made harmless: it would be shown as "?"')
def _():
    for p in sources('admin_*.c'):
        text = p.read_text(errors='replace')
        for m in re.finditer(r'\badmin_putf?\(', text):
            if r'\n' in text[m.start():text.index(');', m.start())]:
                yield f'{name_of(p)}:{text[:m.start()].count(chr(10)) + 1}'


@case('floor 1 asks no clock, file, socket or chance')
def _():
    for room in FLOOR_1:
        lib = BUILD / 'src' / f'libgeleit_{room}.a'
        if not lib.exists():
            yield f'{lib.name} is not built'
            continue
        out = subprocess.run(['nm', '-u', '-A', str(lib)], capture_output=True, text=True)
        for line in out.stdout.splitlines():
            symbol = line.split()[-1].split('@')[0]
            symbol = re.sub(r'^__(?:isoc\d+_)?(\w+?)(?:_chk|_2)$', r'\1', symbol)
            if symbol in WORLD:
                yield f'{room}: {symbol} in {line.split(":")[1]}'


@case('every fuzz target has a program and a corpus')
def _():
    folder = SOURCE / 'tests' / 'fuzz'
    table = re.sub(r'#.*', '', (folder / 'meson.build').read_text())
    table = re.search(r'fuzz_targets = \[(.*?)^\]', table, re.S | re.M).group(1)
    for target in re.findall(r"\['(\w+)'", table):
        if not (folder / f'{target}.c').exists():
            yield f'{target}.c is missing'
        if not [p for p in (folder / 'corpus' / target).glob('*') if p.is_file()]:
            yield f'corpus/{target} is empty'


@case('no fuzz target or corpus is left out of the table')
def _():
    folder = SOURCE / 'tests' / 'fuzz'
    table = (folder / 'meson.build').read_text()
    names = {p.stem for p in folder.glob('*.c')} - {'replay'}
    names |= {p.name for p in (folder / 'corpus').glob('*')}
    for name in sorted(names):
        if f"'{name}'" not in table:
            yield name


@case('the roles of docs/architecture.md are those of proc_peers.c')
def _():
    doc = (SOURCE / 'docs' / 'architecture.md').read_text()
    doc = doc[doc.index('| role | does'):].split('\n\n')[0]
    told = set(re.findall(r'^\| `(\w+)`', doc, re.M))
    kinds = set(re.findall(r'\[PROC_\w+\] = \{"(\w+)"', (SRC / 'proc/proc_peers.c').read_text()))
    for role in sorted(told ^ kinds):
        yield role


class Compiler:
    """The build's own command line of some file of a room."""

    def __init__(self):
        self.commands = {}
        for entry in json.loads((BUILD / 'compile_commands.json').read_text()):
            path = pathlib.Path(entry['directory'], entry['file']).resolve()
            if path.parent.parent == SRC:
                self.commands.setdefault(path.parent.name, (entry, path))

    def takes(self, room, header):
        entry, path = self.commands[room]
        words = shlex.split(entry['command'])
        here = pathlib.Path(entry['directory'])
        keep = [w for w in words if (here / w).resolve() != path]
        for option in ('-o', '-MQ', '-MF'):
            at = keep.index(option)
            del keep[at:at + 2]
        keep = [w for w in keep if w not in ('-c', '-MD')]
        with tempfile.NamedTemporaryFile('w', suffix='.c') as f:
            f.write(f'#include "{header}"\ntypedef int lint_of_header;\n')
            f.flush()
            run = subprocess.run(keep + ['-fsyntax-only', f.name], cwd=here, capture_output=True,
                                 text=True, timeout=60)
        return run.returncode == 0, run.stderr


@case('a header compiles by itself, in its own room')
def _():
    compiler = Compiler()
    for header, room in ROOM_OF.items():
        if header == 'conf_options.h':
            continue  # a table to be included by who defines its columns
        ok, why = compiler.takes(room, header)
        if not ok:
            yield f'{header}: {why.splitlines()[0] if why else "?"}'


@case('a header of a room that the table does not allow does not compile')
def _():
    compiler, tried = Compiler(), 0
    for room, (uses, _) in ROOMS.items():
        for other in ROOMS:
            header = next((h for h, r in ROOM_OF.items() if r == other), None)
            if other == room or other in uses or not header:
                continue
            tried += 1
            ok, why = compiler.takes(room, header)
            if ok:
                yield f'{room} can include {header}'
            elif 'No such file' not in why and 'not found' not in why:
                yield f'{room} with {header}: {why.splitlines()[0]}'
    ok, _ = compiler.takes('mail', 'store_queue.h')
    if ok or tried < 50:
        yield f'{tried} tried; mail with store_queue.h: {ok}'


def main():
    print(f'1..{len(cases)}')
    failed = 0
    for number, (name, check) in enumerate(cases, 1):
        try:
            findings = list(check())
        except Exception as error:  # a rule that cannot be checked is not kept
            findings = [f'{type(error).__name__}: {error}']
        failed += bool(findings)
        print(f'{"not ok" if findings else "ok"} {number} - {name}')
        for finding in findings:
            print(f'# {finding}')
    return 1 if failed else 0


sys.exit(main())
