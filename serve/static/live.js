import { ago, ask, at, bar, element, percent, seconds } from "./common.js";

const EVERY = 2000; // milliseconds between two looks
const SPARE = 20; // and at least so many times what the service took to answer
const HISTORY = 60; // looks in the small curve
const number = new Intl.NumberFormat("en");
const history = [];
const UNANSWERED = {
  late: "too late", busy: "turned away, as it was busy", open: "not asked, as it had failed too often",
  refused: "refused", failed: "failed", nonsense: "without a usable answer", unsure: "unsure", forbidden: "forbidden",
};
let asked = null; // of the language model at the last look

function waits(its, none) {
  return its.waiting ? `the oldest came ${ago(seconds() - its.oldest_seconds)}` : none;
}

function showStages(day) {
  if (!day.tickets) {
    at("stages").replaceChildren(element("p", ["No ticket came yet. ",
      element("a", "Try one", { href: "/" }), " and it shows here."], { class: "aside" }));
    return;
  }
  const items = day.stages.map(({ stage, tickets }) => {
    const person = stage === "human";
    return element("li", [element("p", [element("span", person ? "a person looks" : stage),
      element("span", `${percent(tickets / day.tickets)} · ${number.format(tickets)}`)], { class: "row" }),
    bar(tickets / day.tickets, person ? "warn" : "")]);
  });
  at("stages").replaceChildren(element("ul", items, { class: "shares" }));
}

function showTimes(recent) {
  at("p95").textContent = recent ? `${recent.p95_ms.toFixed(recent.p95_ms < 10 ? 1 : 0)} ms` : "–";
  at("times").textContent = recent
    ? `half within ${recent.p50_ms.toFixed(1)} ms; ${number.format(recent.tickets)} tickets, last ${recent.seconds / 60} min`
    : "nothing in the last minutes";
  history.push(recent ? recent.p95_ms : 0);
  if (history.length > HISTORY) history.shift();
  const most = Math.max(...history, 1e-9);
  const points = history.map((ms, i) => `${100 * i / (HISTORY - 1)},${23 - 22 * ms / most}`);
  at("spark").firstElementChild.setAttribute("points", points.join(" "));
}

// Whether it answers, told by what came since the last look.
function modelState(counts) {
  const { answered = 0, ...others } = counts;
  const unanswered = Object.values(others).reduce((sum, count) => sum + count, 0);
  const more = asked && answered > asked.answered;
  const fewer = asked && unanswered > asked.unanswered;
  asked = { answered, unanswered };
  return more ? ["answers", "good"] : fewer ? ["gives no answers", "bad"] : ["not asked just now", ""];
}

function showModel(llm) {
  if (!llm) {
    at("llm").textContent = "none in this bundle";
    at("llm-more").textContent = "";
    return;
  }
  const [state, kind] = modelState(llm.counts);
  at("llm").replaceChildren(`${llm.backend} `, element("span", state, { class: `pill ${kind}` }));
  const { answered = 0, ...others } = llm.counts;
  const told = [`${number.format(answered)} tickets answered since the start`,
    ...Object.entries(others).map(([why, count]) => `${number.format(count)} ${UNANSWERED[why] ?? why}`)];
  at("llm-more").textContent = told.join(", ") + (llm.fitted ? "" : "; it suggests and settles nothing");
}

function showWorkers(workers, bundle) {
  at("workers").replaceChildren(...workers.map((its) => {
    const name = its.bundle ?? "the settings' bundle";
    const same = name === bundle;
    return element("li", [element("span", same && !its.failure ? "●" : "▲", { class: same && !its.failure ? "good" : "warn", "aria-hidden": "true" }),
      element("code", name), element("span", its.failure || (same ? "" : "another bundle"), { class: "aside" })]);
  }));
  if (!workers.length) at("workers").append(element("li", "none has told of itself yet", { class: "aside" }));
}

function show(state) {
  const { day, review, pending, callbacks } = state;
  showStages(day);
  at("tickets").textContent = number.format(day.tickets);
  at("escalated").textContent = day.tickets && day.escalated !== null
    ? `${percent(day.escalated / day.tickets)} escalated past the first stage; ${number.format(day.feedback)} corrected or decided by people`
    : "";
  showTimes(state.recent);
  at("review").replaceChildren(element("a", number.format(review.waiting), { href: "/review" }));
  at("review-more").textContent = waits(review, "the queue is empty");
  at("pending").textContent = number.format(pending.waiting);
  at("pending-more").textContent = waits(pending, "none is late")
    + (callbacks.waiting ? `; ${number.format(callbacks.waiting)} callbacks to deliver` : "");
  showModel(state.llm);
  showWorkers(state.workers, state.bundle);
  at("figures").removeAttribute("aria-busy");
}

async function refresh() {
  try {
    show(await ask("/v1/admin/state"));
    at("trouble").hidden = true;
    at("figures").classList.remove("stale");
    at("fresh").textContent = `as of ${new Date().toLocaleTimeString("en-GB")}`;
  } catch (error) {
    at("trouble").textContent = `${error.message} What stands below is old; trying again.`;
    at("trouble").hidden = false;
    at("figures").classList.add("stale");
  }
}

async function watch() {
  const began = performance.now();
  if (!document.hidden) await refresh();
  setTimeout(watch, Math.max(EVERY, SPARE * (performance.now() - began)));
}

watch();
