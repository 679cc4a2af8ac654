"""What descriptions change in a spec, and the mistakes in them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rdo.distribution.description import PackageDescription
from rdo.distribution.models import Provided
from rdo.packaging.licences import LicenceError
from rdo.packaging.prose import description_of, summary_of
from rdo.packaging.spec import generate
from rdo.packaging.spec_model import GeneratedSpec, SpecError, SpecInputs
from rdo.packaging.spec_store import SpecStore, difference, write_sources
from rdo.upstream.models import BuildSystem, Metadata
from tests.unit.packaging.recorded_packages import inputs_of


def described(name: str, folder: Path | None = None, **said: object) -> GeneratedSpec:
    return generate(with_description(name, folder, **said))


def with_description(name: str, folder: Path | None = None, **said: object) -> SpecInputs:
    inputs = inputs_of(name)
    project = inputs.project.name if inputs.project is not None else inputs.metadata.dist
    stated = PackageDescription.model_validate({"project": project} | said)
    return replace(inputs, description=stated, folder=folder)


def changed(name: str, **fields: object) -> SpecInputs:
    inputs = inputs_of(name)
    return replace(inputs, metadata=inputs.metadata.model_copy(update=fields))


def test_relaxed_requirements_lose_their_upper_bound_in_build_and_metadata() -> None:
    assert "(python3dist(urllib3) >= 1.21.1 with python3dist(urllib3) < 3)" in inputs_text("requests")
    made = described("requests", relax={"urllib3": "3 works as well"})
    assert "python3dist(urllib3) >= 1.21.1" in made.build_requires
    assert "# 3 works as well\nsed -i -E" in made.text


def test_relaxing_sed_does_to_metadata_what_it_says(tmp_path: Path) -> None:
    made = described("requests", relax={"urllib3": "why"}, exclude={"idna": "why not"})
    lines = [line for line in made.text.splitlines() if line.startswith("sed -i -E")]
    metadata = tmp_path / "METADATA"
    metadata.write_text(
        "Requires-Dist: urllib3<3,>=1.21.1\nRequires-Dist: urllib3-more<3\nRequires-Dist: idna<4,>=2.5\n"
        "Requires-Dist: urllib3 (>=1,<2) ; extra == 'x'\n"
    )
    for line in lines:
        subprocess.run(["bash", "-c", re.sub(r"%\{buildroot\}\S+", str(metadata), line)], check=True)
    assert metadata.read_text().splitlines() == [
        "Requires-Dist: urllib3>=1.21.1",
        "Requires-Dist: urllib3-more<3",
        "Requires-Dist: urllib3 (>=1) ; extra == 'x'",
    ]


def inputs_text(name: str) -> str:
    return generate(inputs_of(name)).text


def test_what_extras_of_requirements_bring_is_required() -> None:
    inputs = inputs_of("tomlkit")
    node = inputs.node.model_copy(update={"imports": ("dogpile-cache",)})
    made = generate(replace(inputs, node=node))
    assert "Requires:       python3dist(dogpile-cache)" in made.text
    assert made.check_requires == ("python3dist(dogpile-cache)",)


def test_extras_of_others_are_no_dependencies_of_their_own_on_el() -> None:
    switch = "%global _python_no_extras_requires 1"
    assert switch not in inputs_text("tomlkit")
    assert switch in generate(changed("tomlkit", requires_dist=("oslo.cache[dogpile]>=1",))).text
    assert switch not in generate(changed("tomlkit", requires_dist=("a; extra == 'x'", "tomlkit[x]"))).text


def test_prereleases_and_zips() -> None:
    inputs = changed("tomlkit", version="1.0.0rc1")
    lock = inputs.lock.model_copy(update={"version": "1.0.0rc1", "filename": "Tom_Lkit-1.0.0rc1.zip"})
    made = generate(replace(inputs, lock=lock))
    assert made.version == "1.0.0~rc1"
    assert "%global upstream_version 1.0.0rc1" in made.text
    assert "%{pypi_source Tom_Lkit %{upstream_version} zip}" in made.text


def test_old_setuptools_need_wheel() -> None:
    inputs = inputs_of("pbr")
    assert "python3dist(wheel)" not in generate(inputs).build_requires
    old = inputs.platform.model_copy(
        update={"provides": {"setuptools": Provided(version="69.0", package="s")}}
    )
    assert "python3dist(wheel)" in generate(replace(inputs, platform=old)).build_requires


def test_wrappers_of_old_setuptools_need_wheel_too() -> None:
    inputs = inputs_of("tomlkit")
    old = {"setuptools": Provided(version="69.0.3", package="python3-setuptools")}
    platform = inputs.platform.model_copy(update={"provides": inputs.platform.provides | old})
    own = BuildSystem(backend="own", backend_path=("in",), wraps="setuptools.build_meta")
    metadata = inputs.metadata.model_copy(update={"build_system": own})
    made = generate(replace(inputs, platform=platform, metadata=metadata))
    assert "python3dist(wheel)" in made.build_requires


def test_what_backends_start_is_required() -> None:
    system = BuildSystem(backend="scikit_build_core.build", requires=("scikit-build-core",))
    made = generate(changed("tomlkit", build_system=system))
    assert {"cmake", "ninja-build"} <= set(made.build_requires)


def test_a_long_build_is_given_its_time() -> None:
    assert generate(inputs_of("tomlkit")).timeout == 900
    assert described("tomlkit", minutes=60).timeout == 3600


def test_what_cannot_be_imported_is_left_out_of_the_check() -> None:
    made = described("tomlkit", imports=["a.b", "a.c"], not_imported={"a.c": "why", "tomlkit.odd": "why"})
    assert "%pyproject_check_import -t -e 'a.c' -e 'tomlkit.odd'\n%py3_check_import a.b\n" in made.text


def test_patches_natives_and_own_tests(tmp_path: Path) -> None:
    (tmp_path / "fix.patch").write_text("--- a\n+++ b\n")
    made = described(
        "greenlet",
        tmp_path,
        patches=["fix.patch"],
        build_requires=["libffi-devel"],
        check=["%{python3} -m unittest"],
        check_requires=["python3dist(objgraph)"],
        tests=False,
    )
    assert "Patch0:         fix.patch" in made.text
    assert made.sources[-1].content == b"--- a\n+++ b\n"
    assert "libffi-devel" in made.build_requires
    assert made.check_requires == ("python3dist(objgraph)",)
    assert made.text.index("%pyproject_check_import") < made.text.index("%{python3} -m unittest")
    assert made.subpackages == ("python3-greenlet",)


def test_what_is_imported_is_what_has_no_needs_of_others() -> None:
    inputs = inputs_of("tomlkit")

    def check(**seen: object) -> str:
        inspection = inputs.inspection.model_copy(update=seen)
        text = generate(replace(inputs, inspection=inspection)).text
        return text[text.index("%if %{with check}\n%p") :].split("\n", 1)[1].split("%endif")[0]

    assert check(modules=("a", "aext.b")) == "%pyproject_check_import -t\n"
    assert check(modules=("ns.a", "ns.b")) == "%py3_check_import ns.a ns.b\n"
    assert check(modules=("_a", "a", "a_tests"), tests=("a/tests", "a_tests")) == (
        "%pyproject_check_import -t -e '_*' -e 'a_tests'\n"
    )


def test_tests_stay_where_a_plugin_of_tempest_is_made_of_them() -> None:
    inputs = inputs_of("os-vif")
    assert inputs.project is not None
    assert "python3-os-vif-tests" in generate(inputs).subpackages
    plugin = inputs.project.model_copy(update={"type": "tempest-plugin"})
    assert generate(replace(inputs, project=plugin)).subpackages == ("python3-os-vif",)


def test_commands_of_all_kinds_are_listed() -> None:
    points = {"gui_scripts": {"show": "a:b"}, "wsgi_scripts": {"serve": "a:c"}}
    text = generate(changed("tomlkit", entry_points=points)).text
    assert "%{_bindir}/serve\n%{_bindir}/show\n" in text


def test_folders_of_a_projects_own_are_its_packages() -> None:
    inputs = inputs_of("os-vif")
    rows = ("etc/os-vif/rootwrap.d/a.filters", "etc/init.d/a", "share/os_vif/a", "share/man/man1/a.1")
    inspection = inputs.inspection.model_copy(update={"data_files": tuple((row, row) for row in rows)})
    text = generate(replace(inputs, inspection=inspection)).text
    assert [line for line in text.splitlines() if line.startswith("%dir")] == [
        "%dir %{_sysconfdir}/os-vif",
        "%dir %{_sysconfdir}/os-vif/rootwrap.d",
        "%dir %{_datadir}/os_vif",
    ]


def test_a_command_that_is_left_out_is_removed() -> None:
    text = described("pbr", leave_out=["bin/pbr"]).text
    assert "\nrm -r %{buildroot}%{_bindir}/pbr\n" in text
    assert "\n%{_bindir}/pbr\n" not in text
    assert "rm -r" not in described("pbr", leave_out=["bin/of-another-series"]).text


def test_djangos_translations_stay_beside_the_modules() -> None:
    inputs = inputs_of("os-vif")
    inspection = inputs.inspection.model_copy(update={"locales": ("ui/locale", "os_vif/locale")})
    names = ("ui/locale/de/LC_MESSAGES/djangojs.po", "os_vif/locale/de/LC_MESSAGES/os_vif.po")
    metadata = inputs.metadata.model_copy(update={"files": names})
    made = generate(replace(inputs, inspection=inspection, metadata=metadata))
    assert "mo=_modules/ui/locale/${po#ui/locale/}" in made.text
    assert "\n%{python3_sitelib}/ui/locale\n" in made.text
    assert "mo=_translations/${po#os_vif/locale/}" in made.text
    assert "python-os-vif-lang" in made.subpackages
    alone = generate(
        replace(
            inputs, inspection=inspection.model_copy(update={"locales": ("ui/locale",)}), metadata=metadata
        )
    )
    assert "python-os-vif-lang" not in alone.subpackages


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"patches": ["lost.patch"]}, "lost.patch"),
        ({"licence": {"expression": "Friendly", "reason": "x"}}, "Friendly"),
        ({"service": {"uid": 163, "sudoers": "lost.sudoers"}}, "lost.sudoers"),
        ({"service": {"uid": 163, "generators": {"lost.conf": "keystone.conf"}}}, "lost.conf"),
        ({"service": {"uid": 163, "units": ["lost-api"]}}, "the command lost-api"),
        (
            {"service": {"uid": 163, "subpackages": [{"name": "a", "summary": "b", "scripts": ["lost"]}]}},
            "the command lost",
        ),
        ({"service": {"uid": 163, "httpd": [{"name": "k", "port": 1, "module": "lost.api"}]}}, "lost.api"),
        (
            {
                "service": {
                    "uid": 163,
                    "files": [{"source": "lost.ini", "target": "/etc/x", "upstream": True}],
                }
            },
            "lost.ini",
        ),
        (
            {
                "service": {
                    "uid": 163,
                    "files": [{"source": "tox.ini", "target": "/x", "upstream": True, "package": "lost"}],
                }
            },
            "the subpackage lost",
        ),
    ],
)
def test_mistakes_in_descriptions(tmp_path: Path, said: Mapping[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        described("keystone", tmp_path, **said)


def test_a_service_with_daemons(tmp_path: Path) -> None:
    (tmp_path / "openstack-keystone-api.service").write_text("[Service]\n")
    (tmp_path / "sudoers").write_text("keystone ALL = NOPASSWD: /bin/true\n")
    sub = {
        "name": "openstack-keystone-api",
        "summary": "Keystone by itself",
        "units": ["openstack-keystone-api.service"],
        "scripts": ["keystone-status"],
        "requires": ["memcached"],
    }
    service = {"uid": 163, "groups": ["nobody"], "sudoers": "sudoers", "subpackages": [sub], "docs": False}
    made = described("keystone", tmp_path, service=service)
    assert made.subpackages[0] == "openstack-keystone"
    assert "%post -n openstack-keystone-api\n%systemd_post openstack-keystone-api.service" in made.text
    files = made.text[made.text.index("%files -n openstack-keystone-api") :]
    assert "%{_bindir}/keystone-status" in files.split("\n\n")[0]
    accounts = next(s.content for s in made.sources if s.filename.endswith(".sysusers"))
    assert accounts is not None
    assert b"u keystone 163 " in accounts
    assert b"m keystone nobody" in accounts
    assert "%global __requires_exclude ^(group\\\\(nobody\\\\))$" in made.text


def test_a_base_package_has_what_others_share_and_the_main_one_brings_what_runs(tmp_path: Path) -> None:
    service = {
        "common": "openstack-keystone-common",
        "httpd": [
            {
                "name": "keystone",
                "port": 5000,
                "module": "keystone.wsgi.api",
                "package": "openstack-keystone-api",
            }
        ],
        "subpackages": [
            {
                "name": "openstack-keystone-api",
                "provides": ["keystone-api"],
                "obsoletes": ["keystone-api < 9"],
            },
            {"name": "openstack-keystone-status", "units": ["keystone-status"], "config": ["*.ini"]},
            {"name": "openstack-keystone-tools", "scripts": ["keystone-manage"], "groups": ["libvirt"]},
        ],
    }
    text = described("keystone", tmp_path, service=service).text
    files = _files(text)
    assert (
        "%config(noreplace) %attr(0640, root, keystone) %{_sysconfdir}/keystone/keystone.conf"
        in (files["openstack-keystone-common"])
    )
    assert files[""] == ["%license LICENSE"]
    main = text[: text.index("%description")]
    assert "Requires:       openstack-keystone-api = %{?epoch" in main
    assert "Requires:       openstack-keystone-status = %{?epoch" in main
    assert "Requires:       openstack-keystone-tools" not in main, "it has nothing that runs"
    assert {"%{_bindir}/keystone-status", "%{_unitdir}/openstack-keystone-status.service"} <= {
        *files["openstack-keystone-status"]
    }
    assert {"%{_bindir}/keystone-manage", "%{_sysusersdir}/openstack-keystone-tools.conf"} <= {
        *files["openstack-keystone-tools"]
    }
    assert "%global __requires_exclude ^(group\\\\(libvirt\\\\))$" in text
    assert "%{_datadir}/keystone/wsgi-keystone.conf" in files["openstack-keystone-api"]
    assert "Provides:       keystone-api = %{?epoch" in text and "Obsoletes:      keystone-api < 9" in text
    needing_httpd = [
        part.split()[0] for part in text.split("%package -n ") if "Requires:       httpd" in part
    ]
    assert needing_httpd == ["openstack-keystone-api"], "nothing else runs it"


def test_locks_have_a_place_where_the_service_has_that_option(tmp_path: Path) -> None:
    inputs = with_description("keystone", tmp_path, service={})
    for namespaces, there in ((("keystone", "oslo.concurrency"), True), (("keystone",), False)):
        inspection = inputs.inspection.model_copy(update={"option_namespaces": namespaces})
        made = generate(replace(inputs, inspection=inspection))
        defaults = next(s.content for s in made.sources if s.filename == "keystone-dist.conf")
        assert defaults is not None and (b"lock_path = /var/lib/keystone/tmp" in defaults) is there


def test_a_plugin_uses_the_folders_and_the_account_of_its_service(tmp_path: Path) -> None:
    service = {"of": "nova", "user": "nova", "units": [{"run": "keystone-status --x", "name": "nova-status"}]}
    made = described("keystone", tmp_path, service=service)
    assert "%config(noreplace) %attr(0640, root, nova) %{_sysconfdir}/nova/keystone.conf" in made.text
    assert not any("sysusers" in s.filename or "logrotate" in s.filename for s in made.sources)
    assert "%{_localstatedir}/log" not in made.text


def test_a_plugin_that_is_known_as_a_library_has_its_settings_with_its_modules() -> None:
    service = {"of": "nova", "provides": ["python3-keystone-extra"], "requires": ["memcached"]}
    inputs = with_description("keystone", service=service)
    text = generate(replace(inputs, node=inputs.node.model_copy(update={"package": "python-keystone"}))).text
    files = _files(text)
    assert "" not in files
    assert (
        "%config(noreplace) %attr(0640, root, nova) %{_sysconfdir}/nova/keystone.conf"
        in (files["python3-keystone"])
    )
    assert "%{_sysconfdir}/nova/nova.conf.d/keystone.conf" in files["python3-keystone"]
    assert "ln -s ../keystone.conf %{buildroot}%{_sysconfdir}/nova/nova.conf.d/keystone.conf" in text
    modules = text[text.index("%package -n python3-keystone\n") :].split("\n\n")[0]
    assert "Requires:       memcached" in modules
    assert "Provides:       python3-keystone-extra = %{?epoch" in modules


def test_generated_files_go_where_the_description_says_or_are_not_made() -> None:
    ((source, _),) = inputs_of("keystone").inspection.config_generators
    made = described("keystone", service={"generators": {source: "sub/other.conf"}}).text
    assert "%{_sysconfdir}/keystone/sub/other.conf" in made
    assert "%dir %attr(0750, root, keystone) %{_sysconfdir}/keystone/sub\n" in made
    assert "%{_sysconfdir}/keystone/keystone.conf\n" not in made
    none = described("keystone", service={"generators": {source: ""}}).text
    assert "oslo-config-generator" not in none


def test_whole_folders_of_upstream_are_placed_with_what_is_below() -> None:
    placed = {"source": "doc/source", "upstream": True, "target": "%{_datadir}/keystone/pages"}
    text = described("keystone", service={"files": [placed]}).text
    assert "cp -rp doc/source/. %{buildroot}%{_datadir}/keystone/pages/\n" in text
    assert "%{_datadir}/keystone/pages" in _files(text)[""]


def test_instances_of_a_template_are_restarted() -> None:
    unit = {"run": "keystone-status /etc/keystone/%i.conf", "name": "keystone@"}
    text = described("keystone", service={"units": [unit]}).text
    assert "%systemd_post keystone@.service\n" in text
    assert "%systemd_postun_with_restart keystone@*.service\n" in text


def test_a_plugin_may_have_folders_of_its_own_as_well(tmp_path: Path) -> None:
    service = {"of": "nova", "directories": ["%{_sharedstatedir}/extra"]}
    text = described("keystone", tmp_path, service=service).text
    assert "%dir %attr(0750, nova, nova) %{_sharedstatedir}/extra" in text
    assert "mkdir -p %{buildroot}%{_sharedstatedir}/extra" in text


def test_others_may_pass_through_folders_where_it_is_stated(tmp_path: Path) -> None:
    state = "%{_sharedstatedir}/keystone"
    service = {"directories": [f"{state}/own", f"{state}/through"], "passable": [state, f"{state}/through"]}
    text = described("keystone", tmp_path, service=service).text
    modes = {
        path: mode
        for mode, path in re.findall(rf"%attr\((\d+), keystone, keystone\) {re.escape(state)}(\S*)", text)
    }
    assert modes == {"": "0711", "/through": "0711", "/own": "0750", "/tmp": "0750"}


def test_folders_may_have_another_name_than_the_project(tmp_path: Path) -> None:
    made = described("keystone", tmp_path, service={"folder": "stone", "units": ["keystone-status"]})
    assert "%config(noreplace) %attr(0640, root, stone) %{_sysconfdir}/stone/keystone.conf" in made.text
    assert "%{_datadir}/stone/stone-dist.conf" in made.text
    assert "%dir %attr(0750, stone, stone) %{_sharedstatedir}/stone\n" in made.text
    accounts = next(s.content for s in made.sources if s.filename == "openstack-keystone.sysusers")
    assert accounts is not None and b"u stone - " in accounts and b" /var/lib/stone " in accounts


def test_a_command_of_several_packages_units_is_in_the_base_package(tmp_path: Path) -> None:
    units = [{"run": f"keystone-status --{name}", "name": f"openstack-keystone-{name}"} for name in "ab"]
    subs = [
        {"name": unit["name"], "units": [unit, "keystone-manage"][: 2 - i]} for i, unit in enumerate(units)
    ]
    files = _files(described("keystone", tmp_path, service={"subpackages": subs}).text)
    assert "%{_bindir}/keystone-status" in files[""]
    assert "%{_bindir}/keystone-manage" in files["openstack-keystone-a"]
    assert "%{_unitdir}/openstack-keystone-b.service" in files["openstack-keystone-b"]


def test_a_service_of_root_has_no_account_of_its_own(tmp_path: Path) -> None:
    made = described("keystone", tmp_path, service={"user": "root", "units": ["keystone-status"]})
    assert not any("sysusers" in s.filename for s in made.sources)
    unit = next(s.content for s in made.sources if s.filename == "openstack-keystone-status.service")
    assert unit is not None and b"User=root" in unit


def test_the_main_package_may_have_another_name_than_the_source(tmp_path: Path) -> None:
    text = described("keystone", tmp_path, service={"main": "identity"}).text
    assert "%package -n identity\n" in text
    assert "" not in _files(text)


def test_a_source_that_users_know_by_name_makes_a_package_of_that_name() -> None:
    inputs = inputs_of("oslo-config")
    assert inputs.project is not None
    named = replace(
        inputs,
        project=inputs.project.model_copy(update={"package": "oslo-tools"}),
        node=inputs.node.model_copy(update={"package": "oslo-tools"}),
        description=None,
    )
    text = generate(named).text
    files = _files(text)
    assert "%{_bindir}/oslo-config-generator" in files[""]
    assert "%{_bindir}/oslo-config-generator" not in files["python3-oslo-config"]
    assert "Requires:       python3-oslo-config = %{?epoch" in text[: text.index("%description")]


def test_what_a_description_needs_is_required(tmp_path: Path) -> None:
    inputs = with_description("tomlkit", needs={"pymemcache": "it imports it"})
    assert [item.dist for item in inputs.statements.runtime(inputs.metadata)] == ["pymemcache"]


def test_commands_of_wsgi_go_with_the_site(tmp_path: Path) -> None:
    site = {
        "name": "keystone",
        "port": 5000,
        "module": "keystone.wsgi.api",
        "package": "openstack-keystone-api",
    }
    inputs = with_description(
        "keystone", service={"httpd": [site], "subpackages": [{"name": "openstack-keystone-api"}]}
    )
    points = {**inputs.metadata.entry_points, "wsgi_scripts": {"keystone-wsgi": "keystone.x:y"}}
    metadata = inputs.metadata.model_copy(update={"entry_points": points})
    files = _files(generate(replace(inputs, metadata=metadata)).text)
    assert "%{_bindir}/keystone-wsgi" in files["openstack-keystone-api"]


def test_a_package_may_be_a_site_itself(tmp_path: Path) -> None:
    inputs = with_description(
        "keystone", service={"httpd": [{"name": "k", "port": 1, "module": "keystone.wsgi"}]}
    )
    metadata = inputs.metadata.model_copy(
        update={"files": (*inputs.metadata.files, "keystone/wsgi/__init__.py")}
    )
    made = generate(replace(inputs, metadata=metadata))
    site = next(s.content for s in made.sources if s.filename == "wsgi-k.conf")
    assert site is not None and b"WSGIScriptAlias / @SITELIB@/keystone/wsgi/__init__.py " in site


def test_a_site_for_large_uploads_takes_those_of_unknown_length() -> None:
    def site(**fields: object) -> bytes:
        api = {"name": "k", "port": 1, "module": "keystone.wsgi.api", **fields}
        made = generate(with_description("keystone", service={"httpd": [api]}))
        return next(s.content for s in made.sources if s.filename == "wsgi-k.conf") or b""

    uploads = site(body_limit=0)
    assert b"LimitRequestBody 0\n" in uploads and b"WSGIChunkedRequest On\n" in uploads
    assert b"Chunked" not in site() and b"LimitRequestBody" not in site()


def _files(text: str) -> dict[str, list[str]]:
    """Return the %files lists of a spec by package, the main one's under ''."""
    lists: dict[str, list[str]] = {}
    for part in text.split("\n%files")[1:]:
        head, *lines = part.split("\n\n")[0].splitlines()
        words = head.split()
        lists[words[words.index("-n") + 1] if "-n" in words else ""] = lines
    return lists


def test_what_the_sdist_does_not_show_is_listed_where_it_is_stated() -> None:
    text = described("requests", installs=["%{python3_sitelib}/hook.pth"], conflicts=["python3-x"]).text
    assert "%{python3_sitelib}/hook.pth" in _files(text)["python3-requests"]
    assert "Conflicts:      python3-x" in text


def test_a_stated_licence_wins_and_its_reason_is_in_the_spec() -> None:
    made = described("tomlkit", licence={"expression": "MIT AND ISC", "reason": "read by hand: 100%"})
    assert "# read by hand: 100%%\nLicense:        MIT AND ISC" in made.text
    with pytest.raises(LicenceError, match="tomlkit"):
        nothing = changed("tomlkit", license=None, license_expression=None, classifiers=())
        generate(replace(nothing, inspection=nothing.inspection.model_copy(update={"licence_text": None})))


@pytest.mark.parametrize(
    ("upstream", "ours"),
    [
        ("A tool.", "A tool"),
        ("oslo.config library", "oslo.config library"),
        ("parse  things\n quickly", "Parse things quickly"),
        ("UNKNOWN", "Thing for Python"),
        ("100% pure", "100% pure"),
        (
            "A first sentence that is long enough. " + "And more of it " * 6,
            "A first sentence that is long enough",
        ),
        ("word " * 30, "Word" + " word" * 15),
    ],
)
def test_summaries(upstream: str, ours: str) -> None:
    made = summary_of(Metadata(name="Thing", dist="thing", version="1", summary=upstream))
    assert made == ours
    assert len(made) <= 79


def test_description_is_the_first_prose() -> None:
    readme = (
        "=====\nThing\n=====\n\n.. image:: x\n\n* a list\n\nShort.\n\n"
        "``Thing`` does `what it says <https://x>`_, and it does\nso for 100% of those who ask it to."
        "\n\nMore of it."
    )
    made = description_of(Metadata(name="Thing", dist="thing", version="1", summary="S", description=readme))
    assert made == "Thing does what it says, and it does so for 100% of those who ask it to."


def test_last_spec_and_what_changed_since(tmp_path: Path) -> None:
    store = SpecStore.of(tmp_path, "debian13", "2026.1")
    old = generate(inputs_of("requests"))
    assert store.last(old.package) is None
    store.save(old)
    stated = ("certifi>=2018", "idna<4,>=2.5", "more")
    inputs = changed("requests", version="2.33.0", requires_dist=stated, extras=())
    node = inputs.node.model_copy(update={"imports": ("certifi", "idna", "more")})
    new = generate(replace(inputs, node=node))
    found = difference(old.package, store.last(old.package) or "", new.text)
    assert "+Version:        2.33.0" in found.text
    assert [str(item) for item in found.requirements if "charset" not in item.name] == [
        "~ BuildRequires python3dist(certifi) >= 2017.4.17 -> python3dist(certifi) >= 2018",
        "+ BuildRequires python3dist(more)",
        "- BuildRequires (python3dist(urllib3) >= 1.21.1 with python3dist(urllib3) < 3)",
    ]
    assert difference("x", old.text, old.text).text == ""


def test_sources_are_written_for_rpmbuild(tmp_path: Path) -> None:
    made = generate(inputs_of("keystone"))
    written = {file.name for file in write_sources(made, tmp_path)}
    assert written >= {"openstack-keystone.spec", "keystone-dist.conf", "wsgi-keystone.conf"}
    assert "WSGIScriptAlias / @SITELIB@/keystone/wsgi/api.py" in (tmp_path / "wsgi-keystone.conf").read_text()


def test_own_files_lie_beside_the_description(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "own").mkdir()
    with pytest.raises(SpecError, match="isn't there"):
        described("greenlet", tmp_path / "own", patches=["../secret"])


def test_variables_of_the_build_are_one_word_each() -> None:
    made = described("greenlet", environment={"CFLAGS": "-O1 -g"})
    assert "export CFLAGS='-O1 -g'\n%pyproject_wheel" in made.text


def test_a_version_in_the_environment_is_upstream_s() -> None:
    made = described("greenlet", environment={"PBR_VERSION": "{version}"})
    assert f"export PBR_VERSION={inputs_of('greenlet').metadata.version}" in made.text.splitlines()


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("https://example.org/100%", "URL:            https://example.org/100%%\n"),
        ("https://example.org/\nRequires: x", None),
        ("ftp://example.org", None),
    ],
)
def test_addresses_are_one_word(page: str, line: str | None) -> None:
    text = generate(changed("tomlkit", home_page=page)).text
    assert line in text if line is not None else "URL:" not in text


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("share/x/100%.ini", "%{_datadir}/x/100%%.ini"),
        ("/usr/share/x/a", "%{_datadir}/x/a"),
        ("bin/x", "%{_bindir}/x"),
        ("odd/x", "%{_prefix}/odd/x"),
        ("etc/x/x.conf", "%config(noreplace) %{_sysconfdir}/x/x.conf"),
        # compressed before it is packaged
        ("share/man/man1/x.1", "%{_mandir}/man1/x.1*"),
    ],
)
def test_data_files_are_listed_where_they_land(target: str, line: str) -> None:
    inputs = inputs_of("tomlkit")
    placed = inputs.inspection.model_copy(update={"data_files": ((target, "x"),)})
    assert f"\n{line}\n" in generate(replace(inputs, inspection=placed)).text


SENTENCE = "is what this library calls its first phase here, and what is said of it is a sentence."


@pytest.mark.parametrize("word", ["%install", "%include /etc/passwd", "%if 0", "# none", "%(touch /x)"])
def test_what_rpm_takes_for_its_own_begins_no_line_of_a_description(word: str) -> None:
    for text in (f"{word} {SENTENCE}", "word " * 15 + f"{word} {SENTENCE}", f"so {word} " * 20 + SENTENCE):
        made = description_of(Metadata(name="Thing", dist="thing", version="1", description=text))
        assert " ".join(made.split()).removeprefix("Thing: ") == " ".join(text.split())
        assert not [line for line in made.splitlines() if line.startswith(("%", "#"))]
    summary = description_of(Metadata(name="Thing", dist="thing", version="1", summary=f"{word} a thing"))
    assert summary == f"Thing: {word} a thing."


def test_a_packagers_description_that_rpm_takes_for_its_own_is_a_mistake() -> None:
    with pytest.raises(SpecError, match="begins with % or #"):
        described("greenlet", description="%install is a word of RPM's.")
