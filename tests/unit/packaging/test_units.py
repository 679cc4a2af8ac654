"""Unit files of services."""

from __future__ import annotations

from rdo.distribution.description import Service, Unit
from rdo.packaging.units import named


def test_a_command_is_enough() -> None:
    unit = named("nova-scheduler", Service(), "nova", "nova")
    assert (unit.filename, unit.command) == ("openstack-nova-scheduler.service", "nova-scheduler")
    assert unit.text is not None
    assert "Description=OpenStack Nova: nova-scheduler\n" in unit.text
    assert "\nUser=nova\nExecStart=/usr/bin/nova-scheduler\nRestart=on-failure\n" in unit.text
    assert "\nNoNewPrivileges=yes\n" in unit.text
    assert unit.text.endswith("[Install]\nWantedBy=multi-user.target\n")


def test_what_becomes_root_is_not_hardened_against_that() -> None:
    stated = Unit(
        run="neutron-dhcp-agent -v",
        config=("dhcp_agent.ini",),
        privileged=True,
        after=("openvswitch.service",),
        settings={"KillMode": "process", "Type": "notify"},
    )
    unit = named(stated, Service(unit_prefix=""), "neutron", "neutron")
    assert unit.filename == "neutron-dhcp-agent.service"
    assert unit.text is not None
    assert "NoNewPrivileges" not in unit.text
    assert (
        "ExecStart=/usr/bin/neutron-dhcp-agent -v --config-file /usr/share/neutron/neutron-dist.conf"
        " --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/dhcp_agent.ini"
        " --config-dir /etc/neutron/neutron.conf.d\n"
    ) in unit.text
    assert "After=network-online.target openvswitch.service\n" in unit.text
    assert "Type=notify\n" in unit.text and "Type=simple" not in unit.text


def test_one_shots_are_not_restarted_and_programs_of_others_are_not_ours() -> None:
    unit = named(
        Unit(run="/usr/sbin/dnsmasq -k", name="x-dnsmasq", user="root", settings={"Type": "oneshot"}),
        Service(),
        "x",
        "x",
    )
    assert (unit.filename, unit.command) == ("x-dnsmasq.service", None)
    assert unit.text is not None and "Restart" not in unit.text and "User=root\n" in unit.text


def test_files_beside_the_description_stay_as_they_are() -> None:
    unit = named("odd.timer", Service(), "x", "x")
    assert (unit.filename, unit.text) == ("odd.timer", None)


def test_units_with_names_of_their_own_say_those() -> None:
    unit = named(Unit(run="x-server --of a", name="openstack-x-a@"), Service(), "x", "x")
    assert unit.filename == "openstack-x-a@.service"
    assert unit.text is not None and "Description=OpenStack X: x-a\n" in unit.text
