"""A domain: its description as a recipe gives it, and what opening it gives to the rest of the house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa
from datasets import Dataset, DatasetDict, concatenate_datasets

from softbridge.domains.answers import Answer, Match
from softbridge.domains.columns import cells, matching
from softbridge.domains.fingerprints import combined, fingerprint
from softbridge.domains.labels import UNLABELLED, check_labels, class_indices
from softbridge.domains.readers import Resolve, read
from softbridge.domains.splits import Splits, check_classes, choose, divide, separate
from softbridge.domains.templates import Template
from softbridge.errors import DataError

SCHEMA = pa.schema({"text": pa.string(), "label": pa.int64()})
GROUP = ("any answer",)  # of rows without classes
LABELLED_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Domain:
    """Describe where a domain's rows are and how to read them; the fields are the recipe's keys.

    Arguments:
        data: a file (.csv .tsv .jsonl .json .parquet), an asset ("vader/movies"), `hub:org/name[:config][@revision]`,
            a folder of `save_to_disk`, or a data set in memory.
        labels: class name to label words (language models) or label description (sentence encoder), in class order.
        template: a text whose `{slots}` are columns; `{mask}` is where a masked language model guesses.
        columns: the name of a slot, or of the label, to the column in the data, where they differ.
        label: the label column; None for a domain without labels.
        classes: raw label value to class name, where the data's values are not class names already.
        answer: the column of the right answers, where a row is answered with free text instead of one of `labels`; a
            causal or seq2seq backbone writes it.
        match: what of a written answer must be right: its `text`, case and white space aside, or its last `number`.
        max_new_tokens: tokens that an answer is written with at most, from 1.
        where: keep only rows whose column holds the value, e.g. `{domain: books}`.
        encoding: the encoding of a text file.
        split: the column that says train, validation or test, where there is one.
        validation: share (0 to 1) or count of train rows to hold out, where the data has no such split; 0 holds none
            out, and the data's own validation rows are learned from.
        test: share or count of train rows to hold out, where the data has no such split.
        split_seed: the same seed gives the same splits.

    Example:
        >>> rows = [{"review": f"film {i} was {word}", "stars": word} for i in range(10) for word in ("fine", "poor")]
        >>> films = Domain(
        ...     data=Dataset.from_list(rows),
        ...     labels={"negative": "a bad film", "positive": "a good film"},
        ...     columns={"text": "review", "label": "stars"},
        ...     classes={"poor": "negative", "fine": "positive"},
        ... ).open("films")
        >>> films.sizes()
        {'train': 14, 'validation': 2, 'test': 4, 'unlabelled': 0}
        >>> [len(rows) for rows in films.few(shots=3, seed=0, validation_shots=1)]
        [6, 2]
    """

    data: str | Dataset | DatasetDict
    labels: Mapping[str, str] = field(default_factory=dict)
    template: str = "{text}"
    columns: Mapping[str, str] = field(default_factory=dict)
    label: str | None = "label"
    classes: Mapping[str, str] = field(default_factory=dict)
    answer: str | None = None
    match: Match = "text"
    max_new_tokens: int = 64
    where: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    split: str | None = None
    validation: float | int = 0.1
    test: float | int = 0.2
    split_seed: int = 0

    def open(self, name: str, resolve: Resolve | None = None) -> OpenDomain:
        """Read, fill, label, divide and check the rows.

        Arguments:
            name: the domain's name, for messages and records.
            resolve: an asset's name to its folder, or None for a name it does not know.

        Raises:
            DataError: when the rows are not what the description says.
        """
        try:
            return _open(self, name, resolve)
        except DataError as error:
            raise _of(name, error) from error

    def answered(self) -> Answer | None:
        """Return how answers are judged, where they are free text; None where they are classes.

        Raises:
            DataError: when there are both, or no token may be written.
        """
        if self.answer is None:
            return None
        if self.labels:
            raise DataError(
                f"answer is '{self.answer}', and there are labels too",
                "classes, or a column of free text",
                "remove one of the two",
            )
        return Answer(self.match, self.max_new_tokens)


@dataclass(frozen=True)
class OpenDomain:
    """Hold a domain's splits, which share no text.

    Arguments:
        name: the domain's name.
        classes: class names; a label is an index into them. Empty where rows are answered with free text.
        words: each class's label words or description.
        train: rows with the columns `text` (template filled) and `label` (class index; 0 where there are no classes),
            and `answer` where it is free text.
        validation: likewise.
        test: likewise.
        unlabelled: rows whose label is -1.
        fingerprints: the sha256 of each split's texts and labels.
        notes: what a reader of results should know about the rows.
        template: the template that filled the texts.
        answer: how answers are judged, where they are free text.
    """

    name: str
    classes: tuple[str, ...]
    words: tuple[str, ...]
    train: Dataset
    validation: Dataset
    test: Dataset
    unlabelled: Dataset
    fingerprints: Mapping[str, str]
    notes: tuple[str, ...] = ()
    template: str = "{text}"
    answer: Answer | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """Return what `shots` are counted of: the classes, or all rows where answers are free text."""
        return self.classes or GROUP

    @property
    def fingerprint(self) -> str:
        """Return the sha256 over all splits' texts and labels."""
        return combined(self.fingerprints)

    def sizes(self) -> dict[str, int]:
        """Return the number of rows of each split."""
        return {split: len(getattr(self, split)) for split in (*LABELLED_SPLITS, "unlabelled")}

    def few(self, shots: int | None, seed: int, validation_shots: int | None = None) -> tuple[Dataset, Dataset]:
        """Return k train rows and k' validation rows of each class, chosen by the seed.

        Arguments:
            shots: k, rows per class; None for all.
            seed: the same seed chooses the same rows, and fewer shots are among more.
            validation_shots: k', rows per class; None for all.

        Raises:
            DataError: when a class has fewer rows, with the count of each class.
        """
        train = self.train.select(self._chosen("train", shots, seed))
        return train, self.validation.select(self._chosen("validation", validation_shots, seed))

    def pool(self, shots: int | None, seed: int) -> Dataset:
        """Return the unlabelled rows and the train rows that `few` does not choose, with labels of -1."""
        chosen = set(self._chosen("train", shots, seed))
        texts = [text for row, text in enumerate(self.train["text"][:]) if row not in chosen]
        return concatenate_datasets([self.unlabelled, _dataset(texts, [UNLABELLED] * len(texts))])

    def _chosen(self, split: str, shots: int | None, seed: int) -> Sequence[int]:
        rows: Dataset = getattr(self, split)
        if shots is None:
            return range(len(rows))
        try:
            return choose(rows["label"][:], self.groups, shots, seed, split)
        except DataError as error:
            raise _of(self.name, error) from error


class _Rows(NamedTuple):
    """One text, class index, answer and own split's name a row."""

    texts: list[str]
    labels: list[int]
    answers: list[str]
    parts: list[str]


def _open(domain: Domain, name: str, resolve: Resolve | None) -> OpenDomain:
    template, answer = Template.parse(domain.template), domain.answered()
    if domain.label is not None and answer is None:
        check_labels(domain.labels, domain.classes)
    rows, blank = _fill(domain, template, read(domain.data, domain.encoding, resolve))
    splits, notes = _divide(domain, rows)
    tables = {
        split: _dataset(
            [rows.texts[i] for i in splits[split]],
            [rows.labels[i] for i in splits[split]],
            [rows.answers[i] for i in splits[split]] if answer else None,
        )
        for split in (*LABELLED_SPLITS, "unlabelled")
    }
    return OpenDomain(
        name=name,
        classes=tuple(domain.labels),
        words=tuple(domain.labels.values()),
        **tables,
        fingerprints={split: fingerprint(table) for split, table in tables.items()},
        notes=(*blank, *notes, *_never_right(answer, tables["test"])),
        template=domain.template,
        answer=answer,
    )


def _fill(domain: Domain, template: Template, tables: DatasetDict) -> tuple[_Rows, list[str]]:
    """Return the rows that `where` keeps, less those without a text, and a note on the latter."""
    keep = matching(tables, domain.where)
    filled = template.fill(
        {slot: _column(domain, tables, slot, f"the slot {{{slot}}}", keep) for slot in template.slots}
    )
    labels, answers = _labelled(domain, tables, keep)
    own = [part for part, table in tables.items() for _ in range(len(table))]
    column = own if domain.split is None else cells(tables, domain.split, "`split`")
    parts = [column[i] or "" for i in keep]
    full = [row for row in zip(filled, labels, answers, parts, strict=True) if row[0]]
    blank = len(filled) - len(full)
    note = [f"{blank} row{'' if blank == 1 else 's'} with an empty text left out"] if blank else []
    return _Rows(*map(list, zip(*full, strict=True))) if full else _Rows([], [], [], []), note


def _labelled(domain: Domain, tables: DatasetDict, keep: Sequence[int]) -> tuple[list[int], list[str]]:
    """Return each row's class index, 0 for one with a free answer, and its free answer."""
    if domain.answer is not None:
        answers = [(cell or "").strip() for cell in _column(domain, tables, domain.answer, "the answer", keep)]
        return [0 if answer else UNLABELLED for answer in answers], answers
    if domain.label is None:
        return [UNLABELLED] * len(keep), [""] * len(keep)
    raw = _column(domain, tables, domain.label, "the label", keep)
    return class_indices(raw, keep, tuple(domain.labels), domain.classes), [""] * len(keep)


def _column(domain: Domain, tables: DatasetDict, name: str, use: str, keep: Sequence[int]) -> list[str | None]:
    column = cells(tables, domain.columns.get(name, name), use)
    return [column[i] for i in keep]


def _divide(domain: Domain, rows: _Rows) -> tuple[Splits, list[str]]:
    labelled = sum(label != UNLABELLED for label in rows.labels)
    if not rows.texts or (domain.label is not None and not labelled):
        raise DataError(
            f"no {'labelled ' if rows.texts else ''}row is left to read",
            "rows with a text, and with a label where `label` names a column",
            "fill the columns, mend `columns` or `where`, or write `label: null` for a domain without labels",
        )
    divided, left_out = divide(rows.labels, rows.parts, domain.validation, domain.test, domain.split_seed)
    splits, shared = separate(rows.texts, divided)
    if labelled:
        given_up = {split for split in ("validation", "test") if not divided[split] and not getattr(domain, split)}
        wanted = [split for split in LABELLED_SPLITS if split not in given_up]
        check_classes(splits, rows.labels, tuple(domain.labels) or GROUP, wanted, left_out + shared)
    return splits, left_out + shared


def _never_right(answer: Answer | None, test: Dataset) -> list[str]:
    """Say of how many test rows no answer can be right, because their own holds nothing that is compared."""
    lost = sum(not answer.right(own, own) for own in test["answer"][:]) if answer else 0
    return [f"{lost} test row{'' if lost == 1 else 's'} whose own answer has no number: none is right"] if lost else []


def _of(name: str, error: DataError) -> DataError:
    return DataError(f"domain '{name}': {error.seen}", error.expected, error.fix)


def _dataset(texts: Sequence[str], labels: Sequence[int], answers: Sequence[str] | None = None) -> Dataset:
    table = pa.table({"text": texts, "label": labels}, schema=SCHEMA)
    return Dataset(table if answers is None else table.append_column("answer", pa.array(answers, pa.string())))
