import { bar, element, percent } from "./common.js";

const DIGITS = 9;

// A field and a list of queues: a digit chooses at once, letters find, arrows and Enter choose.
// `choices` are [queue, confidence or null], the likeliest first.
export function chooser(choices, choose, skip) {
  const field = element("input", "", {
    id: "find", role: "combobox", autocomplete: "off", spellcheck: "false", maxlength: "200",
    "aria-controls": "choices", "aria-expanded": "true", "aria-autocomplete": "list",
  });
  const list = element("ul", "", { id: "choices", role: "listbox", "aria-label": "Queues" });
  const numbers = new Map(choices.slice(0, DIGITS).map(([queue], i) => [queue, i + 1]));
  let found = [];
  let marked = -1;

  function mark(number) {
    marked = number;
    [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === marked)));
    const option = list.children[marked];
    if (option) option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option?.id ?? "");
  }

  function option([queue, confidence, told], i) {
    const parts = [element("kbd", String(numbers.get(queue) ?? ""), { "aria-hidden": "true" }), element("span", queue)];
    if (confidence !== null) parts.push(element("span", percent(confidence), { class: "ms" }), bar(confidence));
    if (told) parts.push(element("span", told, { class: "aside" }));
    const made = element("li", parts, { role: "option", id: `choice-${i}`, "aria-selected": "false" });
    made.addEventListener("click", () => choose(queue));
    return made;
  }

  function filter() {
    const wanted = field.value.trim();
    const low = wanted.toLowerCase();
    const places = choices.map(([queue]) => queue.toLowerCase().indexOf(low));
    found = choices.filter((_, i) => places[i] === 0 || !low)
      .concat(choices.filter((_, i) => places[i] > 0 && low));
    const known = choices.some(([queue]) => queue.toLowerCase() === low);
    const shown = wanted && !known ? [...found, [wanted, null, "a queue that the bundle does not have"]] : found;
    list.replaceChildren(...shown.map(option));
    // A slip of the pen must not found a queue: the new one is never marked by itself.
    mark(wanted && found.length ? 0 : -1);
    found = shown;
  }

  function move(step) {
    if (found.length) mark((marked + step + (marked < 0 && step < 0 ? 1 : 0) + found.length) % found.length);
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const digit = field.value === "" && /^[1-9]$/.test(event.key) ? choices[Number(event.key) - 1] : null;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Escape") skip();
    else if (event.key === "Enter" && !event.repeat) { if (found[marked]) choose(found[marked][0]); }
    else if (digit && !event.repeat) choose(digit[0]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  field.addEventListener("input", filter);
  field.addEventListener("keydown", press);
  filter();
  return element("div", [element("label", "Where does it belong?", { for: "find" }), field, list], { class: "chooser" });
}
