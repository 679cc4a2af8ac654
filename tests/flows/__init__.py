"""System flows: what each stands on, and which of them a change makes stale."""
