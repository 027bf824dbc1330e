"""The floors: a module imports from lower floors, and on its own floor only from its own package.

Below `contract`, `store` and so on stand for all their modules, but for those named on a floor of their own.
"""

import ast
from pathlib import Path

import pytest

import mockserver

FLOORS = [
    ["curl", "determinism", "findings", "retry_after"],
    ["errors"],
    ["settings", "asgi"],
    ["context"],
    ["contract", "store"],
    ["gateway", "resources"],
    ["state"],
    ["control"],
    ["routes", "uvicorn_server"],
    ["app", "server"],
    ["conformance", "testing"],
    ["verify"],
    ["cli", "pytest_plugin"],
    ["__main__"],
]
ROOT = Path(mockserver.__file__).parent
MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if path != ROOT / "__init__.py"
)


def place(module):
    """The floor of a module, and its package (or itself) on that floor."""
    named = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    name = module
    while name not in named:
        assert "." in name, f"{module} is on no floor"
        name = name.rpartition(".")[0]
    return named[name], name


def imports(module):
    path = ROOT / (module.replace(".", "/") + ".py")
    if not path.exists():
        path = ROOT / module.replace(".", "/") / "__init__.py"
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            inner = name.removeprefix("mockserver.")
            if name.startswith("mockserver.") and inner in MODULES:
                yield inner


def wrong(module, imported):
    floor, package = place(module)
    imported_floor, imported_package = place(imported)
    return imported_floor > floor or (imported_floor == floor and imported_package != package)


@pytest.mark.parametrize("module", MODULES)
def test_no_import_goes_up_or_sideways(module):
    assert [imported for imported in imports(module) if imported != module and wrong(module, imported)] == []


def test_the_check_sees_what_is_wrong():
    assert wrong("store.memory", "gateway.auth")
    assert wrong("store.memory", "contract.schemas")
    assert wrong("findings", "contract.schemas")
    assert not wrong("store.memory", "store.paging")
    assert not wrong("contract.schemas", "findings")
    assert "contract.guard" in set(imports("app"))


@pytest.mark.parametrize("module", [module for module in MODULES if place(module)[0] < place("testing")[0]])
def test_only_the_top_floors_hides_imports_in_functions(module):
    path = ROOT / (module.replace(".", "/") + ".py")
    if path.exists():
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        hidden = [
            node.lineno for function in functions for node in ast.walk(function) if isinstance(node, ast.ImportFrom)
        ]
        assert hidden == []
