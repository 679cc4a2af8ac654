"""Clouds that system tests look at: what ran when, what changed, what their hosts say."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.installation import Installation

_START = "ActiveEnterTimestampMonotonic"


@dataclass
class KnownCloud:
    """A cloud of an installation; its first host has its name."""

    installation: Installation
    name: str

    def on_host(self, script: str, host: str | None = None) -> str:
        """Run a script on a host as root and return what it printed."""
        return self.installation.on_host(host or self.name, script)

    def up(self, cloud: str | Path | None = None) -> dict[str, set[str]]:
        """Run ``rdo cloud up`` and return the steps that changed something, by host."""
        return changed_steps(self.installation.json("cloud", "up", str(cloud or self.name)))

    def starts(self, host: str | None = None) -> dict[str, str]:
        """Return when each service that runs was started, in microseconds since boot."""
        names = "systemctl list-units --type=service --state=running --plain --no-legend | cut -d' ' -f1"
        shown = self.on_host(f"for u in $({names}); do echo $u $(systemctl show -P {_START} $u); done", host)
        found = dict(line.split() for line in shown.splitlines())
        # what is there for a moment, or for who looks
        return {unit: when for unit, when in found.items() if not unit.startswith(("user@", "session-"))}

    def restarted(self, before: dict[str, str], host: str | None = None) -> set[str]:
        """Return the services that were started or stopped since."""
        now = self.starts(host)
        return {unit for unit in {*now, *before} if now.get(unit) != before.get(unit)}

    def verified(self) -> set[str]:
        """Have a real client use the cloud; return the names of the checks, which all must have passed."""
        done = self.installation.rdo("cloud", "verify", self.name, "--json", timeout=1200)
        checks = {check["name"]: check for check in json.loads(done.stdout)}
        assert {name: check for name, check in checks.items() if not check["ok"]} == {}
        assert done.returncode == 0
        return {*checks}

    def plan_of_other_passwords(self) -> tuple[dict[str, str], str]:
        """Return passwords, and what plans would show with these and other options: nothing is changed.

        Everything with a secret in it differs then, so that the plan shows what hosts have and would get.
        """
        passwords, described = self.folder / "passwords.json", self.folder / "cloud.json"
        kept = {file: file.read_text() for file in (passwords, described)}
        others = {name: odd_password(name) for name in self.secrets()}
        cloud = self.described()
        cloud["options"] = {
            name: {"DEFAULT": {"log_level": "DEBUG"} if name == "swift" else {"debug": True}}
            for name in cloud["services"]
            if name != "horizon"
        }
        try:
            passwords.write_text(json.dumps(others))
            described.write_text(json.dumps(cloud))
            # the checks would say that the hosts have another cloud's secrets
            human = self.installation.rdo("cloud", "plan", self.name, "--no-checks")
            steps = self.installation.json("cloud", "plan", self.name, "--no-checks")
        finally:
            for file, text in kept.items():
                file.write_text(text)
        assert human.returncode == 0
        assert "+debug = true" in human.stdout
        assert len(changed_steps(steps)[self.name]) > 5
        return others, human.stdout + human.stderr + json.dumps(steps, ensure_ascii=False)

    def described(self) -> dict[str, Any]:
        """Return the cloud's topology as it is kept."""
        value: dict[str, Any] = json.loads((self.folder / "cloud.json").read_text())
        return value

    def secrets(self) -> dict[str, str]:
        """Return the cloud's passwords, by name."""
        value: dict[str, str] = json.loads((self.folder / "passwords.json").read_text())
        return value

    @property
    def folder(self) -> Path:
        """What is kept of the cloud."""
        return self.installation.state / "clouds" / self.name


def changed_steps(report: dict[str, Any]) -> dict[str, set[str]]:
    """Return the steps that changed something, or would, by host."""
    found: dict[str, set[str]] = {}
    for step in report["steps"]:
        if step["changed"]:
            found.setdefault(step["host"], set()).add(step["id"])
    return found


def odd_password(name: str) -> str:
    """Return a password of a name that is as odd as it may be."""
    if name.startswith("ceph_") or name.endswith(("_database", "_messaging", "_encryption")):
        return secrets.token_hex(16)
    return '$it\'s "%(a)s" # ' + secrets.token_hex(8)
