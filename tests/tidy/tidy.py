#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Style as a test: each check prints file:line: what is wrong, and the remedy.

Usage: tidy.py CHECK ROOT, with CHECK one of format, includes, banned, sizes,
licence, self_test. Exits 1 if anything is wrong.
"""

import os
import re
import subprocess
import sys
import tempfile

# Which rooms of src/ a room may include. Dependencies point the way a request
# travels; daemon alone sees everything.
ROOMS = {
    "base": [],
    "version": [],
    "registry": ["base"],
    "table": ["base", "registry"],
    "ingest": ["base", "registry", "table"],
    "featurize": ["base", "registry", "table"],
    "estimate": ["base"],
    "schedule": ["base", "estimate"],
    "execute": ["base", "registry", "table", "featurize", "estimate",
                "schedule"],
    "serve": ["base", "registry", "table", "ingest", "featurize", "execute",
              "schedule"],
    "rpc": ["base", "registry", "ingest", "serve"],
    "client": ["base"],
    "cli": ["base", "client", "version"],
    "daemon": None,  # the composition root
}
GRPC_ALLOWED = ("src/rpc/", "src/client/", "src/cli/", "src/daemon/",
                "bench/load/", "tests/support/", "tests/integration/",
                "tests/unit/rpc/", "tests/unit/client/", "tests/unit/load/")
# registry parses definitions; rpc and daemon speak the wire; the clients too.
WIRE_ALLOWED = ("src/registry/", "src/rpc/", "src/client/", "src/cli/",
                "src/daemon/", "include/", "bench/", "tests/", "docs/")

BANNED = [
    (r"std::string_view", (), "use absl::string_view: the two do not convert"),
    (r"\babsl::Mutex\b", ("src/base/mutex.h",), "use base::Mutex"),
    (r"\bstd::(mutex|lock_guard|unique_lock|condition_variable|shared_mutex)\b",
     ("src/base/mutex.h",), "use base::Mutex"),
    (r"_clock::now\(", (), "time comes from a base::Clock"),
    (r"\b(clock_gettime|gettimeofday)\b",
     ("src/base/clock.cc", "src/base/thread.cc", "bench/load/"),
     "time comes from a base::Clock"),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b", ("bench/load/",),
     "nobody sleeps: wait on a base::Waker"),
    (r"\babsl::(Now|SleepFor)\b", (), "time comes from a base::Clock"),
    (r"\b(std::rand|srand|std::random_device|std::mt19937\w*)\b", (),
     "use base::Rng"),
    (r"\bstd::views\b|std::ranges::views\b", (),
     "clang 14 cannot compile views"),
    (r"(?<!static_)\bassert\(", (), "use FRESHLINE_DCHECK or a Status"),
    (r"\b(TODO|FIXME|XXX)\b", (), "finish it, or say it in an issue"),
    (r"\babsl::optional\b", (), "use std::optional"),
    (r"#pragma omp|#include <omp.h>", (), "threads belong to execute"),
]
LINES_MAX = 600
FUNCTION_LINES_MAX = 70
CODE = (".cc", ".h", ".inc")


def tracked(root):
    out = subprocess.run(
        ["git", "-C", root, "ls-files", "--cached", "--others",
         "--exclude-standard"], capture_output=True, text=True, check=False)
    if out.returncode == 0:
        names = out.stdout.splitlines()
    else:
        names = [os.path.relpath(os.path.join(d, f), root)
                 for d, _, fs in os.walk(root) for f in fs]
    return sorted(n for n in set(names)
                  if os.path.isfile(os.path.join(root, n)))


def code_files(root):
    return [n for n in tracked(root)
            if n.endswith(CODE) and not n.startswith(("build/", "docs/vendor/"))]


def lines_of(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as f:
        return f.read().splitlines()


def check_format(root):
    # The preview of a broken file is no better than its name and line.
    files = [n for n in code_files(root) if n.endswith((".cc", ".h"))]
    tool = "clang-format-14" if has("clang-format-14") else "clang-format"
    out = subprocess.run(
        [tool, "--dry-run", "-Werror", "--ferror-limit=3"] + files,
        cwd=root, capture_output=True, text=True, check=False)
    return [line + ": run clang-format -i" for line in out.stderr.splitlines()
            if "clang-format-violations" in line]


def has(tool):
    return any(os.access(os.path.join(d, tool), os.X_OK)
               for d in os.environ["PATH"].split(":"))


def check_includes(root):
    wrong = []
    for name in code_files(root):
        room = name.split("/")[1] if name.startswith("src/") else None
        if room is not None and room not in ROOMS:
            wrong.append(f"{name}:1: room {room} is unknown: add it to ROOMS "
                         "in tests/tidy/tidy.py with what it may include")
            continue
        for number, line in enumerate(lines_of(root, name), 1):
            found = re.match(r'#include ["<]([^">]+)[">]', line)
            if not found:
                continue
            path = found.group(1)
            if path.startswith(("grpcpp/", "grpc/support")) or \
                    path.endswith(".grpc.pb.h"):
                if not name.startswith(GRPC_ALLOWED):
                    wrong.append(f"{name}:{number}: gRPC ends in rpc, client, "
                                 "cli and bench/load: use a room below it")
            elif path.endswith(".pb.h"):
                if not name.startswith(WIRE_ALLOWED):
                    wrong.append(f"{name}:{number}: wire messages end in rpc: "
                                 "use the room's own types")
            elif room is not None and path.startswith(("bench/", "tests/")):
                wrong.append(f"{name}:{number}: src must not know {path}")
            elif room is not None and "/" in path:
                other = path.split("/")[0]
                allowed = ROOMS[room]
                if other in ROOMS and other != room and \
                        allowed is not None and other not in allowed:
                    wrong.append(f"{name}:{number}: {room} must not include "
                                 f"{other}: dependencies point the way a "
                                 "request travels")
    return wrong


def strip_comments(line):
    return re.sub(r'//.*$|"(\\.|[^"\\])*"', "", line)


def check_banned(root):
    wrong = []
    for name in code_files(root):
        for number, line in enumerate(lines_of(root, name), 1):
            for pattern, allowed, remedy in BANNED:
                if allowed and name.startswith(allowed):
                    continue
                text = line if "TODO" in pattern else strip_comments(line)
                if re.search(pattern, text):
                    wrong.append(f"{name}:{number}: {remedy}")
    for name in tracked(root):
        if not name.endswith((".cc", ".h", ".md", ".txt", ".textproto",
                              ".cmake", ".proto", ".py")):
            continue
        for number, line in enumerate(lines_of(root, name), 1):
            if re.search(r"(^|[\s\"'=(])/(root|home|work)/", line):
                wrong.append(f"{name}:{number}: a path of one machine")
    return wrong


def check_sizes(root):
    wrong = []
    for name in code_files(root):
        lines = lines_of(root, name)
        if len(lines) > LINES_MAX:
            wrong.append(f"{name}:{LINES_MAX}: {len(lines)} lines; at most "
                         f"{LINES_MAX}: split by what it does")
        wrong += long_functions(name, lines)
    return wrong


def long_functions(name, lines):
    """Functions by their braces: formatted code opens a body at the end of a
    line and closes it alone, at the indentation of the line that began it."""
    wrong = []
    for number, line in enumerate(lines):
        if not re.search(r"\)( const| override| final| noexcept|"
                         r" ABSL_\w+\([^)]*\))*( -> [\w:<>*& ]+)? \{$", line):
            continue
        begin = number
        while begin > 0 and lines[begin].startswith("    ") and \
                not lines[begin - 1].endswith((";", "{", "}", ":", "")):
            begin -= 1
        indent = len(lines[begin]) - len(lines[begin].lstrip())
        if re.match(r"\s*(if|for|while|switch|else|do|\}|TEST|INSTANTIATE)\b",
                    lines[begin]) or lines[begin].lstrip().startswith("}"):
            continue
        end = number + 1
        closing = " " * indent + "}"
        while end < len(lines) and not lines[end].startswith(closing):
            end += 1
        length = end - begin + 1
        if length > FUNCTION_LINES_MAX and "[" not in lines[begin]:
            wrong.append(f"{name}:{begin + 1}: a function of {length} lines; "
                         f"at most {FUNCTION_LINES_MAX}: give its parts names")
    return wrong


def check_licence(root):
    wrong = []
    for name in tracked(root):
        commented = name.endswith(CODE + (".proto", ".py", ".cmake",
                                          ".textproto", "CMakeLists.txt"))
        script = name.startswith(("scripts/", ".ci/")) and \
            not name.endswith(".txt")
        if not (commented or script):
            continue
        if not any("SPDX-License-Identifier: Apache-2.0" in line
                   for line in lines_of(root, name)[:4]):
            wrong.append(f"{name}:1: the SPDX line is missing")
    return wrong


def check_self_test(_):
    """Every check finds a planted violation and nothing in a clean file."""
    spdx = "// SPDX-License-Identifier: Apache-2.0\n"
    clean = {"src/base/a.h": spdx + "#pragma once\nint F();\n"}
    body = "".join(f"  x += {i};\n" for i in range(80))
    planted = {
        "format": {"src/base/b.cc": spdx + "int  F( ){return 1 ;}\n"},
        "includes": {"src/base/c.cc": spdx + '#include "table/table.h"\n'},
        "banned": {"src/base/d.cc": spdx + "void F(std::string_view s);\n"},
        "sizes": {"src/base/e.cc": spdx + "int F(int x) {\n" + body + "}\n"},
        "licence": {"src/base/f.cc": "int F();\n"},
    }
    wrong = []
    for check, files in planted.items():
        for plant, expected in ((clean, False), (files, True)):
            with tempfile.TemporaryDirectory() as root:
                for name, text in plant.items():
                    path = os.path.join(root, name)
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(text)
                with open(os.path.join(root, ".clang-format"), "w",
                          encoding="utf-8") as f:
                    f.write("BasedOnStyle: Google\n")
                found = bool(CHECKS[check](root))
                if found != expected:
                    wrong.append(f"tests/tidy/tidy.py:1: {check} "
                                 f"{'missed' if expected else 'invented'} a "
                                 "violation")
    return wrong


CHECKS = {
    "format": check_format,
    "includes": check_includes,
    "banned": check_banned,
    "sizes": check_sizes,
    "licence": check_licence,
    "self_test": check_self_test,
}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in CHECKS:
        sys.exit(__doc__)
    wrong = CHECKS[sys.argv[1]](sys.argv[2])
    for line in wrong:
        print(line)
    print(f"{sys.argv[1]}: {len(wrong)} violations")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
