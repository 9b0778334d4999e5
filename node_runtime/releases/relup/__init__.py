"""Translation of appups into a relup's low-level instructions. Follows OTP's systools and relup(4)."""
