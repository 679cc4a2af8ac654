"""Whether a host has a KVM that works: it is tried, since ``/dev/kvm`` may open and fail then."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, Script, Stage
from rdo.cloud.roles.node import Node
from rdo.cloud.shell import lines, sh

#: Read before `50-rdo.conf`, so that what the operator says there wins.
FOUND = "/etc/nova/nova.conf.d/40-rdo-virtualization.conf"

# A kernel has come all the way when it misses its root. A firmware alone proves nothing: there are machines
# whose KVM runs one to its end and then fails at the first kernel.
_TRY = sh(
    """
rdo_guest() {
    timeout 30 "$rdo_qemu" -accel kvm -cpu host -m 256 -nodefaults -display none -no-reboot "$@" \\
        </dev/null 2>&1 || true
}
rdo_works() {
    [ -c /dev/kvm ] || return 1
    rdo_machine=$(uname -m)
    rdo_qemu=$(PATH="$PATH:/usr/libexec" command -v qemu-kvm "qemu-system-$rdo_machine" | head -1)
    [ -n "$rdo_qemu" ] || return 1
    rdo_kernel=/boot/vmlinuz-$(uname -r)
    [ -r "$rdo_kernel" ] || return 1
    rdo_console=ttyS0
    rdo_board=
    [ "$rdo_machine" != aarch64 ] || { rdo_console=ttyAMA0; rdo_board=virt,gic-version=host; }
    rdo_guest ${rdo_board:+-machine $rdo_board} -serial stdio -kernel "$rdo_kernel" \\
        -append "console=$rdo_console panic=-1" | grep -a -q -m 1 'VFS: .* root '
}
"""
)
_MAKE = sh(
    """
rdo_device=absent
[ ! -c /dev/kvm ] || rdo_device=present
rdo_type='virt_type = qemu\\ncpu_mode = none'
if rdo_works; then rdo_type='virt_type = kvm\\ncpu_mode = host-model'; fi
rdo_new=$(mktemp %(beside)s)
rdo_words="# Found by trying; remove the file to have it tried again. /dev/kvm: $rdo_device"
printf "$rdo_words\\n[libvirt]\\n$rdo_type\\n" >"$rdo_new"
chown root:nova "$rdo_new"
chmod 640 "$rdo_new"
mv -f "$rdo_new" %(path)s
""",
    path=FOUND,
    beside=f"{FOUND}.XXXXXX",
)
_GUARD = sh(
    """
rdo_device=absent
[ ! -c /dev/kvm ] || rdo_device=present
grep -q "/dev/kvm: $rdo_device\\$" %(path)s
""",
    path=FOUND,
)


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the step that finds out, where the operator has left it open."""
    if not node.is_compute or node.site.cloud.virtualization != "auto":
        return
    yield Script(
        id="virtualization",
        title="Whether KVM works here",
        stage=Stage.CONFIGURATION,
        group="nova",
        path=FOUND,
        unless=_GUARD,
        script=lines([_TRY, _MAKE]),
    )
