from pathlib import Path
from typing import Any

import pytest

from infra.gates import INFRA, accepted, differences, found


def report(**summary: int) -> dict[str, Any]:
    failed = [{"check_id": "CKV_AWS_1", "resource": "AWS::SQS::Queue.Failures"}]
    return {
        "summary": {"parsing_errors": 0, "resource_count": 82} | summary,
        "results": {"failed_checks": failed},
    }


def test_a_finding_is_a_check_and_a_resource() -> None:
    assert found(report()) == {("CKV_AWS_1", "Failures")}


@pytest.mark.parametrize("summary", [{"parsing_errors": 1}, {"resource_count": 0}])
def test_a_report_about_nothing_is_no_pass(summary: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="did not read"):
        found(report(**summary))


def test_what_is_new_and_what_is_stale_are_told() -> None:
    told = differences({("A", "Queue"), ("B", "Table")}, {("A", "Queue"), ("A", "Topic")})

    assert told == ["B fails for Table", "A is listed for Topic, and holds"]


def test_every_exception_has_a_reason() -> None:
    assert accepted(INFRA / "checkov.yaml")


def test_an_exception_without_a_reason_is_refused(tmp_path: Path) -> None:
    listed = tmp_path / "checkov.yaml"
    listed.write_text("CKV_AWS_1: {resources: [Queue], reason: not needed}")

    with pytest.raises(ValueError, match="CKV_AWS_1 has no reason"):
        accepted(listed)
