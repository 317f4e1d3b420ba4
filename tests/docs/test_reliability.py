"""The tests that docs/reliability.md names exist, under the names that it gives."""

import ast
import re

from tests.docs.test_docs import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)*)")


def names_in(tree: ast.AST, before: str = "") -> set[str]:
    """Return the functions and classes of a file as pytest writes them."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(f"{before}::{node.name}")
            if isinstance(node, ast.ClassDef):
                found |= names_in(node, f"{before}::{node.name}")
    return found


def test_every_test_that_is_named_exists():
    named = NAMED.findall((ROOT / "docs" / "reliability.md").read_text())
    missing = []
    for file, name in sorted(set(named)):
        path = ROOT / file
        if not path.is_file() or (name and name not in names_in(ast.parse(path.read_text()))):
            missing.append(file + name)
    assert missing == [] and len(named) > 100
