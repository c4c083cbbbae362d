"""What tools remember from call to call: a JSON object in one file, one key a line.

One key a line lets the shell commands ``_read_env`` and ``_write_env`` read and write the same file without Python.
"""

import json
import os


PATH = os.path.join(os.environ.get("SWEGYM_TOOLS", "/.swegym/tools"), "state.json")


class Registry:
    """The file as a mapping. Every access reads it, every assignment writes it whole, by a rename."""

    def __init__(self, env_file=None):
        self.env_file = env_file or PATH

    def _read(self):
        try:
            with open(str(self.env_file), encoding="utf-8", errors="surrogateescape") as file:
                found = json.load(file)
        except (IOError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, values):
        lines = [json.dumps(str(key)) + ": " + json.dumps(values[key], ensure_ascii=False) for key in values]
        part = "%s.%d" % (self.env_file, os.getpid())
        with open(part, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("{\n" + ",\n".join(lines) + "\n}\n")
        os.replace(part, str(self.env_file))

    def __getitem__(self, key):
        return self._read()[key]

    def __contains__(self, key):
        return key in self._read()

    def __setitem__(self, key, value):
        values = self._read()
        values[key] = value
        self._write(values)

    def __delitem__(self, key):
        values = self._read()
        del values[key]
        self._write(values)

    def get(self, key, default_value=None, fallback_to_env=True):
        """A value; without one the environment variable of that name, then the default."""
        if fallback_to_env:
            default_value = os.environ.get(key, default_value)
        return self._read().get(key, default_value)

    def get_if_none(self, value, key, default_value=None):
        """``value``, or what is remembered if that is ``None``."""
        return self.get(key, default_value) if value is None else value


EnvRegistry = Registry
registry = Registry()
