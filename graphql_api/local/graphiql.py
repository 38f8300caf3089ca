"""GraphiQL for development: the offline bundle built from `ide/`, or Strawberry's CDN page without one."""

import html
import json
import logging
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib import resources
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

BUNDLE = Path(__file__).parent.parent / "static" / "ide"
BUILD_HINT = "GraphiQL is not built and loads from unpkg.com: `make ide` (needs node) builds the offline one."

EXAMPLE_QUERY = """\
# Ctrl-Enter runs it, as the person whose
# demo token is in the Headers pane below.
query %s {
  tenant {
    name
  }
  viewer {
    name
    role
  }
  tasks(first: 5) {
    edges {
      node {
        id
        title
        status
        dueOn
        project {
          id
          name
        }
        assignee {
          name
          email
        }
        comments(first: 2) {
          edges {
            node {
              body
              author {
                name
              }
            }
          }
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
"""

_BUILD_NOTE = (
    '<p role="note" style="position:fixed;bottom:0;right:0;z-index:9;margin:8px;padding:4px 12px;'
    f'background:#fff3cd;font:13px sans-serif">{html.escape(BUILD_HINT)}</p>'
)
_PAGE_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
_ASSET_HEADERS = _PAGE_HEADERS | {
    # The names carry a hash of the content. A worker obeys the policy of its own response, not the page's.
    "cache-control": "public, max-age=31536000, immutable",
    "content-security-policy": "default-src 'self'",
}
# mimetypes reads the machine's tables, and `nosniff` makes a wrong answer fatal.
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".ttf": "font/ttf"}
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]+")
_CDN = "https://unpkg.com"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DemoTab:
    """One editor tab: `name`, a GraphQL name, titles it; `mint_token` is asked anew for every page."""

    name: str
    mint_token: Callable[[], str]
    query: str | None = None

    def as_config(self) -> dict[str, str]:
        query = self.query or EXAMPLE_QUERY % self.name
        return {"name": self.name, "query": query, "token": self.mint_token()}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphiQLConfig:
    """What the page needs to know; the paths are relative to the origin that serves it."""

    tabs: Sequence[DemoTab]
    endpoint: str = "/graphql"
    websocket: str = "/graphql"
    bundle: Path = BUNDLE


def graphiql_routes(config: GraphiQLConfig) -> list[BaseRoute]:
    """`/` and, where the bundle is built, its assets. The page hands out tokens: development only."""
    if not (config.bundle / "index.html").is_file():
        _logger.warning(BUILD_HINT)
        return [Route("/", partial(_strawberry_page, config))]
    return [
        Route("/", partial(_bundled_page, config)),
        Mount("/ide/assets", _Assets(directory=config.bundle / "assets")),
    ]


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_ASSET_HEADERS)
        if media_type := _MEDIA_TYPES.get(PurePosixPath(path).suffix):
            response.headers["content-type"] = media_type
        return response


def _bundled_page(config: GraphiQLConfig, request: Request) -> Response:
    settings = {
        "url": config.endpoint,
        "subscriptionUrl": config.websocket,
        "tabs": [tab.as_config() for tab in config.tabs],
    }
    page = (config.bundle / "index.html").read_text(encoding="utf-8")
    attribute = f'data-config="{html.escape(json.dumps(settings))}"'
    return _page(
        page.replace('data-config=""', attribute),
        _policy(request, script="'self'", worker="'self'", style="'self'", font="'self'"),
    )


def _strawberry_page(config: GraphiQLConfig, request: Request) -> Response:
    tab = config.tabs[0].as_config()
    headers = _script_json(json.dumps({"Authorization": f"Bearer {tab['token']}"}, indent=2))
    page = (resources.files("strawberry") / "static" / "graphiql.html").read_text(encoding="utf-8")
    for old, new in {
        'window.location.href.split("?")[0]': _url(config.endpoint),
        "httpUrlToWebSockeUrl(fetchURL)": f"httpUrlToWebSockeUrl({_url(config.websocket)})",
        "parameters.q || EXAMPLE_QUERY": f"parameters.q || {_script_json(tab['query'])}",
        "React.useState(parameters.headers)": f"React.useState(parameters.headers || {headers})",
        "<body>": f"<body>{_BUILD_NOTE}",
    }.items():
        page = page.replace(old, new)
    inline = page.partition("<script>")[2].partition("</script>")[0]
    digest = b64encode(sha256(inline.encode()).digest()).decode()
    script = f"{_CDN} 'sha256-{digest}'"
    return _page(page, _policy(request, script=script, worker="'none'", style=_CDN, font=_CDN))


def _page(content: str, policy: str) -> Response:
    return HTMLResponse(content, headers=_PAGE_HEADERS | {"content-security-policy": policy})


def _policy(request: Request, *, script: str, worker: str, style: str, font: str) -> str:
    """Both pages style elements from script (Monaco, CodeMirror), which only 'unsafe-inline' styles allow."""
    host = request.url.netloc  # the Host header, in which Starlette lets a ";" pass
    # Not every browser lets 'self' cover a WebSocket: https://github.com/w3c/webappsec-csp/issues/7
    socket = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {script}",
            f"worker-src {worker}",
            f"style-src {style} 'unsafe-inline'",
            f"font-src {font} data:",
            "img-src 'self' data:",
            f"connect-src 'self'{socket}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _url(path: str) -> str:
    return f"new URL({_script_json(path)}, window.location.href).href"


def _script_json(value: str) -> str:
    return json.dumps(value).replace("<", "\\u003c")
