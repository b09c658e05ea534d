#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Style as a test: prints FILE:LINE: what is wrong, and its remedy.

usage: tidy.py CHECK ROOT

CHECK is one of format, includes, banned, sizes, headers, licence, protos.
Looks at the files that git knows or would add. Exits 0 when all are tidy, 1
when something is wrong, 2 on wrong use.
"""

import os
import re
import shutil
import subprocess
import sys

import cpp_text
import rooms

LINES_MAX = 600
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 80

CPP = ('.cc', '.h', '.inc')
TOOL = 'tests/tidy/'  # the one place that has to spell out what is banned


def _banned(pattern, remedy, *allowed):
    return re.compile(pattern), remedy, allowed


# (what must not stand in C++ code, what to write instead, where it may).
BANNED = (
    _banned(r'\bstd::string_view\b|#include <string_view>',
            'absl::string_view: the two do not convert into each other'),
    _banned(r'\babsl::(optional|nullopt|make_optional)\b', 'std::optional'),
    _banned(r'\babsl::(Mutex|MutexLock|CondVar|Notification)\b',
            'base::Mutex: ThreadSanitizer cannot see the prebuilt one'),
    _banned(r'\bstd::(recursive_|shared_|timed_)?mutex\b'
            r'|\bstd::(lock_guard|unique_lock|scoped_lock|shared_lock)\b'
            r'|\bstd::condition_variable(_any)?\b|\bpthread_(mutex|cond)_\w+',
            'base::Mutex, base::MutexLock, base::CondVar: they carry the '
            'annotations of the thread-safety analysis and inherit priority',
            'src/base/mutex.h'),
    _banned(r'\b(steady|system|high_resolution)_clock\b',
            'base::Clock, so that a test can own the time'),
    _banned(r'\b(clock_gettime|gettimeofday)\b|(?<![\w:.>])time\((nullptr|0)\)',
            'base::Clock, so that a test can own the time',
            'src/base/clock.cc',
            # CPU time, of a thread and of a child process.
            'src/base/thread.cc', 'bench/load/process_runner.cc'),
    _banned(r'\babsl::(Now|GetCurrentTimeNanos|SleepFor)\b',
            'base::Clock, so that a test can own the time'),
    _banned(r'\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b'
            r'|(?<![\w.>])sleep\(',
            'wait on a base::Waker; tests advance a fake clock',
            # The open-loop client sends at intended times.
            'bench/load/absolute_sleep.cc'),
    _banned(r'(?<![\w.>])s?rand\(|\bstd::(random_device|mt19937(_64)?'
            r'|default_random_engine|random_shuffle)\b',
            'base::Rng: seeded, and the same on every machine'),
    _banned(r'\bstd::(ranges::)?views\b|#include <ranges>',
            'a loop: clang 14 cannot compile the views of libstdc++ 12'),
    _banned(r'(?<![\w.>])assert\(|#include <cassert>',
            'FRESHLINE_CHECK or FRESHLINE_DCHECK for invariants, absl::Status '
            'for input'),
    _banned(r'\busing namespace\b', 'using declarations of single names',
            'tests/'),
    _banned(r'\bthrow\b', 'absl::Status',
            'src/daemon/main.cc', 'src/cli/', 'tests/'),
    _banned(r'\b(class|struct)\s+\w+(Manager|Utils?|Helper|Impl)\b',
            'a name that says what it does: ShardedTable, not TableImpl'),
    _banned(r'\.detach\(\)', 'a thread that its owner joins'),
)
UNFINISHED = re.compile(r'\b(TODO|FIXME|XXX|HACK)\b')
ONE_MACHINE = re.compile(r'(?:^|(?<=[\s"\'`=(:,<]))/(?:root|home|work)/\w')


class Tree:
    """The files that a check may look at: `names`, relative to `root`."""

    def __init__(self, root, names):
        self.root = root
        self.names = sorted(n for n in set(names)
                            if os.path.isfile(os.path.join(root, n)))
        self._texts = {}

    @classmethod
    def of_git(cls, root):
        """What git knows below `root`, or would add."""
        root = os.path.abspath(root)
        found = subprocess.run(
            ['git', '-C', root, 'ls-files', '-z', '--cached', '--others',
             '--exclude-standard'], capture_output=True, check=False)
        if found.returncode != 0:
            sys.exit(f'tidy.py: {root} is no work tree of git: '
                     f'{found.stderr.decode().strip()}')
        return cls(root, found.stdout.decode().split('\0'))

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        if name not in self._texts:
            with open(self.path(name), encoding='utf-8',
                      errors='replace') as file:
                self._texts[name] = file.read()
        return self._texts[name]

    def cpp(self):
        return [n for n in self.names if n.endswith(CPP)]

    def scripts(self):
        """Written by hand, without an ending that says so."""
        return [n for n in self.names
                if n.startswith(('scripts/', '.ci/')) and '.' not in
                os.path.basename(n)]

    def prose_and_code(self):
        endings = CPP + ('.proto', '.py', '.cmake', '.textproto', '.md', '.in',
                         '.txt', '.json', '.yml', '.yaml', '.service')
        return [n for n in self.names if n.endswith(endings)
                or os.path.basename(n) == 'Dockerfile'] + self.scripts()


def check_format(tree):
    tool = shutil.which('clang-format-14') or shutil.which('clang-format')
    if tool is None:
        return ['.clang-format:1: clang-format 14 is not installed: run '
                'scripts/install_packages']
    # Arguments have a limit of their own, and a second core helps.
    files = [n for n in tree.cpp() if not n.endswith('.inc')]
    parts = [files[i::2] for i in range(2) if files[i::2]]
    runs = [subprocess.Popen([tool, '--dry-run', '-Werror', '--ferror-limit=3',
                              *part], cwd=tree.root, stderr=subprocess.PIPE,
                             text=True) for part in parts]
    wrong = []
    for run in runs:
        said = run.communicate()[1]
        places = re.findall(r'^(\S+?:\d+):\d+: error:', said, re.MULTILINE)
        wrong += [f'{place}: not as clang-format writes it: clang-format -i'
                  for place in places]
        if run.returncode != 0 and not places:
            wrong.append(f'.clang-format:1: clang-format failed: {said}')
    return sorted(wrong)


def room_of(path, outside=True):
    """The room that a file or an include path belongs to, or None."""
    if outside:
        if re.match(r'grpc(pp)?/', path) and not path.endswith('.pb.h'):
            return 'grpc'
        if path.endswith('.grpc.pb.h'):
            return 'grpc'
        if path.endswith('.pb.h'):
            return 'wire'
        if path.startswith('google/protobuf/'):
            return 'protobuf'
        if path.startswith('freshline/'):
            return 'api'
    parts = path.split('/')[:-1]
    for length in range(len(parts), 0, -1):
        folder = '/'.join(parts[:length])
        if folder in rooms.ROOMS:
            return folder
    return None


def included(code):
    """Yields (line, path) of the includes in `code`."""
    for match in re.finditer(r'^\s*#include ["<]([^">\n]+)[">]', code,
                             re.MULTILINE):
        yield code.count('\n', 0, match.start(1)) + 1, match.group(1)


def check_includes(tree):
    wrong = []
    for name in tree.cpp():
        code = cpp_text.code_only(tree.text(name))
        for line, path in included(code):
            complaint = wrong_include(name, path)
            if complaint:
                wrong.append(f'{name}:{line}: {complaint}')
        if name.startswith(('src/', 'bench/')) and own_room(name) is None:
            wrong.append(f'{name}:1: no room: say in tests/tidy/rooms.py what '
                         f'{os.path.dirname(name)} may include')
    return wrong


def own_room(name):
    return room_of(name.removeprefix('src/'), outside=False)


def wrong_include(name, path):
    """Why `name` must not include `path`; None when it may."""
    target = room_of(path)
    if name.startswith('include/'):
        if target not in (None, 'api') or path.startswith(('tests/', 'bench/')):
            return (f'installed headers must not include {path}: users do not '
                    'have it; declare what is needed, define it in src/client')
        return None
    if name.startswith('tests/'):
        if target == 'grpc' and not name.startswith(
                tuple(folder + '/' for folder in rooms.GRPC_TESTS)):
            return (f'{path}: this test has to build without gRPC; test the '
                    'room below rpc, or add it to GRPC_TESTS in '
                    'tests/tidy/rooms.py')
        return None
    own = own_room(name)
    if own is None:
        return None
    if path.startswith('tests/') or (target is None and
                                     path.startswith('bench/')):
        return f'{own} must not include {path}'
    if target in (None, own) or target in rooms.ROOMS[own]:
        return None
    return (f'{own} must not include {target} ({path}): dependencies point '
            'the way a request travels; take a smaller interface or a '
            'completion, or argue for a new edge in tests/tidy/rooms.py')


def check_banned(tree):
    wrong = []
    for name in tree.cpp():
        # Examples in docs/ are their readers' code: they have no base/.
        lines = cpp_text.code_only(tree.text(name)).split('\n')
        for pattern, remedy, allowed in BANNED:
            if name.startswith(('docs/',) + allowed):
                continue
            wrong += [f'{name}:{number}: {found.group().strip()}: use {remedy}'
                      for number, line in enumerate(lines, 1)
                      if (found := pattern.search(line))]
    for name in tree.prose_and_code():
        if name.startswith(TOOL):
            continue
        for number, line in enumerate(tree.text(name).split('\n'), 1):
            if found := UNFINISHED.search(line):
                wrong.append(f'{name}:{number}: {found.group()}: finish it')
            if ONE_MACHINE.search(line):
                wrong.append(f'{name}:{number}: a path of one machine: write '
                             'it relative to the project')
    return wrong


def check_sizes(tree):
    wrong = []
    for name in tree.names:
        if not name.endswith(CPP + ('.py', '.proto')):
            continue
        text = tree.text(name)
        lines = text.count('\n')
        if lines > LINES_MAX:
            wrong.append(f'{name}:{LINES_MAX}: {lines} lines, at most '
                         f'{LINES_MAX}: split it by what it does')
        if name.endswith(CPP):
            wrong += long_functions(name, text)
    for name in tree.names:
        if name.endswith(('.proto', '.py', '.cmake', 'CMakeLists.txt')) or \
                name in tree.scripts():
            wrong += [f'{name}:{number}: {len(line)} columns, at most '
                      f'{COLUMNS_MAX}: break the line'
                      for number, line in
                      enumerate(tree.text(name).split('\n'), 1)
                      if len(line) > COLUMNS_MAX]
    return wrong


def long_functions(name, text):
    try:
        return [f'{name}:{line}: a function of {lines} lines, at most '
                f'{FUNCTION_LINES_MAX}: give its parts names'
                for line, lines in cpp_text.functions(text)
                if lines > FUNCTION_LINES_MAX]
    except ValueError as error:
        return [f'{name}:1: {error}: the sizes of its functions are unknown']


def check_headers(tree):
    wrong = []
    for name in tree.cpp():
        if not name.endswith('.h'):
            continue
        lines = tree.text(name).split('\n')
        if lines[1:2] != ['#pragma once']:
            wrong.append(f'{name}:2: #pragma once has to stand here')
        if name.startswith('src/'):
            space = 'namespace freshline::' + name.split('/')[1] + ' {'
            wrong += [f'{name}:{number}: here it has to be {space}'
                      for number, line in enumerate(lines, 1)
                      if line.startswith('namespace freshline') and
                      line != space]
    return wrong


def check_licence(tree):
    endings = CPP + ('.proto', '.py', '.cmake', '.textproto', '.service',
                     'CMakeLists.txt', '.yml', '.yaml')
    names = [n for n in tree.names if n.endswith(endings)
             or os.path.basename(n) == 'Dockerfile']
    wrong = []
    for name in names + tree.scripts():
        lines = tree.text(name).split('\n')
        at = 1 if lines[0].startswith('#!') else 0
        if 'SPDX-License-Identifier: Apache-2.0' not in ''.join(
                lines[at:at + 1]):
            wrong.append(f'{name}:{at + 1}: SPDX-License-Identifier: '
                         'Apache-2.0 has to stand here, in a comment')
    return wrong


def check_protos(tree):
    """The knobs and the calls are explained where they are declared."""
    knob = re.compile(r'\s*(?:optional |repeated )?'
                      r'(?:string|bytes|bool|double|float|u?int(?:32|64))'
                      r' (?P<name>\w+) = \d+')
    call = re.compile(r'\s*(?:rpc|service) (?P<name>\w+)')
    wrong = []
    for name in tree.names:
        # What is copied from gRPC for interoperation is left as it is.
        if not name.endswith('.proto') or name.startswith('proto/grpc/'):
            continue
        above = ''
        for number, line in enumerate(tree.text(name).split('\n'), 1):
            found = call.match(line)
            if found is None and name.startswith('proto/freshline/config/'):
                found = knob.match(line)
            if found and '//' not in above + line:
                wrong.append(f'{name}:{number}: say above {found["name"]} what '
                             'it means, its unit, range and default')
            if not call.match(line):  # a service's words hold for its calls
                above = line
    return wrong


CHECKS = {'format': check_format, 'includes': check_includes,
          'banned': check_banned, 'sizes': check_sizes,
          'headers': check_headers, 'licence': check_licence,
          'protos': check_protos}


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in CHECKS:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = CHECKS[arguments[0]](Tree.of_git(arguments[1]))
    print('\n'.join(wrong) if wrong else f'{arguments[0]}: tidy')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
