// The references of a node: what is linked to its inputs for them, and what the prompt calls each.
import { imageCount } from "./batch.js";
import { originOf } from "./graph.js";
import { inLanguage } from "./i18n.js";

// Return the linked references in the order in which prompts count them: the input's name, the type of what is linked,
// and how many it is, one if that is unknown. `later` is called when it becomes known.
export function referencesOf(node, table, path, later) {
  return table.references.flatMap((input) => {
    const origin = originOf(node, node.inputs.findIndex(({ name }) => name === input), path);
    if (!origin) return [];
    const type = origin.node.outputs?.[origin.slot]?.type;
    const count = type === "IMAGE" ? imageCount(node, path, later, input) ?? 1 : 1;
    return [{ input, type, count }];
  });
}

// Return what the prompt calls each reference, by the input's name: "Image 1", or "Image 2 - Image 4" for a batch.
export function namesOf(references, names) {
  const found = new Map();
  const counted = new Map();
  for (const { input, type, count } of names ? references : []) {
    const form = inLanguage(names)[type];
    if (!form) continue;
    const kind = names.jointly ? "" : type;
    const first = (counted.get(kind) ?? 0) + 1;
    const last = first + count - 1;
    counted.set(kind, last);
    const [one, other] = [first, last].map((number) => form.replace("{n}", number));
    found.set(input, first === last ? one : `${one} - ${other}`);
  }
  return found;
}

// Return the seconds of its clips that a run is billed for at most, Infinity if that depends on the clips.
export function billedSeconds(references, clips) {
  const linked = references.filter(({ type }) => type === "VIDEO").length;
  const count = clips?.required ? Math.max(linked, 1) : linked;
  if (!clips || !count) return 0;
  if (!clips.shares) return Infinity;
  const all = references.reduce((sum, one) => sum + one.count, 0);
  const number = clips.by === "references" ? all : count;
  return count * clips.shares[Math.min(number, clips.shares.length) - 1];
}
