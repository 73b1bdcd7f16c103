"""Generates json/ from the sources, or with --check checks that it is up to date."""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

import fanout
import fleet
import ingest
import market
import node

HERE = Path(__file__).resolve().parent.parent
BOARDS = {
    "fleet": fleet.build,
    "node": node.build,
    "ingest": ingest.build,
    "fanout": fanout.build,
    "market": market.build,
}


def text(board: Dashboard) -> str:
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print("usage: build.py [--check]", file=sys.stderr)
        return 64
    made = {f"{name}.json": text(build()) for name, build in BOARDS.items()}
    directory = HERE / "json"
    wrong = [path.name for path in directory.glob("*.json") if path.name not in made]
    for name, content in made.items():
        path = directory / name
        if not check:
            path.write_text(content)
        elif not path.exists() or path.read_text() != content:
            wrong.append(name)
    if wrong:
        print(f"out of date: {', '.join(sorted(wrong))}; run build.py")
        return 1
    print(f"{len(made)} dashboards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
