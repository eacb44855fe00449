"""Make terms.json: class-based TF-IDF and the log-odds with an informative Dirichlet prior, word by word.

Run: python tests/golden/make_terms.py
It imports nothing of softbridge, so that the numbers are a second opinion.
"""

import json
import math
import random
from pathlib import Path


def class_tfidf(domain, background):
    """Return each word's share of the domain times log(1 + A / f): Grootendorst 2022, equation 2, shares for counts."""
    mean_words = (sum(domain) + sum(background)) / 2
    found = []
    for ours, theirs in zip(domain, background, strict=True):
        found.append(ours / sum(domain) * math.log(1 + mean_words / (ours + theirs)))
    return found


def log_odds(domain, background, strength):
    """Return each word's z: Monroe, Colaresi, Quinn 2008, equations 15, 16, 20 and 22."""
    pooled = [a + b for a, b in zip(domain, background, strict=True)]
    prior = [strength * count / sum(pooled) for count in pooled]
    n, m, alpha = sum(domain), sum(background), sum(prior)
    found = []
    for y, b, a in zip(domain, background, prior, strict=True):
        ours = math.log((y + a) / (n + alpha - y - a))
        theirs = math.log((b + a) / (m + alpha - b - a))
        variance = 1 / (y + a) + 1 / (b + a)
        found.append((ours - theirs) / math.sqrt(variance))
    return found


def main():
    """Write the cases beside this script."""
    draw = random.Random(20080101)
    cases = []
    for words, strength in ((2, 1.0), (5, 10.0), (12, 1000.0), (30, 500.0)):
        domain = [draw.randint(0, 40) + 1 for _ in range(words)]
        background = [draw.randint(0, 200) for _ in range(words)]
        domain[0], background[-1] = domain[0] + 25, 0
        cases.append(
            {
                "domain": domain,
                "background": background,
                "strength": strength,
                "class_tfidf": class_tfidf(domain, background),
                "log_odds": log_odds(domain, background, strength),
            }
        )
    Path(__file__).with_name("terms.json").write_text(json.dumps(cases) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
