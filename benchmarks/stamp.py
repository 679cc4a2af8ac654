"""Runs a command and says when each line of its output came. For build roots: standard library only."""

from __future__ import annotations

import subprocess
import sys
import time


def main() -> None:
    """Copy the command's output; before each line, the seconds since its start."""
    began = time.monotonic()
    # rpm's own messages would come late, in blocks, were its output not line-buffered.
    command = ["stdbuf", "-oL", *sys.argv[1:]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        lines = [(time.monotonic() - began, line) for line in process.stdout]
    for seconds, line in lines:
        sys.stdout.buffer.write(b"at %.4f " % seconds + line)
    sys.stdout.buffer.write(b"at %.4f end\n" % (time.monotonic() - began))
    sys.stdout.flush()
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
