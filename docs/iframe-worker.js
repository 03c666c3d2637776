// Browsers start no worker for pages that are opened from the disk. There the search, which wants
// one, runs in a hidden frame instead, and messages pass between the frame and the page.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      this.inside = new Promise((resolve) => {
        frame.addEventListener("load", () => {
          const scope = frame.contentWindow;
          scope.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
          const script = scope.document.createElement("script");
          script.src = new URL(url, document.baseURI);
          script.addEventListener("load", () => resolve(scope));
          scope.document.body.append(script);
        }, { once: true });
      });
      frame.hidden = true;
      frame.srcdoc = "<!doctype html><title>Search</title><body>";
      document.body.append(frame);
    }

    postMessage(data) {
      this.inside.then((scope) => scope.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
