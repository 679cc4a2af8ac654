"""The table of settings in the documentation, made from the model."""

from __future__ import annotations

from rdo.cli.settings_sources import EnvironmentSettings, variables_of


def settings_reference() -> str:
    """Return the table of settings: the file's name, the variables, and what it says."""
    lines = ["| setting | variable | says |", "|---|---|---|"]
    for name, field in sorted(EnvironmentSettings.model_fields.items(), key=lambda item: item[0] != "home"):
        variables = ", ".join(f"`{variable}`" for variable in variables_of(name))
        lines.append(f"| `{name}` | {variables} | {field.description} |")
    return "\n".join(lines)
