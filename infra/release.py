"""`python -m infra.release STAGE [WORD]` prints the parameters of a stage's deployment, for `sam deploy`.

They are those of samconfig.toml and Release, a digest of all that is deployed. Where the digest is another, a
version is published and the alias moved to it: SAM alone sees that of the code and the template, not of the
parameters that the environment is made of. WORD makes another digest of the same, where something else has
changed: a table was restored under another name.
"""

import argparse
import hashlib
import sys
import tomllib
from pathlib import Path

INFRA = Path(__file__).parent
PACKAGE = INFRA.parent / "build" / "lambda.zip"


def overrides(stage: str) -> list[str]:
    """`Name=value` for each parameter that the stage sets. KeyError if there is no such stage."""
    config = tomllib.loads((INFRA / "samconfig.toml").read_text(encoding="utf-8"))
    return config[stage]["deploy"]["parameters"]["parameter_overrides"]


def digest(parameters: list[str], package: Path, word: str = "") -> str:
    """Another one if anything of it is: the code, the templates, a parameter, the word."""
    parts = [package, INFRA / "template.yaml", INFRA / "cognito.yaml"]
    texts = [*(part.read_bytes() for part in parts), *(text.encode() for text in (*parameters, word))]
    return hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(prog="infra.release")
    parser.add_argument("stage")
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--package", type=Path, default=PACKAGE)
    arguments = parser.parse_args()
    parameters = overrides(arguments.stage)
    if unfit := [each for each in parameters if set(each) & set(" \t*?[\"'")]:
        sys.exit(f"The shell would take these apart: {unfit}")
    release = digest(parameters, arguments.package, arguments.word)
    print(*parameters, f"Release={release}", sep="\n")


if __name__ == "__main__":
    main()
