"""The AWS emulator with what it lacks for this project; it runs in its own venv, never in ours.

Start it as `.venv-emulator/bin/python -m infra.emulator LISTENER`; LISTENER is an inherited listening socket.
It serves until its standard input closes.
"""

# The emulator's pins clash with ours, so nothing of it is installed where pyright looks.
# pyright: basic, reportMissingImports=false

import argparse
import asyncio
import os
import sys
from importlib.metadata import version

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app

from infra.emulator.patches import PATCHES

MINISTACK = "1.5.33"  # the patches reach into private parts of exactly this version
PYTHON = (3, 13)


async def _serve(listener: int) -> None:
    """Serve until the parent is gone or says stop; closing its end of our stdin means both."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    config = Config()
    config.bind = [f"fd://{listener}"]
    config.loglevel = os.environ["LOG_LEVEL"]
    config.keep_alive_timeout = 75.0
    server = asyncio.create_task(serve(app, config, shutdown_trigger=asyncio.Event().wait))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({server, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        server.result()  # raises what ended it
        sys.exit("the emulator ended by itself")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("listener", type=int)
    parser.add_argument("--without", action="append", default=[], choices=PATCHES, metavar="PATCH")
    arguments = parser.parse_args()
    if version("ministack") != MINISTACK:
        sys.exit(f"ministack {MINISTACK} is needed, {version('ministack')} is installed")
    if sys.version_info[:2] != PYTHON:
        sys.exit("functions run under this interpreter, which is not the runtime's: python3.13 is needed")
    for name, patch in PATCHES.items():
        if name not in arguments.without:
            patch()
    asyncio.new_event_loop().run_until_complete(_serve(arguments.listener))
    # Functions end with their standard input; the server would wait for its idle connections, 75 s each.
    os._exit(0)


main()
