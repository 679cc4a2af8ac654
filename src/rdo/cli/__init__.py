"""The command line: a thin face over the rooms, one module a command group."""
