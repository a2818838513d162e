"""Phaseflow: simulate -> optimize -> fit -> report. The plan says what is made; here stands how."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from phaseflow.errors import PhaseflowError
from phaseflow.session import Session


def find_mode():
    if workflow.executor_plugin is None:
        return "look"
    return "dry-run" if workflow.dryrun else "run"


def plan():
    try:
        return session.plan
    except PhaseflowError as error:
        raise SystemExit(str(error))


def find_pack(section, name):
    """Short chunks go to a cluster in packs: the profile says how many of each duration make one submission."""
    executor = workflow.executor_plugin
    if executor is None or not executor.common_settings.non_local_exec:
        return None
    pack = plan().estimate(section, name).pack
    return pack and f"{section}-{pack}"


try:
    session = Session(
        config_paths=workflow.config_settings.configfiles,
        overrides=workflow.config_settings.config,
        is_main=workflow.is_main_process,
        find_mode=find_mode,
        force=lambda files: workflow.dag.forcefiles.update(files),
    )
except PhaseflowError as error:
    raise SystemExit(str(error))


wildcard_constraints:
    scenario="[A-Za-z0-9_-]+",
    study="[A-Za-z0-9_-]+",
    fit="[A-Za-z0-9_-]+",
    chunk="[0-9a-f]{16}",
    piece="[0-9a-f]{16}",


onsuccess:
    from phaseflow.provenance import describe_run

    describe_run(Path(workflow.basedir))


rule all:
    input:
        lambda w: plan().targets(),


rule simulate:
    output:
        trajectories="results/chunks/{scenario}/{chunk}.trajectories.parquet",
        members="results/chunks/{scenario}/{chunk}.members.parquet",
        events="results/chunks/{scenario}/{chunk}.events.parquet",
        orbits="results/chunks/{scenario}/{chunk}.orbits.parquet",
        checksums="results/chunks/{scenario}/{chunk}.simulate.json",
    log:
        "results/logs/simulate/{scenario}/{chunk}.log",
    benchmark:
        "results/timings/simulate/{scenario}/{chunk}.tsv"
    group:
        lambda w: find_pack("simulate", w.scenario)
    conda:
        "envs/phaseflow.yaml"
    resources:
        mem_mb=lambda w, attempt: plan()
        .needs("simulate", w.scenario)
        .find_memory(attempt),
        runtime=lambda w, attempt: plan()
        .needs("simulate", w.scenario)
        .find_minutes(attempt),
    params:
        block=lambda w: plan().block("simulate", w.scenario).text,
        chunk=lambda w: plan().chunks("simulate", w.scenario)[w.chunk],
        cache="results/timings/compiled",
    script:
        "scripts/simulate.py"


rule gather:
    input:
        unpack(lambda w: plan().pieces("simulate", w.scenario)),
        checksums=lambda w: plan().checksums("simulate", w.scenario),
    output:
        members="results/simulate/{scenario}/members.parquet",
        events="results/simulate/{scenario}/events.parquet",
        orbits="results/simulate/{scenario}/orbits.parquet",
        trajectories=directory("results/simulate/{scenario}/trajectories"),
        receipt="results/receipts/simulate/{scenario}.json",
    log:
        "results/logs/gather/{scenario}.log",
    benchmark:
        "results/timings/gather/{scenario}.tsv"
    conda:
        "envs/phaseflow.yaml"
    params:
        origin=lambda w: plan().origin("simulate", w.scenario).text,
    script:
        "scripts/gather.py"


rule optimize:
    input:
        lambda w: plan().reads("optimize", w.study).values(),
    output:
        trials="results/chunks/{study}/{chunk}.trials.parquet",
        histories="results/chunks/{study}/{chunk}.histories.parquet",
        roots="results/chunks/{study}/{chunk}.roots.parquet",
        curves="results/chunks/{study}/{chunk}.curves.parquet",
        checksums="results/chunks/{study}/{chunk}.optimize.json",
    log:
        "results/logs/optimize/{study}/{chunk}.log",
    benchmark:
        "results/timings/optimize/{study}/{chunk}.tsv"
    group:
        lambda w: find_pack("optimize", w.study)
    conda:
        "envs/phaseflow.yaml"
    resources:
        mem_mb=lambda w, attempt: plan().needs("optimize", w.study).find_memory(attempt),
        runtime=lambda w, attempt: plan()
        .needs("optimize", w.study)
        .find_minutes(attempt),
    params:
        block=lambda w: plan().block("optimize", w.study).text,
        chunk=lambda w: plan().chunks("optimize", w.study)[w.chunk],
        tables=lambda w: {
            name: str(path) for name, path in plan().reads("optimize", w.study).items()
        },
        cache="results/timings/compiled",
    script:
        "scripts/optimize.py"


rule collect:
    input:
        unpack(lambda w: plan().pieces("optimize", w.study)),
        checksums=lambda w: plan().checksums("optimize", w.study),
    output:
        table="results/optimize/{study}.csv",
        histories="results/optimize/{study}/histories.parquet",
        roots="results/optimize/{study}/roots.parquet",
        curves="results/optimize/{study}/curves.parquet",
        profiles="results/optimize/{study}/profiles.parquet",
        running_times="results/optimize/{study}/running_times.csv",
        ranks="results/optimize/{study}/ranks.csv",
        comparisons="results/optimize/{study}/comparisons.csv",
        receipt="results/receipts/optimize/{study}.json",
    log:
        "results/logs/collect/{study}.log",
    benchmark:
        "results/timings/collect/{study}.tsv"
    conda:
        "envs/phaseflow.yaml"
    params:
        origin=lambda w: plan().origin("optimize", w.study).text,
    script:
        "scripts/collect.py"


rule fit:
    input:
        table=lambda w: next(iter(plan().reads("fit", w.fit).values())),
    output:
        terms="results/fit/{fit}.csv",
        statistics="results/fit/{fit}.json",
        rows="results/fit/{fit}.parquet",
        receipt="results/receipts/fit/{fit}.json",
    log:
        "results/logs/fit/{fit}.log",
    benchmark:
        "results/timings/fit/{fit}.tsv"
    conda:
        "envs/phaseflow.yaml"
    params:
        origin=lambda w: plan().origin("fit", w.fit).text,
    script:
        "scripts/fit.py"


rule draw:
    input:
        unpack(lambda w: plan().figure_tables(w.piece)),
    output:
        figures=directory("results/chunks/figures/{piece}"),
    log:
        "results/logs/draw/{piece}.log",
    benchmark:
        "results/timings/draw/{piece}.tsv"
    conda:
        "envs/phaseflow.yaml"
    params:
        origin=lambda w: plan().figure_pieces()[w.piece].text,
    script:
        "scripts/draw.py"


rule report:
    input:
        unpack(lambda w: plan().page_inputs()),
    output:
        page=report(
            "results/report/index.html",
            category="The page",
            labels={"page": "index.html"},
        ),
        figures=report(
            directory("results/report/figures"),
            patterns=["{figure}.svg"],
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        receipt="results/receipts/report/index.json",
    log:
        "results/logs/report.log",
    benchmark:
        "results/timings/report.tsv"
    conda:
        "envs/phaseflow.yaml"
    params:
        origin=lambda w: plan().origin("report", "index").text,
    script:
        "scripts/report.py"
