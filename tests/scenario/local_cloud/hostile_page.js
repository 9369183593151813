// What a page of somebody else tries with servers on this machine. `shoot(groups)` returns, shot by
// shot, what the page learned: null is nothing. Shots of a group come one after the other.
const PATIENCE_MS = 3000;

const within = (promise) =>
  Promise.race([promise, new Promise((end) => setTimeout(() => end(null), PATIENCE_MS))]);

function form({ url, fields, enctype }) {
  const name = `frame-${Math.random()}`;
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.name = name;
  const sent = document.body.appendChild(document.createElement("form"));
  Object.assign(sent, { action: url, method: "POST", target: name, enctype });
  for (const [key, value] of Object.entries(fields)) {
    const field = sent.appendChild(document.createElement("textarea"));
    field.name = key;
    field.value = value;
  }
  return new Promise((end) => {
    frame.onload = () => {
      try {
        // Readable only for the page's own origin; the frame is empty at first.
        const text = frame.contentDocument.body.innerText;
        if (text) end({ text });
      } catch {
        end(null);
      }
    };
    sent.submit();
  });
}

async function request({ url, method, headers, body, mode, upload }) {
  let content = body;
  if (upload) {
    content = new FormData();
    content.append(upload.field, new Blob([upload.content]), upload.name);
  }
  const stop = new AbortController();
  setTimeout(() => stop.abort(), PATIENCE_MS);
  // With credentials, "every origin" of CORS would not count.
  const credentials = mode === "cors" ? "omit" : "include";
  const options = { method, headers, body: content, mode, credentials };
  try {
    const answer = await fetch(url, { ...options, signal: stop.signal });
    if (answer.type === "opaque" || !answer.ok) return null;
    return { status: answer.status, text: (await answer.text()).slice(0, 300) };
  } catch {
    return null;
  }
}

function socket({ url, protocols, messages }) {
  return new Promise((end) => {
    const opened = new WebSocket(url, protocols);
    opened.onopen = () => messages.forEach((message) => opened.send(message));
    opened.onmessage = (message) => end({ text: String(message.data).slice(0, 300) });
    opened.onerror = opened.onclose = () => end(null);
  });
}

function load({ url, element }) {
  return new Promise((end) => {
    const loaded = document.createElement(element);
    loaded.onload = () => end({ text: "loaded" });
    loaded.onerror = () => end(null);
    loaded.src = url;
    document.body.appendChild(loaded);
  });
}

const KINDS = { form, request, socket, load };

async function one(shot) {
  try {
    return await within(KINDS[shot.kind](shot));
  } catch {
    return null;
  }
}

async function shoot(groups) {
  const learned = groups.map(async (shots) => {
    const found = [];
    for (const shot of shots) found.push(await one(shot));
    return found;
  });
  return await Promise.all(learned);
}
