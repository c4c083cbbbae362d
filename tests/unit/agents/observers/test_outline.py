"""The definitions of files in each language that there is a grammar of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.observers.languages import language_of
from pytest_swegym.agents.observers.outline import outline
from pytest_swegym.agents.observers.readers import skeleton
from pytest_swegym.agents.observers.readers import structure


PYTHON = '''"""A module."""
import os

LIMIT = 3

@cached
def area(width: int,
         height: int = 2) -> int:
    """The area.

    In square metres.
    """
    return times(width, height)

class Box(Shape):
    name = ""
    # How deep.
    depth: int = 0

    @property
    def volume(self):
        return self.area() * self.depth

try:
    import fast
except ImportError:
    def slow(): pass
'''
#: A file of each language, and what its skeleton has.
FILES = {
    "a.py": (PYTHON, ['"""A module."""', "LIMIT = 3  # line 4", "@cached def area(width: int, height: int = 2) -> int",
                      "    # The area.", "class Box(Shape)  # line 15", "    depth: int = 0", "        # How deep.",
                      "    @property def volume(self)", "def slow()"]),
    "a.js": ("// Opens.\nexport default function open(a) { go(a); }\nclass A extends B {\n  m(x) {}\n"
             "  h = (e) => { k(e) };\n}\nconst f = async (a) => { w() };\nconst five = 5;\n",
             ["function open(a)", "# Opens.", "class A extends B", "    m(x)", "    h = (e) =>",
              "const f = async (a) =>"]),
    "a.tsx": ("export abstract class A implements C {\n  m(a: string): void {}\n}\n"
              "interface I { a: string; b(): void }\ntype T = number;\nnamespace N { export function q() {} }\n"
              "const V = () => <div>{q()}</div>;\n",
              ["abstract class A implements C", "    m(a: string): void", "interface I", "    b(): void",
               "type T = number", "namespace N", "    function q()", "const V = () =>"]),
    "a.go": ("package a\n\n// F does.\nfunc F(a int) (string, error) { return g(a) }\n\ntype S struct {\n\ta int\n}\n\n"
             "func (s *S) M() { s.x() }\n",
             ["func F(a int) (string, error)", "# F does.", "type S struct", "func (s *S) M()"]),
    "a.rs": ("/// Doc.\npub fn f(a: u8) -> u8 { g(a) }\npub struct S { a: u8 }\nimpl S { fn m(&self) { self.x() } }\n"
             "trait T { fn q(&self); }\n",
             ["pub fn f(a: u8) -> u8", "# Doc.", "pub struct S", "impl S", "    fn m(&self)", "trait T",
              "    fn q(&self)"]),
    "A.java": ("/** Doc. */\npublic class A extends B {\n  private int x = 1;\n"
               "  int m(int a) throws E { return g(a); }\n}\n",
               ["public class A extends B", "# Doc.", "    private int x = 1", "    int m(int a) throws E"]),
    "a.c": ("/* doc */\nint f(int a) { return g(a); }\n#ifdef X\n"
            "static char *h(void) { return 0; }\n#endif\nstruct s { int a; };\n",
            ["int f(int a)", "# doc", "static char *h(void)", "struct s"]),
    "a.hpp": ("namespace n {\ntemplate<class T> class A : public B {\n public:\n"
              "  int m(int a) { return g(a); }\n  void q();\n};\n}\n",
              ["namespace n", "    class A : public B", "        int m(int a)", "        void q()"]),
    "a.rb": ("# doc\nmodule M\n  class A < B\n    def m(a)\n      g(a)\n    end\n  end\nend\n",
             ["module M", "# doc", "    class A < B", "        def m(a)"]),
}  # fmt: skip


@pytest.mark.parametrize("path", FILES)
def test_a_skeleton_has_signatures_and_first_words_and_no_bodies(path: str) -> None:
    text, wanted = FILES[path]
    lines = skeleton(path, text).split("\n")
    missing = [each for each in wanted if not any(each in line for line in lines)]
    assert not missing, "\n".join(lines)
    assert not [line for line in lines if "g(a)" in line or "times(" in line or "go(a)" in line]


def test_a_structure_has_lines_and_calls() -> None:
    assert structure("a.py", PYTHON).split("\n") == [
        "value LIMIT [4-4]",
        "function area [7-13] calls times",
        "class Box [15-22]",
        "  value name [16-16]",
        "  value depth [18-18]",
        "  function volume [21-22] calls self.area",
        "function slow [27-27]",
    ]
    calls = {"a.go": "g", "a.rs": "g", "A.java": "g", "a.c": "g", "a.hpp": "g", "a.js": "go", "a.rb": "g"}
    assert not [path for path, name in calls.items() if f"calls {name}" not in structure(path, FILES[path][0])]


def test_of_a_file_without_definitions_the_beginning_is_shown() -> None:
    assert outline("notes.md", "# Notes") is None
    assert skeleton("notes.md", "# Notes") == structure("notes.md", "# Notes") == "# Notes"
    long = skeleton("data.txt", "line\n" * 1000)
    assert len(long) < 1010
    assert long.endswith("line\n...")


def test_code_with_errors_has_the_definitions_that_can_be_read() -> None:
    found = outline("a.py", 'print "x"\n\ndef f(a):\n    pass\n\ndef g(:\n\nclass A:\n    def m(self): pass\n') or []
    assert {"f", "A", "m"} <= {each.name for each in found}


def test_what_is_nested_without_end_is_read_to_some_depth() -> None:
    deep = "".join(f"{' ' * level}class A{level}:\n" for level in range(200)) + " " * 200 + "pass\n"
    assert len(outline("a.py", deep) or []) == 9
    conditions = "".join(f"{' ' * level}if x:\n" for level in range(90)) + " " * 90 + "def f(): pass\n"
    assert outline("a.py", conditions) == []
    many = outline("a.py", "def f(): pass\n" * 5000) or []
    assert len(many) == 2000


@given(text=st.text(alphabet="def clas(){}:\n \"'@=x#/*é\0", max_size=120), path=st.sampled_from(sorted(FILES)))
def test_no_text_is_too_odd(text: str, path: str) -> None:
    last = text.count("\n") + 1
    assert all(1 <= each.first <= each.last <= last for each in outline(path, text, calls=True) or [])


@pytest.mark.parametrize(("path", "language"), [("A.PY", "python"), ("x/.py", "python"), ("Makefile", ""), ("a.", ""),
                                                ("a.py/b", ""), ("b.d.ts", "typescript")])  # fmt: skip
def test_the_language_is_told_by_the_end_of_the_name(path: str, language: str) -> None:
    assert language_of(path) == language
