"""The file in which an operator describes a cloud: reading it, with all mistakes at once, and a first one."""

from __future__ import annotations

from pathlib import Path

from rdo.cloud.repositorykey import is_fingerprint
from rdo.cloud.topology import Cloud
from rdo.distribution.yamlfile import read_yaml, validate

EXAMPLE = """\
# A cloud of RDO. What is left out has the value that stands behind the "#".

name: demo
# series: the newest that is maintained
# region: RegionOne
# repository: http://packages.example.org:8080  # URL above the repositories; ours for test hosts
# repository_key: RPM-GPG-KEY-rdo               # the file of its key, or a fingerprint; else the one there

hosts:
- name: controller
  address: 192.0.2.10             # where its services listen and others reach it
  # ssh: root@192.0.2.10
  # roles: [controller, network, compute, storage]
  # external_interface: none      # e.g. eth2; without one the external network stays inside the host
# - name: compute1
#   address: 192.0.2.11
#   roles: [compute]

# services: [keystone, glance, placement, neutron, nova, cinder, horizon] # and swift, barbican, ironic, heat

# external:                       # the network of floating IPs
#   name: public
#   subnet: 203.0.113.0/24
#   gateway: 203.0.113.1
#   first: 203.0.113.100          # the first and the last floating IP
#   last: 203.0.113.250

# storage:
#   images: rbd                   # or file
#   volumes: rbd                  # or lvm, nfs
#   disks: rbd                    # or local
#   size: 8                       # GiB for the small Ceph on the host with the role storage
#   cluster:                      # instead of it: a Ceph that is there already
#     fsid: 11111111-2222-3333-4444-555555555555
#     monitors: [192.0.2.50]
#     keyrings: ceph              # folder with ceph.client.glance.keyring, and of cinder and nova
#     pools: {images: images, volumes: volumes, disks: vms}

# datapath: kernel                # or userspace, where the kernel has no openvswitch
# virtualization: auto            # kvm where it works, or else qemu
# firewall: true                  # close database, broker and the like to all but the cloud's hosts
# workers: 1                      # processes of each worker service

# options:                        # any option of a service, above what is written for it
#   nova:
#     DEFAULT:
#       debug: true
"""


def read_cloud(path: Path) -> Cloud:
    """Read an operator's file; files that it names are looked for beside it.

    ``name`` is in the model's ``model_fields_set`` where the file has one.

    :raises DataError: all mistakes in it, each with its line
    """
    cloud = validate(read_yaml(path), Cloud)
    folder = path.resolve().parent
    changed: dict[str, object] = {}
    if cloud.repository_key is not None and not is_fingerprint(cloud.repository_key):
        changed["repository_key"] = str(folder / cloud.repository_key)
    if (cluster := cloud.storage.cluster) is not None:
        found = cluster.model_copy(update={"keyrings": folder / cluster.keyrings})
        changed["storage"] = cloud.storage.model_copy(update={"cluster": found})
    return cloud.model_copy(update=changed)
