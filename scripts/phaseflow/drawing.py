"""The work of `draw`: the figures of one scenario, study or fit, each with the data it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.figure import Figure as Canvas

from phaseflow.figures import Figure, Source
from phaseflow.plugins import load_plugin
from phaseflow.receipts import FOLDER_CHECKSUMS, list_files, write_checksums
from phaseflow.settings.base import Settings
from phaseflow.settings.block import Block
from phaseflow.settings.fits import Fit
from phaseflow.settings.scenarios import Scenario
from phaseflow.settings.studies import Study
from phaseflow.tables import write_folder, write_json, write_whole

_SETTINGS: dict[str, type[Settings]] = {"simulate": Scenario, "optimize": Study, "fit": Fit}
STYLE_PATH = Path(__file__).parent / "figures" / "phaseflow.mplstyle"
PNG_DPI, THUMB_DPI = 200, 48


def draw_figures(block: Block, tables: Mapping[str, Path], folder: Path) -> None:
    """Draw every figure of a source as SVG and PNG, and as PDF where that is asked for, beside a Parquet file of exactly what is drawn.

    Parameters
    ----------
    block : the source's settings and the figures asked for, each with its file name and options.
    tables : the source's tables by kind.
    folder : made whole or not at all; `figures.json` in it describes each figure in words.
    """
    settings = block.settings
    section = settings["section"]
    source = Source(section, settings["source"], _SETTINGS[section].model_validate(settings["settings"]), tables)
    descriptions = {}
    with (
        write_folder(folder) as temporary,
        mpl.style.context(STYLE_PATH),
        mpl.rc_context({"svg.hashsalt": "phaseflow"}),
    ):
        for request in settings["figures"]:
            figure: Figure = load_plugin("figures", request["figure"])
            options = figure.options.model_validate(request["options"])
            descriptions[request["file"]] = draw_figure(figure, source, options, temporary / request["file"], settings["pdf"])
            print(f"{section}.{source.name}: {request['figure']} drawn")
        write_json(temporary / "figures.json", descriptions)
        write_checksums(temporary / FOLDER_CHECKSUMS, list_files(temporary))


def draw_figure(figure: Figure, source: Source, options: Settings, stem: Path, has_pdf: bool) -> dict[str, Any]:
    """Draw one figure to `<stem>.svg`, `.png`, a small `.thumb.png`, and its data to `.parquet`; return what the page says of it."""
    data = figure.prepare(source, options)
    with write_whole(stem.with_name(f"{stem.name}.parquet")) as temporary:
        data.to_parquet(temporary, index=False)
    canvas = Canvas(layout="constrained")
    figure.draw(canvas, data, source, options)
    canvas.savefig(stem.with_name(f"{stem.name}.svg"), metadata={"Date": None, "Creator": None})
    if has_pdf:
        canvas.savefig(stem.with_name(f"{stem.name}.pdf"), metadata={"CreationDate": None, "Creator": None, "Producer": None})
    canvas.savefig(stem.with_name(f"{stem.name}.png"), dpi=PNG_DPI, metadata={"Software": None})
    canvas.savefig(stem.with_name(f"{stem.name}.thumb.png"), dpi=THUMB_DPI, metadata={"Software": None})
    return {"alt": figure.describe(data), "dense": figure.is_dense, "view": figure.view(canvas, data)}
