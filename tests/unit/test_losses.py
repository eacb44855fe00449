"""Losses: one number a row, unlabelled rows silent, and formulas that a browser can draw."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch

from softbridge.losses.formulas import FORMULAS, OBJECTIVES
from softbridge.losses.semisupervised import mean
from softbridge.losses.supervised import cross_entropy

LABELS = torch.tensor([2, -1, 0, -1])
LABELLED = LABELS >= 0
CORE = {
    "math",
    "mrow",
    "mi",
    "mo",
    "mn",
    "mtext",
    "mspace",
    "mfrac",
    "msub",
    "msup",
    "munder",
    "munderover",
    "msubsup",
    "mtable",
    "mtr",
    "mtd",
}


@pytest.fixture
def logits():
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()


def test_cross_entropy_is_the_negative_log_likelihood_of_the_label(logits):
    by_hand = [
        -torch.log(torch.exp(row)[label] / torch.exp(row).sum()) for row, label in zip(logits, LABELS, strict=True)
    ]
    torch.testing.assert_close(cross_entropy(logits, LABELS)[LABELLED], torch.stack(by_hand)[LABELLED])


def test_unlabelled_rows_have_no_loss_and_no_gradient(logits):
    losses = cross_entropy(logits, LABELS)
    losses.sum().backward()
    assert losses.shape == (4,)
    assert losses[~LABELLED].tolist() == [0, 0]
    assert (logits.grad[~LABELLED] == 0).all()
    assert (logits.grad[LABELLED] != 0).all()


def test_low_precision_logits_are_scored_in_float32(logits):
    low = logits.detach().bfloat16()
    assert cross_entropy(low, LABELS).dtype == torch.float32
    assert torch.equal(cross_entropy(low, LABELS), cross_entropy(low.float(), LABELS))


def test_n_counts_all_rows_or_the_labelled_ones(logits):
    losses = cross_entropy(logits, LABELS)
    torch.testing.assert_close(mean(losses, LABELLED), losses[LABELLED].sum() / 4)
    torch.testing.assert_close(mean(losses, LABELLED, normalise="labelled"), losses[LABELLED].sum() / 2)


def test_the_mean_leaves_unlabelled_losses_out_whatever_they_are():
    losses = torch.tensor([1.0, float("nan")], requires_grad=True)
    total = mean(losses, torch.tensor([True, False]))
    total.backward()
    assert total.item() == 0.5
    assert losses.grad.tolist() == [0.5, 0]


@pytest.mark.parametrize("normalise", ["all", "labelled"])
def test_a_batch_without_labels_has_no_loss(normalise):
    assert mean(torch.ones(3), torch.zeros(3, dtype=torch.bool), normalise).item() == 0


# Formulas


@pytest.mark.parametrize("formula", [*FORMULAS.values(), *OBJECTIVES.values()], ids=[*FORMULAS, *OBJECTIVES])
def test_mathml_is_well_formed_and_of_the_core_elements(formula):
    root = ElementTree.fromstring(formula.mathml)
    assert root.tag == "math"
    assert {element.tag for element in root.iter()} <= CORE
    arity = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "munderover": 3, "msubsup": 3}
    assert all(len(element) == arity[element.tag] for element in root.iter() if element.tag in arity)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_the_three_scripts_say_the_same(formula):
    drawn = "".join(ElementTree.fromstring(formula.mathml).itertext())
    for mark in ("log", "∑") + (("M", "′") if "fine" in formula.plain else ("N",)):
        assert mark in drawn
    assert ("labelled" in formula.latex.split("sum")[0]) == ("1/N_labelled" in formula.plain) == ("1Nlabelled" in drawn)
    assert ("cases" in formula.latex) == ("where it is not" in formula.plain) == ("where it is not" in drawn)
    assert formula.latex.count("{") == formula.latex.count("}")


def test_every_objective_has_its_formula():
    from softbridge.engine import objectives

    assert list(OBJECTIVES) == list(objectives.OBJECTIVES)
    assert all("∑" in f.mathml and "sum" in f.latex and "Σ" in f.plain for f in OBJECTIVES.values())


def test_reports_can_read_formulas_without_torch():
    code = "import sys; import softbridge.losses.formulas; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
