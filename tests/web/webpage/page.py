"""ComfyUI's page, driven the way its own code and its user drive it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from .server import PageServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # The page asks the internet for news, fonts and telemetry; here is only our server.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

_NOISE = (
    "net::ERR_NAME_NOT_RESOLVED",
    "the server responded with a status of 404",
    "Failed to fetch",
)

# What the bare frontends say of themselves while they come up, without any pack.
_NOISE_AT_START = (
    "ComfyApp graph accessed before initialization",
    "Cannot read properties of undefined (reading 'id')",
)

_READY = """() => {
  const app = window.app ?? window.comfyAPI?.app?.app;
  return app?.graph && app.canvas && window.LiteGraph?.registered_node_types?.DashScopeWanImageToVideo;
}"""

_EMPTY = {
    "last_node_id": 0,
    "last_link_id": 0,
    "nodes": [],
    "links": [],
    "groups": [],
    "config": {},
    "extra": {},
    "version": 0.4,
}

# Beside the tests' steps: each is what ComfyUI's own code does, or reads what it reads.
_STEPS = """
  const app = window.app ?? window.comfyAPI.app.app;
  const root = () => app.rootGraph ?? app.graph;
  const widgetOf = (node, name) => node.widgets.find((widget) => widget.name === name);
  window.steps = {
    app,
    root,
    node: (id) => root().getNodeById(id),
    set(node, name, value) {
      const widget = widgetOf(node, name);
      widget.value = value;
      widget.callback?.(value, app.canvas, node);
    },
    add(type, x = 0) {
      const node = LiteGraph.createNode(type);
      node.pos = [x, 0];
      root().add(node);
      return node;
    },
    link(from, output, to, input) {
      return from.connect(output, to, to.inputs.findIndex((slot) => slot.name === input));
    },
    cut: (node, input) => node.disconnectInput(node.inputs.findIndex((slot) => slot.name === input)),
    state(node) {
      const widgets = node.widgets.filter((widget) => widget.serialize !== false).map((widget) => [widget.name, {
        value: widget.value,
        values: Array.isArray(widget.options.values) ? [...widget.options.values] : null,
        min: widget.options.min ?? null,
        max: widget.options.max ?? null,
        step: widget.options.step2 ?? null,
        // Some versions say so of every linked widget as well, of which they show the label alone.
        hidden: widget.connectionSuppressed ? !!widget.options.hidden : !!widget.hidden,
        hiddenInOptions: !!widget.options.hidden,
      }]);
      return {
        widgets: Object.fromEntries(widgets),
        price: widgetOf(node, "price")?.element.textContent ?? null,
        labels: Object.fromEntries(node.inputs.map((slot) => [slot.name, slot.label ?? slot.localized_name])),
      };
    },
    saved: () => JSON.parse(JSON.stringify(root().serialize())),
    tracker: () => app.extensionManager.workflow.activeWorkflow.changeTracker,
    // As after a click: the page notes the change, and for a moment what follows from it.
    async noted() {
      const tracker = steps.tracker();
      (tracker.captureCanvasState ?? tracker.checkState).call(tracker);
      await new Promise((done) => setTimeout(done, 80));
    },
    frames: () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  };
"""


def chromium() -> str | None:
    """Return the path of Debian's Chromium without windows, which does the same for less, or else of any other one."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def launch(playwright: Playwright) -> Browser:
    """Start the browser."""
    return playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))


def new_tab(browser: Browser) -> Page:
    """Return a tab, for the pages of one server one after the other: it keeps what it has loaded and compiled."""
    # What is drawn costs most of a page's time: no more than the tests look at, and nothing that moves.
    size = {"width": 640, "height": 640}
    return browser.new_context(viewport=size, locale="en-US", reduced_motion="reduce").new_page()


class ComfyPage:
    """One open page. `errors` holds what it complained about, apart from what it says without the pack as well."""

    def __init__(self, tab: Page, server: PageServer, *, version: str, renderer: str) -> None:
        self.page = tab
        self.server = server
        self.version, self.renderer = version, renderer
        self.errors: list[str] = []
        self._loaded = True
        self._starting = True
        self._listeners = {"console": self._on_console, "pageerror": lambda error: self._complain(str(error))}
        for event, listener in self._listeners.items():
            tab.on(event, listener)
        # What another page has kept in the browser is none of this one's.
        kept = {"origin": server.url, "storageTypes": "local_storage,indexeddb,cookies"}
        tab.context.new_cdp_session(tab).send("Storage.clearDataForOrigin", kept)
        tab.goto(server.url)
        tab.wait_for_function(_READY, timeout=60_000)
        tab.evaluate(f"() => {{ {_STEPS} }}")
        # The page loads its own first graph; what comes after that is ours.
        tab.wait_for_function("() => steps.root().nodes.length > 0 || steps.app.vueAppReady")
        self._starting = False

    def close(self) -> None:
        """Leave the page."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        self.page.goto("about:blank")

    def run(self, body: str, argument: Any = None) -> Any:
        """Run the body of an async function in the page. `steps` is at hand, `given` is the argument."""
        # Such a body leaves more behind than nodes.
        self._loaded |= any(word in body for word in ("loadGraphData", "convertToSubgraph", "dispatchEvent"))
        return self.page.evaluate(f"async (given) => {{ {body} }}", argument)

    def load(self, workflow: dict[str, Any]) -> None:
        """Load a graph as a file that the user opens."""
        self._loaded = True
        self.run("await steps.app.loadGraphData(given); await steps.frames()", workflow)

    def clear(self) -> None:
        """Go on with an empty graph, in the only tab: the page draws every tab again with each change."""
        if not self._loaded:
            # The page keeps what widgets have by their graph's id.
            self.run("steps.app.clean(); steps.root().clear(); steps.root().id = crypto.randomUUID()")
            return
        self.load(_EMPTY)
        self._loaded = False
        self.run(
            """
            const tabs = steps.app.extensionManager.workflow;
            for (const tab of [...tabs.openWorkflows]) if (tab !== tabs.activeWorkflow) await tabs.closeWorkflow(tab);
            """
        )

    def saved(self) -> dict[str, Any]:
        """Return the graph as the page would save it."""
        saved: dict[str, Any] = self.run("return steps.saved()")
        return saved

    def prompt(self) -> dict[str, Any]:
        """Return the graph as the page would send it to run."""
        prompt: dict[str, Any] = self.run("return (await steps.app.graphToPrompt()).output")
        return prompt

    def add(self, kind: str) -> int:
        """Add a node of a type and return its id."""
        return int(self.run("return Number(steps.add(given).id)", kind))

    def set(self, node: int, widget: str, value: object) -> None:
        """Set a widget as the user does."""
        self.run("steps.set(steps.node(given[0]), given[1], given[2]); await steps.frames()", [node, widget, value])

    def state(self, node: int) -> dict[str, Any]:
        """Return widgets, price and input labels of a node."""
        state: dict[str, Any] = self.run("return steps.state(steps.node(given))", node)
        return state

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(message.text)

    def _complain(self, text: str) -> None:
        if not any(noise in text for noise in _NOISE + (_NOISE_AT_START if self._starting else ())):
            self.errors.append(text)
