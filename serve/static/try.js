"use strict";
// Text reaches the page through textContent alone, never as markup.

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function asked() {
  const ticket = {};
  if (at("subject").value.trim()) ticket.subject = at("subject").value;
  if (at("body").value.trim()) ticket.body = at("body").value;
  if (at("deadline").value) ticket.deadline_ms = Number(at("deadline").value);
  if (at("explain").checked) ticket.explain = true;
  if (at("every").checked) ticket.every_stage = true;
  return ticket;
}

function table(caption, heads, rows) {
  const made = element("table");
  made.append(element("caption", caption));
  const wordy = ["Value", "Queue", "Share"];
  const numeric = (column) => (column > 0 && !wordy.includes(heads[column]) ? { class: "number" } : {});
  const head = made.createTHead().insertRow();
  heads.forEach((text, i) => head.append(element("th", text, { scope: "col", ...numeric(i) })));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((content, i) => {
      const cell = element("td", "", numeric(i));
      cell.append(content);
      line.append(cell);
    });
  }
  return made;
}

function wordsFor(queue, words, heaviest) {
  const bar = (weight) => element("meter", "", {
    min: 0, max: heaviest, value: weight, "aria-label": "Share of the heaviest word",
  });
  return table(`Words for ${queue}`, ["Word", "Share", "Weight"],
    words.map((w) => [w.text, bar(Math.abs(w.weight)), Math.abs(w.weight).toFixed(2)]));
}

function why(explanation) {
  const parts = [element("h2", "Why")];
  const gates = element("ul", "", { class: "gates" });
  gates.append(...explanation.gates.map((passage) => element("li", passage.text)));
  parts.push(gates);
  const heaviest = Math.max(...explanation.words.map((word) => Math.abs(word.weight)));
  const sides = element("div", "", { class: "sides" });
  for (const [queue, sign] of [[explanation.queue, 1], [explanation.against, -1]]) {
    const words = explanation.words.filter((word) => sign * word.weight > 0);
    if (words.length) sides.append(wordsFor(queue, words, heaviest));
  }
  parts.push(sides);
  if (!explanation.neighbours.length) return parts;
  const near = element("ol", "", { class: "near" });
  for (const past of explanation.neighbours) {
    const item = element("li");
    item.append(element("strong", past.queue),
      ` – ${Math.round(100 * past.similarity)} % of the words in common`,
      element("p", past.excerpt));
    near.append(item);
  }
  return [...parts, element("h2", "Past tickets like it"), near];
}

function show(decision) {
  const settled = decision.action === "route"
    ? `Routed: settled by the ${decision.stage} stage.`
    : `For review: ${decision.reason || "no stage was sure"}.`;
  const bar = element("meter", percent(decision.confidence), {
    min: 0, max: 1, value: decision.confidence, "aria-label": "Confidence",
  });
  const parts = [
    element("p", decision.queue, { class: "queue" }), bar,
    element("p", `${percent(decision.confidence)} confident. ${settled}`),
    table("Stages", ["Stage", "Queue", "Confidence", "ms"],
      decision.stages.map((s) => [s.name, s.queue, percent(s.confidence), s.ms.toFixed(1)])),
  ];
  const labels = Object.entries(decision.labels);
  if (decision.alternatives.length) parts.push(table("Alternatives", ["Queue", "Confidence"],
    decision.alternatives.map((c) => [c.queue, percent(c.confidence)])));
  if (labels.length) parts.push(table("Labels", ["Label", "Value", "Confidence"],
    labels.map(([name, label]) => [name, label.value, percent(label.confidence)])));
  if (decision.opinions) parts.push(table("Each stage alone", ["Stage", "Queue", "Confidence", "ms"],
    decision.opinions.map((its) => [its.stage, its.queue ?? its.reason,
      its.confidence === null ? "–" : percent(its.confidence), its.ms.toFixed(1)])));
  if (decision.explanation) parts.push(...why(decision.explanation));
  at("answer").replaceChildren(...parts);
  at("bundle").textContent = decision.bundle;
}

function showProblem(title, lines) {
  const list = element("ul");
  list.append(...lines.filter(Boolean).map((line) => element("li", line)));
  at("answer").replaceChildren(element("p", title, { class: "queue" }), list);
}

function showCurl() {
  const body = JSON.stringify(asked()).replaceAll("'", "'\\''");
  at("curl").textContent = `curl -s ${location.origin}/v1/route `
    + `-H 'Content-Type: application/json' -d '${body}'`;
}

async function submit(event) {
  event.preventDefault();
  at("answer").hidden = false;
  at("answer").setAttribute("aria-busy", "true");
  try {
    const reply = await fetch("/v1/route", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked()),
    });
    const answer = await reply.json();
    if (reply.ok) show(answer);
    else showProblem(answer.title,
      [answer.detail, ...(answer.errors || []).map((e) => `${e.field}: ${e.message}`)]);
  } catch (error) {
    showProblem("No answer", ["The service cannot be reached."]);
  }
  at("answer").removeAttribute("aria-busy");
}

at("form").addEventListener("submit", submit);
at("form").addEventListener("input", showCurl);
if (navigator.clipboard) {
  at("copy").hidden = false;
  at("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(at("curl").textContent);
    at("copy").textContent = "Copied";
  });
}
