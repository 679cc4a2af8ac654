"""The dashboard's Django project, and the panels that plugins add to it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rdo.distribution.description import PackageDescription
from rdo.packaging.naming import modules_package
from rdo.packaging.spec import generate
from rdo.packaging.spec_model import GeneratedSpec, SpecInputs
from tests.unit.packaging.recorded_packages import inputs_of

_LOCAL = "%{_datadir}/openstack-dashboard/openstack_dashboard/local/enabled"


def plugin(*files: str) -> SpecInputs:
    inputs = inputs_of("heat-dashboard")
    metadata = inputs.metadata.model_copy(update={"files": ("LICENSE", *files)})
    return replace(inputs, metadata=metadata)


def part(text: str, start: str) -> str:
    """Return a section of a spec, up to the next empty line."""
    return text[text.index(f"{start}\n") :].partition("\n\n")[0]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("heat_dashboard/enabled/_1610_x.py", f"{_LOCAL}/_1610_x.py"),
        ("heat_dashboard/local/enabled/_80_y.py", f"{_LOCAL}/_80_y.py"),
        ("heat_dashboard/conf/heat_policy.yaml", "%{_sysconfdir}/openstack-dashboard/heat_policy.yaml"),
        (
            "heat_dashboard/conf/default_policies/heat.yaml",
            "%{_sysconfdir}/openstack-dashboard/default_policies/heat.yaml",
        ),
        (
            "heat_dashboard/local_settings.d/_1699_s.py",
            "%{_sysconfdir}/openstack-dashboard/local_settings.d/_1699_s.py",
        ),
    ],
)
def test_what_a_plugin_adds_is_where_the_dashboard_looks(source: str, target: str) -> None:
    text = generate(plugin(source)).text
    assert f"install -p -D -m 0644 {source} %{{buildroot}}{target}" in text
    settings = target.startswith("%{_sysconfdir}")
    line = f"%config(noreplace) %attr(0640, root, apache) {target}" if settings else target
    assert line in part(text, "%files").splitlines()


@pytest.mark.parametrize(
    "source",
    [
        "heat_dashboard/enabled/__init__.py",
        "heat_dashboard/local_settings.d/__init__.py",
        "heat_dashboard/local_settings.d/_10_theme.py.example",
        "heat_dashboard/test/enabled/_10_x.py",
        "heat_dashboard/conf/.gitkeep",
        "doc/source/enabled/_10_x.py",
    ],
)
def test_what_is_no_panel_or_setting_stays_where_it_is(source: str) -> None:
    assert f"install -p -D -m 0644 {source}" not in generate(plugin(source)).text


def test_a_plugin_brings_its_modules_and_the_dashboard() -> None:
    text = generate(plugin()).text
    assert "Requires:       openstack-dashboard\n" in text
    assert "Requires:       python3-heat-dashboard = %{?epoch:%{epoch}:}%{version}-%{release}\n" in text


def test_translations_for_django_are_compiled_inside_the_modules() -> None:
    text = generate(plugin("heat_dashboard/locale/de/LC_MESSAGES/django.po")).text
    assert "mo=_modules/heat_dashboard/locale/${po#heat_dashboard/locale/}" in text
    assert "-lang" not in text


def test_stylesheets_of_panels_import_what_they_use(tmp_path: Path) -> None:
    panel, sheet = "heat_dashboard/enabled/_10_x.py", "heat_dashboard/static/x/x.scss"
    text = generate(plugin(panel, sheet)).text
    assert "scss" not in generate(plugin(panel)).text
    start = text.index("# stylesheets import")
    script = text[start : text.index("%pyproject_wheel", start)]
    for name, content in (
        (panel, "ADD_SCSS_FILES = [\n  'x/x.scss',\n]\n"),
        (sheet, "a { color: $gray; }\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True)
    lines = (tmp_path / sheet).read_text().splitlines()
    assert lines[0] == '@import "/{{ THEME_DIR }}/{{ THEME }}/variables";'
    assert (len(lines), lines[-1]) == (5, "a { color: $gray; }")


def dashboard(folder: Path) -> str:
    """Return the spec of a dashboard with a theme of its own."""
    return dashboard_spec(folder).text


def dashboard_spec(folder: Path) -> GeneratedSpec:
    theme = "%{_datadir}/openstack-dashboard/openstack_dashboard/themes/x/_styles.scss"
    (folder / "styles.scss").write_text("")
    service = {
        "main": "openstack-dashboard",
        "of": "openstack-dashboard",
        "subpackages": [{"name": "openstack-dashboard-theme"}],
        "files": [{"source": "styles.scss", "target": theme, "package": "openstack-dashboard-theme"}],
    }
    said = {"project": "heat-dashboard", "needs": {"pymemcache": "sessions"}, "service": service}
    inputs = plugin(
        "openstack_dashboard/conf/nova_policy.yaml",
        "openstack_dashboard/local/local_settings.d/_10_theme.py.example",
    )
    names = ("horizon", "openstack_dashboard")
    return generate(
        replace(
            inputs,
            description=PackageDescription.model_validate(said),
            folder=folder,
            inspection=inputs.inspection.model_copy(update={"modules": names}),
        )
    )


def test_the_project_lives_below_share_with_its_settings_in_etc(tmp_path: Path) -> None:
    text = dashboard(tmp_path)
    assert "%pyproject_save_files horizon\n" in text
    listed = part(text, "%files -n openstack-dashboard").splitlines()
    share = "%{_datadir}/openstack-dashboard"
    assert {f"{share}/manage.py", f"{share}/openstack_dashboard"} <= set(listed)
    assert f"%verify(not md5 size mtime) {share}/static" in listed
    private = "%config(noreplace) %attr(0640, root, apache) %{_sysconfdir}/openstack-dashboard"
    assert f"{private}/local_settings" in listed
    assert f"{private}/nova_policy.yaml" in listed
    assert f"{private}/local_settings.d/_10_theme.py.example" in listed


def test_the_secret_is_made_on_the_host_for_httpds_account(tmp_path: Path) -> None:
    text = dashboard(tmp_path)
    key = "%{_sharedstatedir}/openstack-dashboard/.secret_key_store"
    assert f"test -e {key} || " in part(text, "%post -n openstack-dashboard")
    assert f"%ghost %attr(0600, apache, apache) {key}" in part(text, "%files -n openstack-dashboard")


def test_static_files_are_compressed_when_it_is_built_and_once_after_plugins(tmp_path: Path) -> None:
    text = dashboard(tmp_path)
    built = text[text.index("%install") : text.index("%check")]
    assert built.index("manage.py collectstatic") < built.rindex("openstack-dashboard/compress.py\n")
    paths = f"{_LOCAL} %{{_sysconfdir}}/openstack-dashboard/local_settings.d"
    for trigger in ("transfiletriggerin", "transfiletriggerpostun"):
        assert f"%{trigger} -n openstack-dashboard -- {paths}\n" in text


def test_the_manifest_of_compressed_files_has_one_order(tmp_path: Path) -> None:
    """Threads compress templates; in the order in which they finish, no two builds would be the same."""
    compress = next(source for source in dashboard_spec(tmp_path).sources if source.filename == "compress.py")
    script = (compress.content or b"").decode()
    sort = script.index("write_offline_manifest(dict(sorted(get_offline_manifest().items())))")
    assert sort > script.index('call_command("compress"')


def test_a_theme_is_not_in_the_dashboards_own_package(tmp_path: Path) -> None:
    text = dashboard(tmp_path)
    theme = "%{_datadir}/openstack-dashboard/openstack_dashboard/themes/x/_styles.scss"
    assert f"%exclude {theme}" in part(text, "%files -n openstack-dashboard")
    assert theme in part(text, "%files -n openstack-dashboard-theme").splitlines()


def test_the_modules_package_is_named_as_the_source_is() -> None:
    assert modules_package("horizon", "python-django-horizon") == "python3-django-horizon"
    assert modules_package("tempest", "openstack-tempest") == "python3-tempest"
