// The box with a node's status text. It is the pack's own: it shows all of a text, as text, whatever the page's version.

export const PLAYER = "video-preview"; // the page's name for the widget with the video
const TEXT = "$$node-text-preview"; // the page's name for the widget with the text: it fills the one that it finds
const TYPE = "dashscope_wan_status";
const MARGIN = 10;
const PARTS = /(https?:\/\/\S+)|(\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)/;

const boxes = new WeakMap();

// Show a text on a node. The node grows and shrinks with it, by what there is no room for.
export function showStatus(node, text) {
  const box = boxes.get(node) ?? { element: newElement(), text: "", grown: 0, room: roomBelow(node) };
  if (box.text !== text) box.element.replaceChildren(...parts(text));
  Object.assign(box, { text, measured: undefined });
  boxes.set(node, box);
  mount(node, box);
  const grown = Math.max(0, height(node, box) + 4 - box.room);
  resize(node, grown - box.grown);
  box.grown = grown;
  node.setDirtyCanvas?.(true, true);
}

// The height by which the text has made its node grow.
export function grownBy(node) {
  return boxes.get(node)?.grown ?? 0;
}

function roomBelow(node) {
  const bottoms = node.widgets.filter(({ hidden }) => !hidden).map(({ y, computedHeight }) => y + computedHeight);
  return Math.max(0, node.size[1] - Math.max(...bottoms)) || 0; // nothing is known before it is drawn
}

// Return the text of HTML as the server sends it.
export function unescape(html) {
  return html.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function newElement() {
  const element = document.createElement("div");
  element.className = "dashscope-wan-status";
  element.setAttribute("role", "status");
  Object.assign(element.style, {
    boxSizing: "border-box",
    color: "var(--input-text, #ddd)",
    fontSize: "12px",
    lineHeight: "16px",
    overflow: "hidden auto",
    overflowWrap: "anywhere",
    padding: "4px 8px",
    userSelect: "text",
    whiteSpace: "pre-wrap",
  });
  return element;
}

// Put the box on its node, in place of the page's own, above the video.
function mount(node, box) {
  const others = node.widgets.filter(({ name, type }) => name === TEXT && type !== TYPE);
  for (const widget of others) {
    widget.onRemove?.();
    node.widgets.splice(node.widgets.indexOf(widget), 1);
  }
  if (!node.widgets.some(({ type }) => type === TYPE)) add(node, box);
  const [player, own] = [PLAYER, TEXT].map((one) => node.widgets.findIndex(({ name }) => name === one));
  if (player < 0 || own < player) return;
  const widgets = [...node.widgets];
  widgets.splice(player, 0, ...widgets.splice(own, 1));
  node.widgets = widgets;
}

function add(node, box) {
  const widget = node.addDOMWidget(TEXT, TYPE, box.element, {
    serialize: false, // not in the prompt
    hideOnZoom: false,
    margin: MARGIN,
    getValue: () => box.text,
    setValue: (html) => showStatus(node, unescape(html)),
  });
  widget.serialize = false; // not in the workflow
  widget.label = "";
  widget.computeSize = () => [0, height(node, box)];
  widget.computeLayoutSize = undefined; // no share of the remaining height
  // Some versions take the text away when a run ends, and what it says with it.
  const { onRemove } = widget;
  widget.onRemove = function (...args) {
    onRemove?.apply(this, args);
    queueMicrotask(() => {
      if (node.graph?.getNodeById(node.id) === node && boxes.get(node) === box) mount(node, box);
    });
  };
}

function height(node, box) {
  const [width] = node.size;
  if (box.measured?.width !== width) {
    const copy = box.element.cloneNode(true);
    Object.assign(copy.style, { position: "absolute", visibility: "hidden", height: "auto", width: `${width - 2 * MARGIN}px` });
    document.body.append(copy);
    box.measured = { width, height: copy.offsetHeight + 2 * MARGIN - 4 };
    copy.remove();
  }
  return box.measured.height;
}

// Nodes 2.0 fits a node to its content by itself.
export function resize(node, by) {
  if (by && !globalThis.LiteGraph?.vueNodesMode) node.setSize([node.size[0], node.size[1] + by]);
}

function parts(text) {
  return text.split(PARTS).filter(Boolean).map((part) => {
    if (!PARTS.test(part)) return document.createTextNode(part);
    return oneLine(part, /^https?:/.test(part) ? "a" : "span");
  });
}

// URLs and task ids stay in their line: cut on the screen, whole where they are copied.
function oneLine(text, tag) {
  const element = document.createElement(tag);
  element.textContent = element.title = text;
  Object.assign(element.style, {
    display: "inline-block",
    fontFamily: tag === "a" ? "inherit" : "monospace",
    maxWidth: tag === "a" ? "100%" : "9ch",
    overflow: "hidden",
    textOverflow: "ellipsis",
    verticalAlign: "bottom",
    whiteSpace: "nowrap",
  });
  if (tag === "a") Object.assign(element, { href: text, target: "_blank", rel: "noopener noreferrer" });
  return element;
}
