"""The last step of each host: whether what was started still runs, and does not fail over and over."""

from __future__ import annotations

from collections.abc import Sequence

from rdo.cloud.plan import AnyStep, Script, Service, Stage
from rdo.cloud.shell import Shell, lines, sh

# Seconds: a service that systemd had to start again is taken for healthy when it has run for as long.
_STEADY = 15


def step(steps: Sequence[AnyStep]) -> Script | None:
    """Return the check of all units that these steps start; None where there are none."""
    units = [one.unit for one in steps if isinstance(one, Service)]
    if not units:
        return None
    look = _look(units)
    # Long enough for what fails at its start to have failed.
    say = sh(
        """
        sleep 3
        %(look)s
        if [ -n "$rdo_bad" ]; then
            echo "not running:$rdo_bad" >&2
            for unit in $rdo_bad; do systemctl status --no-pager --lines=10 "$unit" >&2 || true; done
            exit 1
        fi
        """,
        look=look,
    )
    return Script(
        id="running",
        title="All services run",
        stage=Stage.OBJECTS,
        unless=lines([look, sh('[ -z "$rdo_bad" ]')]),
        script=say,
    )


def _look(units: Sequence[str]) -> Shell:
    # All units are asked about at once; what systemd tells of one ends with an empty line.
    return sh(
        """
        rdo_bad= rdo_now=$(date +%s)
        while IFS== read -r rdo_key rdo_value; do
            case $rdo_key in
            Id) rdo_unit=$rdo_value ;;
            ActiveState) rdo_state=$rdo_value ;;
            ActiveEnterTimestamp) rdo_since=${rdo_value#@} ;;
            NRestarts) rdo_restarts=$rdo_value ;;
            TriggeredBy) rdo_sockets=$rdo_value ;;
            "")
                case $rdo_state in
                active)
                    [ "$rdo_restarts" = 0 ] || [ $((rdo_now - rdo_since)) -ge %(steady)s ] ||
                        rdo_bad="$rdo_bad $rdo_unit"
                    ;;
                # libvirt ends when nobody has asked for a while, as after a long rotation; its socket
                # starts it
                inactive)
                    [ -n "$rdo_sockets" ] && systemctl is-active --quiet $rdo_sockets ||
                        rdo_bad="$rdo_bad $rdo_unit"
                    ;;
                *) rdo_bad="$rdo_bad $rdo_unit" ;;
                esac
                rdo_restarts=0 rdo_sockets= rdo_since=0
                ;;
            esac
        done < <(systemctl show --timestamp=unix \\
            --property=Id,ActiveState,ActiveEnterTimestamp,NRestarts,TriggeredBy %(units)s && echo)
        """,
        steady=_STEADY,
        units=units,
    )
