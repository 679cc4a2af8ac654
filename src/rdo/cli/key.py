"""``rdo key``: the key that signs packages and repositories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.repository.keys import Key

app = typer.Typer(no_args_is_help=True, help="The key that signs packages and repositories.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whose key it is.")] = "RDO",
    email: Annotated[str, typer.Option(help="The owner's mail address.")] = "dev@lists.rdoproject.org",
    as_json: _Json = False,
) -> None:
    """Make the key. An existing one is never overwritten.

    Example: rdo key create --name "Example Cloud" --email packages@example.org
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.repository import keys

    with progress() as report, report.task("Making an RSA-4096 key"):
        key = keys.create(open_installation().paths, name=name, email=email)
    _print(key, as_json)


@app.command()
def show(as_json: _Json = False) -> None:
    """Show the key's owner, fingerprint and place; never the secret itself."""
    from rdo.cli.installation import open_installation
    from rdo.repository import keys

    _print(keys.load(open_installation().paths), as_json)


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
) -> None:
    """Print the public key, armored, for hosts that are to trust what we sign.

    Example: rdo key export -o RPM-GPG-KEY-rdo
    """
    from rdo.cli.installation import open_installation
    from rdo.common.files import write_atomically
    from rdo.repository import keys

    key = keys.load(open_installation().paths)
    if output is None:
        print(key.public, end="")
    else:
        write_atomically(output, key.public)


def _print(key: Key, as_json: bool) -> None:
    from rdo.cli.show import print_json

    fields = {
        "user_id": key.user_id,
        "fingerprint": key.fingerprint,
        "signing_fingerprint": key.signing_fingerprint,
        "created": key.created.isoformat(),
        "path": str(key.path),
    }
    if as_json:
        print_json(fields)
        return
    for title, value in fields.items():
        print(f"{title.replace('_', ' '):20} {value}")
