import subprocess
import sys
from pathlib import Path

import pytest

from infra.rendering import TEMPLATE

CFN_LINT = Path(sys.executable).with_name("cfn-lint")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    templates = [folder / f"{name}.yaml" for name in ("template", "cognito")]
    return subprocess.run([CFN_LINT, *templates], capture_output=True, text=True, check=False)


def test_cfn_lint_finds_nothing() -> None:
    found = lint(TEMPLATE.parent)

    assert (found.stdout, found.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("text", "fault", "complaint"),
    [
        ("BisectBatchOnFunctionError", "BisectBatchOnFunctionErr", "BisectBatchOnFunctionErr"),
        ("PAY_PER_REQUEST", "PAY_PER_WISH", "PAY_PER_WISH"),
        ("!GetAtt Table.StreamArn", "!GetAtt Table.StreamARN", "StreamARN"),
        ("BatchSize: 97", "BatchSize: 10001", "10001"),
        ("Runtime: python3.13", "Runtime: python4.0", "python4.0"),
    ],
)
def test_cfn_lint_finds_a_planted_fault(tmp_path: Path, text: str, fault: str, complaint: str) -> None:
    for each in TEMPLATE.parent.glob("*.yaml"):
        (tmp_path / each.name).write_text(each.read_text().replace(text, fault))

    found = lint(tmp_path)

    assert found.returncode != 0
    assert complaint in found.stdout
