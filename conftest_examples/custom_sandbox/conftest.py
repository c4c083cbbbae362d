"""A sandbox backend of one's own, under a name of one's own: bubblewrap, with a list of what was started."""

from __future__ import annotations

from pytest_swegym.sandbox import make_backend


class Audited:
    """Another backend with every start counted. Whatever it does not say itself is the other's."""

    name = "audited"

    def __init__(self, inner):
        self.inner = inner
        self.started = 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def describe(self):
        return f"audited {self.inner.describe()}"

    def start(self, snapshot, **options):
        self.started += 1
        return self.inner.start(snapshot, **options)

    def close(self):
        print(f"audited: {self.started} sandboxes were started")
        self.inner.close()


def pytest_swegym_make_sandbox(config, name):
    return Audited(make_backend("bubblewrap")) if name == "audited" else None


def pytest_swegym_solve(workspace):
    source = workspace.read("shop.py")
    workspace.write("shop.py", source.replace("100 + discount", "100 - discount"))
    return ""
