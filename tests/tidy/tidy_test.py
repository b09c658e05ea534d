#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants violations for every check: one that cannot fail is noticed here."""

import graphlib
import os
import subprocess
import tempfile
import unittest

import cpp_text
import rooms
import tidy

SPDX = '// SPDX-License-Identifier: Apache-2.0\n'


class Planted:
    """A tree of the files given, and nothing else."""

    def __init__(self, files):
        self.files = files

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        root = self._folder.name
        for name, text in self.files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path) or root, exist_ok=True)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
        return tidy.Tree(root, self.files)

    def __exit__(self, *_):
        self._folder.cleanup()


class TidyTest(unittest.TestCase):

    def wrong(self, check, files):
        with Planted(files) as tree:
            return tidy.CHECKS[check](tree)

    def expect_wrong(self, check, name, text, line):
        found = self.wrong(check, {name: text})
        self.assertTrue(
            any(w.startswith(f'{name}:{line}: ') for w in found),
            f'{check} misses line {line} of {name}:\n{text}\nfound: {found}')

    def expect_tidy(self, check, name, text):
        self.assertEqual(self.wrong(check, {name: text}), [])


class TreeTest(unittest.TestCase):

    def test_looks_at_what_git_knows_or_would_add(self):
        with Planted({'.gitignore': '/build/\n', 'known.cc': '',
                      'new.cc': '', 'build/made.cc': ''}) as tree:
            for command in (['init', '-q'], ['add', 'known.cc']):
                subprocess.run(['git', *command], cwd=tree.root, check=True)
            self.assertEqual(tidy.Tree.of_git(tree.root).names,
                             ['.gitignore', 'known.cc', 'new.cc'])

    def test_refuses_to_pass_a_tree_that_it_cannot_list(self):
        with tempfile.TemporaryDirectory() as root:
            with self.assertRaises(SystemExit):
                tidy.Tree.of_git(root)


class FormatTest(TidyTest):

    STYLE = 'BasedOnStyle: Google\n'

    def test_finds_what_clang_format_would_change(self):
        found = self.wrong('format', {'.clang-format': self.STYLE,
                                      'src/base/a.cc': 'int  x;\n'})
        self.assertEqual(len(found), 1)
        self.assertTrue(found[0].startswith('src/base/a.cc:1: '), found)

    def test_passes_what_it_wrote(self):
        self.assertEqual(
            self.wrong('format', {'.clang-format': self.STYLE,
                                  'src/base/a.cc': 'int x;\n'}), [])

    def test_says_when_clang_format_itself_fails(self):
        self.assertTrue(
            self.wrong('format', {'.clang-format': 'NoSuchOption: 1\n',
                                  'src/base/a.cc': 'int x;\n'}))


class IncludesTest(TidyTest):

    def test_refuses_edges_that_are_not_in_the_table(self):
        for name, path in (
                ('src/base/a.h', 'table/table.h'),
                ('src/schedule/a.cc', 'table/table.h'),
                ('src/schedule/a.cc', 'freshline/v1/types.pb.h'),
                ('src/serve/a.cc', 'freshline/v1/types.pb.h'),
                ('src/serve/a.cc', 'grpcpp/grpcpp.h'),
                ('src/serve/a.cc', 'rpc/server.h'),
                ('src/estimate/a.cc', 'schedule/policy.h'),
                ('src/table/a.cc', 'bench/trace/click.h'),
                ('src/table/a.cc', 'tests/support/fake_clock.h'),
                ('src/rpc/a.cc', 'daemon/daemon.h'),
                ('src/rpc/a.cc', 'grpcpp/grpcpp.h'),
                ('src/http2/a.cc', 'rpc/server.h'),
                ('src/http2/a.cc', 'grpc/health/v1/health.pb.h'),
                ('src/client/a.cc', 'serve/answer.h'),
                ('src/registry/a.cc', 'daemon/config/config.h'),
                ('bench/sim/a.cc', 'execute/dispatcher.h'),
                ('bench/sim/a.cc', 'grpcpp/grpcpp.h'),
                ('include/freshline/a.h', 'base/time.h'),
                ('include/freshline/a.h', 'grpcpp/grpcpp.h'),
                ('tests/unit/table/a.cc', 'grpcpp/grpcpp.h'),
                ('tests/sim/a.cc', 'freshline/v1/operations.grpc.pb.h')):
            with self.subTest(name=name, path=path):
                self.expect_wrong('includes', name,
                                  SPDX + f'#include "{path}"\n', 2)

    def test_passes_edges_of_the_table(self):
        for name, path in (
                ('src/table/a.h', 'registry/revision.h'),
                ('src/table/a.h', 'absl/status/status.h'),
                ('src/rpc/a.cc', 'http2/session.h'),
                ('src/rpc/a.cc', 'grpc/health/v1/health.pb.h'),
                ('src/daemon/config/a.cc', 'freshline/config/v1/daemon.pb.h'),
                ('src/client/a.cc', 'freshline/client.h'),
                ('include/freshline/a.h', 'freshline/answer.h'),
                ('tests/unit/rpc/a.cc', 'grpcpp/grpcpp.h'),
                ('tests/unit/table/a.cc', 'table/table.h')):
            with self.subTest(name=name, path=path):
                self.expect_tidy('includes', name,
                                 SPDX + f'#include "{path}"\n')

    def test_an_include_in_a_comment_is_none(self):
        self.expect_tidy('includes', 'src/base/a.h',
                         SPDX + '/*\n#include "table/table.h"\n*/\n')

    def test_a_new_room_has_to_be_entered(self):
        self.expect_wrong('includes', 'src/attic/a.h', SPDX, 1)

    def test_the_table_names_rooms_and_has_no_cycle(self):
        for room, allowed in rooms.ROOMS.items():
            self.assertLessEqual(allowed, set(rooms.ROOMS) | rooms.OUTSIDE,
                                 room)
        # A room within a room shares its floor.
        floors = {}
        for room, allowed in rooms.ROOMS.items():
            floor = floors.setdefault(floor_of(room), set())
            floor |= {floor_of(other) for other in allowed} - {floor_of(room)}
        graphlib.TopologicalSorter(floors).prepare()  # raises on a cycle


def floor_of(room):
    return room if room.startswith('bench/') else room.split('/')[0]


class BannedTest(TidyTest):

    def test_finds_every_banned_call(self):
        lines = (
            'void F(std::string_view s);', 'absl::optional<int> x;',
            'absl::Mutex mu;', 'std::mutex mu;', 'std::unique_lock<M> l(mu);',
            'std::condition_variable cv;', 'std::shared_mutex mu;',
            'pthread_mutex_t mu;',
            'auto t = std::chrono::steady_clock::now();',
            'auto t = std::chrono::system_clock::now();',
            'clock_gettime(CLOCK_MONOTONIC, &ts);', 'auto t = time(nullptr);',
            'auto t = absl::Now();', 'absl::SleepFor(d);',
            'std::this_thread::sleep_for(d);', 'usleep(10);', 'sleep(1);',
            'int r = std::rand();', 'int r = rand();', 'std::mt19937 g;',
            'std::random_device d;', 'auto v = x | std::views::all;',
            '#include <ranges>', 'assert(x);', '#include <cassert>',
            'using namespace std;', 'throw Error();', 'class TableImpl {};',
            'struct StringUtils {};', 'thread.detach();')
        for line in lines:
            with self.subTest(line=line):
                self.expect_wrong('banned', 'src/table/a.cc',
                                  SPDX + '\n' + line + '\n', 3)

    def test_passes_what_only_looks_like_it(self):
        self.expect_tidy('banned', 'src/table/a.cc', SPDX + '\n'.join((
            '// unlike std::mutex and absl::Now()',
            'static_assert(sizeof(int) == 4);',
            'const char* s = "throw assert(x)";',
            'const char* raw = R"(sleep(1) " std::mutex)";',
            'int64_t n = 1\'000\'000;  // std::rand()',
            'absl::string_view s = runtime(0);',
            '/* steady_clock', '   std::views */')) + '\n')

    def test_allows_each_where_it_is_made(self):
        self.expect_tidy('banned', 'src/base/mutex.h', 'pthread_mutex_t mu;\n')
        self.expect_tidy('banned', 'src/base/clock.cc',
                         'clock_gettime(CLOCK_REALTIME, &ts);\n')

    def test_finds_unfinished_work_and_paths_of_one_machine(self):
        for name, line in (('src/table/a.cc', '// TO' + 'DO: the rest'),
                           ('scripts/run', '# FIX' + 'ME'),
                           ('docs/a.md', 'see /ho' + 'me/me/notes'),
                           ('config/a.textproto', 'dir: "/ro' + 'ot/tables"'),
                           ('src/table/a.cc', 'Open("/wo' + 'rk/x");')):
            with self.subTest(name=name, line=line):
                self.expect_wrong('banned', name, SPDX + line + '\n', 2)

    def test_passes_paths_of_every_machine(self):
        self.expect_tidy('banned', 'docs/a.md', 'src/work/x, ~/work/x, '
                         'http://host/work/, /etc/freshline\n')


class SizesTest(TidyTest):

    def test_finds_a_long_file(self):
        self.expect_wrong('sizes', 'src/base/a.h', '\n' * 601, 600)
        self.expect_tidy('sizes', 'src/base/a.h', '\n' * 600)

    def test_finds_a_long_function(self):
        for opening in ('int F() {', 'TEST(A, B) {', 'A::A(int x) : x_(x) {',
                        'A::A(int x) : x_{x}, y_{} {',
                        'template <typename T>\nint F(const T& t) {',
                        'auto F(int x)\n    -> absl::StatusOr<int> {',
                        'class A {\n public:\n  int F() const {',
                        'void A::F() ABSL_LOCKS_EXCLUDED(mu_) {',
                        'std::string operator()(int x) {'):
            head = opening.count('\n') + 1
            closing = '}\n'
            if opening.startswith('class'):
                closing, head = '  }\n};\n', 1
            fits = opening + '\n' + '  x();\n' * (69 - head) + closing
            with self.subTest(opening=opening):
                self.expect_tidy('sizes', 'src/base/a.cc', fits)
                longer = fits.replace('  x();\n', '  x();\n  x();\n', 1)
                found = self.wrong('sizes', {'src/base/a.cc': longer})
                self.assertEqual(len(found), 1, found)
                self.assertIn('71 lines', found[0])

    def test_counts_a_lambda_with_the_function_around_it(self):
        lines = ('void F() {', '  auto g = [](int x) {', '    if (x) {',
                 '      y();', '    }', '  };', '  Call([&] {', '    z();',
                 '  });', '}')
        self.assertEqual(list(cpp_text.functions('\n'.join(lines))),
                         [(1, len(lines))])

    def test_tells_functions_from_what_else_has_braces(self):
        text = '\n'.join((
            'namespace a {', 'struct S {', '  int x = 0;',
            '  std::atomic<int> y{0};', '  S() : x{1}, y(2) {',
            "    Call('{', \"{\", S{});", '  }', '};',
            'constexpr int kTable[] = {1,', '    2};',
            'enum class E : uint8_t { kA, kB };',
            '#define MACRO(x) \\', '  {', 'int F(int x,', '      int y) {',
            '  return S{x, y}.x;', '}', '}  // namespace a'))
        self.assertEqual(list(cpp_text.functions(text)), [(5, 3), (14, 4)])

    def test_says_when_braces_do_not_match(self):
        self.expect_wrong('sizes', 'src/base/a.cc', 'void F() {\n', 1)
        self.expect_wrong('sizes', 'src/base/a.cc', 'void F() {}\n}\n', 1)

    def test_finds_a_long_line_where_clang_format_does_not_look(self):
        for name in ('a/CMakeLists.txt', 'proto/a.proto', 'scripts/run'):
            with self.subTest(name=name):
                self.expect_wrong('sizes', name, '\n' + '#' * 81 + '\n', 2)
                self.expect_tidy('sizes', name, '#' * 80 + '\n')


class HeadersTest(TidyTest):

    def test_finds_a_header_without_its_guard(self):
        self.expect_wrong('headers', 'src/base/a.h', SPDX + '\nint x;\n', 2)

    def test_finds_the_namespace_of_another_room(self):
        self.expect_wrong(
            'headers', 'src/base/a.h',
            SPDX + '#pragma once\nnamespace freshline::table {\n}\n', 3)

    def test_passes_a_sound_header(self):
        self.expect_tidy(
            'headers', 'src/base/a.h',
            SPDX + '#pragma once\nnamespace freshline::base {\n}\n')


class LicenceTest(TidyTest):

    def test_finds_files_without_the_line(self):
        for name in ('src/base/a.cc', 'proto/a.proto', 'cmake/a.cmake',
                     'config/a.textproto', 'tests/CMakeLists.txt', 'a.py',
                     'docker/Dockerfile'):
            with self.subTest(name=name):
                self.expect_wrong('licence', name, '\n', 1)
        self.expect_wrong('licence', 'scripts/run', '#!/bin/sh\n', 2)

    def test_passes_files_with_it(self):
        self.expect_tidy('licence', 'src/base/a.cc', SPDX)
        self.expect_tidy('licence', 'scripts/run',
                         '#!/bin/sh\n' + SPDX.replace('//', '#'))


class ProtosTest(TidyTest):

    CONFIG = 'proto/freshline/config/v1/a.proto'

    def test_finds_a_knob_and_a_call_without_words(self):
        self.expect_wrong('protos', self.CONFIG,
                          'message A {\n  optional uint32 x = 1;\n}\n', 2)
        self.expect_wrong('protos', 'proto/freshline/v1/a.proto',
                          '\n  rpc Get(A) returns (B);\n', 2)

    def test_passes_what_is_explained(self):
        self.expect_tidy('protos', self.CONFIG,
                         'message A {\n  // Default 1.\n  string x = 1;\n'
                         '  uint32 y = 2;  // Default 2.\n}\n')


if __name__ == '__main__':
    unittest.main()
