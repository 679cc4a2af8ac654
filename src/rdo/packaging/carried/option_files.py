"""Make a service's configuration, option schemas and policy samples with oslo's own generators.

A generator's time goes into importing the service. So its modules are imported once here, and each file is
made in a process forked from that: none sees what generating another one has changed.

Runs while a package is built, with the installed modules in PYTHONPATH. Arguments are pairs: input, output.
An output that ends in ``-schema.yaml`` is the schema of the input's options, one that ends in
``policy.yaml.sample`` is made by the policy generator.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import FunctionType


def main(arguments: list[str]) -> None:
    """Make the files; exit with the status of the first generator that fails.

    Options and policies are kept apart: modules that options need may read the service's configuration when
    they are imported, and the policy generator can't have that.
    """
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    for group, own in (
        ("oslo.config.opts", [pair for pair in pairs if not is_policy(pair[1])]),
        ("oslo.policy.policies", [pair for pair in pairs if is_policy(pair[1])]),
    ):
        if own and apart(lambda group=group, own=own: generate_all(group, own)):  # type: ignore[misc]
            sys.exit(1)


def is_policy(output: str) -> bool:
    """Tell whether an output is the policy generator's."""
    return output.endswith("policy.yaml.sample")


def apart(work: Callable[[], None]) -> int:
    """Do something in a forked process and return its exit status."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def generate_all(group: str, pairs: list[tuple[str, str]]) -> None:
    """Import what a group's generator will call, and make each file in a process of its own."""
    for source in dict.fromkeys(source for source, _ in pairs):
        load(group, re.findall(r"(?m)^namespace\s*=\s*(\S+)", Path(source).read_text()))
    for source, output in pairs:
        status = apart(lambda source=source, output=output: generate(source, output))  # type: ignore[misc]
        if status:
            raise SystemExit(f"{output} could not be made from {source}: status {status}")


def load(group: str, namespaces: list[str]) -> None:
    """Import entry points; what can't be imported is the generator's to complain about."""
    for point in entry_points(group=group):
        if point.name in namespaces:
            try:
                point.load()
            except ImportError as error:
                print(f"{point.name}: {error}", file=sys.stderr)


def generate(source: str, output: str) -> None:
    """Make one file, as the commands oslo-config-generator and oslopolicy-sample-generator would."""
    arguments = ["--config-file", source, "--output-file", output]
    # some options have the program's name for their default
    sys.argv = ["oslo-config-generator"]
    if is_policy(output):
        from oslo_policy.generator import generate_sample  # type: ignore[import-not-found]

        generate_sample(args=arguments)
    else:
        from oslo_config.generator import main as generate_options  # type: ignore[import-not-found]

        more: list[str] = []
        if output.endswith("-schema.yaml"):
            more = ["--format", "yaml"]
            allow_functions()
        generate_options([*arguments, *more])


def allow_functions() -> None:
    """Let schemas have options that are a command's own; these hold a function, which no file can have."""
    import yaml

    yaml.SafeDumper.add_representer(FunctionType, lambda dumper, _: dumper.represent_none(None))


if __name__ == "__main__":
    main(sys.argv[1:])
