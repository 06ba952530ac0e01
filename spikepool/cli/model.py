"""`spikepool model`: the models of a fit, in words or as a graph."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spikepool.cli.environment import prepare_environment
from spikepool.cli.options import ConfigFile, Debug, Settings, options_from_config

if TYPE_CHECKING:
    from spikepool.config import RunConfig
    from spikepool.data.tally import Tally


@options_from_config("input", "model")
def model_command(
    settings: Settings,
    style: Annotated[
        Literal["text", "graphviz"],
        typer.Option("--format", help="text, or the source of a Graphviz drawing."),
    ] = "text",
    config: ConfigFile = None,
    debug: Debug = False,
) -> None:
    """Print the models that a fit of the tables would use: likelihood, populations, priors.

    With groups each model holds for every one of them, with parameters of its own; a drawing is
    made of each. Without a table the centre of the rates' prior, which a table gives, is m0.

    Example: spikepool model counts.csv --family nb2 --pooling partial --format graphviz
    """
    del debug  # read by the error handler
    prepare_environment()
    from spikepool.config_file import read_settings, resolve_config
    from spikepool.models.describe import describe_model
    from spikepool.models.kind import reads_estimates
    from spikepool.models.plan import plan_models
    from spikepool.models.prior_spec import given_priors
    from spikepool.models.priors import DEFAULTS_IN_SYMBOLS

    resolved = resolve_config(read_settings(config) if config else {}, settings)
    if reads_estimates(resolved):
        _print_normal_models(resolved, style)
        return
    tally = _tally(resolved)
    plan = plan_models(resolved.model, tally)
    if style == "text":
        untabled = {} if resolved.input.tables else DEFAULTS_IN_SYMBOLS
        given = given_priors(resolved.model)
        symbols = {name: text for name, text in untabled.items() if name not in given}
        texts = (
            describe_model(spec, plan.priors, in_symbols=symbols, groups=tally.groups)
            for spec in plan.specs
        )
        print("\n\n".join(texts))
        return
    import pymc as pm

    from spikepool.models.graph import build_model
    from spikepool.posterior.groups import parts_of

    for spec in plan.specs:
        for part in parts_of(spec, tally):
            print(pm.model_to_graphviz(build_model(spec, part.tally, plan.priors)).source)


def _print_normal_models(config: "RunConfig", style: Literal["text", "graphviz"]) -> None:
    """Print the models of estimates; without a table, of two estimates of 0 ± 1."""
    import numpy as np

    from spikepool.data.estimates import Estimates
    from spikepool.data.read_estimates import read_estimates
    from spikepool.models.normal_normal import build_normal_model
    from spikepool.models.normal_plan import describe_normal_model, plan_normal_models
    from spikepool.models.normal_priors import DEFAULTS_IN_SYMBOLS
    from spikepool.models.prior_spec import given_priors

    known = bool(config.input.tables)
    standing_in = Estimates(("a", "b"), np.zeros(2), np.ones(2))
    estimates = read_estimates(config.input) if known else standing_in
    plan = plan_normal_models(config.model, estimates)
    if style == "text":
        given = given_priors(config.model)
        untabled = {} if known else DEFAULTS_IN_SYMBOLS
        symbols = {name: text for name, text in untabled.items() if name not in given}
        texts = (describe_normal_model(s, plan.priors, in_symbols=symbols) for s in plan.specs)
        print("\n\n".join(texts))
        return
    import pymc as pm

    for spec in plan.specs:
        centring = np.ones(estimates.n_neurons)
        model = build_normal_model(spec, estimates, plan.priors, centring)
        print(pm.model_to_graphviz(model).source)


def _tally(config: "RunConfig") -> "Tally":
    """Return the tables' tally, or that of two silent neurons where there is no table."""
    import numpy as np

    from spikepool.data.read import read_counts
    from spikepool.data.spike_counts import Labels, SpikeCounts
    from spikepool.data.tally import tally_counts

    if config.input.tables:
        return tally_counts(read_counts(config.input))
    neuron = Labels("neuron", ("a", "b"), np.array([0, 0, 1, 1]))
    zeros = np.zeros(4, dtype=np.int64)
    return tally_counts(SpikeCounts(neuron, zeros, np.ones(4), exposure_known=False))
