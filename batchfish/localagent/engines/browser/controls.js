// Finds the controls that may be used, and no others: a consent to cookies, a search box, what adds to a list.
(words) => {
  const LONGEST_NAME = 60;
  const BANNER_TEXT = 6000;
  const MOST_ANCESTORS = 10;
  const BUTTONS = "button, a, summary, [role=button], [role=link], input[type=button], input[type=submit]";
  const BOXES = [
    "input[type=search]", "[role=searchbox]", "[role=search] input", "search input",
    "input[name=q]", "input[name=query]", "input[name=search]", "input[name=s]", "input[name=keyword]",
    "form input",
    "input",
  ];
  const WRITABLE = new Set(["text", "search", ""]);

  const plain = (text) => text.toLowerCase().replaceAll("’", "'").replace(/[\s\u200b]+/g, " ")
    .replace(/^[^\p{L}\p{N}›»→>]+|[^\p{L}\p{N}›»→>]+$/gu, "").trim();

  const isShown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };

  const nameOf = (element) => {
    const text = element.innerText || element.value || element.getAttribute("aria-label") || element.title || "";
    return text.length > LONGEST_NAME ? "" : plain(text);
  };

  const all = (root, selector) => {
    const found = [...root.querySelectorAll(selector)];
    for (const host of root.querySelectorAll("*")) {
      if (host.shadowRoot) found.push(...all(host.shadowRoot, selector));
    }
    return found;
  };

  const parentOf = (element) => element.parentElement ?? element.getRootNode().host ?? null;

  const isNever = (name) => words.never.some((word) => (name.match(/^[\x00-\x7f]*$/) ? ` ${name} ` : name)
    .includes(/^[\x00-\x7f]*$/.test(word) ? ` ${word} ` : word));

  // A form that changes something, or in which something is written, is somebody's to send.
  const isPartOfForm = (element) => {
    const form = element.form ?? element.closest("form");
    const isSender = element.matches("input[type=submit], input[type=image], button:not([type]), button[type=submit]");
    if (!form || !isSender) return false;
    const method = (element.getAttribute("formmethod") || form.getAttribute("method") || "get").toLowerCase();
    return method !== "get" || Boolean(form.querySelector(
      "textarea, input:not([type=hidden], [type=checkbox], [type=radio], [type=submit], [type=button])"));
  };

  const isUsable = (element) => {
    if (!isShown(element) || element.disabled || element.getAttribute("aria-disabled") === "true") return false;
    if (element.classList.contains("disabled") || element.hasAttribute("download")) return false;
    if (isNever(nameOf(element)) || isPartOfForm(element)) return false;
    return element.localName !== "a" || !element.href || ["http:", "https:"].includes(element.protocol)
      || element.getAttribute("href").startsWith("javascript:");
  };

  const staysHere = (element) =>
    element.localName !== "a" || !element.href || element.origin === location.origin || !/^https?:/.test(element.href);

  const speaksOfConsent = (element) => {
    let around = parentOf(element);
    for (let n = 0; around && n < MOST_ANCESTORS; n++, around = parentOf(around)) {
      if (around === document.documentElement || (around === document.body && self === top)) return false;
      const text = around.innerText ?? "";
      if (text.length > BANNER_TEXT) return false;
      const said = `${around.id} ${around.className} ${around.getAttribute("aria-label") ?? ""} ${text}`.toLowerCase();
      if (words.consent.some((word) => said.includes(word))) return true;
    }
    return false;
  };

  const isMore = (name, word) => name === word || (name.startsWith(`${word} `) && name.length < word.length + 30)
    || (/[^\x00-\x7f]/.test(word) && name.startsWith(word) && name.length < word.length + 8);

  const isTurning = (element) => isUsable(element) && staysHere(element)
    && !element.closest(".disabled, [aria-disabled=true], [aria-hidden=true], [inert]");

  // Pages that are numbered and have no word for the next one: 1 [2] 3.
  const numbered = (root) => {
    const isCurrent = '[aria-current]:not([aria-current=false]), .active, .current, .selected, .is-active, .is-current';
    for (const current of all(root, isCurrent)) {
      const number = Number(nameOf(current));
      if (!Number.isInteger(number) || number < 1) continue;
      const row = current.closest("ul, ol, nav, [class*=pag], [role=navigation]");
      const following = row && all(row, BUTTONS).filter((element) =>
        nameOf(element) === String(number + 1) && isTurning(element));
      if (following?.length) return following;
    }
    return [];
  };

  const finders = {
    consent: (root) => all(root, BUTTONS).filter((element) =>
      words.accept.includes(nameOf(element)) && isUsable(element) && staysHere(element) && speaksOfConsent(element)),

    search: (root) => {
      const isBox = (element) => WRITABLE.has(element.getAttribute("type") ?? "") && isShown(element)
        && !element.disabled && !element.readOnly && !isPrivate(element.form);
      // A search asks and changes nothing: it is sent by GET, and with no secret, address or message in it.
      const isPrivate = (form) => form && ((form.getAttribute("method") ?? "get").toLowerCase() !== "get"
        || form.querySelector("input[type=password], input[type=email], input[type=tel], textarea"));
      const speaksOfSearch = (element) => {
        const form = element.closest("form");
        const said = [element.placeholder, element.getAttribute("aria-label"), element.name, element.id, element.title,
          ...[...(element.labels ?? [])].map((label) => label.innerText),
          form?.getAttribute("action"), form?.id, form?.className].join(" ").toLowerCase();
        return words.search.some((word) => said.includes(word));
      };
      for (const [order, selector] of BOXES.entries()) {
        const found = all(root, selector).filter((element) =>
          element.localName === "input" && isBox(element) && (order < 9 || speaksOfSearch(element)));
        if (found.length) return found;
      }
      return [];
    },

    // What opens a search box that is folded away.
    unfold: (root) => all(root, "button, [role=button], summary").filter((element) =>
      isShown(element) && !isPartOfForm(element) && !isNever(nameOf(element))
      && words.search.includes(plain(element.getAttribute("aria-label") || nameOf(element)))),

    // What starts the search beside the box that has the focus.
    go: (root) => {
      const form = document.activeElement?.closest("form, [role=search], search");
      return form ? all(form, "button, input[type=submit], [role=button]").filter((element) =>
        isShown(element) && !isNever(nameOf(element))) : [];
    },

    // What adds to the list in place.
    more: (root) => all(root, BUTTONS).filter((element) =>
      words.more.some((word) => isMore(nameOf(element), word)) && isUsable(element) && staysHere(element)),

    // What turns to the next page of the list.
    next: (root) => {
      const found = all(root, BUTTONS).filter((element) => {
        const names = [nameOf(element), plain(element.getAttribute("aria-label") ?? ""), plain(element.title ?? "")];
        const isNext = element.relList?.contains("next") || names.some((name) => words.next.some(
          (word) => name === word || (word.includes(" ") && name.includes(word))));
        return isNext && isTurning(element);
      });
      return [...found, ...numbered(root)];
    },

    // What may be pressed: nothing that agrees to something, and no link to an address, which can be opened.
    usable: (root) => all(root, BUTTONS).filter((element) => nameOf(element) && isTurning(element)
      && !words.accept.includes(nameOf(element)) && !(element.localName === "a" && /^https?:/.test(element.href) && !element.getAttribute("href").startsWith("#"))),

    // What shows another part of the page in the place of one.
    tab: (root) => all(root, "[role=tab]").filter(isTurning),

    // What unfolds a part of the page that is folded away.
    fold: (root) => all(root, "details:not([open]) > summary, [aria-expanded=false][aria-controls]").filter((element) =>
      isTurning(element) && !element.closest("nav, header, footer, form, [role=navigation], [role=menu], [aria-haspopup]")),
  };

  const queryAll = (root, body) => {
    const [kind, ...details] = JSON.parse(body);
    return finders[kind](root, ...details);
  };
  return { queryAll, query: (root, body) => queryAll(root, body)[0] ?? null };
}
