"""`python -m infra.gates`: the templates under checkov, `sam validate`, and cfn-lint after SAM's transform.

Each gate is also shown a fault that it has to find. They run in venvs of their own, without AWS or a network.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from infra.release import INFRA, overrides
from infra.rendering import render

ROOT = INFRA.parent
CHECKOV = ROOT / ".venv-gates" / "bin" / "checkov"
SAM = ROOT / ".venv-sam" / "bin"
TEMPLATES = ("template.yaml", "cognito.yaml")
KEY = "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e"
# A proxy where nobody listens: whatever wants the network fails at once.
NOWHERE = "http://127.0.0.1:9"


class Gate(NamedTuple):
    """`check` tells what is wrong with the templates of a folder: `complaint`, once `text` is `fault`."""

    name: str
    check: Callable[[Path], list[str]]
    text: str
    fault: str
    complaint: str


def checkov(folder: Path) -> list[str]:
    """What it finds and is not in checkov.yaml, and what is there for nothing."""
    parameters = dict(each.split("=", 1) for each in overrides("prod")) | {"CustomerKeyArn": KEY}
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": render(folder / "template.yaml", parameters)["Resources"],
    }
    rendered = folder / "rendered.json"
    rendered.write_text(json.dumps(document))
    files = [rendered.name, "cognito.yaml"]
    options = ["--framework", "cloudformation", "--skip-download", "--compact", "--quiet", "--output", "json"]
    report = json.loads(_run(folder, CHECKOV, "--file", *files, *options).stdout)
    return differences(found(report), accepted(INFRA / "checkov.yaml"))


def found(report: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Check and resource of each finding in checkov's report. ValueError if it did not look at everything."""
    summary = report["summary"]
    if summary["parsing_errors"] or summary["resource_count"] < 50:
        raise ValueError(f"checkov did not read the templates: {summary}")
    failed = report["results"]["failed_checks"]
    return {(each["check_id"], each["resource"].rpartition(".")[2]) for each in failed}


def accepted(path: Path) -> set[tuple[str, str]]:
    """Check and resource of each finding that is left as it is. ValueError for one without a reason."""
    listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    for check, entry in listed.items():
        if len(entry["reason"].split()) < 5:
            raise ValueError(f"{check} has no reason")
    return {(check, resource) for check, entry in listed.items() for resource in entry["resources"]}


def differences(found: set[tuple[str, str]], accepted: set[tuple[str, str]]) -> list[str]:
    new = [f"{check} fails for {resource}" for check, resource in sorted(found - accepted)]
    stale = [f"{check} is listed for {resource}, and holds" for check, resource in sorted(accepted - found)]
    return new + stale


def sam_validate(folder: Path) -> list[str]:
    return _complaints(_run(folder, SAM / "sam", "validate", "--lint", "--template", "template.yaml"))


def transformed(folder: Path) -> list[str]:
    """What cfn-lint says of the template after SAM's transform, with and without a canary."""
    complaints = list[str]()
    for canary in ("true", "false"):
        transform = [str(INFRA / "transform.py"), "template.yaml", f"Canary={canary}", "WithCognito=true"]
        outcome = _run(folder, SAM / "python", *transform)
        if outcome.returncode != 0:
            complaints += _complaints(outcome)
            continue
        (folder / "transformed.json").write_text(outcome.stdout)
        # W2001: the transform used Canary up. W3002: `sam package` is what uploads the nested template.
        lint = _run(folder, SAM / "cfn-lint", "transformed.json", "--ignore-checks", "W2001", "W3002")
        complaints += _complaints(lint)
    return complaints


def _run(folder: Path, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder),
        "HTTPS_PROXY": NOWHERE,
        "HTTP_PROXY": NOWHERE,
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "SAM_CLI_TELEMETRY": "0",
    }
    return subprocess.run(
        [str(program), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _complaints(outcome: subprocess.CompletedProcess[str]) -> list[str]:
    if outcome.returncode == 0:
        return []
    return (outcome.stdout + outcome.stderr).splitlines() or [f"ended with {outcome.returncode}"]


GATES = (
    Gate(
        "checkov",
        checkov,
        "PointInTimeRecoveryEnabled: true",
        "PointInTimeRecoveryEnabled: false",
        "CKV_AWS_28 fails for ControlTable",
    ),
    Gate("sam validate --lint", sam_validate, "PAY_PER_REQUEST", "PAY_PER_WISH", "PAY_PER_WISH"),
    Gate(
        "cfn-lint of what SAM makes",
        transformed,
        "MaximumRetryAttempts: 0",
        "MaximumRetryAttempts: 3",
        "3 is greater than the maximum of 2",
    ),
)


def run(gate: Gate) -> list[str]:
    """What is wrong with the templates, or with the gate, which has to find the fault."""
    with tempfile.TemporaryDirectory() as clean, tempfile.TemporaryDirectory() as faulty:
        for name in TEMPLATES:
            shutil.copy(INFRA / name, clean)
            text = (INFRA / name).read_text(encoding="utf-8")
            (Path(faulty) / name).write_text(text.replace(gate.text, gate.fault), encoding="utf-8")
        complaints = gate.check(Path(clean))
        if not any(gate.complaint in complaint for complaint in gate.check(Path(faulty))):
            complaints.append(f"it does not find {gate.fault!r}")
        return complaints


def main() -> None:
    failed = False
    for gate in GATES:
        start = time.monotonic()
        complaints = run(gate)
        print(f"{gate.name}: {'FAILED' if complaints else 'passed'} ({time.monotonic() - start:.1f} s)")
        print(*(f"  {complaint}" for complaint in complaints), sep="\n", end="\n" if complaints else "")
        failed = failed or bool(complaints)
    sys.exit(failed)


if __name__ == "__main__":
    main()
