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

// Return the node at the origin of an input, through reroutes and out of subgraphs; undefined if there is none.
export function originOf(node, slot, root) {
  const id = node?.inputs?.[slot]?.link;
  const link = id == null ? undefined : node.graph?.getLink?.(id) ?? node.graph?.links?.[id];
  if (!link) return undefined;
  const origin = node.graph.getNodeById(link.origin_id);
  if (!origin) return originOf(hostOf(node.graph, root), link.origin_slot, root);
  if (BYPASSED.includes(origin.mode)) return undefined;
  return origin.type === "Reroute" ? originOf(origin, 0, root) : origin;
}

function hostOf(subgraph, root) {
  for (const node of allNodes(root)) if (node.subgraph === subgraph) return node;
  return undefined;
}
