"""Admission: what every text passes before anything of it is stored.

Identity first (so that nothing counts twice), then the checks, then pseudonyms, redaction and language.
"""

from connectors.admission.admit import REASONS, Admission, Admitted, SourceAdmission, unknown_perimeter
from connectors.admission.redaction import Redactor, read_names

__all__ = [
    "REASONS",
    "Admission",
    "Admitted",
    "Redactor",
    "SourceAdmission",
    "read_names",
    "unknown_perimeter",
]
