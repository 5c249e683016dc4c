// The number of images at a node's image input, and so the number of videos of a run, as far as the page knows it.
import { api } from "../../scripts/api.js";
import { originOf, valueOf } from "./graph.js";

const ANIMATED = /\.(gif|webp)$/i;
const SAME = ["ImageScale", "ImageScaleBy", "ImageScaleToTotalPixels", "ImageCrop"]; // one image out per image in
const known = new Map(); // by URL; a promise while the file loads

// Return the number of images; undefined if it is unknown. `later` is called when it becomes known. `path` is the
// node's, as of `pathsTo`.
export function imageCount(node, path, later, input = "image") {
  const slot = node.inputs?.findIndex((one) => one.name === input) ?? -1;
  const origin = originOf(node, slot, path);
  if (!origin) return undefined;
  const of = (name) => imageCount(origin.node, origin.path, later, name);
  const value = (name) => valueOf(origin.node, name, origin.path);
  const type = origin.node.comfyClass ?? origin.node.type;
  if (SAME.includes(type)) return of("image");
  if (type === "LoadImage") return inFile(value("image"), later);
  if (type === "EmptyImage") return whole(value("batch_size"));
  if (type === "RepeatImageBatch") return whole(of("image") * value("amount"));
  if (type === "ImageBatch") return whole(of("image1") + of("image2"));
  if (type === "ImageFromBatch") {
    // Its index is at most the last image's, and it outputs no more images than there are.
    const count = of("image");
    const first = Math.min(value("batch_index"), count - 1);
    return value("length") === 1 ? 1 : whole(Math.min(value("length"), count - first));
  }
  return undefined;
}

const whole = (number) => Number.isInteger(number) ? number : undefined;

function inFile(chosen, later) {
  const [, path, type = "input"] = String(chosen ?? "").match(/^(.*?)(?: \[(input|output|temp)\])?$/) ?? [];
  if (!path || !ANIMATED.test(path)) return path ? 1 : undefined;
  const [subfolder, filename] = path.includes("/") ? path.match(/^(.*)\/(.*)$/).slice(1) : ["", path];
  const url = api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
  if (!known.has(url)) {
    const counted = fetch(url)
      .then((response) => response.ok ? response.arrayBuffer() : undefined)
      .then((buffer) => known.set(url, buffer && frames(new Uint8Array(buffer))))
      .catch(() => known.delete(url)) // requested again at the next change
      .then(later);
    known.set(url, counted);
  }
  return whole(known.get(url));
}

// Return the number of frames of a GIF or WebP file; undefined if the file is invalid.
export function frames(bytes) {
  const text = (at, length) => String.fromCharCode(...bytes.subarray(at, at + length));
  if (text(0, 3) === "GIF") return gifFrames(bytes);
  return text(0, 4) === "RIFF" && text(8, 4) === "WEBP" ? webpFrames(bytes, text) : undefined;
}

function gifFrames(bytes) {
  const table = (flags) => flags & 0x80 ? 3 << ((flags & 7) + 1) : 0; // of colours, in bytes
  let at = 13 + table(bytes[10]);
  let count = 0;
  while (at < bytes.length && bytes[at] !== 0x3b) {
    const isImage = bytes[at] === 0x2c;
    if (isImage) count += 1;
    else if (bytes[at] !== 0x21) return undefined;
    at += isImage ? 11 + table(bytes[at + 9]) : 2;
    while (bytes[at]) at += 1 + bytes[at];
    at += 1;
  }
  return count || undefined;
}

function webpFrames(bytes, text) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    if (text(at, 4) === "ANMF") count += 1;
    const size = view.getUint32(at + 4, true);
    at += 8 + size + (size & 1);
  }
  return count || 1;
}
