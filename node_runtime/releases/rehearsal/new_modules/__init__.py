"""What the bodies of new modules do in a rehearsal, what they open, and which data they replace."""
