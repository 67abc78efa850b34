"""The text of a source without what cannot change its meaning: of that a proof is."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path


def code(path: Path) -> str:
    """The text of a source without what cannot change its meaning."""
    return meant(path.read_text(), path.suffix)


@cache
def meant(text: str, suffix: str) -> str:
    """``text``, of a file with that suffix, without what cannot change its meaning."""
    if suffix == ".py":
        tree = ast.parse(text)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
                value = body[0].value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    body[0] = ast.Pass()
        return ast.dump(tree)
    if suffix in (".c", ".h"):
        return _c(re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL))
    return text


def _c(text: str) -> str:
    """White space made one blank; but the line of a directive ends where it ends."""
    said: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        words = " ".join(line.split())
        said.append(f"\n{words}\n" if words.startswith("#") else words)
    return re.sub(r" *\n+ *", "\n", " ".join(filter(None, said)))
