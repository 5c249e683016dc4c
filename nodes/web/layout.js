// The order and the heights of a node's widgets. Saved files keep the order of the definition, and the node's height
// without what a run shows on it.
import { app } from "../../scripts/app.js";
import { PLAYER, grownBy, resize } from "./status_box.js";

const BESIDE = { ratio: "resolution" }; // widgets that are shown after another one
const LINES = { prompt: 4, negative_prompt: 2 }; // of text, in a new node
const TALL = "prompt";
const MOST = 12; // of the prompt's lines, unless the user gives it more: what is left is for the video
const BOX = 28; // what a text box takes beside its lines: the widget's margin and the text's padding
const ESTIMATE = 24; // by at most so much the page overestimates what a node needs
const OF_THE_FILE = "filename_prefix"; // it changes nothing of the video

const orders = new WeakMap(); // the names of a node's widgets as they are saved
const defaults = new WeakMap(); // the values of its advanced widgets in a new node

// Lay out a new node.
export function layOut(node) {
  const before = node.computeSize()[1];
  orders.set(node, node.widgets.map(({ name }) => name));
  for (const [name, other] of Object.entries(BESIDE)) moveBeside(node, name, other);
  for (const widget of node.widgets) {
    if (!(widget.name in LINES) || !widget.element) continue;
    fitText(node, widget);
    translate(node, widget);
  }
  defaults.set(node, new Map(node.widgets.filter((one) => one.options?.advanced).map(({ name, value }) => [name, value])));
  resize(node, node.computeSize()[1] - before);
}

// Nodes 2.0 hides advanced widgets. Show those of a loaded node if they say something about its video.
export function revealAdvanced(node) {
  const says = ([name, value]) => name !== OF_THE_FILE && node.widgets.find((one) => one.name === name)?.value !== value;
  const isHiding = globalThis.LiteGraph?.vueNodesMode && !node.showAdvanced;
  if (isHiding && [...(defaults.get(node) ?? [])].some(says)) node.showAdvanced = true;
}

// Return the values of widgets, in the order in which they are shown, in the order in which they are saved.
export function toSavedOrder(node, values) {
  return arrange(node, values, [shownOrder(node), savedOrder(node)]);
}

// The other way round. A file may have less values than the node has widgets.
export function toShownOrder(node, values) {
  return arrange(node, values, [savedOrder(node), shownOrder(node)]);
}

// The height that the node has without what a run shows on it: the status text and the video.
export function savedHeight(node, height) {
  if (globalThis.LiteGraph?.vueNodesMode) return height;
  return height - grownBy(node) - (node.widgets.find(({ name }) => name === PLAYER)?.computedHeight ?? 0);
}

function isResized(node) {
  return app.canvas?.resizing_node === node || globalThis.LiteGraph?.vueNodesMode;
}

function arrange(node, values, [from, to]) {
  const valueOf = (name) => {
    const place = from.indexOf(name);
    return place < values.length ? values[place] : node.widgets.find((widget) => widget.name === name).value;
  };
  return [...to.map(valueOf), ...values.slice(to.length)];
}

function savedOrder(node) {
  return orders.get(node) ?? [];
}

function shownOrder(node) {
  const saved = new Set(savedOrder(node));
  return node.widgets.map(({ name }) => name).filter((name) => saved.has(name));
}

function moveBeside(node, name, other) {
  const widget = node.widgets.find((one) => one.name === name);
  const widgets = node.widgets.filter((one) => one !== widget);
  const place = widgets.findIndex((one) => one.name === other);
  if (!widget || place < 0) return;
  widgets.splice(place + 1, 0, widget);
  node.widgets = widgets;
}

// A text box has room for some lines. The prompt's takes what is left of the node, and keeps its height when other
// content comes or goes; only the user makes it smaller.
function fitText(node, widget) {
  const lines = (count) => count * 1.3 * (parseFloat(getComputedStyle(widget.element).fontSize) || 10) + BOX;
  const least = () => lines(LINES[widget.name]);
  const kept = () => Math.max(least(), isResized(node) ? 0 : (widget.computedHeight ?? 0));
  const isBesidePlayer = () => node.widgets.some(({ name }) => name === PLAYER) && !isResized(node);
  const most = () => (isBesidePlayer() ? kept() : Math.max(kept(), isResized(node) ? Infinity : lines(MOST)));
  const { options } = widget;
  options.getMinHeight = least;
  options.getMaxHeight = least;
  if (widget.name !== TALL) return;
  options.getMinHeight = () => (isBesidePlayer() ? kept() : Math.max(least(), kept() - ESTIMATE));
  options.getMaxHeight = most;
}

function translate(node, widget) {
  const slot = node.inputs.find((one) => one.widget?.name === widget.name);
  widget.element.placeholder = slot?.localized_name ?? widget.label ?? widget.name;
}
