"""The ``rdo`` command: gathers the command groups and turns our errors into text and exit statuses."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click
import typer
from typer.core import TyperGroup

from rdo.common.errors import RdoError

# name of the command -> (module, attribute, one line of help); a module is imported when its command is run,
# so that `rdo --help` and completion stay quick.
_COMMANDS: dict[str, tuple[str, str]] = {
    "release": ("rdo.cli.release", "Releases of OpenStack: what is in one, importing one"),
    "platform": ("rdo.cli.platform", "Platforms: what the base system provides"),
    "resolve": ("rdo.cli.resolve", "What a project needs, where it comes from, and why"),
    "spec": ("rdo.cli.spec", "Show the generated spec of a project"),
    "build": ("rdo.cli.build", "Build projects and all they need, sign, publish"),
    "log": ("rdo.cli.log", "Show the log of a package's last build"),
    "verify": ("rdo.cli.verify", "Build a package again and compare bit by bit"),
    "repo": ("rdo.cli.repo", "Repositories: publish, check, serve"),
    "key": ("rdo.cli.key", "The key that signs packages and repositories"),
    "host": ("rdo.cli.host", "Test hosts: create, list, shell, destroy"),
    "cloud": ("rdo.cli.cloud", "Clouds: plan, apply, verify"),
    "quickstart": ("rdo.cli.quickstart", "From OpenStack's sources to a running Keystone"),
    "doctor": ("rdo.cli.doctor", "What this machine lacks, and the command that mends it"),
}


class _LazyGroup(TyperGroup):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of work."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(entry[0])
        command: click.Command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(cls=_LazyGroup, help="RDO: OpenStack as RPM packages, and clouds made of them.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    try:
        status: Any = typer.main.get_command(app)(
            args=None if arguments is None else list(arguments), standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        print("rdo: interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    except RdoError as error:
        print(f"rdo: {error.diagnostics()}", file=sys.stderr)
        sys.exit(error.exit_status)
    sys.exit(status if isinstance(status, int) else 0)
