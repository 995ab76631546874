// What a page built by JavaScript does: the server sends an empty frame, the data comes later.
const name = location.pathname.split("/").filter(Boolean).pop();
fetch(`/data/${name}.json`)
  .then((answer) => answer.json())
  .then((moon) => {
    const list = document.createElement("dl");
    for (const [label, value] of Object.entries(moon)) {
      list.append(Object.assign(document.createElement("dt"), { textContent: label }));
      list.append(Object.assign(document.createElement("dd"), { textContent: value }));
    }
    document.getElementById("root").replaceChildren(list);
  });
