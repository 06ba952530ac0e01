"""Which pictures a run gets, from which model, and that stored ones are drawn the same again."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spikepool.data.spike_counts import Factor
from spikepool.errors import BadDataError
from spikepool.models.spec import ModelSpec
from spikepool.posterior.results import PredictiveBand
from spikepool.report.count_pictures import pictures_of_counts
from spikepool.report.pictures import redraw_pictures, render_pictures
from spikepool.report.plots.registry import PICTURES
from spikepool.report.plots.style import PlotStyle

POISSON = ModelSpec("poisson", "partial", None)
NB2 = {pooling: ModelSpec("nb2", pooling, pooling) for pooling in ("none", "complete", "partial")}
OF_POPULATIONS = {"shrinkage", "own_weight", "tau_prior_posterior", "trace"}
OF_ALL = {"overdispersion", "forest", "predictive", "calibration"}


@pytest.fixture
def run_of(make_run):
    """Return a function from models and the primary one to a run of them."""
    edges = np.arange(4.0)
    band = PredictiveBand(edges[:-1], edges[1:], *np.array([[3, 1, 0]] * 4, dtype=float))

    def build(*specs, primary=None):
        run = make_run()
        run = replace(run, predictive=replace(run.predictive, count=band, fano=band))
        models = tuple(model for model in run.models if model.spec in specs)
        return replace(run, models=models, primary=primary or specs[0])

    return build


@pytest.fixture
def undrawn(monkeypatch):
    """Let pictures be prepared and not drawn, for tests of their numbers."""
    for name in PICTURES:
        monkeypatch.setitem(PICTURES, name, lambda *_: None)


def render(run, *formats, interval=0.95):
    """Render every picture of a run."""
    return dict(render_pictures(pictures_of_counts(run, interval), formats, PlotStyle()))


def models_of(files):
    """Return the model of each picture that has one."""
    about = json.loads(files["plots/data/about.json"])
    return {name: fields["model"] for name, fields in about.items() if fields["model"]}


def numbers_of(files, name):
    """Return the numbers behind a picture."""
    return pd.read_csv(io.BytesIO(files[f"plots/data/{name}.csv"]))


@pytest.mark.usefixtures("undrawn")
def test_every_picture_of_a_full_run_is_of_the_primary_model(run_of):
    """Eight pictures and one of the counts; each with its numbers, and a word on the fit."""
    files = render(run_of(*NB2.values(), POISSON, primary=NB2["partial"]))
    wanted = OF_POPULATIONS | OF_ALL | {"dispersion_shrinkage"}
    assert models_of(files) == dict.fromkeys(wanted, "NB2 partial")
    names = wanted | {"variance_parts"}
    assert set(files) == {f"plots/data/{name}.csv" for name in names} | {"plots/data/about.json"}
    about = json.loads(files["plots/data/about.json"])["forest"]
    assert about == {
        "model": "NB2 partial", "n_neurons": 6, "n_trials": 24, "rate_unit": "spikes/s",
        "interval": 0.95,
    }  # fmt: skip


@pytest.mark.parametrize("formats", [("png",), ("svg", "pdf")])
def test_formats_are_those_asked_for(run_of, formats):
    """Of every picture, by their first bytes."""
    files = render(run_of(POISSON), *formats)
    names = {*models_of(files), "variance_parts"}
    pictures = {name for name in files if not name.startswith("plots/data/")}
    assert pictures == {f"plots/{name}.{suffix}" for name in names for suffix in formats}
    first = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for picture in pictures:
        assert files[picture].startswith(first[picture.rsplit(".")[-1]])


@pytest.mark.usefixtures("undrawn")
def test_without_partial_pooling_there_is_no_picture_of_it(run_of):
    """Three are left."""
    assert set(models_of(render(run_of(NB2["none"], NB2["complete"])))) == OF_ALL


@pytest.mark.usefixtures("undrawn")
def test_poisson_has_no_picture_of_dispersions_shrinking(run_of):
    """And the overdispersion picture shows the data alone."""
    files = render(run_of(POISSON))
    assert set(models_of(files)) == OF_POPULATIONS | OF_ALL
    assert set(models_of(files).values()) == {"Poisson partial"}


@pytest.mark.usefixtures("undrawn")
def test_each_picture_takes_the_model_that_can_show_it(run_of):
    """Primary without pooling: the populations are of its family's pooled model."""
    files = render(run_of(NB2["none"], POISSON, NB2["partial"]))
    shown = models_of(files)
    assert {shown[name] for name in OF_POPULATIONS | {"dispersion_shrinkage"}} == {"NB2 partial"}
    assert {shown[name] for name in OF_ALL} == {"NB2 none"}


@pytest.mark.usefixtures("undrawn")
def test_overdispersion_is_of_a_model_that_has_it(run_of):
    """Primary Poisson: NB2 pooled alike stands behind that one picture."""
    shown = models_of(render(run_of(POISSON, *NB2.values())))
    assert shown.pop("overdispersion") == "NB2 partial"
    assert set(shown.values()) == {"Poisson partial"}


@pytest.mark.usefixtures("undrawn")
def test_matched_fano_is_made_where_there_are_pairs(matched_run):
    """With the numbers of every pair, method and bin."""
    band = PredictiveBand(np.arange(3.0), np.arange(1.0, 4), *np.ones((4, 3)))
    check = replace(matched_run.predictive, count=band, fano=band)
    files = render(replace(matched_run, predictive=check))
    data = numbers_of(files, "matched_fano")
    assert list(data["part"]) == ["fano"] * 3 + ["means"] * 2 + ["fano"] * 2 + ["means"] * 2
    assert list(data["difference_upper"][:3]) == [1, 1, 1]
    assert list(data["common"][3:5]) == [0, 3]


@pytest.mark.usefixtures("undrawn")
def test_forest_has_the_unpooled_rates_beside(run_of):
    """Where that model was fitted."""
    alone = numbers_of(render(run_of(NB2["partial"])), "forest")
    beside = numbers_of(render(run_of(NB2["partial"], NB2["none"])), "forest")
    assert alone["raw_lower"].isna().all()
    assert beside["raw_lower"].notna().all()


@pytest.mark.usefixtures("undrawn")
def test_priors_are_those_of_the_fit(run_of):
    """τ: half-Cauchy(1); τ_δ: half-normal(0.5); as far as the posterior reaches and beyond."""
    run = run_of(NB2["partial"])
    data = numbers_of(render(run), "tau_prior_posterior")
    prior = data[data["part"] == "prior"]
    wanted = {"tau": stats.halfcauchy(), "tau_delta": stats.halfnorm(scale=0.5)}
    for name, distribution in wanted.items():
        curve = prior[prior["parameter"] == name]
        np.testing.assert_allclose(curve["density"], distribution.pdf(curve["value"]), rtol=1e-7)
        assert curve["value"].max() > run.primary_model.groups[0].hyperparameters[name].max()


@pytest.mark.usefixtures("undrawn")
def test_spreads_of_conditions_have_their_priors_too(run_of):
    """ω_b and ω_c, each half-normal(1), beside τ."""
    run = run_of(POISSON)
    model = run.primary_model
    group = model.groups[0]
    tau = np.abs(group.hyperparameters["tau"])
    own = {"tau": tau, "tuning_sd": 0.5 * tau, "condition_sd": 0.2 * tau}
    model = replace(model, groups=(replace(group, hyperparameters=own),))
    data = numbers_of(render(replace(run, models=(model,))), "tau_prior_posterior")
    summary = data[data["part"] == "summary"].set_index("parameter")["value"]
    assert list(summary.index) == ["tau", "tuning_sd", "condition_sd"]
    assert summary["tuning_sd"] == pytest.approx(0.5 * summary["tau"])
    for name in ("tuning_sd", "condition_sd"):
        curve = data[(data["part"] == "prior") & (data["parameter"] == name)]
        wanted = stats.halfnorm().pdf(curve["value"])
        np.testing.assert_allclose(curve["density"], wanted, rtol=1e-7)


@pytest.mark.usefixtures("undrawn")
def test_interval_reaches_the_pictures(run_of):
    """In the numbers and in what the picture says of itself."""
    files = render(run_of(NB2["partial"]), interval=0.5)
    assert json.loads(files["plots/data/about.json"])["shrinkage"]["interval"] == 0.5
    data = numbers_of(files, "tau_prior_posterior")
    summary = data[(data["part"] == "summary") & (data["parameter"] == "tau")].iloc[0]
    draws = run_of(NB2["partial"]).primary_model.groups[0].hyperparameters["tau"]
    assert (summary["lower"], summary["upper"]) == pytest.approx(np.quantile(draws, [0.25, 0.75]))


@pytest.mark.usefixtures("undrawn")
class TestTuning:
    """Made where a model has responses to conditions."""

    DIRECTION = Factor("direction", ("0", "45", "90"), 360.0)

    def test_it_is_of_the_primary_model(self, in_conditions):
        """With the stimulus as it was read, and raw strengths of half a spike more."""
        run = in_conditions(self.DIRECTION)
        files = render(run)
        assert models_of(files)["tuning"] == run.primary.label
        data = numbers_of(files, "tuning")
        axis = data[data["part"] == "axis"].iloc[0]
        assert (axis["axis"], axis["kind"], axis["period"]) == (
            "direction (degrees)",
            "circular",
            360,
        )
        assert set(data[data["part"] == "response"]["x"]) == {0, 45, 90}
        raw = data[data["part"] == "neuron"].set_index("neuron").loc["007", "raw_strength"]
        # 3 + 0, 5 + 2 and 1 + 8 spikes in a second each
        assert raw == pytest.approx(np.std(np.log([3.5, 7.5, 9.5]), ddof=1))

    def test_it_prefers_pooled_responses(self, in_conditions):
        """Primary complete: of its family's models that with partial pooling."""
        run = in_conditions(self.DIRECTION)
        specs = {model.spec.pooling: model.spec for model in run.models}
        shown = models_of(render(replace(run, primary=specs["complete"])))
        assert shown["tuning"] == run.primary.label
        free = tuple(model for model in run.models if model.spec.pooling != "partial")
        shown = models_of(render(replace(run, primary=specs["complete"], models=free)))
        assert shown["tuning"] == specs["none"].label

    def test_without_responses_there_is_none(self, in_conditions):
        """Conditions taken as repeats."""
        run = in_conditions(self.DIRECTION)
        models = tuple(model for model in run.models if model.spec.pooling == "complete")
        assert "tuning" not in models_of(
            render(replace(run, models=models, primary=models[0].spec))
        )


class TestDrawnAgain:
    """From the stored numbers alone."""

    @pytest.fixture
    def files(self, run_of):
        """Return the pictures of a full run, as SVG."""
        return render(run_of(*NB2.values(), POISSON, primary=NB2["partial"]), "svg")

    @pytest.fixture
    def few(self, run_of):
        """Return the numbers of a run without populations."""
        with pytest.MonkeyPatch.context() as patch:
            for name in PICTURES:
                patch.setitem(PICTURES, name, lambda *_: None)
            return render(run_of(NB2["none"]))

    @staticmethod
    def again(files, about=None, **changed):
        """Draw them again, with the text of some numbers changed."""
        tables = {
            path.removeprefix("plots/data/").removesuffix(".csv"): content.decode()
            for path, content in files.items()
            if path.endswith(".csv")
        }
        about = about or files["plots/data/about.json"]
        return dict(redraw_pictures(about, {**tables, **changed}, ("svg",), PlotStyle()))

    def test_pictures_are_byte_for_byte_the_same(self, files):
        """No number of a picture is lost in its file."""
        drawn = self.again(files)
        assert drawn == {name: data for name, data in files.items() if name.endswith(".svg")}

    def test_names_of_neurons_survive(self, few):
        """`007`, `NA` and one with a comma, quotes and line ends."""
        names = pd.read_csv(
            io.BytesIO(few["plots/data/forest.csv"]), dtype=str, keep_default_na=False
        )["neuron"]
        assert {"007", "7", "NA", "-1"} <= set(names)
        assert any("\n" in name for name in names)

    @pytest.mark.parametrize("about", [b"", b"{", b"[]", b'{"forest": {}}', b"\xff", b'{"x": 1}'])
    def test_changed_description_is_bad_data(self, few, about):
        """Named as the file that it is."""
        with pytest.raises(BadDataError, match=r"about\.json is not as it was written"):
            self.again(few, about=about or b" ")

    @pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "part,rate\nneuron,many\n"])
    def test_changed_numbers_are_bad_data(self, few, text):
        """Named as the file that they are."""
        with pytest.raises(BadDataError, match=r"forest\.csv is not as it was written"):
            self.again(few, forest=text)
