"""Write the reference of the config language from the settings: docs/config.md and docs/config.schema.json."""

from pathlib import Path

from phaseflow.reference import write_markdown, write_schema


def main(folder: str = "docs") -> None:
    """Write both files."""
    (Path(folder) / "config.md").write_text(write_markdown(), encoding="utf-8")
    (Path(folder) / "config.schema.json").write_text(write_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
