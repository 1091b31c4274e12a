import { ask, at, bar, element, percent } from "./common.js";

const LOOK_AGAIN = 1000; // milliseconds until a pending decision is asked for again
let shown = 0; // the request whose answer is wanted

function asked() {
  const ticket = {};
  if (at("subject").value.trim()) ticket.subject = at("subject").value;
  if (at("body").value.trim()) ticket.body = at("body").value;
  if (at("deadline").value) ticket.deadline_ms = Number(at("deadline").value);
  if (at("explain").checked) ticket.explain = true;
  if (at("every").checked) ticket.every_stage = true;
  return ticket;
}

function verdict(decision) {
  const [kind, text] = decision.pending ? ["warn", "For review; a later answer follows"]
    : decision.action === "route" ? ["good", `Routed by the ${decision.stage} stage`]
      : ["warn", "For review"];
  const parts = [
    element("p", text, { class: `pill ${kind}` }),
    element("p", decision.queue, { class: "queue" }),
    element("p", `${percent(decision.confidence)} sure`, { class: "sure" }),
  ];
  if (decision.reason) parts.push(element("p", decision.reason, { class: "aside" }));
  const labels = Object.entries(decision.labels);
  if (labels.length) parts.push(element("ul", labels.map(([name, label]) => element("li",
    [`${name} `, element("strong", label.value), ` ${percent(label.confidence, 0)}`])), { class: "chips" }));
  return element("div", parts, { class: "card verdict" });
}

function thinking(decision) {
  const gates = Object.fromEntries((decision.explanation?.gates ?? []).map((gate) => [gate.stage, gate]));
  const items = decision.stages.map((stage, number) => {
    const settled = stage.name === decision.stage;
    const next = decision.stages[number + 1]?.name ?? (settled ? "" : "a person");
    const done = settled ? "settled it" : `passed it on to ${next}`;
    const line = element("p", [element("strong", stage.name),
      element("span", `${stage.ms.toFixed(stage.ms < 10 ? 2 : 1)} ms`, { class: "ms" })]);
    const believed = element("p", [element("span", stage.queue), element("span", percent(stage.confidence))],
      { class: "row" });
    const gate = gates[stage.name];
    return element("li", [line, believed, bar(stage.confidence, settled ? "good" : ""),
      element("p", gate ? gate.text.replace(/^[^:]*: /, "") : done, { class: "aside" })],
    settled ? { class: "settled" } : {});
  });
  if (decision.action === "review") items.push(element("li", [element("p", [element("strong", "a person")]),
    element("p", decision.pending ? "only if the later answer is not sure either" : "decides, with this as a suggestion",
      { class: "aside" })], { class: "human" }));
  return element("section", [element("h2", "Stage by stage"), element("ol", items, { class: "stages" })],
    { class: "card" });
}

function rows(title, lines) {
  const items = lines.map(([name, share, told]) => element("li", [
    element("p", [element("span", name), element("span", told)], { class: "row" }), bar(share)]));
  return element("section", [element("h2", title), element("ul", items, { class: "shares" })], { class: "card" });
}

function opinions(decision) {
  return rows("Each stage alone", decision.opinions.map((its) => its.confidence === null
    ? [`${its.stage}: ${its.reason}`, 0, "–"]
    : [`${its.stage}: ${its.queue}`, its.confidence, `${percent(its.confidence)} · ${its.ms.toFixed(1)} ms`]));
}

function words(explanation) {
  const heaviest = Math.max(...explanation.words.map((word) => Math.abs(word.weight)));
  const sides = [[explanation.queue, 1, "good"], [explanation.against, -1, "warn"]].map(([queue, sign, kind]) => {
    const its = explanation.words.filter((word) => sign * word.weight > 0);
    return its.length && element("div", [element("h3", `for ${queue}`), element("ul", its.map((word) => element("li", [
      element("p", [element("span", word.text), element("span", Math.abs(word.weight).toFixed(2))], { class: "row" }),
      bar(Math.abs(word.weight) / heaviest, kind)])), { class: "shares" })]);
  }).filter(Boolean);
  return element("section", [element("h2", "Words that moved the linear stage"),
    element("div", sides, { class: "sides" })], { class: "card" });
}

function neighbours(explanation) {
  return element("section", [element("h2", "Past tickets like it"), element("ol",
    explanation.neighbours.map((past) => element("li", [element("p", [element("strong", past.queue),
      ` – ${Math.round(100 * past.similarity)} % of the words in common`]),
    element("p", past.excerpt, { class: "aside" })])), { class: "near" })], { class: "card" });
}

function show(decision) {
  const { explanation, opinions: alone } = decision;
  const choices = [decision, ...decision.alternatives];
  const parts = [verdict(decision), thinking(decision),
    rows("Probabilities", choices.map((its) => [its.queue, its.confidence, percent(its.confidence)]))];
  if (alone?.length) parts.push(opinions(decision));
  if (explanation?.words.length) parts.push(words(explanation));
  if (explanation?.neighbours.length) parts.push(neighbours(explanation));
  at("answer").replaceChildren(...parts);
}

function showTrouble(error) {
  const fields = (error.problem?.errors ?? []).map(({ field, message }) => element("li", field === "$" ? message : `${field}: ${message}`));
  at("answer").replaceChildren(element("div", [element("p", "No decision", { class: "pill bad" }),
    element("p", error.message), element("ul", fields)], { class: "card" }));
}

async function follow(decision, request) {
  let now = decision;
  while (now.pending && request === shown) {
    await new Promise((resume) => { setTimeout(resume, LOOK_AGAIN); });
    const stored = await ask(`/v1/decisions/${decision.decision_id}`);
    if (stored.pending || request !== shown) continue;
    now = { ...decision, ...stored, explanation: null };
    show(now);
  }
}

async function submit(event) {
  event.preventDefault();
  const request = ++shown;
  at("answer").setAttribute("aria-busy", "true");
  if (matchMedia("(max-width: 59.99rem)").matches) at("answer").scrollIntoView();
  try {
    const decision = await ask("/v1/route", asked());
    if (request !== shown) return;
    show(decision);
    at("answer").removeAttribute("aria-busy");
    await follow(decision, request);
  } catch (error) {
    showTrouble(error);
  } finally {
    if (request === shown) at("answer").removeAttribute("aria-busy");
  }
}

function showCurl() {
  const body = JSON.stringify(asked()).replaceAll("'", "'\\''");
  const key = at("curl").dataset.key ? ' -H "Authorization: Bearer $KEY"' : "";
  at("curl").textContent = `curl -s ${location.origin}/v1/route${key} `
    + `-H 'Content-Type: application/json' -d '${body}'`;
}

at("form").addEventListener("submit", submit);
at("form").addEventListener("input", showCurl);
at("body").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("form").requestSubmit();
});
at("examples").addEventListener("click", (event) => {
  const { subject, body } = event.target.dataset;
  if (!subject) return;
  at("subject").value = subject;
  at("body").value = body;
  showCurl();
  at("form").requestSubmit();
});
if (navigator.clipboard) {
  at("copy").hidden = false;
  at("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(at("curl").textContent);
    at("copy").textContent = "Copied";
  });
}
