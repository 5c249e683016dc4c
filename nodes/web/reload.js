// The page forgets what nodes showed when it is reloaded; ComfyUI's history still knows. Nodes that show nothing get
// the video of their last run in this workflow back, through the same event that brought it first.
import { allNodes } from "./graph.js";

const LOOK_BACK = 30; // runs
const asked = new Set(); // workflows

export async function bringBack(app, api, isOurs) {
  const workflow = (app.rootGraph ?? app.graph).id;
  if (!workflow || asked.has(workflow) || !waiting(app, isOurs).length) return;
  const runs = await history(api);
  if (workflow !== (app.rootGraph ?? app.graph).id) return;
  asked.add(workflow);
  for (const { id, key, node } of waiting(app, isOurs)) {
    const run = runs.find(({ prompt: [, , nodes, extra], outputs }) => {
      const same = extra?.extra_pnginfo?.workflow?.id === workflow;
      return same && nodes?.[id]?.class_type === node.comfyClass && outputs?.[id];
    });
    if (!run || app.nodeOutputs?.[key]) continue;
    const detail = { node: id, display_node: id, output: run.outputs[id], prompt_id: run.prompt[1] };
    api.dispatchEvent(new CustomEvent("executed", { detail }));
  }
}

function waiting(app, isOurs) {
  const nodes = [...allNodes(app.rootGraph ?? app.graph)];
  return nodes.filter(({ node, key }) => isOurs(node) && !app.nodeOutputs?.[key]);
}

// The newest run first; nothing when there is no history to be had.
async function history(api) {
  try {
    const answer = await api.fetchApi(`/history?max_items=${LOOK_BACK}`);
    return answer.ok ? Object.values(await answer.json()).reverse() : [];
  } catch {
    return [];
  }
}
