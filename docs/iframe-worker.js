// Lets the search work where the site is opened from a disk: browsers start no worker for file:// pages.
// The worker's script runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.scope = frame.contentWindow;
      window.addEventListener("message", (message) => {
        if (message.source !== this.scope) return;
        const event = new MessageEvent("message", { data: message.data });
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      });
      const page = this.scope.document;
      page.open();
      page.write(
        "<body><script>" +
          "postMessage = (data) => send(data);" +
          "function send(data) { parent.dispatchEvent(new MessageEvent('message', { data, source: window })); }" +
          "function importScripts(...urls) {" +
          "  return urls.reduce((before, url) => before.then(() => new Promise((done) => {" +
          "    const script = document.createElement('script');" +
          "    script.src = url; script.onload = done; document.body.append(script);" +
          "  })), Promise.resolve());" +
          "}" +
          "</" + "script><script src='" + new URL(url, document.baseURI) + "'></" + "script></body>",
      );
      page.close();
    }

    postMessage(data) {
      this.scope.dispatchEvent(new MessageEvent("message", { data }));
    }

    terminate() {}
  };
}
