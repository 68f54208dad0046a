"""The house rules: which room may import which, and what a query must not load."""

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from every import for_every

import dsv3calc

PACKAGE = Path(dsv3calc.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

FLOORS = (
    ("exit_status", "errors", "reading", "numbers"),
    ("formulas", "schema"),
    ("ledger", "importers"),
    ("symbolic", "catalogue", "model"),
    ("accounting",),
    ("queries",),
    ("studies",),
    ("output",),
    ("commands", "cli", "api"),
    ("__main__", "__init__", "page", "pytest_plugin"),
)
"""A module imports from its own floor and from those below (earlier here), never from above."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

CLOSED_ROOMS = {
    "numbers": {"errors"},
    "reading": {"errors"},
    "formulas": {"numbers"},
    "schema": {"errors", "numbers", "reading"},
    "ledger": {"formulas", "numbers"},
    "model": {"errors", "formulas", "ledger", "schema"},
    "accounting": {"errors", "formulas", "ledger", "model", "numbers", "reading", "schema"},
}
"""Rooms of which the design says what they may see."""

THIRD_PARTIES = {
    "typer": ("commands/",),
    "rich": ("output/terminal.py",),
}
"""Who may import a library."""

HEAVY = ("sympy", "numpy")
ARITHMETIC_OF = (
    "numbers/in_numpy.py", "numbers/in_sympy.py", "numbers/in_columns.py",
    "numbers/rows.py", "numbers/program.py", "numbers/compiled.py",
)  # fmt: skip
"""What ``ops`` imports for arguments of these libraries, and what runs records on arrays."""

NEVER = (
    "pydantic", "importlib.metadata", "pkg_resources", "transformers", "huggingface_hub", "torch",
    "requests", "urllib.request", "http", "socket", "click",
)  # fmt: skip


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def parsed(path):
    return ast.parse(path.read_text("utf-8"))


def is_typing_guard(node):
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


@cache
def imports_of(path, *, typing_only=False, inside_functions=True):
    """List (module, line) of each import: of those for types alone, or of the others."""
    found = []
    waiting = [(node, False) for node in parsed(path).body]
    while waiting:
        node, for_types = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            if for_types is typing_only:
                found += [(name, node.lineno) for name in names_of(node)]
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not inside_functions:
            continue
        guarded = for_types or is_typing_guard(node)
        waiting.extend((child, guarded) for child in parts_of(node))
    return found


def parts_of(node):
    """Yield the statements inside a node and what holds statements: no import is elsewhere."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child


def names_of(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, "imports are absolute"
    if node.module in ("dsv3calc", "importlib"):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [node.module]


def own_imports(path, *, typing_only=False):
    """Yield the other rooms that a module imports from, with the line."""
    for name, line in imports_of(path, typing_only=typing_only):
        top, _, rest = name.partition(".")
        if top == "dsv3calc":
            target = rest.partition(".")[0]
            if target != "__version__" and target != room_of(path):
                yield target, line


def each(paths=MODULES):
    return for_every(paths, lambda path: str(path.relative_to(PACKAGE)))


def test_every_module_stands_on_a_floor():
    """A new module at the top of the package is given its place in FLOORS."""
    assert not {room_of(path) for path in MODULES} - set(FLOOR)


@each()
def test_no_import_goes_up(path):
    room = room_of(path)
    if room == "__init__":  # the front door shows what stands behind it
        return
    upward = [
        f"{path.name}:{line} imports dsv3calc.{target}"
        for typing_only in (False, True)
        for target, line in own_imports(path, typing_only=typing_only)
        if FLOOR.get(target, 0) > FLOOR.get(room, len(FLOORS))
    ]
    assert not upward


def module_of(path):
    return ".".join(("dsv3calc", *path.relative_to(PACKAGE).with_suffix("").parts))


KNOWN = {module_of(path) for path in MODULES}


def imported_modules(path):
    """Return the modules of the package that a file imports, for types too."""
    found = set()
    waiting = list(parsed(path).body)
    while waiting:
        node = waiting.pop()
        waiting.extend(parts_of(node))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dsv3calc"):
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inside & KNOWN or {node.module}
    return found


def test_no_modules_import_each_other_in_a_circle():
    """Modules are taken away once all that they import is: what remains is a circle."""
    # the front door shows what stands behind it, and has the version
    waiting = {module_of(path): imported_modules(path) for path in MODULES}
    del waiting["dsv3calc.__init__"]
    while free := [name for name, needs in waiting.items() if not needs & waiting.keys()]:
        for name in free:
            del waiting[name]
    assert not waiting


@each([path for path in MODULES if room_of(path) in CLOSED_ROOMS])
def test_closed_rooms_see_only_what_the_design_says(path):
    allowed = CLOSED_ROOMS[room_of(path)]
    found = {target for only in (False, True) for target, _ in own_imports(path, typing_only=only)}
    assert found <= allowed


@each([path for path in MODULES if path.parent == PACKAGE / "formulas" and path.stem[0] != "_"])
def test_formulas_are_plain_arithmetic(path):
    """No branch on a value, no library, no rounding by hand: the helpers of ops dispatch."""
    assert {name.partition(".")[0] for name, _ in imports_of(path)} <= {"__future__", "dsv3calc"}
    forbidden = (
        ast.If, ast.IfExp, ast.For, ast.While, ast.BoolOp, ast.Compare, ast.Assert, ast.Raise,
        ast.FloorDiv, ast.Div, ast.Mod,
    )  # fmt: skip
    for node in ast.walk(parsed(path)):
        assert not isinstance(node, forbidden), f"{path.name}: {type(node).__name__}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("max", "min", "round", "int", "float", "divmod", "pow")
        if isinstance(node, ast.FunctionDef):  # its steps are read from the source
            docstring, *steps, last = node.body
            assert isinstance(docstring, ast.Expr)
            assert all(isinstance(step, ast.Assign) for step in steps)
            assert isinstance(last, ast.Return)


@each()
def test_typer_and_rich_are_imported_where_they_belong(path):
    place = path.relative_to(PACKAGE).as_posix()
    for name, line in imports_of(path):
        homes = THIRD_PARTIES.get(name.partition(".")[0])
        assert homes is None or place.startswith(homes), f"{place}:{line} imports {name}"


@each()
def test_numpy_and_sympy_are_imported_inside_functions_alone(path):
    if path.relative_to(PACKAGE).as_posix() in ARITHMETIC_OF:
        return
    names = {name for name, _ in imports_of(path, inside_functions=False)}
    assert not {name.partition(".")[0] for name in names} & set(HEAVY)


def test_arithmetic_of_a_library_is_imported_inside_functions_alone():
    for path in MODULES:
        if path.relative_to(PACKAGE).as_posix() in ARITHMETIC_OF:
            continue
        for node in parsed(path).body:
            names = [alias.name for alias in getattr(node, "names", [])]
            inside = getattr(node, "module", "") == "dsv3calc.numbers"
            assert not (inside and {"in_numpy", "in_sympy", "in_columns"} & set(names)), path


@each()
def test_nothing_reaches_for_the_network_or_a_hub(path):
    found = [name for name, _ in imports_of(path)]
    assert not [name for name in found if name.startswith(NEVER)]


@each()
def test_every_module_carries_its_licence(path):
    assert "SPDX-License-Identifier: Apache-2.0" in path.read_text("utf-8")


ABSENT = ("sympy", "numpy", "rich", "pydantic", "importlib.metadata")
DUMP = """
import json, sys
sys.argv = ["dsv3calc", *sys.argv[1:]]
from dsv3calc.__main__ import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "command",
    [
        "kv deepseek-v3 --json",
        "params deepseek-v3 --json",
        "flops deepseek-v3.2 --json",
        "memory deepseek-v3 --layout v3-pretrain --hardware h800 --json",
        "compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800 --json",
        "time deepseek-v3 --hardware h800 --json",
        "train deepseek-v3 --layout v3-pretrain --hardware h800 --json",
        "serve deepseek-v3 --layout day6-decode-ep144 --hardware h800 --json",
        "explain kv deepseek-v3 --json",
        "formula eval gpu_cost gpu_time=2788000h dollars_per_hour=2 --json",
        "reproduce day6 isca25 --json",
    ],
)
def test_a_json_query_loads_no_heavy_module(command):
    run = subprocess.run(
        [sys.executable, "-c", DUMP, *command.split()], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["schema_version"] == 2
    loaded = set(json.loads(run.stderr.splitlines()[-1]))
    assert "dsv3calc.ledger.line" in loaded
    assert not loaded & set(ABSENT)


@pytest.mark.parametrize("command", ["kv deepseek-v3 --json", "explain kv deepseek-v3 --json"])
def test_a_plain_query_loads_no_typer_and_nothing_slow_of_the_library(command):
    run = subprocess.run(
        [sys.executable, "-c", DUMP, *command.split()], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    loaded = set(json.loads(run.stderr.splitlines()[-1]))
    assert "dsv3calc.commands.plain_query" in loaded
    assert not loaded & {"typer", "typing_extensions", "pathlib", "shutil"}
    assert "dsv3calc.schema.convert" not in loaded


def test_what_msgspec_was_imported_without_is_there_when_it_is_imported():
    code = """
import sys
from dsv3calc.__main__ import _import_msgspec
_import_msgspec()
assert not {"decimal", "textwrap", "typing_extensions", "uuid"} & sys.modules.keys()
import decimal, uuid
assert decimal.Decimal(1) + 1 == 2 and uuid.UUID(int=1).int == 1
import msgspec, msgspec.inspect
assert type(msgspec.inspect.type_info(int)) is msgspec.inspect.IntType
assert msgspec.json.decode(b"[1]", type=list[int]) == [1]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("explain params deepseek-v3", "parameters.total = 671,026,419,200"),
        ("formula show cache_bytes", "B_kv = B·ℓ·T·B_entry"),
        ("formula sensitivity kv_cache.bytes deepseek-v3", "kv_lora_rank"),
        ("formula sensitivity memory.worst.total deepseek-v3 --layout v3-pretrain", "moe_inter"),
    ],
)
def test_equations_in_text_need_no_heavy_module(command, words):
    """They are recorded, not traced by sympy."""
    run = subprocess.run(
        [sys.executable, "-c", DUMP, *command.split()], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert words in run.stdout
    assert not set(json.loads(run.stderr.splitlines()[-1])) & set(ABSENT)
