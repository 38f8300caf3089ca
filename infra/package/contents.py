"""What goes into the package, file by file; a file that no rule knows is an error, not a guess."""

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase

# The AWS services that the product calls. Another one is absent: a client for it cannot be made.
SERVICES = ("apigatewaymanagementapi", "dynamodb", "secretsmanager", "sqs", "sts")
ENDPOINTS = "botocore/data/endpoints.json"

# Asked first. `*` stands for any characters, slashes as well.
LEFT_OUT = (
    "bin/*",  # console scripts
    "*.pyi",
    "*/py.typed",
    "*-stubs/*",
    "*.c",  # what extension modules were made of
    "*.h",
    "*.pxd",
    "*.pxi",
    "*.pyx",
    "*/_testcapi.*.so",
    "aioitertools/tests/*",
    "pycparser/_c_ast.cfg",  # what pycparser generates its own source from
    "strawberry/static/*.html",  # pages of IDEs, which production does not serve
    "urllib3/contrib/emscripten/*.js",  # for a browser's Python
    "botocore/data/*/examples-1.json",
    "*.dist-info/INSTALLER",  # what pip tells of the installation, and entry points of commands
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/WHEEL",
    "*.dist-info/direct_url.json",
    "*.dist-info/entry_points.txt",
    "*.dist-info/top_level.txt",
    "*.dist-info/zip-safe",
)
KEPT = (
    "*.py",
    "*.so",
    "botocore/cacert.pem",  # what the SDK trusts
    "botocore/data/_retry.json",
    ENDPOINTS,
    "botocore/data/partitions.json",
    "botocore/data/sdk-default-configuration.json",
    *(f"botocore/data/{service}/*" for service in SERVICES),
    "dateutil/zoneinfo/dateutil-zoneinfo.tar.gz",
    "strawberry/ext/LICENSE",
    "*.dist-info/METADATA",  # importlib.metadata, and scanners for vulnerable versions
    "*.dist-info/licenses/*",
    "*.dist-info/LICENSE*",
    "*.dist-info/NOTICE*",
    "*.dist-info/sboms/*",
)
PRODUCT_LEFT_OUT = (
    "graphql_api/__main__.py",  # the developer's command line
    "graphql_api/local/*",
    "graphql_api/static/*",
    "*/__pycache__/*",
)
PRODUCT_KEPT = ("graphql_api/*.py",)


class ContentsError(Exception):
    """There are files of which nobody has said whether they belong into the package."""


def chosen(
    paths: Iterable[str], *, left_out: Iterable[str] = LEFT_OUT, kept: Iterable[str] = KEPT
) -> list[str]:
    """Those that go in, sorted. `paths` are relative, with slashes. Raises ContentsError."""
    left_out, kept = tuple(left_out), tuple(kept)
    candidates = sorted(
        path for path in paths if not _matches(path, left_out) and not _is_other_service(path)
    )
    unknown = [path for path in candidates if not _matches(path, kept)]
    if unknown:
        raise ContentsError("infra/package/contents.py has no rule for " + ", ".join(unknown))
    return candidates


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _is_other_service(path: str) -> bool:
    """`botocore/data/<service>/...` of a service that is not called; the files beside them have own rules."""
    parts = path.split("/")
    return parts[:2] == ["botocore", "data"] and len(parts) > 3 and parts[2] not in SERVICES


def trimmed(path: str, content: bytes) -> bytes:
    """What of a kept file is needed."""
    if path == ENDPOINTS:
        return _endpoints(content)
    if path.endswith(".dist-info/METADATA"):
        return content.replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n"  # without the description
    return content


def _endpoints(content: bytes) -> bytes:
    """Regions and defaults of every partition, and what is special about our services in them."""
    endpoints = json.loads(content)
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in SERVICES if name in services}
    return json.dumps(endpoints, separators=(",", ":")).encode()
