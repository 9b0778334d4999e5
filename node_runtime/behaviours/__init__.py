"""OTP's behaviours: servers, state machines, supervisors and applications, and code changes of live processes."""
