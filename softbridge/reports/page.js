// Filters, and the transfer matrix. All that comes from records is set as text, never as markup.
"use strict";

function make(tag, text, attributes) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  return node;
}

function shown(value, digits, sign) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 ? "−" : sign && value > 0 ? "+" : "") + text;
}

function ticked(form, name) {
  return [...form.querySelectorAll(`input[name="${name}"]`)].filter((box) => box.checked).map((box) => box.value);
}

function filters(article) {
  const form = article.querySelector(".filters");
  const arms = [...form.querySelectorAll('input[name="arm"]')].map((box) => box.value);
  const targets = [...form.querySelectorAll('input[name="target"]')].map((box) => box.value);
  const parts = (ends) => article.querySelectorAll(ends.map((end) => `svg [id$="-${end}"]`).join(","));
  const apply = () => {
    const metric = form.elements.metric.value;
    const kept = { arm: ticked(form, "arm"), target: ticked(form, "target") };
    for (const node of article.querySelectorAll("[data-metric]")) node.hidden = node.dataset.metric !== metric;
    for (const node of article.querySelectorAll("[data-arm], [data-target]")) {
      const away = ["arm", "target"].some((kind) => kind in node.dataset && !kept[kind].includes(node.dataset[kind]));
      node.classList.toggle("away", away);
    }
    arms.forEach((arm, i) => {
      const away = !kept.arm.includes(arm);
      for (const node of parts([`arm-${i}`, `band-${i}`, `bar-${i}`, `seeds-${i}`])) node.classList.toggle("away", away);
    });
    targets.forEach((target, i) => {
      for (const node of parts([`target-${i}`])) node.classList.toggle("away", !kept.target.includes(target));
    });
    const all = kept.arm.length === arms.length && kept.target.length === targets.length;
    article.classList.toggle("filtered", !all);
    article.classList.toggle("crowded", kept.arm.length > 8);
    form.querySelector("summary").textContent = all ? "Filter" : `Filter: ${kept.arm.length} of ${arms.length} arms, ${kept.target.length} of ${targets.length} targets`;
    article.dispatchEvent(new CustomEvent("filtered", { detail: { metric, targets: kept.target } }));
  };
  // Pointing at an arm anywhere brings it out in every figure.
  const point = (arm) => arms.forEach((other, i) => {
    for (const node of parts([`arm-${i}`, `band-${i}`, `bar-${i}`, `seeds-${i}`])) node.classList.toggle("dim", arm !== null && arm !== other);
  });
  article.addEventListener("mouseover", (event) => {
    const node = event.target.closest("tr[data-arm], li[data-arm], .filters label");
    const arm = node && (node.dataset.arm ?? node.querySelector('input[name="arm"]')?.value);
    point(arm ?? null);
  });
  form.hidden = false;
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("click", (event) => {
    if (event.target.tagName !== "BUTTON") return;
    const boxes = [...form.querySelectorAll(`input[name="${event.target.value}"]`)];
    const on = !boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = on;
    apply();
  });
}

function matrix(article) {
  const section = article.querySelector(".matrix");
  if (!section) return;
  const data = JSON.parse(section.querySelector('script[type="application/json"]').textContent);
  const heat = section.querySelector(".heat");
  const arm = heat.querySelector('select[name="arm"]');
  const measure = heat.querySelector('select[name="measure"]');
  const runs = heat.querySelector(".runs");
  let metric = Object.keys(data.metrics)[0];
  let targets = null;
  data.arms.forEach((one, i) => arm.append(make("option", one.arm, { value: i })));
  for (const [key, one] of Object.entries(data.measures)) measure.append(make("option", one.label, { value: key }));

  const draw = () => {
    const one = data.arms[arm.value];
    const look = data.measures[measure.value];
    const found = one.values[metric][measure.value];
    const columns = one.targets.map((_, j) => j).filter((j) => !targets || targets.includes(one.targets[j]));
    const head = make("tr");
    head.append(make("td"), ...columns.map((j) => make("th", one.targets[j], { scope: "col" })));
    heat.querySelector("thead").replaceChildren(head);
    const rows = one.sources.map((source, i) => {
      const row = make("tr");
      row.append(make("th", source, { scope: "row" }));
      for (const j of columns) row.append(cell(one, look, found, i, j));
      return row;
    });
    heat.querySelector("tbody").replaceChildren(...rows);
    runs.replaceChildren(make("p", "Point at a cell, or walk there with the Tab key, for its runs.", { class: "note" }));
    const ends = look.up ? ["--arm1", "--arm0"] : ["--arm0", "--arm1"];
    const [low, high] = ends.map((name) => `color-mix(in srgb, var(${name}) 75%, var(--paper))`);
    heat.querySelector(".ramp").style.background = `linear-gradient(90deg, ${low}, var(--paper), ${high})`;
  };

  const cell = (one, look, found, i, j) => {
    const ran = one.runs[metric][i][j];
    if (!ran) return make("td", one.sources[i] === one.targets[j] ? "itself" : "–", { class: "none" });
    const value = found ? found.cells[i][j] : null;
    const node = make("td", shown(value, look.digits, measure.value === "gain" || measure.value === "error"), { tabindex: 0 });
    node.dataset.at = `${i} ${j}`;
    if (value !== null) {
      const part = Math.max(-1, Math.min(1, (value - found.centre) / found.most)) * (look.up ? 1 : -1);
      const colour = part >= 0 ? "--arm0" : "--arm1";
      node.style.background = `color-mix(in srgb, var(${colour}) ${Math.round(75 * Math.abs(part))}%, var(--paper))`;
    }
    return node;
  };

  const tell = (event) => {
    const node = event.target.closest("td[data-at]");
    if (!node) return;
    const one = data.arms[arm.value];
    const [i, j] = node.dataset.at.split(" ").map(Number);
    const [seeds, scores, scratch, steps] = one.runs[metric][i][j];
    const table = make("table");
    const head = make("tr");
    const names = ["seed", data.metrics[metric], "scratch", "difference", "at step"];
    head.append(...names.map((name, k) => make("th", name, { scope: "col", ...(k ? { class: "n" } : {}) })));
    table.append(make("thead"), make("tbody"));
    table.tHead.append(head);
    seeds.forEach((seed, k) => {
      const apart = scores[k] === null || scratch[k] === null ? null : scores[k] - scratch[k];
      const row = make("tr");
      row.append(make("th", seed, { scope: "row" }));
      const texts = [shown(scores[k], 3), shown(scratch[k], 3), shown(apart, 3, true), steps[k] ?? "–"];
      row.append(...texts.map((text) => make("td", text, { class: "n" })));
      table.tBodies[0].append(row);
    });
    const title = make("p");
    title.append(make("strong", `${one.sources[i]} → ${one.targets[j]}`), `, ${one.arm}`);
    runs.replaceChildren(title, table);
  };

  heat.hidden = false;
  arm.addEventListener("change", draw);
  measure.addEventListener("change", draw);
  for (const kind of ["mouseover", "focusin", "click"]) heat.addEventListener(kind, tell);
  article.addEventListener("filtered", (event) => {
    metric = event.detail.metric in data.metrics ? event.detail.metric : Object.keys(data.metrics)[0];
    targets = event.detail.targets;
    draw();
  });
  draw();
}

for (const article of document.querySelectorAll("article")) {
  filters(article);
  matrix(article);
}
