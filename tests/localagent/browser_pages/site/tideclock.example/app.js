(() => {
  const el = (tag, props, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };
  const station = { name: "Skerry Point", high: "04:52", low: "11:07", range: "3.4 m", updated: "2026-03-14" };
  const root = document.getElementById("root");
  root.append(el("div", { className: "spinner" }, "…"));
  setTimeout(() => {
    root.replaceChildren(
      el("h1", {}, station.name),
      el("table", {},
        el("tr", {}, el("th", {}, "High water"), el("td", {}, station.high)),
        el("tr", {}, el("th", {}, "Low water"), el("td", {}, station.low)),
        el("tr", {}, el("th", {}, "Tidal range"), el("td", {}, station.range)),
        el("tr", {}, el("th", {}, "Updated"), el("td", {}, station.updated))));
  }, 900);
})();
