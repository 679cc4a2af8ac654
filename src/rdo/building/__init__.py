"""RPMs, built in sealed roots, in order, never twice."""
