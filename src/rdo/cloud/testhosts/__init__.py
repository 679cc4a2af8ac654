"""Test hosts: machines with systemd as PID 1 on one private bridge, booted in a second from a shared base.

They are for development, CI and trying things out. What deploys to them uses SSH only, as on a real host.
Nothing here is imported by looking at the package; take what is needed from its modules:

- :mod:`.hosts`: create, start, stop, crash, destroy, list
- :mod:`.image`: the shared base that hosts boot from
- :mod:`.ssh`: how to reach them
- :mod:`.serving`: a repository server on their bridge
"""
