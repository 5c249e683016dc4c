// The pack's extension of ComfyUI's page: it limits widgets to the model's values, shows the price of a run, fixes the
// seed and completes the status texts. The nodes work without it, as the server validates everything.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { allNodes } from "./graph.js";
import { applyModelRules, watch, withLoading } from "./model_widgets.js";
import { addPriceLine, showPrice } from "./price.js";
import { tellLanguage } from "./i18n.js";
import { fixSeedControl } from "./seed.js";
import { OURS, TEXT, followStatus } from "./status.js";

const CONNECTION = "DashScopeWanConnection";
const RULES = "dashscope_wan";
const PLAYER = "video-preview"; // the page's name for the widget with the video

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

// A node with a model: its definition contains the rules of the models.
function installModelRules(prototype, table) {
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

// A node that saves videos: without this, some versions of Nodes 2.0 show its video as an image.
function showVideo(prototype) {
  after(prototype, "onNodeCreated", function () {
    this.previewMediaType = "video";
  });
}

// What a node shows is no part of the graph: some versions of the page save its text, including a video's signed URL,
// and send the player of its video as an input, by which the server takes an unchanged node for a changed one.
function excludeOutputs(prototype) {
  const { serialize } = prototype;
  prototype.serialize = function (...args) {
    for (const widget of this.widgets ?? []) {
      if (widget.name === TEXT) widget.serialize = false;
      if (widget.name === PLAYER) widget.options.serialize = false; // not in the prompt, which is made after this
    }
    return serialize.apply(this, args);
  };
}

// The Connection node: the price of a run depends on its region.
function watchRegion(prototype) {
  after(prototype, "onNodeCreated", function () {
    for (const widget of this.widgets ?? []) after(widget, "callback", showPrices);
  });
}

app.registerExtension({
  name: "dashscope-wan",
  setup() {
    // Changes elsewhere in the graph: a Connection node is bypassed, or linked to the subgraph of a node.
    api.addEventListener("graphChanged", showPrices);
    followStatus();
    tellLanguage();
  },
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name?.startsWith(OURS)) return;
    const table = nodeData.input?.required?.model?.[1]?.[RULES];
    if (table) installModelRules(nodeType.prototype, table);
    if (nodeData.output_node) showVideo(nodeType.prototype);
    excludeOutputs(nodeType.prototype);
    if (nodeData.name === CONNECTION) watchRegion(nodeType.prototype);
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
