#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The texts about the program say what the program does: manual pages and completion.

Usage: tests/texts_test.py OUTPUT

OUTPUT is the directory with the program, and with man/ and completion/.  Prints lines of TAP.
Needs no module.
"""

import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "completion"))
import help_text  # noqa: E402

OUT = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) == 2 else sys.exit(__doc__)
PROGRAM = str(OUT / "quarry")
COMMANDS = [name for name, _ in help_text.commands(PROGRAM)]
CACHES = "/sys/kernel/debug/quarry/caches"
done = failed = 0


def result(name, faults, skip=""):
    """One line of TAP, after a line for each fault."""
    global done, failed
    done += 1
    failed += bool(faults)
    for fault in faults:
        print(f"# {fault}")
    print(f"{'not ' if faults else ''}ok {done} - {name}{' # SKIP ' + skip if skip else ''}",
          flush=True)


def compare(a, in_a, b, in_b):
    """Faults: what only one of the sets has."""
    return [f"{x}: only in {in_a}" for x in sorted(a - b)] + \
        [f"{x}: only in {in_b}" for x in sorted(b - a)]


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL, timeout=60,
                          check=False, **more)


def source(name):
    return (HERE / name).read_text(encoding="utf-8")


def page(command):
    """The source of a page, with what it includes."""
    path = HERE / "man" / (f"quarry-{command}.1.rst" if command else "quarry.1.rst")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return re.sub(r"^\.\. include:: (\S+)$", lambda m: source(f"man/{m[1]}"), text, flags=re.M)


# --- Manual pages ---

def options_of_page(text):
    """{"-n, --lines=N", ...}"""
    found = set()
    for line in re.findall(r"^-\S.*$", text, re.M):
        if set(line) <= set("-= "):
            continue
        names = line.split("  ")[0].split(", ")
        short = [n.split(" ")[0] for n in names if not n.startswith("--")]
        found.add(", ".join(short + [n for n in names if n.startswith("--")]))
    return found - {"--help", "--usage"}


def options_of_help(command):
    found = set()
    for o in help_text.options(help_text.text_of(PROGRAM, command)):
        names = [f"-{o.short}"] if o.short else []
        names += [f"--{o.long}" + (f"={o.value}" if o.value else "")] if o.long else []
        found.add(", ".join(names))
    return found


def pages_and_commands():
    commands = set(COMMANDS)
    have = {p.name[len("quarry-"):-len(".1.rst")] for p in (HERE / "man").glob("quarry-*.1.rst")}
    result("each command has a page", compare(have, "man/", commands, "quarry --help"))
    listed = set(re.findall(r"^ .*\*\*quarry-([a-z-]+)\*\*\\\(1\)$", page(""), re.M))
    result("quarry(1) names each command", compare(listed, "quarry(1)", commands, "quarry --help"))
    table = set(re.findall(r'^\t\{ "([a-z-]+)", q_\w+,', source("main.c"), re.M))
    result("--help lists the table of main.c",
           compare(table, "main.c", commands, "quarry --help"))
    for command in COMMANDS:
        faults = compare(options_of_page(page(command)), f"quarry-{command}(1)",
                         options_of_help(command), "--help")
        if f"**quarry {command}**" not in page(command):
            faults.append(f"the synopsis does not say quarry {command}")
        result(f"quarry-{command}(1) has the options of --help", faults)


def statuses():
    code = set(re.findall(r"^\tQ_\w+ = (\d+),", source("lib/problem.h"), re.M))
    text = re.search(r"^Exit status\n=+\n(.*?)\n[A-Z][a-z ]+\n=+\n", page(""), re.M | re.S)
    have = set(re.findall(r"^(\d+)$", text[1] if text else "", re.M))
    result("quarry(1) has each exit status", compare(have, "quarry(1)", code, "lib/problem.h"))


def pages_are_clean():
    man = shutil.which("man")
    for path in sorted((OUT / "man").iterdir()):
        faults = []
        if re.search(r"@[A-Z]+@", path.read_text(encoding="utf-8").split(".SH", 1)[0]):
            faults.append("the version or the date is missing")
        if man:
            said = run(man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(path),
                       env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="80", MANPAGER="cat"))
            faults += re.findall(r"^(?:\S*troff|man|<standard input>).*:.*$", said.stdout, re.M)
            faults += [] if "NAME" in re.sub(".\b", "", said.stdout) else ["man prints nothing"]
        result(f"man {path.name}", faults, "" if man else "there is no man")


# --- JSON ---

def members():
    code = set()
    for path in [*HERE.glob("*.c"), *(HERE / "lib").glob("*.c")]:
        if path.name.startswith("page"):
            continue  # The data of the page, which only the page reads.
        text = path.read_text(encoding="utf-8")
        # A column of a table, a member of an object, and a member that printf() writes.
        code |= set(re.findall(r'\{ "([a-z_0-9]+)",\s+(?:"[^"]*"|NULL),\s+Q_[A-Z]+ \}', text))
        code |= set(re.findall(r'json_object_object_add\([^,;]+,\s*"([a-z_0-9]+)"', text))
        code |= set(re.findall(r'\\"([a-z_0-9]+)\\":', text))
    # Functions that have the name from their caller.
    code |= set(re.findall(r'return act\("\w+", "\w+", "(\w+)"', source("control.c")))
    code |= set(re.findall(r'^\t+(?:print|return show)\([^;]*?"(\w+)"(?:\)|, columns)',
                           source("caches.c"), re.M))
    text = source("man/quarry-json.7.rst")
    have = set()
    for line in re.findall(r"^ *(``\w+``(?:, ``\w+``)*)$", text, re.M):
        have |= set(re.findall(r"``(\w+)``", line))
    result("quarry-json(7) has each member", compare(have, "quarry-json(7)", code, "the code"))
    schema = re.search(r"^#define SCHEMA (\d+)$", source("lib/table.c"), re.M)[1]
    result("quarry-json(7) has the version of the schema",
           [] if f"the version of this description, {schema}." in text else [f"it is {schema}"])
    named = set(re.findall(r"\*\*quarry ([a-z-]+)\*\*", text))
    result("quarry-json(7) has each command",
           compare(named, "quarry-json(7)", set(COMMANDS), "quarry --help"))


# --- Words that options take ---

def generator():
    path = str(HERE / "completion/generate")
    loader = importlib.machinery.SourceFileLoader("generate", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
    loader.exec_module(module)
    return module


def words():
    known = generator().WORDS
    device, caches = source("lib/device.c"), source("caches.c")
    keys = re.search(r"sort_keys\[\] = \{(.*?)\n\};", caches, re.S)[1]
    tables = {
        "DOMAIN": set(re.findall(r'\[QUARRY_DEV_DOMAIN_\w+\]\s*=\s*"(\w+)"', device)),
        "TYPE": set(re.findall(r'\[QUARRY_DEV_KIND_\w+\]\s*=\s*"(\w+)"', device)),
        "KEY": set(re.findall(r'\{ "(\w+)",', keys)),
    }
    faults = []
    for name, table in tables.items():
        faults += compare(set(known[name]), f"{name} of completion/generate", table, "the code")
    for word in known["WHEN"] + ["maybe"]:
        # There is no such debugfs, so a good command line fails with another status than 2.
        status = run(PROGRAM, "nodes", f"--colour={word}", "--debugfs=/nonexistent").returncode
        if (status == 2) != (word == "maybe"):
            faults.append(f"--colour={word}: status {status}")
    result("completion knows the words that options take", faults)


# --- Completion ---

# What is typed, and what its last word becomes.
CASES = [
    ("quarry stat", "status"),
    ("quarry caches --wa", "--waste"),
    ("quarry caches --sort wa", "waste"),
    ("quarry profile --domain sl", "slab"),
    ("quarry profile --type frag", "fragmentation"),
    ("quarry kernel of", "off"),
    ("quarry kernel on vm", "vmalloc"),
    ("quarry rate def", "default"),
    ("quarry diff unusual", "unusual_name.pb"),
    ("quarry leaks --cache sess", "sessions"),
]


def in_bash(line, where):
    script = f"""
        . '{where}/bash'
        read -ra COMP_WORDS <<<'{line}'
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _quarry quarry "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    return run("bash", "--norc", "-c", script, cwd=where).stdout.split()


def in_fish(line, where):
    out = run("fish", "--no-config", "-c", f"source {where}/fish; complete -C '{line}'", cwd=where,
              env=dict(os.environ, HOME=str(where))).stdout
    return [l.split("\t")[0] for l in out.split("\n")]


def in_zsh(line, where):
    # A terminal in which the word is completed.  The command then prints what it was given.
    script = f"""
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z 'PS1= PS2=; fpath=({where}/zsh.d $fpath); autoload -Uz compinit; compinit -u -D'
        zpty -w z 'quarry() {{ print -r -- "<got>" "$@" "<end>"; }}; print ready-$((1 + 1))'
        zpty -r z out '*ready-2*'
        zpty -w -n z '{line}'$'\\t\\n'
        zpty -r z out '*<got>*<end>*'
        print -r -- "$out"
        zpty -d z"""
    out = run("zsh", "-f", "-c", script, cwd=where, env=dict(os.environ, TERM="dumb")).stdout
    got = re.findall(r"<got>(.*?)<end>", out, re.S)
    return got[-1].split() if got else [out]


def has_terminals():
    try:
        for end in os.openpty():
            os.close(end)
        return True
    except OSError:
        return False


def completion():
    where = OUT / "completion-test"
    shutil.rmtree(where, ignore_errors=True)
    (where / "zsh.d").mkdir(parents=True)
    (where / "unusual_name.pb").touch()
    (where / "caches" / "sessions").mkdir(parents=True)
    for shell, copy in (("bash", "bash"), ("fish", "fish"), ("zsh", "zsh.d/_quarry")):
        text = (OUT / "completion" / shell).read_text(encoding="utf-8")
        # Only root can list the names of caches, so others are put in their place.
        faults = [] if CACHES in text else ["it does not read the names of caches"]
        (where / copy).write_text(text.replace(CACHES, f"{where}/caches"), encoding="utf-8")
        faults += [f"it does not know {c}" for c in COMMANDS
                   if not re.search(rf"(?<![\w-]){c}(?![\w-])", text)]
        result(f"completion for {shell} knows the commands", faults)
    for shell, complete in (("bash", in_bash), ("fish", in_fish), ("zsh", in_zsh)):
        missing = None
        if not shutil.which(shell):
            missing = f"there is no {shell}"
        elif shell == "zsh" and not has_terminals():
            missing = "there are no pseudo terminals: /dev/pts is not mounted"
        if missing:
            result(f"{shell} completes", [], missing)
            continue
        faults = []
        for line, wanted in CASES:
            got = complete(line, where)
            if wanted not in got:
                faults.append(f"{line}<TAB>: not {wanted}, but {' '.join(got)}")
        result(f"{shell} completes", faults)
    # In bash, ask for every option.
    faults = []
    for command in COMMANDS:
        have = {o.rstrip("=") for o in in_bash(f"quarry {command} --", where)} - {"--help"}
        want = {f"--{o.long}" for o in help_text.options(help_text.text_of(PROGRAM, command))
                if o.long}
        faults += compare(have, f"{command}'s completion", want, "--help")
    result("bash completes every option", faults)


def version():
    text = (HERE / "../../VERSION").read_text(encoding="utf-8").strip()
    result("--version", compare({run(PROGRAM, "--version").stdout.strip()}, "--version",
                                {f"quarry {text}"}, "VERSION"))


version()
pages_and_commands()
statuses()
pages_are_clean()
members()
words()
completion()
print(f"1..{done}")
sys.exit(bool(failed))
