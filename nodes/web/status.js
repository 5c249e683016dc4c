// The status text of a node: what went wrong, that an unchanged graph costs nothing, and that a run ended unnoticed.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { nodeAt } from "./graph.js";
import { strings } from "./i18n.js";
import { showStatus, unescape } from "./status_box.js";

export const OURS = "DashScopeWan";

const running = new Map(); // the text of each running node of ours, by its id in the run
const urls = new Map(); // the lines with the URLs of videos that the server has shown, likewise
let run; // the id of the run

export function followStatus() {
  const on = (name, react) => api.addEventListener(name, ({ detail }) => react(detail ?? {}));
  on("progress_text", noteText);
  on("progress_state", ({ prompt_id }) => (run = prompt_id));
  on("execution_start", ({ prompt_id }) => {
    run = prompt_id;
    running.clear();
  });
  on("executed", ({ node }) => running.delete(String(node)));
  for (const name of ["execution_success", "execution_error", "execution_interrupted"]) on(name, () => running.clear());
  on("execution_error", showError);
  on("execution_cached", ({ nodes }) => nodes?.forEach(showUnchanged));
  on("reconnected", () => showEnded().catch(() => {})); // without an answer nothing is known of the run
}

function noteText({ nodeId, text }) {
  const id = String(nodeId);
  const plain = unescape(text);
  urls.set(id, plain.split("\n").filter((line) => /https?:\/\//.test(line)));
  if (ours(id)) running.set(id, plain);
  show(id, plain);
}

function show(id, text) {
  const node = ours(id);
  if (node) showStatus(node, text);
}

function ours(id) {
  const node = nodeAt(id, app.rootGraph ?? app.graph);
  return node?.comfyClass?.startsWith(OURS) ? node : undefined;
}

// The error is shown on its node as well: some versions of ComfyUI hide the message behind "View details". The URLs of
// videos that the server has shown on the node stay: errors do not contain them, as errors are logged.
function showError({ node_id, node_type, exception_message }) {
  if (!node_type?.startsWith(OURS)) return;
  const id = String(node_id);
  show(id, [exception_message.trim(), ...(urls.get(id) ?? [])].join("\n"));
  forget(id);
}

function forget(id) {
  running.delete(id);
  urls.delete(id);
}

// The server keeps the result of a node whose inputs are the same: it does not run again.
function showUnchanged(id) {
  if (!ours(String(id))?.widgets?.some(({ name }) => name === "seed")) return;
  show(String(id), strings().unchanged);
  forget(String(id));
}

// The connection was lost for a while. If the server still has the run, its next text replaces this one.
async function showEnded() {
  const before = [...running];
  if (!before.length) return;
  const json = async (path) => (await api.fetchApi(path)).json();
  const { queue_running, queue_pending } = await json("/queue");
  if ([...queue_running, ...queue_pending].some(([, id]) => run === undefined || id === run)) return;
  const ended = run === undefined ? undefined : (await json(`/history/${run}`))[run];
  const text = ended?.status?.status_str === "success" ? strings().finished : strings().interrupted;
  for (const [id, last] of before) {
    if (running.get(id) !== last) continue;
    show(id, text);
    forget(id);
  }
}
