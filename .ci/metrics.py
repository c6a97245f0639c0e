#!/usr/bin/env python3
"""Print what the code of `services` and `shared` looks like in numbers: sizes, annotations, docstrings, names."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

PLACES = ("services", "shared")
# Participles and pronouns say nothing of what a name holds.
VAGUE = re.compile(r"_?(found|seen|held|told|asked|known|mine|ours|one|some)")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def sources() -> dict[Path, str]:
    """{path: text} of every module that git knows, without migrations."""
    listed = subprocess.run(["git", "ls-files", *PLACES], capture_output=True, text=True, check=True).stdout.split()
    return {
        Path(name): Path(name).read_text() for name in listed if name.endswith(".py") and "/migrations/" not in name
    }


def bound_names(tree: ast.Module) -> Iterator[str]:
    """Names that are given to something: variables, parameters, functions, classes, attributes of classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name


def spread(values: list[int]) -> str:
    """Median, 90th percentile and maximum."""
    return f"{median(values):.0f} / {quantiles(values, n=10)[-1]:.0f} / {max(values)}"


def share(part: int, whole: int) -> str:
    """Per cent."""
    return f"{100 * part / whole:.1f} %"


def documented(functions: list[ast.FunctionDef | ast.AsyncFunctionDef]) -> str:
    """Those that have a docstring, in per cent."""
    return share(sum(bool(ast.get_docstring(node)) for node in functions), len(functions))


def main() -> None:
    """Print a table in Markdown."""
    texts = sources()
    trees = {path: ast.parse(text) for path, text in texts.items()}
    functions = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    public = [node for node in functions if not node.name.startswith("_")]
    annotated = [
        node
        for node in functions
        if node.returns and all(arg.annotation for arg in node.args.args if arg.arg not in {"self", "cls"})
    ]
    names = [name for tree in trees.values() for name in bound_names(tree)]
    classes = Counter(node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    lines = [text.count("\n") for text in texts.values()]
    imports = [sum(isinstance(n, (ast.Import, ast.ImportFrom)) for n in ast.walk(tree)) for tree in trees.values()]
    vague = Counter(name for name in names if VAGUE.fullmatch(name))
    most = ", ".join(f"{name} {count}" for name, count in vague.most_common(6))
    rows = {
        "modules / lines (no migrations)": f"{len(texts)} / {sum(lines):,}",
        "module median / p90 / max": spread(lines),
        "function median / p90 / max": spread([(node.end_lineno or 0) - node.lineno + 1 for node in functions]),
        "annotated": share(len(annotated), len(functions)),
        "docstrings on functions (public)": f"{documented(functions)} ({documented(public)})",
        "imports a module, median": f"{median(imports):.0f}",
        "names that are pronouns or participles": f"{share(vague.total(), len(names))} ({most})",
        "class names used twice": ", ".join(sorted(name for name, count in classes.items() if count > 1)) or "none",
    }
    print("| | |\n|---|---:|", *(f"| {name} | {value} |" for name, value in rows.items()), sep="\n")


if __name__ == "__main__":
    main()
