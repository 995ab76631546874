// What a person would see of a page, and when it has come to rest. It runs in a world of its own, where the
// page's scripts can neither be met nor met with.
(words) => {
  const STILL = 350;
  const LONG = 20;
  const NEARLY_EMPTY = 20;
  const LONGEST_NOTICE = 40;
  const MOST_NODES = 400_000;
  const DEEPEST = 400;
  const NOT_READ = new Set(["style", "noscript", "template", "object", "embed", "svg", "canvas", "video", "audio",
    "select", "textarea"]);
  const BUSY = '[aria-busy="true"], [class~="spinner"], [class~="loader"], [class~="loading"], [class*="skeleton"]';
  // Classes that hide on small screens only, when the page says so: what is shown here is known better.
  const RESPONSIVE = new Set(["hidden", "d-none"]);

  const sleep = (time) => new Promise((done) => setTimeout(done, time));

  // Clocks tick and banners turn for ever: only what adds or removes elements, or more than a few letters, is news.
  const isNews = (record) =>
    [...record.addedNodes].some((node) => node.nodeType === Node.ELEMENT_NODE || node.textContent.length > LONG) ||
    [...record.removedNodes].some((node) => node.nodeType === Node.ELEMENT_NODE);

  // Wait until nothing is new for a while; false where that does not come within `limit` ms.
  const rest = (limit) =>
    new Promise((done) => {
      const end = (isStill) => {
        watcher.disconnect();
        clearTimeout(timer);
        clearTimeout(last);
        done(isStill);
      };
      const watcher = new MutationObserver((records) => {
        if (records.some(isNews)) {
          clearTimeout(timer);
          timer = setTimeout(end, STILL, true);
        }
      });
      let timer = setTimeout(end, STILL, true);
      const last = setTimeout(end, limit, false);
      watcher.observe(document, { childList: true, subtree: true });
    });

  // Wait for something new; false where nothing comes within `limit` ms.
  const news = (limit) =>
    new Promise((done) => {
      const watcher = new MutationObserver(() => end(true));
      const end = (isNew) => {
        watcher.disconnect();
        done(isNew);
      };
      watcher.observe(document, { childList: true, subtree: true, characterData: true });
      setTimeout(end, limit, false);
    });

  const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  const saysLittle = (text) => text.trim().length < NEARLY_EMPTY;

  // The text of a page does not tell what its own elements show in shadow trees.
  const isEmpty = (root, text) => saysLittle(text) && ![...root.querySelectorAll("*")].some(
    ({ shadowRoot }) => shadowRoot && !isEmpty(shadowRoot, shadowRoot.textContent));

  // Whether the page says that more is to come, or says next to nothing.
  const isBusy = () => {
    if (!document.body) return true;
    const text = document.body.innerText;
    if (isEmpty(document.body, text)) return true;
    if ([...document.querySelectorAll(BUSY)].some(isShown)) return true;
    return text.toLowerCase().split("\n").some((line) =>
      line.length < LONGEST_NOTICE && words.loading.some((word) => line.trim().startsWith(word)));
  };

  // Show every part of the page once, and stay at its end: much is loaded, or faded in, when it is first scrolled
  // to. False where all of it is in the window.
  const scroll = async (most) => {
    const page = document.scrollingElement ?? document.documentElement;
    if (page.scrollHeight <= innerHeight + 1) return false;
    page.scrollBy({ top: -innerHeight, behavior: "instant" }); // who is at the end already has to come back to it
    for (let screen = 0; screen < most && page.scrollTop + innerHeight < page.scrollHeight - 1; screen++) {
      page.scrollBy({ top: innerHeight, behavior: "instant" });
      await sleep(50);
    }
    return true;
  };

  const isUnseen = (element, style) => {
    if (element.matches("meta[itemprop], link[itemprop]")) return false;
    if (style.display === "none" || style.opacity === "0" || style.contentVisibility === "hidden") return true;
    if (style.position !== "absolute" && style.position !== "fixed") return parseFloat(style.textIndent) < -500;
    const box = element.getBoundingClientRect();
    const isSpeck = box.width <= 1 && box.height <= 1 && style.overflow !== "visible";
    return isSpeck || box.right + scrollX <= 0 || box.bottom + scrollY <= 0;
  };

  // A frame is a part of the page where the page itself put it there; others' frames cannot be looked into.
  const children = (node) => {
    if (node.localName === "iframe" || node.localName === "frame")
      return node.contentDocument?.body ? [node.contentDocument.body] : [];
    if (node.shadowRoot) return node.shadowRoot.childNodes;
    if (node.localName === "slot" && node.assignedNodes().length) return node.assignedNodes();
    return node.childNodes;
  };

  // What the page calls its elements, and what only it knows of them: where they lead, how they flow.
  const copyElement = (element, style, paper) => {
    const plain = style.display.startsWith("inline") ? "span" : "div";
    const isPlain = /^(?!i?frame)[a-z][a-z0-9]*$/.test(element.localName) && (element.ownerDocument === document
      || element.localName !== "body");
    const copy = paper.createElement(isPlain ? element.localName : plain);
    for (const { name, value } of element.attributes) {
      if (name === "style" || name === "hidden" || name.startsWith("on") || !/^[a-z][\w:.-]*$/i.test(name)) continue;
      copy.setAttribute(name, value);
    }
    const classes = [...element.classList].filter((name) => !RESPONSIVE.has(name));
    if (classes.length) copy.className = classes.join(" ");
    else copy.removeAttribute("class");
    for (const name of ["href", "src"])
      if (element.hasAttribute(name) && typeof element[name] === "string") copy.setAttribute(name, element[name]);
    return copy;
  };

  // What has been seen on this page so far, for when its tabs take turns to show it.
  let copies = new Map();

  // Write down what is seen: no scripts, no styles, nothing that is hidden; what shadow trees show in its place.
  // `isKept`: also what was seen before, and is hidden or gone by now.
  const source = (isKept = false) => {
    const paper = document.implementation.createHTMLDocument("");
    const root = paper.documentElement;
    for (const { name, value } of document.documentElement.attributes) root.setAttribute(name, value);
    paper.head.replaceChildren(
      ...[...document.querySelectorAll('head > :is(title, meta, link), script[type="application/ld+json"]')].map(
        (element) => paper.importNode(element, true)));
    const todo = document.body ? [[document.body, root, 0]] : [];
    const before = isKept ? copies : new Map();
    copies = new Map();
    paper.body.remove();
    for (let count = 0; todo.length && count < MOST_NODES; count++) {
      const [node, parent, depth] = todo.pop();
      if (node.nodeType === Node.TEXT_NODE) {
        parent.append(node.data);
        continue;
      }
      if (node.nodeType !== Node.ELEMENT_NODE || node.localName === "script" || NOT_READ.has(node.localName)) continue;
      const style = getComputedStyle(node);
      if (isUnseen(node, style)) {
        if (before.has(node)) parent.append(before.get(node));
        continue;
      }
      const copy = depth < DEEPEST ? copyElement(node, style, paper) : parent;
      if (copy !== parent) parent.append(copy);
      copies.set(node, copy);
      const isSilent = style.visibility !== "visible" || style.fontSize === "0px";
      const inside = [...children(node)].filter((child) => !isSilent || child.nodeType === Node.ELEMENT_NODE);
      for (const child of inside.reverse()) todo.push([child, copy, depth + 1]);
    }
    for (const [node, copy] of before) {
      if (copies.has(node)) continue;
      copies.set(node, copy);
      if (!node.isConnected && !before.has(node.parentNode)) root.lastChild.append(copy);
    }
    return `<!doctype html>\n${root.outerHTML}`;
  };

  return { rest, news, isBusy, scroll, source };
}
