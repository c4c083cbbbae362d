"""Text files as the editing tools see them: bytes kept as they are, line ends too."""

import os
import sys


def fail(message):
    """End the tool with an error."""
    sys.stderr.write("%s: %s\n" % (os.path.basename(sys.argv[0]), message))
    sys.exit(1)


def read(path):
    """A file's text; what is no UTF-8 comes back as it was when the text is written."""
    if os.path.isdir(path):
        fail("%s is a folder" % path)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except (IOError, OSError) as error:
        fail("%s: %s" % (path, error.strerror))


def write(path, text):
    """Write a file in place, making its folders."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
    except (IOError, OSError) as error:
        fail("%s: %s" % (path, error.strerror))


def lines_of(text):
    """The lines, each with its end; only a newline ends one."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def say(text):
    """Print text that may hold what is no UTF-8."""
    sys.stdout.flush()
    getattr(sys.stdout, "buffer").write(text.encode("utf-8", "surrogateescape") + b"\n")
    sys.stdout.flush()


def numbered(lines, first):
    """Lines with their numbers, the first of them being number ``first``."""
    return "\n".join("%6d\t%s" % (first + at, line.rstrip("\r\n")) for at, line in enumerate(lines))
