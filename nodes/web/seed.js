// A new node's seed stays as it is: another seed is another video and another payment.
// ComfyUI's older versions start the control beside a seed as "randomize". Saved workflows keep what they say.

const CONTROL = "control_after_generate";

export function fixSeedControl(node) {
  const seed = node.widgets?.find((widget) => widget.name === "seed");
  const control = seed?.linkedWidgets?.find((widget) => widget.options?.values?.includes?.("fixed"));
  if (!control) return;
  control.value = "fixed";
  // Where the definition says "fixed", ComfyUI takes that for the widget's name; it looks for the usual one.
  control.name = CONTROL;
}
