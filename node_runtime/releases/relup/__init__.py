"""From the appups of two releases to low-level instructions. Follows OTP's systools and relup(4)."""
