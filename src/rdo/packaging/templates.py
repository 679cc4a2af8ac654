"""Files that every service has alike: account, state folders, log rotation, its place in httpd."""

from __future__ import annotations

from rdo.distribution.description import HttpdApplication, Service

NOLOGIN = "/usr/sbin/nologin"


def sysusers(project: str, service: Service, title: str) -> str:
    """Return a sysusers.d file: the account under EL's static id, if it has one, and its groups."""
    user = service.user or project
    home = service.home or f"/var/lib/{project}"
    lines = [f'u {user} {service.uid or "-"} "{title}" {home} {NOLOGIN}']
    lines += [f"m {user} {group}" for group in service.groups]
    return "\n".join(lines) + "\n"


def tmpfiles(project: str, service: Service) -> str:
    """Return a tmpfiles.d file: the run folder, and the logs that are the account's from the start."""
    user = service.user or project
    lines = [f"d /run/{project} 0755 {user} {user} -"]
    lines += [f"f /var/log/{project}/{name} 0640 {user} {user} -" for name in service.logs]
    return "\n".join(lines) + "\n"


def logrotate(project: str, service: Service) -> str:
    """Return a logrotate.d file. Logs are copied and cut, as several processes hold one open."""
    user = service.user or project
    return (
        f"/var/log/{project}/*.log {{\n"
        f"    su {user} {user}\n"
        "    weekly\n"
        "    maxsize 100M\n"
        "    rotate 14\n"
        "    missingok\n"
        "    notifempty\n"
        "    compress\n"
        "    copytruncate\n"
        "}\n"
    )


def httpd_site(project: str, service: Service, application: HttpdApplication, path: str) -> str:
    """Return httpd's configuration of a WSGI application; ``@SITELIB@`` is set when it is installed.

    :param path: the application's file, below site-packages

    Its errors and accesses go to httpd's own logs: httpd opens logs as root, and the service's log folder
    can be written by the service's account.
    """
    user = service.user or project
    script = f"@SITELIB@/{path}"
    folder = script.rpartition("/")[0]
    limit = ""
    if application.body_limit is not None:
        # who sends as much doesn't always say how much it is; httpd would ask for that with 411
        limit = f"    LimitRequestBody {application.body_limit}\n    WSGIChunkedRequest On\n"
    group = f"{application.name}-public" if application.name == project else application.name
    return f"""\
# {project} in httpd. To switch it on, link this file into httpd's configuration and restart httpd:
#   ln -s /usr/share/{project}/wsgi-{application.name}.conf /etc/httpd/conf.d/
# (on Debian /etc/apache2/conf-enabled/). Updates replace it; for changes, copy it instead.

Listen {application.port}

<VirtualHost *:{application.port}>
    WSGIDaemonProcess {group} processes={application.processes} threads={application.threads} user={user} \
group={user} lang=C.UTF-8 locale=C.UTF-8 display-name=%{{GROUP}}
    # With both groups here it is loaded when httpd starts, and not by whoever asks first.
    WSGIScriptAlias / {script} process-group={group} application-group=%{{GLOBAL}}
    WSGIPassAuthorization On
{limit}
    <Directory {folder}>
        Require all granted
    </Directory>
</VirtualHost>
"""


def dashboard_site() -> str:
    """Return httpd's configuration of the dashboard at /dashboard; its log is httpd's own."""
    return """\
# The dashboard in httpd, at /dashboard. Its settings are in /etc/openstack-dashboard.

WSGIDaemonProcess dashboard processes=3 threads=10 lang=C.UTF-8 locale=C.UTF-8 display-name=%{GROUP}
WSGIScriptAlias /dashboard /usr/share/openstack-dashboard/openstack_dashboard/wsgi.py \\
    process-group=dashboard application-group=%{GLOBAL}
Alias /dashboard/static /usr/share/openstack-dashboard/static

<Directory /usr/share/openstack-dashboard/openstack_dashboard>
    <Files wsgi.py>
        Require all granted
    </Files>
</Directory>

<Directory /usr/share/openstack-dashboard/static>
    Options None
    Require all granted
    <IfModule mod_expires.c>
        ExpiresActive On
        ExpiresDefault "access plus 1 day"
    </IfModule>
</Directory>
"""
