// The price line of a node: the cost of a run by the price list. It is not part of the workflow or the prompt.
import { app } from "../../scripts/app.js";
import { imageCount } from "./batch.js";
import { isLinked, originOf, pathsTo, valueOf } from "./graph.js";
import { strings } from "./i18n.js";
import { applyModelRules } from "./model_widgets.js";
import { billedSeconds, referencesOf } from "./references.js";

const HEIGHT = 22;
const HOST_LINE = "dashscope_wan_price"; // no name that a promoted widget has
const COUNTED = ["model", "resolution", "duration", "generate_audio", "count"];
const lines = new WeakMap();
const hostLines = new WeakMap();
const watched = new WeakSet();

export function addPriceLine(node, table) {
  lines.set(node, { element: addLine(node, "price"), table });
}

function addLine(node, name) {
  const element = document.createElement("div");
  element.className = "dashscope-wan-price";
  Object.assign(element.style, {
    color: "var(--descrip-text, #999)",
    font: "12px sans-serif",
    lineHeight: `${HEIGHT}px`,
    overflow: "hidden",
    textAlign: "center",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
  });
  const widget = node.addDOMWidget(name, "dashscope_wan_price", element, {
    serialize: false, // not in the prompt
    hideOnZoom: false,
    margin: 0,
    getValue: () => element.textContent,
    setValue: () => {},
  });
  widget.serialize = false; // not in the workflow
  widget.computeSize = () => [0, HEIGHT];
  widget.computeLayoutSize = undefined; // no share of the remaining height
  widget.label = strings().price;
  return element;
}

function write(element, text, note) {
  if (element.textContent !== text) element.textContent = text;
  element.title = `${text}\n${note}`;
}

export function showPrice(node) {
  if (hostLines.has(node)) writeHost(node);
  const line = lines.get(node);
  if (!line) return;
  const paths = [...pathsTo(node.graph, app.rootGraph ?? app.graph)];
  const found = (paths.length ? paths : [[]]).map((path) => ({ path, shown: priceOfRun(node, line.table, path) }));
  write(line.element, ...common(found));
  for (const host of new Set(paths.flat())) {
    showOnHost(host, node, common(found.filter(({ path }) => path.includes(host))));
  }
}

// The uses of a subgraph share its nodes, and one line shows what they have in common.
function common(found) {
  const [{ shown }] = found;
  return found.every((one) => one.shown[0] === shown[0]) ? shown : [strings().linked, strings().estimate];
}

// A subgraph node shows the prices of the nodes in it, as its widgets may decide on them.
function showOnHost(host, node, shown) {
  if (host.properties && "proxyWidgets" in host.properties) return; // such versions save the names of all its widgets
  if (!host.widgets?.some(({ name }) => name === HOST_LINE)) {
    hostLines.set(host, { element: addLine(host, HOST_LINE), prices: new Map() });
    host.setSize([host.size[0], Math.max(host.size[1], host.computeSize()[1])]);
  }
  const { prices } = hostLines.get(host);
  for (const widget of host.widgets) watchWidget(widget, prices);
  prices.set(node, shown);
  writeHost(host);
}

function writeHost(host) {
  const { element, prices } = hostLines.get(host);
  for (const one of prices.keys()) {
    if (pathsTo(one.graph, host.subgraph).next().done) prices.delete(one);
  }
  const [texts, [note = ""]] = [0, 1].map((part) => [...prices.values()].map((one) => one[part]));
  write(element, texts.filter(Boolean).join("; "), note);
}

// Some versions of the page note a change of a subgraph node's widget later.
function watchWidget(widget, prices) {
  if (watched.has(widget)) return;
  watched.add(widget);
  const { callback } = widget;
  widget.callback = function (...args) {
    const result = callback?.apply(this, args);
    queueMicrotask(() => [...prices.keys()].forEach((node) => applyModelRules(node))); // some versions set it after this
    return result;
  };
}

function priceOfRun(node, table, path) {
  const texts = strings();
  const later = () => showPrice(node);
  const isOfImages = node.inputs?.some(({ name }) => name === "image");
  const count = (imageCount(node, path, later) ?? 1) * (valueOf(node, "count", path) ?? 1);
  const rules = table.models[valueOf(node, "model", path)];
  const clipSeconds = billedSeconds(referencesOf(node, table, path, later), rules?.clips);
  const cost = price(node, table, { count, path, clipSeconds });
  const note = clipSeconds ? texts.estimateWithClips : isOfImages ? texts.estimateOfImages : texts.estimate;
  return [count > 1 && cost ? texts.videos(count, cost) : cost, note];
}

function price(node, table, { count, path, clipSeconds }) {
  const texts = strings();
  const value = Object.fromEntries(COUNTED.map((name) => [name, valueOf(node, name, path)]));
  if (COUNTED.some((name) => isLinked(node, name) && value[name] === undefined)) return texts.linked;
  const { prices: regions, clips } = table.models[value.model] ?? {};
  if (!regions) return "";
  const region = regionOf(node, table, path);
  if (!region) return texts.somewhere;
  const title = texts.regions[region] ?? table.regions[region] ?? region;
  const list = regions[region];
  if (!list) return texts.elsewhere(value.model, title);
  const second = list.tiers[value.resolution]?.[value.generate_audio === false ? "silent" : "audio"];
  if (second === 0) return texts.free(title);
  if (second == null) return texts.unlisted(title);
  // Half a cent is rounded up, also where a binary fraction is a little less.
  const amount = (seconds) => (second * seconds * count + 1e-9).toFixed(2);
  const sum = costOf(value.duration, { clipSeconds, isOneClip: clips?.required, amount });
  return texts.about(`${list.currency} ${sum}`, title, list.as_of);
}

// A duration of 0 is the clip's.
function costOf(duration, { clipSeconds, isOneClip, amount }) {
  const texts = strings();
  if (clipSeconds !== Infinity) return texts.upTo(amount(duration), amount(duration + clipSeconds));
  if (!duration) return texts.ofClip(amount(2));
  return `${amount(duration)} + ${(isOneClip ? texts.ofClip : texts.ofClips)(amount(1))}`;
}

// Return the region of the Connection node, or the machine's default; undefined if it is linked or invalid.
function regionOf(node, table, path) {
  const slot = node.inputs?.findIndex((input) => input.type === table.connection) ?? -1;
  const connection = originOf(node, slot, path);
  if (!connection) return table.own_region;
  const chosen = valueOf(connection.node, "region", connection.path);
  return chosen === table.default_region ? table.own_region : chosen;
}
