"""The dashboard: horizon's Django project below /usr/share, and the panels that plugins add to it.

The project is no Python package of the system: it lives in /usr/share/openstack-dashboard with its settings
in /etc/openstack-dashboard, and its static files are collected and compressed when it is built. Installing
or removing a plugin does that again, by a trigger that runs once at the end of a transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rdo.distribution.description import Service
from rdo.packaging import library, templates
from rdo.packaging.prose import description_of, summary_of
from rdo.packaging.service_config import config_line
from rdo.packaging.service_steps import Steps
from rdo.packaging.spec import EVR, Draft, Subpackage
from rdo.packaging.spec_quoting import listed_path, shell_word

MODULE = "openstack_dashboard"
SHARE = "%{_datadir}/openstack-dashboard"
PROJECT = f"{SHARE}/{MODULE}"
ETC = "%{_sysconfdir}/openstack-dashboard"
STATE = "%{_sharedstatedir}/openstack-dashboard"
_ENABLED = f"{PROJECT}/local/enabled"
_SNIPPETS = f"{ETC}/local_settings.d"
# Upstream's example with what a host under httpd needs; the rest is as upstream says.
_SETTINGS = (
    ("DEBUG = .*", "DEBUG = False"),
    ("#COMPRESS_OFFLINE = .*", "COMPRESS_OFFLINE = True"),
    ("#ALLOWED_HOSTS = .*", 'ALLOWED_HOSTS = ["localhost"]\\nWEBROOT = "/dashboard/"'),
    ("LOCAL_PATH = .*", 'LOCAL_PATH = "/var/lib/openstack-dashboard"'),
    ("OPENSTACK_KEYSTONE_URL = .*", 'OPENSTACK_KEYSTONE_URL = "http://%s:5000/v3" % OPENSTACK_HOST'),
)

_COLLECT = "collectstatic --noinput -v0"
# Where the cache can't be reached, upstream's command leaves parts out in silence: there is no memcached in
# builds, and scriptlets may have no network.
_COMPRESS = """\
#!/usr/bin/python3
# Compresses the dashboard's static files as `manage.py compress --force` does, without memcached.
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openstack_dashboard.settings")

import django
from django.conf import settings
from django.core.management import call_command

settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
django.setup()
call_command("compress", force=True, verbosity=0)

# Templates are compressed by several threads, and the manifest has them as they finish.
from compressor.cache import get_offline_manifest, write_offline_manifest

write_offline_manifest(dict(sorted(get_offline_manifest().items())))
"""


# What the dashboard's own stylesheets stand on. Its Sass compiler takes each plugin's alone, and many plugins
# still count on variables that another stylesheet has set, as an earlier compiler let them.
_SASS = (
    "/{{ THEME_DIR }}/{{ THEME }}/variables",
    "/dashboard/scss/variables",
    "/horizon/lib/bootstrap_scss/scss/bootstrap/mixins",
    "/dashboard/scss/mixins",
)


def add(draft: Draft) -> None:
    """Add what the project of the dashboard, or a plugin of it, has besides its Python modules."""
    inputs = draft.inputs
    if MODULE in inputs.inspection.modules:
        _Project(draft).add()
    elif inputs.project is not None and inputs.project.type == "horizon-plugin":
        _add_plugin(draft)


class _Project:
    """The main package of horizon's description gets the Django project."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.steps = draft, Steps(draft, draft.inputs.stated.project)
        self.main = next(sub for sub in draft.subpackages if sub.name == "openstack-dashboard")
        self.services = draft.inputs.platform.services
        self.group = self.services.get("httpd_group", "apache")

    def add(self) -> None:
        draft = self.draft
        draft.runtime_at_build = True
        draft.save_files = tuple(name for name in draft.inputs.inspection.modules if name != MODULE)
        place = f"{draft.sitedir}/{MODULE}"
        moved = f"%{{buildroot}}{place}"
        modules = draft.modules
        modules.files = [line for line in modules.files if not line.startswith(f"{place}/")]
        self.steps.install(
            "# the project moves to where it is run from",
            f"mkdir -p %{{buildroot}}{SHARE} %{{buildroot}}{_SNIPPETS}",
            f"cp -a {moved} %{{buildroot}}{SHARE}/",
            f"rm -r {moved}",
            f"find %{{buildroot}}{SHARE} -name __pycache__ -prune -exec rm -r {{}} +",
            f"install -p -m 0755 manage.py %{{buildroot}}{SHARE}/manage.py",
        )
        self._configuration()
        self._static()
        self._httpd()
        self._folders()
        elsewhere = [file for sub in draft.subpackages if sub is not self.main for file in sub.files]
        inside = [file for file in elsewhere if file.startswith(f"{PROJECT}/")]
        self.main.files += [f"%dir {SHARE}", f"{SHARE}/manage.py", f"{SHARE}/compress.py", PROJECT]
        self.main.files += [f"%exclude {file}" for file in inside]
        # made again on the host, with what plugins add
        self.main.files.append(f"%verify(not md5 size mtime) {SHARE}/static")

    def _configuration(self) -> None:
        """Move policies and settings to /etc; the project finds them there by links."""
        local = f"{PROJECT}/local"
        self.steps.install(
            f"cp -a %{{buildroot}}{PROJECT}/conf/. %{{buildroot}}{ETC}/",
            f"cp -a %{{buildroot}}{local}/local_settings.d/. %{{buildroot}}{_SNIPPETS}/",
            f"rm -r %{{buildroot}}{PROJECT}/conf %{{buildroot}}{local}/local_settings.d",
            f"ln -s {ETC} %{{buildroot}}{PROJECT}/conf",
            f"ln -s {_SNIPPETS} %{{buildroot}}{local}/local_settings.d",
            "sed \\",
            *(f"  -e '{_replace(old, new)}' \\" for old, new in _SETTINGS),
            f"  {MODULE}/local/local_settings.py.example > local_settings",
            f"install -p -m 0640 local_settings %{{buildroot}}{ETC}/local_settings",
        )
        self.main.files += [
            f"%dir %attr(0750, root, {self.group}) {ETC}",
            f"%dir %attr(0750, root, {self.group}) {_SNIPPETS}",
            config_line(f"{ETC}/local_settings", self.group),
        ]
        folders = set()
        for name in self.draft.inputs.metadata.files:
            path = _policy(name) or _snippet(name, examples=True)
            if path is not None and name.startswith(f"{MODULE}/"):
                self.main.files.append(config_line(f"{ETC}/{listed_path(path)}", self.group))
                folders.add(listed_path(path.rpartition("/")[0]))
        self.main.files += [
            f"%dir %attr(0750, root, {self.group}) {ETC}/{folder}"
            for folder in sorted(folders - {"", "local_settings.d"})
        ]

    def _static(self) -> None:
        """Collect and compress with the settings that are installed, apart from the host's own secret."""
        settings = f"%{{buildroot}}{PROJECT}/local/local_settings.py"
        number = self.draft.add_source("compress.py", _COMPRESS.encode())
        self.steps.install(
            f"install -p -m 0755 %{{SOURCE{number}}} %{{buildroot}}{SHARE}/compress.py",
            f"sed \"s|^LOCAL_PATH = .*|LOCAL_PATH = '$PWD'|\" local_settings > {settings}",
            f"export PYTHONPATH=%{{buildroot}}{self.draft.sitedir}",
            "export PYTHONDONTWRITEBYTECODE=1",
            *(
                f"%{{python3}} %{{buildroot}}{SHARE}/{command}"
                for command in ("manage.py check", f"manage.py {_COLLECT}", "compress.py")
            ),
            "unset PYTHONDONTWRITEBYTECODE",
            f"ln -sf {ETC}/local_settings {settings}",
            "# httpd's account can't write byte-code there",
            f"%{{python3}} -m compileall -q -s %{{buildroot}} --invalidation-mode checked-hash "
            f"%{{buildroot}}{PROJECT} || :",
        )
        paths = f"-- {_ENABLED} {_SNIPPETS}"
        again = [
            f"%{{__python3}} {SHARE}/{command} || :" for command in (f"manage.py {_COLLECT}", "compress.py")
        ]
        plugins = f"ls {_ENABLED}/_*.py {_SNIPPETS}/_*.py 2>/dev/null | grep -qv __init__"
        with_plugins = [f"if {plugins}; then", *(f"  {line}" for line in again), "fi"]
        self.main.scriptlets += [(f"transfiletriggerin {paths}", with_plugins, None)]
        self.main.scriptlets += [(f"transfiletriggerpostun {paths}", again, None)]

    def _httpd(self) -> None:
        folder = self.services.get("httpd_confdir", "/etc/httpd/conf.d")
        site = "openstack-dashboard.conf"
        keep = "%config(noreplace) "
        self.steps.generated(self.main, site, templates.dashboard_site(), f"{folder}/{site}", marks=keep)
        service = Service(user=self.services.get("httpd_user", "apache"))
        text = templates.logrotate("horizon", service)
        target = "%{_sysconfdir}/logrotate.d/openstack-dashboard"
        self.steps.generated(self.main, "openstack-dashboard.logrotate", text, target, marks=keep)
        self.main.tags.append("Requires:       logrotate")

    def _folders(self) -> None:
        user = self.services.get("httpd_user", "apache")
        for folder in (STATE, "%{_localstatedir}/log/horizon"):
            self.steps.install(f"mkdir -p %{{buildroot}}{folder}")
            self.main.files.append(f"%dir %attr(0750, {user}, {self.group}) {folder}")
        # manage.py, run by root, would make one that httpd's account can't read
        key = f"{STATE}/.secret_key_store"
        made = f"head -c 48 /dev/urandom | base64 -w 0 | install -m 0600 -o {user} -g {self.group} /dev/stdin"
        self.main.scriptlets.append(("post", [f"test -e {key} || {made} {key}"], None))
        self.main.files.append(f"%ghost %attr(0600, {user}, {self.group}) {key}")


def _replace(old: str, new: str) -> str:
    """Return sed's command for a line of settings; % is RPM's too."""
    return f"s|^{old}|{new.replace('%', '%%')}|"


def _add_plugin(draft: Draft) -> None:
    """Add the package that switches a plugin's panels on, and brings its policies and settings."""
    inputs = draft.inputs
    group = inputs.platform.services.get("httpd_group", "apache")
    main = Subpackage(
        draft.package,
        summary_of(inputs.metadata, inputs.stated.summary),
        description_of(inputs.metadata, inputs.stated.description),
        tags=[f"Requires:       {draft.modules_name} = {EVR}", "Requires:       openstack-dashboard"],
        files=[f"%license {name}" for name in library.first_licence(draft)],
        main=True,
    )
    placed = list(_placed(draft))
    _stylesheets(draft, [source for source, _, _ in placed if "/enabled/" in source])
    for source, folder, name in placed:
        target = f"{folder}/{shell_word(name)}"
        draft.after_install.append(f"install -p -D -m 0644 {shell_word(source)} %{{buildroot}}{target}")
        target = f"{folder}/{listed_path(name)}"
        main.files.append(config_line(target, group) if folder == ETC else target)
    # byte-code of them is made on the host, as it is of all settings
    draft.subpackages.insert(0, main)


def _stylesheets(draft: Draft, panels: Sequence[str]) -> None:
    """Let each stylesheet that a panel adds import what the dashboard's own do."""
    if not panels or not any(re.search(r"/static/.+\.scss$", n) for n in draft.inputs.metadata.files):
        return
    names = " ".join(shell_word(name) for name in panels)
    imports = "".join(f'@import "{path}";\\n' for path in _SASS)
    draft.before_wheel += [
        "# stylesheets import what they use, or the dashboard can't compile them",
        f"added=$(sed -n '/ADD_SCSS_FILES/,/]/p' {names} | grep -o \"[^'\\\" ]*[.]scss\" | sort -u)",
        "for scss in $added; do",
        f"  for file in */static/$scss; do [ ! -f $file ] || sed -i '1s|^|{imports}|' $file; done",
        "done",
    ]


def _placed(draft: Draft) -> Iterator[tuple[str, str, str]]:
    """Yield the files of a plugin that the dashboard has to find, and their places there: folder and name."""
    roots = tuple(name.replace(".", "/").partition("/")[0] + "/" for name in draft.inputs.inspection.modules)
    for name in draft.inputs.metadata.files:
        if not name.startswith(roots) or re.search(r"/tests?/", name):
            continue
        if match := re.fullmatch(r"[^/]+/(?:local/)?enabled/(_[^/]+\.py)", name):
            if match.group(1) != "__init__.py":
                yield name, _ENABLED, match.group(1)
        elif (path := _policy(name) or _snippet(name)) is not None:
            yield name, ETC, path


def _policy(name: str) -> str | None:
    match = re.fullmatch(r"[^/]+/conf/((?:.+/)?[^./][^/]*)", name)
    return match.group(1) if match else None


def _snippet(name: str, *, examples: bool = False) -> str | None:
    match = re.fullmatch(r"[^/]+/(?:local/)?(local_settings\.d/_[^/]+\.py(\.example)?)", name)
    if match is None or match.group(1).endswith("__init__.py") or (match.group(2) and not examples):
        return None
    return match.group(1)
