// What the pages share. Text reaches a page through textContent alone, never as markup.

export const at = (id) => document.getElementById(id);
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
export const seconds = () => Date.now() / 1000;

export function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  made.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function bar(share, kind = "") {
  const made = at("bar").content.firstElementChild.cloneNode(true);
  made.querySelector(".fill").setAttribute("width", String(100 * Math.min(Math.max(share, 0), 1)));
  if (kind) made.classList.add(kind);
  return made;
}

export function ago(since) {
  const gone = Math.max(0, seconds() - since);
  if (gone < 60) return "just now";
  if (gone < 3600) return `${Math.floor(gone / 60)} min ago`;
  if (gone < 172800) return `${Math.floor(gone / 3600)} h ago`;
  return `${Math.floor(gone / 86400)} days ago`;
}

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title);
    this.status = status;
    this.problem = problem;
  }
}

// The answer as JSON; a Refusal for one that is an error, another Error where none comes.
export async function ask(path, body, options = {}) {
  const csrf = document.querySelector("meta[name=csrf-token]").content;
  const headers = csrf ? { "X-CSRF-Token": csrf } : {};
  const sent = body === undefined ? {} : {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let reply;
  try {
    reply = await fetch(path, { ...sent, ...options });
  } catch {
    throw new Error("The service cannot be reached.");
  }
  const bundle = reply.headers.get("Cascade-Bundle");
  if (bundle) at("bundle").textContent = decodeURIComponent(bundle);
  const answer = await reply.json().catch(() => ({ title: `The service answered ${reply.status}` }));
  if (reply.status === 401) location.assign("/login");
  if (!reply.ok) throw new Refusal(reply.status, answer);
  return answer;
}
