// A new node's seed is fixed: another seed makes another video, which is charged. Some versions of ComfyUI initialise
// the control beside a seed as "randomize". Saved workflows keep their own setting.

const CONTROL = "control_after_generate";

export function fixSeedControl(node) {
  const seed = node.widgets?.find((widget) => widget.name === "seed");
  const control = seed?.linkedWidgets?.find((widget) => widget.options?.values?.includes?.("fixed"));
  if (!control) return;
  control.value = "fixed";
  // If the definition says "fixed", ComfyUI uses that as the widget's name, but looks for the usual name.
  control.name = CONTROL;
}
