// The pack's part of ComfyUI's page: widgets that follow the model, the price of a run, and a seed that stays as it
// is. Without it the nodes work; the server checks everything.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { applyModelRules, watch, withLoading } from "./follow.js";
import { allNodes } from "./graph.js";
import { addPriceLine, showPrice } from "./price.js";
import { fixSeedControl } from "./seed.js";

const OURS = "DashScopeWan";
const CONNECTION = "DashScopeWanConnection";
const TABLE = "dashscope_wan";

function showPrices() {
  for (const node of allNodes(app.rootGraph ?? app.graph)) showPrice(node);
}

function after(prototype, name, more) {
  const before = prototype[name];
  prototype[name] = function (...args) {
    const result = before?.apply(this, args);
    more.apply(this, args);
    return result;
  };
}

// A node with a model: its definition carries the table of models.
function followModel(prototype, table) {
  after(prototype, "onNodeCreated", function () {
    const height = this.computeSize()[1];
    watch(this, table, () => showPrice(this));
    addPriceLine(this, table);
    applyModelRules(this);
    this.setSize([this.size[0], this.size[1] + this.computeSize()[1] - height]);
  });
  const { configure } = prototype;
  prototype.configure = function (...args) {
    return withLoading(this, () => configure.apply(this, args));
  };
  after(prototype, "onConnectionsChange", function () {
    if (!app.configuringGraph) applyModelRules(this);
  });
}

// A node that saves videos: some versions of Nodes 2.0 take what it shows for an image unless it says this.
function showVideo(prototype) {
  after(prototype, "onNodeCreated", function () {
    this.previewMediaType = "video";
  });
}

// What went wrong stands on the node, too: ComfyUI's newer versions keep the message behind "View details". The links of
// videos that the server has just shown there stay: they are in no error, as errors are logged.
const links = new Map();

function keepLinks({ nodeId, text }) {
  links.set(String(nodeId), text.split("\n").filter((line) => /https?:\/\//.test(line)));
}

function showErrorOnNode({ node_id, exception_message, prompt_id }) {
  // The page shows such a text as HTML, its older versions whatever is in it.
  const error = exception_message.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const text = [error, ...(links.get(String(node_id)) ?? [])].join("\n");
  const detail = { nodeId: node_id, text, prompt_id };
  api.dispatchEvent(new CustomEvent("progress_text", { detail }));
  links.delete(String(node_id));
}

// The page's older versions save the text on a node with the workflow, a video's signed link included.
function keepTextUnsaved(prototype) {
  const { serialize } = prototype;
  prototype.serialize = function (...args) {
    for (const widget of this.widgets ?? []) {
      if (widget.name === "$$node-text-preview") widget.serialize = false;
    }
    return serialize.apply(this, args);
  };
}

// The Connection node: its region decides what a run costs.
function followRegion(prototype) {
  after(prototype, "onNodeCreated", function () {
    for (const widget of this.widgets ?? []) after(widget, "callback", showPrices);
  });
}

app.registerExtension({
  name: "dashscope-wan",
  setup() {
    // What comes from afar: a Connection node that is bypassed, or linked to the subgraph that a node is in.
    api.addEventListener("graphChanged", showPrices);
    api.addEventListener("progress_text", ({ detail }) => keepLinks(detail));
    api.addEventListener("execution_error", ({ detail }) => {
      if (detail.node_type?.startsWith(OURS)) showErrorOnNode(detail);
    });
  },
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name?.startsWith(OURS)) return;
    const table = nodeData.input?.required?.model?.[1]?.[TABLE];
    if (table) followModel(nodeType.prototype, table);
    if (nodeData.output_node) showVideo(nodeType.prototype);
    keepTextUnsaved(nodeType.prototype);
    if (nodeData.name === CONNECTION) followRegion(nodeType.prototype);
  },
  nodeCreated(node) {
    if (node.comfyClass?.startsWith(OURS)) fixSeedControl(node);
  },
  afterConfigureGraph: showPrices,
  refreshComboInNodes() {
    // ComfyUI has just put the full lists back.
    for (const node of allNodes(app.rootGraph ?? app.graph)) applyModelRules(node);
  },
});
