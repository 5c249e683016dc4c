// The price line of a node: the cost of a run by the price list. It is not part of the workflow or the prompt.
import { app } from "../../scripts/app.js";
import { imageCount } from "./batch.js";
import { isLinked, originOf, pathsTo, valueOf } from "./graph.js";
import { strings } from "./i18n.js";

const HEIGHT = 22;
const COUNTED = ["model", "resolution", "duration", "generate_audio"];
const lines = new WeakMap();

export function addPriceLine(node, table) {
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
  const widget = node.addDOMWidget("price", "dashscope_wan_price", element, {
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
  lines.set(node, { element, table });
}

export function showPrice(node) {
  const line = lines.get(node);
  if (!line) return;
  const paths = [...pathsTo(node.graph, app.rootGraph ?? app.graph)];
  const shown = (paths.length ? paths : [[]]).map((path) => priceOfRun(node, line.table, path));
  // The uses of a subgraph share its nodes.
  const [text, note] = shown.every(([one]) => one === shown[0][0]) ? shown[0] : [strings().linked, strings().estimate];
  if (line.element.textContent !== text) line.element.textContent = text;
  line.element.title = `${text}\n${note}`;
}

function priceOfRun(node, table, path) {
  const texts = strings();
  const count = imageCount(node, path, () => showPrice(node)) ?? 1;
  const cost = price(node, table, { count, path });
  return count > 1 ? [cost && texts.videos(count, cost), texts.estimateOfAll] : [cost, texts.estimate];
}

function price(node, table, { count, path }) {
  const texts = strings();
  const value = Object.fromEntries(COUNTED.map((name) => [name, valueOf(node, name, path)]));
  if (COUNTED.some((name) => isLinked(node, name) && value[name] === undefined)) return texts.linked;
  const regions = table.models[value.model]?.prices;
  if (!regions) return "";
  const region = regionOf(node, table, path);
  if (!region) return texts.somewhere;
  const title = texts.regions[region] ?? table.regions[region] ?? region;
  const list = regions[region];
  if (!list) return texts.elsewhere(value.model, title);
  const second = list.tiers[value.resolution]?.[value.generate_audio === false ? "silent" : "audio"];
  if (second === 0) return texts.free(title);
  if (second == null) return texts.unlisted(title);
  return texts.about(`${list.currency} ${(second * value.duration * count).toFixed(2)}`, title, list.as_of);
}

// Return the region of the Connection node, or the machine's default; undefined if it is linked or invalid.
function regionOf(node, table, path) {
  const slot = node.inputs?.findIndex((input) => input.type === table.connection) ?? -1;
  const connection = originOf(node, slot, path);
  if (!connection) return table.own_region;
  const chosen = valueOf(connection.node, "region", connection.path);
  return chosen === table.default_region ? table.own_region : chosen;
}
