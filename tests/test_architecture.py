"""Each module imports only from lower floors, from lower steps of its own floor, and from its own package."""

import ast
from pathlib import Path

import pytest

import mockserver

# Each floor is a list of steps, from the lowest to the highest. Packages on the same step do not import each other.
FLOORS = [
    [["curl", "determinism", "findings", "installation", "retry_after"], ["errors"], ["secrets", "settings"]],
    [["asgi"], ["context"], ["contract", "store"], ["mock_header"]],
    [["gateway", "replies", "resources"], ["responses"]],
    [["state"], ["control", "control_access"], ["routes", "uvicorn_server"], ["app", "server"]],
    [["conformance", "testing"], ["__init__"], ["pytest_plugin", "verify"], ["cli"], ["__main__"]],
]
STEPS = {name: number for number, step in enumerate(step for floor in FLOORS for step in floor) for name in step}

# Imports inside functions below the top floor, because they would make each start slower.
LAZY_IMPORTS = {
    ("app", "mockserver.routes"),
    ("app", "starlette.middleware.cors"),
    ("contract.document", "mockserver.contract.bundler"),
    ("contract.document", "mockserver.contract.yaml_file"),
    ("contract.engine", "mockserver.contract.reference"),
    ("gateway.faults.json_patch", "jsonpatch"),
    ("replies.default", "mockserver.replies"),
    ("gateway.tokens", "jwt"),
    ("resources.seeds", "mockserver.contract.yaml_file"),
    ("responses.webhooks", "mockserver.responses.http_post"),
    ("installation", "importlib.metadata"),
}

ROOT = Path(mockserver.__file__).parent
PATHS = {
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def package_of(module):
    return module.partition(".")[0]


def imported_names(node):
    """Return the names that a statement or a call imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
        (argument,) = node.args
        return [argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)]
    return []


def module_of(name):
    """Return the module of this package that an imported name belongs to, or None."""
    if name.partition(".")[0] != "mockserver":
        return None
    inner = name.removeprefix("mockserver").removeprefix(".")
    while inner not in PATHS:
        inner = inner.rpartition(".")[0] or "__init__"
    return inner


def imported_modules(source):
    names = [name for node in ast.walk(ast.parse(source)) for name in imported_names(node)]
    return {module for name in names if (module := module_of(name)) is not None}


def lazy_imports(source):
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for node in ast.walk(function):
            for name in imported_names(node):
                yield node.module if isinstance(node, ast.ImportFrom) else name


def may_import(module, imported):
    package, imported_package = package_of(module), package_of(imported)
    return package == imported_package or STEPS[imported_package] < STEPS[package]


@pytest.mark.parametrize("module", sorted(PATHS))
def test_no_import_goes_up_or_sideways(module):
    imported = imported_modules(PATHS[module].read_text())
    assert {other for other in imported if not may_import(module, other)} == set()


def test_imports_inside_functions_are_listed():
    lower = [module for module in PATHS if STEPS[package_of(module)] < STEPS["testing"]]
    assert {(module, name) for module in lower for name in lazy_imports(PATHS[module].read_text())} == LAZY_IMPORTS


@pytest.mark.parametrize(
    ("module", "imported", "allowed"),
    [
        ("store.memory", "gateway.auth", False),
        ("store.memory", "contract.schemas", False),
        ("findings", "contract.schemas", False),
        ("errors", "settings", False),
        ("app", "__init__", False),
        ("store.memory", "store.paging", True),
        ("contract.schemas", "findings", True),
        ("cli", "verify.command", True),
    ],
)
def test_a_module_may_import_from_below(module, imported, allowed):
    assert may_import(module, imported) is allowed


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import mockserver.store.memory", "store.memory"),
        ("from mockserver.store import memory", "store.memory"),
        ("from mockserver.store.memory import MemoryStore", "store.memory"),
        ("from mockserver import Settings", "__init__"),
        ("def function():\n    from mockserver import app", "app"),
        ("import importlib\nimportlib.import_module('mockserver.app')", "app"),
        ("if TYPE_CHECKING:\n    import mockserver.app", "app"),
    ],
)
def test_every_kind_of_import_is_seen(statement, module):
    assert imported_modules(statement) == {module}
