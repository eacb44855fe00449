"""The loss formulations as a report prints them: for paper, terminal and web page. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """Hold one formulation in three scripts.

    Arguments:
        name: its name in a sentence.
        latex: for a paper, without dollar signs.
        plain: one line of Unicode, for a terminal or a text file.
        mathml: for a web page; browsers draw it without network or script.
        reads: what the letters stand for, and what N or M counts.
    """

    name: str
    latex: str
    plain: str
    mathml: str
    reads: str


def _math(*parts: str) -> str:
    return f'<math display="block"><mrow>{"".join(parts)}</mrow></math>'


def _average(divisor: str, total: str, index: str) -> str:
    """Write `1/divisor * sum over index = 1 .. total`."""
    start = f"<mrow><mi>{index}</mi><mo>=</mo><mn>1</mn></mrow>"
    return f"<mfrac><mn>1</mn>{divisor}</mfrac><munderover><mo>∑</mo>{start}{total}</munderover>"


def _surprise(index: str, theta: str) -> str:
    """Write `-log p(y_index | x_index, theta)`."""
    y, x = (f"<msub><mi>{letter}</mi><mi>{index}</mi></msub>" for letter in "yx")
    inside = f"<mo>(</mo>{y}<mo>|</mo>{x}<mo>,</mo>{theta}<mo>)</mo>"
    return f"<mrow><mo>−</mo><mi>log</mi><mo>⁡</mo><mi>p</mi>{inside}</mrow>"


_L_PRE = "<msub><mi>L</mi><mtext>pre</mtext></msub><mo>=</mo>"
_L_FINE = "<msub><mi>L</mi><mtext>fine</mtext></msub><mo>=</mo>"
_L_N = "<msub><mi>L</mi><mi>n</mi></msub>"
_LABELLED = "<msub><mi>N</mi><mtext>labelled</mtext></msub>"
_N, _M = "<mi>N</mi>", "<mi>M</mi>"
_THETA, _THETA_PRIME = "<mi>θ</mi>", "<msup><mi>θ</mi><mo>′</mo></msup>"
_WHERE = '<mo>,</mo><mspace width="1em"/>'

_LEFT = '<mtd style="text-align: left">'

_CASES = (
    f"{_L_N}<mo>=</mo><mrow><mo>{{</mo><mtable>"
    f"<mtr>{_LEFT}{_surprise('n', _THETA)}</mtd>{_LEFT}<mtext>where row n is labelled</mtext></mtd></mtr>"
    f"<mtr>{_LEFT}<mn>0</mn></mtd>{_LEFT}<mtext>where it is not</mtext></mtd></mtr>"
    "</mtable></mrow>"
)
_CASES_LATEX = (
    r"L_n = \begin{cases} -\log p(y_n \mid x_n, \theta) & \text{where row } n \text{ is labelled} \\"
    r" 0 & \text{where it is not} \end{cases}"
)
_CASES_PLAIN = "Lₙ = −log p(yₙ | xₙ, θ) where row n is labelled, 0 where it is not"

_T_M = "<msub><mi>T</mi><mi>m</mi></msub>"
_OVER_TOKENS = (
    f"<mfrac><mn>1</mn><mrow><munder><mo>∑</mo><mi>m</mi></munder>{_T_M}</mrow></mfrac>",
    "<munderover><mo>∑</mo><mrow><mi>m</mi><mo>=</mo><mn>1</mn></mrow><mi>M</mi></munderover>",
    f"<munderover><mo>∑</mo><mrow><mi>t</mi><mo>=</mo><mn>1</mn></mrow>{_T_M}</munderover>",
)
_Y_BEFORE = "<msub><mi>y</mi><mrow><mi>m</mi><mo>,</mo><mo>&lt;</mo><mi>t</mi></mrow></msub>"
_TOKEN_SURPRISE = (
    "<mrow><mo>−</mo><mi>log</mi><mo>⁡</mo><mi>p</mi><mo>(</mo><msub><mi>y</mi><mrow><mi>m</mi><mi>t</mi></mrow></msub>"
    f"<mo>|</mo><msub><mi>x</mi><mi>m</mi></msub><mo>,</mo>{_Y_BEFORE}<mo>,</mo>{_THETA_PRIME}<mo>)</mo></mrow>"
)

FORMULAS: dict[str, Formula] = {
    "L_pre/self-supervised": Formula(
        name="pretraining, self-supervised",
        latex=r"L_{\mathrm{pre}} = \frac{1}{N} \sum_{n=1}^{N} L_n, \quad L_n = -\log p(y_n \mid x_n, \theta)",
        plain="L_pre = 1/N · Σₙ Lₙ, Lₙ = −log p(yₙ | xₙ, θ)",
        mathml=_math(_L_PRE, _average(_N, _N, "n"), _L_N, _WHERE, _L_N, "<mo>=</mo>", _surprise("n", _THETA)),
        reads="N counts all rows; yₙ is taken from the text xₙ itself (next token, masked token or span).",
    ),
    "L_pre/semi-supervised": Formula(
        name="pretraining, semi-supervised",
        latex=r"L_{\mathrm{pre}} = \frac{1}{N} \sum_{n=1}^{N} L_n, \quad " + _CASES_LATEX,
        plain=f"L_pre = 1/N · Σₙ Lₙ, {_CASES_PLAIN}",
        mathml=_math(_L_PRE, _average(_N, _N, "n"), _L_N, _WHERE, _CASES),
        reads="N counts all rows, labelled or not; yₙ is the label of row n (normalise: all).",
    ),
    "L_pre/semi-supervised/labelled": Formula(
        name="pretraining, semi-supervised, over the labelled rows",
        latex=r"L_{\mathrm{pre}} = \frac{1}{N_{\mathrm{labelled}}} \sum_{n=1}^{N} L_n, \quad " + _CASES_LATEX,
        plain=f"L_pre = 1/N_labelled · Σₙ Lₙ, {_CASES_PLAIN}",
        mathml=_math(_L_PRE, _average(_LABELLED, _N, "n"), _L_N, _WHERE, _CASES),
        reads="The sum runs over all N rows and is divided by the labelled ones alone (normalise: labelled).",
    ),
    "L_fine": Formula(
        name="fine-tuning",
        latex=r"L_{\mathrm{fine}} = \frac{1}{M} \sum_{m=1}^{M} -\log p(y_m \mid x_m, \theta')",
        plain="L_fine = 1/M · Σₘ −log p(yₘ | xₘ, θ′)",
        mathml=_math(_L_FINE, _average(_M, _M, "m"), _surprise("m", _THETA_PRIME)),
        reads="M counts the labelled rows; θ′ is the frozen backbone θ plus the prompt (or a tuned backbone).",
    ),
    "L_fine/answers": Formula(
        name="fine-tuning, free answers",
        latex=r"L_{\mathrm{fine}} = \frac{1}{\sum_m T_m} \sum_{m=1}^{M} \sum_{t=1}^{T_m}"
        r" -\log p(y_{mt} \mid x_m, y_{m,<t}, \theta')",
        plain="L_fine = 1/Σₘ Tₘ · Σₘ Σₜ −log p(yₘₜ | xₘ, yₘ₍<t₎, θ′)",
        mathml=_math(_L_FINE, *_OVER_TOKENS, _TOKEN_SURPRISE),
        reads="M counts the answered rows, Tₘ the tokens of an answer and its end; θ′ is the frozen θ plus the prompt.",
    ),
}


def _mean(total: str, index: str) -> str:
    """Write `-1/total * sum over index`."""
    return f"<mo>−</mo><mfrac><mn>1</mn>{total}</mfrac><munder><mo>∑</mo>{index}</munder>"


def _log_p(what: str, given: str) -> str:
    """Write `log p(what | P, given)`."""
    inside = f"<mo>(</mo>{what}<mo>|</mo><mi>P</mi><mo>,</mo>{given}<mo>)</mo>"
    return f"<mrow><mi>log</mi><mo>⁡</mo><mi>p</mi>{inside}</mrow>"


def _token(letter: str, place: str = "<mi>t</mi>") -> str:
    return f"<msub><mi>{letter}</mi>{place}</msub>"


_L_N_IS = f"{_L_N}<mo>=</mo>"
_BEFORE = "<mrow><mo>&lt;</mo><mi>t</mi></mrow>"
_IN_M = "<mrow><mi>t</mi><mo>∈</mo><mi>M</mi></mrow>"
_SIZE_M = "<mrow><mo>|</mo><mi>M</mi><mo>|</mo></mrow>"
_WITHOUT = "<mi>x</mi><mo>∖</mo>"


def _alike(of: str) -> str:
    """Write `exp(cos(h_n, h'_of) / tau)`."""
    other = f"<msubsup><mi>h</mi><mi>{of}</mi><mo>′</mo></msubsup>"
    cosine = f"<mi>cos</mi><mo>(</mo>{_token('h', '<mi>n</mi>')}<mo>,</mo>{other}<mo>)</mo>"
    return f"<mrow><mi>exp</mi><mo>(</mo>{cosine}<mo>/</mo><mi>τ</mi><mo>)</mo></mrow>"


# L_n of each self-supervised objective, by its name.
OBJECTIVES: dict[str, Formula] = {
    "next_token": Formula(
        name="the loss of a row, next token",
        latex=r"L_n = -\frac{1}{T} \sum_{t} \log p(x_t \mid P, x_{<t})",
        plain="Lₙ = −1/T · Σₜ log p(xₜ | P, x₍<t₎)",
        mathml=_math(_L_N_IS, _mean("<mi>T</mi>", "<mi>t</mi>"), _log_p(_token("x"), _token("x", _BEFORE))),
        reads="The mean over the T tokens of the row but its first; P is the prompt.",
    ),
    "masked_tokens": Formula(
        name="the loss of a row, masked tokens",
        latex=r"L_n = -\frac{1}{|M|} \sum_{t \in M} \log p(x_t \mid P, x \setminus M)",
        plain="Lₙ = −1/|M| · Σₜ∈M log p(xₜ | P, x∖M)",
        mathml=_math(_L_N_IS, _mean(_SIZE_M, _IN_M), _log_p(_token("x"), f"{_WITHOUT}<mi>M</mi>")),
        reads="M are the tokens that are asked for: of ten, eight masked, one another token, one as it is.",
    ),
    "spans": Formula(
        name="the loss of a row, spans",
        latex=r"L_n = -\frac{1}{T} \sum_{t} \log p(s_t \mid P, x \setminus s, s_{<t})",
        plain="Lₙ = −1/T · Σₜ log p(sₜ | P, x∖s, s₍<t₎)",
        mathml=_math(
            _L_N_IS,
            _mean("<mi>T</mi>", "<mi>t</mi>"),
            _log_p(_token("s"), f"{_WITHOUT}<mi>s</mi><mo>,</mo>{_token('s', _BEFORE)}"),
        ),
        reads="s are the T tokens that the decoder is asked for: what was taken out of x, with its sentinels.",
    ),
    "contrastive": Formula(
        name="the loss of a row, contrastive",
        latex=r"L_n = -\log \frac{\exp(\cos(h_n, h'_n)/\tau)}{\sum_{m} \exp(\cos(h_n, h'_m)/\tau)}",
        plain="Lₙ = −log( exp(cos(hₙ, h′ₙ)/τ) / Σₘ exp(cos(hₙ, h′ₘ)/τ) )",
        mathml=_math(
            _L_N_IS,
            "<mo>−</mo><mi>log</mi><mo>⁡</mo>",
            f"<mfrac>{_alike('n')}<mrow><munder><mo>∑</mo><mi>m</mi></munder>{_alike('m')}</mrow></mfrac>",
        ),
        reads="h and h′ are what classes are read from, in two views with words left out; m runs over the step's rows.",
    ),
}
