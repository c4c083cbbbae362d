"""The prompts that a population begins with, and the file that tells how it went on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import write_atomic
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.search.breeder import LONGEST
from pytest_swegym.agents.search.population import Population
from pytest_swegym.errors import ConfigError


FORMAT = "swegym.population/1"
#: The file's name in the folder of an attempt.
POPULATION = "population.json"
#: An agent that works as the best of a population, for ``--swegym-agent``.
BEST = "best.toml"
#: Largest file that is read, in bytes.
_LIMIT = 4 * 2**20

#: Ways to work that differ in earnest.
STYLES = (
    "Reproduce the problem first: write the smallest script that shows it and run it. Change the code only when you "
    "have seen the failure, and run the script again to see it gone. Delete the script before you submit.",
    "Read before you write: find the code that the task speaks of by searching for its names, read the whole function "
    "and its callers, and then make one small change. Prefer the change that touches the fewest lines.",
    "Begin with the tests: look at how the project tests the code in question and run those tests. Make your change, "
    "run the same tests again, and repair whatever you broke before you submit.",
    "Think of three possible causes before you touch anything, and check each with one command that could prove it "
    "wrong. Mend the cause that is left, not the symptom, and look for the same mistake in neighbouring code.",
    "Work from the expected behaviour: write down what should happen for usual, empty and extreme input. Make the code "
    "do exactly that, keep its public names and signatures, and check each case with a one-line command.",
    "Be quick: most tasks need one edit. Go straight to the file that the task names, make the edit, look at the diff "
    "once, and submit.",
)


def start_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a file: a JSON list of texts, or a ``population.json``, whose fittest come first.

    Raises :class:`ConfigError`, naming the file.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LIMIT + 1)
        data = json.loads(text) if len(text) <= _LIMIT else None
    except OSError as error:
        raise ConfigError(f"genetic.start: {str(path)!r} cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"genetic.start: {path}: not valid JSON: {error}") from None
    prompts = _of_population(data) if isinstance(data, Mapping) and data.get("format") == FORMAT else data
    if not isinstance(prompts, list) or not prompts or not all(map(_is_prompt, prompts)):
        raise ConfigError(
            f"genetic.start: {path}: expected a JSON list of texts of 1 to {LONGEST} characters, or a {POPULATION}"
        )
    return tuple(prompts)


def _is_prompt(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST


def _of_population(data: Mapping[str, Any]) -> Any:
    """The prompts of the last generation, the fittest first; ``None`` if they are not there."""
    try:
        known = {each["number"]: each for each in data["individuals"]}
        last = [known[number] for number in data["present"]]
        return [each["prompt"] for each in sorted(last, key=_fitness, reverse=True)]
    except (KeyError, TypeError):
        return None


def _fitness(individual: Mapping[str, Any]) -> float:
    value = individual["fitness"]
    return value if isinstance(value, (int, float)) else -math.inf


def write_population(path: Path, population: Population, generations: list[list[dict[str, Any]]]) -> None:
    """Keep everyone who lived, with their parents, and what each generation came to."""
    everyone = [each.to_dict() for each in population.all.values()]
    told = {
        "format": FORMAT,
        "best": population.best.number,
        "present": [each.number for each in population.individuals],
        "generations": generations,
        "individuals": everyone,
    }
    write_atomic(path, json.dumps(told, indent=1) + "\n")


def write_agent(path: Path, config: AgentConfig) -> None:
    """Keep the words that an agent is told, as a file for ``--swegym-agent``."""
    # A JSON text is a TOML text, but for the one character that only TOML wants escaped.
    text = json.dumps(config.system.encode("utf-8", "replace").decode("utf-8"), ensure_ascii=False)
    write_atomic(path, f"system = {text}\n".replace("\x7f", "\\u007f"))
