"""`spikepool fit` against Bambi's same model, both as whole processes from the shell.

Bambi is not among spikepool's requirements: install it in an environment of its own, then run
``python tests/benchmarks/fit_against_bambi.py TABLE.csv --bambi ENVIRONMENT/bin/python``. The model
is NB2 with a log-normal population of rates and one of dispersions; Bambi samples it with its
defaults, 4 chains of 1,000 draws after 1,000 steps of tuning. Both run one after the other: read
the ratio, not the seconds.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAMBI = """
import sys
import bambi
import pandas as pd
table = pd.read_csv(sys.argv[1])
formula = bambi.Formula("count ~ 1 + (1 | neuron)", "alpha ~ 1 + (1 | neuron)")
model = bambi.Model(formula, table, family="negativebinomial")
posterior = model.fit(chains=4, cores=2, random_seed=1, progressbar=False).posterior
for name in ("Intercept", "1|neuron_sigma", "alpha_Intercept", "alpha_1|neuron_sigma"):
    print(f"  {name:22}{float(posterior[name].mean()):8.4f} ({float(posterior[name].std()):.4f})")
"""


def seconds(command):
    """Run a command, its output here, and return the wall time."""
    begin = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - begin


def main():
    """Time both, the shorter one three times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--bambi", required=True, help="a Python that has Bambi")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spikepool = Path(sys.executable).with_name("spikepool")
        fit = [spikepool, "fit", options.table, "-o", f"{folder}/out"]
        fit += ["--family", "nb2", "--pooling", "partial", "--plots", "none", "--quiet"]
        fit += ["--if-exists", "replace"]
        own = [seconds(fit) for _ in range(3)]
        print("spikepool", ", ".join(f"{each:.1f} s" for each in own))
        other = seconds([options.bambi, "-W", "ignore", "-c", BAMBI, options.table])
    print(f"Bambi {other:.1f} s, {other / min(own):.0f} times as long")


if __name__ == "__main__":
    main()
