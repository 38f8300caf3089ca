"""The gates on what is shipped and on what ships it: `python -m infra.supply_chain`, a part of `make gates`.

bandit          no finding of medium severity or more in what is deployed and what deploys it
detect-secrets  no secret in any file that is tracked, or would be
cyclonedx-py    the bill of materials of the Lambda package, complete, in build/sbom.json
zizmor          no finding in the workflows
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from packaging.requirements import Requirement

TOOLS = Path(".venv-supply-chain/bin")
LOCK, SBOM = Path("requirements/runtime.txt"), Path("build/sbom.json")
CODE = (Path("graphql_api"), Path("infra"))
WORKFLOWS = Path(".github/workflows")
# Path, kind and reason of what looks like a secret and is none.
NO_SECRETS = (
    ("tests/*", "Secret Keyword", "the suite makes its own secrets; real ones are found by their shape"),
    ("bench/*", "Secret Keyword", "an emulator's credentials"),
    ("tests/isolation/arguments.py", "Base64 High Entropy String", "an id that is none of anybody's"),
)
# Lines of a template that speak of secrets and hold none.
SPEAK_OF_SECRETS = r"GenerateSecret(String)?: |Action: .?secretsmanager:"
# The machine that the package is for.
LAMBDA = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}


class ToolError(Exception):
    """A gate that could not look; never taken for one that found nothing."""


def insecure_code(paths: Sequence[Path] = CODE) -> Iterator[str]:
    """What bandit finds at medium severity or more."""
    options = ("--quiet", "--format", "json", "--severity-level", "medium", "--confidence-level", "medium")
    report = json.loads(_output("bandit", *options, "--recursive", *map(str, paths), expected=(0, 1)))
    if report["errors"] or not report["metrics"]["_totals"]["loc"]:
        raise ToolError(f"bandit did not read everything: {report['errors']}")
    for found in report["results"]:
        yield f"{found['filename']}:{found['line_number']}: {found['test_id']} {found['issue_text']}"


def secrets(files: Iterable[str] | None = None) -> Iterator[str]:
    """What looks like a secret, in those files or in all that git tracks or would; below this directory."""
    listed = list(tracked() if files is None else files)
    with _planted_secret() as planted:
        # Verifying would send what was found to whom it may belong to.
        options = ("scan", "--no-verify", "--all-files", "--exclude-lines", SPEAK_OF_SECRETS)
        report = json.loads(_output("detect-secrets", *options, planted, *listed))
    if not listed or not report["results"].pop(planted, None):
        raise ToolError(f"detect-secrets found nothing, not even what was planted, in {len(listed)} files")
    for path, found in report["results"].items():
        for one in found:
            if not _is_allowed(path, one["type"]):
                yield f"{path}:{one['line_number']}: {one['type']}"


def bill_of_materials(lock: Path = LOCK, output: Path = SBOM) -> Iterator[str]:
    """Writes the bill; yields what in the lock is not pinned by version and hash."""
    pinned = list(_applicable(lock.read_text(encoding="utf-8")))
    if not pinned:
        raise ToolError(f"there is nothing in {lock}")
    options = ("requirements", "-", "--output-reproducible", "--of", "JSON")
    bill = json.loads(_output("cyclonedx-py", *options, given="\n".join(pinned)))
    components: list[dict[str, Any]] = bill.get("components", [])
    if len(components) != len(pinned):
        raise ToolError(f"{len(pinned)} packages in the lock, {len(components)} in the bill")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for one in components:
        if not one.get("version") or not _hashes(one):
            yield f"{lock}: {one['name']} is not pinned by version and hash"


def workflow_flaws(directory: Path = WORKFLOWS) -> Iterator[str]:
    """What zizmor finds in the workflows, smells included."""
    options = ("--offline", "--no-progress", "--quiet", "--strict-collection", "--persona", "pedantic")
    # 11 to 14 tell of findings, by their severity; everything else is trouble.
    found = _output("zizmor", *options, "--format", "json-v1", str(directory), expected=(0, 11, 12, 13, 14))
    for one in json.loads(found):
        location = one["locations"][0]
        path = location["symbolic"]["key"]["Local"]["verbatim_path"]
        line = location["concrete"]["location"]["start_point"]["row"] + 1
        yield f"{path}:{line}: {one['ident']}: {one['desc']}"


@contextmanager
def _planted_secret() -> Iterator[str]:
    """The path of a file with a key in it, for as long as this lasts."""
    SBOM.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=SBOM.parent, suffix=".txt") as planted:
        planted.write("-----BEGIN " + "PRIVATE KEY-----\n")
        planted.flush()
        yield str(Path(planted.name).relative_to(Path.cwd()))


def tracked() -> Iterator[str]:
    """The files that git tracks, or would."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return (path for path in listed.split("\0") if path and Path(path).is_file())


def _output(tool: str, *arguments: str, given: str = "", expected: Sequence[int] = (0,)) -> str:
    command = [str(TOOLS / tool), *arguments]
    ended = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if ended.returncode not in expected:
        raise ToolError(f"{tool} ended with {ended.returncode}: {ended.stderr.strip()[-500:]}")
    return ended.stdout


def _is_allowed(path: str, kind: str) -> bool:
    return any(fnmatch(path, pattern) and kind == allowed for pattern, allowed, _ in NO_SECRETS)


def _applicable(lock: str) -> Iterator[str]:
    """The lock's requirements that are installed on Lambda, each in one line with its hashes."""
    for line in lock.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith((" ", "#", "-")):
            marker = Requirement(line.partition(" --hash")[0]).marker
            if marker is None or marker.evaluate(dict(LAMBDA)):
                yield line


def _hashes(component: dict[str, Any]) -> list[Any]:
    references = component.get("externalReferences", [])
    return [digest for reference in references for digest in reference.get("hashes", [])]


GATES = {
    "bandit": insecure_code,
    "detect-secrets": secrets,
    "cyclonedx-py": bill_of_materials,
    "zizmor": workflow_flaws,
}


def main() -> int:
    failed = 0
    for name, gate in GATES.items():
        try:
            faults = list(gate())
        except ToolError as error:
            faults = [str(error)]
        failed += bool(faults)
        print(f"{'FAILED' if faults else 'passed'}  {name}", *faults, sep="\n  ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
