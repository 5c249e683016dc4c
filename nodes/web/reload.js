// A reload of the page clears the videos on the nodes. Nodes without output get the video of their last run in this
// workflow from ComfyUI's history, through the event that first showed it.
import { allNodes } from "./graph.js";

const LOOK_BACK = 30; // runs
const restored = new Set(); // workflows

export async function restoreVideos(app, api, isOurs) {
  const workflow = (app.rootGraph ?? app.graph).id;
  if (!workflow || restored.has(workflow) || !empty(app, isOurs).length) return;
  const runs = await history(api);
  if (workflow !== (app.rootGraph ?? app.graph).id) return;
  restored.add(workflow);
  for (const { id, key, node } of empty(app, isOurs)) {
    const run = runs.find(({ prompt: [, , nodes, extra], outputs }) => {
      const same = extra?.extra_pnginfo?.workflow?.id === workflow;
      return same && nodes?.[id]?.class_type === node.comfyClass && outputs?.[id];
    });
    if (!run || app.nodeOutputs?.[key]) continue;
    const detail = { node: id, display_node: id, output: run.outputs[id], prompt_id: run.prompt[1] };
    api.dispatchEvent(new CustomEvent("executed", { detail }));
  }
}

function empty(app, isOurs) {
  const nodes = [...allNodes(app.rootGraph ?? app.graph)];
  return nodes.filter(({ node, key }) => isOurs(node) && !app.nodeOutputs?.[key]);
}

// Return the runs, newest first; an empty list if the history is unavailable.
async function history(api) {
  try {
    const response = await api.fetchApi(`/history?max_items=${LOOK_BACK}`);
    return response.ok ? Object.values(await response.json()).reverse() : [];
  } catch {
    return [];
  }
}
