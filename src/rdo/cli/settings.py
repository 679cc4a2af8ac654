"""``rdo settings``: each setting, its value, and where it is from."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def settings(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the settings, their values and where they are from; passwords in addresses are hidden.

    Settings are variables of the environment (RDO_STORE) or lines of /etc/rdo/settings.yaml
    (store: /srv/rdo). RDO_SETTINGS names another file.

    Examples: rdo settings; RDO_STORE=/srv/rdo rdo settings --json
    """
    import os

    from rdo.cli.hidden_secrets import without_secrets
    from rdo.cli.installation import read_settings
    from rdo.cli.settings_sources import settings_files, unknown_variables
    from rdo.cli.show import ERR, OUT, print_json, table

    read = read_settings(os.environ)
    rows = {
        name: {
            "value": None if value is None else without_secrets(str(value)),
            "from": read.origins.get(name),
        }
        for name, value in read.settings
    }
    for variable, nearest in unknown_variables(os.environ):
        ERR.print(f"{variable} is not a setting; nearest: {', '.join(nearest)}", markup=False, soft_wrap=True)
    if as_json:
        print_json({"files": [str(file) for file in settings_files(os.environ)], "settings": rows})
        return
    shown = table(None, "setting", "value", "from")
    for name, row in rows.items():
        shown.add_row(name, row["value"] or "-", row["from"] or "")
    OUT.print(shown, markup=False)
