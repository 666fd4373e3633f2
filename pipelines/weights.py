"""Learned weights as a file: one Parquet file for all languages, named by the hash of what it says.

Columns: language; feature, an id of `detectors.features`, or 4 times the place of a hint's level, from 1;
squared (0 for hints); low, middle, high. It holds ids and whole numbers, and no word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.errors import SettingsError
from connectors.log.durable import write_whole
from detectors.text_weights import Quantised

SCHEMA = pa.schema(
    [
        pa.field("language", pa.string(), nullable=False),
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("squared", pa.int64(), nullable=False),
        pa.field("low", pa.int64(), nullable=False),
        pa.field("middle", pa.int64(), nullable=False),
        pa.field("high", pa.int64(), nullable=False),
    ]
)
_CLASSES = ("low", "middle", "high")
_FORMAT = b"vigie weights 1"
_NOT_WEIGHTS = "{}: not a file of weights; put the one back that `vigie learn` wrote"


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned, by language. Columns of the weights: low, middle and high scores."""

    languages: Mapping[str, Quantised]

    @property
    def version(self) -> str:
        """BLAKE2b of the content, 32 hexadecimal digits."""
        digest = blake2b(_FORMAT, digest_size=16)
        table = _as_table(self)
        for name in SCHEMA.names:
            column = table[name].combine_chunks()
            data = (
                "\n".join(column.to_pylist()).encode() if name == "language" else column.to_numpy().tobytes()
            )
            digest.update(data)
        return digest.hexdigest()

    @property
    def file_name(self) -> str:
        """What a file of it is called."""
        return f"weights-{self.version}.parquet"


def write_weights(folder: Path, weights: Weights) -> Path:
    """Write the file into a folder, whole or not at all; returns where."""
    file = folder / weights.file_name
    table = _as_table(weights)
    write_whole(file, lambda out: pq.write_table(table, out, compression="zstd"))
    return file


def read_weights(file: Path) -> Weights:
    """What `write_weights` wrote; SettingsError if it is not there, damaged, or another's name."""
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise SettingsError(f"{file}: no such file; `vigie learn` makes one and says its name") from error
    except OSError as error:
        raise SettingsError(_NOT_WEIGHTS.format(file)) from error
    return weights_in(content, where=str(file), name=file.name)


def weights_in(content: bytes, *, where: str, name: str) -> Weights:
    """The weights of a file's content. where: as messages name the file; name: its own, which it must bear.

    Raises SettingsError as `read_weights`.
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (OSError, pa.ArrowException) as error:
        raise SettingsError(_NOT_WEIGHTS.format(where)) from error
    if table.schema.names != SCHEMA.names or table.schema.types != SCHEMA.types:
        raise SettingsError(f"{where}: its columns are not those of weights; run `vigie learn` again")
    weights = Weights(
        {language: _of_language(table, language) for language in sorted(set(table["language"].to_pylist()))}
    )
    if weights.file_name != name:
        raise SettingsError(
            f"{where}: holds {weights.file_name}; a file of weights is named by its content and never "
            "changed: put the one back that `vigie learn` wrote"
        )
    return weights


def _as_table(weights: Weights) -> pa.Table:
    tables = [SCHEMA.empty_table()]
    for language, given in sorted(weights.languages.items()):
        levels = given.hints.shape[0]
        # The two lowest bits of a feature's id are never 0: a hint is mistaken for none.
        hints = 4 * np.arange(1, levels + 1, dtype=np.uint64)
        columns = [
            pa.array([language] * (levels + given.features.size)),
            pa.array(np.concatenate([hints, given.features])),
            pa.array(np.concatenate([np.zeros(levels, np.int64), given.squared])),
            *(
                pa.array(np.concatenate([given.hints[:, number], given.weights[:, number]]))
                for number in range(len(_CLASSES))
            ),
        ]
        tables.append(pa.Table.from_arrays(columns, schema=SCHEMA))
    return pa.concat_tables(tables)


def _of_language(table: pa.Table, language: str) -> Quantised:
    mine = table.filter(pc.equal(table["language"], language))
    features, squared = mine["feature"].to_numpy(), mine["squared"].to_numpy()
    weights = np.stack([mine[name].to_numpy() for name in _CLASSES], axis=1)
    hint = squared == 0
    return Quantised(features[~hint], weights[~hint], squared[~hint], weights[hint])
