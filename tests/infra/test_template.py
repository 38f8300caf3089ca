import re
from typing import Any

import pytest

from infra.reading import read
from infra.rendering import TEMPLATE
from tests.infra.deployments import STAGES, deployments, stage_parameters
from tests.infra.faults import FAULTS, RULES, Fault, Rule

DEPLOYMENTS = deployments()


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_holds(rule: Rule, deployment: str) -> None:
    assert list(rule(DEPLOYMENTS[deployment])) == []


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_found(fault: Fault) -> None:
    assert list(fault.rule(fault.planted(DEPLOYMENTS[fault.deployment])))


def test_every_rule_is_known_to_find_something() -> None:
    assert {fault.rule for fault in FAULTS} == set(RULES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_sets_parameters_that_there_are(stage: str) -> None:
    parameters = stage_parameters(stage)

    assert parameters["Stage"] == stage
    assert parameters.keys() <= read(TEMPLATE)["Parameters"].keys()


def test_prod_takes_the_production_profile_on_aws_alone() -> None:
    (asserted,) = (
        rule["Assertions"]
        for rule in read(TEMPLATE)["Rules"].values()
        if rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
    )

    assert [each["Assert"] for each in asserted] == [
        {"Fn::Equals": [{"Ref": "Profile"}, "production"]},
        {"Fn::Equals": [{"Ref": "EmulatorEndpoint"}, ""]},
    ]


def _strings(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for each in node.values() for text in _strings(each)]
    if isinstance(node, list):
        return [text for each in node for text in _strings(each)]
    return [node] if isinstance(node, str) else []


def test_an_empty_emulator_endpoint_leaves_no_trace_of_it() -> None:
    traces = [text for text in _strings(DEPLOYMENTS["prod"]) if re.search(r"127\.0\.0\.1|_aws/", text)]

    assert traces == []
