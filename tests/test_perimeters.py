"""Names of places to paths of the tree."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import SettingsError
from connectors.perimeters import (
    PerimeterTree,
    division,
    levels,
    moved,
    parent,
    read_perimeters,
    slug_path,
    slugify,
)

CSV = """perimeter,name,aliases
enseigne,Enseigne,
enseigne/nord,Hauts-de-France,HDF|Région Nord
enseigne/nord/lille-2,Lille Europe,L02|Magasin 0042
enseigne/nord/centre,Centre-ville,
enseigne/sud/centre,Centre-ville,
enseigne/sud/nice/rayon-four,,
"""


@pytest.fixture
def tree(tmp_path: Path) -> PerimeterTree:
    return read_perimeters(write(tmp_path, CSV))


def write(folder: Path, content: str) -> Path:
    path = folder / "perimetres.csv"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("enseigne/nord/lille-2", "enseigne/nord/lille-2"),
        ("Enseigne / NORD / Lille 2", "enseigne/nord/lille-2"),
        ("lille-2", "enseigne/nord/lille-2"),
        ("Lille 2", "enseigne/nord/lille-2"),
        ("LILLE EUROPE", "enseigne/nord/lille-2"),
        ("l02", "enseigne/nord/lille-2"),
        ("magasin-0042", "enseigne/nord/lille-2"),
        ("Nord/Lille Europe", "enseigne/nord/lille-2"),
        ("Hauts de France / L02", "enseigne/nord/lille-2"),
        ("enseigne/Lille-2", "enseigne/nord/lille-2"),
        ("région nord", "enseigne/nord"),
        ("sud", "enseigne/sud"),
        ("Nord/Centre-Ville", "enseigne/nord/centre"),
        ("Sud/Centre", "enseigne/sud/centre"),
        ("Nice / Rayon four", "enseigne/sud/nice/rayon-four"),
        ("Enseigne", "enseigne"),
        ("Centre", None),  # two of them
        ("Centre-ville", None),
        ("Sud/Lille 2", None),  # not under the south
        ("Lille 3", None),
        ("", None),
        (" / ", None),
        ("!!!", None),
    ],
)
def test_resolve_in_a_tree_from_csv(tree: PerimeterTree, raw: str, path: str | None) -> None:
    assert tree.resolve(raw) == path
    assert tree.resolve(raw) == path  # remembered


def test_a_csv_may_use_semicolons_and_a_mark(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffperimeter;name\r\nenseigne/nord;Le Nord\r\n")
    assert read_perimeters(path).resolve("le nord") == "enseigne/nord"


def test_parents_are_made_and_names_kept(tree: PerimeterTree) -> None:
    assert "enseigne/sud/nice" in tree.paths
    assert tree.name("enseigne/nord") == "Hauts-de-France"
    assert tree.name("enseigne/sud/nice") == "nice"


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ("perimeter\nenseigne/a\nenseigne/A\n", [":3: perimeter enseigne/a is already on line 2"]),
        ("perimeter,aliases\nr/a,X|Y\nr/b,y\n", [":3: alias 'y' is already on line 2"]),
        ("perimeter,name\nr/a,A\n  ,B\n", [":3: perimeter is '  '"]),
        ("perimeter\nr/a\nq/b\n", [":3: a second root 'q', the first is 'r'"]),
        ("perimeter\nr/a\nr/a\nq\n", [":3: perimeter r/a", ":4: a second root"]),
        ("place,name\nr/a,A\n", [":1: the columns are ['place', 'name']"]),
        ("perimeter,alias\nr/a,A\n", [":1: the columns are"]),
        ("perimeter\n", ["no perimeter"]),
        ("perimeter,moved_from\nr/a,r/b\nr/b,\n", [":2: moved_from is r/b, which is still in the tree"]),
        ("perimeter,moved_from\nr/b/c,\nr/a,r/b\n", [":3: moved_from is r/b, which is still in the tree"]),
        ("perimeter,moved_from\nr/a,r/o|r/p\nr/b,r/p\n", [":3: moved_from r/p is already on line 2"]),
        ("perimeter,moved_from\nr/a,q/o|r\n", [":2: moved_from is q/o;", ":2: moved_from is r; it must be"]),
        ("", [":1: the columns are []"]),
    ],
)
def test_every_fault_is_told_with_its_line(tmp_path: Path, content: str, faults: list[str]) -> None:
    path = write(tmp_path, content)
    with pytest.raises(SettingsError) as raised:
        read_perimeters(path)
    lines = str(raised.value).split("\n")
    assert len(lines) == len(faults)
    for line, fault in zip(lines, faults, strict=True):
        assert line.startswith(str(path))
        assert fault in line


def test_an_unreadable_csv_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_perimeters(tmp_path / "absent.csv")
    path = tmp_path / "cp1252.csv"
    path.write_bytes("perimeter\nr/é\n".encode("cp1252"))
    with pytest.raises(SettingsError, match="UTF-8"):
        read_perimeters(path)


REORGANISED = """perimeter,name,aliases,moved_from
enseigne,Enseigne,,
enseigne/hauts,Hauts-de-France,,enseigne/nord|enseigne/region-1
enseigne/hauts/lille,Lille,,
enseigne/hauts/lens,Lens,,
enseigne/ouest/caen,Caen,L7,enseigne/hauts/caen | Enseigne/Centre/Caen
"""


def test_places_that_moved_are_known_by_their_old_paths(tmp_path: Path) -> None:
    tree = read_perimeters(write(tmp_path, REORGANISED))
    assert tree.moves == {
        "enseigne/nord": "enseigne/hauts",
        "enseigne/region-1": "enseigne/hauts",
        "enseigne/hauts/caen": "enseigne/ouest/caen",
        "enseigne/centre/caen": "enseigne/ouest/caen",
    }
    now = {
        "enseigne/nord": "enseigne/hauts",
        "Nord / Lille": "enseigne/hauts/lille",
        "enseigne/region-1/lens": "enseigne/hauts/lens",
        # Its region moved first, and then the store.
        "enseigne/nord/caen": "enseigne/ouest/caen",
        "Centre/Caen": "enseigne/ouest/caen",
        "enseigne/hauts/lille": "enseigne/hauts/lille",
        "L7": "enseigne/ouest/caen",
        # A store that was there before the move and is no longer.
        "enseigne/nord/douai": None,
        "enseigne/centre": None,
    }
    assert {raw: tree.resolve(raw) for raw in now} == now
    assert "enseigne/nord" not in tree.paths


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda names: "/".join(["r", *names]))


@settings(deadline=None, max_examples=200)
@given(path=PATHS, moves=st.dictionaries(PATHS, PATHS, max_size=4))
def test_a_move_ends_somewhere_and_keeps_what_is_below(path: str, moves: dict[str, str]) -> None:
    now = moved(path, moves)
    assert now.split("/")[0] == "r"
    if not any(level in moves for level in levels(path)):
        assert now == path
    # What stands below a place that has no move of its own goes where the place goes.
    below = f"{path}/z"
    if not any(level.startswith(f"{path}/") for level in moves):
        assert moved(below, moves) == f"{now}/z"


def test_a_tree_of_the_paths_met() -> None:
    tree = PerimeterTree("Mon Enseigne")
    assert tree.resolve("Hauts-de-France/Lille 2 Œuvre") == "mon-enseigne/hauts-de-france/lille-2-oeuvre"
    assert tree.resolve("mon-enseigne/Sud") == "mon-enseigne/sud"
    assert tree.resolve("mon-enseigne") == "mon-enseigne"
    assert tree.resolve("Nord//") == "mon-enseigne/nord"
    assert tree.resolve(" - ") is None
    assert tree.paths == (
        "mon-enseigne",
        "mon-enseigne/hauts-de-france",
        "mon-enseigne/hauts-de-france/lille-2-oeuvre",
        "mon-enseigne/nord",
        "mon-enseigne/sud",
    )


def test_paths() -> None:
    assert parent("r/a/b") == "r/a"
    assert parent("r") is None
    assert division("r/a/b/c") == "r/a"
    assert division("r") == "r"
    assert levels("r/a/b") == ("r/a/b", "r/a", "r")


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=30))
def test_slugs_are_stable_and_hold_no_slash(name: str) -> None:
    slug = slugify(name)
    assert slugify(slug) == slug
    assert "/" not in slug
    assert slug == slug.strip("-")


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="aÉ/ -.1", max_size=20))
def test_what_a_tree_gives_is_under_its_root_and_resolves_to_itself(raw: str) -> None:
    tree = PerimeterTree("r")
    path = tree.resolve(raw)
    if path is None:
        assert not slug_path(raw)
    else:
        assert levels(path)[-1] == "r"
        assert tree.resolve(path) == path
        assert set(levels(path)) <= set(tree.paths)
