"""Code changes of live processes: suspends, deferred exits, code_change of supervisors, suspend leases."""
