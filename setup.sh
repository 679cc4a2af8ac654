# Sourced by ./quickstart and ./test: installs what a fresh machine lacks and leaves $RDO_PYTHON set.
# Needs root for the system packages; says what is missing when it has no rights to install them.
# shellcheck shell=bash

set -euo pipefail
# What is installed here is run as root: nobody else may write to it, whatever umask there is.
umask 022
RDO_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

rdo_programs() {
    # command (or either of two) -> package, on Debian and on EL (the EL column has not been run on EL yet)
    cat <<'TABLE'
debootstrap debootstrap debootstrap
bwrap bubblewrap bubblewrap
ip iproute2 iproute
nsenter util-linux util-linux
ssh openssh-client openssh-clients
git git git-core
TABLE
    # a database server is for the integration tests alone; Debian has no program of it in the usual places
    [ "${1:-}" != fast ] || cat <<'TABLE'
pg_lsclusters|initdb postgresql postgresql-server
TABLE
    # a browser is large, and only the system tests have a use for it
    [ "${1:-}" != system ] || cat <<'TABLE'
chromium chromium chromium
chromedriver chromium-driver chromedriver
certutil libnss3-tools nss-tools
TABLE
}

rdo_system_packages() {
    local missing_deb=() missing_el=() command deb el python
    while read -r command deb el; do
        if ! command -v "${command%|*}" >/dev/null 2>&1 && ! command -v "${command#*|}" >/dev/null 2>&1; then
            missing_deb+=("$deb"); missing_el+=("$el")
        fi
    done < <(rdo_programs "${1:-}")
    if ! python=$(rdo_find_python 2>/dev/null); then
        # EL 9's own python3 is 3.9; 3.12 is beside it.
        missing_deb+=(python3-venv); missing_el+=(python3.12)
    elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        missing_deb+=("${python##*/}-venv"); missing_el+=("${python##*/}")
    fi
    [ ${#missing_deb[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v dnf >/dev/null 2>&1 && missing_deb=("${missing_el[@]}")
        echo "Missing: ${missing_deb[*]}. Install them (as root), then run this again." >&2
        return 2
    fi
    if command -v apt-get >/dev/null 2>&1; then
        echo "Installing ${missing_deb[*]}" >&2
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing_deb[@]}" >&2
    elif command -v dnf >/dev/null 2>&1; then
        echo "Installing ${missing_el[*]}" >&2
        # debootstrap is in EPEL, whose release package CentOS Stream has; elsewhere EPEL is to be enabled first.
        case " ${missing_el[*]} " in
            *" debootstrap "*) dnf install -y -q epel-release >&2 || true ;;
        esac
        dnf install -y -q "${missing_el[@]}" >&2
    else
        echo "Neither apt-get nor dnf is here; install ${missing_deb[*]} by hand." >&2
        return 2
    fi
}

rdo_find_python() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return 0
        fi
    done
    echo "Python 3.11 or newer is needed and was not found." >&2
    return 2
}

rdo_environment() {
    # The environment is made again whenever the lock changes; its stamp is written last, so that an
    # interrupted installation is not taken for a finished one.
    local stamp wanted python
    RDO_PYTHON="$RDO_TOP/.venv/bin/python"
    stamp="$RDO_TOP/.venv/.lock-sha256"
    wanted=$(sha256sum "$RDO_TOP/requirements.lock" "$RDO_TOP/pyproject.toml" | sha256sum | cut -d' ' -f1)
    if [ -x "$RDO_PYTHON" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    python=$(rdo_find_python)
    echo "Setting up Python packages, by hash, in .venv" >&2
    [ -x "$RDO_PYTHON" ] || "$python" -m venv "$RDO_TOP/.venv"
    "$RDO_PYTHON" -m pip install -qq --disable-pip-version-check --require-hashes -r "$RDO_TOP/requirements.lock" >&2
    "$RDO_PYTHON" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e "$RDO_TOP" >&2
    echo "$wanted" >"$stamp"
}

rdo_setup() {
    rdo_system_packages "${1:-}"
    rdo_environment
    export RDO_PYTHON PATH="$RDO_TOP/.venv/bin:$PATH"
}
