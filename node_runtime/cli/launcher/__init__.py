"""The launcher of a node directory: its command line, and the node's parent process.

A build copies this package to bin/_launcher, and `script` to bin/<name>. The package uses the standard library only, so
that it works even if a release is damaged. A commit replaces an older launcher: see `launcher_update`.
"""

VERSION = 14
"""The version of the launcher. Increment it with each change of a file in this folder, or nodes never get the change.
A test compares this number with the hash of the folder.

2: bin/<name> runs isolated; the node reads from a pipe why its previous run ended.
3: a file that is damaged or nested too deeply is reported in a sentence.
4: the node leads a session; the processes that it leaves behind are ended; time in which the parent was stopped is not
counted.
5: a release can boot on probation, and each release boots with the Python that it needs.
6: upgrade, downgrade and rollback ask for confirmation, or need --yes; results, modules, kill, purge and abort.
7: the node gets the sockets that systemd has passed to its parent (LISTEN_FDS).
8: a node can have several workers; worker 1 leads.
9: the parent ignores a worker's unreadable report, and a worker that it restarts has the phase "ending".
10: clearer comments.
11: `start` no longer waits for ever for a node that neither becomes ready nor fails.
12: the verbs load the code of the parent only if they run it.
13: `start` no longer fails if the parent deletes the former status while `start` reads it.
14: `start` and `restart` print the addresses at which the node accepts clients and operators.
"""
