"""Translates appups into the low-level instructions of a relup. Follows OTP's systools and relup(4)."""
