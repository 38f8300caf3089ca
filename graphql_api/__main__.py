"""The command line: serve, token, schema, billing, and what operators do with logs and whole tenants."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from graphql_api.auth.identity import Role
from graphql_api.local import billing
from graphql_api.local.dynamodb import EmbeddedDynamoDBError
from graphql_api.local.head_commands import anchor, key_set
from graphql_api.local.installation import STATE_DIR, Installation
from graphql_api.local.lifecycle_commands import erase_tenant, export_tenant, import_tenant
from graphql_api.local.log_commands import (
    PATIENCE_SECONDS,
    begin_epoch,
    head_keys,
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
    publishing = commands.add_parser("head-keys", help="print the key set of the logs' signed heads")
    publishing.set_defaults(run=head_keys)
    _describe_reconciliation(
        commands.add_parser("reconcile", help="find what a tenant's change log has missed, but for deletions")
    )
    _describe_beginning(
        commands.add_parser("begin-epoch", help="after a restore: let every subscriber read its data anew")
    )
    billing.describe(
        commands.add_parser("billing-export", help="what each tenant is billed for a period that is over")
    )
    _describe_lifecycle(
        commands.add_parser("export-tenant", help="write all that a tenant has into a directory"),
        commands.add_parser("import-tenant", help="put an export back where the tenant is no more"),
        commands.add_parser("erase-tenant", help="erase all that a tenant has, for good"),
    )
    return parser


def _describe_lifecycle(
    exporting: argparse.ArgumentParser, importing: argparse.ArgumentParser, erasing: argparse.ArgumentParser
) -> None:
    exporting.add_argument("--output", type=Path, required=True, metavar="DIR")
    exporting.set_defaults(run=export_tenant)
    importing.add_argument("--input", type=Path, required=True, metavar="DIR")
    importing.set_defaults(run=import_tenant)
    erasing.add_argument("--confirm", required=True, metavar="SLUG", help="the slug once more")
    erasing.set_defaults(run=erase_tenant)
    for command in (exporting, importing, erasing):
        command.add_argument("--tenant", required=True, help="slug, such as acme")


def _describe_verification(verifying: argparse.ArgumentParser) -> None:
    verifying.add_argument("--tenant", required=True, help="slug, such as acme")
    verifying.add_argument(
        "--anchor",
        type=anchor,
        metavar="SEQUENCE:HASH",
        help="what an earlier run printed, or a signed head; kept elsewhere",
    )
    verifying.add_argument(
        "--keys", type=key_set, metavar="FILE", help="what head-keys printed; default: the key itself"
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
