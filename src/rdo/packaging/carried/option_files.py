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
from importlib.metadata import entry_points
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Make the files; exit with the status of the first generator that fails."""
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    for source in dict.fromkeys(source for source, _ in pairs):
        load(re.findall(r"(?m)^namespace\s*=\s*(\S+)", Path(source).read_text()))
    for source, output in pairs:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                generate(source, output)
                status = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
                raise
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            sys.exit(f"{output} could not be made from {source}: status {status}")


def load(namespaces: list[str]) -> None:
    """Import what the generators will call; what can't be imported is the generator's to complain about."""
    for group in ("oslo.config.opts", "oslo.policy.policies"):
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
    if output.endswith("policy.yaml.sample"):
        from oslo_policy.generator import generate_sample  # type: ignore[import-not-found]

        generate_sample(args=arguments)
    else:
        from oslo_config.generator import main as generate_options  # type: ignore[import-not-found]

        more = ["--format", "yaml"] if output.endswith("-schema.yaml") else []
        generate_options([*arguments, *more])


if __name__ == "__main__":
    main(sys.argv[1:])
