"""The command line: serve, token, schema, verify-log, reconcile, begin-epoch."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from graphql_api.auth.identity import Role
from graphql_api.local.dynamodb import EmbeddedDynamoDBError
from graphql_api.local.installation import STATE_DIR, Installation
from graphql_api.local.log_commands import (
    PATIENCE_SECONDS,
    anchor,
    begin_epoch,
    patience,
    reconcile,
    verify_log,
)
from graphql_api.local.people import subject_of
from graphql_api.local.serve import serve
from graphql_api.schema import build_schema
from graphql_api.settings import SettingsError

MAX_PORT = 65_535


def _serve(_: argparse.Namespace) -> None:
    serve(_port(os.environ.get("PORT") or "8000"), reset=os.environ.get("RESET", "0") not in ("", "0"))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_PORT):
        raise SystemExit(f"PORT must be a number from 0 to {MAX_PORT}, not {text!r}.")
    return int(text)


def _schema(_: argparse.Namespace) -> None:
    print(build_schema().as_str())


def _token(arguments: argparse.Namespace) -> None:
    installation, role = Installation.at(STATE_DIR), Role(arguments.role)
    if role is Role.PLATFORM:
        print(installation.operator_token())
        return
    if not arguments.tenant:
        raise SystemExit("--tenant is needed for every role but PLATFORM.")
    subject = asyncio.run(subject_of(installation, arguments.tenant, role, arguments.user))
    print(installation.token(subject, [role], arguments.tenant))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m graphql_api", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    serving = commands.add_parser(
        "serve", help="run everything on this machine (PORT, RESET, DYNAMODB_ENDPOINT)"
    )
    serving.set_defaults(run=_serve)
    printing = commands.add_parser("schema", help="print the GraphQL schema")
    printing.set_defaults(run=_schema)
    minting = commands.add_parser("token", help="print a token for the server on this machine")
    minting.add_argument("--tenant", help="slug, such as acme")
    minting.add_argument(
        "--role", type=str.upper, choices=[role.value for role in Role], default=Role.ADMIN.value
    )
    minting.add_argument("--user", metavar="EMAIL", help="default: a demo user with that role")
    minting.set_defaults(run=_token)
    _describe_verification(
        commands.add_parser("verify-log", help="check a tenant's change log, hash by hash")
    )
    _describe_reconciliation(
        commands.add_parser("reconcile", help="find what a tenant's change log has missed, but for deletions")
    )
    _describe_beginning(
        commands.add_parser("begin-epoch", help="after a restore: let every subscriber read its data anew")
    )
    return parser


def _describe_verification(verifying: argparse.ArgumentParser) -> None:
    verifying.add_argument("--tenant", required=True, help="slug, such as acme")
    verifying.add_argument(
        "--anchor", type=anchor, metavar="SEQUENCE:HASH", help="what an earlier run printed; kept elsewhere"
    )
    verifying.set_defaults(run=verify_log)


def _describe_reconciliation(reconciling: argparse.ArgumentParser) -> None:
    reconciling.add_argument("--tenant", required=True, help="slug, such as acme")
    reconciling.add_argument("--repair", action="store_true", help="log what was missed")
    reconciling.add_argument(
        "--patience",
        type=patience,
        default=PATIENCE_SECONDS,
        metavar="SECONDS",
        help="how long a change may be on its way to the log (default: %(default)s)",
    )
    reconciling.set_defaults(run=reconcile)


def _describe_beginning(beginning: argparse.ArgumentParser) -> None:
    whose = beginning.add_mutually_exclusive_group(required=True)
    whose.add_argument("--tenant", help="slug, such as acme")
    whose.add_argument("--all-tenants", action="store_true", help="every tenant of the platform's registry")
    beginning.set_defaults(run=begin_epoch)


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except (SettingsError, EmbeddedDynamoDBError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
