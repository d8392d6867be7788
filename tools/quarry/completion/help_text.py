# SPDX-License-Identifier: GPL-2.0
"""What "quarry --help" and "quarry COMMAND --help" say, as data.

The completion files are made from it, and tests/texts_test.py compares the manual pages with it.
"""

import collections
import os
import re
import subprocess

# short and long are names without dashes; either may be None.  value is the name of the value, such
# as FILE, or None.
Option = collections.namedtuple("Option", "short long value text")

# argp's text begins in this column, also in the lines that continue it.
COLUMN = 29
HEAD = re.compile(r"  (?:-(?P<short>\S))?(?:, |    )?(?:--(?P<long>[a-z][a-z-]*))?"
                  r"(?:[= ](?P<value>[A-Z]+))?(?: +(?P<text>\S.*)|$)")


def text_of(program, *args):
    """What the program prints with these arguments and --help."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("ARGP_")}
    return subprocess.run([program, *args, "--help"], env=dict(env, LC_ALL="C"), check=True,
                          stdout=subprocess.PIPE, encoding="utf-8").stdout


def commands(program):
    """(name, summary) of each command."""
    found = re.findall(r"^  ([a-z][a-z-]*)  +(\S.*)$", text_of(program), re.M)
    if len(found) < 10:
        raise SystemExit(f"{program} --help lists only {len(found)} commands")
    return found


def options(text):
    """The options in the help text of a command, but --help, -? and --usage, which all have."""
    found = []
    for line in text.split("\n"):
        head = HEAD.match(line) if line.startswith(("  -", "      --")) else None
        if head:
            found.append(Option(head["short"], head["long"], head["value"], head["text"] or ""))
        elif found and line.startswith(" " * COLUMN):
            last = found[-1]
            found[-1] = last._replace(text=f"{last.text} {line.strip()}".strip())
    return [o for o in found if o.long not in ("help", "usage")]


def arguments(text):
    """The words behind the options in the first line: ["on", "off", "DOMAIN"]."""
    usage = re.match(r"Usage: .*? \[OPTION\.\.\.\](.*)", text)
    return re.findall(r"[A-Za-z]+", usage[1]) if usage else []
