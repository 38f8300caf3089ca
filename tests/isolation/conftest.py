import pytest

from tests.isolation.proof import PROOFS, report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if PROOFS:
        terminalreporter.section("planted bugs")
        for line in report():
            terminalreporter.write_line(line)
