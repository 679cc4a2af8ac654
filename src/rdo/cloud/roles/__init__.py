"""What each role puts on a host, as steps of a plan."""
