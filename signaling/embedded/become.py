"""Become another user, arrange to be told when the parent dies, and turn into the program.

    become.py SIGNAL PARENT UID GID PROGRAM [ARGUMENT…]        (UID -1: stay who we are)

A script of its own, because it must happen between fork and exec, where a process with threads may only do what cannot
deadlock; and after setuid, which makes the kernel forget the wish (prctl(2), PR_SET_PDEATHSIG)."""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    signal_number, parent, uid, gid = map(int, sys.argv[1:5])
    program = sys.argv[5:]
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
            sys.exit("the kernel knows no PR_SET_PDEATHSIG")
        if os.getppid() != parent:
            sys.exit("the server died while it started this")
    os.execv(program[0], program)  # noqa: S606 (that is what this script is for)


if __name__ == "__main__":
    main()
