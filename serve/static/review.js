import { ago, ask, at, bar, element, percent } from "./common.js";
import { chooser } from "./chooser.js";

const EVERY = 5000; // milliseconds between two looks at the queue
const UNDO = 20000; // until the offer to take a decision back goes (the service takes it for a minute)
const TOLD = 6000; // and until another message goes
const MOST = 50; // items shown
const STORED = "cascade-reviewer";
const queues = [...at("queues").children].map((item) => item.textContent);

let name = at("name").dataset.key || localStorage.getItem(STORED) || "";
let items = [];
let chosen = null; // id of the selected decision
let drawn = ""; // what the detail shows, so that a look does not disturb who types
let busy = false;
let claimed = null; // what was claimed on this very page, and is given back when it is left
let last = null; // the decision that can be taken back
let silence = 0; // the timer that ends a message

const idOf = (item) => item.decision.decision_id;
const titleOf = (item) => item.decision.id ?? `…${idOf(item).slice(-6)}`;
const isMine = (item) => item.claimed_by === name;
const selected = () => items.find((item) => idOf(item) === chosen);
const held = () => items.find(isMine);

function say(text, undo = last) {
  last = undo;
  at("told").textContent = text;
  at("undo").hidden = !undo;
  at("undo").firstChild.textContent = undo ? `Take ${undo.title} back ` : "";
  clearTimeout(silence);
  if (text) silence = setTimeout(() => say("", null), undo ? UNDO : TOLD);
}

function showTrouble(error) {
  at("trouble").textContent = error ? error.message : "";
  at("trouble").hidden = !error;
}

// --- drawing ---

function holder(item) {
  if (!item.claimed_by) return [];
  return isMine(item) ? [element("span", "yours", { class: "pill good" })]
    : [element("span", `${item.claimed_by} has it`, { class: "pill" })];
}

function entry(item) {
  const { decision } = item;
  const urgency = decision.labels.urgency?.value;
  const made = element("li", [
    element("p", [element("strong", titleOf(item)), element("span", ago(decision.created), { class: "ms" })], { class: "row" }),
    element("p", [element("span", decision.queue), element("span", percent(decision.confidence, 0))], { class: "row" }),
    element("p", [...holder(item), ...(urgency ? [element("span", urgency, { class: `pill urgency ${urgency}` })] : [])], { class: "pills" }),
  ], {
    role: "option", id: `item-${idOf(item)}`, "aria-selected": String(idOf(item) === chosen),
    ...(item.claimed_by && !isMine(item) ? { class: "theirs" } : {}),
  });
  made.addEventListener("click", () => { select(item); at("list").focus(); });
  return made;
}

function drawList() {
  at("list").replaceChildren(...items.map(entry));
  const option = at(`item-${chosen}`);
  at("list").setAttribute("aria-activedescendant", option ? option.id : "");
  option?.scrollIntoView({ block: "nearest" });
}

function suggestion(decision) {
  return [decision, ...decision.alternatives].map((its) => [its.queue, its.confidence]);
}

function actions(item) {
  if (isMine(item)) {
    const first = suggestion(item.decision);
    const rest = queues.filter((queue) => !first.some(([its]) => its === queue)).map((queue) => [queue, null]);
    const until = new Date(1000 * item.claimed_until).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    const back = element("button", ["Skip ", element("kbd", "Esc")], { type: "button", class: "quiet" });
    back.addEventListener("click", release);
    return [chooser([...first, ...rest], decide, release),
      element("p", [back, element("span", ` yours until ${until}`)], { class: "aside" })];
  }
  const guesses = element("ul", suggestion(item.decision).map(([queue, confidence]) => element("li", [
    element("p", [element("span", queue), element("span", percent(confidence))], { class: "row" }), bar(confidence)])),
  { class: "shares" });
  if (item.claimed_by) {
    return [guesses, element("p", `${item.claimed_by} has claimed it and decides.`, { class: "note" })];
  }
  const take = element("button", ["Claim ", element("kbd", "Enter")], { type: "button", class: "main" });
  take.addEventListener("click", () => claim(item));
  return [guesses, take];
}

function drawDetail(item) {
  const key = item ? `${idOf(item)} ${item.claimed_by} ${name}` : "";
  if (key === drawn) return;
  drawn = key;
  if (!item) return at("detail").replaceChildren(element("p", "Choose one from the list.", { class: "aside" }));
  const { decision } = item;
  const labels = Object.entries(decision.labels).map(([label, its]) => element("li", [`${label} `, element("strong", its.value)]));
  const text = item.text === null ? element("p", at("no-text").content.cloneNode(true), { class: "note" })
    : element("p", item.text, { class: "text", tabindex: "0" });
  at("detail").replaceChildren(
    element("h2", `Ticket ${titleOf(item)}`),
    element("p", `${decision.reason || "no stage was sure"}; suggested: ${decision.queue}`, { class: "aside" }),
    ...(labels.length ? [element("ul", labels, { class: "chips" })] : []),
    text, ...actions(item),
  );
}

function draw(waiting = null) {
  const empty = !items.length;
  at("desk").hidden = empty || !name;
  at("nothing").hidden = !empty || !name;
  if (waiting !== null) {
    at("waiting").hidden = !waiting;
    at("waiting").textContent = waiting > items.length ? `${waiting} wait, the first ${items.length}` : `${waiting} wait`;
  }
  drawList();
  drawDetail(selected());
}

// --- what people do ---

function select(item) {
  chosen = item ? idOf(item) : null;
  drawList();
  drawDetail(item);
}

function move(step) {
  if (!items.length) return;
  const now = items.findIndex((item) => idOf(item) === chosen);
  select(items[Math.min(Math.max(now + step, 0), items.length - 1)]);
}

// One thing at a time; afterwards the queue is as the service says.
async function act(work) {
  if (busy || !name) return;
  busy = true;
  try {
    await work();
    showTrouble(null);
  } catch (error) {
    if (error.status === 409) say("Somebody else has it, or it is done.");
    else showTrouble(error);
  }
  busy = false;
  await refresh();
  const find = at("find");
  if (find && isMine(selected())) find.focus();
  else at(items.length ? "list" : "keys").focus();
}

function claim(item) {
  return act(async () => {
    const other = held();
    if (other && other !== item) await ask(`/v1/review/${idOf(other)}/release`, { by: name });
    await ask("/v1/review/claim", { by: name, decision_id: idOf(item) });
    claimed = idOf(item);
    say(`${titleOf(item)} is yours. Choose a queue.`);
  });
}

function release() {
  const item = held();
  return item && act(async () => {
    await ask(`/v1/review/${idOf(item)}/release`, { by: name });
    claimed = null;
    say(`${titleOf(item)} is given back.`);
    if (items.length > 1) move(items[items.length - 1] === item ? -1 : 1);
  });
}

function decide(queue) {
  const item = held();
  return item && act(async () => {
    await ask(`/v1/review/${idOf(item)}/decide`, { by: name, queue });
    claimed = null;
    const place = items.indexOf(item);
    const free = [...items.slice(place + 1), ...items.slice(0, place).reverse()];
    chosen = (free.find((other) => !other.claimed_by) ?? free[0])?.decision.decision_id ?? null;
    say(`${titleOf(item)} goes to ${queue}.`, { id: idOf(item), title: titleOf(item) });
  });
}

function undo() {
  const taken = last;
  return taken && act(async () => {
    await ask(`/v1/review/${taken.id}/reopen`, { by: name });
    chosen = claimed = taken.id;
    say(`${taken.title} is yours again.`, null);
  });
}

async function refresh() {
  if (busy || !name) return;
  try {
    const found = await ask(`/v1/review?limit=${MOST}`);
    if (busy) return;
    ({ items } = found);
    if (!selected()) select(items.find((item) => !item.claimed_by || isMine(item)) ?? items[0]);
    draw(found.waiting);
    showTrouble(null);
  } catch (error) {
    showTrouble(error);
  }
}

function press(event) {
  const typing = event.target.matches("input, textarea");
  if (typing || at("help").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const onButton = event.target.matches("button, a");
  const item = selected();
  const deeds = {
    j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
    c: () => item && claim(item), Enter: () => item && claim(item),
    s: release, Escape: release, u: undo, "?": () => at("help").showModal(),
  };
  const deed = deeds[event.key];
  if (!deed || (onButton && event.key === "Enter") || (event.repeat && !/Arrow|[jk]/.test(event.key))) return;
  event.preventDefault();
  deed();
}

function begin() {
  at("who").hidden = Boolean(name);
  at("reviewer").hidden = !name;
  at("name").textContent = name;
  if (!name) {
    draw();
    at("by").focus();
    return;
  }
  refresh().then(() => { if (items.length) at("list").focus(); });
}

at("who").addEventListener("submit", (event) => {
  event.preventDefault();
  name = at("by").value.trim();
  if (!name) return;
  localStorage.setItem(STORED, name);
  begin();
});
at("rename")?.addEventListener("click", async () => {
  await release();
  at("by").value = name;
  name = "";
  begin();
});
at("keys").addEventListener("click", () => at("help").showModal());
at("undo").addEventListener("click", undo);
document.addEventListener("keydown", press);
window.addEventListener("pagehide", () => {
  if (claimed) ask(`/v1/review/${claimed}/release`, { by: name }, { keepalive: true }).catch(() => {});
});
setInterval(() => { if (!document.hidden) refresh(); }, EVERY);
begin();
