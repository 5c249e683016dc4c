// Traversal of the graph: all nodes, including those in subgraphs, and the origin of a link.

const BYPASSED = [2, 4]; // LiteGraph's modes "never" and "bypass"

// Yield every node, also those inside subgraphs.
export function* allNodes(graph) {
  for (const node of graph?.nodes ?? graph?._nodes ?? []) {
    yield node;
    if (node.subgraph) yield* allNodes(node.subgraph);
  }
}

// Return the node with an id in a run, "3" or "3:7" for node 7 in the subgraph of node 3; undefined if there is none.
export function nodeAt(id, root) {
  const find = (host, inside) => (host?.subgraph ?? host)?.getNodeById?.(inside) ?? undefined;
  return String(id).split(":").reduce(find, root);
}

export function isLinked(node, name) {
  const input = node.inputs?.find((slot) => slot.name === name || slot.widget?.name === name);
  return input?.link != null;
}

// Yield the ways from a graph to the subgraph that another node is in: the subgraph nodes on it, innermost last. A
// subgraph may be used several times.
export function* pathsTo(graph, from, path = []) {
  if (graph === from) yield path;
  for (const host of from?.nodes ?? from?._nodes ?? []) {
    if (host.subgraph) yield* pathsTo(graph, host.subgraph, [...path, host]);
  }
}

// Return the node at the origin of an input, its path and its output's slot, through reroutes, out of subgraphs and
// into them; undefined if there is none. `path` is one of the node's own.
export function originOf(node, slot, path) {
  return originOfLink(linkOf(node?.inputs?.[slot], node), node?.graph, path);
}

function originOfLink(link, graph, path) {
  if (!link) return undefined;
  const origin = graph.getNodeById(link.origin_id);
  if (!origin) return originOf(path.at(-1), link.origin_slot, path.slice(0, -1));
  if (BYPASSED.includes(origin.mode)) return undefined;
  if (origin.type === "Reroute") return originOf(origin, 0, path);
  if (!origin.subgraph) return { node: origin, path, slot: link.origin_slot };
  const [id] = origin.subgraph.outputNode?.slots[link.origin_slot]?.linkIds ?? [];
  return originOfLink(linkIn(origin.subgraph, id), origin.subgraph, [...path, origin]);
}

// Return a widget's value, or that of the widget that a subgraph node has for it; undefined if another node gives it.
export function valueOf(node, name, path) {
  return widgetOf(node, name, path)?.value;
}

// Return the widget that decides on an input: the node's own, or the one that a subgraph node has for it; undefined if
// another node does.
export function widgetOf(node, name, path) {
  const input = node?.inputs?.find((slot) => slot.name === name || slot.widget?.name === name);
  const link = linkOf(input, node);
  if (!link) return node?.widgets?.find((widget) => widget.name === name) ?? input?._widget;
  const host = node.graph.getNodeById(link.origin_id) ? undefined : path.at(-1);
  return widgetOf(host, host?.inputs[link.origin_slot]?.name, path.slice(0, -1));
}

function linkOf(input, node) {
  return linkIn(node?.graph, input?.link);
}

function linkIn(graph, id) {
  return id == null ? undefined : graph?.getLink?.(id) ?? graph?.links?.[id];
}
