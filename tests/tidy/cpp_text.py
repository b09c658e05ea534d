# SPDX-License-Identifier: Apache-2.0
"""What the checks need to know of C++: where code is, and where functions are.

Both rely on clang-format's layout, which a check of its own enforces.
"""

import re

_NOT_CODE = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|(?<![A-Za-z0-9_])(?:u8|[uUL])?R"(?P<tag>[^()\\\s]*)\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'", re.DOTALL)
_DIRECTIVE = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.MULTILINE)
_LABEL = re.compile(r'\s*(?:(?:public|protected|private):\s*)*')
_SCOPE = re.compile(r'\s*(?:inline\s+)?(?:namespace\b|extern\s*$)')
_TYPE = re.compile(
    r'\s*(?:template\s*<.*>\s*)?(?:typedef\s+)?(?:class|struct|union|enum)\b',
    re.DOTALL)


def _blank(match):
    return re.sub(r'[^\n]', ' ', match.group())


def code_only(text):
    """`text` with comments and literals blanked; every line keeps its place.
    The quotes of an include are no literal."""
    def keep_includes(match):
        before = text[text.rfind('\n', 0, match.start()) + 1:match.start()]
        if before.strip() == '#include':
            return match.group()
        return _blank(match)
    return _NOT_CODE.sub(keep_includes, text)


def functions(text):
    """Yields (line, lines) of every function with a body: where its signature
    begins, and how many lines it has to its closing brace. Lambdas belong to
    the function around them. Raises ValueError where braces do not match."""
    code = _DIRECTIVE.sub(_blank, code_only(text))
    scopes = []  # of each open brace: (kind, start of its head)
    head = 0     # where the declaration being read began
    parens = 0
    for match in re.finditer(r'[{}();]', code):
        at, token = match.start(), match.group()
        in_function = any(kind == 'function' for kind, _ in scopes)
        if token == '(':
            parens += 1
        elif token == ')':
            parens -= 1
        elif token == '{':
            kind = _kind_of(code[head:at], in_function or parens > 0)
            scopes.append((kind, head))
            if kind in ('scope', 'type'):
                head = match.end()
        elif token == '}':
            if not scopes:
                raise ValueError('a brace is closed that none opened')
            kind, begin = scopes.pop()
            if kind == 'function':
                begin += _LABEL.match(code[begin:at]).end()
                yield (code.count('\n', 0, begin) + 1,
                       code.count('\n', begin, at) + 1)
            if kind != 'nested':
                head = match.end()
        elif parens == 0 and not in_function:
            head = match.end()
    if scopes:
        raise ValueError('a brace is never closed')


def _kind_of(head, nested):
    # Only bodies are preceded by a space; a value is initialised without one,
    # or after an equals sign.
    if nested or not re.search(r'\s$', head) or head.rstrip().endswith('='):
        return 'nested'
    head = head[_LABEL.match(head).end():]
    if _SCOPE.match(head):
        return 'scope'
    if '(' in re.sub(r'\balignas\([^)]*\)|\bABSL_\w+(\([^)]*\))?', '', head):
        return 'function'
    return 'type' if _TYPE.match(head) else 'function'
