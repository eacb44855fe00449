"""The command line: what each verb prints, and with which status it ends. The study itself is a stand-in here."""

from __future__ import annotations

import json
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import typer.main

import softbridge
from softbridge.backbones import probes
from softbridge.cli import run as run_verb
from softbridge.cli.main import VERBS, app, main
from softbridge.errors import BackboneError
from softbridge.injection import Injection
from softbridge.prompts.card import Card
from softbridge.prompts.files import save
from softbridge.recipe import find, read, shelf
from tests import pico

COMMANDS = typer.main.get_command(app).commands
LEAVES = {(name,): command for name, command in COMMANDS.items() if name != "assets"} | {
    ("assets", name): command for name, command in COMMANDS["assets"].commands.items()
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTBRIDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("RANK", raising=False)


@pytest.fixture
def call(capsys):
    def call(line: str, status: int = 0) -> SimpleNamespace:
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(line))
        out, err = capsys.readouterr()
        assert ended.value.code == status, f"{line} ended with {ended.value.code}\n{out}\n{err}"
        assert "Traceback" not in out + err
        return SimpleNamespace(out=out, err=err)

    return call


@pytest.fixture
def study(monkeypatch):
    """Stand in for the study and the reports, and keep what they were asked for."""
    import softbridge.reports
    import softbridge.reports.tables
    import softbridge.study

    asked = SimpleNamespace(runs=[], reports=[])

    def run(recipe, out, console, track=None, abreast=False):
        asked.runs.append((recipe, out, console, abreast))
        return SimpleNamespace(folder=out, records=["a record"])

    def write(folders, out, figures=False):
        asked.reports.append((list(folders), out))
        return SimpleNamespace(
            html=out / "index.html",
            csv=out / "table.csv",
            markdown=out / "table.md",
            latex=out / "table.tex",
            figures=None,
        )

    monkeypatch.setattr(softbridge.study, "run", run)
    monkeypatch.setattr(softbridge.reports, "write", write, raising=False)
    monkeypatch.setattr(softbridge.reports.tables, "terminal", lambda records, console: console.print(f"{records}"))
    return asked


def python(*arguments: str) -> subprocess.CompletedProcess:
    root = Path(softbridge.__file__).parents[1]
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_is_quick_and_loads_neither_torch_nor_rich():
    code = (
        "import sys\nfrom softbridge.cli.main import main\n"
        "try: main(['--help'])\n"
        "finally: print(sorted({'torch', 'transformers', 'datasets', 'numpy', 'rich'} & set(sys.modules)))"
    )
    used = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = python("-c", code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("[]\n"), done.stdout
    assert min(used) < 0.5


def test_the_package_runs_as_a_module():
    done = python("-m", "softbridge", "--version")
    assert (done.returncode, done.stdout) == (0, f"softbridge {softbridge.__version__}\n")


def test_other_packages_are_not_heard_twice_and_softbridge_is_heard():
    code = (
        "import logging\nfrom softbridge.cli.main import main\n"
        "try: main(['--version'])\n"
        "finally:\n"
        "    logging.getLogger('softbridge.assets').info('fetching')\n"
        "    print(logging.getLogger().handlers)"
    )
    done = python("-c", code)
    assert done.stdout.splitlines()[1:] == ["[]"]
    assert done.stderr == "fetching\n"


def test_all_the_verbs_are_there():
    assert (
        " ".join(COMMANDS)
        == "ls show cp new bridge check plan run resume watch report reproduce baseline cite design inspect predict "
        "generate import similar rank gallery prompts push pull doctor assets"
    )
    assert set(VERBS) == set(COMMANDS) - {"assets"}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_each_help_ends_in_a_worked_example_that_parses(path, call):
    shown = call(f"{' '.join(path)} --help").out
    examples = [line.strip() for line in shown.partition("Example:")[2].strip().splitlines()]
    assert examples
    for example in examples:
        words = shlex.split(example.replace("accelerate launch -m softbridge", "softbridge").partition(" > ")[0])
        assert words[: len(path) + 1] == ["softbridge", *path]
        LEAVES[path].make_context(path[-1], words[len(path) + 1 :])


def test_usage_mistakes_end_with_status_2(call):
    assert "No such command 'rn'" in call("rn quickstart", 2).err
    assert "RECIPE" in call("run", 2).err
    assert "--ot" in call("run quickstart --ot x", 2).err


def test_a_typo_in_a_recipe_is_a_message_and_status_2(call):
    Path("my.yaml").write_text(find("quickstart").read_text().replace("shots: 32  #", "shotss: 32  #"))
    line = next(i for i, text in enumerate(Path("my.yaml").read_text().splitlines(), 1) if text.startswith("shotss"))
    for verb in ("check", "run", "plan", "cite"):
        assert f"my.yaml:{line}  shotss  is no key here; write shots" in call(f"{verb} my.yaml", 2).err


def test_an_error_keeps_its_three_parts(call):
    said = call("check quickstrat", 2)
    assert said.out == ""
    assert said.err.splitlines() == [
        "error: there is no recipe named 'quickstrat' (did you mean 'quickstart'?)",
        f"  expected: one of: {', '.join(shelf())}",
        "  to do: choose one of these names, or see `softbridge ls recipes`",
    ]


def test_run_hands_over_the_recipe_and_prints_the_report(call, study):
    said = call("run quickstart --set shots=16 --set training.target.steps=3 --seeds 4,5")
    ((recipe, out, console, abreast),) = study.runs
    assert not abreast
    assert (recipe.shots, recipe.training.target.steps, recipe.seeds) == (16, 3, (4, 5))
    assert out == Path("runs/quickstart")
    assert console is not None
    assert study.reports == [([out], out / "report")]
    assert said.out.splitlines() == ["['a record']", "report: runs/quickstart/report/index.html"]


def test_a_file_in_a_folder_s_place_and_a_name_too_long_are_messages(call):
    Path("here").write_text("")
    for line in ("run quickstart --out here", "run quickstart --out here/deep", "cp quickstart here/my.yaml"):
        assert "a file stands where" in call(line, 2).err
    assert "shorter name" in call(f"check {'a' * 300}.yaml", 2).err
    assert Path("here").read_text() == ""


def test_settings_of_no_engine_are_a_message(call, study):
    assert "--with gpus=1, and no engine" in call("run quickstart --with gpus=1", 2).err
    assert study.runs == []


def test_only_the_main_process_of_a_launch_prints_and_reports(call, study, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    said = call("run quickstart --out here")
    assert study.runs[0][1:] == (Path("here"), None, False)
    assert study.reports == []
    assert said.out + said.err == ""
    assert call("run quickstrat", 2).err == ""


def test_ctrl_c_says_how_to_go_on(call, monkeypatch):
    import softbridge.study

    def run(recipe, out, console, track=None, abreast=False):
        raise KeyboardInterrupt

    monkeypatch.setattr(softbridge.study, "run", run)
    assert "stopped; go on with: softbridge resume my/study" in call("run quickstart --out my/study", 130).err


def test_a_defect_keeps_its_traceback(study, monkeypatch):
    import softbridge.study

    def run(recipe, out, console, track=None, abreast=False):
        raise ZeroDivisionError

    monkeypatch.setattr(softbridge.study, "run", run)
    with pytest.raises(ZeroDivisionError):
        main(["run", "quickstart"])


def test_resume_goes_on_with_the_study_s_own_recipe(call, study):
    recipe = read("quickstart", ["shots=5"])
    Path("done").mkdir()
    recipe.write(Path("done/recipe.yaml"))
    call("resume done")
    assert study.runs[0][:2] == (recipe, Path("done"))


def test_resume_needs_a_study(call):
    assert "there is no folder nowhere" in call("resume nowhere", 2).err
    assert "holds no recipe.yaml" in call("resume .", 2).err


def test_report_reads_the_records_and_names_its_files(call, study, monkeypatch):
    import softbridge.records

    monkeypatch.setattr(softbridge.records, "read", lambda folders: [f"records of {folder}" for folder in folders])
    assert call("report a").out.splitlines()[1:] == [
        "report: a/report/index.html",
        "csv: a/report/table.csv",
        "markdown: a/report/table.md",
        "latex: a/report/table.tex",
    ]
    assert "records of a" in call("report a b --out both").out
    assert study.reports == [([Path("a")], Path("a/report")), ([Path("a"), Path("b")], Path("both"))]


def test_report_without_records_is_a_message(call):
    assert "there is no folder nowhere" in call("report nowhere", 2).err


def test_plan_lists_the_stages_and_what_is_left(call, monkeypatch):
    import softbridge.study

    def plan(recipe, out):
        stage = SimpleNamespace(name="extract-movies", digest="ab12", finished=True, steps=80, rows=3840, note="")
        return [stage, SimpleNamespace(**{**vars(stage), "name": "adapt-news-spot", "finished": False, "rows": 1200})]

    monkeypatch.setattr(softbridge.study, "plan", plan)
    said = call("plan quickstart").out
    assert [line.split()[:3] for line in said.splitlines() if "ab12" in line] == [
        ["extract-movies", "ab12", "finished"],
        ["adapt-news-spot", "ab12", "to"],
    ]
    assert "1 of 2 stages to do: 1,200 rows to train on" in said


def test_another_program_reads_a_table_s_row_in_one_line_whole(call, monkeypatch):
    import softbridge.study

    monkeypatch.setenv("COLUMNS", "40")
    name = f"adapt-{'news' * 20}-spot"
    stage = SimpleNamespace(name=name, digest="ab12", finished=False, steps=80, rows=3840, note="a note of words")
    monkeypatch.setattr(softbridge.study, "plan", lambda *_: [stage])
    line = next(line for line in call("plan quickstart").out.splitlines() if "ab12" in line)
    assert line.split() == [name, "ab12", "to", "do", "80", "3,840", "a", "note", "of", "words"]


def test_doctor_says_what_was_chosen_and_measures_once(call, monkeypatch):
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.0)
    assert "No backbone was measured here yet" in call("doctor").out
    pico.save_backbone(Path("model"), "causal")
    said = call("doctor model").out
    for what in ("device", "threads", "idle threads", "bfloat16", "model: causal, ", "llama, 2 blocks, 32 wide"):
        assert what in said
    monkeypatch.setattr(probes, "measure", lambda *_: pytest.fail("it was measured before"))
    assert said.split("measured here")[1] == call("doctor model").out.split("measured here")[1]


def test_a_recipe_is_shown_copied_and_checked(call):
    text = find("quickstart").read_text()
    assert call("show quickstart").out.strip() == text.strip()
    call("cp quickstart my.yaml")
    assert Path("my.yaml").read_text() == text
    assert "my.yaml is there already" in call("cp quickstart my.yaml", 2).err
    call("cp quickstart my.yaml --force")
    assert "ends in .yaml" in call("cp quickstart my.txt", 2).err
    assert call("check my.yaml").out.startswith("quickstart: 1 source, 3 targets")


def test_a_resolved_recipe_on_the_screen_is_a_recipe(call):
    Path("full.yaml").write_text(call("show quickstart --resolved --set shots=7").out)
    assert read("full.yaml") == read("quickstart", ["shots=7"])


def test_cite_gives_each_entry_with_its_reason(call):
    said = call("cite quickstart").out
    assert said.count("@inproceedings{hutto2014vader") == 1
    assert "% the bridge spot\n@inproceedings{vu2022spot" in said


def test_ls_lists_everything_by_name(call):
    said = call("ls").out
    for name in ("quickstart_causal", "spot", "soft", "sentence", "vader/tweets", "calibration_error"):
        assert name in said
    assert "spot" not in call("ls assets").out
    assert "did you mean 'bridges'" in call("ls bridgs", 2).err


def test_assets_that_are_absent_are_named_with_the_command_that_fetches_them(call):
    assert "absent" in call("assets ls").out
    assert "softbridge assets fetch minilm-l6" in call("assets path minilm-l6", 2).err
    assert "did you mean 'minilm-l6'" in call("assets fetch minilm-l7", 2).err


def test_assets_fetch_prints_the_folders(call, monkeypatch):
    import softbridge.assets

    monkeypatch.setattr(softbridge.assets, "fetch", lambda name, verify: Path("cache") / name)
    assert call("assets fetch minilm-l6 vader/news").out == "cache/minilm-l6\ncache/vader/news\n"


@pytest.fixture
def prompt(tmp_path):
    """Save a prompt of two positions: three times the word 1, and the word 2 turned round."""
    card = Card("org/model", None, "sentence", 2, 2, "ab12", 2, 4, "vocabulary", 0, parents=("movies",))
    tokens = torch.stack([3 * torch.eye(4)[1], -torch.eye(4)[2]])
    save(tmp_path / "prompt", Injection(tokens.unsqueeze(0)), card)
    return "prompt"


def test_inspect_shows_card_norms_and_nearest_words(call, prompt, monkeypatch):
    import softbridge.study.alone  # and with it all that takes load_backbone from materials, before it is replaced
    import softbridge.study.predicting

    words = ["zero", "one", "two", "three"]
    tokenizer = SimpleNamespace(decode=lambda ids: words[ids[0]])
    backbone = SimpleNamespace(table=torch.eye(4), tokenizer=tokenizer)
    monkeypatch.setattr(softbridge.study.materials, "load_backbone", lambda spec: backbone)
    said = call(f"inspect {prompt} --top 1").out
    assert "org/model" in said
    assert "tokens [P, H] = [2, 4]" in said
    positions = [line.split() for line in said.splitlines() if line.split()[:1] in (["0"], ["1"])]
    assert positions[0] == ["0", "3.000", "one", "1.00"]
    assert positions[1][:2] == ["1", "1.000"]
    assert "two" not in positions[1]
    assert "no explanation" in said


def test_inspect_does_without_the_backbone(call, prompt, monkeypatch):
    import softbridge.study.alone  # and with it all that takes load_backbone from materials, before it is replaced
    import softbridge.study.predicting

    def refuse(spec):
        raise BackboneError("org/model is out of reach", "", "")

    monkeypatch.setattr(softbridge.study.materials, "load_backbone", refuse)
    said = call(f"inspect {prompt}").out
    assert "no nearest words, because the backbone cannot be had: org/model is out of reach" in said
    assert "3.000" in said
    assert "no explanation" not in said


def test_a_folder_without_a_prompt_is_a_message(call):
    assert "prompt.safetensors" in call("inspect .", 2).err


@pytest.fixture
def predictions(monkeypatch):
    import softbridge.study.predicting

    def predict(folder, texts):
        return [("positive" if "good" in text else "negative", 0.75) for text in texts]

    def generate(folder, texts, **settings):
        return [f"{text} and so on\n{settings}" for text in texts]

    monkeypatch.setattr(softbridge.study.predicting, "predict", predict)
    monkeypatch.setattr(softbridge.study.predicting, "generate", generate)


@pytest.mark.usefixtures("predictions")
def test_predict_labels_texts_and_files(call):
    Path("rows.csv").write_text('review\ngood :smile:\n"bad\nindeed"\n')
    assert (
        call("predict p --text 'so good' --text 'so so'").out == "positive\t0.7500\tso good\nnegative\t0.7500\tso so\n"
    )
    assert call("predict p --file rows.csv --column review").out.splitlines() == [
        "positive\t0.7500\tgood :smile:",
        "negative\t0.7500\tbad indeed",
    ]
    assert json.loads(call("predict p --file rows.csv --column review --json").out) == [
        {"text": "good :smile:", "label": "positive", "score": 0.75},
        {"text": "bad\nindeed", "label": "negative", "score": 0.75},
    ]


@pytest.mark.usefixtures("predictions")
def test_generate_goes_on_from_texts(call):
    greedy = "{'max_new_tokens': 7, 'num_beams': 2, 'do_sample': False}"
    assert call("generate p --text 'so good' --tokens 7 --beams 2").out == f"so good\tso good and so on {greedy}\n"
    assert "'temperature': 0.5, 'top_p': 1.0" in call("generate p --text x --sample --temperature .5").out
    assert json.loads(call("generate p --text x --json").out)[0]["text"] == "x"
    assert "there is no text" in call("generate p", 2).err


@pytest.mark.usefixtures("predictions")
def test_predict_says_what_it_lacks(call):
    Path("rows.csv").write_text("review\ngood\n")
    assert "there is no text" in call("predict p", 2).err
    assert "error: --text is empty\n" in call("predict p --text ''", 2).err
    assert "--text is empty (number 2)" in call("predict p --text good --text ' '", 2).err
    assert "reviw" in call("predict p --file rows.csv --column reviw", 2).err
    assert "none.csv" in call("predict p --file none.csv", 2).err


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize("out", ["file", "file/below/it"])
def test_a_file_where_the_folder_is_to_be_is_told(call, verb, out):
    Path("file").write_text("mine")
    said = call(f"{verb} quickstart --out {out}", 2).err
    assert "a file stands where the folder is to be: file\n" in said
    assert "name another: --out" in said


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a system without /proc")
@pytest.mark.parametrize("out", ["/proc", "/proc/x", "/proc/x/y"])
def test_a_place_where_nothing_can_be_made_is_told(call, monkeypatch, out):
    import softbridge.study

    monkeypatch.setattr(softbridge.study, "run", lambda recipe, out, *_, **__: recipe.write(out / "recipe.yaml"))
    said = call(f"run quickstart --out {out}", 2).err
    assert "No such file or directory" in said
    assert "name another place: nothing can be made there" in said


def test_the_default_folder_is_named_by_the_recipe():
    assert run_verb.folder(read("quickstart"), None) == Path("runs") / "quickstart"
