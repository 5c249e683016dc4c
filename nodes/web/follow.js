// Widgets follow the model: options and limits narrow to what the table says, what a model does not have is hidden.
// A widget whose value comes over a link is left alone, and so are all while the model itself does.
import { isLinked } from "./graph.js";
import { strings } from "./texts.js";

const states = new WeakMap();

// Begin to follow: `changed` is called after each change.
export function watch(node, table, changed) {
  const names = new Set(Object.values(table.models).flatMap(governed));
  const originals = new Map();
  for (const widget of node.widgets) {
    if (names.has(widget.name)) originals.set(widget, { ...widget.options });
    if (names.has(widget.name) || widget.name === "model") onChange(widget, () => applyModelRules(node));
  }
  const labels = new Map(node.inputs.map((slot) => [slot.name, slot.localized_name]));
  states.set(node, { table, originals, labels, remembered: new Map(), changed, busy: false });
}

// Let the node get its values from a workflow. Nothing is followed before it has them all, and its size is its own.
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

// Make the widgets what the model says.
export function applyModelRules(node, { keepSize = false } = {}) {
  const state = states.get(node);
  if (!state || state.busy) return;
  state.busy = true;
  try {
    const height = node.computeSize()[1];
    const rules = rulesOf(node, state.table);
    const decides = ([widget]) => rules.given.some((rule) => rule.widget === widget.name);
    for (const [widget, options] of [...state.originals].filter(decides)) applyToWidget(node, widget, { options, rules, state });
    const effective = effectiveRules(node, rules);
    for (const [widget, options] of state.originals) applyToWidget(node, widget, { options, rules: effective, state });
    label(node, rules, state.labels);
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

function rulesOf(node, table) {
  const model = node.widgets.find((widget) => widget.name === "model")?.value;
  const rules = isLinked(node, "model") ? undefined : table.models[model];
  return rules ?? { unknown: true, allowed: {}, unused: [], needed: [], given: [] };
}

// The model's rules with what the node's other values and links leave of them.
function effectiveRules(node, rules) {
  const found = { ...rules, allowed: { ...rules.allowed }, unused: [...rules.unused] };
  for (const rule of rules.given) {
    const value = node.widgets.find((widget) => widget.name === rule.widget)?.value;
    if (rule.input ? !isLinked(node, rule.input) : value !== rule.value) continue;
    Object.assign(found.allowed, rule.allowed);
    found.unused.push(...Object.keys(rule.allowed));
  }
  return found;
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
    setValue(widget, allowed ? closestAllowed(wish, allowed) : wish);
  }
}

function narrow(widget, options, allowed) {
  if (Array.isArray(options.values)) widget.options.values = allowed ?? options.values;
  if (typeof options.max !== "number") return;
  const { min, max, step2, step } = allowed ? limits(allowed) : options;
  Object.assign(widget.options, { min, max, step2, step });
}

// Limits of a number widget for a set of values. Its steps count from the smallest.
function limits(values) {
  const [min, next] = values;
  const step2 = next === undefined ? 1 : next - min;
  return { min, max: values.at(-1), step2, step: step2 * 10 };
}

function show(widget, visible) {
  widget.hidden = !visible;
  widget.options.hidden = !visible;
  // Older versions ask hidden widgets for their height, too.
  if (visible) delete widget.computeSize;
  else widget.computeSize = () => [0, -4];
}

// The allowed value that is nearest as a number ("720P" is 720), the first where there is none.
function closestAllowed(value, allowed) {
  if (allowed.includes(value)) return value;
  const distance = (other) => Math.abs(parseFloat(other) - parseFloat(value));
  return allowed.reduce((best, other) => (distance(other) < distance(best) ? other : best));
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
    // The new renderer of some versions shows the typed value although another one was taken.
    if (widget.value !== value) queueMicrotask(() => widget.callback(widget.value));
    return result;
  };
}

// The sockets of inputs that are no widgets stay where they are and say where the model has no use for them, or needs
// them and nothing is linked.
function label(node, rules, labels) {
  for (const [i, slot] of node.inputs.entries()) {
    if (slot.widget || !labels.has(slot.name)) continue;
    const plain = labels.get(slot.name) ?? slot.name;
    const needed = rules.needed.includes(slot.name) && slot.link == null;
    const remark = rules.unused.includes(slot.name) ? strings().unused : needed ? strings().needed : "";
    const name = remark ? `${plain} (${remark})` : plain;
    if (name === slot.localized_name) continue;
    slot.localized_name = name;
    // Nodes 2.0 draws a socket again when it is another object.
    if (globalThis.LiteGraph?.vueNodesMode) node.inputs.splice(i, 1, new slot.constructor(slot, node));
  }
}

function grow(node, by) {
  if (by) node.setSize([node.size[0], node.size[1] + by]);
}
