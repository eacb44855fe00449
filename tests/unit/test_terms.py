"""Terms: the miners' defining properties and golden numbers, in English and in Chinese."""

import json
from pathlib import Path

import numpy as np
import pytest

from softbridge.domains.terms import MINERS, class_tfidf, content_words, count, language, log_odds, mine
from softbridge.errors import DataError

CASES = json.loads((Path(__file__).parents[1] / "golden" / "terms.json").read_text())
FILMS = ["the film was dull", "a fine film, and a good plot", "this film had no plot", "good music"] * 3
PHONES = ["the phone was dull", "a fine phone with a good battery", "this battery is flat", "good sound"] * 3
TABLETS = ["这个平板的屏幕很好", "屏幕不错，电池也不错", "平板很慢，质量差"] * 3
HOTELS = ["酒店的房间很好", "房间不错，早餐也不错", "酒店很吵，质量差"] * 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{len(case['domain'])} words")
def test_golden_numbers(case):
    domain, background = np.array(case["domain"], float), np.array(case["background"], float)
    assert class_tfidf(domain, background) == pytest.approx(case["class_tfidf"], rel=1e-12)
    assert log_odds(domain, background, case["strength"]) == pytest.approx(case["log_odds"], rel=1e-9)


def test_log_odds_turn_their_sign_with_the_sides_and_draw_rare_words_to_zero():
    ours, theirs = np.array([30.0, 3.0, 50.0]), np.array([10.0, 1.0, 72.0])
    assert log_odds(ours, theirs) == pytest.approx(-log_odds(theirs, ours))
    common, rare, _ = log_odds(ours, theirs)
    assert common > rare > 0  # the same ratio of 3 to 1, on ten times the evidence
    weak, strong = log_odds(ours, theirs, 1.0), log_odds(ours, theirs, 1e5)
    assert np.all(np.abs(strong) < np.abs(weak))


def test_class_tfidf_is_for_the_domains_share_and_against_words_of_both():
    scores = class_tfidf(np.array([10.0, 10.0, 0.0]), np.array([0.0, 90.0, 10.0]))
    assert scores[0] > scores[1] > scores[2] == 0


@pytest.mark.parametrize("miner", MINERS)
@pytest.mark.parametrize(
    ("ours", "theirs", "own", "shared"), [(FILMS, PHONES, "film", "good"), (TABLETS, HOTELS, "屏幕", "质量")]
)
def test_a_word_of_one_domain_is_its_term_and_a_word_of_both_comes_later(miner, ours, theirs, own, shared):
    counts = count({"ours": ours, "theirs": theirs})
    found = [term.word for term in mine(counts, "ours", ["theirs"], miner, 20)]
    assert own in found[:2]
    assert shared not in found[:2]
    assert own not in [term.word for term in mine(counts, "theirs", ["ours"], miner, 20)]


def test_a_domain_alone_gives_its_commonest_words():
    found = mine(count({"films": FILMS}), "films", [], "class_tfidf", 2)
    assert (found[0].word, found[0].share) == ("film", 0.75)


def test_coverage_counts_texts_and_not_words():
    counts = count({"films": FILMS})
    assert counts.coverage(["film", "plot"], "films") == pytest.approx(0.75)
    assert counts.coverage(["film", "music"], "films") == 1.0
    assert counts.coverage(["nowhere"], "films") == counts.coverage([], "films") == 0.0


def test_function_words_numbers_and_single_characters_are_no_terms():
    assert content_words("I don't know what it's worth in 2020, x or y: 'great'") == ["know", "worth", "great"]
    assert content_words("我们 觉得 这 酒店 不错 100 分") == ["酒店", "不错"]


def test_a_language_is_that_of_most_letters():
    assert language(["屏幕 is 很好的 screen 不错的"]) == "zh"
    assert language(["The word 好 means good"]) == "en"
    assert language([]) == "en"


def test_texts_that_share_no_word_are_refused():
    with pytest.raises(DataError, match="no content word stands in 3 or more of the 2 texts of a"):
        count({"a": ["the film", "of it"]})
