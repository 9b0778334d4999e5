"""OTP's behaviours: servers, state machines, supervisors and applications, and what changes them while they run."""
