"""Write the reference: docs/config.md and docs/config.schema.json from the settings, docs/catalogue.md from the systems."""

from pathlib import Path

from phaseflow.reference import write_catalogue, write_markdown, write_schema


def main(folder: str = "docs") -> None:
    """Write all three files."""
    (Path(folder) / "config.md").write_text(write_markdown(), encoding="utf-8")
    (Path(folder) / "catalogue.md").write_text(write_catalogue(), encoding="utf-8")
    (Path(folder) / "config.schema.json").write_text(write_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
