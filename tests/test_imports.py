"""The direction of imports, and where heavy libraries may be imported."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "spikepool"
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    {"cli"},
    {"pipeline"},
    {"runs"},
    {"report", "cluster"},
    {"diagnostics"},
    {"engines"},
    {"posterior"},
    {"data", "models"},
    {"errors", "progress", "config", "config_file"},
)
"""Parts of the package, from the top: a part imports its own layer and the layers below."""
TOP = {"__init__", "__main__"}
"""Above all layers: the public API reaches each of them, lazily."""

NEVER_AT_MODULE_LEVEL = {"pymc", "pytensor", "nutpie", "arviz", "arviz_base", "arviz_stats"}
OWNERS = {
    "matplotlib": ("report/plots/",),
    "pandas": (
        "runs/compare.py",
        "report/",
    ),
    "rich": ("cli/",),
}


def name_of(path: Path) -> str:
    """Return a module's path inside the package."""
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    """Return the part of the package that a module belongs to."""
    return name_of(path).split("/")[0].removesuffix(".py")


def imported(nodes: Iterator[ast.AST]) -> Iterator[tuple[str, int]]:
    """Yield the full name and line of everything that is imported."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are written in full"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def run_on_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when a module is imported: not functions, nor type checking."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from run_on_import(node)


def layer_of(part: str) -> int:
    """Return the layer of a part, 0 at the top."""
    return next(i for i, parts in enumerate(LAYERS) if part in parts)


def test_every_module_has_a_layer():
    """A new part of the package must be given its place."""
    placed = set().union(*LAYERS) | TOP
    assert {part_of(path) for path in MODULES} <= placed


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) not in TOP], ids=name_of
)
def test_imports_point_downward(path):
    """No module imports from a layer above its own, not even inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    upward = [
        f"{name_of(path)}:{line} imports {name}"
        for name, line in imported(ast.walk(tree))
        if name.split(".")[0] == "spikepool"
        and name.split(".")[1] not in ("__init__", "__version__")
        and layer_of(name.split(".")[1]) < layer_of(part_of(path))
    ]
    assert not upward


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_stay_with_their_owners(path):
    """PyMC, PyTensor, nutpie and ArviZ load on use; others only in the modules that own them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    misplaced = []
    for name, line in imported(run_on_import(tree)):
        library = name.split(".")[0]
        owned = any(name_of(path).startswith(owner) for owner in OWNERS.get(library, ("",)))
        if library in NEVER_AT_MODULE_LEVEL or not owned:
            misplaced.append(f"{name_of(path)}:{line} imports {name}")
    assert not misplaced


def test_no_module_without_a_subject():
    """Modules are named after what they hold."""
    nameless = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}
    assert not [name_of(path) for path in MODULES if path.name in nameless]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pymc as pm", ["pymc"]),
        ("try:\n    from nutpie import sample\nexcept ImportError: pass", ["nutpie.sample"]),
        ("class A:\n    import arviz", ["arviz"]),
        ("def f():\n    import pymc", []),
        ("class A:\n    def f(self):\n        import pymc", []),
        ("if TYPE_CHECKING:\n    import pandas", []),
    ],
)
def test_what_runs_on_import(source, found):
    """The walk sees imports in classes and try blocks, not in functions."""
    assert [name for name, _ in imported(run_on_import(ast.parse(source)))] == found
