"""Programs that run on the cloud's hosts: sent over SSH, they use the host's own packages and nothing of RDO.

They are for any Python from 3.9 on, so they are not held to this project's newest syntax.
"""
