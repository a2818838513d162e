"""`data` and `report`: tables from outside, and the page."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from phaseflow.errors import shorten
from phaseflow.settings.base import Settings, fail


class Data(Settings):
    """A table from outside: a file, or a data set inside an installed package."""

    file: str | None = Field(None, description="a .csv, .csv.gz or .parquet file, relative to the config's folder")
    dataset: str | None = Field(None, description="`<package>.<name>`, such as statsmodels.longley")

    @model_validator(mode="after")
    def _check_one(self) -> Data:
        if (self.file is None) == (self.dataset is None):
            raise fail("exactly one of file and dataset is wanted")
        return self


def _check_figures(value: Any) -> Any:
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, dict) or not item:
                raise fail(f"{shorten(item)} is not a figure: write [{{<figure>: <section>.<name>, caption: ...}}]")
    elif value != "auto":
        raise fail(f"{shorten(value)} is neither auto nor a list of figures")
    return value


class Report(Settings):
    """The page."""

    title: str = Field("Numerical experiments", min_length=1, max_length=200, description="the title of the page")
    summary: str = Field("", description="a few sentences that open the page")
    figures: Annotated[Literal["auto"] | list[dict[str, Any]], BeforeValidator(_check_figures)] = Field(
        "auto", description="auto: the natural figures of everything; or a list of `{<figure>: <section>.<name>, caption: ..., options}`"
    )
    pdf: bool = Field(False, description="whether each figure is written as a PDF too, for a paper")
