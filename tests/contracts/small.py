"""A small study of every kind, and its tables made without Snakemake."""

import contextlib
from pathlib import Path

from phaseflow.assembly import gather_members
from phaseflow.config import load_config
from phaseflow.drawing import draw_figures
from phaseflow.ensemble import simulate_chunk
from phaseflow.page import write_page
from phaseflow.paths import FIGURE_PIECES, FIGURES, PAGE, find_receipt, list_tables
from phaseflow.plan import Plan
from phaseflow.receipts import write_receipt
from phaseflow.regression import fit_model
from phaseflow.trials import collect_trials, solve_chunk

CONFIG = """\
seed: 3
data: {longley: {dataset: statsmodels.longley}, sp500: {dataset: arch.sp500}}
simulate:
  pair: {system: lorenz63, time: {stop: 2, samples: 11}, ensemble: {members: 3, perturb: {x: 0.1}}}
  plane: {system: van_der_pol, time: {stop: 2, samples: 11}}
  field: {system: fitzhugh_nagumo, time: {stop: 20, samples: 201}, measure: {fixed_points: true}}
  many: {system: lorenz63, time: {stop: 20}, sweep: {rho: {start: 1, stop: 30, count: 20}}, measure: {extrema: z, lyapunov: all}, chunk: 4}
  plane2: {system: lorenz63, time: {stop: 2}, sweep: {rho: [1, 20], sigma: [5, 10]}, measure: {lyapunov: largest}}
  stiff: {system: robertson, time: {stop: 40, samples: 11}, solver: {method: LSODA}}
  stock: {system: geometric_brownian_motion, time: {stop: 1, samples: 11}, ensemble: {members: 5}}
  still:
    system: lorenz63
    time: {stop: 2}
    initial: {x: -13.76, y: -19.58, z: 27}
    sweep: {rho: [0.5, 10, 28]}
    measure: {fixed_points: true, periodic_orbit: {period: 1.56}}
    chunk: 2
  crossed:
    system: lorenz63
    time: {stop: 30}
    measure: {section: {when: z - 27, direction: both}, return_times: true, extrema: z}
  cusp: {system: lorenz63, time: {stop: 30}, measure: {extrema: z}}
  flow: {system: lorenz63, time: {stop: 8, samples: 401}}
optimize:
  valley:
    minimize: (1 - a)**2 + 100*(b - a**2)**2
    variables: {a: {start: -1}, b: {start: 1}}
    sweep: {algorithm: [scipy_lbfgsb, scipy_neldermead], starts: 3}
    chunk: 2
  parabola: {minimize: x**2 + 10*x + 5, variables: {x: {start: 0, lower: -10, upper: 10}}, roots: true}
  recovered:
    calibrate: {to: simulate.plane, observe: {x: x, y: y}, parameters: {mu: {start: 0.5, lower: 0.1, upper: 5}}, profile: {points: 4}}
    sweep: {algorithm: [scipy_ls_trf, gauss_newton], noise: [0.01, 0.1], starts: 2}
    chunk: 3
  contest:
    benchmark: more_wild
    sweep: {algorithm: [scipy_bfgs, scipy_ls_lm, nlopt_bobyqa], problem: [rosenbrock_good_start, box_3d, meyer], budget: [60, 120]}
    chunk: 7
  ship:
    program: {transport: {supply: {a: 35, b: 60}, demand: {c: 32, d: 30}, cost: {a: {c: 2, d: 1}, b: {c: 3, d: 2.5}}}}
    sweep: {demand.d: {start: 20, stop: 70, count: 6}}
    chunk: 2
  net:
    train: {to: simulate.flow, inputs: [x, y, z], horizon: 0.02, layers: [4], epochs: 6}
    sweep: [{algorithm: [scipy_lbfgsb], starts: 2}, {algorithm: [sgd, adam], learning_rate: [0.01, 1e4]}]
    chunk: 3
  depots:
    program:
      facility:
        sites: {a: {capacity: 35, fixed: 20}, b: {capacity: 60, fixed: 50}}
        demand: {c: 32, d: 30}
        cost: {a: {c: 2, d: 1}, b: {c: 3, d: 2.5}}
    sweep: {fixed.b: [50, 90]}
  mix:
    program:
      linear:
        maximize: 5*p + 4*q
        variables: {p: {}, q: {}}
        parameters: {h: 24}
        constraints: {hours: 6*p + 4*q <= h, room: p + 2*q <= 6}
    sweep: {h: {start: 6, stop: 48, count: 8}}
fit:
  longley: {linear: "TOTEMP ~ GNP + YEAR", to: data.longley}
  shrunk: {linear: "TOTEMP ~ GNP + YEAR + UNEMP + ARMED", penalty: lasso, to: data.longley}
  rates: {linear: "UNEMP ~ GNP", family: gamma, link: log, to: data.longley}
  law: {linear: "steps ~ rho", to: simulate.many}
  growth: {curve: a*exp(b*(YEAR - 1947)), response: GNP, start: {a: 234289, b: 0.05}, to: data.longley}
  plane_of: {curve: a*GNP + b*UNEMP, response: TOTEMP, start: {a: 0, b: 1}, to: data.longley}
  found: {discover: {ensemble: 2}, to: simulate.flow}
  net: {network: {layers: [8]}, horizon: 0.02, to: simulate.flow, sweep: {solver: [lbfgs, adam]}}
  prices: {diffusion: geometric_brownian_motion, series: Adj Close, dt: 1/252, to: data.sp500}
  stock: {diffusion: geometric_brownian_motion, series: S, to: simulate.stock}
  ahead: {forecast: [quadratic], horizon: 1, training: 4, starts: 10, trainings: 1, delays: 2, to: simulate.flow}
"""

_WORK = {"simulate": (simulate_chunk, gather_members), "optimize": (solve_chunk, collect_trials)}


def make_tables(plan: Plan, folder: Path) -> None:
    """Make every table of a plan below a folder, by the library's own functions."""
    for section, (work, gather) in _WORK.items():
        for name in plan.entries[section]:
            block = plan.block(section, name)
            pieces = {kind: [folder / path for path in files] for kind, files in plan.pieces(section, name).items()}
            tables = {table: path if path.is_absolute() else folder / path for table, path in plan.reads(section, name).items()}
            for number, files in enumerate(zip(*pieces.values(), strict=True)):
                for file in files:
                    file.parent.mkdir(parents=True, exist_ok=True)
                work(block, number, *([tables] if section == "optimize" else []), *files)
            outputs = [folder / path for path in list_tables(section, name).values()]
            gather(block, pieces, *outputs)
    for name in plan.entries.get("fit", {}):
        source = next(iter(plan.reads("fit", name).values()))
        outputs = [folder / path for path in list_tables("fit", name).values()]
        fit_model(plan.block("fit", name), source if source.is_absolute() else folder / source, *outputs)


def make_page(config: str, folder: Path) -> Path:
    """Make all results of a config in a folder, by the library's own functions; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        Path("config.yaml").write_text(config)
        plan = Plan(load_config(Path("config.yaml")))
        make_tables(plan, Path())
        for section, name in plan.finals():
            if section != "report":
                write_receipt(
                    find_receipt(section, name), plan.origin(section, name), [p for p in plan.outputs(section, name) if p.exists()]
                )
        for piece, origin in plan.figure_pieces().items():
            draw_figures(origin.block, plan.figure_tables(piece), FIGURE_PIECES / piece)
        origin, inputs = plan.origin("report", "index"), plan.page_inputs()
        write_page(origin.block, inputs["pieces"], inputs["receipts"], PAGE, FIGURES)
        write_receipt(find_receipt("report", "index"), origin, [PAGE, FIGURES])
    return folder / PAGE
