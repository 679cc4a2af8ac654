"""httpd with TLS for all APIs, and memcached beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from rdo.cloud.plan import WRITTEN, AnyStep, File, Script, Service, Stage
from rdo.cloud.roles.node import CERTIFICATE, Node, answers, key_path
from rdo.cloud.shell import Shell, both, lines, sh
from rdo.cloud.texts import Text
from rdo.cloud.topology import Service as Name

#: Nova's API for machines, which agents on hosts ask for them
METADATA = 8775
#: Heat's API in the manner of CloudFormation, through which machines say that they are done
HEAT_CFN = 8000
#: What Ironic's machines boot from, without TLS: their firmware knows no authority of ours
IRONIC_BOOT = 8088

_MODULES = both(*(sh("grep -q %(name)s_module <<<$rdo_all", name=name) for name in ("ssl", "proxy_http")))

#: service -> (site, the package's file, None where its role writes one; port)
SITES: Mapping[Name, tuple[tuple[str, str | None, int], ...]] = {
    "keystone": (("keystone", "/usr/share/keystone/wsgi-keystone.conf", 5000),),
    "glance": (("glance", "/usr/share/glance/wsgi-glance.conf", 9292),),
    "placement": (("placement-api", "/usr/share/placement/wsgi-placement-api.conf", 8778),),
    "neutron": (("neutron", "/usr/share/neutron/wsgi-neutron.conf", 9696),),
    "nova": (
        ("nova-api", "/usr/share/nova/wsgi-nova-api.conf", 8774),
        ("nova-metadata", "/usr/share/nova/wsgi-nova-metadata.conf", METADATA),
    ),
    "cinder": (("cinder", "/usr/share/cinder/wsgi-cinder.conf", 8776),),
    "swift": (("swift-proxy", None, 8080),),
    "barbican": (("barbican-api", "/usr/share/barbican/wsgi-barbican-api.conf", 9311),),
    "ironic": (("ironic-api", "/usr/share/ironic/wsgi-ironic-api.conf", 6385),),
    "heat": (
        ("heat-api", "/usr/share/heat/wsgi-heat-api.conf", 8004),
        ("heat-api-cfn", "/usr/share/heat/wsgi-heat-api-cfn.conf", HEAT_CFN),
    ),
    # its package has it in httpd's folder already
    "horizon": (),
}

#: service -> (site, port), of what is no API; its role writes the site
FURTHER_SITES: Mapping[Name, tuple[tuple[str, int], ...]] = {"ironic": (("ironic-boot", IRONIC_BOOT),)}


def port(service: Name) -> int:
    """Return the port of a service's API."""
    return SITES[service][0][2]


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not node.is_controller:
        return
    names = node.names
    yield node.packages("httpd", "httpd", "mod_ssl", "python3-mod_wsgi", "curl")
    yield node.packages("memcached", "memcached", "python3-pymemcache")
    yield Service(
        id="memcached",
        title="memcached",
        group="memcached",
        unit=names.memcached_unit,
        restart_after=("memcached-packages",),
    )
    if names.httpd_modules:
        yield Script(
            id="httpd-modules",
            title="Modules of httpd",
            group="httpd",
            unless=lines([sh("rdo_all=$(apachectl -M)"), _MODULES]),
            # of the platform's own description
            script=Shell.trusted(names.httpd_modules),
        )
    yield File(
        id="httpd-configuration",
        title="TLS of httpd",
        group="httpd",
        path=f"{names.httpd_confdir}/00-rdo.conf",
        content=Text(_configuration(node)),
    )
    for service, sites in SITES.items():
        for name, file, _ in sites if node.has(service) else ():
            if file is not None:
                yield _site(node, name, file)


def _site(node: Node, name: str, file: str) -> Script:
    """Return the step of a package's site, with as many processes as the cloud's file says.

    Two at least: an API that asks another, which asks it back, must not wait for itself.
    """
    place = f"{node.names.httpd_confdir}/wsgi-{name}.conf"
    count = max(2, node.site.cloud.workers)
    program = sh("sed -E %(change)s %(file)s", change=f"s/processes=[0-9]+/processes={count}/", file=file)
    return Script(
        id=f"{name}-site",
        title=f"Site {name} in httpd",
        stage=Stage.CONFIGURATION,
        group="httpd",
        path=place,
        unless=sh("set -eo pipefail\n%(program)s | cmp -s - %(place)s", program=program, place=place),
        script=sh(
            """
            umask 022
            rm -f %(place)s
            %(program)s >%(new)s
            mv -f %(new)s %(place)s
            """,
            program=program,
            place=place,
            new=f"{place}.new",
        ),
    )


def written_site(node: Node, name: str, content: str) -> File:
    """Return the step of a site that no package has; its service's role says what is in it."""
    return File(
        id=f"{name}-site",
        title=f"Site {name} in httpd",
        stage=Stage.CONFIGURATION,
        group="httpd",
        path=f"{node.names.httpd_confdir}/rdo-{name}.conf",
        content=Text(f"{WRITTEN}\n{content}"),
    )


def identity(node: Node) -> Iterator[AnyStep]:
    """Yield the start of httpd, once all that it reads is there."""
    if not node.is_controller:
        return
    causes = ["httpd-packages", "certificate", "key-root", "httpd-configuration"]
    for service, sites in SITES.items():
        if not node.has(service):
            continue
        causes += [f"{site}-site" for site, _, _ in sites]
        causes += [f"{site}-site" for site, _ in FURTHER_SITES.get(service, ())]
        # what runs outside of httpd starts by itself
        if all(file is not None for _, file, _ in sites):
            causes += [f"{service}-packages", f"{service}-configuration"]
    yield Service(
        id="httpd",
        title="httpd with the APIs",
        stage=Stage.IDENTITY,
        unit=node.names.httpd_unit,
        restart_after=tuple(causes),
        ready=answers(node.site.identity_url),
        # while passwords are made anew, services that still try the old ones keep the processors busy
        patience=600,
        logs=("/var/log/httpd/error_log", "/var/log/apache2/error.log"),
    )


def ready(node: Node) -> Iterator[AnyStep]:
    """Yield the check that every API answers."""
    if not node.is_controller:
        return
    ports = [site[2] for service, sites in SITES.items() if node.has(service) for site in sites]
    if node.has("horizon"):
        ports.append(443)
    for number in ports:
        path = "/dashboard/auth/login/" if number == 443 else "/"
        yield Script(
            id=f"port-{number}",
            title=f"Answer at port {number}",
            stage=Stage.SERVICES,
            group=f"port-{number}",
            unless=answers(node.site.url(number, path)),
            script=sh("true"),
            retries=60,
        )


def _configuration(node: Node) -> str:
    site = ""
    if node.has("horizon"):
        site = "<VirtualHost *:443>\n    RedirectMatch ^/$ /dashboard/\n</VirtualHost>\n"
    return (
        textwrap.dedent(
            f"""\
        {WRITTEN}
        # Sites have TLS from here unless they say otherwise.
        ServerName {node.host.name}
        SSLEngine on
        SSLCertificateFile {CERTIFICATE}
        SSLCertificateKeyFile {key_path("root")}
        SSLProtocol -all +TLSv1.2 +TLSv1.3
        <VirtualHost *:80>
            SSLEngine off
            RedirectMatch ^/(.*)$ {node.site.url(443)}/$1
        </VirtualHost>
        """
        )
        + site
    )
