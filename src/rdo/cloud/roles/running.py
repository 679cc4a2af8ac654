"""The last step of each host: whether what was started still runs, and does not fail over and over."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, Script, Service, Stage

# Seconds: a service that systemd had to start again is taken for healthy when it has run for as long.
_STEADY = 15

_LOOK = """
rdo_bad=
for unit in {units}; do
    case $(systemctl show --property=ActiveState --value "$unit") in
    active) ;;
    # libvirt ends when nobody has asked for a while, as after a long rotation, and its socket starts it again
    inactive)
        sockets=$(systemctl show --property=TriggeredBy --value "$unit")
        [ -n "$sockets" ] && systemctl is-active --quiet $sockets || rdo_bad="$rdo_bad $unit"
        continue
        ;;
    *) rdo_bad="$rdo_bad $unit"; continue ;;
    esac
    [ "$(systemctl show --property=NRestarts --value "$unit")" != 0 ] || continue
    since=$(date +%s -d "$(systemctl show --property=ActiveEnterTimestamp --value "$unit")")
    [ $(($(date +%s) - since)) -ge {steady} ] || rdo_bad="$rdo_bad $unit"
done
"""


def step(steps: Sequence[AnyStep]) -> Script | None:
    """Return the check of all units that these steps start; None where there are none."""
    units = [one.unit for one in steps if isinstance(one, Service)]
    if not units:
        return None
    look = _LOOK.format(units=shlex.join(units), steady=_STEADY)
    # Long enough for what fails at its start to have failed.
    say = (
        "sleep 3\n" + look + 'if [ -n "$rdo_bad" ]; then\n'
        '    echo "not running:$rdo_bad" >&2\n'
        '    for unit in $rdo_bad; do systemctl status --no-pager --lines=10 "$unit" >&2 || true; done\n'
        "    exit 1\nfi\n"
    )
    return Script(
        id="running",
        title="All services run",
        stage=Stage.OBJECTS,
        unless=SecretStr(f'{look}[ -z "$rdo_bad" ]'),
        script=SecretStr(say),
    )
