"""R's surveillance on Noufaily's scenarios, where R and the package are installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._noufaily_simulation import TEST, WEEKS

_SCRIPT = """
suppressMessages(library(surveillance))
folder <- commandArgs(TRUE)[1]
first <- as.integer(commandArgs(TRUE)[2])
counts <- as.matrix(read.csv(file.path(folder, "counts.csv"), header = FALSE))
control <- list(range = first:ncol(counts), b = 5, w = 3, reweight = TRUE, weightsThreshold = 2.58,
                noPeriods = 10, pastWeeksNotIncluded = 26, pThresholdTrend = 1, trend = TRUE,
                thresholdMethod = "nbPlugin", alpha = 0.005, limit54 = c(5, 4), glmWarnings = FALSE)
flags <- t(apply(counts, 1, function(series) {
  weekly <- sts(observed = matrix(series), start = c(2000, 1), frequency = 52)
  as.integer(alarms(farringtonFlexible(weekly, control = control)))
}))
write.table(flags, file.path(folder, "flags.csv"), sep = ",", row.names = FALSE, col.names = FALSE)
"""


def has_surveillance() -> bool:
    """Whether `Rscript` can load the package."""
    program = shutil.which("Rscript")
    if program is None:
        return False
    asked = 'quit(status = !requireNamespace("surveillance", quietly = TRUE))'
    return subprocess.run([program, "-e", asked], capture_output=True, check=False).returncode == 0


def surveillance_flags(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Alarms of `farringtonFlexible` at alpha .005 on the test weeks, shape (series, WEEKS - TEST).

    counts: shape (series, WEEKS). Takes about 4 s a series. CalledProcessError where R fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savetxt(folder / "counts.csv", counts, fmt="%d", delimiter=",")
        (folder / "farrington.R").write_text(_SCRIPT, encoding="utf-8")
        command = ["Rscript", str(folder / "farrington.R"), str(folder), str(TEST + 1)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        flags = np.loadtxt(folder / "flags.csv", delimiter=",", ndmin=2)
    return flags.reshape(len(counts), WEEKS - TEST) > 0
