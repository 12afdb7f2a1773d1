#!/usr/bin/env python3
"""Runs the function contract against one bootstrap.

usage: contract.py node|node-esm|python [--interpreter PATH] [unittest options]

Exits 77 (skipped) when the interpreter is not installed.
"""

import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common_cases  # noqa: E402
import node_cases  # noqa: E402
import python_cases  # noqa: E402
import worker  # noqa: E402


class Subject:
    def __init__(self, name, family, extension, make, interpreter, cases):
        self.name = name
        self.family = family
        self.extension = extension
        self.make = make
        self.interpreter = interpreter
        self.cases = cases

    def argv(self):
        return self.make(self.interpreter)

    def function(self, name):
        return os.path.abspath(os.path.join(worker.FUNCTIONS, name, self.family))

    def entry(self, name):
        """The file of that name in the subject's flavour; a name with an extension is taken as it is."""
        return name if "." in name else name + self.extension


SUBJECTS = {
    "node": ("node", ".js", worker.node_argv, "node", node_cases.CASES),
    "node-esm": ("node", ".mjs", worker.node_argv, "node", node_cases.CASES),
    "python": ("python", ".py", worker.python_argv, "python3", python_cases.CASES),
}


def find(interpreter):
    for directory in ("/usr/bin", "/usr/local/bin"):
        if os.access(os.path.join(directory, interpreter), os.X_OK):
            return os.path.join(directory, interpreter)
    return shutil.which(interpreter)


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in SUBJECTS:
        sys.exit(__doc__)
    family, extension, make, program, cases = SUBJECTS[arguments[0]]
    interpreter = find(program)
    rest = arguments[1:]
    if rest[:1] == ["--interpreter"]:
        interpreter, rest = rest[1], rest[2:]
    if interpreter is None:
        print(f"skipped: no {program} here")
        sys.exit(77)
    subject = Subject(arguments[0], family, extension, make, interpreter, cases)
    for case in common_cases.CASES + cases:
        case.subject = subject
        if extension == ".mjs" and case.function == "legacy":
            case.entrypoint = "main.js"
        globals()[case.__name__] = case
    unittest.main(argv=[sys.argv[0], *rest], module=sys.modules[__name__])


if __name__ == "__main__":
    main()
