"""One emulator with one deployed stack for the whole suite; `make e2e` runs it."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.deployment import ARCHITECTURE, ZIP, Account, Stack, build_package, packaged, released
from tests.e2e.emulator import PROJECT, Emulator, missing
from tests.e2e.issuer import AUDIENCE, ISSUER, Issuer
from tests.e2e.system import ORIGIN, Member, System

STACK = "product"
POISON = "A stream record cannot be read."
LOGGED = 8_000  # characters of each log that a failure shows


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say loudly what is not run; nothing of it is ever taken for passed."""
    absent = missing()
    if absent is None:
        return
    reason = f"the end-to-end suite DOES NOT RUN: it needs {absent}"
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Behind all the skipped tests, once more."""
    yield
    if absent := missing():
        terminalreporter.write_line(f"*** DOES NOT RUN: the end-to-end suite; it needs {absent}", red=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the emulator and the functions said goes with a failure."""
    report = yield
    fixtures: dict[str, object] = getattr(item, "funcargs", {})
    if report.failed and isinstance(running := fixtures.get("emulator"), Emulator):
        report.sections.append(("emulator", running.log()[-LOGGED:]))
    if report.failed and isinstance(deployed := fixtures.get("system"), System):
        report.sections.append(("functions", "\n".join(deployed.logs())[-LOGGED:]))
    return report


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="session")
def account(emulator: Emulator) -> Account:
    return Account(emulator.endpoint)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with Issuer(tmp_path_factory.mktemp("issuer")) as serving:
        yield serving


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions' zip; E2E_ZIP names one that is ready, which spares half a minute."""
    if ready := os.environ.get("E2E_ZIP"):
        return Path(ready)
    path = tmp_path_factory.mktemp("package") / ZIP
    build_package(path)
    return path


@pytest.fixture(scope="session")
def template() -> str:
    """infra/template.yaml as it is deployed."""
    return packaged((PROJECT / "infra" / "template.yaml").read_text())


@pytest.fixture(scope="session")
def parameters(account: Account, issuer: Issuer) -> dict[str, str]:
    return {
        "Stage": "dev",
        "Profile": "development",
        "Architecture": ARCHITECTURE,
        "JwtIssuer": ISSUER,
        "JwtAudience": AUDIENCE,
        "JwksUrl": issuer.jwks_url,
        "AllowedOrigins": ORIGIN,
        "EmulatorEndpoint": account.endpoint,
        # A poison record is given up within seconds.
        "StreamRetries": "10",
    }


@pytest.fixture(scope="session")
def system(
    account: Account, issuer: Issuer, package: Path, template: str, parameters: dict[str, str]
) -> Iterator[System]:
    """The deployed stack. At the end no function may have failed but by what a test made it fail on."""
    account.upload(ZIP, package.read_bytes())
    stack = Stack(account, STACK)
    assert stack.deploy(template, released(parameters, package)) == "CREATE_COMPLETE"
    deployed = System(account, stack, issuer)
    yield deployed
    errors = [line for line in deployed.logs() if '"level": "ERROR"' in line and POISON not in line]
    assert not errors, errors


@pytest.fixture(scope="session")
def acme(system: System) -> Member:
    return system.onboard("acme")


@pytest.fixture(scope="session")
def globex(system: System) -> Member:
    return system.onboard("globex")
