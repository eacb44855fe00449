"""The same job with what people use: Hugging Face's Trainer over PEFT's prompt tuning."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import torch
from job import LABELS, Job, data_of, load, modules, peak_mb, score, timed
from peft import PromptTuningConfig, TaskType, get_peft_model
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments

from softbridge import assets
from softbridge.injection import Injection

TEMPERATURE = 0.05  # divides the cosines, as softbridge's sentence encoder does


class Cosines(torch.nn.Module):
    """Score a text by its cosine to the classes' descriptions, with a PEFT prompt before it."""

    def __init__(self, encoder: Any, labels: torch.Tensor, length: int) -> None:
        super().__init__()
        self.encoder, self.length = encoder, length
        self.register_buffer("described", labels)

    def forward(self, input_ids: Any, attention_mask: Any, labels: Any) -> dict[str, torch.Tensor]:
        """Return the loss and the scores."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, self.length :]
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = torch.nn.functional.normalize(((hidden * weight).sum(1) / weight.sum(1)).float(), dim=-1)
        scores = mean @ self.described.T / TEMPERATURE
        return {"loss": torch.nn.functional.cross_entropy(scores, labels), "logits": scores}


class Clock(TrainerCallback):
    """Note the time after each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_step_end(self, *told: Any, **keys: Any) -> None:
        """Note the time."""
        self.seen.append(time.perf_counter())


def trainer(job: Job) -> dict[str, Any]:
    """Learn with Trainer and PEFT, and return what was seen."""
    data, own = data_of(job), load(job, "float32", "sdpa")
    start = modules(job, own)[0].bake().tokens[0]
    labels = getattr(own, "labels", None)
    settings = dict(job.settings)
    attention, weights = settings.pop("attention", None), settings.pop("weights", "float32")
    del own
    folder = assets.fetch(job.backbone)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    base = (AutoModelForCausalLM if job.causal else AutoModel).from_pretrained(
        folder, dtype=getattr(torch, weights), **({"attn_implementation": attention} if attention else {})
    )
    if job.vocabulary:
        base.resize_token_embeddings(job.vocabulary, mean_resizing=False)
    kind = TaskType.CAUSAL_LM if job.causal else TaskType.FEATURE_EXTRACTION
    peft = get_peft_model(base, PromptTuningConfig(task_type=kind, num_virtual_tokens=job.length))
    prompt = peft.prompt_encoder["default"].embedding.weight
    prompt.data = start.clone()
    model = peft if job.causal else Cosines(peft, labels, job.length)
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        made = Trainer(
            model,
            arguments(job, place, settings),
            data_collator=Collator(tokenizer, job.causal),
            train_dataset=encoded(job, tokenizer, data),
            callbacks=[clock],
        )
        made.train()
    memory = peak_mb()
    ran = {"precision": weights, "attention": base.config._attn_implementation, **settings}
    learned = Injection(prompt.detach().float().unsqueeze(0))
    return timed(job, clock.seen) | {"memory_mb": memory, "ran": ran} | score(job, data, [learned])


def arguments(job: Job, place: str, settings: dict[str, Any]) -> TrainingArguments:
    """Return Trainer's arguments: the job's, and its defaults in all that `settings` does not name."""
    return TrainingArguments(
        place,
        max_steps=job.steps,
        per_device_train_batch_size=job.batch,
        learning_rate=job.rate,
        warmup_steps=round(0.1 * job.steps),
        seed=job.seed,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        remove_unused_columns=False,
        **settings,
    )


def encoded(job: Job, tokenizer: Any, data: Any) -> list[dict[str, Any]]:
    """Return the rows as Trainer reads them; a causal model learns the label word alone."""
    longest = 512 if job.sentences > 1 else 128
    words = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in LABELS[job.backbone].values()]
    rows = []
    for text, y in zip(data.train, data.labels, strict=True):
        if job.causal:
            ids = tokenizer(text)["input_ids"][-longest:]
            rows.append({"input_ids": ids + words[y], "labels": [-100] * len(ids) + words[y]})
        else:
            rows.append({"input_ids": tokenizer(text, truncation=True, max_length=longest)["input_ids"], "labels": y})
    return rows


class Collator:
    """Pad a batch to its longest row, which is what Trainer's own collator does."""

    def __init__(self, tokenizer: Any, causal: bool) -> None:
        self.tokenizer, self.causal = tokenizer, causal
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return the padded batch."""
        longest = max(len(row["input_ids"]) for row in rows)
        fill = [longest - len(row["input_ids"]) for row in rows]
        pad = self.tokenizer.pad_token_id
        batch = {
            "input_ids": torch.tensor([row["input_ids"] + [pad] * n for row, n in zip(rows, fill, strict=True)]),
            "attention_mask": torch.tensor([[1] * (longest - n) + [0] * n for n in fill]),
        }
        told = [row["labels"] + [-100] * n if self.causal else row["labels"] for row, n in zip(rows, fill, strict=True)]
        return batch | {"labels": torch.tensor(told)}
