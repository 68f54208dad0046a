"""The command line of the program in a process of its own."""

import sys


def command(*arguments):
    return [sys.executable, "-m", "dsv3calc", *map(str, arguments)]
