"""The ``rdo`` command: gathers the command groups and turns our errors into text and exit statuses."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Sequence

import typer

from rdo.cli.output import print, print_defect, print_error
from rdo.common.errors import RdoError
from rdo.common.files import UMASK
from rdo.common.process import end_programs_with_us

#: Command -> the module that has its ``app``, in the order of work.
COMMANDS: dict[str, str] = {
    "quickstart": "rdo.cli.quickstart",
    "release": "rdo.cli.release",
    "platform": "rdo.cli.platform",
    "projects": "rdo.cli.projects",
    "resolve": "rdo.cli.resolve",
    "spec": "rdo.cli.spec",
    "package": "rdo.cli.package",
    "build": "rdo.cli.build",
    "log": "rdo.cli.log",
    "verify": "rdo.cli.verify",
    "sbom": "rdo.cli.sbom",
    "key": "rdo.cli.key",
    "repo": "rdo.cli.repo",
    "upgrade-path": "rdo.cli.upgrade_path",
    "host": "rdo.cli.host",
    "cloud": "rdo.cli.cloud",
    "doctor": "rdo.cli.doctor",
    "settings": "rdo.cli.settings",
}

EPILOG = """
Start with `rdo doctor`, then `rdo quickstart`, or step by step: `rdo resolve keystone`, `rdo build keystone`.
Every command has --help with examples and most have --json.
"""


def application(commands: Iterable[str]) -> typer.Typer:
    """Return the command line with the given commands.

    A module with a single command lends it to the top level; one with several becomes a group.
    """
    app = typer.Typer(
        help="RDO: OpenStack as RPM packages, and clouds made of them.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def _group() -> None:
        """RDO: OpenStack as RPM packages, and clouds made of them."""

    for name in commands:
        part: typer.Typer = importlib.import_module(COMMANDS[name]).app
        single = part.registered_commands
        if len(single) == 1 and not part.registered_groups and part.registered_callback is None:
            single[0].name = name
            app.registered_commands.append(single[0])
        else:
            app.add_typer(part, name=name)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status: 0, 1 (failed), 2 (wrong input) or 130 (interrupted)."""
    end_programs_with_us()
    os.umask(UMASK)
    sys.excepthook = print_defect
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Only the command that is run is imported, which keeps `rdo` quick; help and completion need them all.
    known = [given[0]] if given and given[0] in COMMANDS else list(COMMANDS)
    try:
        application(known)(args=given, prog_name="rdo")
    except RdoError as error:
        print_error(error.diagnostics())
        sys.exit(error.exit_status)
    except SystemExit as end:
        if _interrupted(end):
            print("rdo: interrupted; what was finished is kept", file=sys.stderr)
        raise
    except OSError as error:
        # A full disk, a folder that may not be written: the machine's state, and no defect of ours.
        if error.filename is None:
            raise
        print_error(f"{error.filename}: {error.strerror}")
        sys.exit(1)


def _interrupted(end: SystemExit) -> bool:
    """Say whether a command ended by Ctrl-C: Typer makes an exit with status 130 of that, without a word."""
    made_of = end.__context__
    return made_of is not None and isinstance(made_of.__cause__, KeyboardInterrupt)
