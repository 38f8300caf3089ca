"""The house rules that no linter knows, each with planted offences that prove it can fail."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
MODULE_LINES, FUNCTION_LINES = 300, 40

# Where whatever went wrong must become somebody's answer: path and reason. Keep it short.
BROAD_EXCEPT_ALLOWED = {
    "graphql_api/app/middleware.py": "the outermost boundary: nothing leaves as a bare 500",
    "graphql_api/handlers/events.py": "the outermost boundary: a handler never fails towards the gateway",
    "graphql_api/lifecycle/jobs.py": "the outermost boundary: one job's failure is no other's",
    "graphql_api/operations/execution.py": "what a resolver raises is its subscription's failure",
    "graphql_api/realtime/protocol.py": "a client whose message failed is told, and then the failure goes on",
    "graphql_api/realtime/ingest.py": "the outermost boundary: one tenant's failure is no other's",
    "graphql_api/store/loader.py": "the failure of a batch belongs to everyone who waits for it",
}
# Modules of features/ that are no feature themselves: name and reason.
NOT_FEATURES: dict[str, str] = {"tenant_settings": "what `updateTenant` takes, part of tenants"}

EMPTY_WORDS = {"utils", "util", "common", "helpers", "helper", "manager", "base", "core", "platform"}
KEY_PREFIX = re.compile(r"(?<![A-Za-z0-9])[TPC]#")
UNPORTABLE = re.compile(
    r"(?<![\w.])/(?:work|root|home|Users)/\w|/tmp/[w]\b"
    r"|pypi\.org|pythonhosted\.org|registry\.npmjs\.org|(?<!emit)-index[-]url"
)


class Module(NamedTuple):
    path: str
    source: str
    tree: ast.Module


def parsed(path: str, source: str) -> Module:
    return Module(path, source, ast.parse(source, path))


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def short_module(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > MODULE_LINES:
        yield f"{lines} lines, at most {MODULE_LINES}"


def short_functions(module: Module) -> Iterator[str]:
    for node in functions(module):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{node.name} has {lines} lines, at most {FUNCTION_LINES}"


def imports_at_the_top(module: Module) -> Iterator[str]:
    for function in functions(module):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield f"{function.name} imports in line {node.lineno}"


def is_broad(expression: ast.expr | None) -> bool:
    if isinstance(expression, ast.Tuple):
        return any(is_broad(element) for element in expression.elts)
    return expression is None or ast.unparse(expression) in {"Exception", "BaseException"}


def swallows_all(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).endswith("suppress") and any(map(is_broad, node.args))
    return isinstance(node, ast.ExceptHandler) and is_broad(node.type)


def has_broad_except(module: Module) -> bool:
    return any(swallows_all(node) for node in ast.walk(module.tree))


def narrow_excepts(module: Module) -> Iterator[str]:
    if module.path not in BROAD_EXCEPT_ALLOWED and has_broad_except(module):
        yield "catches everything"


def keys_only_in_store(module: Module) -> Iterator[str]:
    if module.path.startswith("graphql_api/store/"):
        return
    prose = {node.value for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and node not in prose and KEY_PREFIX.search(str(node.value)):
            yield f"builds a key in line {node.lineno}"


def says_what_it_is_for(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield "has no docstring"


def no_hidden_imports(module: Module) -> Iterator[str]:
    """Import contracts do not see TYPE_CHECKING blocks; only features/ needs one, for strawberry.lazy."""
    if not module.path.startswith("graphql_api/features/"):
        for block in ast.walk(module.tree):
            if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING"):
                imports = [
                    ast.unparse(node)
                    for node in ast.walk(block)
                    if isinstance(node, ast.Import | ast.ImportFrom)
                ]
                yield from (found for found in imports if "graphql_api" in found)


def empty_words(path: str) -> Iterator[str]:
    """Names that say nothing, as a whole or as prefix or suffix of a file or folder name."""
    for part in Path(path).with_suffix("").parts:
        words = part.lower().split("_")
        if EMPTY_WORDS & {words[0], words[-1]}:
            yield f"{path}: {part}"


def imported_features(tree: ast.Module) -> dict[str, str]:
    """Name in features/__init__.py → the module of features/ that it comes from."""
    origin: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = node.module.removeprefix("graphql_api.features").strip(".")
            for alias in node.names:
                origin[alias.asname or alias.name] = (inside or alias.name).split(".")[0]
    return origin


def unregistered(features: set[str], registry: str) -> set[str]:
    """The features that the FEATURES list does not reach through an import."""
    tree = ast.parse(registry)
    origin = imported_features(tree)
    registered: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            registered |= {origin.get(name, "") for name in names} if "FEATURES" in names else set()
    return features - registered - NOT_FEATURES.keys()


Rule = Callable[[Module], Iterator[str]]
BODY = "\n".join(["        pass"] * FUNCTION_LINES)
OFFENCES: list[tuple[Rule, str]] = [
    (short_module, "\n" * (MODULE_LINES + 1)),
    (short_functions, f"def f():\n{BODY}"),
    (short_functions, f"class C:\n    async def f(self):\n{BODY}"),
    (imports_at_the_top, "def f():\n    import json"),
    (imports_at_the_top, "async def f():\n    if x:\n        from a import b"),
    (narrow_excepts, "try: f()\nexcept: pass"),
    (narrow_excepts, "try: f()\nexcept Exception: raise"),
    (narrow_excepts, "try: f()\nexcept (ValueError, BaseException) as e: pass"),
    (narrow_excepts, "with contextlib.suppress(Exception): f()"),
    (keys_only_in_store, 'key = "T#acme"'),
    (keys_only_in_store, 'key = f"P#{x}"'),
    (keys_only_in_store, 'key = b"C#1"'),
    (says_what_it_is_for, "x = 1"),
    (no_hidden_imports, "if TYPE_CHECKING:\n    from graphql_api.app import x"),
    (no_hidden_imports, "if typing.TYPE_CHECKING:\n    import graphql_api.app"),
]
RULES = sorted({rule for rule, _ in OFFENCES}, key=lambda rule: rule.__name__)
INNOCENT = '''"""Keys look like T#acme."""
import json

def f():
    """Reads T#acme."""
    try: json.loads("AT#")
    except ValueError: pass

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
'''


def package() -> list[Module]:
    files = sorted((ROOT / "graphql_api").rglob("*.py"))
    return [parsed(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files]


def project_files() -> list[str]:
    """What is committed, or would be: everything that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: which files belong to the project is unknown")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_obeys(rule: Rule):
    modules = package()
    assert modules
    assert [f"{module.path}: {found}" for module in modules for found in rule(module)] == []


@pytest.mark.parametrize(("rule", "source"), OFFENCES)
def test_a_planted_offence_is_found(rule: Rule, source: str):
    assert list(rule(parsed("graphql_api/auth/keys.py", source)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_an_innocent_module_passes(rule: Rule):
    assert list(rule(parsed("graphql_api/auth/keys.py", INNOCENT))) == []


def test_every_allowance_is_still_needed():
    assert [m.path for m in package() if m.path in BROAD_EXCEPT_ALLOWED and not has_broad_except(m)] == []


def test_every_feature_is_registered():
    room = ROOT / "graphql_api" / "features"
    features = {file.stem for file in room.glob("*.py")} | {
        file.parent.name for file in room.glob("*/__init__.py")
    }
    registry = room / "__init__.py"
    source = registry.read_text(encoding="utf-8") if registry.is_file() else ""
    assert unregistered(features - {"__init__"}, source) == set()


BY_MODULE = "from graphql_api.features import tasks, users\n"
BY_NAME = "from graphql_api.features.tasks import TASKS\nfrom graphql_api.features.users import USERS\n"


@pytest.mark.parametrize(
    ("registry", "forgotten"),
    [
        ("", {"tasks", "users"}),
        (BY_MODULE + "FEATURES = (tasks.FEATURE,)", {"users"}),
        (BY_NAME + "OTHER = (USERS,)\nFEATURES: tuple[Feature, ...] = (TASKS,)", {"users"}),
        (BY_MODULE + "FEATURES = (tasks.FEATURE, users.FEATURE)", set[str]()),
        (BY_NAME + "FEATURES = [TASKS, USERS]", set[str]()),
    ],
)
def test_a_forgotten_feature_is_found(registry: str, forgotten: set[str]):
    assert unregistered({"tasks", "users"}, registry) == forgotten


def test_names_are_field_words():
    assert [found for name in project_files() if name.endswith(".py") for found in empty_words(name)] == []


@pytest.mark.parametrize("path", ["graphql_api/utils.py", "core/a.py", "a/base_task.py", "a/task_manager.py"])
def test_an_empty_word_is_found(path: str):
    assert list(empty_words(path))


def test_no_file_names_a_machine_or_a_package_index():
    texts = {name: (ROOT / name).read_text(encoding="utf-8", errors="ignore") for name in project_files()}
    assert [
        f"{name}: {found.group()}" for name, text in texts.items() for found in UNPORTABLE.finditer(text)
    ] == []


@pytest.mark.parametrize(
    "disguised",
    [" |root|x", '"|home|me"', "|tmp|w|x", "pypi^org", "files^pythonhosted^org", "--extra-index=url"],
)
def test_a_machine_or_package_index_is_found(disguised: str):
    assert UNPORTABLE.search(disguised.replace("|", "/").replace("^", ".").replace("=", "-"))
