"""RDO: the RPM distribution of OpenStack, its factory, and the tools that put clouds up with it."""

__version__ = "0.1.0"
