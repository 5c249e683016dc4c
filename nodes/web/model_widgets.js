// Widgets are limited to the model's values: options and limits narrow to the rules, unsupported widgets are hidden.
// A widget that another node gives its value is not changed, and none is if the model is such a one. What a subgraph
// node has of them is limited as well, each use of a subgraph by its own model.
import { app } from "../../scripts/app.js";
import { isLinked, pathsTo, valueOf, widgetOf } from "./graph.js";
import { strings } from "./i18n.js";
import { namesOf, referencesOf } from "./references.js";

const DECIDING = ["model", "count"]; // widgets without rules of their own, on which rules or the price depend
const TYPES = ["IMAGE", "VIDEO", "AUDIO"]; // of references

const states = new WeakMap();

// Start applying the rules to a node. `changed` is called after each change.
export function watch(node, table, changed) {
  const names = new Set(Object.values(table.models).flatMap(governed));
  const originals = new Map();
  for (const widget of node.widgets) {
    if (names.has(widget.name)) originals.set(widget, { ...widget.options });
    if (names.has(widget.name) || DECIDING.includes(widget.name)) onChange(widget, () => applyModelRules(node));
  }
  const labels = new Map(node.inputs.map((slot) => [slot.name, slot.localized_name]));
  states.set(node, { table, originals, labels, remembered: new Map(), last: new Map(), changed, busy: false });
}

export function hasReferences(node) {
  return Boolean(states.get(node)?.table.references.length);
}

// Load a node's values from a workflow. The rules are applied when all values are loaded, and the size is kept.
export function withLoading(node, values) {
  const state = states.get(node);
  if (!state) return values();
  state.busy = true;
  try {
    return values();
  } finally {
    state.busy = false;
    state.remembered.clear();
    applyModelRules(node, { keepSize: true });
  }
}

// Apply the rules of the node's model to its widgets.
export function applyModelRules(node, { keepSize = false } = {}) {
  const state = states.get(node);
  if (!state || state.busy) return;
  state.busy = true;
  try {
    const height = node.computeSize()[1];
    const paths = pathsOf(node);
    const rules = rulesOf(node, state.table, paths);
    const decides = ([widget]) => rules.given.some((rule) => rule.widget === widget.name);
    for (const [widget, options] of [...state.originals].filter(decides)) applyToWidget(node, widget, { options, rules, state });
    const references = linkedReferences(node, state.table, paths[0]);
    const effective = effectiveRules(node, rules, paths[0], references);
    for (const [widget, options] of state.originals) applyToWidget(node, widget, { options, rules: effective, state });
    for (const path of paths) applyToPromoted(node, path, state);
    label(node, rules, state.labels, references);
    if (!keepSize) grow(node, node.computeSize()[1] - height);
    state.changed();
    node.setDirtyCanvas?.(true, true);
  } finally {
    state.busy = false;
  }
}

function governed(rules) {
  return [...Object.keys(rules.allowed), ...rules.unused, ...rules.given.flatMap((rule) => Object.keys(rule.allowed))];
}

// Return the ways to the node. Until a graph is loaded, nothing is known of those into subgraphs.
function pathsOf(node) {
  const paths = app.configuringGraph ? [] : [...pathsTo(node.graph, app.rootGraph ?? app.graph)];
  return paths.length ? paths : [[]];
}

function rulesOf(node, table, paths) {
  const models = new Set(paths.map((path) => valueOf(node, "model", path)));
  const rules = models.size === 1 ? table.models[[...models][0]] : undefined;
  return rules ?? { unknown: true, allowed: {}, unused: [], needed: [], given: [], names: null };
}

function linkedReferences(node, table, path) {
  return referencesOf(node, table, path, () => applyModelRules(node, { keepSize: true }));
}

// Return the model's rules, restricted by the node's other values and links. A widget with one value left is unused.
function effectiveRules(node, rules, path, references) {
  const found = { ...rules, allowed: { ...rules.allowed }, unused: [...rules.unused] };
  const applies = ({ input, type, widget, value }) => {
    if (input) return isLinked(node, input);
    return type ? references.some((one) => one.type === type) : valueOf(node, widget, path) === value;
  };
  for (const { allowed } of rules.given.filter(applies)) {
    Object.assign(found.allowed, allowed);
    found.unused.push(...Object.keys(allowed).filter((name) => allowed[name].length === 1));
  }
  return found;
}

// Limit the widgets that subgraph nodes have for the node's own.
function applyToPromoted(node, path, { table, originals }) {
  const rules = effectiveRules(node, rulesOf(node, table, [path]), path, linkedReferences(node, table, path));
  for (const [own, options] of originals) {
    const widget = widgetOf(node, own.name, path);
    if (!widget || widget === own) continue;
    const allowed = rules.allowed[own.name];
    narrow(own, options, allowed); // of which some versions show the options
    narrowPromoted(widget, options, allowed);
    if (allowed) setValue(widget, closestAllowed(widget.value, allowed));
  }
}

function applyToWidget(node, widget, { options, rules, state }) {
  const linked = isLinked(node, widget.name);
  const allowed = linked ? undefined : rules.allowed[widget.name];
  const visible = linked || !rules.unused.includes(widget.name);
  narrow(widget, options, allowed);
  show(widget, visible);
  if (linked || rules.unknown) return;
  const { remembered } = state;
  if (!visible && allowed && !allowed.includes(widget.value)) {
    remembered.set(widget.name, widget.value);
    setValue(widget, closestAllowed(widget.value, allowed));
  } else if (visible) {
    const wish = remembered.has(widget.name) ? remembered.get(widget.name) : widget.value;
    remembered.delete(widget.name);
    setValue(widget, allowed ? closestAllowed(wish, allowed, state.last.get(widget)) : wish);
  }
  state.last.set(widget, widget.value);
}

function narrow(widget, options, allowed) {
  Object.assign(widget.options, narrowed(options, allowed));
}

// In some versions a subgraph node's widget shares its options with others, or returns a copy of them.
function narrowPromoted(widget, options, allowed) {
  const changed = narrowed(options, allowed);
  Reflect.set(widget, "options", { ...widget.options, ...changed });
  Object.assign(widget.options, changed);
}

// Return the options of a widget that is limited to a set of values, or to none.
function narrowed({ values, min, max, step2, step }, allowed) {
  if (Array.isArray(values)) return { values: allowed ?? values };
  if (typeof max !== "number") return {};
  return allowed ? limits(allowed) : { min, max, step2, step };
}

// Return the limits of a number widget for a set of values. Steps count from the smallest.
function limits(values) {
  const [min] = values;
  const step2 = values.map((value) => value - min).reduce(commonDivisor) || 1;
  return { min, max: values.at(-1), step2, step: step2 * 10 };
}

function commonDivisor(a, b) {
  return b ? commonDivisor(b, a % b) : a;
}

function show(widget, visible) {
  widget.hidden = !visible;
  widget.options.hidden = !visible;
  // Some versions include the height of hidden widgets.
  if (visible) delete widget.computeSize;
  else widget.computeSize = () => [0, -4];
}

// Return the allowed value that is numerically closest ("720P" is 720), or the first one. Of two as close as each other
// it is the larger one if the value was smaller `before`.
function closestAllowed(value, allowed, before = value) {
  if (allowed.includes(value)) return value;
  const distance = (other) => Math.abs(parseFloat(other) - parseFloat(value));
  const isAsClose = (other, best) => distance(other) === distance(best) && before < value;
  const isCloser = (other, best) => distance(other) < distance(best) || isAsClose(other, best);
  return allowed.reduce((best, other) => (isCloser(other, best) ? other : best));
}

function setValue(widget, value) {
  if (widget.value === value) return;
  widget.value = value;
  widget.callback?.(value);
}

function onChange(widget, react) {
  const before = widget.callback;
  widget.callback = function (value, ...more) {
    const result = before?.call(this, value, ...more);
    react();
    // Nodes 2.0 in some versions keeps showing the typed value although another one was set.
    if (widget.value !== value) queueMicrotask(() => widget.callback(widget.value));
    return result;
  };
}

// Sockets without widgets stay in place; their labels say if the model does not support them or what is linked to them,
// or needs them and nothing is linked, or what the prompt calls what is linked.
function label(node, rules, labels, references) {
  const names = namesOf(references, rules.names);
  const isUnfit = ({ type }) => rules.names && TYPES.includes(type) && !rules.types.includes(type);
  const unused = [...rules.unused, ...references.filter(isUnfit).map(({ input }) => input)];
  for (const [i, slot] of node.inputs.entries()) {
    if (slot.widget || !labels.has(slot.name)) continue;
    const plain = labels.get(slot.name) ?? slot.name;
    const needed = rules.needed.includes(slot.name) && slot.link == null;
    const remark = unused.includes(slot.name) ? strings().unused : needed ? strings().needed : names.get(slot.name);
    const name = remark ? `${plain} (${remark})` : plain;
    if (name === slot.localized_name) continue;
    slot.localized_name = name;
    // Nodes 2.0 redraws a socket only if it is a new object.
    if (globalThis.LiteGraph?.vueNodesMode) node.inputs.splice(i, 1, new slot.constructor(slot, node));
  }
}

function grow(node, by) {
  if (by) node.setSize([node.size[0], node.size[1] + by]);
}
