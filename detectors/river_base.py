"""river's class of anomaly detectors, without all the detectors of the package that it is in.

`import river.anomaly` runs them all, with scipy's statistics, pandas and scikit-learn behind them: a second
and 95 MiB in every process, of which nothing else here needs any. The class is the same to river when the
package is imported later, so that its functions know our estimators for what they are.
"""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from river.anomaly.base import AnomalyDetector
else:

    def _base() -> ModuleType:
        """The module `river.anomaly.base`, as an import would find it."""
        name = "river.anomaly.base"
        if name not in sys.modules:
            package = find_spec("river.anomaly")
            place = Path(package.submodule_search_locations[0], "base.py")
            spec = spec_from_file_location(name, place)
            sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    AnomalyDetector = _base().AnomalyDetector

__all__ = ["AnomalyDetector"]
