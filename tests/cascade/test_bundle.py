"""The bundle: whatever happened to the folder, it loads as it was written or says what is wrong."""

from __future__ import annotations

import ast
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cascade import bundle
from cascade.bundle import Bundle, Columns, Manifest, verify
from cascade.errors import BundleError
from cascade.router import Cascade
from cascade.saving import write

ROOT = Path(__file__).parent.parent.parent
TICKET = "cannot log into the vpn since this morning"
MANIFEST = Manifest(
    name="it",
    created="2026-01-01T00:00:00+00:00",
    heads={"queue": ("access", "bug")},
    stages=("linear",),
    columns=Columns(("subject", "body"), "queue", ("urgency",), "id"),
    clean_version=1,
    data={"rows": 100},
    figures={"tickets": 10},
)
FILES = {"linear/config.json": b"{}", "gates.json": b"[]", "card.md": b"# it"}

Seal = Callable[[Path], None]


@pytest.fixture
def copy(linear_bundle: Path, tmp_path: Path) -> Path:
    """A real bundle to be damaged."""
    return Path(shutil.copytree(linear_bundle, tmp_path / "bundle"))


def edit(folder: Path, **values: Any) -> None:
    """Set fields of the manifest."""
    file = folder / "bundle.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def names(folder: Path) -> list[str]:
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


# --- what was written is read ---


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    written = write(tmp_path / "deep" / "it", MANIFEST, FILES)
    opened = Bundle.open(tmp_path / "deep" / "it")
    assert opened.manifest == MANIFEST
    assert opened.id == written.id
    assert {name: opened.read(name) for name in FILES} == FILES
    assert verify(tmp_path / "deep" / "it") == MANIFEST


def test_the_id_changes_with_everything_that_bears_on_an_answer(tmp_path: Path) -> None:
    def id_of(manifest: Manifest, files: dict[str, bytes]) -> str:
        return write(tmp_path / "it", manifest, files).id

    first = id_of(MANIFEST, FILES)
    assert first.startswith("it-")
    assert id_of(replace(MANIFEST, created="later", figures={}), FILES) == first
    assert id_of(MANIFEST, {**FILES, "card.md": b"p95 7.3 ms"}) == first
    assert id_of(MANIFEST, {**FILES, "gates.json": b"{}"}) != first
    assert id_of(replace(MANIFEST, heads={"queue": ("bug", "access")}), FILES) != first


def test_a_bundle_can_be_moved(copy: Path, tmp_path: Path) -> None:
    before = Cascade.load(copy)
    copy.rename(tmp_path / "elsewhere")
    after = Cascade.load(tmp_path / "elsewhere")
    assert after.bundle_id == before.bundle_id
    assert after.route([TICKET])[0].queue == before.route([TICKET])[0].queue


# --- damage ---


@pytest.mark.parametrize("name", ["gates.json", "linear/model.safetensors", "card.md"])
def test_a_damaged_file_is_named(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{name}: damaged or changed"):
        Cascade.load(copy)


@pytest.mark.parametrize("name", ["gates.json", "linear/vocabulary.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: missing"):
        Cascade.load(copy)


def test_a_file_that_is_a_folder(copy: Path) -> None:
    (copy / "card.md").unlink()
    (copy / "card.md").mkdir()
    with pytest.raises(BundleError, match=r"card\.md: "):
        Cascade.load(copy)


def test_a_file_that_never_ends_is_not_waited_for(copy: Path) -> None:
    (copy / "card.md").unlink()
    os.mkfifo(copy / "card.md")
    with pytest.raises(BundleError, match=r"card\.md: not a regular file"):
        Cascade.load(copy)


def test_a_file_beyond_all_bounds_is_not_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_FILE_BYTES", 10)
    with pytest.raises(BundleError, match=r"bundle\.json: larger than 10 bytes"):
        Bundle.open(copy)


@pytest.mark.parametrize("make", ["nothing", "file", "empty"])
def test_a_folder_that_is_no_bundle_is_told_how_to_train_one(tmp_path: Path, make: str) -> None:
    path = tmp_path / "it"
    if make == "file":
        path.write_text("hello")
    elif make == "empty":
        path.mkdir()
    with pytest.raises(BundleError, match=r"not a bundle .*; train one: cascade train"):
        Bundle.open(path)


def test_a_name_that_no_file_can_have_is_no_bundle() -> None:
    with pytest.raises(BundleError, match=r"x: cannot be read \(File name too long\)"):
        Bundle.open("x" * 300)


def test_a_newer_format_asks_for_an_upgrade(copy: Path) -> None:
    edit(copy, format=bundle.FORMAT + 1)
    with pytest.raises(BundleError, match=r"format 2 is newer .* upgrade"):
        Cascade.load(copy)


@pytest.mark.parametrize("version", ["1", None, 1.0, True, 0, -1, [1]])
def test_a_format_that_is_no_number_of_one(copy: Path, version: object) -> None:
    edit(copy, format=version)
    with pytest.raises(BundleError, match="format"):
        Cascade.load(copy)


def test_other_cleaning_asks_for_training(copy: Path) -> None:
    edit(copy, clean_version=0)
    with pytest.raises(BundleError, match="trained with version 0 of the cleaning"):
        Cascade.load(copy)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"format": 1}', b"1" * 5000],
)
def test_a_manifest_that_is_not_one(copy: Path, content: bytes) -> None:
    (copy / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle\.json: damaged"):
        Bundle.open(copy)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("files", ["gates.json"]),
        ("files", None),
        ("heads", []),
        ("heads", {"queue": 5}),
        ("heads", {}),
        ("heads", {"urgency": ["a", "b"]}),
        ("heads", {"queue": ["only"]}),
        ("heads", {"queue": ["twice", "twice"]}),
        ("stages", 5),
        ("stages", []),
        ("stages", ["linear", "oracle"]),
        ("columns", "text"),
        ("columns", {"text": ["a"], "label": "b", "also": [], "id": ["x"], "date": None}),
        ("columns", {"text": "body", "label": "b", "also": [], "id": None, "date": None}),
        ("clean_version", "one"),
        ("seed", float("inf")),
        ("seed", None),
        ("data", 5),
        ("figures", [1]),
    ],
)
def test_a_manifest_of_wrong_types(copy: Path, field: str, value: object) -> None:
    edit(copy, **{field: value})
    with pytest.raises(BundleError):
        Cascade.load(copy)


@pytest.mark.parametrize("field", ["name", "heads", "stages", "columns", "files", "figures"])
def test_a_manifest_that_lacks_a_field(copy: Path, field: str) -> None:
    plain = json.loads((copy / "bundle.json").read_text())
    del plain[field]
    (copy / "bundle.json").write_text(json.dumps(plain))
    with pytest.raises(BundleError, match=field):
        Bundle.open(copy)


# --- hostility ---


@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/etc/passwd", "", ".", "..", "a\\..\\b", "a\0b", "\ud800"]
)
def test_names_that_lead_out_of_the_bundle_are_refused(copy: Path, name: str) -> None:
    edit(copy, files={name: "0" * 64})
    with pytest.raises(BundleError, match=r"bundle\.json: lists a file outside of the bundle"):
        Bundle.open(copy)


def test_a_link_out_of_the_bundle_is_refused(copy: Path, tmp_path: Path, seal: Seal) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (copy / "card.md").unlink()
    (copy / "card.md").symlink_to(secret)
    seal(copy)
    with pytest.raises(BundleError, match=r"card\.md: lies outside of the bundle"):
        Cascade.load(copy)


def test_a_linked_folder_out_of_the_bundle_is_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "linear").rename(tmp_path / "linear")
    (copy / "linear").symlink_to(tmp_path / "linear")
    with pytest.raises(BundleError, match="lies outside of the bundle"):
        Cascade.load(copy)


def test_a_file_that_is_not_listed_is_never_read(copy: Path) -> None:
    (copy / "more.json").write_text("{}")
    with pytest.raises(BundleError, match=r"does not list more\.json"):
        Bundle.open(copy).read("more.json")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["queue", "linear", "word", -1, 10**9, 1e300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to every value in a JSON document; of a long list only to the first ones."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value[:3]):
            yield from places(inner, (*path, at))


def put(value: Any, path: tuple[Any, ...], new: object) -> Any:
    if not path:
        return new
    out = value.copy()
    out[path[0]] = put(value[path[0]], path[1:], new)
    return out


def loads_and_answers_or_says_so(folder: Path) -> None:
    try:
        cascade = Cascade.load(folder)
    except BundleError as error:
        assert str(folder) in str(error) or "json" in str(error) or "linear" in str(error)
        return
    (decision,) = cascade.route([TICKET])
    assert 0 <= decision.confidence <= 1
    assert json.dumps(decision.to_dict(), allow_nan=False)


@pytest.mark.parametrize("name", ["bundle.json", "gates.json", "linear/config.json"])
@given(choice=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_well_sealed_bundle_of_any_content_loads_or_says_what_is_wrong(
    copy: Path, seal: Seal, name: str, choice: st.DataObject
) -> None:
    before = {file: (copy / file).read_bytes() for file in (name, "bundle.json")}
    plain = json.loads(before[name])
    path = choice.draw(st.sampled_from(list(places(plain))))
    try:
        (copy / name).write_text(json.dumps(put(plain, path, choice.draw(json_values))))
        if name != "bundle.json":
            seal(copy)
        loads_and_answers_or_says_so(copy)
    finally:
        for file, data in before.items():
            (copy / file).write_bytes(data)


@given(choice=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_are_found(copy: Path, choice: st.DataObject) -> None:
    name = choice.draw(st.sampled_from(names(copy)))
    before = (copy / name).read_bytes()
    flips = st.tuples(st.integers(0, len(before) - 1), st.integers(1, 255))
    data = bytearray(before)
    for at, mask in choice.draw(st.lists(flips, min_size=1, max_size=4)):
        data[at] ^= mask
    try:
        (copy / name).write_bytes(data)
        if name == "bundle.json" or data == before:
            loads_and_answers_or_says_so(copy)
        else:
            with pytest.raises(BundleError, match=f"{name}: damaged or changed"):
                Cascade.load(copy)
    finally:
        (copy / name).write_bytes(before)


@pytest.mark.parametrize("name", ["gates.json", "linear/config.json", "linear/vocabulary.json"])
@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[" * 100_000, b"null", b"[]", b"{}"])
def test_a_well_sealed_file_that_is_not_what_it_should_be(
    copy: Path, seal: Seal, name: str, content: bytes
) -> None:
    (copy / name).write_bytes(content)
    seal(copy)
    with pytest.raises(BundleError, match=r"gates\.json|linear"):
        Cascade.load(copy)


def test_well_sealed_arrays_of_the_wrong_shape_or_value(copy: Path, seal: Seal) -> None:
    import numpy as np
    from safetensors.numpy import load, save

    file = copy / "linear" / "model.safetensors"
    arrays = load(file.read_bytes())
    for name, array in arrays.items():
        for wrong in (
            array[:1],
            array.reshape(-1)[0],
            array.astype("U4").view("u1"),
            array * np.nan,
        ):
            file.write_bytes(save({**arrays, name: np.ascontiguousarray(wrong)}))
            seal(copy)
            with pytest.raises(BundleError, match="linear"):
                Cascade.load(copy)


def test_nothing_in_the_sources_can_unpickle() -> None:
    forbidden = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "marshal", "shelve"}
    for wing in ("cascade", "train", "serve", "eval"):
        for file in (ROOT / wing).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                found = {node.module} if isinstance(node, ast.ImportFrom) else set()
                if isinstance(node, ast.Import):
                    found = {alias.name for alias in node.names}
                roots = {str(name).partition(".")[0] for name in found}
                assert not roots & forbidden, f"{file}: {roots & forbidden}"
                # torch.load and numpy's allow_pickle unpickle as well.
                if isinstance(node, ast.Call):
                    assert ast.unparse(node.func) != "torch.load", file
                    assert "allow_pickle" not in {k.arg for k in node.keywords}, file
