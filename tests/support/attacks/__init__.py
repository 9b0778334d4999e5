"""A node under attack, and the two attackers: another user of the machine, and a thief of a viewer's cookie."""
