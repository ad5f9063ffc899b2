#!/usr/bin/env python3
"""Fits a world of `parsec bench --world` to published figures.

    python3 tests/fit/fit.py --parsec target/release/parsec --world services/lab/worlds/amino-2022.toml \
        --figures tests/fit/amino-2022.toml --out fitted.toml

searches for better values of the keys that a comment of the world marks [fitted], one key after the other, each up and down by a step of its
own that grows when it helps and shrinks when it does not. What it finds is printed, and written with the comments of the world to --out.
Networks are drawn from --seed on. Judge what was found on networks that the search has not seen: --steps 0 --seed 1. The file of --figures
says what is fitted to, and within which limits.
"""
import argparse, json, math, random, re, subprocess, sys, tempfile, time, tomllib
from pathlib import Path

LINE = re.compile(r'^(?P<key>\w+) = "?(?P<number>[\d.]+)(?P<unit>ms|s|)"?$')
SECTION = re.compile(r"^\[([\w.]+)\]$")


class Key:
    """A number in the text of a world. `is_flat`: a quantile that is the one before it, so that its share is what is searched."""

    def __init__(self, line, section, match, is_flat):
        self.line, self.name, self.is_flat = line, match["key"], is_flat
        self.path = f"{section}.{self.name}" if section else self.name
        self.unit = match["unit"]
        self.is_share = not self.unit and float(match["number"]) <= 1
        self.is_whole = not self.unit and "." not in match["number"] and not self.is_share
        self.value = float(self.name[1:]) / 100 if is_flat else float(match["number"])
        self.value /= 1000 if self.unit == "ms" else 1

    def written(self, value, flat_at):
        if self.is_flat:
            return f'p{value * 100:.0f} = "{flat_at:g}s"'
        if not self.unit:
            return f"{self.name} = {value:.0f}" if self.is_whole else f"{self.name} = {float(f'{value:.3g}'):g}"
        return f'{self.name} = "{float(f"{value * 1000:.2g}"):g}ms"' if value < 1 else f'{self.name} = "{float(f"{value:.3g}"):g}s"'


def keys_of(text, only):
    """All numbers of a world by path, and the paths of those that are searched."""
    keys, searched, section, comment, before = {}, [], "", "", None
    for number, line in enumerate(text.splitlines()):
        if match := SECTION.match(line):
            section, comment, before = match[1], "", None
        elif line.startswith("#"):
            comment = (comment if before == "#" else "") + line
            before = "#"
        elif match := LINE.match(line):
            is_flat = bool(match["unit"]) and isinstance(before, Key) and before.unit and Key(number, section, match, False).value == before.value
            before = Key(number, section, match, is_flat)
            keys[before.path] = before
            named = any(before.path == one or before.path.startswith(one + ".") for one in only)
            if before.value > 0 and (named if only else "[fitted]" in comment):
                searched.append(before.path)
        elif not line:
            comment, before = "", None
    return keys, searched


def with_values(text, keys, values):
    """The same world with these values. Nothing if quantiles would fall."""
    lines, last = text.splitlines(), {}
    for path, key in keys.items():
        section = path.rpartition(".")[0]
        value = values.get(path, key.value)
        if key.unit:
            at = value if key.is_flat else int(key.name[1:]) / 100
            height = last[section][1] if key.is_flat else value
            if section in last and (at <= last[section][0] or height < last[section][1]):
                return None
            last[section] = (at, height)
        if path in values:
            lines[key.line] = key.written(value, last.get(section, (0, 0))[1])
    return "\n".join(lines) + "\n"


def played(options, text):
    """All operations of the networks of a world. Nothing if parsec refuses it."""
    with tempfile.TemporaryDirectory() as folder:
        world, run = Path(folder, "world.toml"), Path(folder, "run.json")
        # A world that comes with parsec cannot be changed under its own name.
        world.write_text(re.sub("(?m)^name = .*", 'name = "fitting"', text))
        strategies = ",".join(sorted({one[key][0] for one in options.goal["figure"] for key in ("of", "over") if key in one}))
        command = [options.parsec, "bench", "--world", str(world), "--strategies", strategies, "--save", str(run)]
        command += ["--networks", str(options.networks), "--operations", str(options.operations), "--seed", str(options.seed)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{' '.join(command)}: {done.stderr}", file=sys.stderr)
            return None
        return json.loads(run.read_text())["operations"]


def quantile(operations, of, region):
    """The definition of services/lab/src/field/reproduced.rs."""
    strategy, kind, what, share = of
    found = sorted(
        one["seconds"] if what == "seconds" else one["figures"][what]
        for one in operations
        if (one["fleet"], one["kind"], one["outcome"]) == (strategy, kind, "ok") and region in (None, one["region"])
    )
    return found[int((len(found) - 1) * share + 0.5)]


def judged(figures, operations):
    """What each figure is, and by how much it is off, where 1 is as far as it may be."""
    rows = []
    for figure in figures:
        model = quantile(operations, figure["of"], figure.get("region"))
        if "over" in figure:
            model /= quantile(operations, figure["over"], figure.get("region"))
        published = figure.get("published", figure.get("at_least"))
        off = (model - published) / figure["by"] if "by" in figure else math.log(model / published) / math.log1p(figure.get("within", 0.25))
        rows.append((figure, model, min(off, 0) if "at_least" in figure else off))
    return rows


def misfit(rows):
    return sum(off**2 for figure, _, off in rows if not figure.get("held_back"))


def table(rows):
    print("| | published | model | misfit | |\n| --- | ---: | ---: | ---: | --- |")
    for figure, model, _ in rows:
        published, note = figure.get("published"), "**held back**" if figure.get("held_back") else "fitted"
        if published is None:
            print(f"| {figure['name']} | | {model:.1f} | | fitted to at least {figure['at_least']} |")
        elif "by" in figure:
            print(f"| {figure['name']} | {published} | {model:.0f} | {model - published:+.0f} | {note} |")
        else:
            print(f"| {figure['name']} | {published:.2f} | {model:.2f} | {model / published - 1:+.0%} | {note} |")
    print(f"misfit: {misfit(rows):.3f}", flush=True)


def moved(key, value, by, limits):
    """A value moved by a factor: a share that is nearly 1 moves by what it lacks."""
    is_most = (key.is_share or key.is_flat) and key.value > 0.5
    value = 1 - (1 - value) / math.exp(by) if is_most else value * math.exp(by)
    value = min(max(value, limits[0]), limits[1])
    return round(value, 2) if key.is_flat else float(f"{value:.3g}")


def search(options, text):
    (keys, paths), goal = keys_of(text, options.only), options.goal
    rest = goal.get("rest", {})
    paths = [path for path in paths if path not in [other for other, _ in rest.values()]]
    limits = {path: goal.get("limits", {}).get(path) for path in paths}
    for path in paths:
        value, most = keys[path].value, 1 if keys[path].is_share or keys[path].is_flat else math.inf
        limits[path] = limits[path] or (value / options.within, min(value * options.within, most))
    paths = [path for path in paths if limits[path][0] < limits[path][1]]
    values, steps, turns = {path: keys[path].value for path in paths}, {path: options.step for path in paths}, options.steps
    dice, ends = random.Random(options.search_seed), time.monotonic() + options.minutes * 60
    best = judged(goal["figure"], played(options, text) or sys.exit(2))
    table(best)
    while turns > 0 and any(abs(step) > 0.01 for step in steps.values()):
        for path in dice.sample(paths, len(paths)):
            for sign in (1, -1):
                tried = values | {path: moved(keys[path], values[path], sign * steps[path], limits[path])}
                tried |= {other: round(whole - tried[first], 4) for first, (other, whole) in rest.items() if first in tried}
                world = with_values(text, keys, tried)
                if world is None or tried[path] == values[path]:
                    continue
                if turns <= 0 or time.monotonic() > ends:
                    return
                turns -= 1
                if not (operations := played(options, world)):
                    continue
                rows = judged(goal["figure"], operations)
                print(f"{misfit(rows):.3f} (best {misfit(best):.3f}) {path} = {tried[path]:g}", flush=True)
                if misfit(rows) < misfit(best):
                    best, values, steps[path] = rows, tried, sign * steps[path] * 1.5
                    Path(options.out).write_text(world)
                    table(best)
                    break
            else:
                steps[path] /= 2


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--parsec", default="parsec", help="the program")
    words.add_argument("--world", required=True, help="file to begin with")
    words.add_argument("--figures", required=True, help="file that says what to fit to")
    words.add_argument("--out", default="fitted.toml", help="file to write the best world to")
    words.add_argument("--only", type=lambda text: text.split(","), default=[], help="keys and sections to search, in place of what is marked [fitted]")
    words.add_argument("--within", type=float, default=4, help="by what factor a value may change that has no limits")
    words.add_argument("--step", type=float, default=0.2, help="the first step, as a share of a value")
    words.add_argument("--steps", type=int, default=400, help="how many worlds to try; 0 judges the one there is")
    words.add_argument("--minutes", type=float, default=math.inf, help="when to stop")
    words.add_argument("--networks", type=int, default=12)
    words.add_argument("--operations", type=int, default=175)
    words.add_argument("--seed", type=int, default=1001, help="of the first network")
    words.add_argument("--search-seed", type=int, default=1)
    options = words.parse_args()
    options.goal = tomllib.loads(Path(options.figures).read_text())
    search(options, Path(options.world).read_text())


if __name__ == "__main__":
    main()
