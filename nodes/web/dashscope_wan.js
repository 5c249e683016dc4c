// A new node's seed stays as it is: another seed is another video and another payment.
// ComfyUI starts the control beside a seed as "randomize" in its older versions. Saved workflows keep what they say.
import { app } from "../../scripts/app.js";

const OURS = "DashScopeWan";

app.registerExtension({
  name: "dashscope-wan.seed",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith(OURS)) return;
    const seed = node.widgets?.find((widget) => widget.name === "seed");
    const control = seed?.linkedWidgets?.find((widget) => widget.options?.values?.includes?.("fixed"));
    if (control) control.value = "fixed";
  },
});
