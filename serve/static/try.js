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
  return ticket;
}

function table(caption, heads, rows) {
  const made = element("table");
  made.append(element("caption", caption));
  const numeric = (column) => (column > 0 && heads[column] !== "Value" ? { class: "number" } : {});
  const head = made.createTHead().insertRow();
  heads.forEach((text, i) => head.append(element("th", text, { scope: "col", ...numeric(i) })));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((text, i) => line.append(element("td", text, numeric(i))));
  }
  return made;
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
    table("Stages", ["Stage", "Confidence", "ms"],
      decision.stages.map((s) => [s.name, percent(s.confidence), s.ms.toFixed(2)])),
  ];
  const labels = Object.entries(decision.labels);
  if (decision.alternatives.length) parts.push(table("Alternatives", ["Queue", "Confidence"],
    decision.alternatives.map((c) => [c.queue, percent(c.confidence)])));
  if (labels.length) parts.push(table("Labels", ["Label", "Value", "Confidence"],
    labels.map(([name, label]) => [name, label.value, percent(label.confidence)])));
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
