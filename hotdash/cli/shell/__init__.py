"""Shell completion: the script that a shell reads, and the values with which the shell completes an argument."""
