// The pack's extension of ComfyUI's page: it limits widgets to the model's values, shows the price of a run, fixes the
// seed and completes the status texts. The nodes work without it, as the server validates everything.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { allNodes, isLinked } from "./graph.js";
import { layOut, revealAdvanced, savedHeight, toSavedOrder, toShownOrder } from "./layout.js";
import { applyModelRules, hasReferences, watch, withLoading } from "./model_widgets.js";
import { addPriceLine, showPrice } from "./price.js";
import { tellLanguage } from "./i18n.js";
import { fixSeedControl } from "./seed.js";
import { OURS, followStatus } from "./status.js";
import { PLAYER } from "./status_box.js";

const CONNECTION = "DashScopeWanConnection";
const RULES = "dashscope_wan";

function showPrices() {
  for (const node of allNodes(app.rootGraph ?? app.graph)) {
    // Its model may be another subgraph node's now, or another kind of reference be linked.
    if (isLinked(node, "model") || hasReferences(node)) applyModelRules(node, { keepSize: true });
    else showPrice(node);
  }
}

function after(owner, name, more) {
  const before = owner[name];
  owner[name] = function (...args) {
    const result = before?.apply(this, args);
    more.apply(this, args);
    return result;
  };
}

// A node with a model: its definition contains the rules of the models.
function installModelRules(node, table) {
  const height = node.computeSize()[1];
  watch(node, table, () => showPrice(node));
  addPriceLine(node, table);
  applyModelRules(node);
  node.setSize([node.size[0], node.size[1] + node.computeSize()[1] - height]);
  after(node, "onConnectionsChange", () => {
    if (!app.configuringGraph) applyModelRules(node);
  });
}

// What a node shows is no part of the graph. Some versions of the page send the player of its video as an input, by
// which the server takes an unchanged node for a changed one.
function keepSavedForm(node) {
  after(node, "onSerialize", (saved) => {
    const player = node.widgets?.find(({ name }) => name === PLAYER);
    if (player) player.options.serialize = false; // not in the prompt, which is made after this
    if (saved.widgets_values) saved.widgets_values = toSavedOrder(node, saved.widgets_values);
    saved.size = [node.size[0], savedHeight(node, node.size[1])];
  });
  const { configure } = node;
  node.configure = function (saved, ...more) {
    const values = saved.widgets_values;
    const shown = Array.isArray(values) ? { ...saved, widgets_values: toShownOrder(this, values) } : saved;
    return withLoading(this, () => configure.call(this, shown, ...more));
  };
}

app.registerExtension({
  name: "dashscope-wan",
  setup() {
    // Changes elsewhere in the graph: a Connection node is bypassed, or linked to the subgraph of a node.
    api.addEventListener("graphChanged", showPrices);
    // The page reports messages that nobody hears as errors, and the task panel, which hears these, may be closed.
    for (const name of ["dashscope_wan.task", "dashscope_wan.fetch"]) api.addEventListener(name, () => {});
    followStatus();
    tellLanguage();
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith(OURS)) return;
    const { nodeData } = node.constructor;
    const table = nodeData.input?.required?.model?.[1]?.[RULES];
    fixSeedControl(node);
    layOut(node);
    if (table) installModelRules(node, table);
    // Without this, some versions of Nodes 2.0 show the video as an image.
    if (nodeData.output_node) node.previewMediaType = "video";
    keepSavedForm(node);
    // The price of a run depends on the region.
    if (nodeData.name === CONNECTION) for (const widget of node.widgets) after(widget, "callback", showPrices);
  },
  loadedGraphNode(node) {
    if (node.comfyClass?.startsWith(OURS)) revealAdvanced(node);
  },
  afterConfigureGraph: showPrices,
  refreshComboInNodes() {
    // ComfyUI has just put the full lists back.
    for (const node of allNodes(app.rootGraph ?? app.graph)) applyModelRules(node);
  },
});
